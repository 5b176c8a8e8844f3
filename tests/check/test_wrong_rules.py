"""A wrong derivative rule of the library is caught by the numeric gradient, with and without one by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.primitives import Primitive

W = np.random.default_rng(2).normal(size=(3, 4))


def planted(rule: Callable[..., Any]) -> Primitive:
    """Return a primitive that squares, with a derivative rule of one's own."""
    return Primitive("planted square", lambda x: x * x, rule)


def entry_scaled(g, _y, x):
    gradient = 2 * g * x
    return gradient * np.where(np.arange(12).reshape(3, 4) == 6, 1.001, 1.0)


WRONG_RULES = {
    "the sign": lambda g, _y, x: -2 * g * x,
    "a thousandth": lambda g, _y, x: 2.002 * g * x,
    "a hundred-thousandth": lambda g, _y, x: 2 * (1 + 1e-5) * g * x,
    "the cotangent": lambda g, _y, x: 2 * x,
    "the two": lambda g, _y, x: g * x,
    "zero": lambda g, _y, x: 0 * g * x,
    "nan": lambda g, _y, x: np.nan * g * x,
    "inf": lambda g, _y, x: np.inf * g,
    "one entry": entry_scaled,
}


def test_a_right_rule_agrees():
    square = planted(lambda g, _y, x: 2 * g * x)
    assert tg.check_gradients(lambda w: 3 * np.sum(square(w)), W)


@pytest.mark.parametrize("mistake", WRONG_RULES)
def test_a_wrong_rule_is_caught_without_a_gradient_by_hand(mistake):
    square = planted(WRONG_RULES[mistake])
    report = tg.check_gradients(lambda w: 3 * np.sum(square(w)), W)
    (row,) = report.rows
    assert not report
    assert row.status == "differs"
    by_hand, automatic, numeric = row.values
    assert by_hand is None
    np.testing.assert_allclose(numeric, 6 * W[row.worst_index], rtol=1e-6)
    assert not np.isclose(automatic, numeric, rtol=1e-6)


@pytest.mark.parametrize("mistake", WRONG_RULES)
def test_a_wrong_rule_is_caught_beside_the_same_mistake_by_hand(mistake):
    """The two agree with each other, and only the numeric gradient knows better."""
    rule = WRONG_RULES[mistake]
    square = planted(rule)
    report = tg.check_gradients(
        lambda w: 3 * np.sum(square(w)), W, analytic=lambda w: rule(np.full(W.shape, 3.0), w**2, w)
    )
    assert not report


def test_a_right_gradient_by_hand_stands_beside_the_numeric_one_against_a_wrong_rule():
    square = planted(lambda g, _y, x: -2 * g * x)
    (row,) = tg.check_gradients(lambda w: np.sum(square(w)), W, analytic=lambda w: 2 * w).rows
    by_hand, automatic, numeric = row.values
    np.testing.assert_allclose([by_hand, -automatic, numeric], 2 * W[row.worst_index], rtol=1e-8)


def test_the_entry_where_a_rule_is_wrong_is_named():
    square = planted(entry_scaled)
    (row,) = tg.check_gradients(lambda w: np.sum(square(w)), W, analytic=lambda w: 2 * w).rows
    assert row.worst_index == (1, 2)
    (row,) = tg.check_gradients(lambda w: np.sum(square(w)), W).rows
    assert row.worst_index == (1, 2)


def test_a_graph_cut_by_item_is_caught():
    assert not tg.check_gradients(lambda w: np.sum(w * w).item(), W)


def test_without_a_gradient_by_hand_the_automatic_is_held_against_the_numeric_one():
    (row,) = tg.check_gradients(lambda w: np.sum(np.exp(w)), W).rows
    assert row.agrees
    assert row.max_abs_error is None
    assert row.max_rel_error is None
    assert 0 < row.numeric_abs_error < 1e-7


def test_every_element_finds_what_a_sample_can_miss():
    def one_wrong(g, _y, x):
        return 2 * g * x * np.where(np.arange(10_000) == 6_000, 1.1, 1.0)

    square = planted(one_wrong)
    w = np.linspace(1, 2, 10_000)
    (row,) = tg.check_gradients(lambda w: np.sum(square(w)), w, every_element=True).rows
    assert (row.status, row.worst_index, row.entries_checked) == ("differs", (6_000,), 10_000)
