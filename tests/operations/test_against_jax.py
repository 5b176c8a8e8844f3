"""The table against JAX, where it is installed: an independent implementation of the same derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.operations.case import Case
from tests.operations.cases import DIFFERENTIABLE
from tinygrad_lite.check.conformance.against_jax import jax_agrees


@pytest.fixture(scope="module")
def jax() -> Any:
    """Give JAX in double precision, or skip."""
    module = pytest.importorskip("jax", reason="jax is not installed")
    module.config.update("jax_enable_x64", True)
    return module


WITH_VALUES = [case for case in DIFFERENTIABLE if np.size(case(*case.operands()))]


@pytest.mark.parametrize("case", WITH_VALUES, ids=lambda case: case.name)
def test_value_and_first_and_second_derivatives_agree_with_jax(case: Case, jax: Any) -> None:
    jax_agrees(case.call(), case.reference_in(jax.numpy), case.rng("jax"))


def test_a_composite_agrees_with_jax_to_third_order(jax: Any) -> None:
    rng = np.random.default_rng(0)
    x, w, u, v = rng.normal(size=(3, 4)), rng.normal(size=(4, 4)), *rng.normal(size=(2, 3, 4))
    labels, rows = np.array([1, 0, 3]), np.array([0, 0, 2])

    def third_derivative(xp: Any, grad: Callable[..., Any], softmax: Callable[..., Any]) -> Any:
        def composite(x: Any) -> Any:
            hidden = softmax(xp.tanh(x @ w), axis=-1)
            products = x[:, :, None] * w[None] @ hidden[:, :, None]  # einsum("ij,jk,ik->ij")
            picked = xp.log(hidden)[np.arange(3), labels] * xp.linalg.norm(products)
            return xp.sum(picked) + xp.sum((x @ x.T)[rows] ** 3)

        def once(x: Any) -> Any:
            return xp.sum(grad(composite)(x) * u)

        return grad(lambda x: xp.sum(grad(once)(x) * v))(x)

    theirs = jax.jit(
        lambda: third_derivative(jax.numpy, jax.grad, jax.nn.softmax)
    )()  # step by step takes ten times as long
    assert np.allclose(third_derivative(np, tg.grad, tg.softmax), theirs, rtol=0, atol=1e-9 * np.max(np.abs(theirs)))
