"""The pytest plugin as its users meet it: whole sessions of pytest, looked at from outside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

BEGINNING = """
import numpy as np, pytest
from tinygrad_lite.testing import assert_gradients

w = np.array([[1.0, -2.0, 0.5], [0.25, 3.0, -1.5]])

def loss(w):
    return np.sum(w**2)

def right(w):
    return 2 * w

def wrong(w):
    return -2 * w
"""


def in_a_file(pytester: pytest.Pytester, tests: str) -> None:
    pytester.makepyfile(test_mine=BEGINNING + tests)


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)


def page(pytester: pytest.Pytester, name: str = "page.html") -> str:
    return (pytester.path / name).read_text(encoding="utf-8")


def index(html: str) -> list[tuple[str, str]]:
    """Return the title and the status of every entry of the index."""
    return re.findall(r'<li><a href="#check-\d+">(.*?)</a> .*</span> (\w+)</span></li>', html)


# ----- The fixture -----


def test_the_fixture_fails_the_test_at_once_with_the_line_and_the_table_and_nothing_of_ours(
    pytester: pytest.Pytester,
) -> None:
    in_a_file(
        pytester,
        """
def test_it(check_gradients):
    check_gradients(loss, w, analytic=wrong, names=["weight"])
    raise KeyError("too late")
""",
    )
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>       check_gradients(loss, w, analytic=wrong, names=["weight"])',
            "E       tinygrad_lite.errors.GradientMismatchError: weight (sign)",
            "E       parameter *entries *by hand*automatic *",
            "E       * largest *relative *largest *",
            "E       weight  * 6 * differs",
            "E       weight differs most at*by hand*automatic*numeric*",
            "E       weight: sign*",
            "E       not all gradients agree*",
            "*test_mine.py:*: GradientMismatchError",
            "FAILED test_mine.py::test_it - tinygrad_lite.errors.GradientMismatchError: we*",
        ]
    )
    shown = result.stdout.str()
    assert "too late" not in shown.replace('raise KeyError("too late")', "")
    assert not re.search(r"(asserting|gradients|report|pytest_plugin.__init__)\.py:\d+", shown)


def test_the_columns_stand_under_each_other_in_what_pytest_prints(pytester: pytest.Pytester) -> None:
    in_a_file(pytester, "def test_it(): assert_gradients(loss, w, analytic=wrong)")
    lines = [line.removeprefix("E ") for line in run(pytester).outlines if line.startswith("E  ")]
    table = lines[next(i for i, line in enumerate(lines) if "entries" in line) :]
    assert table[0].index("entries") + len("entries") == table[2].index(" 6 ") + len(" 6")


def test_right_gradients_pass_and_the_fixture_gives_the_report(pytester: pytest.Pytester) -> None:
    in_a_file(
        pytester,
        """
def test_it(check_gradients):
    report = check_gradients(loss, w, analytic=right)
    assert report and report.rows[0].status == "agrees"
    assert check_gradients(np.tanh, w, vjp=lambda g, w: g * (1 - np.tanh(w) ** 2))
""",
    )
    run(pytester, "-W", "error").assert_outcomes(passed=1)


def test_the_report_of_a_wrong_gradient_can_be_had_without_failing(pytester: pytest.Pytester) -> None:
    in_a_file(
        pytester,
        """
def test_it(check_gradients):
    report = check_gradients(loss, w, analytic=wrong, raises=False)
    assert not report and report.rows[0].diagnosis[0].slug == "sign"
""",
    )
    run(pytester, "--gradients-report=page.html").assert_outcomes(passed=1)
    assert index(page(pytester)) == [("test_mine.py::test_it", "differs")]


def test_a_misspelt_option_is_refused(pytester: pytest.Pytester) -> None:
    in_a_file(pytester, "def test_it(check_gradients): check_gradients(loss, w, analytical=right)")
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *TypeError: *analytical*"])


def test_the_fixture_serves_hypothesis_and_fixtures_of_any_scope(pytester: pytest.Pytester) -> None:
    in_a_file(
        pytester,
        """
