"""Which nodes are drawn as one, and what that makes of the edges between them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from tinygrad_lite.graphs.labels import shortened, shown

if TYPE_CHECKING:
    from tinygrad_lite.graphs.pictures.sweeps import Sweep
    from tinygrad_lite.graphs.recorded import Graph

Turns: TypeAlias = tuple[tuple[int, int], ...]
"""In which repetitions a node stands, outermost first: which one, and in which of its turns."""


@dataclass(eq=False)
class Cell:
    """Nodes that are drawn as one: the same step of every turn of a repetition, or everything in a scope."""

    members: list[int]
    scope: str
    """Where it is drawn, a path whose last parts may stand for several scopes: `layers.3…40`."""
    title: str = ""
    """What it is called, empty for what its nodes are called."""
    count: int = 1
    """How often it is repeated."""
    whole: str | None = None
    """The scope that it is all of, or in which it is a run of steps; None if each member is the same step."""
    is_scope: bool = False
    """Whether it is all of that scope."""
    rises: bool = False


@dataclass
class Repetition:
    """A part of the computation that is drawn once and done several times."""

    count: int
    box: str = ""
    """The path of the box that is drawn around it, empty if it is a single node."""
    chained: bool = False
    """Whether a turn takes something from another."""

    def told(self) -> tuple[str, str]:
        """Return the title of the box around it and what is told to who points at it."""
        how = "in a row" if self.chained else "side by side"
        name = self.box.rpartition(".")[2]
        title = f"×{self.count} {how}" if name.startswith("×") else f"{shortened(shown(name))} ×{self.count} {how}"
        return title, shown(f"{self.box}: {self.count} times, {how}")


@dataclass
class Cells:
    """All cells of a picture."""

    of: list[Cell | None]
    """The cell of each node, None for what is not drawn."""
    turns: dict[int, Turns] = field(default_factory=dict)
    repetitions: list[Repetition] = field(default_factory=list)

    def all(self) -> list[Cell]:
        """Return each cell once, in the order of their first members."""
        return list(dict.fromkeys(cell for cell in self.of if cell is not None))

    def crosses_turns(self, source: int, target: int) -> int | None:
        """Return the repetition in which one turn takes `source` from another for `target`, None if there is none."""
        for (a, i), (b, j) in zip(self.turns.get(source, ()), self.turns.get(target, ()), strict=False):
            if a != b:
                return None
            if i != j:
                return a
        return None


def operands(graph: Graph, sweep: Sweep, cells: Cells, cell: Cell) -> Iterator[Cell]:
    """Yield the cell of every operand of `cell`, in order.

    What goes from one turn of a repetition to the next is told in words; what several nodes drawn as one give to, or
    take from, others is one edge. Everything else is an edge each.
    """
    seen: set[tuple[int, int]] = set()
    for member in cell.members:
        times: dict[int, int] = {}
        for operand in graph.nodes[member].inputs:
            source = sweep.drawn_as[operand]
            given = cells.of[source]
            if given is None:  # the backward part, which gets its cells last
                continue
            times[source] = times.get(source, -1) + 1
            key = (id(given), 0 if cell.whole is not None or given.whole is not None else times[source])
            repetition = cells.crosses_turns(source, member)
            if repetition is not None:
                cells.repetitions[repetition].chained = True
            elif given is not cell and key not in seen:
                seen.add(key)
                yield given


def ordered(graph: Graph, sweep: Sweep, cells: Cells) -> tuple[list[Cell], list[Cell]]:
    """Return the cells after their operands, and those of which none can come first, for they use one another."""
    every = cells.all()
    if all(len(cell.members) == 1 for cell in every):
        return every, []
    number = {id(cell): i for i, cell in enumerate(every)}
    users: list[list[int]] = [[] for _ in every]
    waits = [0] * len(every)
    for i, cell in enumerate(every):
        for given in {id(given): given for given in operands(graph, sweep, cells, cell)}.values():
            users[number[id(given)]].append(i)
            waits[i] += 1
    ready = [i for i, wait in enumerate(waits) if not wait]
    heapq.heapify(ready)
    found = []
    while ready:
        i = heapq.heappop(ready)
        found.append(i)
        for user in users[i]:
            waits[user] -= 1
            if not waits[user]:
                heapq.heappush(ready, user)
    done = set(found)
    return [every[i] for i in found], [cell for i, cell in enumerate(every) if i not in done]
