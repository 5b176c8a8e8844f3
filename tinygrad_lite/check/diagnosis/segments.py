"""Activations in a recorded graph: stretches of elementwise operations, however a function was composed of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinygrad_lite.check.capture import Capture
from tinygrad_lite.check.diagnosis.textbook import FUNCTIONS
from tinygrad_lite.tape import AnyNode, Node

LOSSES = ("exp", "log")
"""What is rather a part of a softmax or a loss than an activation, unless a product takes it up."""

REDUCTIONS = ("sum", "mean", "sum_squares", "weighted_sum")


class Segment(NamedTuple):
    """An elementwise function: from the pre-activation to the output."""

    name: str
    """What function it is, as far as it is recognised by its values; otherwise what computes its output."""
    start: AnyNode
    end: Node
    a: np.ndarray
    h: np.ndarray
    before_bias: np.ndarray | None
    """The pre-activation before a bias was added to it, None if it is not seen where that is."""


def consumers_of(nodes: list[AnyNode]) -> dict[AnyNode, list[tuple[Node, int]]]:
    """Return, for each node, the operations that use it with a derivative, and as which operand."""
    found: dict[AnyNode, list[tuple[Node, int]]] = {node: [] for node in nodes}
    for node in nodes:
        if isinstance(node, Node):
            for i, _ in node.plan.rules:
                parent = node.inputs[i]
                if parent in found:
                    found[parent].append((node, i))
    return found


def segments_of(capture: Capture) -> list[Segment]:
    """Return the activations, in the order of the forward pass."""
    sources: dict[AnyNode, AnyNode] = {}
    for node in capture.nodes:
        sources[node] = _source(node, sources)
    consumers = consumers_of(capture.nodes)
    segments = []
    for node in capture.nodes:
        start = sources[node]
        if start is node or not isinstance(node, Node) or node.dtype.kind != "f":
            continue
        a, h = capture.values[start], capture.values[node]
        name = _declared(node, start) or _recognised(a, h)
        leaves_it = any(
            sources[consumer] is not start and consumer.primitive.name not in REDUCTIONS
            for consumer, _ in consumers[node]
        )
        if name in LOSSES or node.primitive.name in LOSSES:
            name, leaves_it = None, leaves_it and _feeds_products(node, sources, start, consumers)
        if name is not None or leaves_it:
            before = _before_bias(start, capture)
            segments.append(Segment(name or node.primitive.name, start, node, a, h, before))
    return segments


def _feeds_products(
    node: Node, sources: dict[AnyNode, AnyNode], start: AnyNode, consumers: dict[AnyNode, list[tuple[Node, int]]]
) -> bool:
    outside = [consumer for consumer, _ in consumers[node] if sources[consumer] is not start]
    return all(consumer.primitive.name in ("matmul", "linear", "concatenate") for consumer in outside)


def _source(node: AnyNode, sources: dict[AnyNode, AnyNode]) -> AnyNode:
    """Return the one value that a node is an elementwise function of, itself if there is none."""
    if not isinstance(node, Node) or not node.primitive.is_elementwise or not node.shape:
        return node
    if node.primitive.name == "named":
        return node  # a delta may be given for it, so the sweep is to pass through it
    for operand, parent in zip(node.operands, node.inputs, strict=True):
        if parent is None and np.size(operand) != 1:
            return node
    found = {sources.get(parent, parent) for parent in node.inputs if parent is not None}
    (start,) = found if len(found) == 1 else (node,)
    return start if start.shape == node.shape else node


def _before_bias(start: AnyNode, capture: Capture) -> np.ndarray | None:
    if not isinstance(start, Node):
        return None
    if start.primitive.name == "linear":
        return np.asarray(capture.values[start] - start.operands[2])
    if start.primitive.name != "add":
        return None
    for product, bias in (start.inputs, start.inputs[::-1]):
        if product is not None and bias is not None and product.shape == start.shape != bias.shape:
            return np.asarray(capture.values[product])
    return None


def _declared(node: Node, start: AnyNode) -> str | None:
    """Return which activation a node is by its own name."""
    if node.inputs[0] is not start:
        return None
    if node.primitive.name == "at_least" and np.size(node.operands[1]) == 1 and not np.any(node.operands[1]):
        return "relu"
    return node.primitive.name if node.primitive.name in FUNCTIONS else None


def _recognised(a: np.ndarray, h: np.ndarray) -> str | None:
    with np.errstate(all="ignore"):
        for name, function in FUNCTIONS.items():
            if np.allclose(function(a), h, rtol=1e-7, atol=1e-9, equal_nan=True):
                return name
    return None
