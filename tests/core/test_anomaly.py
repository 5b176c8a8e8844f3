"""detect_anomaly: the first value that is not finite, named with where it arose and what to do about it."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import AnomalyError, GraphError, TinygradLiteError
from tinygrad_lite.mode import MODE, Mode


def leaf(*values: float, name: str | None = None, dtype: Any = np.float64) -> tg.Tensor:
    return tg.Tensor(np.array(values), requires_grad=True, name=name, dtype=dtype)


def told(error: pytest.ExceptionInfo[AnomalyError]) -> str:
    return str(error.value)


def test_the_error_is_ours_and_the_built_in_that_a_caller_expects() -> None:
    assert issubclass(AnomalyError, TinygradLiteError)
    assert issubclass(AnomalyError, FloatingPointError)


def test_a_forward_anomaly_names_operation_place_operand_and_remedy() -> None:
    p = leaf(1.0, 0.0, 0.5, name="p")
    with tg.detect_anomaly():
        line = inspect.currentframe().f_lineno + 2
        with pytest.raises(AnomalyError) as error:
            np.log(p)
    assert "log gave 1 value of 3 that is not finite (1 × -inf), the first at [1]" in told(error)
    assert f"{__file__}:{line} in test_a_forward_anomaly_names" in told(error)
    assert "operand 0 (p): float64[3], from 0 to 1, 1 × 0" in told(error)
    assert "remedy: logarithms need positive numbers; use tg.log_softmax" in told(error)


def test_a_backward_anomaly_names_the_line_of_the_forward_operation() -> None:
    x = leaf(4.0, 0.0, name="x")
    with tg.detect_anomaly():
        line = inspect.currentframe().f_lineno + 1
        y = np.sqrt(x)
        with pytest.raises(AnomalyError) as error:
            (y * 3).sum().backward()
    assert "the derivative of sqrt by operand 0 (x) gave a cotangent with 1 value of 2" in told(error)
    assert f"{__file__}:{line} in test_a_backward" in told(error)
    assert "cotangent: float64[2], from 3 to 3" in told(error)
    assert "remedy: square roots need numbers ≥ 0" in told(error)
    assert x.grad is None


def test_the_scope_is_named() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            self.part = Root()

        def forward(self, x: Any) -> Any:
            return self.part(x)

    class Root(nn.Module):
        def forward(self, x: Any) -> Any:
            return np.log(x)

    with tg.detect_anomaly(), pytest.raises(AnomalyError, match=r"in forward, in part\n"):
        Net()(leaf(0.0))


def test_the_first_operation_is_named_and_not_a_later_one() -> None:
    x = leaf(800.0)
    with tg.detect_anomaly(), pytest.raises(AnomalyError, match=r"^exp gave"):
        np.exp(x) - np.exp(x)


def test_a_value_that_came_from_outside_is_told_as_such() -> None:
    with tg.detect_anomaly(), pytest.raises(AnomalyError, match="it was in an operand already"):
        leaf(1.0, 2.0) * np.array([np.nan, 1.0])


def test_operations_without_gradient_are_looked_at_too() -> None:
    with tg.detect_anomaly(), tg.no_grad(), pytest.raises(AnomalyError, match="divide gave"):
        tg.Tensor([1.0]) / tg.Tensor([0.0])


@pytest.mark.parametrize(
    ("f", "x", "remedy"),
    [
        (np.exp, 1e4, "tg.softmax"),
        (lambda x: 1 / x, 0.0, "a denominator is 0"),
        (lambda x: x**-1.0, 0.0, "negative power"),
        (lambda x: x * 1e308, 1e10, "smaller learning rate"),
        (lambda x: np.mean(x[:0]), 1.0, "no values"),
    ],
)
def test_the_remedy_fits_the_operation(f: Any, x: float, remedy: str) -> None:
    with tg.detect_anomaly(), pytest.raises(AnomalyError, match=remedy):
        f(leaf(x))


def test_a_cotangent_that_is_not_finite_is_told_as_such() -> None:
    with tg.detect_anomaly(), pytest.raises(AnomalyError, match="the cotangent given to the backward sweep has"):
        (leaf(1.0, 2.0) * 2).backward([np.inf, 0.0])


def test_cotangents_that_overflow_where_they_meet_are_told() -> None:
    x = leaf(0.5, name="x", dtype=np.float32)
    with tg.detect_anomaly(), pytest.raises(AnomalyError, match=r"by operand 0 \(x\)"):
        (x * 3e38 + x * 3e38).backward()


def test_what_the_engine_takes_out_again_is_no_anomaly() -> None:
    """0 · ∞ behind a where is zero by the conventions, in first and in second order."""
    x = np.array([0.0, 4.0])
    f = lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0))
    with tg.detect_anomaly():
        assert np.array_equal(tg.grad(f)(x), [0, 0.25])
        assert np.array_equal(tg.grad(lambda x: np.sum(tg.grad(f)(x)))(x), [0, -1 / 32])


def test_an_anomaly_in_a_second_derivative_is_found() -> None:
    f = lambda x: np.sum(x**1.5)
    with tg.detect_anomaly():
        assert np.array_equal(tg.grad(f)(np.array([0.0])), [0])
        with pytest.raises(AnomalyError, match="the derivative of power"):
            tg.grad(lambda x: np.sum(tg.grad(f)(x)))(np.array([0.0]))


def test_infinities_can_be_let_through_in_search_of_nan() -> None:
    logits, mask = leaf(1.0, 2.0, 3.0), np.array([True, True, False])
    masked = lambda: tg.softmax(np.where(mask, logits, -np.inf))
    with tg.detect_anomaly(), pytest.raises(AnomalyError, match="where gave"):
        masked()
    with tg.detect_anomaly(infinities=False):
        (masked() * np.array([1.0, 2.0, 3.0])).sum().backward()
        assert np.isfinite(logits.grad).all()
        with pytest.raises(AnomalyError, match="subtract gave 1 value of 3 that is not finite"):
            np.log(masked()) - np.log(masked())


def test_nothing_is_looked_at_outside_and_the_mode_is_as_it_was() -> None:
    with tg.detect_anomaly():
        assert MODE.get().places
    assert MODE.get() == Mode()
    assert np.log(leaf(0.0)).item() == -np.inf


def test_it_decorates_functions_generators_and_coroutines() -> None:
    @tg.detect_anomaly()
    def plain() -> Any:
        return np.log(leaf(0.0))

    @tg.detect_anomaly()
    def stepwise() -> Any:
        yield 1
        yield np.log(leaf(0.0))

    @tg.detect_anomaly()
    async def awaited() -> Any:
        await asyncio.sleep(0)
        return np.log(leaf(0.0))

    with pytest.raises(AnomalyError):
        plain()
    steps = stepwise()
    next(steps)
    assert np.log(leaf(0.0)).item() == -np.inf
    with pytest.raises(AnomalyError):
        next(steps)
    with pytest.raises(AnomalyError):
        asyncio.run(awaited())
    assert MODE.get() == Mode()


def test_another_thread_is_not_looked_at() -> None:
    seen = []
    with tg.detect_anomaly():
        thread = threading.Thread(target=lambda: seen.append(np.log(leaf(0.0)).item()))
        thread.start()
        thread.join()
    assert seen == [-np.inf]


def test_a_graph_recorded_outside_is_swept_inside_without_a_line() -> None:
    y = np.sqrt(leaf(0.0))
    with tg.detect_anomaly(), pytest.raises(AnomalyError, match="recorded outside of detect_anomaly"):
        y.backward()


def test_a_training_step_without_anomaly_gives_what_it_gives_without_looking() -> None:
    net = nn.MLP([3, 4, 2], rng=0)
    x, t = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32), np.array([0, 1, 0, 1, 1])

    def gradients() -> list[np.ndarray]:
        net.zero_grad()
        nn.CrossEntropy()(net, x, t).backward()
        return [parameter.grad for parameter in net.parameters()]

    plain = gradients()
    with tg.detect_anomaly():
        watched = gradients()
    assert all(np.array_equal(a, b) for a, b in zip(plain, watched, strict=True))


def test_a_nan_among_scalars_and_parameters_is_told_to_come_from_elsewhere() -> None:
    with tg.detect_anomaly():
        for nan in (float("nan"), tg.Tensor(np.nan), np.float32(np.nan)):
            with pytest.raises(AnomalyError, match="it was in an operand already"):
                leaf(1.0) * nan


def test_fit_puts_the_parameters_back_when_an_anomaly_is_found() -> None:
    net = nn.MLP([2, 4, 2], rng=0)
    x, t = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0, 1])
    with tg.detect_anomaly(), pytest.raises(AnomalyError):
        tg.fit(net, nn.CrossEntropy(), optim.SGD(lr=1e38), train=(x, t), epochs=9, batch_size=2, progress=False)
    assert all(np.abs(parameter.data).max() < 100 for parameter in net.parameters())


def test_a_block_entered_in_one_context_and_left_in_another_is_told() -> None:
    block = tg.no_grad()
    contextvars.copy_context().run(block.__enter__)
    with pytest.raises(GraphError, match="another thread or task"):
        block.__exit__(None, None, None)
