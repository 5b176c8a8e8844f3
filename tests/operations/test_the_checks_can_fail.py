"""Planted faults: each check is shown to catch what it is for, with the very functions the tests use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.operations.derivative_checks import check_first_derivative, check_ownership, check_second_derivative
from tinygrad_lite.errors import DefinitionError
from tinygrad_lite.primitives import Primitive

RNG = np.random.default_rng(0)
X, A, B = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3))


def square(x: Any) -> Any:
    return x * x


def product(a: Any, b: Any) -> Any:
    return a @ b


def softmax(x: Any) -> Any:
    shares = np.exp(x)
    return shares / shares.sum(axis=-1, keepdims=True)


def planted(forward: Callable[..., Any], *rules: Any) -> Primitive:
    return Primitive("planted fault", forward, *rules)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_a_right_rule_passes_every_check() -> None:
    right = planted(square, lambda g, _y, x: 2 * g * x)
    check_first_derivative(right, [X], [0], rng())
    check_second_derivative(right, [X], [0], rng())
    check_ownership(right, [X], [0], rng())


@pytest.mark.parametrize("factor", [1.001, 0.999, -1, 2, 0.5, 1 + 1e-6])
def test_a_scaled_rule_is_caught(factor: float) -> None:
    wrong = planted(square, lambda g, _y, x: factor * 2 * g * x)
    with pytest.raises(AssertionError, match="relative error"):
        check_first_derivative(wrong, [X], [0], rng())


def test_a_rule_that_forgets_the_cotangent_is_caught() -> None:
    wrong = planted(square, lambda _g, _y, x: 2 * x)
    with pytest.raises(AssertionError, match="relative error"):
        check_first_derivative(wrong, [X], [0], rng())


@pytest.mark.parametrize(
    "rule",
    [lambda g, _y, _a, b: g @ b, lambda g, _y, _a, b: b @ g.T, lambda g, _y, _a, b: (g @ b.T).T],
    ids=["operand not transposed", "order swapped", "result transposed"],
)
def test_a_transposed_matrix_product_is_caught(rule: Callable[..., Any]) -> None:
    wrong = planted(product, rule, lambda g, _y, a, _b: a.T @ g)
    with pytest.raises(AssertionError, match="operand 0"):
        check_first_derivative(wrong, [A, B], [0, 1], rng())


def test_a_wrong_rule_of_the_second_operand_alone_is_caught() -> None:
    wrong = planted(product, lambda g, _y, _a, b: g @ b.T, lambda g, _y, a, _b: a @ g)
    check_first_derivative(wrong, [A, B], [0], rng())
    with pytest.raises(AssertionError, match="operand 1"):
        check_first_derivative(wrong, [A, B], [0, 1], rng())


def test_a_softmax_whose_gradient_is_always_zero_is_caught() -> None:
    wrong = planted(softmax, lambda g, *_: np.zeros_like(g))
    with pytest.raises(AssertionError, match="relative error"):
        check_first_derivative(wrong, [X], [0], rng())


def test_a_softmax_with_the_diagonal_of_its_jacobian_alone_is_caught() -> None:
    wrong = planted(softmax, lambda g, y, _x: g * y * (1 - y))
    with pytest.raises(AssertionError, match="relative error"):
        check_first_derivative(wrong, [X], [0], rng())


def test_a_rule_whose_value_is_right_but_whose_derivative_is_wrong_is_caught_in_second_order() -> None:
    """The operand is taken out of the graph, so that the second derivative is zero."""
    frozen = planted(lambda x: x * 1.0, lambda g, *_: np.zeros_like(g))
    wrong = planted(square, lambda g, _y, x: 2 * g * frozen(x))
    check_first_derivative(wrong, [X], [0], rng())
    with pytest.raises(AssertionError, match="second derivative"):
        check_second_derivative(wrong, [X], [0], rng())


def test_a_missing_rule_is_caught() -> None:
    wrong = planted(product, lambda g, _y, _a, b: g @ b.T, None)
    with pytest.raises(AssertionError, match="no gradient arrived at operand 1"):
        check_first_derivative(wrong, [A, B], [0, 1], rng())


def test_a_gradient_that_is_the_operand_itself_is_caught() -> None:
    """Contract 2 forbids a rule to return an operand, which the engine then takes for its own."""
    wrong = planted(square, lambda _g, _y, x: x)
    with pytest.raises(AssertionError, match=r"shares memory|view"):
        check_ownership(wrong, [X], [0], rng())


def test_a_gradient_of_a_wrong_shape_is_caught() -> None:
    wrong = planted(product, lambda g, _y, _a, b: (g @ b.T)[:, :2], lambda g, _y, a, _b: a.T @ g)
    with pytest.raises(DefinitionError, match=r"\(3, 2\) for an operand of shape \(3, 3\)"):
        check_first_derivative(wrong, [A, B], [0, 1], rng())


def test_a_gradient_of_nan_is_caught() -> None:
    wrong = planted(square, lambda g, _y, x: np.full_like(2 * g * x, np.nan))
    with pytest.raises(AssertionError, match="inf"):
        check_first_derivative(wrong, [X], [0], rng())
