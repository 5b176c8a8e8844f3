"""The columns of the picture: the order of the places in their rows, then how far from the left each stands.

First the order, by the medians of the neighbours in sweeps up and down; then positions near their neighbours that keep
the distances which `distances` demands; last, what can be straight is made straight.
"""

from __future__ import annotations

import statistics
from typing import Final, NamedTuple

from tinygrad_lite.graphs.distances import NODE_GAP, Demands, keys_of
from tinygrad_lite.graphs.rows import MAIN, Places

SWEEPS: Final = 6


class Neighbour(NamedTuple):
    """A place linked to another, how far right of it that other wants to be, and how much."""

    place: int
    shift: float
    weight: int


class Columns(NamedTuple):
    """The middle of each place, and the left and right border of each scope."""

    middles: list[float]
    borders: dict[str, tuple[float, float]]


def columns(places: Places, title_widths: dict[str, float]) -> Columns:
    """Return where everything stands; a scope is at least as wide as its title."""
    above: list[list[Neighbour]] = [[] for _ in places.rows]
    below: list[list[Neighbour]] = [[] for _ in places.rows]
    for a, b, offset, weight in places.links:
        above[b].append(Neighbour(a, -offset, weight))
        below[a].append(Neighbour(b, offset, weight))
    rows: list[list[int]] = [[] for _ in range(max(places.rows) + 1)]
    for place, row in enumerate(places.rows):
        rows[row].append(place)
    x = _ordered(places, rows, above, below)
    demands = Demands(places, x, title_widths, entered=[bool(neighbours) for neighbours in above])
    both = [a + b for a, b in zip(above, below, strict=True)]
    for neighbours, order in ((above, rows), (below, rows[::-1]), (both, rows), (both, rows[::-1])) * 2:
        x = demands.met(_wishes(neighbours, order, x))
    x = demands.met(_wishes(above, rows, x))
    _straighten(places, rows, above, below, demands, x)
    return Columns(x[: len(places.rows)], demands.borders(x))


def _wishes(neighbours: list[list[Neighbour]], order: list[list[int]], x: list[float]) -> list[float]:
    """Return where each place would stand if it only looked at its neighbours, the rows before it having moved."""
    wish = list(x)
    for row in order:
        for v in row:
            wish[v] = _mean(neighbours[v], wish, x[v])
    return wish


def _straighten(
    places: Places,
    rows: list[list[int]],
    above: list[list[Neighbour]],
    below: list[list[Neighbour]],
    demands: Demands,
    x: list[float],
) -> None:
    """Move single places, as far as they are free to: under what they continue, trunks upright, leaves to their use."""
    for row in rows:
        for v in row:
            for neighbour in above[v]:
                if neighbour.weight == MAIN:
                    x[v] = demands.nearest(x, [v], x[neighbour.place] + neighbour.shift)
    for trunk in places.trunks.values():
        start = trunk.places.start
        while start < trunk.places.stop:
            stop = demands.free_run(x, range(start, trunk.places.stop))
            run = range(start, stop)
            upright = demands.nearest(x, run, statistics.fmean(x[v] for v in run))
            x[start:stop] = [upright] * len(run)
            start = stop
    for row in rows[::-1]:
        for v in row:
            if below[v] and not above[v]:
                x[v] = demands.nearest(x, [v], _mean(below[v], x, x[v]))


def _mean(neighbours: list[Neighbour], x: list[float], otherwise: float) -> float:
    if not neighbours:
        return otherwise
    total = sum(weight * (x[place] + shift) for place, shift, weight in neighbours)
    return total / sum(neighbour.weight for neighbour in neighbours)


# ----- Order -----


def _ordered(
    places: Places, rows: list[list[int]], above: list[list[Neighbour]], below: list[list[Neighbour]]
) -> list[float]:
    """Return a first position for each place: row after row, up and down, each under or over its neighbours."""
    x = [0.0] * len(places.rows)
    keys = keys_of(places, x)
    for neighbours, order in ((below, rows[::-1]), (above, rows)) * (SWEEPS // 2) + ((below, rows[::-1]),):
        for row in order:
            wish = {
                v: statistics.median([x[n.place] + n.shift for n in neighbours[v]]) if neighbours[v] else x[v]
                for v in row
            }
            row.sort(key=lambda v: (*keys[places.scopes[v]], (wish[v], 0)))
            left = 0.0
            for v in row:
                x[v] = left + places.widths[v] / 2
                left += places.widths[v] + NODE_GAP
            shift = statistics.fmean(wish[v] - x[v] for v in row)
            for v in row:
                x[v] += shift
        keys = keys_of(places, x)
    return x
