"""The outlines of marks in the own pictures: how much room each shape needs around its words, and how it is drawn."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from tinygrad_lite.graphs.layout.coordinates import Box, Point
from tinygrad_lite.graphs.pictures.look import Style

PADDING: Final = 8.0
SLANT: Final = 12.0
FOLD: Final = 8.0
CAP: Final = 5.0
DEPTH: Final = 5.0
RIM: Final = 4.0


class Room(NamedTuple):
    """How far an outline is from its words on each side."""

    left: float
    top: float
    right: float
    bottom: float


_AROUND: Final = {
    "box": (0.0, 0.0, 0.0, 0.0),
    "hexagon": (SLANT, 0.0, SLANT, 0.0),
    "parallelogram": (SLANT, 0.0, SLANT, 0.0),
    "cylinder": (0.0, 2 * CAP, 0.0, CAP),
    "note": (FOLD / 2, 0.0, FOLD / 2, 0.0),
    "box3d": (0.0, DEPTH, DEPTH, 0.0),
}


def room(shape: str, is_output: bool) -> Room:
    """Return how much room a shape needs around its words; results have a second rim.

    >>> room("box", is_output=False)
    Room(left=8.0, top=4.0, right=8.0, bottom=4.0)
    """
    rim = RIM if is_output else 0.0
    left, top, right, bottom = _AROUND[shape]
    return Room(left + PADDING + rim, top + PADDING / 2 + rim, right + PADDING + rim, bottom + PADDING / 2 + rim)


def inner(box: Box) -> Box:
    """Return the second rim of a result."""
    return Box(box.x + RIM, box.y + RIM, box.width - 2 * RIM, box.height - 2 * RIM)


def number(value: float) -> str:
    """Return a coordinate in as few characters as the eye can tell apart.

    >>> number(2.0), number(2.25)
    ('2', '2.2')
    """
    return f"{value:.1f}".removesuffix(".0")


def at(point: Point) -> str:
    """Return a point as paths write it."""
    return f"{number(point[0])},{number(point[1])}"


def outline(style: Style, box: Box, paint: str) -> str:
    """Return the element that draws the shape that tells the kind of a mark; `paint` is what is said of its colours."""
    x, y, width, height = box
    if style.shape == "box":
        corner = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"'
        return f'<rect {corner} rx="9" {paint}/>'
    return f'<path d="{_PATHS[style.shape](box)}" {paint}/>'


_Points: TypeAlias = "list[Point]"


def _closed(points: _Points) -> str:
    return f"M{'L'.join(map(at, points))}z"


def _hexagon(box: Box) -> str:
    x, y, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    middle = box.y + box.height / 2
    upper = [(x, middle), (x + SLANT, y), (right - SLANT, y)]
    return _closed([*upper, (right, middle), (right - SLANT, bottom), (x + SLANT, bottom)])


def _parallelogram(box: Box) -> str:
    x, y, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    return _closed([(x + SLANT, y), (right, y), (right - SLANT, bottom), (x, bottom)])


def _cylinder(box: Box) -> str:
    x, y, width, height = box
    rounding = f"{number(width / 2)},{number(CAP)} 0 0"
    body = f"M{at((x, y + CAP))}V{number(y + height - CAP)}A{rounding} 0 {at((x + width, y + height - CAP))}"
    return f"{body}V{number(y + CAP)}A{rounding} 0 {at((x, y + CAP))}A{rounding} 0 {at((x + width, y + CAP))}"


def _note(box: Box) -> str:
    x, y, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    page = [(x, y), (right - FOLD, y), (right, y + FOLD), (right, bottom), (x, bottom)]
    return f"{_closed(page)}M{'L'.join(map(at, [(right - FOLD, y), (right - FOLD, y + FOLD), (right, y + FOLD)]))}"


def _solid(box: Box) -> str:
    x, y, right, bottom = box.x, box.y, box.x + box.width, box.y + box.height
    front = [(x, y + DEPTH), (right - DEPTH, y + DEPTH), (right - DEPTH, bottom), (x, bottom)]
    back = [(x, y + DEPTH), (x + DEPTH, y), (right, y), (right, bottom - DEPTH), (right - DEPTH, bottom)]
    edge = f"M{at((right - DEPTH, y + DEPTH))}L{at((right, y))}"
    return f"{_closed([*back, (x, bottom)])}M{'L'.join(map(at, [*front[:3]]))}{edge}"


_PATHS: Final = {
    "hexagon": _hexagon,
    "parallelogram": _parallelogram,
    "cylinder": _cylinder,
    "note": _note,
    "box3d": _solid,
}
