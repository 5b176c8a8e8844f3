"""The page about programs: its code runs, and its table knows every rewrite and every file."""

import pathlib
import re

import tinygrad_lite.program
from tests.program.test_passes import compiled
from tinygrad_lite import optim

FOLDER = pathlib.Path(tinygrad_lite.program.__file__).parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_code_of_the_page_runs(capsys):
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(code, names)
    assert capsys.readouterr().out.startswith("x 1\ndef run(x, t, lr, w, ")


def test_every_file_that_the_page_names_is_there():
    named = set(re.findall(r"`(\w+\.py)`", README))
    assert {name for name in named if not (FOLDER / name).exists()} == set()


def test_the_table_knows_every_rewrite():
    (table,) = re.findall(r"## The rewrites\n(.*?)\n\n- ", README, re.DOTALL)
    program = compiled(optim.Adam(lr=0.01), 0.01)
    untold = {"constants computed beforehand": "constants beforehand"}
    untold |= {"products added by BLAS": "added by BLAS", "multiples added by BLAS": "added by BLAS"}
    for rewrite in program.plan().rewrites:
        assert f"| {untold.get(rewrite, rewrite)}, `" in table
