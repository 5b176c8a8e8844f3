"""Each mistake that a derivation by hand is known for is caught, in the parameters it touches and in no other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.check.regression import EXAMPLES, LAMBDA, NAMES, T, X, by_hand, gradients, loss, parameters

Gradients = dict[str, np.ndarray]


def deltas(w1, b1, w2, b2):
    z = np.tanh(X @ w1.T + b1)
    delta2 = (z @ w2.T + b2 - T) / EXAMPLES
    return z, delta2


def wrong_sign(*values) -> Gradients:
    return {"w1": -gradients(*values)["w1"]}


def a_thousandth_too_large(*values) -> Gradients:
    return {"b2": 1.001 * gradients(*values)["b2"]}


def summed_instead_of_averaged(w1, b1, w2, b2) -> Gradients:
    z, delta2 = deltas(w1, b1, w2, b2)
    delta1 = delta2 @ w2 * (1 - z**2)
    return {
        "w1": EXAMPLES * delta1.T @ X + LAMBDA * w1,
        "b1": EXAMPLES * delta1.sum(axis=0),
        "w2": EXAMPLES * delta2.T @ z + LAMBDA * w2,
        "b2": EXAMPLES * delta2.sum(axis=0),
    }


def square_weight_transposed_on_the_way_back(w1, b1, w2, b2) -> Gradients:
    z, delta2 = deltas(w1, b1, w2, b2)
    delta1 = delta2 @ w2.T * (1 - z**2)
    return {"w1": delta1.T @ X + LAMBDA * w1, "b1": delta1.sum(axis=0)}


def gradient_of_a_square_weight_transposed(*values) -> Gradients:
    return {"w2": gradients(*values)["w2"].T}


def regulariser_forgotten(w1, b1, w2, b2) -> Gradients:
    return {"w1": gradients(w1, b1, w2, b2)["w1"] - LAMBDA * w1}


def bias_regularised(w1, b1, w2, b2) -> Gradients:
    return {"b1": gradients(w1, b1, w2, b2)["b1"] + LAMBDA * b1}


def derivative_of_the_activation_missing(w1, b1, w2, b2) -> Gradients:
    _, delta2 = deltas(w1, b1, w2, b2)
    delta1 = delta2 @ w2
    return {"w1": delta1.T @ X + LAMBDA * w1, "b1": delta1.sum(axis=0)}


def derivative_taken_of_the_output_of_the_activation(w1, b1, w2, b2) -> Gradients:
    z, delta2 = deltas(w1, b1, w2, b2)
    delta1 = delta2 @ w2 * (1 - np.tanh(z) ** 2)
    return {"w1": delta1.T @ X + LAMBDA * w1, "b1": delta1.sum(axis=0)}


def bias_summed_over_the_wrong_axis(*values) -> Gradients:
    return {"b2": deltas(*values)[1].sum(axis=1)}


def factor_two_of_the_square_left_in(*values) -> Gradients:
    return {"b2": 2 * gradients(*values)["b2"]}


def biases_swapped(*values) -> Gradients:
    right = gradients(*values)
    return {"b1": right["b2"], "b2": right["b1"]}


def zero(*values) -> Gradients:
    return {"w2": np.zeros((4, 4))}


def one_entry(parameter: str, value: float) -> Callable[..., Gradients]:
    def wrong(*values) -> Gradients:
        gradient = gradients(*values)[parameter]
        gradient[2] = value
        return {parameter: gradient}

    wrong.__name__ = f"one row of {parameter} is {value}"
    return wrong


FAULTS = [
    wrong_sign,
    a_thousandth_too_large,
    summed_instead_of_averaged,
    square_weight_transposed_on_the_way_back,
    gradient_of_a_square_weight_transposed,
    regulariser_forgotten,
    bias_regularised,
    derivative_of_the_activation_missing,
    derivative_taken_of_the_output_of_the_activation,
    bias_summed_over_the_wrong_axis,
    factor_two_of_the_square_left_in,
    biases_swapped,
    zero,
    one_entry("b1", np.nan),
    one_entry("w2", np.nan),
    one_entry("b1", np.inf),
    one_entry("w1", -np.inf),
]


def test_the_right_derivation_agrees_in_every_row():
    report = tg.check_gradients(loss, *parameters(), analytic=by_hand)
    assert report
    assert [(row.name, row.status) for row in report.rows] == [(name, "agrees") for name in NAMES]
    assert max(row.max_rel_error for row in report.rows) < 1e-12


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__.replace("_", " "))
def test_a_mistake_is_caught_in_the_rows_it_touches_and_in_no_other(fault):
    touched = set(fault(*parameters()))
    report = tg.check_gradients(
        loss, *parameters(), analytic=lambda *values: tuple((gradients(*values) | fault(*values)).values())
    )
    assert not report
    assert {row.name for row in report.rows if row.status == "differs"} == touched
    assert {row.name for row in report.rows if row.agrees} == set(NAMES) - touched
    for name in NAMES:
        assert (f"{name} differs most at [" in str(report)) == (name in touched)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__.replace("_", " "))
def test_the_values_named_are_those_at_the_worst_entry(fault):
    wrong = fault(*parameters())
    right = gradients(*parameters())
    report = tg.check_gradients(loss, *parameters(), analytic=lambda *values: tuple((right | wrong).values()))
    for row in report.rows:
        by_hand, automatic, numeric = row.values
        np.testing.assert_allclose(automatic, right[row.name][row.worst_index], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(numeric, automatic, atol=1e-8)
        if row.name in wrong:
            assert by_hand == wrong[row.name][row.worst_index] or np.isnan(by_hand)
            distance = np.abs(wrong[row.name] - right[row.name])
            assert np.isnan(distance).any() or distance[row.worst_index] == distance.max()
            np.testing.assert_allclose(row.max_abs_error, distance.max(), rtol=1e-9)
