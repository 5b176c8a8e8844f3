"""Softmaxes in a recorded graph, fused or composed, and what is done wrong on the way back through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_lite.check.capture import Capture
from tinygrad_lite.check.diagnosis.mistake import Mistake, place_of
from tinygrad_lite.check.diagnosis.mutation import Cotangents, Jump, times
from tinygrad_lite.tape import AnyNode, Leaf, Node

DIAGONAL = "∂y_i/∂z_j = y_i(δ_ij − y_j) has entries off its diagonal; add the terms −y_i y_j"


def softmax_mistakes(
    capture: Capture, names: dict[Leaf, str], cotangents: Callable[[AnyNode], Any]
) -> Iterator[Mistake]:
    """Yield the mistakes; `cotangents` gives the right cotangent at a node."""
    logits = [node for node in capture.nodes if node.ndim in (1, 2) and node.dtype.kind == "f" and node.shape]
    for node in logits:
        for axis in range(node.ndim):
            yield from _at_logits(capture, node, axis, place_of(node, names), cotangents(node))
    for node in logits:
        if isinstance(node, Node):
            yield from _at_output(capture, node, place_of(node, names), logits)


def _softmax(z: np.ndarray, axis: int | None) -> np.ndarray:
    e = np.exp(z - np.max(z, axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def _at_logits(capture: Capture, node: AnyNode, axis: int, where: str, delta: Any) -> Iterator[Mistake]:
    """Yield mistakes in δ = c (p − t), which is known by sums of zero: with 1 − p for −p, or p over the wrong axis."""
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
        for slug, text, cost, wrong in _wrong_deltas(capture.values[node], axis, c, p, targets):
            yield Mistake(slug, where, text, cost, (Jump(node, _constant(node, wrong)),))


def _wrong_deltas(
    z: np.ndarray, axis: int, c: float, p: np.ndarray, targets: np.ndarray
) -> Iterator[tuple[str, str, float, np.ndarray]]:
    """Yield what is written for δ = c p − c t: the slug, the correction, the cost and the values."""
    delta = c * p - targets
    yield "softmax-diagonal-only", DIAGONAL, 1.1, targets * (p - 1)
    text = "p − t holds the derivative of the softmax already; do not multiply it by p(1 − p)"
    yield "activation-derivative-wrong", text, 1.2, delta * p * (1 - p)
    yield "term-missing", "the probabilities are left out of p − t", 1.15, -targets
    yield "term-missing", "the targets are left out of p − t", 1.15, c * p
    for other in _other_axes(z, axis):
        over = "all values" if other is None else f"axis {other}"
        text = f"the softmax is summed over {over}; sum it over axis {axis}, the classes of one example"
        yield "wrong-axis", text, 1.2, c * (_softmax(z, other) - p) + delta


def _other_axes(z: np.ndarray, axis: int) -> list[int | None]:
    return [other for other in (None, *range(z.ndim)) if other != axis] if z.ndim > 1 else []


def _weights(delta: np.ndarray, p: np.ndarray, axis: int) -> list[float]:
    """Return what each example may count with: as seen beside a target of 0, or 1 or the mean of all."""
    with np.errstate(all="ignore"):
        ratio = delta / p
    largest, smallest = np.max(ratio, axis=axis), np.min(ratio, axis=axis)
    examples = max(1, delta.size // delta.shape[axis])
    found = [c for c in (float(np.median(largest)), float(np.median(smallest))) if np.isfinite(c) and c]
    candidates = [*found, 1.0, 1.0 / examples, -1.0, -1.0 / examples]
    return [c for k, c in enumerate(candidates) if not any(np.isclose(c, e, rtol=1e-9) for e in candidates[:k])]


def _constant(node: AnyNode, wrong: np.ndarray) -> Callable[[Any], Cotangents]:
    return lambda _: {node: wrong}


def _at_output(capture: Capture, node: Node, where: str, logits: list[AnyNode]) -> Iterator[Mistake]:
    """Yield mistakes in the derivative of a softmax whose output is there: its diagonal alone, or none of it."""
    y = capture.values[node]
    for axis in range(node.ndim):
        if node.shape[axis] < 2 or np.any(y < 0) or not np.allclose(y.sum(axis=axis), 1, rtol=1e-7):
            continue
        for start in logits:
            if start.serial >= node.serial or start.shape != node.shape:
                continue
            if np.allclose(_softmax(capture.values[start], axis), y, rtol=1e-7, atol=1e-12):
                for slug, text, cost, rule in _wrong_rules(start, y, axis):
                    yield Mistake(slug, where, text, cost, (Jump(node, rule),))
                break


def _wrong_rules(
    start: AnyNode, y: np.ndarray, axis: int
) -> Iterator[tuple[str, str, float, Callable[[Any], Cotangents]]]:
    """Yield what is done for y ⊙ (g − Σ g ⊙ y): the slug, the correction, the cost and the rule."""
    yield "softmax-diagonal-only", DIAGONAL, 1.1, times(start, y * (1 - y))
    text = "multiply the cotangent by the derivative of softmax, which is left out"
    yield "activation-derivative-missing", text, 1.2, times(start, np.ones_like(y))
    for other in _other_axes(y, axis):
        text = f"of y(g − Σ g·y) the sum is over axis {axis}, the classes of one example"
        yield "wrong-axis", text, 1.2, _summed_over(other, start, y)


def _summed_over(axis: int | None, start: AnyNode, y: np.ndarray) -> Callable[[Any], Cotangents]:
    return lambda g: {start: y * (g - np.sum(g * y, axis=axis, keepdims=True))}
