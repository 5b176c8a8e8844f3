"""How high the rows of the picture are, and the gaps between them in which lines move sideways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from tinygrad_lite.graphs.layout.distances import PAD
from tinygrad_lite.graphs.layout.rows import Places
from tinygrad_lite.graphs.layout.stacking import Item
from tinygrad_lite.graphs.scopes import parent_of

MARGIN: Final = 10.0
ARROW: Final = 8.0
TITLE_HEIGHT: Final = 24.0
ROOM: Final = 22.0
ROOMIEST: Final = 66.0
STEEPNESS: Final = 0.14
"""How high the gap between two rows is at least and at most; between, how much of the way a line moves sideways."""
SHALLOWEST: Final = 12.0
DEEPEST: Final = 30.0
DEPTH: Final = 0.06
"""How far a turn reaches into the gap at least and at most; between, how much of the way it moves sideways."""


class Piece(NamedTuple):
    """Where a line moves sideways: in which gap, from where to where, each at the row above or the row below."""

    gap: int
    """The number of the row above the gap."""
    start: float
    from_above: bool
    end: float
    to_above: bool


def turn_depth(sideways: float) -> float:
    """Return how far a line that turns round reaches into the gap."""
    return min(max(SHALLOWEST, DEPTH * abs(sideways)), DEEPEST)


class Heights:
    """The heights of rows and gaps, and what follows from them."""

    def __init__(self, items: Sequence[Item], found: Places, pieces: Sequence[Piece]) -> None:
        count = max(found.rows) + 1
        self.spans = found.spans
        self.over, self.under = self._scope_heights()
        tall, head, foot = [0.0] * count, [0.0] * count, [0.0] * count
        for item, row in zip(items, found.rows, strict=False):
            tall[row] = max(tall[row], item.height)
            (foot if item.rises else head)[row] = ARROW
        for scope, (first, last) in found.spans.items():
            head[first] = max(head[first], self.over[scope])
            foot[last] = max(foot[last], self.under[scope])
        room = self._rooms(count, pieces)
        self.top, self.bottom = [], []
        self.arrive, self.leave = [], [MARGIN]
        for row in range(count):
            self.arrive.append(self.leave[row] + room[row])
            self.top.append(self.arrive[row] + head[row])
            self.bottom.append(self.top[row] + tall[row])
            self.leave.append(self.bottom[row] + foot[row])
        self.arrive.append(self.leave[-1] + room[-1])
        self.middle = [(top + bottom) / 2 for top, bottom in zip(self.top, self.bottom, strict=True)]
        self.total = self.arrive[-1] + MARGIN

    def _scope_heights(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return how far each scope reaches over its first row and under its last."""
        over = dict.fromkeys(self.spans, TITLE_HEIGHT + ARROW)
        under = dict.fromkeys(self.spans, PAD)
        for scope in sorted(self.spans, key=lambda scope: -scope.count(".")):
            outer = parent_of(scope)
            if outer and self.spans[outer][0] == self.spans[scope][0]:
                over[outer] = max(over[outer], over[scope] + TITLE_HEIGHT)
            if outer and self.spans[outer][1] == self.spans[scope][1]:
                under[outer] = max(under[outer], under[scope] + PAD)
        return over, under

    def _rooms(self, count: int, pieces: Sequence[Piece]) -> list[float]:
        """Return how high each gap is, those over the first row and under the last only as high as lines there need."""
        room = [0.0, *[ROOM] * (count - 1), 0.0]
        for gap, start, from_above, end, to_above in pieces:
            turns = from_above == to_above
            needed = turn_depth(end - start) + MARGIN if turns else min(STEEPNESS * abs(end - start), ROOMIEST)
            room[gap + 1] = max(room[gap + 1], needed)
        return room

    def side(self, gap: int, above: bool) -> float:
        """Return where the gap under a row begins or, not `above`, ends."""
        return self.leave[gap + 1] if above else self.arrive[gap + 1]

    def scope(self, scope: str) -> tuple[float, float]:
        """Return the top and the bottom of the box of a scope."""
        first, last = self.spans[scope]
        return self.top[first] - self.over[scope], self.bottom[last] + self.under[scope]
