import pathlib
import re
import subprocess
import sys

import pytest

import tinygrad_lite.pytest_plugin

ROOT = pathlib.Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "examples").glob("0*.py"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_of_the_readme_runs_and_its_first_table_is_what_it_prints(capsys):
    names: dict[str, object] = {}
    first, *others = blocks("python")
    exec(first, names)
    printed = capsys.readouterr().out
    for code in others:
        exec(code, names)
    names["test_my_gradient_is_right"]()
    names["test_the_missing_mean_is_found"](tinygrad_lite.pytest_plugin.check_gradients)
    assert names["report"].departs_at == "delta1"
    assert names["report"].deltas[1].diagnosis[0].slug == "activation-derivative-missing"
    assert without_figures(printed) == without_figures(blocks("text")[0])


def without_figures(table: str) -> list[str]:
    """Figures as small as rounding differ from machine to machine; the words around them do not."""
    return re.sub(r"-?\d[\d.e+-]*", "0", table).split()


def test_the_readme_begins_with_one_line_that_runs_the_demo_and_one_that_runs_the_tests():
    demo, tests = (block.strip().splitlines() for block in blocks("sh")[:2])
    assert len(demo) == len(tests) == 1
    assert demo[0].endswith("-m tinygrad_lite demo")
    assert "-m pytest" in tests[0]
    assert all(line.startswith("python3 -m venv .venv && .venv/bin/python -m pip install") for line in demo + tests)


def test_every_link_of_the_readme_leads_to_a_file():
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if not target.startswith("http")]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_there_are_seven_examples_under_forty_lines_each():
    assert [path.name[:2] for path in EXAMPLES] == ["01", "02", "03", "04", "05", "06", "07"]
    assert max(len(path.read_text(encoding="utf-8").splitlines()) for path in EXAMPLES) < 40


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs_and_prints(path, tmp_path):
    run = subprocess.run(
        [sys.executable, "-W", "error", str(path)], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()
