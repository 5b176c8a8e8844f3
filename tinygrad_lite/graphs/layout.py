"""Where everything in the picture goes when Graphviz is not there to say: our own layered layout.

`rows` says which row each node stands in, `columns` how far from the left; here rows get their heights, scopes their
boxes and edges their ways. An edge moves sideways only between two rows, so it runs through no node. Everything is a
loop over nodes, edges and places in rows, and nothing is left to chance: the same graph, the same picture.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from tinygrad_lite.graphs.columns import columns
from tinygrad_lite.graphs.distances import PAD
from tinygrad_lite.graphs.rows import Places, places, ports
from tinygrad_lite.graphs.scopes import parent_of
from tinygrad_lite.graphs.stacking import Item

Point: TypeAlias = tuple[float, float]

MARGIN: Final = 10.0
ARROW: Final = 8.0
TITLE_HEIGHT: Final = 24.0
LANE: Final = 8.0
ROOM: Final = 22.0
ROOMIEST: Final = 66.0
STEEPNESS: Final = 0.14
"""How high the room between two rows is at least and at most; between, how much of the way an edge moves sideways."""


class Box(NamedTuple):
    """A rectangle, by its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float


class Line(NamedTuple):
    """A way through the picture: straight down where x stays the same, and sideways only between two rows.

    It arrives at an operand of `target`, or is the trunk that the edges of its source branch off from.
    """

    points: tuple[Point, ...]
    source: int
    target: int | None


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
    middles, borders = columns(found, title_widths)
    x = middles[: len(items)]
    edges = [x[v] + side * item.width / 2 for v, item in enumerate(items) for side in (-1, 1)]
    edges += [*middles[len(items) :], *(side for both in borders.values() for side in both)]
    left, right = min(edges), max(edges)
    lanes = _lanes(found, right + PAD)
    ways = _ways(items, found, middles, lanes)
    heights = _Heights(items, found, ways)
    picture = Layout(
        width=max(right, *lanes.values(), right) - left + 2 * MARGIN,
        height=heights.total,
        boxes=tuple(heights.item(item, found.rows[v], x[v]) for v, item in enumerate(items)),
        scopes={scope: heights.scope(scope, *borders[scope]) for scope in found.spans},
        lines=tuple(heights.line(way) for way in ways),
    )
    return _moved(picture, MARGIN - left)


def _moved(picture: Layout, right: float) -> Layout:
    """Return the layout with everything moved to the right."""
    return Layout(
        picture.width,
        picture.height,
        tuple(box._replace(x=box.x + right) for box in picture.boxes),
        {scope: box._replace(x=box.x + right) for scope, box in picture.scopes.items()},
        tuple(line._replace(points=tuple((x + right, y) for x, y in line.points)) for line in picture.lines),
    )


# ----- Ways -----


class _Way(NamedTuple):
    """A line before the rows have their heights: the row below which it moves sideways, from where and to where."""

    steps: list[tuple[int, float, float]]
    source: int
    target: int | None
    from_trunk: bool = False


def _lanes(found: Places, start: float) -> dict[int, float]:
    """Return where the values without places of their own descend: beside the picture, as close to it as is free."""
    waiting = sorted((trunk.first, trunk.last, v) for v, trunk in found.trunks.items() if not trunk.places)
    free: list[float] = []
    busy: list[tuple[int, float]] = []
    lanes: dict[int, float] = {}
    for first, last, v in waiting:
        while busy and busy[0][0] < first - 1:
            heapq.heappush(free, heapq.heappop(busy)[1])
        lanes[v] = heapq.heappop(free) if free else start + LANE * len(busy)
        heapq.heappush(busy, (last, lanes[v]))
    return lanes


