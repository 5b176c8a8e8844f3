"""What a computation costs: operations, bytes moved, parameters, and what waits in memory for the backward sweep.

    cost = cost_of(graph)
    print(cost)                          # by scope, then the costliest operations
    cost.rows[5].flops, cost.scopes["layers.0"].parameters, cost.backward.flops

The counts stand in the tables beside the rules; the conventions are told in the README of that room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from tinygrad_lite.graphs.costing import pricing
from tinygrad_lite.graphs.explaining.naming import behind_checks, extent_of
from tinygrad_lite.graphs.pictures.sweeps import sweep_of
from tinygrad_lite.graphs.recorded import Graph, GraphNode
from tinygrad_lite.graphs.scopes import path_to


class Row(NamedTuple):
    """What one node costs."""

    id: int
    flops: int | None
    """Floating-point operations; None if nobody said how many they are."""
    bytes: int
    """Operands read and result written; nothing for a view."""
    parameters: int
    """How many numbers a parameter has."""
    kept: int
    """The bytes that wait for the backward sweep, in the row of the value that they are."""


class Total(NamedTuple):
    """What several nodes cost together."""

    flops: int = 0
    bytes: int = 0
    parameters: int = 0
    kept: int = 0
    unknown: int = 0
    """How many operations have no count; the FLOPs of these are not in the sum."""

    def plus(self, row: Row) -> Total:
        """Return this with one more node."""
        return Total(
            self.flops + (row.flops or 0),
            self.bytes + row.bytes,
            self.parameters + row.parameters,
            self.kept + row.kept,
            self.unknown + (row.flops is None),
        )


Part: TypeAlias = Literal["forward", "backward", "update"]


@dataclass(frozen=True, repr=False)
class Cost:
    """What a graph costs, by node and by scope; `print(cost)` is a table."""

    graph: Graph
    rows: tuple[Row, ...]
    """One per node, by id."""
    parts: tuple[Part, ...]
    """For each node whether it is the computation itself, its backward sweep, or what is done with the gradients."""

    @property
    def total(self) -> Total:
        """All of it."""
        return self.scopes[""]

    @property
    def forward(self) -> Total:
        """The computation itself."""
        return self.scopes_of("forward")[""]

    @property
    def backward(self) -> Total:
        """The backward sweep."""
        return self.scopes_of("backward")[""]

    @property
    def update(self) -> Total:
        """What is done with the gradients, such as the step of an optimizer."""
        return self.scopes_of("update")[""]

    @property
    def scopes(self) -> Mapping[str, Total]:
        """Every scope with all that lies in it; the empty one is the whole."""
        return self.scopes_of("forward", "backward", "update")

    def scopes_of(self, *parts: Part) -> Mapping[str, Total]:
        """Return every scope with what these parts of the graph cost in it."""
        totals: dict[str, Total] = {"": Total()}
        for row, part in zip(self.rows, self.parts, strict=True):
            for scope in ("", *path_to(self.graph.nodes[row.id].scope)):
                before = totals.setdefault(scope, Total())
                totals[scope] = before.plus(row) if part in parts else before
        return MappingProxyType(totals)

    def __str__(self) -> str:
        return pricing.text(self)

    def __repr__(self) -> str:
        return f"<Cost: {pricing.summary(self)}>"

    def to_markdown(self) -> str:
        """Return the tables in Markdown."""
        return pricing.markdown(self)

    def _repr_html_(self) -> str:
        return pricing.page(self)


def cost_of(graph: Graph) -> Cost:
    """Return what each node of `graph` costs.

    >>> import numpy as np, tinygrad_lite as tg
    >>> w = tg.Tensor(np.zeros((10, 784)), requires_grad=True, name="w")
    >>> cost = cost_of(tg.graph(np.tanh(np.zeros((100, 784)) @ w.T)))
    >>> cost.total.parameters, cost.total.flops == 2 * 100 * 784 * 10 + 100 * 10
    (7840, True)
    """
    kept = _kept(graph)
    rows = (
        Row(node.id, *_work(node, graph), _size(node) if node.kind == "parameter" else 0, kept.get(node.id, 0))
        for node in graph.nodes
    )
    return Cost(graph, tuple(rows), tuple(_parts(graph)))


def _parts(graph: Graph) -> list[Part]:
    """Tell forward, backward and update apart.

    An update depends on what a sweep computed, or serves nothing else, and was not itself differentiated.
    """
    rises = sweep_of(graph).rises
    parts: list[Part] = ["backward" if is_backward else "forward" for is_backward in rises]
    if not any(rises):
        return parts
    differentiated = {value for value, _ in graph.cotangents}
    for node in graph.nodes:
        is_late = any(parts[source] != "forward" for source in node.inputs)
        if is_late and not rises[node.id] and node.id not in differentiated:
            parts[node.id] = "update"
    needed = {source for node in graph.nodes if parts[node.id] == "backward" for source in node.inputs}
    needed |= differentiated.union(graph.outputs)
    serving = {update.source for update in graph.updates}
    for node in reversed(graph.nodes):
        if parts[node.id] == "forward" and node.id in serving and node.id not in needed:
            parts[node.id] = "update"
        (needed if parts[node.id] == "forward" else serving).update(node.inputs)
    return parts


def _size(node: GraphNode) -> int:
    return extent_of(node).size


def _work(node: GraphNode, graph: Graph) -> tuple[int | None, int]:
    """Return the operations and the bytes moved of one node."""
    if node.operation is None:
        return (0, 0) if node.kind != "operation" else (None, 0)
    result = extent_of(node)
    operands = [extent_of(graph.nodes[i]) for i in node.inputs]
    flops = None if node.operation.flops is None else node.operation.flops(result, *operands, **node.static)
    if node.operation.moved is not None:
        return flops, node.operation.moved(result, *operands, **node.static)
    return flops, result.nbytes + sum(extent_of(graph.nodes[i]).nbytes for i in set(node.inputs))


# ----- What waits for the backward sweep -----


def _kept(graph: Graph) -> dict[int, int]:
    """Return the bytes of every value that a derivative rule will read, of memory that several share once.

    Parameters and state are there anyway. A view keeps the memory alive that it looks at, so views of one memory count
    together, at most as much as there is of it.
    """
    owned = {id(_owner(node.array)) for node in graph.nodes if node.kind in ("parameter", "state")}
    counted: dict[int, int] = {}
    kept: dict[int, int] = {}
    for node_id in sorted(_read_back(graph)):
        node = graph.nodes[node_id]
        owner = _owner(node.array)
        if _looked_at(node, graph).kind in ("parameter", "state") or id(owner) in owned:
            continue
        key = id(owner) if isinstance(owner, np.ndarray) else -node_id - 1
        there = owner.nbytes if isinstance(owner, np.ndarray) else extent_of(node).nbytes
        before = counted.get(key, 0)
        counted[key] = min(there, before + extent_of(node).nbytes)
        kept[node_id] = counted[key] - before
    return kept


def _read_back(graph: Graph) -> set[int]:
    """Return the values that wanted rules read, as the engine plans it."""
    found: set[int] = set()
    for node in graph.nodes:
        if node.operation is None or not node.carries or node.back_through is not None:
            continue
        wanted = sum(1 << i for i in node.carries)
        plan = node.operation.make_plan(wanted | 1 << len(node.inputs))
        if plan is not None:
            unread = set(plan.unread)
            found.update(source for i, source in enumerate(node.inputs) if i not in unread)
            found.update([node.id] if plan.keeps_output else [])
    return {behind_checks(graph.nodes[i], graph.nodes).id for i in found}


def _looked_at(node: GraphNode, graph: Graph) -> GraphNode:
    """Return the value that a view of a view looks at in the end; a tape does not keep every parameter's array."""
    while node.operation is not None and _work(node, graph)[1] == 0 and _owner(node.array) is not node.array:
        node = graph.nodes[node.inputs[0]]
    return node


def _owner(array: Any) -> Any:
    """Return the array that owns the memory which `array` looks at."""
    while isinstance(getattr(array, "base", None), np.ndarray):
        array = array.base
    return array
