"""What is neither right nor wrong: nothing tested, a kink, a mistake too small to be seen, a function that is none."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.errors import ArgumentError

RNG = np.random.default_rng(0)


def only_row(*args, **options):
    (row,) = tg.check_gradients(*args, **options).rows
    return row


# ----- Vacuous -----

X = np.concatenate([np.ones((5, 1)), RNG.uniform(size=(5, 400))], axis=1)
T = np.eye(3)[[0, 1, 2, 0, 1]]


def saturated(w1, w2):
    """Document 000's check as it was made: weights in [0, 1) saturate every unit."""
    z = np.concatenate([np.ones((5, 1)), np.tanh(X @ w1.T)], axis=1)
    return -tg.softmax_cross_entropy(z @ w2.T, T, reduction="sum") - 0.005 * (np.sum(w1**2) + np.sum(w2**2))


def by_hand(w1, w2, sign=1):
    h = np.tanh(X @ w1.T)
    z = np.concatenate([np.ones((5, 1)), h], axis=1)
    delta = T - tg.softmax(z @ w2.T)
    return sign * (delta @ w2[:, 1:] * (1 - h * h)).T @ X - 0.01 * w1, delta.T @ z - 0.01 * w2


@pytest.mark.parametrize("sign", [1, -1])
def test_gradients_through_saturated_units_are_vacuous_whatever_was_derived(sign):
    w1, w2 = RNG.uniform(size=(8, 401)), RNG.uniform(size=(3, 9))
    report = tg.check_gradients(saturated, w1, w2, analytic=lambda *w: by_hand(*w, sign=sign))
    assert [row.status for row in report.rows] == ["vacuous", "agrees"]
    assert not report
    assert "no unit is saturated" in report.rows[0].note


def test_the_same_with_smaller_weights_is_tested():
    w1, w2 = RNG.uniform(size=(8, 401)) / 400, RNG.uniform(size=(3, 9))
    assert tg.check_gradients(saturated, w1, w2, analytic=by_hand)
    report = tg.check_gradients(saturated, w1, w2, analytic=lambda *w: by_hand(*w, sign=-1))
    assert [row.status for row in report.rows] == ["differs", "agrees"]


def test_an_output_layer_of_zeros_leaves_the_first_layer_untested():
    w1, w2 = RNG.normal(size=(8, 401)) / 20, np.zeros((3, 9))
    assert [row.status for row in tg.check_gradients(saturated, w1, w2).rows] == ["vacuous", "agrees"]


def test_a_parameter_that_the_function_does_not_use_agrees_with_zeros():
    report = tg.check_gradients(
        lambda a, b: np.sum(a * a), np.ones(2), np.ones(3), analytic=lambda a, b: (2 * a, 0 * b)
    )
    assert report


# ----- Kinks -----


@pytest.mark.parametrize("at_zero", [0.0, 0.5, 1.0])
def test_any_slope_between_those_on_either_side_of_a_kink_will_do(at_zero):
    def derived(w):
        return np.where(w == 0, at_zero, w > 0)

    row = only_row(lambda w: np.sum(tg.relu(w)), np.array([0.0, 1.0, -1.0]), analytic=derived)
    assert (row.status, row.agrees) == ("kink", True)
    assert "1 of 3 entries lie on a kink" in row.note
    assert "at [0] 0 and 1" in row.note


@pytest.mark.parametrize("at_zero", [-0.1, 1.1, 5.0, np.nan])
def test_a_slope_that_is_on_neither_side_of_a_kink_differs(at_zero):
    def derived(w):
        return np.where(w == 0, at_zero, w > 0)

    row = only_row(lambda w: np.sum(tg.relu(w)), np.array([0.0, 1.0, -1.0]), analytic=derived)
    assert (row.status, row.worst_index) == ("differs", (0,))


def test_a_mistake_beside_a_kink_is_still_a_mistake():
    row = only_row(lambda w: np.sum(tg.relu(w)), np.array([0.0, 1.0, -1.0]), analytic=lambda w: 2.0 * (w > 0))
    assert (row.status, row.worst_index) == ("differs", (1,))


KINKED = {
    "abs": (np.abs, np.sign, 0.0),
    "maximum": (lambda w: np.maximum(w, 0.3), lambda w: (w > 0.3) * 1.0, 0.3),
    "clip": (lambda w: np.clip(w, -0.5, 0.5), lambda w: (np.abs(w) < 0.5) * 1.0, -0.5),
    "where": (lambda w: np.where(w > 0.2, 3 * w - 0.4, w), lambda w: np.where(w > 0.2, 3.0, 1.0), 0.2),
    "a condition made a number": (lambda w: (w > 0.2) * (w - 0.2), lambda w: (w > 0.2) * 1.0, 0.2),
}


