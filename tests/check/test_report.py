import re

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.check.regression import NAMES, by_hand, loss, parameters
from tinygrad_lite.check import GradientReport, Row
from tinygrad_lite.errors import GradientMismatchError, TinygradLiteError


def report_with_wrong(*wrong):
    def analytic(*values):
        return tuple(-g if name in wrong else g for name, g in zip(NAMES, by_hand(*values), strict=True))

    return tg.check_gradients(loss, *parameters(), analytic=analytic)


def lines_that_begin_with(name, report):
    return [line for line in str(report).splitlines() if line.startswith(f"{name} ")]


def test_a_report_is_truthy_when_and_only_when_all_rows_agree():
    assert bool(report_with_wrong()) is True
    assert bool(report_with_wrong("b1")) is False
    assert bool(report_with_wrong(*NAMES)) is False


def test_a_report_prints_a_row_for_each_parameter_with_its_figures():
    report = report_with_wrong("w2")
    for name, row in zip(NAMES, report.rows, strict=True):
        line = lines_that_begin_with(name, report)[0]
        values = row.max_abs_error, row.max_rel_error, row.budget, row.numeric_abs_error, row.numeric_budget
        figures = [f"{value:.2e}" for value in values]
        assert line.split() == [name, str(row.entries), *figures, str(row.entries_checked), row.status]


def test_the_columns_of_the_table_stand_under_each_other():
    table = str(report_with_wrong("w2")).splitlines()[2:6]
    assert {len(line.removesuffix("agrees").removesuffix("differs")) for line in table} == {len(table[0]) - 6}


def test_long_names_and_large_counts_keep_the_columns_in_line():
    def f(first, second):
        return np.sum(first) + np.sum(second)

    report = tg.check_gradients(f, np.ones(2), np.ones(20_000), names=["a", "the.longest.name.of.all.parameters"])
    short, long = str(report).splitlines()[2:4]
    assert short.index(" agrees") == long.index(" agrees")
    assert "20,000" in long


def test_only_the_rows_that_differ_are_told_with_their_worst_entry_and_three_values():
    report = report_with_wrong("b1", "w2")
    told = re.findall(
        r"^(\w+) differs most at \[([\d, ]+)\]: by hand (\S+), automatic (\S+), numeric (\S+)$", str(report), re.M
    )
    assert [name for name, *_ in told] == ["b1", "w2"]
    for (_, index, *values), row in zip(told, report.rows[1:3], strict=True):
        assert tuple(map(int, index.split(","))) == row.worst_index
        np.testing.assert_allclose([float(value) for value in values], row.values, rtol=1e-8)


def test_the_last_line_is_the_verdict():
    assert str(report_with_wrong()).splitlines()[-1].startswith("all gradients agree")
    assert str(report_with_wrong("w1")).splitlines()[-1].startswith("not all gradients agree")


def test_without_a_gradient_by_hand_its_columns_hold_a_dash():
    report = tg.check_gradients(loss, *parameters())
    assert lines_that_begin_with("w1", report)[0].split()[2:5] == ["–", "–", "–"]
    assert "by hand" not in "".join(lines_that_begin_with("w1", report))


def test_a_report_says_in_one_line_where_it_differs():
    assert repr(report_with_wrong("w1", "b2")) == "<GradientReport: w1 (sign), b2 (sign)>"
    assert repr(report_with_wrong()) == "<GradientReport: all 4 gradients agree>"


def test_a_wrong_report_raises_an_assertion_error_that_holds_the_table():
    report = report_with_wrong("w1")
    with pytest.raises(GradientMismatchError) as caught:
        report.raise_if_wrong()
    assert str(caught.value) == f"w1 (sign)\n{report}"
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, TinygradLiteError)


def test_a_right_report_raises_nothing():
    assert report_with_wrong().raise_if_wrong() is None


def test_reports_and_rows_are_values_that_cannot_be_changed():
    report = report_with_wrong()
    assert isinstance(report, GradientReport)
    assert all(isinstance(row, Row) for row in report.rows)
    with pytest.raises(AttributeError):
        report.rows[0].status = "differs"
    assert report == report_with_wrong()
