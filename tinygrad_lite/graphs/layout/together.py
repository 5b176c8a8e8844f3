"""An order of things of which some must come before others, and groups of which come together where they can."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence


def positions(groups: Sequence[int], pairs: Iterable[tuple[int, int]], priority: Sequence[float]) -> list[int]:
    """Return a position for each thing such that the first of every pair comes before the second.

    `groups` names the group of each thing, by one of it. A group shares one position; if there is no such order, it is
    taken apart. Where there is a choice, the lowest priority comes first. The pairs must not go round in a circle.

    >>> positions([0, 1, 1], [(0, 1), (0, 2)], [0, 1, 2])
    [0, 1, 1]
    >>> positions([0, 1, 1], [(1, 0), (0, 2)], [0, 1, 2])
    [1, 0, 2]
    """
    return _Order(groups, pairs, priority).positions


class _Order:
    """Takes groups as soon as nothing is left that comes before, and parts of groups when there is no whole one."""

    def __init__(self, groups: Sequence[int], pairs: Iterable[tuple[int, int]], priority: Sequence[float]) -> None:
        self.groups, self.priority = groups, priority
        self.after: list[list[int]] = [[] for _ in groups]
        self.open = [0] * len(groups)
        """How many pairs still keep each thing from being taken."""
        for first, second in pairs:
            self.after[first].append(second)
            self.open[second] += 1
        self.sizes = Counter(groups)
        self.open_in_group: dict[int, int] = defaultdict(int)
        for group, count in zip(groups, self.open, strict=True):
            self.open_in_group[group] += count
        self.positions = [-1] * len(groups)
        self.free: dict[int, list[int]] = defaultdict(list)
        """Of each group, what could be taken."""
        self.whole: list[tuple[int, float, int]] = []
        self.parts: list[tuple[int, float, int]] = []
        self._take_all()

    def _take_all(self) -> None:
        for thing, count in enumerate(self.open):
            if not count:
                self._release(thing)
        position = 0
        while self.whole or self.parts:
            *_, group = heapq.heappop(self.whole or self.parts)
            taken = self.free.pop(group, [])
            for thing in taken:
                self.positions[thing] = position
            position += bool(taken)
            for second in (second for thing in taken for second in self.after[thing]):
                self.open[second] -= 1
                self.open_in_group[self.groups[second]] -= 1
                if not self.open[second]:
                    self._release(second)

    def _release(self, thing: int) -> None:
        group = self.groups[thing]
        self.free[group].append(thing)
        if self.open_in_group[group]:
            heapq.heappush(self.parts, (self.sizes[group], self.priority[group], group))
        else:
            heapq.heappush(self.whole, (0, self.priority[group], group))
