"""Corners of powers, and branches that a `where` did not choose."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg

INF, NAN = math.inf, math.nan

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])

POWERS = {
    # (x, p): xᵖ, ∂/∂x, ∂/∂p
    (0.0, 0.0): (1, 0, 0),
    (0.0, 0.5): (0, INF, 0),
    (0.0, 1.0): (0, 1, 0),
    (0.0, 2.0): (0, 0, 0),
    (0.0, 3.0): (0, 0, 0),
    (0.0, -1.0): (INF, -INF, None),
    (1.0, 0.0): (1, 0, 0),
    (2.0, 0.0): (1, 0, math.log(2)),
    (2.0, -2.0): (0.25, -0.25, 0.25 * math.log(2)),
    (-2.0, 0.0): (1, 0, NAN),
    (-2.0, 1.0): (-2, 1, NAN),
    (-2.0, 2.0): (4, -4, NAN),
    (-2.0, 3.0): (-8, 12, NAN),
    (-2.0, -1.0): (-0.5, -0.25, NAN),
    (-2.0, 0.5): (NAN, NAN, NAN),
}
"""The slope by the exponent at 0 to a negative power is left open: the power jumps from ∞ to 1 to 0."""


@DTYPES
@pytest.mark.parametrize(("x", "p"), POWERS)
def test_a_power_and_its_slopes_at_a_corner(x: float, p: float, dtype: Any) -> None:
    value, by_base, by_exponent = POWERS[x, p]
    base, exponent = (tg.Tensor([v, 3.0], requires_grad=True, dtype=dtype) for v in (x, p))
    y = base**exponent
    y.backward([2.0, 0.0])
    np.testing.assert_allclose(y.data[0], value, rtol=1e-6)
    np.testing.assert_allclose(base.grad, [2 * by_base, 0], rtol=1e-6)
    if by_exponent is not None:
        np.testing.assert_allclose(exponent.grad, [2 * by_exponent, 0], rtol=1e-6)
    assert y.dtype == base.grad.dtype == exponent.grad.dtype == dtype


@pytest.mark.parametrize(("x", "p"), [corner for corner in POWERS if corner != (-2.0, 0.5)])
def test_the_slope_by_the_base_does_not_depend_on_what_the_exponent_is_made_of(x: float, p: float) -> None:
    exponents = [p, np.float64(p), np.array(p), np.array([p]), tg.Tensor(p), tg.Tensor([p], requires_grad=True)]
    if p == int(p):
        exponents.extend([int(p), np.int64(p), np.array([int(p)]), tg.Tensor(int(p))])
    for exponent in exponents:
        base = tg.Tensor([x], requires_grad=True)
        (base**exponent).backward([1.5])
        assert base.grad == 1.5 * POWERS[x, p][1], exponent


@pytest.mark.parametrize(("p", "second"), [(0, 0), (1, 0), (2, 2), (3, 0), (4, 0)])
def test_a_whole_power_has_its_second_derivative_at_zero(p: int, second: float) -> None:
    for exponent in (p, float(p), np.array(p), np.array([float(p)])):
        curvature = tg.grad(lambda x, e=exponent: np.sum(tg.grad(lambda x: np.sum(x**e))(x)))(np.array([0.0]))
        assert np.array_equal(curvature, [second])


def test_the_derivatives_of_a_whole_power_of_a_negative_base_need_no_logarithm() -> None:
    f = lambda x: x**4
    for expected in (-32, 48, -48, 24, 0):
        f = tg.grad(f)
        assert f(-2.0) == expected


# ----- Branches that were not chosen -----

OUTER: dict[str, Callable[[Any], Any]] = {
    "alone": lambda y: y,
    "tanh": np.tanh,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "square": np.square,
    "cos": np.cos,
    "absolute": np.abs,
    "power": lambda y: y**3,
    "divided": lambda y: 1 / y,
    "maximum": lambda y: np.maximum(y, 0.1),
    "clip": lambda y: np.clip(y, 0.1, 0.9),
    "logaddexp": lambda y: np.logaddexp(y, 0.0),
    "summed by rows": lambda y: np.sum(y[:, None] * np.ones((3, 2)), axis=1),
    "relu": tg.relu,
    "sigmoid": tg.sigmoid,
    "softplus": tg.softplus,
}

INNER: dict[str, Callable[[Any], Any]] = {
    "log": np.log,
    "sqrt": np.sqrt,
    "quotient": lambda x: x / np.maximum(x, 0.0),
    "infinite product": lambda x: np.log(x) * (x * np.array([INF, -INF, 1.0])),
}

BRANCHES = [pytest.param(f, id=name) for name, f in OUTER.items()]


def branch(outer: Callable[[Any], Any], inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that is x² where x ≤ 0, where its other branch is nan or infinite."""

    def f(x: Any) -> Any:
        with np.errstate(all="ignore"):  # what NumPy warns of in the branch that is not chosen is not the subject
            return np.where(x > 0, outer(inner(x)), x * x)

    return f


X, G = np.array([0.0, -1.0, 2.0]), np.array([1.5, -0.5, 2.0])


@pytest.mark.parametrize("outer", BRANCHES)
@pytest.mark.parametrize("inner", INNER)
def test_a_branch_that_was_not_chosen_adds_nothing_to_the_gradient(outer: Callable[[Any], Any], inner: str) -> None:
    f, h = branch(outer, INNER[inner]), np.array([0, 0, 1e-5])
    chosen = np.sum((f(X + h) - f(X - h)) * G) / 2e-5
    recorded = tg.Tensor(X, requires_grad=True)
    f(recorded).backward(G)
    for gradient in (recorded.grad, tg.grad(lambda x: np.sum(f(x) * G))(X)):
        assert np.array_equal(gradient[:2], [0, 1])
        np.testing.assert_allclose(gradient[2], chosen, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("outer", BRANCHES)
@pytest.mark.parametrize("inner", INNER)
def test_a_branch_that_was_not_chosen_adds_nothing_to_the_second_derivative(
    outer: Callable[[Any], Any], inner: str
) -> None:
    f, h = branch(outer, INNER[inner]), np.array([0, 0, 1e-4])
    chosen = np.sum((f(X + h) - 2 * f(X) + f(X - h)) * G) / 1e-8
    second = tg.grad(lambda x: np.sum(tg.grad(lambda x: np.sum(f(x) * G))(x)))(X)
    assert np.array_equal(second[:2], [3, -1])
    np.testing.assert_allclose(second[2], chosen, rtol=1e-6, atol=1e-6)


def test_a_branch_is_chosen_by_a_mask_of_any_kind_and_on_either_side() -> None:
    x = np.array([0.0, 4.0])
    for mask in (np.array([False, True]), [False, True], tg.Tensor([False, True]), np.array([0, 1]), tg.Tensor(x) > 0):
        for f in (lambda x, c=mask: np.where(c, np.sqrt(x), x), lambda x, c=mask: tg.where(c, 1 / x, x)):
            with np.errstate(all="ignore"):
                assert np.isfinite(tg.grad(lambda x, f=f: np.sum(f(x)))(x)).all()
    inverted = tg.grad(lambda x: np.sum(np.where(x <= 0, x, np.sqrt(x)) * [3.0, 5.0]))(x)
    assert np.array_equal(inverted, [3, 1.25])


def test_a_nan_that_was_chosen_is_never_hidden() -> None:
    gradient = tg.grad(lambda x: np.sum(np.where([True, False], np.log(x) * x, x)))(np.array([-1.0, -1.0]))
    assert np.isnan(gradient[0])
    assert gradient[1] == 1
