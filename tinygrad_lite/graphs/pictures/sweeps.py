"""Which nodes of a graph belong to its backward sweep, and how each belongs to the forward computation.

A sweep contains nodes that only keep a promise, such as the order of an array in memory. Where the recorded values
show that they changed nothing, pictures leave them out: what used them is drawn using what they passed on. So they do
with checks, which never change anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tinygrad_lite.capture import same_numbers
from tinygrad_lite.primitives.shaping import CHECKS

if TYPE_CHECKING:
    from tinygrad_lite.graphs.recorded import Graph, GraphNode

PASSED_ON: Final = {"zero_kept_zero": 1, "contiguous": 0}
"""The operations that usually change nothing, and the position of the operand that they pass on."""


@dataclass
class Sweep:
    """The forward and the backward part of a graph, told apart."""

    drawn_as: list[int]
    """For each node the one that is drawn for it: itself, or what it passed on unchanged."""
    rises: list[bool]
    """Whether each node belongs to the backward part."""
    owner: list[int]
    """For each node of the backward part the forward node that it is about; otherwise the node itself."""
    values_of: dict[int, list[int]] = field(default_factory=dict)
    """The values of which a node is the total cotangent."""
    cotangent_of: dict[int, int] = field(default_factory=dict)
    """The node that is the total cotangent of a value."""

    def is_drawn(self, node: int) -> bool:
        """Return whether a node is drawn itself."""
        return self.drawn_as[node] == node


def sweep_of(graph: Graph) -> Sweep:
    """Return what of `graph` is its backward part, and which nodes changed nothing."""
    rises = _rising(graph)
    sweep = Sweep(list(range(len(graph.nodes))), rises, list(range(len(graph.nodes))))
    for node in graph.nodes:
        if node.operation in CHECKS:
            sweep.drawn_as[node.id] = sweep.drawn_as[node.inputs[0]]
        elif rises[node.id] and node.primitive in PASSED_ON:
            passed = sweep.drawn_as[node.inputs[PASSED_ON[node.primitive]]]
            if rises[passed] and _same(node, graph.nodes[passed]):
                sweep.drawn_as[node.id] = passed
    for value, cotangent in graph.cotangents:
        drawn = sweep.drawn_as[cotangent]
        if rises[drawn] and graph.nodes[value].operation not in CHECKS:
            sweep.values_of.setdefault(drawn, []).append(value)
            sweep.cotangent_of[value] = drawn
    _own(graph, sweep)
    return sweep


def _rising(graph: Graph) -> list[bool]:
    """Return which nodes the sweep computed: by rules, to begin with, to add up what rules gave or to hand it on."""
    totals = {cotangent for _, cotangent in graph.cotangents}
    last = max(totals, default=-1)
    rises = [False] * len(graph.nodes)
    for node in graph.nodes:
        hands_on = node.primitive in PASSED_ON or (node.primitive == "add" and node.id <= last)
        hands_on = hands_on and bool(node.inputs) and all(rises[source] for source in node.inputs)
        begins = node.id in totals and node.kind == "constant"
        rises[node.id] = node.back_through is not None or hands_on or begins
    used_forward = {source for node in graph.nodes if not rises[node.id] for source in node.inputs}
    for node in graph.nodes:
        for source in node.inputs if rises[node.id] else ():
            if graph.nodes[source].kind == "constant" and source not in used_forward:
                rises[source] = True  # a number in a derivative rule
    return rises


def _same(node: GraphNode, passed: GraphNode) -> bool:
    """Return whether the recorded values of both are the same, bit for bit."""
    a, b = node.values, passed.values
    return a is not None and b is not None and a.dtype == b.dtype and same_numbers(a, b)


def _own(graph: Graph, sweep: Sweep) -> None:
    """Tell for each node of the backward part which forward node it is about."""
    for node in reversed(graph.nodes):
        if not sweep.rises[node.id]:
            continue
        if node.back_through is not None:
            sweep.owner[node.id] = node.back_through
        elif node.id in sweep.values_of:
            sweep.owner[node.id] = sweep.values_of[node.id][0]
        for source in node.inputs:  # an unfinished sum, or a number: about what it goes into
            if sweep.rises[source] and graph.nodes[source].back_through is None and source not in sweep.values_of:
                sweep.owner[source] = sweep.owner[node.id]
    for v, owner in enumerate(sweep.owner):  # what a second sweep computed is about what the first is about
        while sweep.rises[owner] and sweep.owner[owner] not in (owner, v):
            owner = sweep.owner[owner]
        sweep.owner[v] = owner