from hypothesis import given, settings, strategies

@pytest.fixture(scope="module")
def once(check_gradients):
    return check_gradients(loss, w, analytic=right)

@settings(max_examples=3, database=None, deadline=None)
@given(strategies.floats(0.5, 2.0))
def test_it(check_gradients, once, scale):
    check_gradients(loss, scale * w, analytic=right)
""",
    )
    run(pytester).assert_outcomes(passed=1)


def test_the_plugin_tells_of_itself(pytester: pytest.Pytester) -> None:
    run(pytester, "--help").stdout.fnmatch_lines(["tinygrad_lite:", "*--gradients-report=FILE.html*"])
    run(pytester, "--fixtures").stdout.fnmatch_lines(["check_gradients*", "*Check gradients as*"])


# ----- The page -----

SEVERAL = """
def test_good(check_gradients):
    check_gradients(loss, w, analytic=right)

def test_bad():
    assert_gradients(loss, w, analytic=wrong, names=["weight"])

def test_two(check_gradients):
    assert_gradients(loss, w)
    check_gradients(loss, w, analytic=right)

def test_none():
    pass
"""
WHAT_SEVERAL_MAKE = [
    ("test_mine.py::test_bad", "differs"),
    ("test_mine.py::test_good", "agrees"),
    ("test_mine.py::test_two, 1", "agrees"),
    ("test_mine.py::test_two, 2", "agrees"),
]


def test_the_page_holds_every_report_those_that_disagree_first(pytester: pytest.Pytester) -> None:
    in_a_file(pytester, SEVERAL)
    result = run(pytester, "--gradients-report=page.html")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines([f"gradient reports: 4, disagreeing: 1, in {pytester.path / 'page.html'}"])
    html = page(pytester)
    assert index(html) == WHAT_SEVERAL_MAKE
    assert html.count("<table>") == 4
    assert html.index("<strong>sign</strong>") < html.index("test_mine.py::test_good</h2>")
    assert [path.name for path in pytester.path.glob(".*.partial")] == []


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_page_is_the_same_from_the_workers_of_xdist(pytester: pytest.Pytester, workers: str) -> None:
    pytest.importorskip("xdist")
    in_a_file(pytester, SEVERAL)
    pytester.makeconftest(
        """
import pathlib, pytest

@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput") and pathlib.Path("page.html").exists():
        pathlib.Path("a worker wrote").touch()
"""
    )
    options = ("-p", "no:cacheprovider", "-n", workers, "--gradients-report=page.html")
    result = pytester.runpytest_subprocess(*options)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["E *weight: sign*"])
    assert not (pytester.path / "a worker wrote").exists()
    assert sorted(index(page(pytester))) == sorted(WHAT_SEVERAL_MAKE)
    assert index(page(pytester))[0] == WHAT_SEVERAL_MAKE[0]


def test_without_the_option_nothing_is_written_or_said(pytester: pytest.Pytester) -> None:
    in_a_file(pytester, SEVERAL)
    before = set(pytester.path.iterdir())
    result = run(pytester)
    assert "gradient reports" not in result.stdout.str()
    assert {path for path in set(pytester.path.iterdir()) - before if path.name != "__pycache__"} == set()


def test_reports_are_those_of_tests_also_of_their_fixtures_and_of_unittest(pytester: pytest.Pytester) -> None:
    in_a_file(
        pytester,
        """
import unittest
assert_gradients(loss, w)  # while the tests are collected: no test of its own

@pytest.fixture
def checked():
    assert_gradients(loss, w)
    yield
    assert_gradients(loss, w)

def test_between(checked):
    pass

class Classic(unittest.TestCase):
    def test_it(self):
        assert_gradients(loss, w)
