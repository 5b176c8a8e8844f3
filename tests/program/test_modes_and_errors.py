"""Programs under anomaly search and without recording, warnings, and what errors leave behind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.comparing import assert_same
from tinygrad_lite.errors import AnomalyError, ArgumentError, DetachError, GraphError

RNG = np.random.default_rng(3)
X = np.array([0.5, 1.0, 2.0])


def weights() -> tg.Tensor:
    return tg.Tensor([1.0, -2.0, 3.0], requires_grad=True, name="w")


# ----- Modes -----


def test_anomaly_search_finds_the_value_inside() -> None:
    w = weights()
    program = tg.compile(lambda x: np.log(w * x).sum())
    with np.errstate(all="ignore"):
        assert np.isnan(program(X).item())
        with pytest.raises(AnomalyError, match="log"), tg.detect_anomaly():
            program(X)


def test_recording_is_as_it_is_at_each_call() -> None:
    w = weights()

    def f(x: Any) -> Any:
        y = w * x
        with tg.no_grad():
            z = w + x
        return y, z, y.detach() * w

    program = tg.compile(f)
    for _ in range(2):
        assert_same(program(X), f(X))
        with tg.no_grad():
            assert_same(program(X), f(X))
            with tg.enable_grad():
                assert_same(program(X), f(X))


def test_a_gradient_asked_for_under_no_grad_raises_as_eagerly() -> None:
    w = weights()

    def f() -> None:
        (w * w).sum().backward()

    program = tg.compile(f)
    program()
    kept = w.grad.copy()
    with tg.no_grad(), pytest.raises(GraphError):
        program()
    np.testing.assert_array_equal(w.grad, kept)


def test_numpys_warnings_do_not_escape() -> None:
    program = tg.compile(lambda x: (np.log(x), 1 / x, np.exp(1e4 * x), np.maximum(x, 1e300)))
    for x in (np.array([-1.0, 0.0, 5.0]), np.array([-1.0, 0.0, 5.0], np.float32), np.array([0.0, 0.0, 1.0])):
        assert np.isnan(np.asarray(program(x)[0])[0]) or x[0] == 0


def test_a_requirement_that_changes_is_seen() -> None:
    w = weights()
    program = tg.compile(lambda x: (w * x).sum())
    assert program(X).requires_grad
    w.requires_grad = False
    assert not program(X).requires_grad
    w.requires_grad = True
    assert program(X).requires_grad


# ----- Errors -----


def test_an_error_on_the_way_leaves_everything_as_it_was() -> None:
    w, s, generator, fail = weights(), tg.Tensor(1.0), np.random.default_rng(0), [True]

    def f(x: Any) -> Any:
        s.assign(s + 1)
        (w * tg.uniform(3, rng=generator)).sum().backward()
        if fail[0]:
            raise ZeroDivisionError
        w.assign(x)
        return w * 2

    program = tg.compile(f)
    before = generator.bit_generator.state
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            program(X)
        assert s.item() == 1.0
        assert w.grad is None
        assert generator.bit_generator.state == before
        assert (w * 2).requires_grad
    fail[0] = False
    assert program(X).numpy().tolist() == [1.0, 2.0, 4.0]
    assert s.item() == 2.0


def test_a_shape_that_does_not_fit_raises_at_every_call_as_eagerly() -> None:
    w = weights()
    program = tg.compile(lambda x: w * x)
    for _ in range(2):
        program(X)
        with pytest.raises(tg.errors.ShapeError):
            program(np.ones(2))


def test_labels_out_of_range_raise_at_every_call_and_leave_the_cells() -> None:
    w, count = tg.Tensor(RNG.normal(size=(3, 4)), requires_grad=True), tg.Tensor(0, name="count")

    def step(x: Any, t: Any) -> Any:
        count.assign(count + 1)
        loss = tg.softmax_cross_entropy(x @ w.T, t)
        loss.backward()
        w.assign(w.detach() - 0.1 * w.grad)
        w.grad = None
        return loss.detach()

    x = RNG.normal(size=(5, 4))
    for exact in (True, False):
        program = tg.compile(step, exact=exact)
        for dtype in (np.int64, np.int32, np.int8, np.uint8, np.uint64):
            program(x, np.array([0, 1, 2, 0, 1], dtype))
            for wrong in (
                [0, 1, 3, 0, 1],
                [0, 1, 2, 0, 127],
                *([[0, -1, 1, 1, 2]] if np.dtype(dtype).kind == "i" else []),
            ):
                before = w.numpy(), count.item(), w.grad
                with pytest.raises(ArgumentError, match=r"\b[0-9]+\b"):
                    program(x, np.array(wrong, dtype))
                assert np.array_equal(w.numpy(), before[0])
                assert (count.item(), w.grad) == before[1:]


def test_conversions_raise_with_the_remedy() -> None:
    for convert in (float, np.asarray, lambda x: x.item(), lambda x: [1, 2, 3][x], lambda x: f"{x:.3f}"):
        with pytest.raises((DetachError, ValueError)):
            tg.compile(lambda x, convert=convert: convert(x.sum()) * x)(tg.Tensor(X))
