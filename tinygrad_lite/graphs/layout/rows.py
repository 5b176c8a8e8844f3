"""What stands in the rows of the picture: the items, and where values pass the rows between them and their uses.

A falling item sends its value into the gap below its row and takes its operands from the gap above, a rising one the
other way round. From gap to gap a value goes through a *trunk*: a place of its own in every row it passes, once for all
its uses, so that no edge ever has to run through a node.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tinygrad_lite.graphs.layout.lines import lines, main_operands, ports, put_lines_beside
from tinygrad_lite.graphs.layout.stacking import Item, stacked_rows
from tinygrad_lite.graphs.scopes import path_to

MAIN: Final = 8
UPRIGHT: Final = 12
"""How much an item wants to stand in line with what it continues, and a trunk to be straight; other links count 1."""


class Trunk(NamedTuple):
    """The way of one value through `rows`, in the order in which it passes them, up or down."""

    source: int
    falls: bool
    rows: range
    places: range
    """Its place in each of these rows; empty if it passes them in a lane beside the picture."""


class Link(NamedTuple):
    """A piece of an edge, from a place to one in the same row or the next, that arrives `offset` beside the middle."""

    start: int
    end: int
    offset: float
    weight: int
    """How much it wants to be straight."""


class Arrival(NamedTuple):
    """The last piece of an edge: from where it comes through which gap."""

    source: int
    target: int
    gap: int
    """The number of the row above the gap."""
    trunk: Trunk | None
    start: int | None
    """The place it comes from: the source itself or one of the trunk; None if it comes from a lane."""
    from_above: bool
    offset: float
    is_main: bool
    """Whether its target continues its source."""

    def way(self) -> list[int]:
        """Return the places it passes, from its source to its target; not for one that comes from a lane."""
        if self.trunk is None or self.start is None:
            return [self.source, self.target]
        return [self.source, *range(self.trunk.places.start, self.start + 1), self.target]


@dataclass
class Places:
    """What stands in the rows: the items, under their own numbers, and after them the places of the trunks."""

    count: int
    """How many are items."""
    rows: list[int]
    widths: list[float]
    scopes: list[str]
    rises: list[bool]
    is_entered: list[bool]
    """Whether a line reaches each place from above."""
    beside: dict[int, int] = field(default_factory=dict)
    """The place that another is to stand right beside."""
    has_beside: set[int] = field(default_factory=set)
    links: list[Link] = field(default_factory=list)
    trunks: dict[tuple[int, bool], Trunk] = field(default_factory=dict)
    """By their source and whether they fall."""
    arrivals: list[Arrival] = field(default_factory=list)
    """One for each operand of each item."""
    lines: list[list[int]] = field(default_factory=list)
    """What should stand in one straight line each, in the order of the rows or against it."""
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The first and the last row of each scope."""

    def add_place(self, row: int, start: str, user: Item) -> None:
        """Add a place of a trunk, in the scope that it passes: that of its start while it lasts, then its user's."""
        here, there = (
            next(
                (scope for scope in reversed(path_to(path)) if self.spans[scope][0] <= row <= self.spans[scope][1]), ""
            )
            for path in (start, user.scope)
        )
        self.rows.append(row)
        self.widths.append(0.0)
        self.scopes.append(there if f"{there}.".startswith(f"{here}.") or not here else here)
        self.rises.append(user.rises)
        self.is_entered.append(True)

    def put_beside(self, right: int, left: int) -> bool:
        """Put one place right beside another of its row and scope, if both are free for that and no circle closes."""
        alike = self.rows[right] == self.rows[left] and self.scopes[right] == self.scopes[left]
        free = right not in self.beside and left not in self.has_beside
        if alike and free and (left not in self.beside or right not in self.has_beside):
            self.beside[right] = left
            self.has_beside.add(left)
            return True
        return False


