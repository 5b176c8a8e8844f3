"""JAX as an oracle: an independent implementation of the same derivatives, where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.check.properties import FIRST_TOLERANCE, SECOND_TOLERANCE, hold_equal, random_like
from tinygrad_lite.check.variants import Call
from tinygrad_lite.transforms import grad, vjp


def jax_agrees(call: Call, reference: Callable[..., Any], rng: np.random.Generator) -> None:
    """Hold value, first and second derivatives against JAX's own, in float64; nothing is held where it is absent."""
    if importlib.util.find_spec("jax") is None or not call.operands[0].size:
        return
    wanted = tuple(call.operands[i] for i in call.wanted)

    def ours(*xs: Any) -> Any:
        given = dict(zip(call.wanted, xs, strict=True))
        return call(*(given.get(i, x) for i, x in enumerate(call.operands)))

    value, pull_back = vjp(ours, *wanted)
    (cotangent,) = random_like(rng, [np.asarray(value)])
    directions = random_like(rng, wanted)
    theirs = _in_jax(call, reference, cotangent, directions)(*wanted)
    hold_equal(value, theirs[0], FIRST_TOLERANCE, "the value, for JAX's,")

    def along(*xs: Any) -> Any:
        gradients = grad(lambda *ys: np.sum(ours(*ys) * cotangent), argnums=tuple(range(len(xs))))(*xs)
        return sum(np.sum(g * u) for g, u in zip(gradients, directions, strict=True))

    second = grad(along, argnums=tuple(range(len(wanted))))(*wanted)
    for i, first, expected, twice, expected_twice in zip(
        call.wanted, pull_back(cotangent), theirs[1], second, theirs[2], strict=True
    ):
        hold_equal(first, expected, FIRST_TOLERANCE, f"the derivative by operand {i}, for JAX's,")
        hold_equal(twice, expected_twice, SECOND_TOLERANCE, f"the second derivative by operand {i}, for JAX's,")


def _in_jax(call: Call, reference: Callable[..., Any], cotangent: Any, directions: Any) -> Callable[..., Any]:
    """Return the compiled function that gives the value and its first and second derivatives."""
    import jax

    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]  # JAX has no types there

    def along(*xs: Any) -> tuple[Any, Any]:
        def of_the_wanted(*ys: Any) -> Any:
            given = dict(zip(call.wanted, ys, strict=True))
            operands = (given.get(i, x) for i, x in enumerate(call.operands))
            return reference(*call.arguments(*operands), **call.static)

        value, pull_back = jax.vjp(of_the_wanted, *xs)
        first = pull_back(jax.numpy.asarray(cotangent))
        return sum(jax.numpy.sum(part * u) for part, u in zip(first, directions, strict=True)), (value, first)

    def everything(*xs: Any) -> Any:
        second, (value, first) = jax.grad(along, argnums=tuple(range(len(xs))), has_aux=True)(*xs)
        return value, first, second

    compiled: Callable[..., Any] = jax.jit(everything, compiler_options={"xla_backend_optimization_level": 0})
    return compiled
