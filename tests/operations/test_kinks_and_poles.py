"""The table of contract 6, entry by entry, and cotangents of zero at the poles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.operations.test_extreme_values import INF, slope

ZERO_AT_ZERO = {
    "relu": tg.relu,
    "absolute": np.abs,
    "sign": np.sign,
    "maximum with 0": lambda x: np.maximum(x, 0),
    "0 with maximum": lambda x: np.maximum(0, x),
    "maximum with a constant Tensor": lambda x: np.maximum(x, tg.Tensor(0.0)),
    "minimum with 0": lambda x: np.minimum(x, 0),
    "0 with minimum": lambda x: np.minimum(0.0, x),
    "clip at its lower bound": lambda x: np.clip(x, 0, 1),
    "clip at its upper bound": lambda x: np.clip(x, -1, 0),
    "clip between two equal bounds": lambda x: np.clip(x, 0, 0),
    "x to the 0": lambda x: x**0,
    "x to the 0.0": lambda x: x**0.0,
    "x to an array of 0": lambda x: x ** np.zeros(1),
    "x to the 2": lambda x: x**2,
    "square": np.square,
}


@pytest.mark.parametrize("name", ZERO_AT_ZERO)
def test_the_derivative_at_zero_is_zero(name: str) -> None:
    assert np.array_equal(slope(ZERO_AT_ZERO[name], [0.0]), [0.0])
    assert np.array_equal(slope(ZERO_AT_ZERO[name], [-0.0]), [0.0])
    f = ZERO_AT_ZERO[name]
    assert np.array_equal(tg.grad(lambda x: np.sum(f(x)))(np.array([0.0])), [0.0])


def test_relu_maximum_with_zero_and_clip_agree_everywhere() -> None:
    x = np.array([-2.0, -0.0, 0.0, 1e-300, 3.0])
    for f in (tg.relu, lambda x: np.maximum(x, 0), lambda x: np.clip(x, 0, None), lambda x: tg.maximum(0.0, x)):
        assert np.array_equal(slope(f, x, cotangent=np.ones(5)), [0, 0, 0, 1, 1])


def test_maximum_and_minimum_of_two_differentiable_operands_share_a_tie() -> None:
    for f in (np.maximum, np.minimum, tg.maximum, tg.minimum):
        a, b = tg.Tensor([1.0, 2.0], requires_grad=True), tg.Tensor([1.0, 2.0], requires_grad=True)
        f(a, b).backward([3.0, 5.0])
        assert np.array_equal(a.grad, [1.5, 2.5])
        assert np.array_equal(b.grad, [1.5, 2.5])


def test_maximum_of_an_operand_with_itself_has_slope_one() -> None:
    assert np.array_equal(slope(lambda x: np.maximum(x, x), [1.0, -2.0]), [1, 2])
    assert np.array_equal(slope(lambda x: np.minimum(x, x), [1.0, -2.0]), [1, 2])


def test_a_tie_with_a_constant_goes_to_the_constant_whatever_it_is_made_of() -> None:
    for constant in (1.0, 1, np.float64(1), np.array(1.0), np.ones(2), [1.0, 1.0], tg.Tensor([1.0, 1.0])):
        assert np.array_equal(slope(lambda x, c=constant: np.maximum(x, c), [1.0, 2.0]), [0, 2])
        assert np.array_equal(slope(lambda x, c=constant: np.minimum(c, x), [1.0, 0.0]), [0, 2])


@pytest.mark.parametrize("f", [np.max, np.min], ids=["max", "min"])
def test_ties_of_the_reductions_share_equally(f: Callable[..., Any]) -> None:
    assert np.array_equal(slope(f, [2.0, 2.0, 2.0, 2.0]), [0.25] * 4)
    rows = np.array([[1.0, 1.0], [2.0, 2.0]])
    assert np.array_equal(slope(lambda x: f(x, axis=1), rows), [[0.5, 0.5], [1, 1]])
    assert np.array_equal(slope(lambda x: f(x, axis=(0, 1), keepdims=True), np.zeros((2, 2))), np.full((2, 2), 0.25))


def test_ties_at_infinity_share_equally() -> None:
    assert np.array_equal(slope(np.max, [INF, 0.0, INF]), [0.5, 0, 0.5])
    assert np.array_equal(slope(np.max, [-INF, -INF]), [0.5, 0.5])


def test_the_slope_of_sqrt_at_zero_is_infinite_and_zero_for_a_cotangent_of_zero() -> None:
    assert np.array_equal(slope(np.sqrt, [0.0, 0.0, 4.0], cotangent=[1, 0, 1]), [INF, 0, 0.25])
    assert slope(np.sqrt, 0.0, cotangent=1) == INF
    assert slope(np.sqrt, 0.0, cotangent=0) == 0


POLES = {
    "log": (np.log, [0.0, 1.0], [-INF, 0.0]),
    "log1p": (np.log1p, [-1.0, 0.0], [-INF, 0.0]),
    "sqrt": (np.sqrt, [0.0, 1.0], [0.0, 1.0]),
    "reciprocal": (lambda x: 1 / x, [0.0, 1.0], [INF, 1.0]),
    "power -1": (lambda x: x**-1, [0.0, 1.0], [INF, 1.0]),
    "power 0.5": (lambda x: x**0.5, [0.0, 1.0], [0.0, 1.0]),
    "power of an array": (lambda x: x ** np.array([0.5, 0.5]), [0.0, 1.0], [0.0, 1.0]),
}


@pytest.mark.parametrize("name", POLES)
def test_a_one_hot_cotangent_elsewhere_leaves_a_pole_at_zero(name: str) -> None:
    f, x, value = POLES[name]
    assert np.array_equal(f(tg.Tensor(x)).data, value)
    gradient = slope(f, x, cotangent=[0, 1])
    assert gradient[0] == 0
    assert np.isfinite(gradient[1])
    assert gradient[1] != 0


@pytest.mark.parametrize("name", POLES)
def test_a_cotangent_of_zero_stays_zero_at_a_pole_in_second_order(name: str) -> None:
    f, x, _ = POLES[name]
    second = tg.grad(lambda x: tg.grad(lambda x: f(x)[1])(x)[1])(np.array(x))
    assert second[0] == 0
    assert np.isfinite(second[1])


def test_division_by_a_zero_that_is_not_asked_about_has_no_slope() -> None:
    a, b = tg.Tensor([1.0, 1.0], requires_grad=True), tg.Tensor([0.0, 2.0], requires_grad=True)
    (a / b).backward([0.0, 1.0])
    assert np.array_equal(a.grad, [0, 0.5])
    assert np.array_equal(b.grad, [0, -0.25])


SELECTED = {
    "log": lambda x: np.where(x > 0, np.log(x), 0),
    "sqrt": lambda x: np.where(x > 0, np.sqrt(x), 0),
    "reciprocal": lambda x: np.where(x > 0, 1 / x, 0),
    "power": lambda x: np.where(x > 0, x**-0.5, x),
    "x log x": lambda x: np.where(x > 0, x * np.log(x), 0),
    "x times infinity": lambda x: np.where(x > 0, x * (1 / (x * x)), 0),
    "exp": lambda x: np.where(x < 5, np.exp(x * 1e4 * (x > 1)), 0),
    "product with an infinite constant": lambda x: np.where(x > 0, x * np.array([INF, INF, 1.0]), 0),
}


@pytest.mark.parametrize("name", SELECTED)
@pytest.mark.parametrize("dead", [0.0, -1.0])
def test_the_branch_that_where_does_not_choose_never_leaks_nan(name: str, dead: float) -> None:
    x = np.array([dead, dead, 0.5])
    f = SELECTED[name]
    with np.errstate(all="ignore"):  # what NumPy warns of, x ** -0.5 at -1, is not the subject
        gradient = tg.grad(lambda x: np.sum(f(x)))(x)
        second = tg.grad(lambda x: np.sum(tg.grad(lambda x: np.sum(f(x)))(x) ** 2))(x)
    assert np.isfinite(gradient).all()
    assert np.isfinite(second).all()


def test_a_negative_base_has_a_slope_for_every_whole_exponent() -> None:
    for exponent, expected in {2: -4.0, 3: 12.0, 1: 1.0, 0: 0.0, -1: -0.25}.items():
        assert slope(lambda x, p=exponent: x**p, -2.0) == expected
        assert slope(lambda x, p=exponent: x ** np.array([float(p)]), [-2.0]) == [expected]


def test_zero_to_a_differentiable_power_has_no_slope_in_the_exponent() -> None:
    x, p = tg.Tensor([0.0, 0.0], requires_grad=True), tg.Tensor([2.0, 1.0], requires_grad=True)
    (x**p).backward([1.0, 1.0])
    assert np.array_equal(p.grad, [0, 0])
    assert np.array_equal(x.grad, [0, 1])


def test_reductions_over_nothing_are_silent() -> None:
    empty = np.zeros((2, 0))
    assert np.array_equal(np.sum(tg.Tensor(empty), axis=1).data, [0, 0])
    assert np.isnan(np.mean(tg.Tensor(empty), axis=1).data).all()
    assert np.isnan(np.mean(tg.Tensor(np.zeros(0))).item())
    assert slope(lambda x: np.mean(x, axis=1), empty).shape == (2, 0)
    assert np.array_equal(tg.logsumexp(tg.Tensor(empty), axis=1).data, [-INF, -INF])
    assert slope(tg.softmax, empty).shape == (2, 0)
    assert np.isnan(tg.softmax_cross_entropy(tg.Tensor(np.zeros((0, 3))), np.zeros(0, int)).item())


def test_the_extreme_of_nothing_raises_with_the_operation_named() -> None:
    for f in (np.max, np.min):
        with pytest.raises(ValueError, match=rf"{f.__name__[1:]}\(float64\[0\]"):
            f(tg.Tensor(np.zeros(0)))
