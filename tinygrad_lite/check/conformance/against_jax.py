"""JAX as an oracle: an independent implementation of the same derivatives, where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.check.conformance.agreement import (
    FIRST_TOLERANCE,
    ROUNDING,
    SECOND_TOLERANCE,
    NothingToHoldError,
    hold_equal,
    random_like,
)
from tinygrad_lite.check.conformance.properties import gradients_twice, of_the_wanted
from tinygrad_lite.check.conformance.variants import Call
from tinygrad_lite.transforms import vjp


def jax_agrees(call: Call, reference: Callable[..., Any], rng: np.random.Generator) -> None:
    """Hold value, first and second derivatives against JAX's own, in float64, where it is installed."""
    if importlib.util.find_spec("jax") is None:
        raise NothingToHoldError("JAX is not installed")
    if not call.wanted:
        raise NothingToHoldError("there is no derivative")
    wanted = tuple(call.operands[i] for i in call.wanted)
    value, pull_back = vjp(of_the_wanted(call), *wanted)
    (cotangent,) = random_like(rng, [np.asarray(value)])
    directions = random_like(rng, wanted)
    first, second = pull_back(cotangent), gradients_twice(call, cotangent, directions)
    their_value, their_first, their_second = _in_jax(call, reference, cotangent, directions)(*wanted)
    hold_equal(value, their_value, FIRST_TOLERANCE, "the value, for JAX's,", ROUNDING)
    for k, i in enumerate(call.wanted):
        hold_equal(first[k], their_first[k], FIRST_TOLERANCE, f"the derivative by operand {i}, for JAX's,", ROUNDING)
        what = f"the second derivative by operand {i}, for JAX's,"
        hold_equal(second[k], their_second[k], SECOND_TOLERANCE, what, ROUNDING)


def _in_jax(call: Call, reference: Callable[..., Any], cotangent: Any, directions: Any) -> Callable[..., Any]:
    """Return the compiled function that gives the value and its first and second derivatives."""
    import jax

    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]  # JAX has no types there

    def along(*xs: Any) -> tuple[Any, Any]:
        def of_those_wanted(*ys: Any) -> Any:
            given = dict(zip(call.wanted, ys, strict=True))
            operands = (given.get(i, x) for i, x in enumerate(call.operands))
            return reference(*call.arguments(*operands), **call.static)

        value, pull_back = jax.vjp(of_those_wanted, *xs)
        first = pull_back(jax.numpy.asarray(cotangent))
        return sum(jax.numpy.sum(part * u) for part, u in zip(first, directions, strict=True)), (value, first)

    def everything(*xs: Any) -> Any:
        second, (value, first) = jax.grad(along, argnums=tuple(range(len(xs))), has_aux=True)(*xs)
        return value, first, second

    compiled: Callable[..., Any] = jax.jit(everything, compiler_options={"xla_backend_optimization_level": 0})
    return compiled
