import pathlib
import re

import pytest

import tinygrad_lite
from tinygrad_lite import analytic

PACKAGE = pathlib.Path(tinygrad_lite.__file__).parent
README = (PACKAGE / "analytic" / "README.md").read_text(encoding="utf-8")
FORMULA = re.compile(r"\b00[0-4]\.\d+[a-d]?\b")


def test_the_pattern_finds_formulas_and_no_other_numbers():
    assert FORMULA.findall("(000.12, 003.5a; 004.13) 0.001 1.004.5x v2.000.1") == [
        "000.12",
        "003.5a",
        "004.13",
        "000.1",
    ]


@pytest.mark.parametrize(
    "path", [path for path in sorted(PACKAGE.rglob("*.py")) if FORMULA.search(path.read_text(encoding="utf-8"))],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)  # fmt: skip
def test_every_formula_that_a_file_of_the_package_cites_stands_in_the_readme(path):
    assert set(FORMULA.findall(path.read_text(encoding="utf-8"))) <= set(FORMULA.findall(README))


def test_every_module_of_the_room_stands_in_the_readmes_table():
    modules = {path.name for path in (PACKAGE / "analytic").glob("*.py")} - {"__init__.py"}
    assert set(re.findall(r"\| `(\w+\.py)` \|", README)) == modules


def test_the_example_of_the_readme_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names = {}
    exec(code, names)
    assert names["gradients"][0].shape == (8, 5)
    assert names["deltas"][0].shape == (32, 8)


@pytest.mark.parametrize("name", [name for name in analytic.__all__ if callable(getattr(analytic, name))])
def test_every_function_says_what_it_returns(name):
    value = getattr(analytic, name)
    assert value.__doc__
    assert isinstance(value, type) or (value.__doc__.startswith("Return ") and ">>>" in value.__doc__)
