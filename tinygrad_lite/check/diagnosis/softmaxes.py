"""Softmaxes in a recorded graph, fused or composed, and what is done wrong on the way back through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from tinygrad_lite.check.capture import Capture
from tinygrad_lite.check.diagnosis.mutation import Jump
from tinygrad_lite.tape import AnyNode, Node

Found: TypeAlias = tuple[str, AnyNode, str, float, Jump]
"""The slug, the node, the correction, the cost and the jump."""

DIAGONAL = "∂y_i/∂z_j = y_i(δ_ij − y_j) has entries off its diagonal; add the terms −y_i y_j"


def softmax_mistakes(capture: Capture, cotangents: Callable[[AnyNode], Any]) -> Iterator[Found]:
    """Yield the mistakes; `cotangents` gives the right cotangent at a node."""
    logits = [node for node in capture.nodes if node.ndim in (1, 2) and node.dtype.kind == "f" and node.shape]
    for node in logits:
        for axis in range(node.ndim):
            yield from _at_logits(capture, node, axis, cotangents)
    for node in logits:
        if isinstance(node, Node):
            yield from _at_output(capture, node, logits)


def _softmax(z: np.ndarray, axis: int | None) -> np.ndarray:
    e = np.exp(z - np.max(z, axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def _at_logits(capture: Capture, node: AnyNode, axis: int, cotangents: Callable[[AnyNode], Any]) -> Iterator[Found]:
    """Yield mistakes in δ = c (p − t), which is known by sums of zero: with 1 − p for −p, or p over the wrong axis."""
    delta = cotangents(node)
    if delta is None or node.shape[axis] < 2 or not np.isfinite(delta).all() or not delta.any():
        return
    if np.max(np.abs(delta.sum(axis=axis))) > 1e-9 * np.max(np.abs(delta)):
        return
    p = _softmax(capture.values[node], axis)
    for c in _weights(delta, p, axis):
        targets = c * p - delta  # c·t
        if np.any(targets * np.sign(c) < -1e-6 * abs(c)):
            continue
        if not np.allclose(targets.sum(axis=axis), c, rtol=1e-6):
            continue
        yield "softmax-diagonal-only", node, DIAGONAL, 1.1, Jump(node, _constant(node, targets * (p - 1)))
        text = "p − t holds the derivative of the softmax already; do not multiply it by p(1 − p)"
        yield "activation-derivative-wrong", node, text, 1.2, Jump(node, _constant(node, delta * p * (1 - p)))
        for what, part in (("the probabilities are", -targets), ("the targets are", c * p)):
            text = f"{what} left out of p − t"
            yield "term-missing", node, text, 1.15, Jump(node, _constant(node, part))
        others = [other for other in (None, *range(node.ndim)) if other != axis]
        for other in others:
            wrong = c * (_softmax(capture.values[node], other) - p) + delta
            over = "all values" if other is None else f"axis {other}"
            text = f"the softmax is summed over {over}; sum it over axis {axis}, the classes of one example"
            if node.ndim > 1:
                yield "wrong-axis", node, text, 1.2, Jump(node, _constant(node, wrong))


def _weights(delta: np.ndarray, p: np.ndarray, axis: int) -> list[float]:
    """Return what each example may count with: as seen beside a target of 0, or 1 or the mean of all."""
    with np.errstate(all="ignore"):
        ratio = delta / p
    largest, smallest = np.max(ratio, axis=axis), np.min(ratio, axis=axis)
    examples = max(1, delta.size // delta.shape[axis])
    found = [c for c in (float(np.median(largest)), float(np.median(smallest))) if np.isfinite(c) and c]
    candidates = [*found, 1.0, 1.0 / examples, -1.0, -1.0 / examples]
    return [c for k, c in enumerate(candidates) if not any(np.isclose(c, e, rtol=1e-9) for e in candidates[:k])]


def _constant(node: AnyNode, wrong: np.ndarray) -> Callable[[Any], dict[AnyNode, Any]]:
    return lambda _: {node: wrong}


def _at_output(capture: Capture, node: Node, logits: list[AnyNode]) -> Iterator[Found]:
    """Yield mistakes in the derivative of a softmax whose output is there: its diagonal alone, or none of it."""
    y = capture.values[node]
    for axis in range(node.ndim):
        if node.shape[axis] < 2 or np.any(y < 0) or not np.allclose(y.sum(axis=axis), 1, rtol=1e-7):
            continue
        for start in logits:
            if start.serial >= node.serial or start.shape != node.shape:
                continue
            if np.allclose(_softmax(capture.values[start], axis), y, rtol=1e-7, atol=1e-12):
                yield "softmax-diagonal-only", node, DIAGONAL, 1.1, Jump(node, _times(start, y * (1 - y)))
                text = "multiply the cotangent by the derivative of softmax, which is left out"
                yield "activation-derivative-missing", node, text, 1.2, Jump(node, _times(start, np.ones_like(y)))
                for other in (None, *range(node.ndim)) if node.ndim > 1 else ():
                    if other != axis:
                        text = f"of y(g − Σ g·y) the sum is over axis {axis}, the classes of one example"
                        yield "wrong-axis", node, text, 1.2, Jump(node, _summed_over(other, start, y))
                break


def _summed_over(axis: int | None, start: AnyNode, y: np.ndarray) -> Callable[[Any], dict[AnyNode, Any]]:
    return lambda g: {start: y * (g - np.sum(g * y, axis=axis, keepdims=True))}


def _times(start: AnyNode, derivative: np.ndarray) -> Callable[[Any], dict[AnyNode, Any]]:
    return lambda g: {start: g * derivative}
