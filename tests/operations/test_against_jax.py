"""The table against JAX, where it is installed: an independent implementation of the same derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.operations.case import Case
from tests.operations.cases import DIFFERENTIABLE
from tests.operations.derivative_checks import (
    gradient_along,
    gradients_by_backward,
    random_like,
    relative_error,
)

FIRST_TOLERANCE = 1e-9
SECOND_TOLERANCE = 1e-7


@pytest.fixture(scope="module")
def jax() -> Any:
    """Give JAX in double precision, or skip."""
    module = pytest.importorskip("jax", reason="jax is not installed")
    module.config.update("jax_enable_x64", True)
    return module


def in_jax(jax: Any, case: Case, wanted: tuple[int, ...], cotangent: Any, directions: Any) -> Callable[..., Any]:
    """Return the compiled function that gives the value of the case and its first and second derivatives."""
    function = case.in_terms_of(jax.numpy)

    def along(*xs: Any) -> tuple[Any, Any]:
        def of_the_wanted(*ys: Any) -> Any:
            given = dict(zip(wanted, ys, strict=True))
            return function(*(given.get(i, x) for i, x in enumerate(xs)))

        value, pull_back = jax.vjp(of_the_wanted, *(xs[i] for i in wanted))
        first = pull_back(jax.numpy.asarray(cotangent))
        return sum(jax.numpy.sum(part * u) for part, u in zip(first, directions, strict=True)), (value, first)

    def everything(*xs: Any) -> Any:
        second, (value, first) = jax.grad(along, argnums=wanted, has_aux=True)(*xs)
        return value, first, second

    return jax.jit(everything, compiler_options={"xla_backend_optimization_level": 0})


WITH_VALUES = [case for case in DIFFERENTIABLE if np.size(case(*case.operands()))]


@pytest.mark.parametrize("case", WITH_VALUES, ids=lambda case: case.name)
def test_value_and_first_and_second_derivatives_agree_with_jax(case: Case, jax: Any) -> None:
    operands, wanted, rng = case.operands(), case.wanted(), case.rng("jax")
    value = np.asarray(case(*operands))
    (cotangent,) = random_like(rng, [value])
    directions = random_like(rng, [operands[i] for i in wanted])
    their_value, their_first, their_second = in_jax(jax, case, wanted, cotangent, directions)(*operands)
    assert relative_error(value, their_value) < FIRST_TOLERANCE
    for ours, theirs in zip(gradients_by_backward(case, operands, wanted, cotangent), their_first, strict=True):
        assert relative_error(ours, theirs) < FIRST_TOLERANCE
    along = gradient_along(case, wanted, cotangent, directions)
    for ours, theirs in zip(tg.grad(along, argnums=wanted)(*operands), their_second, strict=True):
        assert relative_error(ours, theirs) < SECOND_TOLERANCE


def test_a_composite_agrees_with_jax_to_third_order(jax: Any) -> None:
    rng = np.random.default_rng(0)
    x, w, u, v = rng.normal(size=(3, 4)), rng.normal(size=(4, 4)), *rng.normal(size=(2, 3, 4))
    labels, rows = np.array([1, 0, 3]), np.array([0, 0, 2])

    def third_derivative(xp: Any, grad: Callable[..., Any], softmax: Callable[..., Any]) -> Any:
        def composite(x: Any) -> Any:
            hidden = softmax(xp.tanh(x @ w), axis=-1)
            norm = xp.sqrt(xp.sum(hidden**2) + 1)
            return xp.sum(xp.log(hidden)[np.arange(3), labels] * norm) + xp.sum((x @ x.T)[rows] ** 3)

        def once(x: Any) -> Any:
            return xp.sum(grad(composite)(x) * u)

        return grad(lambda x: xp.sum(grad(once)(x) * v))(x)

    theirs = third_derivative(jax.numpy, jax.grad, jax.nn.softmax)
    assert relative_error(third_derivative(np, tg.grad, tg.softmax), theirs) < 1e-9
