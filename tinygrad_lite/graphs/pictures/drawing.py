"""A picture before it has a format: the marks that are drawn, with their words and colours, and what connects them.

Everything that draws a graph reads a `Drawing` and no more. It is made from a Graph and a view, which says what is
shown; a mark is a node, or several that are drawn as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from tinygrad_lite.graphs.labels import shortened, shown
from tinygrad_lite.graphs.pictures.annotating import Annotations
from tinygrad_lite.graphs.pictures.cells import Cell, Cells, operands
from tinygrad_lite.graphs.pictures.containers import boxes_of, path_of, title_of
from tinygrad_lite.graphs.pictures.folding import cells_of
from tinygrad_lite.graphs.pictures.legends import Legend
from tinygrad_lite.graphs.pictures.look import BACKWARD_FILL, BACKWARD_LINE, RIGHT, STYLES, WRONG, Style
from tinygrad_lite.graphs.pictures.sweeps import Sweep, sweep_of
from tinygrad_lite.graphs.pictures.views import View, ViewOptions
from tinygrad_lite.graphs.scopes import enclosing

if TYPE_CHECKING:
    from tinygrad_lite.graphs.recorded import Graph

MarkKind: TypeAlias = Literal["operation", "parameter", "input", "state", "constant", "group"]


@dataclass(frozen=True, slots=True)
class Mark:
    """What is drawn in one place: a node, or several as one."""

    kind: MarkKind
    """The kind of the node; a group for nodes of different kinds that are drawn as one."""
    style: Style
    title: str
    details: tuple[str, ...]
    tooltip: str
    scope: str
    """The path of the box that it stands in, as `containers` writes it."""
    inputs: tuple[int, ...]
    """The position of the mark of each operand."""
    nodes: tuple[int, ...]
    """The ids of the nodes that it stands for."""
    is_output: bool = False
    """Whether it is a result: of the computation, or a gradient by a parameter."""
    rises: bool = False
    """Whether it belongs to the backward part."""
    beside: int | None = None
    """The position of the mark of the value whose total cotangent it is."""
    count: int = 1
    """How often it is repeated, where no box around it tells."""
    verdict: bool | None = None
    """Whether a gradient report found it right; None if it says nothing about it."""


class Connection(NamedTuple):
    """An edge of a picture, from the mark `source` to `target`."""

    source: int
    target: int
    kind: Literal["forward", "backward", "read"]
    """Backward along the sweep; read where the sweep takes a value of the forward part."""


class ScopeBox(NamedTuple):
    """The words on the box around a scope, or around what is repeated."""

    title: str
    tooltip: str


@dataclass(frozen=True)
class Drawing:
    """A picture: marks in an order in which each follows its operands, boxes around scopes, and a legend."""

    marks: tuple[Mark, ...]
    scopes: Mapping[str, ScopeBox]
    """By path, outer before inner."""
    legend: Legend

    @property
    def edges(self) -> Iterator[Connection]:
        """One edge per operand, in the order of the marks that take them."""
        for target, mark in enumerate(self.marks):
            for source in mark.inputs:
                if not mark.rises:
                    yield Connection(source, target, "forward")
                else:
                    yield Connection(source, target, "backward" if self.marks[source].rises else "read")


def drawing(graph: Graph, options: ViewOptions | None = None) -> Drawing:
    """Return the picture of `graph` that the options ask for.

    Raises ArgumentError for options that no picture has, GraphError for what this graph does not tell.

    >>> import tinygrad_lite as tg
    >>> from tinygrad_lite.graphs import graph
    >>> [mark.title for mark in drawing(graph(tg.Tensor(2.0, requires_grad=True, name="x") * 3.0)).marks]
    ['x', '3.0', 'multiply']
    """
    view = View.of(options or {})
    sweep = sweep_of(graph)
    cells, order = cells_of(graph, sweep, view)
    return _Drawer(graph, view, sweep, cells, order).drawn()


class _Drawer:
    """Turns cells into marks."""

    def __init__(self, graph: Graph, view: View, sweep: Sweep, cells: Cells, order: list[Cell]) -> None:
        self.graph, self.view, self.sweep, self.cells, self.order = graph, view, sweep, cells, order
        self.position = {id(cell): i for i, cell in enumerate(order)}
        self.outputs = {sweep.drawn_as[v] for v in graph.outputs}
        self.inputs = [[self.position[id(given)] for given in operands(graph, sweep, cells, cell)] for cell in order]
        self.words = Annotations(graph, view, sweep, cells, order)

    def drawn(self) -> Drawing:
        marks = tuple(self.mark(cell, tuple(self.inputs[i])) for i, cell in enumerate(self.order))
        boxes = boxes_of(marks)
        marks = tuple(replace(mark, scope=boxes[mark.scope]) for mark in marks)
        repeated = {repetition.box: repetition for repetition in self.cells.repetitions if repetition.box}
        scopes = {}
        for box in enclosing(mark.scope for mark in marks):
            path = path_of(box)
            around = repeated.get(path)
            title = shortened(shown(title_of(box)))
            scopes[box] = ScopeBox(title, shown(path)) if around is None else ScopeBox(*around.told())
        return Drawing(marks, MappingProxyType(scopes), self.legend(marks))

    def legend(self, marks: Sequence[Mark]) -> Legend:
        kinds = [kind for kind in STYLES if any(mark.kind == kind for mark in marks)]
        kinds += ["backward"] if any(mark.rises for mark in marks) else []
        notes = self.words.notes()
        if any("±" in line for mark in marks for line in mark.details):
            notes += ("a ± b: mean and standard deviation of the values",)
        if "value" in self.view.show and any(node.dtype and node.values is None for node in self.graph.nodes):
            notes += ("values that the tape did not keep are not told; tg.trace keeps all",)
        return Legend((*kinds, "output"), self.words.heat, notes)

    def mark(self, cell: Cell, inputs: tuple[int, ...]) -> Mark:
        first = self.graph.nodes[cell.members[0]]
        kind: MarkKind = first.kind if cell.whole is None else "group"
        verdict = self.words.verdict(cell)
        beside = self.beside(cell)
        return Mark(
            kind=kind,
            style=self.style(cell, kind, verdict),
            title=self.words.title(cell, beside is not None),
            details=self.words.details(cell, beside is not None),
            tooltip=self.words.tooltip(cell),
            scope=cell.scope if beside is None else self.order[beside].scope,
            inputs=inputs,
            nodes=tuple(cell.members),
            is_output=self.is_result(cell),
            rises=cell.rises,
            beside=beside,
            count=cell.count,
            verdict=verdict,
        )

    def style(self, cell: Cell, kind: MarkKind, verdict: bool | None) -> Style:
        style = STYLES[kind]
        if cell.rises:
            style = Style(style.shape, BACKWARD_FILL if kind != "constant" else style.fill, BACKWARD_LINE)
        fill = self.words.fill(cell)
        if fill is not None:
            style = style._replace(fill=fill)
        return style if verdict is None else style._replace(line=RIGHT if verdict else WRONG)

    def is_result(self, cell: Cell) -> bool:
        if cell.rises and cell.whole is None:
            values = (value for v in cell.members for value in self.sweep.values_of.get(v, ()))
            return any(self.graph.nodes[value].kind == "parameter" for value in values)
        return not self.outputs.isdisjoint(cell.members)

    def beside(self, cell: Cell) -> int | None:
        """Return the value whose total cotangent a cell is; of what is repeated, if it is one of the same turn."""
        found: dict[int, None] = {}
        for v in cell.members if cell.rises else ():
            for value in self.sweep.values_of.get(v, ())[:1]:
                other = self.cells.of[value]
                same_turn = other is not None and self.cells.crosses_turns(value, v) is None
                found[self.position[id(other)] if same_turn else -1] = None
        if cell.whole is not None:
            found = {position: None for position in found if self.order[position].whole is not None}
        position = min(found, default=-1)
        return position if position >= 0 and (cell.whole or len(found) == 1) else None
