"""`python -m tinygrad_lite check FILE.py`: what it finds in a file, what it prints, and how it exits."""

from __future__ import annotations

import json
import sys

import pytest

from tests.cli.runs import run
from tinygrad_lite import cli

PREAMBLE = """
import numpy as np
import tinygrad_lite as tg


def d_cube(formula):
    def reading(rng):
        x = rng.normal(size=4)
        return formula(x), tg.grad(lambda x: np.sum(x**3))(x)
    return reading


def claim(id, formula, **options):
    return tg.Claim(id, "d/dx x³", readings={"elementwise": d_cube(formula)}, **options)


right = lambda x: 3 * x**2
"""
RIGHT = "a = claim('1.1', right)\n"
WRONG = "b = claim('1.2', lambda x: -3 * x**2, corrected=('3x²', d_cube(right)), note='a minus was lost')\n"
REMARK = "c = tg.Claim('1.3', 'x is a number', note='it is a remark')\n"
BROKEN = "d = tg.Claim('1.4', 'a = b', readings={'as is': lambda rng: (\n    undefined, 1.0)})\n"
KEYS = ["id", "verdict", "cause", "corrected", "readings", "error_as_stated", "error_corrected"]


@pytest.fixture
def check(tmp_path, capsys):
    """Return a function that runs the command, in this process, on a file with this source."""

    def checked(source: str, *options: str) -> tuple[int, str, str]:
        file = tmp_path / "notes.py"
        file.write_text(PREAMBLE + source, encoding="utf-8")
        status = cli.main(["check", str(file), *options])
        return status, *capsys.readouterr()

    return checked


@pytest.fixture
def audited(check):
    """Return a function that gives the exit status and the objects that --json prints."""

    def objects(source: str) -> tuple[int, list[dict]]:
        status, out, _ = check(source, "--json")
        return status, json.loads(out)

    return objects


# ----- The exit status -----


@pytest.mark.parametrize(
    ("source", "status"),
    [(RIGHT, 0), (REMARK, 0), (RIGHT + WRONG, 1), (WRONG + BROKEN, 2), (RIGHT + BROKEN + REMARK, 2)],
    ids=["holds", "no formula", "one fails", "one fails and one does not run", "one does not run"],
)
def test_the_status_tells_whether_all_hold_one_fails_or_one_could_not_run(check, source, status):
    assert check(source)[0] == status
    assert check(source, "--json")[0] == status


def test_in_a_process_of_its_own_it_does_the_same(tmp_path):
    file = tmp_path / "notes.py"
    file.write_text(PREAMBLE + RIGHT + WRONG, encoding="utf-8")
    finished = run("check", file, "--json")
    assert (finished.status, finished.err) == (1, "")
    assert [entry["verdict"] for entry in json.loads(finished.out)] == ["holds", "fails"]
    assert list(tmp_path.iterdir()) == [file], "nothing is written beside the file"


# ----- JSON -----


def test_json_is_a_list_of_objects_with_the_same_keys_for_every_verdict(audited):
    _, entries = audited(RIGHT + WRONG + REMARK)
    assert [list(entry) for entry in entries] == [KEYS] * 3
    holds, fails, remark = entries
    assert (holds["id"], holds["verdict"], holds["cause"], holds["corrected"]) == ("1.1", "holds", None, None)
    assert (holds["error_as_stated"] < 1e-14, holds["error_corrected"]) == (True, None)
    assert (fails["verdict"], fails["cause"], fails["corrected"]) == ("fails", "sign: a minus was lost", "3x²")
    assert fails["error_as_stated"] == pytest.approx(2)
    assert fails["error_corrected"] < 1e-14
    assert [reading["name"] for reading in fails["readings"]] == ["elementwise"]
    assert fails["readings"][0]["error"] == pytest.approx(2)
    assert (fails["readings"][0]["agrees"], holds["readings"][0]["agrees"]) == (False, True)
    assert remark["verdict"] == "no-formula"
    assert (remark["readings"], remark["error_as_stated"], remark["cause"]) == ([], None, None)


def test_an_error_that_is_infinite_is_null_in_json(check):
    status, out, _ = check("a = claim('1', lambda x: np.ones(2))", "--json")
    assert status == 1
    assert "Infinity" not in out
    assert json.loads(out)[0]["error_as_stated"] is None


def test_what_the_file_prints_goes_to_stderr(check):
    status, out, err = check(RIGHT + "print('said while running')", "--json")
    assert status == 0
    assert json.loads(out)
    assert err == "said while running\n"


# ----- Words -----


