"""How far rounding alone moves a gradient: the recording is run again with every operation disturbed a little.

A gradient by hand takes another way to the same numbers, and each operation on it rounds. So the recorded values and
the cotangents are disturbed by random amounts of the size of a rounding, and what comes out differently is what a
derivation without a mistake may differ by. The derivative of an activation is disturbed by an amount relative to 1, for
1 − h² has that error where h is close to 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.check.capture import Capture, cotangent_at, operands_of
from tinygrad_lite.check.magnitude import EPSILON, largest
from tinygrad_lite.check.terms import Term
from tinygrad_lite.primitives.definition import Rule
from tinygrad_lite.tape import AnyNode, Node

RUNS = 3
"""How often the recording is disturbed."""

ALLOWED = 5
"""How many times what was seen in the disturbed runs is still taken for rounding."""

LEAST = 16
"""The roundings of the largest entry that are always allowed."""

UNKNOWN = 1e4
"""The same where the recording cannot be run again, or a rounding decides on which side of a kink a value lies."""

SCALED = ("multiply", "divide", "power")
"""Elementwise operations whose derivative is a factor that was given, not a formula that cancels."""

SHIFTED = ("softmax_cross_entropy", "logsumexp", "log_softmax")
"""Operations that take the largest value off and put it back, and so round relative to it."""


class Rounding(NamedTuple):
    """What rounding in float64 may do."""

    gradients: list[float]
    """To the gradient of the whole by each parameter."""
    terms: list[float]
    """To the value of each term."""


def rounding_of(
    capture: Capture, terms: Sequence[Term], right: Sequence[np.ndarray], rng: np.random.Generator
) -> Rounding:
    """Return what rounding may do to the `right` gradients, the largest over the entries of each, and to the terms."""
    moved, spread, runs = [0.0] * len(right), [0.0] * len(terms), 0
    with np.errstate(all="ignore"):
        for again, node_of in _disturbed_runs(capture, rng):
            runs += 1
            arrived = again.gradients({again.root: 1.0})
            for i, (before, after) in enumerate(zip(right, arrived, strict=True)):
                if after is not None:
                    moved[i] = max(moved[i], largest(after - before))
            for k, term in enumerate(terms):
                values = {node: again.values[node_of[node]] for node in term.parts}
                spread[k] = max(spread[k], largest(term.value(values) - term.value(capture.values)))
    gradients = [_budget(far, gradient, runs) for far, gradient in zip(moved, right, strict=True)]
    known = capture.values if capture.is_whole else {}
    values_of = [sum(abs(f) * largest(known.get(node)) for node, f in term.parts.items()) for term in terms]
    return Rounding(gradients, [4 * far + EPSILON * value for far, value in zip(spread, values_of, strict=True)])


def rounding_at(capture: Capture, node: AnyNode, rng: np.random.Generator) -> float:
    """Return what rounding may do to the gradient of the whole by a value on the way."""
    right = cotangent_at(capture, node)
    moved, runs = 0.0, 0
    with np.errstate(all="ignore"):
        for again, node_of in _disturbed_runs(capture, rng):
            runs += 1
            moved = max(moved, largest(cotangent_at(again, node_of[node]) - right))
    return _budget(moved, right, runs)


def _budget(moved: float, right: np.ndarray, runs: int) -> float:
    return ALLOWED * moved + (LEAST if runs else UNKNOWN) * EPSILON * largest(right)


def _disturbed_runs(capture: Capture, rng: np.random.Generator) -> Iterator[tuple[Capture, dict[AnyNode, AnyNode]]]:
    """Yield the recording run again with parameters, results and cotangents disturbed, and each node's new one.

    A run in which a value came to lie on the other side of a kink tells nothing of rounding, and is left out.
    """

    def result(node: Node, found: np.ndarray) -> np.ndarray:
        if found.dtype.kind != "f" or found.base is not None or node.primitive.kinks is not None:
            return found  # what is moved or chosen is not rounded
        size = np.abs(found)
        if node.primitive.name in SHIFTED:
            size = size + max(1.0, largest(operands_of(node, capture.values)[0]))
        return np.asarray(found + size * _noise(found, rng))

    def rule(node: Node, right: Rule) -> Rule:
        return _disturbed_rule(right, node.primitive.is_elementwise and node.primitive.name not in SCALED, rng)

    for _ in range(RUNS if capture.is_whole else 0):
        leaves = {leaf: capture.values[leaf] for leaf in capture.leaves}
        moved: dict[AnyNode, np.ndarray] = {leaf: value + value * _noise(value, rng) for leaf, value in leaves.items()}
        again, node_of = capture.again(moved, result, rule)
        if all(_kinks(node, capture) == _kinks(node_of[node], again) for node in capture.nodes):
            yield again, node_of


def _kinks(node: AnyNode, capture: Capture) -> bytes | None:
    if not isinstance(node, Node) or node.primitive.kinks is None:
        return None
    kinks = node.primitive.kinks(capture.values[node], *operands_of(node, capture.values), **node.static)
    return np.asarray(kinks).tobytes()


def _disturbed_rule(rule: Rule, is_local: bool, rng: np.random.Generator) -> Rule:
    def disturbed(g: Any, y: Any, *operands: Any, **static: Any) -> Any:
        gx = rule(g, y, *operands, **static)
        if gx is g or getattr(gx, "base", None) is not None:
            return gx
        relative = gx + gx * _noise(gx, rng)  # not 1 + noise, which is 1 in the float32 that noise is drawn in
        return relative + g * _noise(g, rng) if is_local and gx.shape == g.shape else relative

    return disturbed


def _noise(array: Any, rng: np.random.Generator) -> Any:
    """Return random numbers up to twice a rounding, as many as there are in the array."""
    epsilon = 4 * float(np.finfo(array.dtype).eps)
    return epsilon * (rng.random(array.shape, dtype=np.float32) - np.float32(0.5))
