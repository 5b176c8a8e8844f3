"""The listing of a program: its values in core entries, in the order of their computation, and what is to come of them.

A rewrite is a function from one listing to another. A value that is computed twice from the same operands is written
once, wherever it comes from, and what nothing comes of is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.graphs.recorded import Graph
from tinygrad_lite.graphs.source.lowered import CoreValue, lowered
from tinygrad_lite.primitives import Primitive
from tinygrad_lite.primitives.lowering import Lowering
from tinygrad_lite.primitives.shaping import CHECKS
from tinygrad_lite.program.entries import finite, label_places

CELLS = ("input", "parameter", "state")
"""The kinds of nodes whose values a program is given."""


CHECKING = CHECKS | {finite, label_places}
"""Operations that are run though nothing comes of them, for they may raise."""


def is_scalar(value: CoreValue) -> bool:
    """Return whether a value has no axes: it is a variable of the program, not an array."""
    return not getattr(value.array, "shape", ())


class Assignment(NamedTuple):
    """An effect: the cell `target` takes the value of `source`; both are positions."""

    target: int
    source: int


@dataclass
class Listing:
    """Values, and which of them are results."""

    graph: Graph
    values: list[CoreValue]
    outputs: tuple[int, ...] = ()
    """What is given out: results of the function, then gradients left."""
    assignments: tuple[Assignment, ...] = ()
    notes: dict[str, int] = field(default_factory=dict)
    """What rewrites have done, and how often."""
    early: int = 0
    """How many values come before the first that is computed from an array, after `scalars_first`."""

    @property
    def results(self) -> list[int]:
        """The positions of all that the program is run for."""
        return [*self.outputs, *(assignment.source for assignment in self.assignments)]

    def is_backward(self, position: int) -> bool:
        """Return whether a value belongs to a backward sweep."""
        return self.graph.nodes[self.values[position].node].back_through is not None

    def is_cell(self, position: int) -> bool:
        """Return whether a value is that of a Tensor that was there before."""
        return _is_cell(self.values[position], self.graph)

    def is_constant(self, position: int) -> bool:
        """Return whether a value is the same in every run."""
        return _is_constant(self.values[position], self.graph)

    def users(self) -> list[list[int]]:
        """Return, for each value, the positions of those that read it, once for each operand."""
        found: list[list[int]] = [[] for _ in self.values]
        for position, value in enumerate(self.values):
            for source in value.inputs:
                found[source].append(position)
        return found

    def needed_once(self) -> list[bool]:
        """Return, for each value, whether one other value alone needs it."""
        results = set(self.results)
        return [len(readers) == 1 and i not in results for i, readers in enumerate(self.users())]

    def noted(self, what: str, times: int = 1) -> None:
        """Remember that a rewrite has done something."""
        if times:
            self.notes[what] = self.notes.get(what, 0) + times


def listing_of(graph: Graph, gradients: Iterable[int], lowering_of: Callable[[Primitive], Lowering | None]) -> Listing:
    """Return the listing of a graph, with `gradients`, ids of nodes, given out after its outputs."""
    values, places = lowered(graph, lowering_of)
    return Listing(
        graph,
        values,
        tuple(places[i] for i in (*graph.outputs, *gradients)),
        tuple(Assignment(places[u.target], places[u.source]) for u in graph.updates if u.what == "value"),
    )


class Writer:
    """A listing being written anew, after another one."""

    def __init__(self, old: Listing) -> None:
        self.old = old
        self.values: list[CoreValue] = []
        self.moved: list[int] = []
        """Where the values of the old listing are in the new one, as far as it is written."""
        self._known: dict[Any, int] = {}
        self.shared = 0

    def add(self, value: CoreValue) -> int:
        """Add a value whose operands are positions in the new listing, and return its position."""
        key = _key(value, self.old)
        known = None if key is None else self._known.get(key)
        if known is not None:
            self.shared += value.operation is not None
            return known
        self.values.append(value)
        position = len(self.values) - 1
        if key is not None:
            self._known[key] = position
        return position

    def computed(
        self, operation: Primitive, inputs: tuple[int, ...], like: CoreValue, array: Any, **static: Any
    ) -> int:
        """Add an operation that belongs to the same node as `like` and whose result looks like `array`."""
        return self.add(CoreValue(like.node, array, operation, inputs, static, result_of=like.result_of))

    def is_constant(self, position: int) -> bool:
        """Return whether a value of the new listing is the same in every run."""
        return _is_constant(self.values[position], self.old.graph)

    def copied(self, value: CoreValue) -> CoreValue:
        """Return a value of the old listing with its operands where they are now."""
        return replace(value, inputs=tuple(self.moved[i] for i in value.inputs))

    def finished(self) -> Listing:
        """Return the new listing without what nothing comes of."""
        old, moved = self.old, self.moved
        found = Listing(
            old.graph,
            self.values,
            tuple(moved[i] for i in old.outputs),
            tuple(Assignment(moved[target], moved[source]) for target, source in old.assignments),
            dict(old.notes),
        )
        found.noted("common subexpressions", self.shared)
        return without_dead(found)


def without_dead(listing: Listing) -> Listing:
    """Return a listing without the values that lead to no result; cells that are assigned to stay."""
    values = listing.values
    needed = bytearray(len(values))
    for position in (*listing.results, *(target for target, _ in listing.assignments)):
        needed[position] = 1
    for position in reversed(range(len(values))):
        operation = values[position].operation
        if operation is not None and (operation.draws or operation in CHECKING):  # draws change what is drawn next
            needed[position] = 1
        if needed[position]:
            for source in values[position].inputs:
                needed[source] = 1
    kept = [position for position in range(len(values)) if needed[position]]
    moved = dict(zip(kept, range(len(kept)), strict=True))
    return _rearranged(listing, kept, moved)


def _is_cell(value: CoreValue, graph: Graph) -> bool:
    return value.operation is None and graph.nodes[value.node].kind in CELLS


def _is_constant(value: CoreValue, graph: Graph) -> bool:
    return value.operation is None and not _is_cell(value, graph)


def scalars_first(listing: Listing) -> Listing:
    """Return a listing that begins with its leaves, and with the scalars that are computed from scalars alone."""
    values = listing.values
    is_early = [False] * len(values)
    for position, value in enumerate(values):
        draws = value.operation is not None and value.operation.draws
        is_early[position] = value.operation is None or (
            is_scalar(value) and not draws and all(is_early[i] and is_scalar(values[i]) for i in value.inputs)
        )
    order = sorted(range(len(values)), key=lambda position: not is_early[position])
    moved = dict(zip(order, range(len(order)), strict=True))
    return _rearranged(listing, order, moved, sum(is_early))


def _rearranged(listing: Listing, order: list[int], moved: dict[int, int], early: int = 0) -> Listing:
    """Return a listing of the values in `order`, which `moved` inverts."""
    values = listing.values
    return replace(
        listing,
        values=[replace(values[i], inputs=tuple(moved[source] for source in values[i].inputs)) for i in order],
        outputs=tuple(moved[i] for i in listing.outputs),
        assignments=tuple(Assignment(moved[target], moved[source]) for target, source in listing.assignments),
        early=early,
    )


def _key(value: CoreValue, listing: Listing) -> Any:
    """Return what two equal values have in common, None for one that is never equal to another."""
    if value.operation is None:
        if value.is_number:
            return type(value.array), repr(value.array)
        if listing.graph.nodes[value.node].kind in CELLS:
            return value.node
        array = value.array
        return (array.dtype.str, array.tobytes()) if not array.ndim else id(array)
    if value.operation.draws:
        return None
    layout = (value.array.shape, value.array.dtype, value.array.strides)
    return value.operation, value.inputs, value.weak, _frozen(value.static), layout


def _frozen(static: Any) -> Any:
    """Return static arguments as something that can be looked up; an array stands for itself."""
    if isinstance(static, np.ndarray):
        return id(static)
    if isinstance(static, slice):
        return "slice", static.start, static.stop, static.step
    if isinstance(static, list | tuple):
        return tuple(map(_frozen, static))
    if hasattr(static, "items"):
        return tuple((name, _frozen(argument)) for name, argument in static.items())
    return type(static), static
