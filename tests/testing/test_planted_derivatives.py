"""Derivatives that are wrong: each is caught, and said to be what it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.testing.planting import A, B, X, caught, planted, product, softmax, square
from tinygrad_lite.primitives import Primitive
from tinygrad_lite.testing import check_primitive


@pytest.mark.parametrize("factor", [1.001, 0.999, -1, 2, 0.5, 1 + 1e-6])
def test_a_scaled_rule_is_caught_with_the_place_and_both_values(factor: float) -> None:
    told = caught(planted(square, lambda g, _y, x: factor * 2 * g * x), X)
    assert "planted does not conform" in told
    assert "as given, first derivative: the derivative by operand 0" in told
    assert "at [" in told
    assert "instead of" in told


def test_a_rule_that_forgets_the_cotangent_is_caught() -> None:
    assert "first derivative" in caught(planted(square, lambda _g, _y, x: 2 * x), X)


@pytest.mark.parametrize(
    "rule",
    [lambda g, _y, _a, b: g @ b, lambda g, _y, _a, b: b @ g.T, lambda g, _y, _a, b: (g @ b.T).T],
    ids=["operand not transposed", "order swapped", "result transposed"],
)
def test_a_transposed_matrix_product_is_caught(rule: Callable[..., Any]) -> None:
    told = caught(planted(product, rule, lambda g, _y, a, _b: a.T @ g), A, B)
    assert "first derivative: the derivative by operand 0" in told
    assert "the derivative by operand 1" not in told


def test_a_softmax_whose_gradient_is_always_zero_is_caught() -> None:
    assert "first derivative" in caught(planted(softmax, lambda g, *_: np.zeros_like(g)), X)


def test_a_softmax_with_the_diagonal_of_its_jacobian_alone_is_caught() -> None:
    assert "first derivative" in caught(planted(softmax, lambda g, y, _x: g * y * (1 - y)), X)


def test_a_gradient_of_nan_is_caught() -> None:
    assert "nan instead of" in caught(planted(square, lambda g, _y, x: np.nan * g * x), X)


def test_a_rule_whose_derivative_alone_is_wrong_is_caught_in_second_order() -> None:
    """The operand is taken out of the graph, so that the second derivative is zero."""
    told = caught(planted(square, lambda g, _y, x: 2 * g * tg.stop_gradient(x)), X)
    assert "as given, second derivative" in told
    assert "first derivative:" not in told


def test_a_rule_that_cannot_be_recorded_is_caught_in_second_order() -> None:
    told = caught(planted(square, lambda g, _y, x: g * np.interp(x, [0, 9], [0, 18])), X)
    assert "second derivative: UnsupportedError: np.interp does not record" in told


def test_a_rule_that_is_not_linear_in_its_cotangent_is_caught() -> None:
    told = caught(planted(square, lambda g, _y, x: 2 * np.abs(g) * x), X)
    assert "both products" in told


def test_what_is_caught_is_named_with_everything_needed_to_find_it() -> None:
    told = caught(planted(square, lambda g, _y, x: 2.002 * g * x), X)
    number = r"-?\d+\.\d+"
    assert re.search(
        r"planted does not conform:\n"
        rf"  as given, first derivative: the derivative by operand 0, from backward\(\) instead of differences, "
        rf"at \[\d, \d\]: {number} instead of {number}\n",
        told,
    )


def test_a_fault_in_small_values_is_caught() -> None:
    def small(factor: float) -> Primitive:
        return planted(lambda x: 1e-6 * x * x, lambda g, _y, x: factor * 2e-6 * g * x)

    assert check_primitive(small(1), X)
    for factor in (0, 1.001):
        assert "first derivative" in caught(small(factor), X)


def test_a_fault_in_one_entry_of_a_large_operand_is_caught() -> None:
    def rule(g: Any, _y: Any, x: Any) -> Any:
        weights = np.full(x.shape, 2.0)
        weights[17, 3] = 3.0
        return weights * g * x

    large = np.random.default_rng(1).uniform(0.5, 1.5, size=(30, 30))
    assert check_primitive(planted(square, lambda g, _y, x: 2 * g * x), large)
    assert "derivative along a direction" in caught(planted(square, rule), large)


def test_operands_near_zero_are_moved_by_less() -> None:
    log = planted(np.log, lambda g, _y, x: g / x, poles=True)
    assert check_primitive(log, 1e-5 * X)
    assert "first derivative" in caught(planted(np.log, lambda g, _y, x: 1.001 * g / x, poles=True), 1e-5 * X)
