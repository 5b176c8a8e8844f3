"""Values at the edge of what floats hold: stable by construction, forward and backward, without a warning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg

INF, NAN = np.inf, np.nan

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])


def slope(f: Callable[..., Any], x: Any, dtype: Any = np.float64, cotangent: Any = None) -> np.ndarray:
    """Return the gradient of ⟨cotangent, f⟩ at `x`; the cotangent counts 1, 2, 3, … unless one is given."""
    t = tg.Tensor(np.asarray(x, dtype), requires_grad=True)
    y = f(t)
    counting = 1 + np.arange(y.size, dtype=y.dtype).reshape(y.shape)
    y.backward(counting if cotangent is None else np.asarray(cotangent, y.dtype))
    assert t.grad.dtype == dtype
    return t.grad


def curvature(f: Callable[..., Any], x: Any) -> Any:
    """Return the gradient of the sum of squares of the gradient of Σ f."""
    first = tg.grad(lambda x: np.sum(f(x)))
    return tg.grad(lambda x: np.sum(first(x) ** 2))(np.asarray(x, np.float64))


@DTYPES
@pytest.mark.parametrize("large", [1e3, 1e4])
def test_sigmoid_softplus_tanh_and_relu_hold_far_from_zero(dtype: Any, large: float) -> None:
    x = np.array([-large, 0, large], dtype)
    expected = {
        tg.sigmoid: ([0, 0.5, 1], [0, 0.5, 0]),
        tg.softplus: ([0, np.log(2), large], [0, 1, 3]),
        np.tanh: ([-1, 0, 1], [0, 2, 0]),
        tg.relu: ([0, 0, large], [0, 0, 3]),
    }
    for f, (value, gradient) in expected.items():
        assert np.allclose(f(tg.Tensor(x)).data, value, rtol=1e-6)
        assert np.allclose(slope(f, x, dtype), gradient, rtol=1e-6)
        assert np.isfinite(curvature(f, x)).all()


def test_sigmoid_and_softplus_hold_at_infinity() -> None:
    x = [-INF, INF]
    assert np.array_equal(tg.sigmoid(tg.Tensor(x)).data, [0, 1])
    assert np.array_equal(tg.softplus(tg.Tensor(x)).data, [0, INF])
    assert np.array_equal(slope(tg.sigmoid, x), [0, 0])
    assert np.array_equal(slope(tg.softplus, x), [0, 2])


def test_sigmoid_and_softplus_keep_their_digits_far_below_zero() -> None:
    x = np.array([-700.0, -300.0, -40.0])
    for f in (tg.sigmoid, tg.softplus):
        assert np.allclose(f(tg.Tensor(x)).data, np.exp(x), rtol=1e-12)
        assert np.allclose(slope(f, x, cotangent=np.ones(3)), np.exp(x), rtol=1e-12)


def test_tanh_does_not_overflow_at_1e4_in_second_order() -> None:
    assert np.array_equal(curvature(np.tanh, [-1e4, 1e4]), [0, 0])


@DTYPES
@pytest.mark.parametrize("large", [1e3, 1e4])
def test_the_softmax_family_holds_for_large_logits(dtype: Any, large: float) -> None:
    x = np.array([[large, 0, -large], [large, large, -large]], dtype)
    p = np.array([[1, 0, 0], [0.5, 0.5, 0]])
    half = np.log(2)
    assert np.allclose(tg.softmax(tg.Tensor(x)).data, p)
    assert np.allclose(tg.logsumexp(tg.Tensor(x), axis=-1).data, [large, large + half])
    logs = [[0, -large, -2 * large], [-half, -half, -2 * large - half]]
    assert np.allclose(tg.log_softmax(tg.Tensor(x)).data, logs)
    g = np.array([[1.0, 2, 3], [4, 5, 6]])
    assert np.allclose(slope(tg.softmax, x, dtype), p * (g - (g * p).sum(-1, keepdims=True)))
    assert np.allclose(slope(tg.log_softmax, x, dtype), g - p * g.sum(-1, keepdims=True))
    assert np.allclose(slope(lambda x: tg.logsumexp(x, axis=-1), x, dtype), p * [[1], [2]])
    for f in (tg.softmax, tg.log_softmax, lambda x: tg.logsumexp(x, axis=-1)):
        assert np.isfinite(curvature(f, x)).all()


def test_a_row_of_minus_infinity_has_a_softmax_of_zeros_and_no_gradient() -> None:
    x = np.array([[-INF, -INF], [0.0, 0.0]])
    assert np.array_equal(tg.softmax(tg.Tensor(x)).data, [[0, 0], [0.5, 0.5]])
    assert np.array_equal(tg.logsumexp(tg.Tensor(x), axis=-1).data, [-INF, np.log(2)])
    for f in (tg.softmax, tg.log_softmax, lambda x: tg.logsumexp(x, axis=-1)):
        assert np.array_equal(slope(f, x)[0], [0, 0])
        assert np.isfinite(slope(f, x)).all()
        assert np.isfinite(curvature(f, x)).all()


def test_entries_of_minus_infinity_are_left_out_of_their_row() -> None:
    x = np.array([0.0, -INF, 0.0])
    assert np.array_equal(tg.softmax(tg.Tensor(x)).data, [0.5, 0, 0.5])
    assert np.array_equal(tg.log_softmax(tg.Tensor(x)).data, [-np.log(2), -INF, -np.log(2)])
    assert np.array_equal(slope(tg.softmax, x), [-0.5, 0, 0.5])
    assert np.array_equal(slope(tg.logsumexp, x), [0.5, 0, 0.5])


def test_entries_of_plus_infinity_share_their_row() -> None:
    x = np.array([0.0, INF, INF])
    assert np.array_equal(tg.softmax(tg.Tensor(x)).data, [0, 0.5, 0.5])
    assert tg.logsumexp(tg.Tensor(x)).item() == INF
    assert np.array_equal(tg.log_softmax(tg.Tensor(x)).data, [-INF, -np.log(2), -np.log(2)])
    assert np.array_equal(slope(tg.logsumexp, x), [0, 0.5, 0.5])
    assert np.isfinite(slope(tg.softmax, x)).all()
    assert np.isfinite(slope(tg.log_softmax, x)).all()


def test_softmax_over_a_column_of_minus_infinity_follows_its_axis() -> None:
    x = np.array([[-INF, 1.0], [-INF, 1.0]])
    assert np.array_equal(tg.softmax(tg.Tensor(x), axis=0).data, [[0, 0.5], [0, 0.5]])
    assert np.array_equal(slope(lambda x: tg.softmax(x, axis=0), x)[:, 0], [0, 0])


@DTYPES
@pytest.mark.parametrize("large", [1e3, 1e4])
def test_cross_entropy_holds_for_large_logits(dtype: Any, large: float) -> None:
    x = np.array([[0, large], [0, large]], dtype)
    soft = np.array([[0, 1], [1, 0]], dtype)
    for targets in (np.array([1, 0]), soft):
        f = lambda x, t=targets: tg.softmax_cross_entropy(x, t, reduction="none")
        assert np.array_equal(f(tg.Tensor(x)).data, [0, large])
        assert np.array_equal(slope(f, x, dtype), [[0, 0], [-2, 2]])
        assert np.isfinite(curvature(f, x)).all()


def test_cross_entropy_with_a_target_of_zero_at_minus_infinity_is_finite() -> None:
    x = np.array([[-INF, 0.0, 0.0]])
    for targets in (np.array([1]), np.array([[0.0, 1.0, 0.0]])):
        assert tg.softmax_cross_entropy(tg.Tensor(x), targets).item() == np.log(2)
        assert np.array_equal(slope(lambda x, t=targets: tg.softmax_cross_entropy(x, t), x), [[0, -0.5, 0.5]])


def test_cross_entropy_of_a_class_that_cannot_happen_is_infinite_without_a_warning() -> None:
    x = np.array([[-INF, 0.0]])
    assert tg.softmax_cross_entropy(tg.Tensor(x), np.array([0])).item() == INF
    assert np.array_equal(slope(lambda x: tg.softmax_cross_entropy(x, np.array([0])), x), [[-1, 1]])


@pytest.mark.parametrize(
    ("a", "b", "value", "shares"),
    [
        (1e4, -1e4, 1e4, (1, 0)),
        (-1e4, -1e4, -1e4 + np.log(2), (0.5, 0.5)),
        (-INF, -INF, -INF, (0, 0)),
        (-INF, 3.0, 3.0, (0, 1)),
        (INF, 3.0, INF, (1, 0)),
    ],
)
def test_logaddexp_holds_at_every_size(a: float, b: float, value: float, shares: tuple[float, float]) -> None:
    x, y = tg.Tensor(a, requires_grad=True), tg.Tensor(b, requires_grad=True)
    result = np.logaddexp(x, y)
    assert result.item() == value
    result.backward(2.0)
    assert (x.grad, y.grad) == (pytest.approx(2 * shares[0]), pytest.approx(2 * shares[1]))


def test_logaddexp_of_two_infinities_has_finite_slopes() -> None:
    assert np.isfinite(slope(lambda x: np.logaddexp(x, INF), [INF, 0.0])).all()


def test_exp_overflows_and_underflows_without_a_warning() -> None:
    x = [-1e4, 0.0, 1e4, -INF, INF]
    assert np.array_equal(np.exp(tg.Tensor(x)).data, [0, 1, INF, 0, INF])
    assert np.array_equal(slope(np.exp, x), [0, 2, INF, 0, INF])
    assert np.array_equal(np.expm1(tg.Tensor(x)).data, [-1, 0, INF, -1, INF])
    assert np.array_equal(slope(np.expm1, x), [0, 2, INF, 0, INF])


def test_log1p_and_expm1_keep_their_digits_near_zero() -> None:
    x = np.array([1e-18, -1e-18])
    assert np.array_equal(np.log1p(tg.Tensor(x)).data, x)
    assert np.array_equal(np.expm1(tg.Tensor(x)).data, x)
    assert np.allclose(slope(np.expm1, x, cotangent=[1, 1]), 1, rtol=1e-15)


def test_nan_passes_through_and_is_never_hidden() -> None:
    for f in (tg.relu, tg.sigmoid, tg.softplus, tg.softmax, np.exp, np.sqrt, np.log, lambda x: np.maximum(x, 0)):
        assert np.isnan(f(tg.Tensor([NAN, 1.0])).data[0])
