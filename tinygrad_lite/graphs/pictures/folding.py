"""Drawing less: deep scopes as one node, repetitions once, and what is still too much in runs of steps.

What is decided for the forward computation is done alike to what the backward sweep computes about it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tinygrad_lite.graphs.labels import shortened, shown
from tinygrad_lite.graphs.pictures.cells import Cell, Cells
from tinygrad_lite.graphs.pictures.copies import Folding
from tinygrad_lite.graphs.pictures.views import FOLDED_ABOVE
from tinygrad_lite.graphs.pictures.visits import Unit, Visit, Whole, nodes_in, visits

if TYPE_CHECKING:
    from tinygrad_lite.graphs.pictures.sweeps import Sweep
    from tinygrad_lite.graphs.pictures.views import View
    from tinygrad_lite.graphs.recorded import Graph


def cells_of(graph: Graph, sweep: Sweep, view: View) -> tuple[Cells, list[Cell]]:
    """Return what is drawn of `graph` as one, and all of it in an order in which everything follows its operands."""
    drawn = [v for v in range(len(graph.nodes)) if sweep.is_drawn(v)]
    folds = len(drawn) > FOLDED_ABOVE if view.fold is None else view.fold
    if not folds and view.depth is None:
        cells = Cells([None] * len(graph.nodes))
        for v in drawn:
            cells.of[v] = Cell([v], graph.nodes[v].scope, rises=sweep.rises[v])
        return cells, cells.all()
    forward = [v for v in drawn if not sweep.rises[v]]
    for depth, runs in _attempts(graph, forward, view, folds):
        cells, order = _folded(graph, sweep, drawn, depth, runs, folds)
        if not folds or len(order) <= FOLDED_ABOVE:
            break
    return cells, order


def _attempts(graph: Graph, forward: Sequence[int], view: View, folds: bool) -> list[tuple[int | None, int]]:
    """Return which depths to try, and of how many steps to make runs, until the picture is small enough."""
    attempts: list[tuple[int | None, int]] = [(view.depth, 0)]
    if folds:
        deepest = max((graph.nodes[v].scope.count(".") + 1 for v in forward if graph.nodes[v].scope), default=0)
        deepest = min(deepest, view.depth + 1 if view.depth is not None else deepest)
        attempts += [(depth, 0) for depth in _halved(deepest - 1)]
        attempts += [(0, steps) for steps in (1, -(-len(forward) // (FOLDED_ABOVE // 2)))]
    return attempts


def _halved(depth: int) -> list[int]:
    """Return the depths below: one by one where they are few, in ever larger steps otherwise."""
    depths = []
    while depth >= 0:
        depths.append(depth)
        depth = depth - 1 if depth <= 8 else depth // 2
    return depths


def _folded(
    graph: Graph, sweep: Sweep, drawn: list[int], depth: int | None, steps: int, folds: bool
) -> tuple[Cells, list[Cell]]:
    folding = Folding(graph, sweep, drawn)
    tree = visits(graph.nodes, [v for v in drawn if not sweep.rises[v]], "at first use" if steps else "in only visit")
    if depth is not None:
        _close(tree, depth)
    if steps:
        tree.units = _in_runs(graph, tree.units, steps)
    folding.draw(tree, folds)
    if depth is not None:
        folding.join(depth)
    folding.go_back()
    return folding.cells, folding.disentangled()


# ----- Fewer units -----


def _close(tree: Visit, depth: int) -> None:
    """Make one unit of each visit to a scope that is nested deeper than `depth`."""
    waiting = [tree]
    while waiting:
        visit = waiting.pop()
        for i, unit in enumerate(visit.units):
            if isinstance(unit, Visit):
                if unit.scope.count(".") >= depth:
                    visit.units[i] = Whole(list(unit.nodes()), shortened(shown(unit.scope)), unit.scope, is_scope=True)
                else:
                    waiting.append(unit)


def _in_runs(graph: Graph, units: list[Unit], steps: int) -> list[Unit]:
    """Make one unit of what the same line of the user's code computed in a row, or of every few `steps`."""
    if steps > 1:
        runs = [units[i : i + steps] for i in range(0, len(units), steps)]
    else:
        places = [graph.nodes[unit].place if isinstance(unit, int) else "" for unit in units]
        grouped = itertools.groupby(range(len(units)), key=lambda i: places[i] or i)
        runs = [[units[i] for i in run] for _, run in grouped]
    return [_as_one(graph, run) if len(run) > 1 else run[0] for run in runs]


def _as_one(graph: Graph, run: list[Unit]) -> Whole:
    nodes = [v for unit in run for v in nodes_in(unit)]
    computed = [graph.nodes[v] for v in nodes if graph.nodes[v].primitive]
    ends = [shown(node.primitive or "") for node in (computed[0], computed[-1])] if computed else ["constants"] * 2
    title = ends[0] if ends[0] == ends[1] else f"{ends[0]} … {ends[1]}"
    return Whole(nodes, title, graph.nodes[nodes[-1]].scope, is_scope=False)
