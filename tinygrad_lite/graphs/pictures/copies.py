"""Making the cells of a picture: what is alike in every turn of a repetition becomes one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from tinygrad_lite.graphs.pictures.cells import Cell, Cells, Repetition, Turns, ordered
from tinygrad_lite.graphs.pictures.repeats import Repeat, repeats
from tinygrad_lite.graphs.pictures.visits import Unit, Visit, Whole, nodes_in
from tinygrad_lite.graphs.scopes import path_to

if TYPE_CHECKING:
    from tinygrad_lite.graphs.pictures.sweeps import Sweep
    from tinygrad_lite.graphs.recorded import Graph

FEWEST_LEAVES: Final = 8
"""How many parameters or constants in a row are drawn as one, at least."""


class _Copies(NamedTuple):
    """Sequences of units that are alike, the box that they are drawn in, and in which turns each of them stands."""

    units: list[list[Unit]]
    turns: list[Turns]
    box: str
    scope: str
    """The scope that the first of them is a visit to."""


class Folding:
    """The cells of a graph while they are made."""

    def __init__(self, graph: Graph, sweep: Sweep, drawn: list[int]) -> None:
        self.graph, self.sweep, self.drawn = graph, sweep, drawn
        self.cells = Cells([None] * len(graph.nodes))
        self.backward: dict[int, list[int]] = {}
        """What of the backward part is about each forward node."""
        for v in drawn:
            if sweep.rises[v]:
                self.backward.setdefault(sweep.owner[v], []).append(v)

    # ----- Forward -----

    def draw(self, tree: Visit, folds: bool) -> None:
        """Make the cells of the forward part."""
        signatures = _Signatures(self, tree) if folds else None
        waiting = [_Copies([tree.units], [()], "", "")]
        while waiting:
            copies = waiting.pop()
            units = copies.units[0]
            for repeat in signatures.repeats(units) if signatures else [Repeat(i, 1, 1) for i in range(len(units))]:
                waiting += self._drawn(copies, repeat)

    def _drawn(self, copies: _Copies, repeat: Repeat) -> list[_Copies]:
        """Make the cells of a stretch of the units, and return the visits in it, which are still to be drawn."""
        if repeat.times == 1:
            return self._step([units[repeat.start] for units in copies.units], copies, 1)
        number = len(self.cells.repetitions)
        self.cells.repetitions.append(Repetition(repeat.times))
        parts: list[list[Unit]] = []
        turns: list[Turns] = []
        for units, outer in zip(copies.units, copies.turns, strict=True):
            for turn in range(repeat.times):
                start = repeat.start + turn * repeat.period
                parts.append(units[start : start + repeat.period])
                turns.append((*outer, (number, turn)))
        if repeat.period == 1:
            return self._step([part[0] for part in parts], copies._replace(turns=turns), repeat.times)
        box = _inside(copies.box, f"×{repeat.times} ({number + 1})")
        self.cells.repetitions[number].box = box
        return [_Copies(parts, turns, box, copies.scope)]

    def _step(self, units: Sequence[Unit], copies: _Copies, count: int) -> list[_Copies]:
        """Make the cell of units that are alike; of visits, return what is to be drawn inside."""
        first = units[0]
        if isinstance(first, Visit):
            same = [unit for unit in units if isinstance(unit, Visit)]
            box = _inside(copies.box, range_of([visit.scope.rpartition(".")[2] for visit in same], "…"))
            if count > 1:
                self.cells.repetitions[copies.turns[0][-1][0]].box = box
            return [_Copies([visit.units for visit in same], copies.turns, box, first.scope)]
        cell = Cell([], copies.box, count=count)
        if isinstance(first, Whole):
            cell.whole, cell.is_scope = first.scope, first.is_scope
            cell.title = range_of([unit.title for unit in units if isinstance(unit, Whole)], " … ")
        elif len(units) == 1 and self.graph.nodes[first].scope != copies.scope:
            cell.scope = self.graph.nodes[first].scope  # of another scope than those who use it
        for unit, turn in zip(units, copies.turns, strict=True):
            for v in nodes_in(unit):
                cell.members.append(v)
                self.cells.of[v] = cell
                if turn:
                    self.cells.turns[v] = turn
        return []

    def join(self, depth: int) -> None:
        """Draw all visits to a scope as one where that leads to no circle, with what else belongs to the scope."""
        alike: dict[str, list[Cell]] = {}
        for cell in self.cells.all():
            first = self.graph.nodes[cell.members[0]]
            if cell.whole is not None and cell.is_scope and first.id not in self.cells.turns:
                alike.setdefault(cell.whole, []).append(cell)
            elif cell.whole is None and len(path := path_to(cell.scope)) > depth:
                cell.scope = path[depth - 1] if depth else ""
                alike.setdefault(path[depth], []).append(cell)
        joined = {}
        for cells in alike.values():
            if len(cells) > 1 and (main := next((cell for cell in cells if cell.whole is not None), None)):
                together = Cell([], main.scope, main.title, whole=main.whole, is_scope=True)
                joined[id(together)] = cells
                together.members = sorted(v for cell in cells for v in cell.members)
                self._assign(together)
        for cell in ordered(self.graph, self.sweep, self.cells)[1]:
            for apart in joined.get(id(cell), ()):
                self._assign(apart)

    def _assign(self, cell: Cell) -> None:
        for v in cell.members:
            self.cells.of[v] = cell

    # ----- Backward -----

    def go_back(self) -> None:
        """Make the cells of the backward part as those that they are about were made."""
        found: dict[tuple[int, int], Cell] = {}
        for owner, about in self.backward.items():
            forward = self.cells.of[owner]
            for position, v in enumerate(about):
                if forward is None or self.sweep.rises[owner]:
                    self.cells.of[v] = Cell([v], self.graph.nodes[v].scope, rises=True)
                    continue
                key = (id(forward), position if forward.whole is None else 0)
                if key not in found:
                    found[key] = Cell(
                        [], forward.scope, forward.title, forward.count, forward.whole, forward.is_scope, rises=True
                    )
                found[key].members.append(v)
                self.cells.of[v] = found[key]
                if owner in self.cells.turns:
                    self.cells.turns[v] = self.cells.turns[owner]

    def disentangled(self) -> list[Cell]:
        """Return the cells after their operands; those that use one another are taken apart."""
        while True:
            order, entangled = ordered(self.graph, self.sweep, self.cells)
            if not entangled:
                return order
            for cell in entangled:
                for v in cell.members:
                    self.cells.of[v] = Cell([v], self.graph.nodes[v].scope, rises=cell.rises)
                    self.cells.turns.pop(v, None)


def _inside(box: str, name: str) -> str:
    return f"{box}.{name}" if box else name


def range_of(names: Sequence[str], between: str) -> str:
    """Return one name for several: the first and the last.

    >>> range_of(["3", "4", "5"], "…"), range_of(["cell", "cell"], "…")
    ('3…5', 'cell')
    """
    different = list(dict.fromkeys(names))
    return different[0] if len(different) == 1 else f"{different[0]}{between}{different[-1]}"


class _Signatures:
    """A number for each unit; units with equal numbers look alike, with what the backward sweep does about them."""

    def __init__(self, folding: Folding, tree: Visit) -> None:
        self.folding = folding
        self.known: dict[object, int] = {}
        self.of: dict[Unit, int] = {}
        order = [tree]
        for visit in order:
            order += [unit for unit in visit.units if isinstance(unit, Visit)]
        for visit in reversed(order):
            for unit in visit.units:
                if isinstance(unit, int):
                    self.of[unit] = self._number(self._node(unit))
                elif isinstance(unit, Whole):
                    self.of[unit] = self._number(tuple(self._number(self._node(v)) for v in unit.nodes))
            self.of[visit] = self._number(tuple(self.of[unit] for unit in visit.units))

    def _number(self, facts: object) -> int:
        return self.known.setdefault(facts, len(self.known))

    def _node(self, v: int) -> object:
        nodes = self.folding.graph.nodes
        about = (nodes[b] for b in self.folding.backward.get(v, ()))
        node = nodes[v]
        backward = tuple((other.primitive, other.shape, str(other.dtype)) for other in about)
        return (node.kind, node.primitive, node.shape, str(node.dtype), backward)

    def repeats(self, units: Sequence[Unit]) -> list[Repeat]:
        """Return what repeats in units that follow one another."""
        found = []
        for repeat in repeats([self.of[unit] for unit in units]):
            first = units[repeat.start]
            if repeat.period == 1 and 1 < repeat.times < FEWEST_LEAVES and isinstance(first, int):
                leaf = not self.folding.graph.nodes[first].inputs
                found += [Repeat(i, 1, 1) for i in range(repeat.start, repeat.end)] if leaf else [repeat]
            else:
                found.append(repeat)
        return found
