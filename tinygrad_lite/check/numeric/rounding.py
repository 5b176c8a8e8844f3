"""How far rounding alone moves a gradient: the recording is run again with every operation disturbed a little.

A gradient by hand takes another way to the same numbers, and each operation on it rounds. So the recorded values and
the cotangents are disturbed by random amounts of the size of a rounding, and what comes out differently is what a
derivation without a mistake may differ by. The derivative of an activation is disturbed by an amount relative to 1, for
1 − h² has that error where h is close to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.check.capture import Capture, cotangent_at
from tinygrad_lite.check.terms import Term
from tinygrad_lite.primitives.definition import Rule
from tinygrad_lite.tape import AnyNode

RUNS = 3
"""How often the recording is disturbed."""

ALLOWED = 5
"""How many times what was seen in the disturbed runs is still taken for rounding."""

LEAST = 16
"""The roundings of the largest entry that are always allowed."""

UNKNOWN = 1e4
"""The same where the recording cannot be run again."""

MOST = 1e-7
"""What is never taken for rounding, relative to the largest entry: a gradient moved so far lies beside a kink."""


class Rounding(NamedTuple):
    """What rounding in float64 may do."""

    gradients: list[float]
    """To the gradient of the whole by each parameter."""
    terms: list[float]
    """To each term, its factor included."""


def rounding_at(capture: Capture, node: AnyNode, rng: np.random.Generator) -> float:
    """Return what rounding may do to the gradient of the whole by a value on the way."""
    right = cotangent_at(capture, node)
    moved = 0.0
    with np.errstate(all="ignore"):
        for _ in range(RUNS if capture.is_whole else 0):
            again, node_of = _disturbed(capture, rng)
            moved = max(moved, _largest(cotangent_at(again, node_of[node]) - right))
    return min(ALLOWED * moved + LEAST * _epsilon() * _largest(right), MOST * _largest(right))


def rounding_of(
    capture: Capture, terms: Sequence[Term], right: Sequence[np.ndarray], rng: np.random.Generator
) -> Rounding:
    """Return what rounding may do to the `right` gradients, the largest over the entries of each, and to the terms."""
    moved = [0.0] * len(right)
    spread = [0.0] * len(terms)
    with np.errstate(all="ignore"):
        for _ in range(RUNS if capture.is_whole else 0):
            again, node_of = _disturbed(capture, rng)
            arrived = again.gradients({again.root: 1.0})
            for i, (before, after) in enumerate(zip(right, arrived, strict=True)):
                if after is not None:
                    moved[i] = max(moved[i], _largest(after - before))
            for k, term in enumerate(terms):
                spread[k] = max(spread[k], _largest(again.values[node_of[term.node]] - capture.values[term.node]))
    least = LEAST if capture.is_whole else UNKNOWN
    gradients = [ALLOWED * far + least * _epsilon() * _largest(gradient) for far, gradient in zip(moved, right)]
    limits = [MOST * _largest(gradient) for gradient in right]
    values = [
        abs(term.factor) * (4 * far + _epsilon() * _largest(capture.values.get(term.node)))
        for far, term in zip(spread, terms, strict=True)
    ]
    return Rounding([min(pair) for pair in zip(gradients, limits, strict=True)], values)


def _disturbed(capture: Capture, rng: np.random.Generator) -> tuple[Capture, dict[AnyNode, AnyNode]]:
    """Return the recording run again with every result and every cotangent disturbed, and each node's new one."""

    def result(operands: list[Any], found: np.ndarray) -> np.ndarray:
        if found.dtype.kind != "f" or found.base is not None or any(found is operand for operand in operands):
            return found  # nothing was rounded
        return np.asarray(found * (1 + _noise(found, rng)))

    return capture.again({}, result, lambda rule: _disturbed_rule(rule, rng))


def _disturbed_rule(rule: Rule, rng: np.random.Generator) -> Rule:
    def disturbed(g: Any, y: Any, *operands: Any, **static: Any) -> Any:
        gx = rule(g, y, *operands, **static)
        if gx is g or getattr(gx, "base", None) is not None:
            return gx
        relative = gx * (1 + _noise(gx, rng))
        is_local = len(operands) == 1 and gx.shape == g.shape
        return relative + g * _noise(g, rng) if is_local else relative

    return disturbed


def _noise(array: Any, rng: np.random.Generator) -> Any:
    """Return random numbers up to twice a rounding, as many as there are in the array."""
    epsilon = 4 * float(np.finfo(array.dtype).eps)
    return epsilon * (rng.random(array.shape, dtype=np.float32) - np.float32(0.5))


def _epsilon() -> float:
    return float(np.finfo(np.float64).eps)


def _largest(array: Any) -> float:
    if array is None:
        return 0.0
    values = np.abs(np.asarray(array))
    return float(np.max(values, initial=0.0, where=np.isfinite(values)))