def places(items: Sequence[Item]) -> Places:
    """Return the rows of `items`, which stand after their inputs, and the ways between them."""
    rows = stacked_rows(items)
    found = Places(
        count=len(items),
        rows=list(rows),
        widths=[item.width for item in items],
        scopes=[item.scope for item in items],
        rises=[item.rises for item in items],
        is_entered=[item.rises or bool(item.inputs) for item in items],
    )
    for row, item in zip(rows, items, strict=True):
        for scope in path_to(item.scope):
            first, last = found.spans.get(scope, (row, row))
            found.spans[scope] = min(first, row), max(last, row)
    _add_trunks(found, items)
    for target, main in enumerate(main_operands(items, rows)):
        for position, (source, offset) in enumerate(zip(items[target].inputs, ports(items, target, main), strict=True)):
            found.arrivals.append(_arrival(found, items, source, target, offset, position in main))
    found.lines.extend(lines(found))
    _add_links(found)
    for v, item in enumerate(items):
        if item.beside is not None:
            found.put_beside(v, item.beside)
    put_lines_beside(found)
    for arrival in found.arrivals:
        if arrival.trunk is not None and arrival.start is not None and arrival.start + 1 == arrival.trunk.places.stop:
            found.put_beside(arrival.target, arrival.start)
    return found


# ----- Ways -----


def _gaps(items: Sequence[Item], rows: list[int], source: int, target: int) -> tuple[int, int]:
    """Return the gaps that an edge leaves into and arrives through."""
    return rows[source] - items[source].rises, rows[target] - (not items[target].rises)


def _arrival(found: Places, items: Sequence[Item], source: int, target: int, offset: float, is_main: bool) -> Arrival:
    leaves, gap = _gaps(items, found.rows, source, target)
    if leaves == gap:
        return Arrival(source, target, gap, None, source, not items[source].rises, offset, is_main)
    trunk = found.trunks[source, leaves < gap]
    row = gap if trunk.falls else gap + 1
    start = trunk.places[trunk.rows.index(row)] if trunk.places else None
    return Arrival(source, target, gap, trunk, start, trunk.falls, offset, is_main)


def _add_trunks(found: Places, items: Sequence[Item]) -> None:
    """Give each value that is used in other gaps its trunks, the longest ones in lanes if places run out."""
    users: dict[tuple[int, bool], list[tuple[int, int]]] = defaultdict(list)
    """For each trunk its users, each with how many rows are to pass."""
    for target, item in enumerate(items):
        for source in item.inputs:
            leaves, gap = _gaps(items, found.rows, source, target)
            if leaves != gap:
                users[source, leaves < gap].append((abs(gap - leaves), target))
    affordable = 4 * len(items) + 1000  # or the places would grow with the square of the items
    for (source, falls), ends in sorted(users.items(), key=lambda way: (max(way[1])[0], way[0])):
        length, leaves = max(ends)[0], found.rows[source] - items[source].rises
        rows = range(leaves + 1, leaves + 1 + length) if falls else range(leaves, leaves - length, -1)
        affordable -= length
        start = len(found.rows)
        trunk = Trunk(source, falls, rows, range(start, start + length * (affordable >= 0)))
        found.trunks[source, falls] = trunk
        ends.sort(reverse=True)
        for passed, _ in enumerate(trunk.places):
            while ends[-1][0] <= passed:
                ends.pop()
            found.add_place(rows[passed], items[source].scope, items[ends[-1][1]])


def _add_links(found: Places) -> None:
    in_line = {v for line in found.lines for v in line}
    continued = {
        (arrival.source, arrival.trunk.falls) for arrival in found.arrivals if arrival.is_main and arrival.trunk
    }
    for way, trunk in found.trunks.items():
        for place in trunk.places[:1]:
            found.links.append(Link(trunk.source, place, 0.0, MAIN if way in continued else 1))
        for place in trunk.places[:-1]:
            branches_off = place in in_line and place + 1 not in in_line
            found.links.append(Link(place, place + 1, 0.0, 1 if branches_off else UPRIGHT))
    for arrival in found.arrivals:
        if arrival.start is not None:
            weight = MAIN if arrival.is_main else 1
            found.links.append(Link(arrival.start, arrival.target, arrival.offset, weight))
