"""Where everything in the picture goes: our own layered layout.

`rows` says which row each item stands in, `columns` how far from the left; here rows get their heights, scopes their
boxes and edges their ways. An edge moves sideways only in the gap between two rows, so it runs through no item.
Everything is a loop over items, edges and places in rows, and nothing is left to chance: the same graph, the same
picture.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from tinygrad_lite.graphs.layout.columns import Columns, columns
from tinygrad_lite.graphs.layout.distances import PAD
from tinygrad_lite.graphs.layout.heights import MARGIN, Heights, Piece, turn_depth
from tinygrad_lite.graphs.layout.rows import Places, Trunk, places
from tinygrad_lite.graphs.layout.stacking import Item

Point: TypeAlias = tuple[float, float]

LANE: Final = 8.0


class Box(NamedTuple):
    """A rectangle, by its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float


class Line(NamedTuple):
    """A way through the picture: straight up or down where x stays the same, and sideways only between two rows.

    It arrives at an operand of `target`, or is a trunk that the edges of its source branch off from.
    """

    points: tuple[Point, ...]
    source: int
    target: int | None
    rises: bool
    """Whether it ends going up: at the bottom of its target."""

    def curves(self) -> Iterator[tuple[Point, Point, Point, Point]]:
        """Yield the Bézier curve from each point to the next: its start, two control points and its end.

        Between two points of the same height it is a turn.
        """
        for a, b in itertools.pairwise(self.points):
            height = (a[1] + b[1]) / 2
            if a[1] == b[1]:
                height += (1 if self.rises else -1) * turn_depth(b[0] - a[0]) * 4 / 3
            yield a, (a[0], height), (b[0], height), b


@dataclass(frozen=True)
class Layout:
    """A finished layout: its size, the box of each item and of each scope (outer before inner), and the lines."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    scopes: dict[str, Box]
    lines: tuple[Line, ...]


def layout(items: Sequence[Item], title_widths: dict[str, float]) -> Layout:
    """Lay out `items`, which stand after their inputs, in boxes of their scopes, each as wide as its title needs."""
    found = places(items)
    x, borders, right = _at_margin(found, columns(found, title_widths))
    lanes = _lanes(found, right + PAD)
    ways = _ways(found, x, lanes)
    heights = Heights(items, found, [piece for way in ways for piece in way.pieces])
    boxes = []
    for item, row, middle in zip(items, found.rows, x, strict=False):
        boxes.append(Box(middle - item.width / 2, heights.middle[row] - item.height / 2, item.width, item.height))
    scopes = {}
    for scope, (left, scope_right) in borders.items():
        top, bottom = heights.scope(scope)
        scopes[scope] = Box(left, top, scope_right - left, bottom - top)
    lines = tuple(_line(way, heights, items, boxes) for way in ways)
    return Layout(max([right, *lanes.values()]) + MARGIN, heights.total, tuple(boxes), scopes, lines)


def _at_margin(found: Places, there: Columns) -> tuple[list[float], dict[str, tuple[float, float]], float]:
    """Return the columns, moved to the left margin of the picture, and how far right they reach."""
    sides = [x + side * width / 2 for x, width in zip(there.middles, found.widths, strict=True) for side in (-1, 1)]
    sides += [side for both in there.borders.values() for side in both]
    step = MARGIN - min(sides)
    borders = {scope: (left + step, right + step) for scope, (left, right) in there.borders.items()}
    return [x + step for x in there.middles], borders, max(sides) + step


# ----- Ways -----


class _Way(NamedTuple):
    """A line before the rows have their heights: the gaps in which it moves sideways, from where and to where."""

    pieces: list[Piece]
    source: int
    target: int | None
    rises: bool
    from_trunk: bool = False
    last_gap: int = 0
    """Where a trunk ends."""


def _lanes(found: Places, start: float) -> dict[tuple[int, bool], float]:
    """Return where the values without places of their own pass the rows: beside the picture, as close as is free."""
    waiting = sorted((min(trunk.rows), max(trunk.rows), way) for way, trunk in found.trunks.items() if not trunk.places)
    free: list[float] = []
    busy: list[tuple[int, float]] = []
    lanes: dict[tuple[int, bool], float] = {}
    for first, last, way in waiting:
        while busy and busy[0][0] < first - 1:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lanes[way] = heapq.heappop(free) if free else start + LANE * len(busy)
        heapq.heappush(busy, (last, lanes[way]))
    return lanes


def _ways(found: Places, x: list[float], lanes: dict[tuple[int, bool], float]) -> list[_Way]:
    """Return the trunks, then one way for each operand of each item."""
    ways = []
    for (source, falls), trunk in found.trunks.items():
        columns_passed = [x[place] for place in trunk.places] or [lanes[source, falls]]
        pieces = list(_trunk_pieces(found, trunk, x[source], columns_passed))
        ways.append(_Way(pieces, source, None, not falls, last_gap=trunk.rows[-1] - (not falls)))
    for arrival in found.arrivals:
        source, target = arrival.source, arrival.target
        start = x[arrival.start] if arrival.start is not None else lanes[source, arrival.from_above]
        rises = found.rises[target]
        piece = Piece(arrival.gap, start, arrival.from_above, x[target] + arrival.offset, rises)
        ways.append(_Way([piece], source, target, rises, arrival.trunk is not None))
    return ways


def _trunk_pieces(found: Places, trunk: Trunk, start: float, columns_passed: list[float]) -> Iterator[Piece]:
    from_above = not found.rises[trunk.source]
    for row, end in zip(trunk.rows, columns_passed, strict=False):
        yield Piece(row - 1 if trunk.falls else row, start, from_above, end, not trunk.falls)
        start, from_above = end, trunk.falls


def _line(way: _Way, heights: Heights, items: Sequence[Item], boxes: list[Box]) -> Line:
    points: list[Point] = []
    if not way.from_trunk:
        box = boxes[way.source]
        points.append((way.pieces[0].start, box.y if items[way.source].rises else box.y + box.height))
    for piece in way.pieces:
        points += [(piece.start, heights.side(piece.gap, piece.from_above))]
        points += [(piece.end, heights.side(piece.gap, piece.to_above))]
    end = way.pieces[-1].end
    if way.target is None:
        points.append((end, heights.side(way.last_gap, not way.rises)))
    else:
        box = boxes[way.target]
        points.append((end, box.y + box.height if way.rises else box.y))
    return Line(_without_repeats(points), way.source, way.target, way.rises)


def _without_repeats(points: list[Point]) -> tuple[Point, ...]:
    """Return the points without those in the middle of a straight way."""
    kept: list[Point] = []
    for point in points:
        if len(kept) > 1 and kept[-2][0] == kept[-1][0] == point[0]:
            kept.pop()
        if not kept or point != kept[-1]:
            kept.append(point)
    return tuple(kept)
