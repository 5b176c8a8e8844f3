"""Functions whose textbook formula overflows, each row against a reference in a wider float."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn

INF = np.inf

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])

ROWS = np.array([[1e4, 1e4 - 1, 0], [-1e4, -1e4 + 2, -1e4 - 40], [0, 1, -1], [-3, 1e4, 1e4], [-1e4, -1e4, -1e4]])
"""No two rows have the same largest value, so that a peak taken over the whole matrix leaves 0/0 in some."""


def wide(x: Any) -> np.ndarray:
    return np.asarray(x, np.longdouble)


def shares(x: Any) -> np.ndarray:
    """Return the softmax of each row, from values that the dtype of `x` has rounded."""
    e = np.exp(wide(x) - wide(x).max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def logs(x: Any) -> np.ndarray:
    shifted = wide(x) - wide(x).max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def gradient(f: Callable[..., Any], x: np.ndarray, g: np.ndarray) -> np.ndarray:
    t = tg.Tensor(x, requires_grad=True)
    y = f(t)
    y.backward(g)
    assert y.dtype == t.grad.dtype == x.dtype
    assert isinstance(t.grad, np.ndarray)
    return t.grad


def tolerance(dtype: Any) -> float:
    return 20 * float(np.finfo(dtype).eps)


@DTYPES
def test_the_softmax_family_works_row_by_row_unless_told_otherwise(dtype: Any) -> None:
    x = ROWS.astype(dtype)
    g = np.random.default_rng(0).normal(size=x.shape).astype(dtype)
    p, close = shares(x), {"rtol": tolerance(dtype), "atol": tolerance(dtype)}
    np.testing.assert_allclose(tg.softmax(x), p, **close)
    np.testing.assert_allclose(tg.log_softmax(x), logs(x), **close)
    np.testing.assert_allclose(tg.logsumexp(x, axis=-1), (wide(x) - logs(x))[:, 0], **close)
    back = p * (g - (g * p).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(gradient(tg.softmax, x, g), back, **close)
    np.testing.assert_allclose(gradient(tg.log_softmax, x, g), g - p * wide(g).sum(axis=-1, keepdims=True), **close)
    row = lambda x: tg.logsumexp(x, axis=-1)
    np.testing.assert_allclose(gradient(row, x, g[:, 0]), p * g[:, :1], **close)


@DTYPES
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (-1, 1), None])
def test_the_softmax_family_takes_its_peak_along_its_own_axes(axis: Any, dtype: Any) -> None:
    rng = np.random.default_rng(1)
    scale = 10.0 ** rng.integers(-1, 5, size=(2, 1, 4)) * rng.choice([-1, 1], size=(1, 3, 1))
    x = (scale + rng.normal(size=(2, 3, 4))).astype(dtype)
    axes = tuple(range(3)) if axis is None else tuple(i % 3 for i in np.atleast_1d(axis))
    kept = [i for i in range(3) if i not in axes]
    flat = np.moveaxis(x, kept, range(len(kept))).reshape([x.shape[i] for i in kept] + [-1])

    def in_place(rows: np.ndarray) -> np.ndarray:
        lengths = [x.shape[i] for i in kept] + [x.shape[i] for i in range(3) if i not in kept]
        return np.moveaxis(rows.reshape(lengths), range(len(kept)), kept)

    close = {"rtol": tolerance(dtype), "atol": tolerance(dtype)}
    np.testing.assert_allclose(tg.softmax(x, axis=axis), in_place(shares(flat)), **close)
    np.testing.assert_allclose(tg.log_softmax(x, axis=axis), in_place(logs(flat)), **close)
    np.testing.assert_allclose(tg.logsumexp(x, axis=axis), (wide(flat) - logs(flat))[..., 0], **close)


def test_what_one_row_holds_does_not_reach_another() -> None:
    x = ROWS.copy()
    for spoiled in (np.nan, INF, 1e300):
        x[2, 1] = spoiled
        for f in (tg.softmax, tg.log_softmax, lambda x: tg.logsumexp(x, axis=-1)):
            others = [0, 1, 3, 4]
            g = np.ones(np.shape(f(ROWS)))
            assert np.array_equal(f(x)[others], f(ROWS)[others])
            assert np.array_equal(gradient(f, x, g)[others], gradient(f, ROWS, g)[others])


@DTYPES
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_cross_entropy_of_rows_of_every_size_is_that_of_the_wider_float(reduction: str, dtype: Any) -> None:
    x, labels = ROWS.astype(dtype), np.array([1, 0, 2, 0, 1])
    soft = np.full((5, 3), 0.25, dtype)
    soft[:, 1] = 0.5
    factor = 1 / 5 if reduction == "mean" else 1
    for targets, weights in ((labels, np.eye(3)[labels]), (soft, soft)):
        loss = nn.CrossEntropy(reduction)(nn.Identity(), tg.Tensor(x), targets)
        expected = -factor * (wide(weights) * logs(x)).sum()
        np.testing.assert_allclose(loss.data, expected, rtol=tolerance(dtype))
        back = gradient(lambda x, t=targets: nn.CrossEntropy(reduction)(nn.Identity(), x, t), x, np.ones((), dtype))
        np.testing.assert_allclose(back, factor * (shares(x) - weights), atol=tolerance(dtype))


@DTYPES
def test_the_log_likelihood_of_rows_of_every_size_is_that_of_the_wider_float(dtype: Any) -> None:
    x, labels = ROWS.astype(dtype), np.array([1, 0, 2, 0, 1])
    picked = np.eye(3)[labels]
    value = nn.LogLikelihood()(nn.Identity(), tg.Tensor(x), labels)
    np.testing.assert_allclose(value.data, (picked * logs(x)).sum(), rtol=tolerance(dtype))
    back = gradient(lambda x: nn.LogLikelihood()(nn.Identity(), x, labels), x, np.ones((), dtype))
    np.testing.assert_allclose(back, picked - shares(x), atol=tolerance(dtype))


@DTYPES
def test_the_logistic_functions_agree_with_the_wider_float_from_end_to_end(dtype: Any) -> None:
    x = np.concatenate([-np.logspace(4, -4, 60), [0], np.logspace(-4, 4, 60)]).astype(dtype)
    g = np.random.default_rng(0).normal(size=x.shape).astype(dtype)
    e = np.exp(-np.abs(wide(x)))
    sigmoid = np.where(x >= 0, 1, e) / (1 + e)
    close = {"rtol": tolerance(dtype), "atol": float(np.finfo(dtype).tiny)}
    np.testing.assert_allclose(tg.sigmoid(x), sigmoid, **close)
    np.testing.assert_allclose(tg.softplus(x), np.maximum(wide(x), 0) + np.log1p(e), **close)
    np.testing.assert_allclose(gradient(tg.softplus, x, g), g * sigmoid, **close)
    np.testing.assert_allclose(gradient(tg.sigmoid, x, g), g * sigmoid * (1 - sigmoid), atol=tolerance(dtype))
    np.testing.assert_allclose(gradient(np.tanh, x, g), g * (1 - np.tanh(wide(x)) ** 2), atol=tolerance(dtype))


@DTYPES
def test_binary_cross_entropy_of_logits_of_every_size_is_that_of_the_wider_float(dtype: Any) -> None:
    x = np.array([1e4, 1e4, 1e4, -1e4, -1e4, -1e4, 0, 40, -40], dtype)
    t = np.array([0, 1, 0.5, 0, 1, 0.5, 0.5, 1, 0], dtype)
    e = np.exp(-np.abs(wide(x)))
    expected = (np.maximum(wide(x), 0) + np.log1p(e) - t * wide(x)).sum()
    loss = nn.BinaryCrossEntropy("sum")
    np.testing.assert_allclose(loss(nn.Identity(), tg.Tensor(x), t).data, expected, rtol=tolerance(dtype))
    back = gradient(lambda x: loss(nn.Identity(), x, t), x, np.ones((), dtype))
    np.testing.assert_allclose(back, np.where(x >= 0, 1, e) / (1 + e) - t, atol=tolerance(dtype))


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_the_softmax_family_holds_up_to_the_largest_float(dtype: Any) -> None:
    largest = np.finfo(dtype).max
    x, g = np.array([largest, -largest, 0], dtype), np.array([2, 3, 5], dtype)
    assert np.array_equal(tg.softmax(x), [1, 0, 0])
    assert np.array_equal(tg.log_softmax(x), [0, -INF, -largest])
    assert tg.logsumexp(x) == largest
    assert np.array_equal(gradient(tg.logsumexp, x, dtype(2)), [2, 0, 0])
    assert np.array_equal(gradient(tg.softmax, x, g), [0, 0, 0])
    assert np.array_equal(gradient(tg.log_softmax, x, g), [-8, 3, 5])


def test_zero_times_the_log_of_zero_is_zero_in_an_entropy() -> None:
    def entropy(p: Any) -> Any:
        return -np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0))

    value, slope = tg.value_and_grad(entropy)(np.array([0.0, 0.25, 0.75]))
    assert value == pytest.approx(0.25 * np.log(4) + 0.75 * np.log(4 / 3), rel=1e-14)
    np.testing.assert_allclose(slope, [0, np.log(4) - 1, np.log(4 / 3) - 1], rtol=1e-14)


def test_the_log_of_zero_is_infinite_with_an_infinite_slope_and_without_a_warning() -> None:
    for f, x, value, slope in (
        (np.log, 0.0, -INF, INF),
        (np.log1p, -1.0, -INF, INF),
        (np.sqrt, 0.0, 0.0, INF),
        (lambda x: 1 / x, 0.0, INF, -INF),
        (lambda x: x**-2, 0.0, INF, -INF),
        (lambda x: x**0.5, 0.0, 0.0, INF),
    ):
        assert tg.value_and_grad(f)(x) == (value, slope)
