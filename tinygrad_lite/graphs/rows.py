"""The rows of the picture: which row each node stands in, and where long edges pass the rows between.

A node stands in the row above the first that uses it. A value that is used further down descends through a *trunk*: a
place of its own in every row it passes, once for all its uses, so that no edge ever has to run through a node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tinygrad_lite.graphs.scopes import path_to
from tinygrad_lite.graphs.stacking import Item, stacked_rows

PORT_STEP: Final = 22.0
PORT_REACH: Final = 40.0
"""How far from the middle of a node an edge arrives at most."""
MAIN: Final = 8
"""How much a node wants to stand right under what it continues; other links count 1."""


class Trunk(NamedTuple):
    """The way of one value down the rows from `first` to `last`, in neither of which it starts or ends."""

    first: int
    last: int
    places: range
    """Its place in each of these rows; empty if it descends in a lane beside the picture."""


class Link(NamedTuple):
    """A piece of an edge, from a place to one in the next row, that arrives `offset` beside the middle."""

    above: int
    below: int
    offset: float
    weight: int
    """How much it wants to be straight."""


@dataclass
class Places:
    """What stands in the rows: the items, under their own numbers, and after them the places of the trunks."""

    rows: list[int]
    widths: list[float]
    scopes: list[str]
    links: list[Link] = field(default_factory=list)
    trunks: dict[int, Trunk] = field(default_factory=dict)
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The first and the last row of each scope."""


def ports(items: Sequence[Item], rows: Sequence[int], target: int) -> list[float]:
    """Return how far from its middle each operand enters an item, in the order of the operands.

    Where just one of them was computed right above, it comes straight down and the others stand aside.
    """
    count = len(items[target].inputs)
    main = _main_operand(items, rows, target)
    middle = (count - 1) / 2 if main is None else main
    step = min(PORT_STEP, min(PORT_REACH, 0.4 * items[target].width) / max(middle, count - 1 - middle, 1))
    return [(position - middle) * step for position in range(count)]


def _main_operand(items: Sequence[Item], rows: Sequence[int], target: int) -> int | None:
    """Return the position of the only operand that was computed in the row above, None if there is not just one."""
    inputs = items[target].inputs
    computed = [i for i, source in enumerate(inputs) if items[source].inputs and rows[source] == rows[target] - 1]
    return computed[0] if len(computed) == 1 else None


def places(items: Sequence[Item]) -> Places:
    """Return the rows of `items`, which stand after their inputs, and the places of the trunks."""
    rows = stacked_rows(items)
    found = Places(list(rows), [item.width for item in items], [item.scope for item in items])
    for row, item in zip(rows, items, strict=True):
        for scope in path_to(item.scope):
            first, last = found.spans.get(scope, (row, row))
            found.spans[scope] = min(first, row), max(last, row)
    _add_trunks(found, items, rows)
    for below, item in enumerate(items):
        main = _main_operand(items, rows, below)
        for position, (source, offset) in enumerate(zip(item.inputs, ports(items, rows, below), strict=True)):
            above = _above(found, source, rows[below])
            if above is not None:
                found.links.append(Link(above, below, offset, MAIN if position == main else 1))
    return found


def _add_trunks(found: Places, items: Sequence[Item], rows: list[int]) -> None:
    """Give a trunk to each value that is used below the next row, the longest ones in lanes if places run out."""
    last_user = list(range(len(items)))
    for v, item in enumerate(items):
        for source in item.inputs:
            if rows[v] > rows[last_user[source]]:
                last_user[source] = v
    long = [v for v in range(len(items)) if rows[last_user[v]] > rows[v] + 1]
    affordable = 4 * len(items) + 1000  # or the places would grow with the square of the nodes
    for v in sorted(long, key=lambda v: rows[last_user[v]] - rows[v]):
        first, last = rows[v] + 1, rows[last_user[v]] - 1
        start = len(found.rows)
        affordable -= last + 1 - first
        trunk = Trunk(first, last, range(start, start + last + 1 - first if affordable >= 0 else start))
        found.trunks[v] = trunk
        for place, row in zip(trunk.places, range(first, last + 1), strict=False):
            found.links.append(Link(place - 1 if row > first else v, place, 0.0, 12 if row > first else 1))
            found.rows.append(row)
            found.widths.append(0.0)
            found.scopes.append(_scope_on_the_way(found, items[v].scope, items[last_user[v]].scope, row))


def _scope_on_the_way(found: Places, start: str, end: str, row: int) -> str:
    """Return the scope that a trunk passes in this row: that of its start as long as it lasts, then that of its end."""
    here, there = (
        next((scope for scope in reversed(path_to(path)) if found.spans[scope][0] <= row <= found.spans[scope][1]), "")
        for path in (start, end)
    )
    return there if f"{there}.".startswith(f"{here}.") or not here else here


def _above(found: Places, source: int, row: int) -> int | None:
    """Return the place in the row above from which the value of `source` comes down; None if from a lane."""
    if found.rows[source] == row - 1:
        return source
    trunk = found.trunks[source]
    return trunk.places[row - 1 - trunk.first] if trunk.places else None
