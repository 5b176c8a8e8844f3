"""Where a derivative does not exist, one value is chosen, everywhere the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lite as tg

INF = np.inf

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])

RECTIFIERS: dict[str, Callable[[Any], Any]] = {
    "relu": tg.relu,
    "maximum": lambda x: np.maximum(x, 0),
    "maximum from the left": lambda x: np.maximum(0.0, x),
    "clip": lambda x: np.clip(x, 0, None),
    "clip by its bound alone": lambda x: tg.clip(x, min=0),
    "minus minimum": lambda x: -np.minimum(-x, 0),
    "where": lambda x: np.where(x > 0, x, 0),
}


@DTYPES
@pytest.mark.parametrize("name", RECTIFIERS)
def test_all_spellings_of_a_rectifier_have_slope_zero_at_zero_in_every_order(name: str, dtype: Any) -> None:
    f, x, g = RECTIFIERS[name], np.array([-2.0, -0.0, 0.0, 3.0], dtype), np.array([2, 3, 5, 7], dtype)

    def slope(x: Any) -> Any:
        return tg.grad(lambda x: np.sum(f(x) * x * g))(x)

    first, second = slope(x), tg.grad(lambda x: np.sum(slope(x) * g))(x)
    assert np.array_equal(first, [0, 0, 0, 42])
    assert np.array_equal(second, [0, 0, 0, 98])
    assert first.dtype == second.dtype == dtype
    assert np.array_equal(tg.grad(lambda x: np.sum(f(x) * g))(x), [0, 0, 0, 7])


@DTYPES
def test_the_absolute_value_has_slope_zero_at_zero_and_a_sign_has_none_anywhere(dtype: Any) -> None:
    x, g = np.array([-2.0, -0.0, 0.0, 3.0], dtype), np.array([2, 3, 5, 7], dtype)
    slope = tg.grad(lambda x: np.sum(np.abs(x) * g))
    assert np.array_equal(slope(x), [-2, 0, 0, 7])
    assert np.array_equal(tg.grad(lambda x: np.sum(slope(x) * g))(x), [0, 0, 0, 0])
    assert np.array_equal(tg.grad(lambda x: np.sum(np.sign(x) * x * g))(x), [-2, 0, 0, 7])


matrices = st.lists(st.lists(st.integers(-1, 1), min_size=3, max_size=3), min_size=2, max_size=2).map(
    lambda rows: np.array(rows, np.float64)
)


@given(x=matrices, g=matrices, axis=st.sampled_from([None, 0, 1, -1, (0, 1)]), extreme=st.sampled_from(["max", "min"]))
def test_values_that_tie_for_an_extreme_share_its_cotangent_equally(
    x: np.ndarray, g: np.ndarray, axis: Any, extreme: str
) -> None:
    reduce = getattr(np, extreme)
    peak = reduce(x, axis=axis, keepdims=True)
    cotangent = g[tuple(slice(n) for n in peak.shape)] + 0.5
    t = tg.Tensor(x, requires_grad=True)
    reduce(t, axis=axis, keepdims=True).backward(cotangent)
    expected = np.zeros_like(x)
    for place in np.ndindex(peak.shape):
        block = tuple(
            slice(None) if n == 1 and m > 1 else i for i, n, m in zip(place, peak.shape, x.shape, strict=True)
        )
        tied = x[block] == peak[place]
        expected[block] = np.where(tied, cotangent[place] / np.count_nonzero(tied), 0)
    np.testing.assert_allclose(t.grad, expected, rtol=1e-15)


@given(a=matrices, b=matrices, g=matrices, name=st.sampled_from(["maximum", "minimum"]))
def test_two_operands_with_gradients_share_a_tie_in_halves_and_lose_nothing(
    a: np.ndarray, b: np.ndarray, g: np.ndarray, name: str
) -> None:
    f = getattr(np, name)
    x, y = tg.Tensor(a, requires_grad=True), tg.Tensor(b, requires_grad=True)
    f(x, y).backward(g)
    ahead = a > b if name == "maximum" else a < b
    assert np.array_equal(x.grad, g * np.where(a == b, 0.5, ahead))
    assert np.array_equal(x.grad + y.grad, g)


CONSTANTS: dict[str, Callable[[Any], Any]] = {
    "a number": lambda c: float(c[0]),
    "an array": lambda c: c,
    "a Tensor": tg.Tensor,
    "a detached Tensor": lambda c: tg.Tensor(c, requires_grad=True).detach(),
    "a stopped Tensor": lambda c: tg.stop_gradient(tg.Tensor(c, requires_grad=True) * 1),
    "a result of no_grad": lambda c: tg.no_grad()(lambda: tg.Tensor(c, requires_grad=True) * 1)(),
    "a comparison": lambda c: tg.Tensor(c, requires_grad=True) > 0,
    "a column to be stretched": lambda c: c[:1, None],
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_tie_with_a_constant_goes_to_the_constant(name: str) -> None:
    one, g = CONSTANTS[name](np.ones(3)), np.array([2.0, 3.0, 5.0])
    for f, slopes in ((np.maximum, [0, 0, 1]), (np.minimum, [1, 0, 0])):
        for pair in (lambda x: (x, one), lambda x: (one, x)):
            x = tg.Tensor([0.5, 1.0, 1.5], requires_grad=True)
            y = f(*pair(x))
            y.backward(g.reshape(y.shape))
            assert np.array_equal(x.grad, g * slopes)


def test_a_frozen_parameter_counts_as_a_constant_from_then_on() -> None:
    x, other = tg.Tensor([1.0], requires_grad=True), tg.Tensor([1.0], requires_grad=True)
    np.maximum(x, other).backward([4.0])
    other.requires_grad = False
    np.maximum(x, other).backward([4.0])
    assert x.grad == 2


@DTYPES
def test_a_limit_has_slope_zero_at_both_of_its_bounds_and_one_between(dtype: Any) -> None:
    x, g = np.array([-2, -1, 0, 1, 2], dtype), np.array([2, 3, 5, 7, 11], dtype)
    for limited in (
        lambda x: np.clip(x, -1, 1),
        lambda x: np.minimum(np.maximum(x, -1), 1),
        lambda x: np.clip(x, np.full(5, -1), np.ones(5)),
    ):
        slope = tg.grad(lambda x, f=limited: np.sum(f(x) * g))
        assert np.array_equal(slope(x), [0, 0, 5, 0, 0])
        assert np.array_equal(tg.grad(lambda x, slope=slope: np.sum(slope(x) * g))(x), np.zeros(5))


def test_x_to_the_zero_is_flat_at_zero_in_every_order() -> None:
    for zero in (0, 0.0, np.array(0), np.zeros(2)):
        slope = tg.grad(lambda x, p=zero: np.sum(x**p * [2.0, 3.0]))
        assert np.array_equal(slope(np.array([0.0, -1.0])), [0, 0])
        assert np.array_equal(tg.grad(lambda x, slope=slope: np.sum(slope(x) ** 2))(np.zeros(2)), [0, 0])


@DTYPES
def test_the_slope_of_a_root_at_zero_is_infinite_unless_its_cotangent_is_zero(dtype: Any) -> None:
    for f in (np.sqrt, lambda x: x**0.5, lambda x: np.power(x, np.full(3, 0.5, dtype))):
        x = tg.Tensor([0.0, 0.0, 4.0], requires_grad=True, dtype=dtype)
        f(x).backward([2.0, 0.0, 3.0])
        assert np.array_equal(x.grad, [INF, 0, 0.75])
        assert x.grad.dtype == dtype
    f = lambda x: np.sum(np.sqrt(x) * [0.0, 1.0])
    assert np.array_equal(tg.grad(lambda x: np.sum(tg.grad(f)(x)))(np.array([0.0, 4.0])), [0, -1 / 32])


ROW_FUNCTIONS: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "softmax": (tg.softmax, [0, 0, 0]),
    "logsumexp": (lambda x: tg.logsumexp(x, axis=-1, keepdims=True), [-INF]),
    "log_softmax": (tg.log_softmax, [-INF, -INF, -INF]),
}


@DTYPES
@pytest.mark.parametrize("name", ROW_FUNCTIONS)
def test_a_row_of_minus_infinity_passes_nothing_back_and_leaves_its_neighbours_alone(name: str, dtype: Any) -> None:
    f, value = ROW_FUNCTIONS[name]
    rows = np.array([[0.3, -1, 2], [-INF, -INF, -INF], [-INF, 1, 0]], dtype)
    t = tg.Tensor(rows, requires_grad=True)
    y = f(t)
    g = np.random.default_rng(0).normal(size=y.shape).astype(dtype)
    y.backward(g)
    assert np.array_equal(y.data[1], value)
    assert np.array_equal(t.grad[1], [0, 0, 0])
    without = tg.Tensor(rows[[0, 2]], requires_grad=True)
    f(without).backward(g[[0, 2]])
    assert np.array_equal(t.grad[[0, 2]], without.grad)
    second = tg.grad(lambda x: np.sum(tg.grad(lambda x: np.sum(f(x)[:, :1] * [[2], [3], [5]]))(x) ** 2))(rows)
    assert np.array_equal(second[1], [0, 0, 0])
    assert np.isfinite(second).all()


def test_the_spread_of_equal_values_has_no_slope() -> None:
    def variance(x: Any) -> Any:
        return np.mean((x - np.mean(x, axis=1, keepdims=True)) ** 2, axis=1)

    x, g = np.array([[2.0, 2, 2], [1.0, 2, 6]]), np.array([3.0, 5.0])
    assert np.array_equal(tg.grad(lambda x: np.sum(variance(x) * g))(x)[0], [0, 0, 0])
    np.testing.assert_allclose(tg.grad(lambda x: np.sum(variance(x) * g))(x)[1], 10 / 3 * np.array([-2, -1, 3]))
