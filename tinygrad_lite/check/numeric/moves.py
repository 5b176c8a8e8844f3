"""How the terms of a function change when one of its parameters moves: by its recording, or by calling it again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinygrad_lite.check.capture import Capture, Values, operands_of
from tinygrad_lite.check.moving import moved_one_by_one
from tinygrad_lite.check.problem import Problem
from tinygrad_lite.check.terms import Term
from tinygrad_lite.tape import AnyNode, Node, leading_to


class Place(NamedTuple):
    """What was found at one place."""

    values: np.ndarray
    """The terms, if there are several, and last their sum."""
    crosses: bool
    """Whether something that the derivative jumps with, such as a mask, is other than at the parameters themselves."""


class Moves(ABC):
    """The terms of a function, and last the whole, as they change with where the parameters are."""

    base: np.ndarray
    """The values where the parameters are."""

    @abstractmethod
    def along(self, i: int, displacement: np.ndarray) -> Place:
        """Return the values with parameter `i` displaced."""

    @abstractmethod
    def singly(self, i: int, entries: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the values (values, entries) with one entry moved by its step at a time, and which cross a kink."""

    def slope_in_the_complex(self, i: int, direction: np.ndarray) -> np.ndarray | None:
        """Return the exact slope of each value along a direction, None if it cannot be had by a complex step."""
        return None

    def run_plainly(self, i: int) -> frozenset[str]:
        """Return the operations that had to be run again as a whole for every entry of parameter `i`."""
        return frozenset()


ANALYTIC = frozenset(
    {"add", "subtract", "multiply", "divide", "positive", "negative", "square", "power", "exp", "expm1", "log", "log1p",
     "sqrt", "sin", "cos", "tanh", "matmul", "linear", "sum", "mean", "prod", "sum_squares", "weighted_sum",
     "reshape", "transpose", "swapaxes", "expand_dims", "broadcast_to", "concatenate", "stack", "getitem", "named"}
)  # fmt: skip
"""The operations whose forward takes complex numbers and is analytic there: f(x + ih).imag / h is the slope."""

COMPLEX_STEP = 1e-30


class RecordedMoves(Moves):
    """By running the recording again: term by term, with an eye on the kinks."""

    def __init__(self, capture: Capture, terms: Sequence[Term]) -> None:
        self.capture, self.terms = capture, terms
        self.nodes = [node for term in terms for node in term.parts]
        self.base = self._values(capture.values)
        self._kinks: dict[Node, bytes] = {}
        self._plainly: dict[int, frozenset[str]] = {}

    def along(self, i: int, displacement: np.ndarray) -> Place:
        """Run what depends on the parameter again."""
        leaf = self.capture.leaves[i]
        values = self.capture.run({leaf: self.capture.values[leaf] + displacement})
        crosses = False
        for node in leading_to([leaf], self.capture.nodes):
            if isinstance(node, Node) and node.primitive.kinks is not None:
                crosses = crosses or self._kinks_at(node, values) != self._kinks_unmoved(node)
        return Place(self._values(values), crosses)

    def singly(self, i: int, entries: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Follow the change of each entry through the recording, many entries at a time."""
        moved = moved_one_by_one(self.capture, self.nodes, self.capture.leaves[i], entries, steps)
        self._plainly[i] = moved.plainly
        return self._with_their_sum(self._of(dict(zip(self.nodes, moved.outputs, strict=True)))), moved.crosses

    def run_plainly(self, i: int) -> frozenset[str]:
        """Return what `singly` could not follow."""
        return self._plainly.get(i, frozenset())

    def slope_in_the_complex(self, i: int, direction: np.ndarray) -> np.ndarray | None:
        """Return the imaginary part of the terms for a displacement along i, if all that depends on it is analytic."""
        leaf = self.capture.leaves[i]
        for node in leading_to([leaf], self.capture.nodes):
            if isinstance(node, Node) and (node.primitive.name not in ANALYTIC or node.dtype != np.float64):
                return None
        values = self.capture.run({leaf: self.capture.values[leaf] + 1j * COMPLEX_STEP * direction})
        slopes = np.array([float(np.imag(term.value(values))) for term in self.terms]) / COMPLEX_STEP
        return self._with_their_sum(slopes)

    def _values(self, values: Values) -> np.ndarray:
        return self._with_their_sum(np.array([float(term.value(values)) for term in self.terms]))

    def _of(self, outputs: dict[AnyNode, np.ndarray]) -> np.ndarray:
        """Return the terms, (terms, entries), of the values of their nodes for each entry."""
        return np.array([sum(factor * outputs[node] for node, factor in term.parts.items()) for term in self.terms])

    def _with_their_sum(self, terms: np.ndarray) -> np.ndarray:
        """Return the terms, with their sum below if they are several."""
        return terms if len(terms) == 1 else np.concatenate([terms, terms.sum(axis=0, keepdims=True)])

    def _kinks_unmoved(self, node: Node) -> bytes:
        if node not in self._kinks:
            self._kinks[node] = self._kinks_at(node, self.capture.values)
        return self._kinks[node]

    def _kinks_at(self, node: Node, values: Values) -> bytes:
        assert node.primitive.kinks is not None
        kinks = node.primitive.kinks(values[node], *operands_of(node, values), **node.static)
        return np.asarray(kinks).tobytes()


class PlainMoves(Moves):
    """By calling the function again: the whole alone, and nothing is known of kinks."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.base = np.array([problem.value(problem.values)])

    def along(self, i: int, displacement: np.ndarray) -> Place:
        """Call the function."""
        return Place(np.array([self.problem.moved(i, self.problem.values[i] + displacement)]), False)

    def singly(self, i: int, entries: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Call the function once an entry."""
        values = self.problem.values[i].copy()
        found = np.empty((1, len(entries)))
        for k, (entry, step) in enumerate(zip(entries, steps, strict=True)):
            index = np.unravel_index(entry, values.shape)
            before = values[index]
            values[index] = before + step
            found[0, k] = self.problem.moved(i, values)
            values[index] = before
        return found, np.zeros(len(entries), bool)
