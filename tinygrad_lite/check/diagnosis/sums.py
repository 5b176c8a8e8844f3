"""Sums over the examples taken wrongly: what a bias, which stands beside every example, gets back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_lite.check.capture import Capture
from tinygrad_lite.check.diagnosis.mistake import Mistake
from tinygrad_lite.check.diagnosis.mutation import by_the_rules
from tinygrad_lite.check.diagnosis.segments import consumers_of
from tinygrad_lite.tape import AnyNode, Leaf, Node

RESHAPING = ("reshape", "expand_dims", "broadcast_to", "transpose", "swapaxes", "named", "positive")


def wrong_sums(
    capture: Capture, leaf: Leaf, name: str, cotangents: Callable[[AnyNode], Any]
) -> Iterator[tuple[Mistake, np.ndarray]]:
    """Yield what a parameter that was broadcast gets if its cotangents are summed otherwise than over the examples."""
    yield from _wrong_sums_of_columns(capture, leaf, name, cotangents)
    for node, operand in _broadcast_uses(capture, leaf):
        g = cotangents(node)
        if g is None:
            continue
        rule = dict(node.plan.rules)[operand]
        spread = np.asarray(rule(g, node.output, *node.operands, **node.static))
        if spread.ndim != 2:
            continue
        total, own = spread.sum(), _own(node, g, leaf)
        for what, wrong in [
            ("this is the sum over axis 0", spread.sum(axis=0)),
            ("this is the sum over axis 1", spread.sum(axis=1)),
            ("this is the sum over both axes", np.full(leaf.shape, total)),
            ("this is the sum over both axes", np.array(total)),
            ("nothing is summed here", spread),
        ]:
            if wrong.size == own.size and np.allclose(wrong.reshape(own.shape), own):
                continue  # the right sum, of one use of several
            text = f"sum the cotangents over the examples, and over nothing else; {what}"
            yield Mistake("wrong-axis", name, text, 1.0, ()), wrong


def _own(node: Node, g: Any, leaf: Leaf) -> np.ndarray:
    """Return what an operation gives back to a parameter, or zeros if it is not an operand itself."""
    return np.asarray(by_the_rules(node, g).get(leaf, np.zeros(leaf.shape)))


def _wrong_sums_of_columns(
    capture: Capture, leaf: Leaf, name: str, cotangents: Callable[[AnyNode], Any]
) -> Iterator[tuple[Mistake, np.ndarray]]:
    """Yield the right gradient but for the column of a bias, which stands beside the units as a column of ones."""
    right = cotangents(leaf)
    if right is None or right.ndim != 2:
        return
    consumers = consumers_of(capture.nodes)
    uses = [use for node in _turned(consumers, leaf) for use in consumers[node]]
    for node, operand in uses:
        if node.primitive.name != "matmul":
            continue
        g, units = cotangents(node), np.asarray(node.operands[1 - operand])
        if g is None or g.ndim != 2 or units.ndim != 2:
            continue
        examples = g if operand == 1 else g.T  # (examples, outputs)
        wrong = examples.sum(axis=1)
        for column in _columns_of_ones(units if operand == 1 else units.T):
            if wrong.size == right.shape[0] and column < right.shape[1]:
                array = right.copy()
                array[:, column] = wrong
                text = "sum the cotangents of the bias over the examples; this is the sum over the units"
                yield Mistake("wrong-axis", name, text, 1.1, ()), array


def _columns_of_ones(units: np.ndarray) -> np.ndarray:
    return np.flatnonzero((units == 1).all(axis=0)) if units.ndim == 2 else np.zeros(0, np.intp)


def bias_columns(capture: Capture, leaf: Leaf) -> set[int]:
    """Return the columns of a parameter that are biases: what they are multiplied with is a column of ones."""
    consumers = consumers_of(capture.nodes)
    found: set[int] = set()
    for node in _turned(consumers, leaf):
        for consumer, operand in consumers.get(node, []):
            if consumer.primitive.name == "matmul":
                units = np.asarray(consumer.operands[1 - operand])
                found.update(int(k) for k in _columns_of_ones(units if operand == 1 else units.T))
    return found


def _turned(consumers: dict[AnyNode, list[tuple[Node, int]]], leaf: Leaf) -> Iterator[AnyNode]:
    """Yield a parameter and its transposes."""
    yield leaf
    for consumer, _ in consumers.get(leaf, []):
        if consumer.primitive.name in ("transpose", "swapaxes"):
            yield consumer


def _broadcast_uses(capture: Capture, leaf: Leaf) -> Iterator[tuple[Node, int]]:
    """Yield the operations in which a parameter, perhaps in another shape, stands beside more values than it has."""
    consumers = consumers_of(capture.nodes)
    waiting: list[AnyNode] = [leaf]
    while waiting:
        node = waiting.pop()
        for consumer, operand in consumers.get(node, []):
            if consumer.primitive.name in RESHAPING:
                waiting.append(consumer)
            elif _may_broadcast(consumer, operand, node):
                yield consumer, operand


def _may_broadcast(consumer: Node, operand: int, node: AnyNode) -> bool:
    name = consumer.primitive.name
    if name in ("add", "subtract") or (name == "linear" and operand == 2):
        return True
    return consumer.primitive.is_elementwise and consumer.shape != node.shape
