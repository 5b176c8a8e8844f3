"""A graph in core entries alone: every composite operation replaced by the steps that its lowering takes.

A lowering is a function of values, so it is captured once for the operands at hand, of which it reads shapes, dtypes
and memory order, and its steps stand where the operation stood.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.capture import Capture, capturing
from tinygrad_lite.errors import DefinitionError
from tinygrad_lite.graphs.recorded import Graph
from tinygrad_lite.mode import ModeChange
from tinygrad_lite.primitives import Primitive, named
from tinygrad_lite.primitives.lowering import Lowering, lowering_of
from tinygrad_lite.steps import Step
from tinygrad_lite.tensor import Array


@dataclass(slots=True)
class CoreValue:
    """A leaf, or the result of a core operation."""

    node: int
    """The node of the graph that it belongs to."""
    array: Any
    """Its values, or a stand-in with their shape, dtype and strides; or a Python number."""
    operation: Primitive | None = None
    inputs: tuple[int, ...] = ()
    """The position of each operand among the values."""
    static: Mapping[str, Any] = field(default_factory=dict)
    weak: frozenset[int] = frozenset()
    """The positions of the operands that count as Python numbers."""
    name: str | None = None
    """What the user, or a lowering, called it."""
    result_of: Primitive | None = None
    """The operation, composite or core, whose result it is."""

    @property
    def is_number(self) -> bool:
        """Whether it is a plain Python number."""
        return not hasattr(self.array, "shape")


class LoweredGraph(NamedTuple):
    """The values of a graph in core entries, in an order in which they can be computed."""

    values: list[CoreValue]
    places: list[int]
    """For each node of the graph, the position of its value."""


LoweringOf = Callable[[Primitive], Lowering | None]
"""Says how a primitive is computed in others, None for a core entry."""


def lowered(graph: Graph, lowering_of: LoweringOf = lowering_of) -> LoweredGraph:
    """Return `graph` in core entries; what has no lowering is left as it is, a primitive of one's own too.

    Raises DefinitionError for a lowering that does not give what the forward gives.
    """
    values: list[CoreValue] = []
    places: list[int] = []
    for node in graph.nodes:
        inputs = tuple(places[i] for i in node.inputs)
        value = CoreValue(node.id, node.array, node.operation, inputs, node.static, node.weak, node.name)
        places.append(_added(value, values, lowering_of))
    return LoweredGraph(values, places)


def _added(value: CoreValue, values: list[CoreValue], lowering_of: LoweringOf) -> int:
    """Add a value, or the steps that lead to it, and return its position."""
    operation = value.operation
    lowering = None if operation is None else lowering_of(operation)
    if lowering is None:
        value.result_of = operation
        values.append(value)
        return len(values) - 1
    place = _expanded(value, lowering, values, lowering_of)
    found = values[place]
    name = value.static["name"] if operation is named else value.name
    if place not in value.inputs:
        found.result_of, found.name = operation, name
    elif found.name is None:
        found.name = name
    return place


def _expanded(value: CoreValue, lowering: Lowering, values: list[CoreValue], lowering_of: LoweringOf) -> int:
    """Add the steps of a lowering and return the position of its result, which may be an operand."""
    sources = [i for i in dict.fromkeys(value.inputs) if not values[i].is_number]
    stand_ins = {i: _stand_in(values[i].array) for i in sources}
    capture = Capture(Step("input", stand_ins[i]) for i in sources)
    with capturing(capture), ModeChange(record=True), np.errstate(all="ignore"):
        operands = [
            values[i].array if i not in stand_ins else capture.tensor_of(sources.index(i), position not in value.weak)
            for position, i in enumerate(value.inputs)
        ]
        result = lowering(*operands, **value.static)
        last = capture.position_of(result)
    _check(value, capture.steps[last])
    places = dict(enumerate(sources))
    for i, step in enumerate(capture.steps):
        if i not in places:
            inputs = tuple(places[source] for source in step.inputs)
            made = CoreValue(value.node, step.array, step.operation, inputs, step.static, step.weak, step.name)
            places[i] = _added(made, values, lowering_of)
    return places[last]


def _stand_in(array: Any) -> Array:
    """Return the array itself, seen anew, or zeros in the memory order of one that is not there."""
    if isinstance(array, np.ndarray):
        return array.view()
    order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    zeros = np.zeros([array.shape[axis] for axis in order], array.dtype)
    return zeros.transpose([order.index(axis) for axis in range(array.ndim)])


def _check(value: CoreValue, found: Step) -> None:
    expected, given = ((x.array.dtype, x.array.shape) for x in (value, found))
    if expected != given:
        name = "" if value.operation is None else value.operation.name
        raise DefinitionError(
            f"{name}: its lowering gives {given[0]}{list(given[1])}, its forward {expected[0]}{list(expected[1])}"
        )
