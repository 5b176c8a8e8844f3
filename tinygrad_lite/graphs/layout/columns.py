"""The columns of the picture: how far from the left each place stands.

First comes their order, then positions near their neighbours that keep the distances which `distances` demands; last,
trunks that are free to be straight are made straight.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence, Set
from typing import NamedTuple

from tinygrad_lite.graphs.layout.distances import Demands
from tinygrad_lite.graphs.layout.ordering import Neighbour, Neighbours, ordered, spread, wanted
from tinygrad_lite.graphs.layout.rows import Places


class Columns(NamedTuple):
    """The middle of each place, and the left and right border of each scope."""

    middles: list[float]
    borders: dict[str, tuple[float, float]]


def columns(places: Places, title_widths: dict[str, float]) -> Columns:
    """Return where everything stands; a scope is at least as wide as its title."""
    sides = Neighbours(places)
    rows: list[list[int]] = [[] for _ in range(max(places.rows) + 1)]
    for place, row in enumerate(places.rows):
        rows[row].append(place)
    x = ordered(places, rows, sides)
    demands = Demands(places, x, title_widths)
    down, up = rows, rows[::-1]
    for neighbours, order in ((sides.above, down), (sides.below, up), (sides.all, down), (sides.all, up)):
        x = demands.met(_near(neighbours, order, demands, x))
    in_line = {v for line in places.lines for v in line}
    _straighten(places, demands, x, in_line)
    for v in range(places.count):
        uses, operands = (sides.above, sides.below) if places.rises[v] else (sides.below, sides.above)
        if uses[v] and not operands[v] and v not in in_line:
            x[v] = demands.nearest(x, [v], wanted(uses[v], x, x[v])[0])
    return Columns(x[: len(places.rows)], demands.borders(x))


def _near(neighbours: list[list[Neighbour]], order: list[list[int]], demands: Demands, x: list[float]) -> list[float]:
    """Return where each place would stand if it only looked at its neighbours, the rows before it having moved."""
    near = list(x)
    for row in order:
        wishes = [wanted(neighbours[v], near, x[v]) for v in row]
        for v, position in zip(row, spread(wishes, [demands.from_last[v] for v in row]), strict=True):
            near[v] = position
    return near


def _straighten(places: Places, demands: Demands, x: list[float], done: Set[int]) -> None:
    """Draw up lines that were taken apart, if all of them is free to move, and trunks, as far as they are."""
    for line in places.lines:
        if demands.free_run(x, line, 0) == len(line):
            _draw_up(demands, x, line)
    for trunk in places.trunks.values():
        way = [place for place in trunk.places if place not in done]
        start = 0
        while start < len(way):
            stop = demands.free_run(x, way, start)
            _draw_up(demands, x, way[start:stop])
            start = stop


def _draw_up(demands: Demands, x: list[float], run: Sequence[int]) -> None:
    upright = demands.nearest(x, run, statistics.fmean(x[v] for v in run))
    for v in run:
        x[v] = upright