@pytest.mark.parametrize("name", KINKED)
def test_kinks_are_seen_wherever_they_come_from(name):
    function, derivative, kink = KINKED[name]
    w = np.array([0.1, kink, -0.7, 0.9])
    row = only_row(
        lambda w: np.sum(function(w) * [1.0, 2.0, 3.0, 4.0]), w, analytic=lambda w: derivative(w) * [1, 2, 3, 4]
    )
    assert row.status == "kink"
    assert "[1]" in row.note


def test_a_tie_for_the_largest_is_a_kink_of_all_that_tie():
    w = np.array([1.0, 3.0, 3.0])
    row = only_row(np.max, w, analytic=lambda w: np.array([0.0, 1.0, 0.0]))
    assert row.status == "kink"
    assert "2 of 3 entries" in row.note


@pytest.mark.parametrize("distance", [1e-3, 1e-6, 1e-7])
def test_close_to_a_kink_the_steps_become_smaller(distance):
    w = np.array([distance, -distance, 1.0])
    assert only_row(
        lambda w: np.sum(tg.relu(w) ** 2 + tg.relu(w)), w, analytic=lambda w: (w > 0) * (2 * w + 1)
    ).status == ("agrees")


def test_kinks_among_many_entries_are_found_along_directions_and_narrowed_down():
    x = RNG.normal(size=(20, 300))
    w = RNG.normal(size=(300, 4))
    w[:, 2] = 0.0  # a unit that is exactly at the kink of relu for every row

    def f(w):
        return np.sum(tg.relu(x @ w) ** 1.0 * [1.0, -2.0, 3.0, 0.5])

    def derived(w):
        return x.T @ ((x @ w > 0) * [1.0, -2.0, 3.0, 0.5])

    assert only_row(f, w, analytic=derived).status == "kink"
    assert only_row(f, w, analytic=lambda w: 1.001 * derived(w)).status == "differs"


def test_a_dead_unit_of_a_network_is_no_mistake():
    net = nn.MLP([4, 6, 3], activation="relu", rng=0)  # biases of zero
    x = RNG.normal(size=(5, 4))
    x[2] = 0.0  # and a row of zeros: every unit is at its kink there
    report = tg.check_gradients(lambda net: nn.CrossEntropy()(net, x, [0, 1, 2, 0, 1]), net, every_element=True)
    assert report
    assert report.rows[1].status == "kink"


# ----- Undetectable -----


def penalised(l2):
    return lambda w: tg.softmax_cross_entropy(X @ w.T, T) + l2 / 2 * np.sum(w * w)


def without_penalty(w):
    return (tg.softmax(X @ w.T) - T).T @ X / 5


W = RNG.normal(size=(3, 401)) / 20


@pytest.mark.parametrize("l2", [1e-2, 1e-6, 1e-9, 1e-12])
def test_a_forgotten_regulariser_shows_however_small(l2):
    row = only_row(penalised(l2), W, analytic=without_penalty)
    assert row.status == "differs"
    assert row.diagnosis[0].slug == "regulariser-missing"


def test_down_to_a_trillionth_of_the_gradient():
    size = np.abs(without_penalty(W)).max() / np.abs(W).max()
    assert only_row(penalised(1e-12 * size), W, analytic=without_penalty).status == "differs"


def test_a_regulariser_below_the_rounding_cannot_be_told_and_that_is_said():
    row = only_row(penalised(1e-17), W, analytic=without_penalty)
    assert (row.status, row.agrees) == ("undetectable", False)
    assert f"{row.budget:.1e}" in row.note


def test_a_derivation_in_float32_hides_more():
    def in_float32(w):
        return without_penalty(w).astype(np.float32)

    row = only_row(penalised(1e-9), W, analytic=in_float32)
    assert row.status == "undetectable"
    assert row.budget > 1e-8
    assert only_row(penalised(1e-2), W, analytic=in_float32).diagnosis[0].slug == "regulariser-missing"


# ----- Functions that are none -----


def test_a_function_that_draws_random_numbers_is_told_so_and_not_called_wrong():
    rng = np.random.default_rng(0)
    with pytest.raises(ArgumentError, match="for the same arguments; fix its seed"):
        tg.check_gradients(lambda w: np.sum(w * (rng.random(3) > 0.5)), np.ones(3), analytic=lambda w: w)


def test_a_function_of_several_values_that_draws_random_numbers_is_told_so():
    rng = np.random.default_rng(0)
    with pytest.raises(ArgumentError, match="gave other values and then other values"):
        tg.check_gradients(lambda w: w * rng.random(3), np.ones(3), vjp=lambda g, w: g)


def test_what_stop_gradient_holds_is_held_by_numeric_derivatives_too():
    w = np.array([1.0, 2.0])
    assert tg.check_gradients(lambda w: np.sum(w * tg.stop_gradient(w)), w, analytic=lambda w: w)
    assert not tg.check_gradients(lambda w: np.sum(w * tg.stop_gradient(w)), w, analytic=lambda w: 2 * w)
