"""The distances that keep places in a row apart and scopes together.

Everything in a scope, scopes among it, has one key on one scale, so that what lies left of what is the same in every
row. The two borders of a scope are unknowns like the places, left and right of all that is in it in every row it spans.
All demands are then of the form *b is at least so far right of a*. Pushing wishes right until they hold gives one
solution, pushing left gives another, and half-way between two solutions is always a third.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, TypeAlias

from tinygrad_lite.graphs.rows import PORT_REACH, Places
from tinygrad_lite.graphs.scopes import parent_of, path_to

PAD: Final = 12.0
NODE_GAP: Final = 18.0
TRUNK_GAP: Final = 10.0

Key: TypeAlias = tuple[tuple[float, int], ...]


def keys_of(places: Places, x: list[float]) -> dict[str, Key]:
    """Return for each scope the keys of those around it and its own: the middle of what is in it."""
    members: dict[str, list[float]] = defaultdict(list)
    for scope, position in zip(places.scopes, x, strict=True):
        for outer in path_to(scope):
            members[outer].append(position)
    own = {scope: (statistics.fmean(members[scope]), i - len(places.spans)) for i, scope in enumerate(places.spans)}
    return {scope: tuple(own[outer] for outer in path_to(scope)) for scope in ("", *places.spans)}


class Demands:
    """Which place or border must be how far right of which other."""

    def __init__(self, places: Places, x: list[float], title_widths: dict[str, float], entered: list[bool]) -> None:
        self.places, self.title_widths = places, title_widths
        count = len(x)
        self.scopes = {scope: (count + 2 * i, count + 2 * i + 1) for i, scope in enumerate(places.spans)}
        self.halves = [width / 2 for width in places.widths] + [0.0] * (2 * len(self.scopes))
        keys = keys_of(places, x)
        ranks: list[Key] = [(*keys[scope], (x[v], v)) for v, scope in enumerate(places.scopes)]
        for scope in self.scopes:
            ranks += [(*keys[scope], (-float("inf"), 0)), (*keys[scope], (float("inf"), 0))]
        self.order = sorted(range(len(ranks)), key=ranks.__getitem__)
        self.right_of: list[list[tuple[int, float]]] = [[] for _ in ranks]
        self.left_of: list[list[tuple[int, float]]] = [[] for _ in ranks]
        self._demand_in_rows()
        for scope, (left, right) in self.scopes.items():
            self._demand(left, right, title_widths[scope])
        self.clear: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self._demand_clear_titles(entered)

    def _demand_in_rows(self) -> None:
        """Keep neighbours in a row apart; a border takes part in every row that its scope spans."""
        spans = [(row, row) for row in self.places.rows]
        spans += [span for span in self.places.spans.values() for _ in range(2)]
        last: dict[int, int] = {}
        for v in self.order:
            for row in range(spans[v][0], spans[v][1] + 1):
                if row in last:
                    u = last[row]
                    self._demand(u, v, self.halves[u] + self._gap(u, v) + self.halves[v])
                last[row] = v

    def _demand_clear_titles(self, entered: list[bool]) -> None:
        """Keep what is entered from above, in the first row of a scope, right of the title that stands there."""
        for v, row in enumerate(self.places.rows):
            for scope in path_to(self.places.scopes[v]) if entered[v] else ():
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
        pushed_right, pushed_left = list(wish), list(wish)
        for v in self.order:
            for u, distance in self.left_of[v]:
                if pushed_right[v] < pushed_right[u] + distance:
                    pushed_right[v] = pushed_right[u] + distance
        for u in reversed(self.order):
            for v, distance in self.right_of[u]:
                if pushed_left[u] > pushed_left[v] - distance:
                    pushed_left[u] = pushed_left[v] - distance
        return [(a + b) / 2 for a, b in zip(pushed_right, pushed_left, strict=True)]

    def borders(self, x: list[float]) -> dict[str, tuple[float, float]]:
        """Return the borders that enclose what is in each scope as tightly as its title allows.

        Where `x` has borders that meet the demands, no border moves outwards from them.
        """
        count = len(self.places.rows)
        inside: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for scope, middle, half in zip(self.places.scopes, x, self.halves, strict=False):
            inside[scope].append((middle - half, middle + half))
        tight: dict[str, tuple[float, float]] = {}
        for scope in sorted(self.scopes, key=lambda scope: -len(path_to(scope))):
            left = min(side for side, _ in inside[scope]) - PAD
            left = min([left, *(x[v] - distance for v, distance in self.clear[scope])])
            right = max(side for _, side in inside[scope]) + PAD
            if len(x) > count:
                left = min(left, x[self.scopes[scope][1]] - self.title_widths[scope])
            tight[scope] = left, max(right, left + self.title_widths[scope])
            inside[parent_of(scope)].append(tight[scope])
        return tight

    def nearest(self, x: list[float], run: Sequence[int], wish: float) -> float:
        """Return the position nearest to `wish` that all places of `run` are free to take; one at least must exist."""
        left, right = self._room(x, run)
        return min(max(wish, left), right)

    def free_run(self, x: list[float], run: range) -> int:
        """Return the end of the longest beginning of `run` that is free to stand in one line."""
        left, right = -float("inf"), float("inf")
        for v in run:
            here = self._room(x, [v])
            left, right = max(left, here[0]), min(right, here[1])
            if left > right:
                return max(v, run.start + 1)
        return run.stop

    def _room(self, x: list[float], run: Sequence[int]) -> tuple[float, float]:
        left = max((x[u] + distance for v in run for u, distance in self.left_of[v]), default=-float("inf"))
        right = min((x[w] - distance for v in run for w, distance in self.right_of[v]), default=float("inf"))
        return left, max(left, right)
