"""Going back through what programs give, transforms and traces of them, programs in programs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.comparing import assert_same
from tinygrad_lite.errors import GraphError

RNG = np.random.default_rng(3)
X = np.array([0.5, 1.0, 2.0])


def weights() -> tg.Tensor:
    return tg.Tensor([1.0, -2.0, 3.0], requires_grad=True, name="w")


# ----- Going back through what a program gave -----


def test_a_sweep_from_a_result_raises_with_the_remedy() -> None:
    w = weights()
    program = tg.compile(lambda x: (np.tanh(w * x).sum(), w * x))
    for _ in range(2):
        loss, y = program(X)
        assert loss.requires_grad
        for back in (
            loss.backward,
            (loss * 2).backward,
            lambda y=y: (y * y).sum().backward(),
            lambda y=y: y.backward(X),
        ):
            with pytest.raises(GraphError, match="inside"):
                back()
        assert w.grad is None
        y.detach().sum()


def test_a_result_that_no_parameter_had_a_part_in_carries_no_gradient() -> None:
    w = weights()
    y, z = tg.compile(lambda x: (np.tanh(x), (w * x).detach()))(tg.Tensor(X))
    assert not y.requires_grad
    assert not z.requires_grad


ASKED: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "grad": lambda f: tg.grad(f)(X),
    "value and grad": lambda f: tg.value_and_grad(f)(X),
    "grad of grad": lambda f: tg.grad(lambda x: np.sum(tg.grad(f)(x) * X))(X),
    "grad over a closure": lambda f: tg.grad(lambda x: f(x * x) * 2)(X),
    "vjp": lambda f: tg.vjp(f, X)[1](1.0),
    "jvp": lambda f: tg.jvp(f, (X,), (X,)),
    "hvp": lambda f: tg.hvp(f, (X,), (X,)),
    "jacobian": lambda f: tg.jacobian(lambda x: f(x) * x)(X),
    "hessian": lambda f: tg.hessian(f)(X),
    "grad of a checkpoint": lambda f: tg.grad(tg.checkpoint(f))(X),
}


@pytest.mark.parametrize("asked", ASKED)
def test_a_transform_of_a_program_is_that_of_the_function(asked: str) -> None:
    def f(x: Any) -> Any:
        return np.sum(np.tanh(x) * x)

    program = tg.compile(f, exact=True)
    program(X)
    program(tg.Tensor(X))
    assert_same(ASKED[asked](program), ASKED[asked](f))
    assert_same(tg.compile(lambda: ASKED[asked](f), exact=True)(), ASKED[asked](f))


def test_the_gradient_with_respect_to_what_a_closure_holds_is_that_of_the_function_or_an_error() -> None:
    w = weights()

    def inner(x: Any) -> Any:
        return (w * w * x).sum()

    program = tg.compile(inner)
    program(X)
    with pytest.raises(GraphError, match="inside"):
        (program(X) * 3).backward()

    def loss(v: Any) -> Any:
        held = {"w": v}
        return tg.compile(lambda x: (held["w"] * held["w"] * x).sum())(X)

    try:
        found = tg.grad(loss)(w.numpy())
    except GraphError:
        return
    np.testing.assert_allclose(found, 2 * w.numpy() * X, rtol=1e-15)


def test_an_argument_that_requires_a_gradient_gets_one_or_the_sweep_raises() -> None:
    v = tg.Tensor(X, requires_grad=True)
    program = tg.compile(lambda x: (x * x).sum())
    for argument in (v, v * 1, v[::-1], v):
        v.grad = None
        y = program(argument)
        with contextlib.suppress(GraphError):
            y.backward()
            np.testing.assert_array_equal(v.grad, 2 * X)


def test_a_trace_looks_into_a_program() -> None:
    w = weights()
    program = tg.compile(lambda x: np.tanh(w * x))
    program(X)
    graph = tg.trace(lambda x: program(x) * 2, X)
    assert [node.primitive for node in graph.nodes if node.primitive] == ["multiply", "tanh", "multiply"]


def test_a_program_in_a_program_is_one_and_effects_happen_once() -> None:
    w = tg.Tensor([1.0], name="w")
    inner = tg.compile(lambda: w.assign(w * 2))

    def outer() -> Any:
        inner()
        return w + 0

    program = tg.compile(outer)
    assert [program().item() for _ in range(4)] == [2.0, 4.0, 8.0, 16.0]
    inner()
    assert w.item() == 32.0


def test_a_program_calls_itself() -> None:
    @tg.compile
    def power(x: Any, n: int) -> Any:
        return x if n == 0 else power(x, n - 1) * x

    for n in (3, 0, 5, 3):
        np.testing.assert_array_equal(power(tg.Tensor(X), n).numpy(), X ** (n + 1))
