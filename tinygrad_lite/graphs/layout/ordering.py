"""The order of the places in their rows: which stands left of which.

In sweeps up and down every place goes where its neighbours in the rows before want it; then those next to each other
are exchanged where that makes lines shorter. What stands beside something stays with it, and scopes stay together.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from typing import Final, NamedTuple

from tinygrad_lite.graphs.layout.distances import NODE_GAP, keys_of
from tinygrad_lite.graphs.layout.rows import Places

SWEEPS: Final = 3
RIGHT: Final = 300.0
"""How far right of all else the backward sweep starts."""
BESIDE: Final = 2
"""How much a cotangent wants to stand close to its value."""


class Neighbour(NamedTuple):
    """A place linked to another, how far right of it that other wants to be, and how much."""

    place: int
    shift: float
    weight: int


class Neighbours:
    """What each place is linked to above and below, each with what is linked to it in its own row, and all together."""

    def __init__(self, places: Places) -> None:
        self.above: list[list[Neighbour]] = [[] for _ in places.rows]
        self.below: list[list[Neighbour]] = [[] for _ in places.rows]
        self.all: list[list[Neighbour]] = [[] for _ in places.rows]
        for start, end, offset, weight in places.links:
            self._link(places, start, end, offset, weight)
        for right, left in places.beside.items():
            self._link(places, left, right, -(places.widths[left] + places.widths[right]) / 2 - NODE_GAP, BESIDE)

    def _link(self, places: Places, start: int, end: int, offset: float, weight: int) -> None:
        for v, neighbour in ((start, Neighbour(end, offset, weight)), (end, Neighbour(start, -offset, weight))):
            self.all[v].append(neighbour)
            if places.rows[neighbour.place] <= places.rows[v]:
                self.above[v].append(neighbour)
            if places.rows[neighbour.place] >= places.rows[v]:
                self.below[v].append(neighbour)


def ordered(places: Places, rows: list[list[int]], sides: Neighbours) -> list[float]:
    """Sort the places in each of the `rows` and return a first position for each."""
    order = _Ordering(places, rows)
    up, down = order.rows[::-1], order.rows
    for _ in range(SWEEPS):
        order.sort(up, sides.below)
        order.sort(down, sides.above)
    order.sort(up, sides.below)
    for _ in range(SWEEPS):
        order.exchange(down, sides.all)
        order.exchange(up, sides.all)
    for i, row in enumerate(order.rows):
        rows[i] = [v for block in row for v in block]
    return order.x


class _Ordering:
    """Rows of blocks: each is a place with all that is to stand right beside it."""

    def __init__(self, places: Places, rows: list[list[int]]) -> None:
        self.places = places
        self.x = [RIGHT * rises for rises in places.rises]
        self.rows = [_blocks(places, row) for row in rows]
        self.fixed = {v for line in places.lines for v in line}

    def sort(self, rows: list[list[list[int]]], neighbours: list[list[Neighbour]]) -> None:
        """Sort each row by where the neighbours want its places, the rows before it being sorted."""
        keys = keys_of(self.places, self.x)
        for row in rows:
            wish = {v: _median(neighbours[v], self.x, self.x[v]) for block in row for v in block}
            middles = {block[0]: statistics.fmean([wish[v] for v in block]) for block in row}
            row.sort(key=lambda block: (*keys[self.places.scopes[block[0]]], (middles[block[0]], block[0])))
            self._spread(row, [(wish[v], 1) for block in row for v in block])

    def _spread(self, row: list[list[int]], wishes: Sequence[tuple[float, int]]) -> None:
        order, widths = [v for block in row for v in block], self.places.widths
        distances = [0.0, *((widths[u] + widths[v]) / 2 + NODE_GAP for u, v in itertools.pairwise(order))]
        for v, position in zip(order, spread(wishes, distances), strict=True):
            self.x[v] = position

    def exchange(self, rows: list[list[list[int]]], neighbours: list[list[Neighbour]]) -> None:
        """Let blocks that are in no line jump over the next in their scope where that makes their links shorter."""
        for row in rows:
            self._spread(row, [wanted(neighbours[v], self.x, self.x[v]) for block in row for v in block])
            for i in range(len(row) - 1):
                left, right = row[i], row[i + 1]
                if self.places.scopes[left[0]] != self.places.scopes[right[0]]:
                    continue
                if self.fixed.isdisjoint(left):
                    block, step = left, self._side(right, 1) - self._side(left, -1) + NODE_GAP
                elif self.fixed.isdisjoint(right):
                    block, step = right, self._side(left, -1) - self._side(right, 1) - NODE_GAP
                else:
                    continue
                if self._change(block, step, neighbours) < -1.0:
                    for v in block:
                        self.x[v] += step
                    row[i], row[i + 1] = right, left

    def _side(self, block: list[int], side: int) -> float:
        """Return the left (-1) or right (1) border of a block."""
        v = block[-1 if side > 0 else 0]
        return self.x[v] + side * self.places.widths[v] / 2

    def _change(self, block: list[int], step: float, neighbours: list[list[Neighbour]]) -> float:
        """Return how much longer the links of a block become, each by its weight, if it moves by `step`."""
        change = 0.0
        for v in block:
            for place, shift, weight in neighbours[v]:
                if place not in block:
                    distance = self.x[v] - self.x[place] - shift
                    change += weight * (abs(distance + step) - abs(distance))
        return change


def _blocks(places: Places, row: list[int]) -> list[list[int]]:
    """Return what is in a row, each together with all that is to stand right beside it."""
    right_of = {places.beside[v]: v for v in row if v in places.beside}
    blocks = [[v] for v in row if v not in places.beside]
    for block in blocks:
        while block[-1] in right_of:
            block.append(right_of[block[-1]])
    return blocks


def wanted(neighbours: list[Neighbour], x: list[float], otherwise: float) -> tuple[float, int]:
    """Return the weighted mean of where the neighbours want a place to be, and how much they want it all together."""
    if not neighbours:
        return otherwise, 1
    total, weights = 0.0, 0
    for place, shift, weight in neighbours:
        total += weight * (x[place] + shift)
        weights += weight
    return total / weights, weights


def _median(neighbours: list[Neighbour], x: list[float], otherwise: float) -> float:
    """Return the weighted median of where the neighbours want a place to be."""
    wanted = sorted((x[place] + shift, weight) for place, shift, weight in neighbours)
    half = sum(weight for _, weight in wanted) / 2
    passed = 0
    for i, (position, weight) in enumerate(wanted):
        passed += weight
        if passed == half:
            return (position + wanted[i + 1][0]) / 2
        if passed > half:
            return position
    return otherwise


def spread(wishes: Sequence[tuple[float, int]], distances: Sequence[float]) -> list[float]:
    """Return the positions closest to `wishes`, by their weights, that keep each its distance from the last.

    >>> spread([(0.0, 1), (0.0, 3), (9.0, 1)], [0.0, 4.0, 1.0])
    [-3.0, 1.0, 9.0]
    """
    shifts = list(itertools.accumulate(distances))
    groups: list[tuple[float, int, int]] = []
    for (wish, weight), shift in zip(wishes, shifts, strict=True):
        position, count = wish - shift, 1
        while groups and groups[-1][0] > position:
            before, heavier, more = groups.pop()
            position = (before * heavier + position * weight) / (heavier + weight)
            weight, count = heavier + weight, more + count
        groups.append((position, weight, count))
    together = [position for position, _, count in groups for _ in range(count)]
    return [position + shift for position, shift in zip(together, shifts, strict=True)]