""",
    )
    run(pytester, "--gradients-report=page.html").assert_outcomes(passed=2)
    assert [title for title, _ in index(page(pytester))] == ["test_mine.py::test_between"] * 2 + [
        "test_mine.py::Classic::test_it"
    ]


def test_a_session_without_gradient_checks_writes_a_page_that_says_so(pytester: pytest.Pytester) -> None:
    in_a_file(pytester, "def test_it(): pass")
    run(pytester, "--gradients-report=page.html").assert_outcomes(passed=1)
    assert "No gradients were checked." in page(pytester)


def test_a_name_of_a_test_or_a_parameter_cannot_put_anything_on_the_page(pytester: pytest.Pytester) -> None:
    in_a_file(
        pytester,
        """
HOSTILE = '</script></h2><img src=x onerror=alert(1)>"&'

@pytest.mark.parametrize("name", [HOSTILE], ids=[HOSTILE])
def test_it(name):
    assert_gradients(loss, w, analytic=wrong, names=[name])
""",
    )
    run(pytester, "--gradients-report=page.html").assert_outcomes(failed=1)
    html = page(pytester)
    assert "<img" not in html
    assert html.count("&lt;/script&gt;&lt;/h2&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&amp;") >= 4


def test_a_name_that_utf8_cannot_write_is_written_as_python_would(pytester: pytest.Pytester) -> None:
    in_a_file(
        pytester,
        r"""
def test_it(): assert_gradients(loss, w, names=["odd \ud800 name"])
""",
    )
    run(pytester, "--gradients-report=page.html").assert_outcomes(passed=1)
    assert r"<code>odd \ud800 name</code>" in page(pytester)


def test_the_page_goes_where_the_session_began_even_if_a_test_goes_elsewhere(pytester: pytest.Pytester) -> None:
    (pytester.path / "elsewhere").mkdir()
    in_a_file(
        pytester,
        """
import os
def test_it(): os.chdir("elsewhere")
""",
    )
    run(pytester, "--gradients-report=page.html").assert_outcomes(passed=1)
    assert page(pytester)


def test_collecting_alone_leaves_an_earlier_page_as_it_is(pytester: pytest.Pytester) -> None:
    in_a_file(pytester, SEVERAL)
    (pytester.path / "page.html").write_text("earlier")
    run(pytester, "--collect-only", "--gradients-report=page.html")
    assert page(pytester) == "earlier"


@pytest.mark.parametrize(("path", "reason"), [("absent/page.html", "there is no folder *absent"), (".", "is a folder")])
def test_a_page_that_cannot_be_written_is_refused_before_any_test_runs(
    pytester: pytest.Pytester, path: str, reason: str
) -> None:
    in_a_file(pytester, SEVERAL)
    result = run(pytester, f"--gradients-report={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --gradients-report={path}: {reason}"])
    assert "passed" not in result.stdout.str()


def test_a_session_whose_page_could_not_be_written_in_the_end_has_failed(pytester: pytest.Pytester) -> None:
    folder = pytester.path / "pages"
    folder.mkdir()
    in_a_file(pytester, f"def test_it(): __import__('os').rmdir({str(folder)!r})")
    result = run(pytester, "--gradients-report=pages/page.html")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["gradient reports could not be written: *pages*"])


# ----- Costs -----


def test_a_session_without_gradient_checks_loads_neither_the_package_nor_numpy(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
def test_it():
    import sys
    assert "tinygrad_lite_pytest" in sys.modules  # the plugin is there
    assert not {"tinygrad_lite", "numpy"} & set(sys.modules)
"""
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_the_plugin_can_be_switched_off(pytester: pytest.Pytester) -> None:
    in_a_file(pytester, "def test_it(check_gradients): pass")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:tinygrad_lite")
    result.stdout.fnmatch_lines(["*fixture 'check_gradients' not found*"])


def test_the_installed_plugin_is_the_one_beside_the_room_it_enters() -> None:
    import tinygrad_lite_pytest

    import tinygrad_lite.pytest_plugin as room

    assert tinygrad_lite_pytest.__file__
    assert Path(tinygrad_lite_pytest.__file__).parent.name == "tinygrad_lite_pytest"
    assert room.check_gradients.__module__ == "tinygrad_lite.pytest_plugin"
