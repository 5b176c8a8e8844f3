"""The values of arrays that a function finds outside of itself, compared with what they were.

A program reads an array that an operation was given, so its values may change. What NumPy alone computed from an array
became a constant of the program, and that is no longer right once the array has other values: then the call is captured
again. If that gives the same constants, an array that is an operand is taken to be nothing else from then on.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.capture import same_numbers
from tinygrad_lite.graphs.recorded import Graph, GraphNode
from tinygrad_lite.tensor import Tensor


class Contents:
    """The arrays that places hold, and copies of their values; of a large array only which one it was."""

    def __init__(self, things: Iterable[Any], most_bytes: int) -> None:
        self._before = {
            place: (thing, thing.copy() if thing.nbytes <= most_bytes else None)
            for place, thing in enumerate(things)
            if type(thing) is np.ndarray
        }
        self._now = {place: array for place, (array, _) in self._before.items()}

    def exchange(self, things: Sequence[Any]) -> None:
        """Take note of the things that the places hold now."""
        self._now = {place: things[place] for place in self._now}

    def changed(self) -> list[int]:
        """Return the places whose arrays have other values, or may have."""
        return [place for place, array in self._now.items() if self._is_changed(place, array)]

    def _is_changed(self, place: int, array: np.ndarray) -> bool:
        before, copy = self._before[place]
        return array is not before if copy is None else not same_numbers(array, copy)

    def accept(self, operands: Container[int]) -> None:
        """Take the values there are now for right; look no more at the `operands` among them, by their identities."""
        for place in self.changed():
            array = self._now[place]
            if id(array) in operands:
                del self._now[place]
            else:
                self._before[place] = array, array.copy() if self._before[place][1] is not None else None

    def put_back(self) -> bool:
        """Give the arrays the values that they had, and return whether they did not have them."""
        changed = self.changed()
        for place in changed:
            array, copy = self._before[place]
            array[...] = copy
        return bool(changed)


def same_constants(a: Graph, b: Graph) -> bool:
    """Return whether two graphs are the same computation, but for the values of what they are given."""
    if len(a) != len(b) or (a.outputs, a.updates) != (b.outputs, b.updates):
        return False
    for x, y in zip(a.nodes, b.nodes, strict=True):
        if _computed(x) != _computed(y) or not same_facts(dict(x.static), dict(y.static)):
            return False
        if x.kind == "constant" and not same_facts(x.array, y.array):
            return False
    return True


def _computed(node: GraphNode) -> tuple[Any, ...]:
    """Return how a value is computed, but for what is static in it."""
    return node.kind, node.operation, node.inputs, node.weak, node.shape, node.dtype


def same_facts(a: Any, b: Any) -> bool:
    """Return whether two nested things are equal, arrays value by value."""
    if isinstance(a, Tensor):
        return a is b
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.shape, a.dtype) == (b.shape, b.dtype) and same_numbers(a, b)
    if isinstance(a, tuple | list):
        return type(a) is type(b) and len(a) == len(b) and all(map(same_facts, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same_facts(a[key], b[key]) for key in a)
    return bool(a == b) or (a != a and b != b)
