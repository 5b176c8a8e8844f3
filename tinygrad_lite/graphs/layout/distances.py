"""The distances that keep places in a row apart and scopes together.

Everything in a scope, scopes among it, has one key on one scale, so that what lies left of what is the same in every
row. The two borders of a scope are unknowns like the places, left and right of all that is in it in every row it spans.
All demands are then of the form *b is at least so far right of a*. Pushing wishes right until they hold gives one
solution, pushing left gives another, and half-way between two solutions is always a third.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, TypeAlias

from tinygrad_lite.graphs.layout.lines import PORT_REACH
from tinygrad_lite.graphs.layout.rows import Places
from tinygrad_lite.graphs.layout.together import positions
from tinygrad_lite.graphs.scopes import parent_of, path_to

PAD: Final = 12.0
NODE_GAP: Final = 18.0
TRUNK_GAP: Final = 10.0

Key: TypeAlias = tuple[tuple[float, int], ...]


def keys_of(places: Places, x: list[float]) -> dict[str, Key]:
    """Return for each scope the keys of those around it and its own: the middle of what is in it."""
    total, count = dict.fromkeys(["", *places.spans], 0.0), dict.fromkeys(["", *places.spans], 0)
    for scope, position in zip(places.scopes, x, strict=True):
        total[scope] += position
        count[scope] += 1
    for scope in reversed(places.spans):
        total[parent_of(scope)] += total[scope]
        count[parent_of(scope)] += count[scope]
    keys: dict[str, Key] = {"": ()}
    for i, scope in enumerate(places.spans):
        keys[scope] = (*keys[parent_of(scope)], (total[scope] / count[scope], i - len(places.spans)))
    return keys


class Demands:
    """Which place or border must be how far right of which other, and which places stand in one line."""

    def __init__(self, places: Places, x: list[float], title_widths: dict[str, float]) -> None:
        self.places, self.title_widths = places, title_widths
        count = len(x)
        self.scopes = {scope: (count + 2 * i, count + 2 * i + 1) for i, scope in enumerate(places.spans)}
        self.halves = [width / 2 for width in places.widths] + [0.0] * (2 * len(self.scopes))
        self.right_of: list[list[tuple[int, float]]] = [[] for _ in self.halves]
        self.left_of: list[list[tuple[int, float]]] = [[] for _ in self.halves]
        self.from_last = [0.0] * count
        """How far each place must be right of the last in its row."""
        self.order = self._from_left(x)
        self._demand_in_rows()
        for scope, (left, right) in self.scopes.items():
            self._demand(left, right, title_widths[scope])
        self.clear: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self._demand_clear_titles()
        self._draw_up()

    def _from_left(self, x: list[float]) -> list[int]:
        keys = keys_of(self.places, x)
        ranks: list[Key] = [(*keys[scope], (x[v], v)) for v, scope in enumerate(self.places.scopes)]
        for scope in self.scopes:
            ranks += [(*keys[scope], (-math.inf, 0)), (*keys[scope], (math.inf, 0))]
        return sorted(range(len(ranks)), key=ranks.__getitem__)

    def _draw_up(self) -> None:
        """Make one unknown of each line, or of each part of it where it cannot be straight, and order all unknowns."""
        groups = list(range(len(self.halves)))
        for line in self.places.lines:
            for v in line:
                groups[v] = line[0]
        rank = [0.0] * len(groups)
        for i, v in enumerate(self.order):
            rank[v] = i
        pairs = ((u, v) for u, demands in enumerate(self.right_of) for v, _ in demands)
        self.unknown = positions(groups, pairs, rank)
        self.members: list[list[int]] = [[] for _ in range(max(self.unknown) + 1)]
        for v, unknown in enumerate(self.unknown):
            self.members[unknown].append(v)

    def _demand_in_rows(self) -> None:
        """Keep neighbours in a row apart; a border takes part in every row that its scope spans."""
        spans = [(row, row) for row in self.places.rows]
        spans += [span for span in self.places.spans.values() for _ in range(2)]
        last: dict[int, int] = {}
        since_place: dict[int, float] = defaultdict(float)
        for v in self.order:
            for row in range(spans[v][0], spans[v][1] + 1):
                if row in last:
                    u = last[row]
                    distance = self.halves[u] + self._gap(u, v) + self.halves[v]
                    self._demand(u, v, distance)
                    since_place[row] += distance
                last[row] = v
            if v < len(spans) - 2 * len(self.scopes):
                self.from_last[v] = since_place.pop(spans[v][0], 0.0)

    def _demand_clear_titles(self) -> None:
        """Keep what is entered from above, in the first row of a scope, right of the title that stands there."""
        for v, row in enumerate(self.places.rows):
            for scope in path_to(self.places.scopes[v]) if self.places.is_entered[v] else ():
                if self.places.spans[scope][0] == row:
                    reach = min(self.halves[v], PORT_REACH)
                    self.clear[scope].append((v, self.title_widths[scope] + reach))
                    self._demand(self.scopes[scope][0], *self.clear[scope][-1])

    def _gap(self, u: int, v: int) -> float:
        count = len(self.places.rows)
        if (u >= count and (u - count) % 2 == 0) or (v >= count and (v - count) % 2 == 1):
            return PAD
        return TRUNK_GAP if self.halves[u] == self.halves[v] == 0.0 and u < count and v < count else NODE_GAP

    def _demand(self, u: int, v: int, distance: float) -> None:
        self.right_of[u].append((v, distance))
        self.left_of[v].append((u, distance))

    def met(self, wish: list[float]) -> list[float]:
        """Return positions near `wish` that meet every demand, those of the places first, then the borders."""
        tight = self.borders(wish)
        wish = wish[: len(self.places.rows)] + [side for scope in self.scopes for side in tight[scope]]
        unknown = self.unknown
        pushed_right = [statistics.fmean([wish[v] for v in members]) for members in self.members]
        pushed_left = list(pushed_right)
        for i, members in enumerate(self.members):
            for v in members:
                for u, distance in self.left_of[v]:
                    if pushed_right[i] < pushed_right[unknown[u]] + distance:
                        pushed_right[i] = pushed_right[unknown[u]] + distance
        for i in range(len(self.members) - 1, -1, -1):
            for v in self.members[i]:
                for w, distance in self.right_of[v]:
                    if pushed_left[i] > pushed_left[unknown[w]] - distance:
                        pushed_left[i] = pushed_left[unknown[w]] - distance
        return [(pushed_right[i] + pushed_left[i]) / 2 for i in unknown]

    def borders(self, x: list[float]) -> dict[str, tuple[float, float]]:
        """Return the borders that enclose what is in each scope as tightly as its title allows.

        Where `x` has borders that meet the demands, no border moves outwards from them.
        """
        left, right = dict.fromkeys(["", *self.scopes], math.inf), dict.fromkeys(["", *self.scopes], -math.inf)
        for scope, middle, half in zip(self.places.scopes, x, self.halves, strict=False):
            left[scope] = min(left[scope], middle - half)
            right[scope] = max(right[scope], middle + half)
        for scope in reversed(self.scopes):
            left[scope] = min([left[scope] - PAD, *(x[v] - distance for v, distance in self.clear[scope])])
            if len(x) > len(self.places.rows):
                left[scope] = min(left[scope], x[self.scopes[scope][1]] - self.title_widths[scope])
            right[scope] = max(right[scope] + PAD, left[scope] + self.title_widths[scope])
            left[parent_of(scope)] = min(left[parent_of(scope)], left[scope])
            right[parent_of(scope)] = max(right[parent_of(scope)], right[scope])
        return {scope: (left[scope], right[scope]) for scope in self.scopes}

    def nearest(self, x: list[float], run: Sequence[int], wish: float) -> float:
        """Return the position nearest to `wish` that all places of `run` are free to take; one at least must exist."""
        left, right = self._room(x, run)
        return min(max(wish, left), right)

    def free_run(self, x: list[float], line: Sequence[int], start: int) -> int:
        """Return where the longest part of `line` from `start` ends that is free to stand upright."""
        left, right = -math.inf, math.inf
        for i in range(start, len(line)):
            here = self._room(x, [line[i]])
            left, right = max(left, here[0]), min(right, here[1])
            if left > right:
                return max(i, start + 1)
        return len(line)

    def _room(self, x: list[float], run: Sequence[int]) -> tuple[float, float]:
        left = max((x[u] + distance for v in run for u, distance in self.left_of[v]), default=-math.inf)
        right = min((x[w] - distance for v in run for w, distance in self.right_of[v]), default=math.inf)
        return left, max(left, right)