def _ways(items: Sequence[Item], found: Places, x: list[float], lanes: dict[int, float]) -> list[_Way]:
    """Return the trunks, then one way for each operand of each item."""
    ways = []
    for v, trunk in found.trunks.items():
        columns_passed = [x[v], *(x[place] for place in trunk.places)] if trunk.places else [x[v], lanes[v]]
        steps = [(trunk.first - 1 + i, a, b) for i, (a, b) in enumerate(itertools.pairwise(columns_passed))]
        ways.append(_Way([*steps, (trunk.last, columns_passed[-1], columns_passed[-1])], v, None))
    for target, item in enumerate(items):
        for source, offset in zip(item.inputs, ports(items, found.rows, target), strict=True):
            row = found.rows[target] - 1
            from_trunk = row > found.rows[source]
            trunk_places = found.trunks[source].places if from_trunk else range(0)
            start = x[trunk_places[row - found.trunks[source].first]] if trunk_places else lanes.get(source, x[source])
            start = start if from_trunk else x[source]
            ways.append(_Way([(row, start, x[target] + offset)], source, target, from_trunk))
    return ways


# ----- Heights -----


class _Heights:
    """How high rows and the rooms between them are, and what follows from it."""

    def __init__(self, items: Sequence[Item], found: Places, ways: list[_Way]) -> None:
        self.items, self.found = items, found
        count = max(found.rows) + 1
        self.over, self.under = self._scope_heights()
        head, foot, tall, room = [ARROW] * count, [0.0] * count, [0.0] * count, [ROOM] * count
        for item, row in zip(items, found.rows, strict=False):
            tall[row] = max(tall[row], item.height)
        for scope, (first, last) in found.spans.items():
            head[first] = max(head[first], self.over[scope])
            foot[last] = max(foot[last], self.under[scope])
        for way in ways:
            for row, a, b in way.steps:
                room[row] = max(room[row], min(STEEPNESS * abs(a - b), ROOMIEST))
        self.top, self.bottom, self.leave, self.arrive = [], [], [], []
        y = MARGIN - ARROW if head[0] == ARROW else MARGIN
        for row in range(count):
            self.arrive.append(y)
            self.top.append(y + head[row])
            self.bottom.append(self.top[row] + tall[row])
            self.leave.append(self.bottom[row] + foot[row])
            y = self.leave[row] + room[row]
        self.total = self.leave[-1] + MARGIN

    def _scope_heights(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return how far each scope reaches over its first row and under its last."""
        over = dict.fromkeys(self.found.spans, TITLE_HEIGHT + ARROW)
        under = dict.fromkeys(self.found.spans, PAD)
        for scope in sorted(self.found.spans, key=lambda scope: -scope.count(".")):
            outer = parent_of(scope)
            if outer and self.found.spans[outer][0] == self.found.spans[scope][0]:
                over[outer] = max(over[outer], over[scope] + TITLE_HEIGHT)
            if outer and self.found.spans[outer][1] == self.found.spans[scope][1]:
                under[outer] = max(under[outer], under[scope] + PAD)
        return over, under

    def item(self, item: Item, row: int, x: float) -> Box:
        return Box(x - item.width / 2, (self.top[row] + self.bottom[row] - item.height) / 2, item.width, item.height)

    def scope(self, scope: str, left: float, right: float) -> Box:
        first, last = self.found.spans[scope]
        y = self.top[first] - self.over[scope]
        return Box(left, y, right - left, self.bottom[last] + self.under[scope] - y)

    def line(self, way: _Way) -> Line:
        points: list[Point] = []
        if not way.from_trunk:
            row, x, _ = way.steps[0]
            points.append((x, (self.top[row] + self.bottom[row] + self.items[way.source].height) / 2))
        for row, a, b in way.steps:
            points += [(a, self.leave[row]), (b, self.arrive[row + 1])]
        if way.target is None:
            points.pop()
        else:
            row, _, x = way.steps[-1]
            points.append((x, (self.top[row + 1] + self.bottom[row + 1] - self.items[way.target].height) / 2))
        return Line(_without_repeats(points), way.source, way.target)


def _without_repeats(points: list[Point]) -> tuple[Point, ...]:
    """Return the points without those in the middle of a straight way down."""
    kept = points[:1]
    for point, following in zip(points[1:], [*points[2:], None], strict=True):
        if following is None or not point[0] == kept[-1][0] == following[0]:
            kept.append(point)
    return tuple(kept)
