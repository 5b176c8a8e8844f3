"""Which row of the picture each item stands in.

Values fall: each stands right above the first that uses it. What belongs to the backward sweep rises: it stands right
below what it serves, a cotangent in the row of its value. Where all of one scope comes before all of another that uses
it, the second stands below the first: layers pile up as they were called. Scopes that do not use each other stand side
by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from tinygrad_lite.graphs.layout.sequence import loose, orders, sequence
from tinygrad_lite.graphs.scopes import enclosing, path_to


class Item(NamedTuple):
    """What the layout needs to know of a node; it stands after its inputs and after what it is beside."""

    width: float
    height: float
    scope: str
    inputs: tuple[int, ...]
    rises: bool = False
    """Whether it takes its operands from below and sends its value up, as the backward sweep does."""
    beside: int | None = None
    """The value whose cotangent it is: it stands in the same row, to the right."""


def stacked_rows(items: Sequence[Item]) -> list[int]:
    """Return the row of each item, counted from the top; without a way for all, some are not beside their value."""
    is_loose = loose(items)
    positions = sequence(items, is_loose)
    steps = _Steps(items, positions)
    rows = steps.lowest()
    steps.raise_rising(rows, is_loose)
    steps.raise_falling(rows, is_loose)
    used = {row: i for i, row in enumerate(sorted({rows[p] for p in positions}))}
    return [used[rows[p]] for p in positions]


Moment: TypeAlias = tuple[int, int]


class _Steps:
    """How many rows something must at least stand below something else.

    The things are the positions of items, each a row to be, and after them the first and the last row of each scope.
    """

    def __init__(self, items: Sequence[Item], positions: list[int]) -> None:
        self.items, self.positions = items, positions
        self.count = max(positions) + 1
        self.paths = {scope: path_to(scope) for scope in {item.scope: None for item in items}}
        self.begin: dict[str, int] = {}
        self.end: dict[str, int] = {}
        for item, position in zip(items, positions, strict=True):
            for scope in self.paths[item.scope]:
                self.begin[scope] = min(self.begin.get(scope, position), position)
                self.end[scope] = max(self.end.get(scope, position), position)
        self.top = {scope: self.count + 2 * i for i, scope in enumerate(enclosing(self.paths))}
        self.bottom = {scope: top + 1 for scope, top in self.top.items()}
        self.over: list[dict[int, int]] = [{} for _ in range(self.count + 2 * len(self.top))]
        """What each thing stands below, and by how many rows."""
        for item, position in zip(items, positions, strict=True):
            for scope in self.paths[item.scope]:
                self.over[position].setdefault(self.top[scope], 0)
                self.over[self.bottom[scope]].setdefault(position, 0)
        for upper, lower in orders(items):
            self._stack(upper, lower)
        moments = [(position, 1) for position in range(self.count)]
        moments += [moment for scope in self.top for moment in ((self.begin[scope], 0), (self.end[scope], 2))]
        self.order = sorted(range(len(moments)), key=moments.__getitem__)

    def _stack(self, upper: int, lower: int) -> None:
        """Let an item stand below another, with all that surrounds it as far as it begins after the other ends."""
        high, low = self.positions[upper], self.positions[lower]
        self.over[low][high] = 1
        if not self.items[upper].inputs:
            return
        path, other = self.paths[self.items[upper].scope], self.paths[self.items[lower].scope]
        depth = next(
            (i for i, (a, b) in enumerate(zip(path, other, strict=False)) if a != b), min(len(path), len(other))
        )
        end, begin = high, low
        if depth < len(path):
            high, end = self.bottom[path[depth]], self.end[path[depth]]
        if depth < len(other):
            low, begin = self.top[other[depth]], self.begin[other[depth]]
        if end < begin:
            self.over[low][high] = 1

    def lowest(self) -> list[int]:
        """Return a row for each thing such that nothing could stand lower without making the picture longer."""
        to_go = [0] * len(self.over)
        for thing in reversed(self.order):
            for upper, distance in self.over[thing].items():
                to_go[upper] = max(to_go[upper], to_go[thing] + distance)
        highest = max(to_go)
        return [highest - steps for steps in to_go]

    def _highest(self, rows: list[int], thing: int) -> int:
        return max((rows[upper] + distance for upper, distance in self.over[thing].items()), default=0)

    def raise_rising(self, rows: list[int], is_loose: list[bool]) -> None:
        """Move loose rising items, and the scopes that hold nothing but loose items, up to what they serve."""
        fixed = {self.positions[v] for v, item in enumerate(self.items) if not (is_loose[v] and item.rises)}
        for v, item in enumerate(self.items):
            if not is_loose[v]:
                fixed.update(self.top[scope] for scope in self.paths[item.scope])
        for thing in self.order:
            if thing not in fixed:
                rows[thing] = self._highest(rows, thing)

    def raise_falling(self, rows: list[int], is_loose: list[bool]) -> None:
        """Move loose falling items up, to the rows of the rising ones that use them or that they use."""
        wanted = [0] * len(self.items)
        for v in range(len(self.items) - 1, -1, -1):
            for source in self.items[v].inputs:
                row = rows[self.positions[v]] if self.items[v].rises else wanted[v] - 1
                wanted[source] = max(wanted[source], row)
        for v, item in enumerate(self.items):
            if is_loose[v] and not item.rises:
                here = self.positions[v]
                served = [rows[self.positions[source]] for source in item.inputs if self.items[source].rises]
                rows[here] = min(rows[here], max(wanted[v], self._highest(rows, here), *served, 0))
