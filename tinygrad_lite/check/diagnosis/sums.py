"""Sums over the examples taken wrongly: what a bias, which stands beside every example, gets back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_lite.check.capture import Capture
from tinygrad_lite.check.diagnosis.mistakes import Mistake
from tinygrad_lite.check.diagnosis.segments import consumers_of
from tinygrad_lite.tape import AnyNode, Leaf, Node

RESHAPING = ("reshape", "expand_dims", "broadcast_to", "transpose", "swapaxes", "named", "positive")


def wrong_sums(
    capture: Capture, leaf: Leaf, name: str, cotangents: Callable[[AnyNode], Any]
) -> Iterator[tuple[Mistake, np.ndarray]]:
    """Yield what a parameter that was broadcast gets if its cotangents are summed otherwise than over the examples."""
    for node, operand in _broadcast_uses(capture, leaf):
        g = cotangents(node)
        if g is None:
            continue
        rule = dict(node.plan.rules)[operand]
        spread = np.asarray(rule(g, node.output, *node.operands, **node.static))
        if spread.ndim != 2:
            continue
        text = "sum the cotangents over the examples, and over nothing else"
        for axis in (0, 1):
            yield (
                Mistake("wrong-axis", name, f"{text}; this is the sum over axis {axis}", 1.0, ()),
                spread.sum(axis=axis),
            )
        total = spread.sum()
        yield (
            Mistake("wrong-axis", name, f"{text}; this is the sum over both axes", 1.0, ()),
            np.full(leaf.shape, total),
        )
        yield Mistake("wrong-axis", name, f"{text}; this is the sum over both axes", 1.0, ()), np.array(total)
        yield Mistake("wrong-axis", name, f"{text}; nothing is summed here", 1.0, ()), spread
        for axis in (0, 1):
            one = np.take(spread, 0, axis=axis)
            yield Mistake("wrong-axis", name, f"{text}; this is the first alone", 1.3, ()), one


def _broadcast_uses(capture: Capture, leaf: Leaf) -> Iterator[tuple[Node, int]]:
    """Yield the operations in which a parameter, perhaps in another shape, stands beside more values than it has."""
    consumers = consumers_of(capture.nodes)
    waiting: list[AnyNode] = [leaf]
    while waiting:
        node = waiting.pop()
        for consumer, operand in consumers.get(node, []):
            if consumer.primitive.name in RESHAPING:
                waiting.append(consumer)
            elif consumer.primitive.name == "linear" and operand == 2:
                yield consumer, operand
            elif consumer.primitive.is_elementwise and consumer.shape != node.shape:
                yield consumer, operand
