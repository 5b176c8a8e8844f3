"""Nothing overflows on the way to a value that does not, and no warning escapes from an input that is supported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lite as tg
from tinygrad_lite import nn

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])

EVERYWHERE: dict[str, Callable[[Any], Any]] = {
    "relu": tg.relu,
    "sigmoid": tg.sigmoid,
    "softplus": tg.softplus,
    "tanh": np.tanh,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sqrt": np.sqrt,
    "absolute": np.abs,
    "sign": np.sign,
    "maximum": lambda x: np.maximum(x, 0),
    "clip": lambda x: np.clip(x, -1, 1),
    "where": lambda x: np.where(x > 0, x, 0),
    "quotient": lambda x: 1 / x,
    "whole power": lambda x: x**3,
    "negative power": lambda x: x**-2,
    "root": lambda x: np.power(x, 0.5),
}

EXTREMES = [0.0, 1e-38, 1.0, 88.0, 89.0, 104.0, 709.0, 710.0, 745.0, 1e3, 1e4, 1e20, 1e38, np.inf]


@DTYPES
@pytest.mark.parametrize("name", EVERYWHERE)
def test_no_warning_escapes_from_a_function_in_any_order_of_its_derivative(name: str, dtype: Any) -> None:
    """Warnings are errors in these tests; that the derivatives are right is shown elsewhere."""
    f = EVERYWHERE[name]
    first = tg.grad(lambda x: np.sum(f(x) * 2))
    second = tg.grad(lambda x: np.sum(first(x)))
    for value in (*EXTREMES, *(-v for v in EXTREMES), np.nan):
        x = np.array([value], dtype)
        y = f(tg.Tensor(x))
        assert y.dtype == first(x).dtype == second(x).dtype == dtype
        with np.errstate(all="ignore"):
            in_numpy = f(x)
        assert np.array_equal(y.data, in_numpy, equal_nan=True)


STABLE = ("relu", "sigmoid", "softplus", "tanh")


@DTYPES
@pytest.mark.parametrize("name", STABLE)
def test_an_activation_is_finite_in_every_order_at_every_finite_input(name: str, dtype: Any) -> None:
    f = EVERYWHERE[name]
    x = np.array([v for v in (*EXTREMES, *(-v for v in EXTREMES)) if np.isfinite(v)], dtype)
    g = np.random.default_rng(0).normal(size=x.shape).astype(dtype)
    first = tg.grad(lambda x: np.sum(f(x) * g))
    second = tg.grad(lambda x: np.sum(first(x) * g))
    third = tg.grad(lambda x: np.sum(second(x) * g))
    for values in (f(x), first(x), second(x), third(x)):
        assert np.isfinite(values).all()
    assert (np.abs(first(x)) <= np.abs(g) * 1.001).all()  # none of them is ever steeper than 1


magnitudes = st.floats(-1e4, 1e4, allow_subnormal=False)
logits = st.lists(st.lists(magnitudes, min_size=3, max_size=3), min_size=1, max_size=4)


@given(rows=logits, dtype=st.sampled_from([np.float64, np.float32]))
def test_a_softmax_is_a_distribution_and_its_gradient_sums_to_zero(rows: list[list[float]], dtype: Any) -> None:
    x = np.array(rows, dtype)
    g = np.random.default_rng(0).normal(size=x.shape).astype(dtype)
    close = 8 * float(np.finfo(dtype).eps)
    t = tg.Tensor(x, requires_grad=True)
    p = tg.softmax(t)
    p.backward(g)
    assert ((p.data >= 0) & (p.data <= 1)).all()
    np.testing.assert_allclose(p.data.sum(axis=1), 1, rtol=close)
    np.testing.assert_allclose(t.grad.sum(axis=1), 0, atol=close * np.abs(g).max())
    logs = tg.log_softmax(x)
    assert (logs <= 0).all()
    assert np.isfinite(logs).all()
    largest = tg.logsumexp(x, axis=1) - x.max(axis=1)
    assert (largest >= 0).all()
    assert (largest <= np.log(3) + 1e-3 + close * np.abs(x).max()).all()


@given(rows=logits, shift=magnitudes)
def test_adding_one_number_to_all_logits_of_a_row_changes_no_gradient(rows: list[list[float]], shift: float) -> None:
    x = np.round(np.array(rows))  # whole numbers, so that adding another is exact
    moved, labels = x + np.round(shift), np.arange(len(x)) % 3
    for f in (
        lambda x: np.sum(tg.softmax(x) ** 2),
        lambda x: tg.log_softmax(x)[0, 0],
        lambda x: tg.softmax_cross_entropy(x, labels),
        lambda x: np.sum(tg.logsumexp(x, axis=1)),
    ):
        assert np.array_equal(tg.grad(f)(x), tg.grad(f)(moved))


LOSSES: dict[str, tuple[nn.Objective, Any]] = {
    "cross-entropy of labels": (nn.CrossEntropy(), np.array([0, 1, 2])),
    "cross-entropy of distributions": (nn.CrossEntropy("sum"), np.array([[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1]])),
    "log-likelihood": (nn.LogLikelihood(), np.array([0, 1, 2])),
    "binary cross-entropy": (nn.BinaryCrossEntropy(), np.array([[1, 0, 0.5], [0.5, 0.5, 0], [0, 0, 1]])),
}


@DTYPES
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("large", [1e3, 1e4])
def test_a_loss_on_logits_and_two_of_its_derivatives_are_finite_at_ten_thousand(
    name: str, large: float, dtype: Any
) -> None:
    loss, target = LOSSES[name]
    if target.dtype.kind == "f":
        target = target.astype(dtype)
    x = (large * np.array([[1, -1, 0], [-1, -1, -1], [1, 1, -1]])).astype(dtype)
    g = np.random.default_rng(0).normal(size=x.shape).astype(dtype)

    def f(x: Any) -> Any:
        return loss(nn.Identity(), x, target)

    first = tg.grad(f)
    second = tg.grad(lambda x: np.sum(first(x) * g))(x)
    for values in (f(tg.Tensor(x)).data, first(x), second):
        assert np.isfinite(values).all()
        assert values.dtype == dtype
    assert (np.abs(first(x)) <= 1).all()


@pytest.mark.parametrize("activation", ["softplus", "tanh", "relu", "sigmoid", "cos"])
def test_a_network_fed_with_ten_thousands_trains_on_without_a_warning(activation: str) -> None:
    net = nn.MLP([2, 5, 3], activation=activation, rng=0)
    x = np.array([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4]], np.float32)
    loss = (nn.CrossEntropy() + 0.01 * nn.L2())(net, x, np.array([0, 1, 2]))
    loss.backward()
    assert np.isfinite(loss.data)
    for parameter in net.parameters():
        assert np.isfinite(parameter.grad).all()
    assert net.layers[-1].bias.grad.any()


def test_the_error_state_of_numpy_is_the_users_own_before_and_after() -> None:
    before = np.geterr()
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        inside = np.geterr()
        value, slope = tg.value_and_grad(lambda x: np.sum(np.where(x > 0, np.log(x), 0)))(np.array([0.0, 2.0]))
        assert value == np.log(2)
        assert np.array_equal(slope, [0, 0.5])
        assert tg.grad(lambda x: tg.softmax_cross_entropy(x, [1]))(np.array([[1e4, 0.0]])).tolist() == [[1, -1]]
        assert np.geterr() == inside
    assert np.geterr() == before