def test_without_json_each_claim_is_a_line_and_a_failing_one_is_explained(check):
    _, out, err = check(RIGHT + WRONG + REMARK)
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["1.1", "holds"]
    assert lines[1].split()[:2] == ["1.2", "fails"]
    assert "d/dx x³" in lines[1]
    assert lines[2].strip() == "cause: sign: a minus was lost"
    assert lines[3].strip().startswith("corrected: 3x²  (holds, error ")
    assert lines[4].strip().startswith("reading: elementwise  (does not hold, error 2.0e+00)")
    assert lines[5].split()[:2] == ["1.3", "no-formula"]
    assert lines[6].strip() == "why: it is a remark"
    assert lines[-1] == "3 claims; holds: 1, fails: 1, no-formula: 1"
    assert err == ""


# ----- What is found in a file -----


def test_claims_are_found_in_nested_lists_tuples_and_dicts_in_order_and_each_once(audited):
    source = (
        "first = claim('1', right)\n"
        "CHAPTER = {'one': [first, claim('2', right)], 'two': (claim('3', right), {'deep': claim('4', right)})}\n"
        "again = first\n"
        "last = tg.Derivation('5', lambda x: np.sum(x**3), np.array([0.3, -1.2]), analytic=right)\n"
        "CHAPTER['itself'] = CHAPTER\n"
    )
    status, entries = audited(source)
    assert status == 0
    assert [entry["id"] for entry in entries] == ["1", "2", "3", "4", "5"]


def test_flipping_a_sign_in_the_file_flips_the_verdict(audited):
    verdicts = [audited(f"a = claim('1', lambda x: {sign}3 * x**2)")[1][0]["verdict"] for sign in ("", "-")]
    assert verdicts == ["holds", "fails"]


def test_a_file_may_import_what_stands_beside_it_and_define_dataclasses(audited, tmp_path):
    (tmp_path / "formulas_beside.py").write_text("def derivative(x):\n    return 3 * x**2\n")
    source = (
        "from dataclasses import dataclass\nfrom formulas_beside import derivative\n"
        "@dataclass\nclass Symbols:\n    x: 'float' = 1.0\n"
        "a = claim('1', derivative)\n"
    )
    before = list(sys.path)
    try:
        assert audited(source)[0] == 0
        assert sys.path == before
    finally:
        sys.modules.pop("formulas_beside", None)


def test_what_stands_under_main_is_not_run(audited):
    assert audited(RIGHT + "if __name__ == '__main__':\n    raise SystemExit(7)\n")[0] == 0


# ----- What could not run -----


def test_a_claim_that_raises_is_told_with_its_line_and_the_others_are_judged(check):
    status, out, err = check(RIGHT + BROKEN + WRONG, "--json")
    line = (PREAMBLE + RIGHT).count("\n") + 2
    assert status == 2
    assert [entry["verdict"] for entry in json.loads(out)] == ["holds", None, "fails"]
    assert err == f"tinygrad_lite check: 1.4 could not run: line {line}: NameError: name 'undefined' is not defined\n"
    assert json.loads(out)[1]["cause"].startswith("could not run")
    assert "1.4" in check(BROKEN)[1]
    assert "not run: 1" in check(BROKEN)[1]


def test_a_reading_that_leaves_python_is_told_like_one_that_raises(check):
    status, _, err = check("import sys\na = claim('1', lambda x: sys.exit(0))")
    assert status == 2
    assert "SystemExit" in err


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1", "defines nothing to check"),
        ("x = 1 +", "is not Python"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import a_module_that_is_not_there", "ModuleNotFoundError"),
        ("raise SystemExit('stop')", "SystemExit: stop"),
        ("a = tg.Claim('1', 'a = b')", "has no readings"),
        ("tg.Claim('1', 'a = b', note='why')", "this Claim would be dropped; give it a name"),
        ("from tinygrad_lite import Derivation\nDerivation('1', np.sum, 1.0, analytic=right)", "this Derivation would"),
    ],
)
def test_a_file_that_cannot_be_run_or_defines_nothing_is_told_with_status_2(check, source, message):
    status, out, err = check(source)
    assert (status, out) == (2, "")
    assert message in err
    assert "notes.py" in err
    assert "Traceback" not in err


def test_the_line_of_the_file_that_raised_is_told(check):
    _, _, err = check("def f():\n    return 1 / 0\n\nf()\n")
    assert f"line {PREAMBLE.count(chr(10)) + 2}: ZeroDivisionError" in err


@pytest.mark.parametrize("name", ["missing.py", "."])
def test_a_file_that_cannot_be_read_is_told_with_status_2(tmp_path, capsys, name):
    assert cli.main(["check", str(tmp_path / name)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("tinygrad_lite check: ")
    assert str(tmp_path) in shown.err


def test_the_help_says_that_the_file_is_executed_and_what_the_status_means():
    finished = run("check", "--help")
    assert finished.status == 0
    said = " ".join(finished.out.split())
    assert "FILE.py is executed" in said
    assert "2 if the file or a claim could not be run" in said
    assert "check" in run("--help").out
