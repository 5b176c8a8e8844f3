"""Finding what repeats in a sequence: `a b c b c b c d` has `b c` three times in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

LONGEST: Final = 64
"""How many steps a repeated part has at most."""
FEWEST: Final = 3
"""How often a part occurs in a row at least, to be called repeated."""


class Repeat(NamedTuple):
    """A stretch of a sequence: `times` the same `period` steps, from `start` on."""

    start: int
    period: int
    times: int

    @property
    def end(self) -> int:
        """Where what follows begins."""
        return self.start + self.period * self.times


def repeats(sequence: Sequence[int]) -> list[Repeat]:
    """Return stretches that make up `sequence`, each the longest repetition that begins there, or one step once.

    >>> [tuple(repeat) for repeat in repeats([7, 1, 2, 1, 2, 1, 2, 9])]
    [(0, 1, 1), (1, 2, 3), (7, 1, 1)]
    """
    steps = len(sequence)
    if steps < FEWEST:
        return [Repeat(i, 1, 1) for i in range(steps)]
    period, count = _longest(np.asarray(sequence))
    found = []
    i = 0
    while i < steps:
        found.append(Repeat(i, int(period[i]), int(count[i])))
        i = found[-1].end
    return found


def _longest(sequence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return period and count of the repetition that covers most from each place on, of equals that of least period."""
    steps = len(sequence)
    period, count, covered = (np.ones(steps, int) for _ in range(3))
    for candidate in range(1, min(LONGEST, steps // FEWEST) + 1):
        differs = np.append(sequence[:-candidate] != sequence[candidate:], True)
        ends = np.flatnonzero(differs)
        places = np.arange(len(differs))
        alike = ends[np.searchsorted(ends, places)] - places
        times = alike // candidate + 1
        better = np.flatnonzero((times >= FEWEST) & (times * candidate > covered[: len(times)]))
        period[better], count[better] = candidate, times[better]
        covered[better] = times[better] * candidate
    return period, count
