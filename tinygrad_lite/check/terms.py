"""The terms of an objective, found in its graph: what is added up at its end, each with its factor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.check.capture import Capture
from tinygrad_lite.tape import AnyNode, Node


class Term(NamedTuple):
    """A summand of an objective, or many of a kind taken together, and its gradient by each parameter."""

    name: str
    """What computes it, after the layer that it belongs to."""
    parts: dict[AnyNode, float]
    """Nodes of one value, each with its factor."""
    gradients: list[np.ndarray | None]
    """None for a parameter that it does not depend on."""

    def value(self, values: Mapping[AnyNode, Any]) -> Any:
        """Return the term in one run of a recording."""
        return sum(factor * np.reshape(values[node], ()) for node, factor in self.parts.items())

    def seeds(self) -> dict[AnyNode, Any]:
        """Return the cotangents to begin a sweep with."""
        return {node: np.full(node.shape, factor, node.dtype) for node, factor in self.parts.items()}


MOST_TERMS = 20
"""Beyond so many summands, those made by the same operation are one term, as the rows of a Python loop are."""


def terms_of(capture: Capture) -> list[Term]:
    """Return the summands of the result, those of the same node made one, in the order of their creation."""
    factors: dict[AnyNode, float] = {capture.root: 1.0}
    for node in reversed(capture.nodes):
        factor = factors.get(node, 0.0)
        parts = _parts(node) if factor and isinstance(node, Node) else None
        if parts is not None:
            del factors[node]
            for part, share in parts:
                factors[part] = factors.get(part, 0.0) + factor * share
    found = sorted(((node, factor) for node, factor in factors.items() if factor), key=lambda pair: pair[0].serial)
    groups: dict[tuple[str, int], dict[AnyNode, float]] = {}
    for node, factor in found:
        groups.setdefault((_name_of(node), node.serial if len(found) <= MOST_TERMS else 0), {})[node] = factor
    reached = [_reached_from(leaf, capture.nodes) for leaf in capture.leaves]
    return [Term(name, parts, _by_each(capture, parts, reached)) for (name, _), parts in groups.items()]


def _name_of(node: AnyNode) -> str:
    made_by = node.primitive.name if isinstance(node, Node) else node.name or "a parameter"
    return f"{node.scope}.{made_by}" if node.scope else made_by


def _by_each(capture: Capture, parts: dict[AnyNode, float], reached: list[set[AnyNode]]) -> list[np.ndarray | None]:
    gradients = capture.gradients(parts)
    return [
        None if members.isdisjoint(parts) else gradient for gradient, members in zip(gradients, reached, strict=True)
    ]


FLAT = ("sign",)
"""Operations whose derivative is 0 wherever there is one: nothing of what lies before them can be learnt from them."""


def _reached_from(leaf: AnyNode, nodes: list[AnyNode]) -> set[AnyNode]:
    """Return the nodes that a derivative flows back from to the leaf."""
    reached = {leaf}
    for node in nodes:
        if not isinstance(node, Node) or node.primitive.name in FLAT:
            continue
        if any(node.inputs[i] in reached for i, _ in node.plan.rules):
            reached.add(node)
    return reached


def _parts(node: Node) -> list[tuple[AnyNode, float]] | None:
    """Return what a node of one value adds up, constants left out, each with its factor; None if it adds up nothing."""
    shares = _shares(node)
    if shares is None or any(parent is not None and np.prod(parent.shape) != 1 for parent in node.inputs):
        return None
    return [(parent, share) for parent, share in zip(node.inputs, shares, strict=True) if parent is not None]


def _shares(node: Node) -> list[float] | None:
    """Return the factor of each operand, if the operation adds up or scales."""
    name, constants = node.primitive.name, [parent is None for parent in node.inputs]
    if name in ("named", "positive", "sum", "mean", "reshape", "expand_dims"):
        return [1.0]
    if name == "negative":
        return [-1.0]
    if name == "add":
        return [1.0, 1.0]
    if name == "subtract":
        return [1.0, -1.0]
    if name == "weighted_sum":
        return list(node.static["weights"])
    if name == "multiply" and any(constants):
        return [_number(node.operands[1]), 1.0] if constants[1] else [1.0, _number(node.operands[0])]
    if name == "divide" and constants[1] and _number(node.operands[1]):
        return [1.0 / _number(node.operands[1]), 1.0]
    return None


def _number(operand: Any) -> float:
    return float(np.asarray(operand).reshape(-1)[0]) if np.size(operand) == 1 else float("nan")


def example_counts(capture: Capture) -> list[int]:
    """Return how many examples there may be, the likeliest first: by the shape of the data, and what is divided by."""
    found: list[int] = []
    for node in capture.nodes:
        if not isinstance(node, Node):
            continue
        name, shapes = node.primitive.name, [np.shape(operand) for operand in node.operands]
        is_constant = [parent is None for parent in node.inputs]
        if name in ("matmul", "linear") and is_constant[0] and len(shapes[0]) == 2:
            found.append(shapes[0][0])
        elif name == "matmul" and is_constant[1] and len(shapes[1]) == 2:
            found.append(shapes[1][1])
        elif name == "softmax_cross_entropy" and len(shapes[0]) == 2:
            found.append(shapes[0][0])
        elif name == "mean":
            found.append(int(np.prod(shapes[0])) // max(1, int(np.prod(node.shape))))
        elif name == "divide" and is_constant[1]:
            divisor = _number(node.operands[1])
            found += [int(divisor)] if divisor.is_integer() and divisor > 2 else []
    return [m for m in dict.fromkeys(found) if m > 1]
