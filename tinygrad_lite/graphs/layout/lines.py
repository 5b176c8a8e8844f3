"""Which places of the picture should stand in one straight line, and which lines beside one another."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tinygrad_lite.graphs.layout.rows import Arrival, Places
    from tinygrad_lite.graphs.layout.stacking import Item

PORT_STEP: Final = 22.0
PORT_REACH: Final = 40.0
"""How far from the middle of a node an edge arrives at most."""


def main_operands(items: Sequence[Item], rows: Sequence[int]) -> list[list[int]]:
    """Return for each item the positions of the operand that it continues; none where no operand stands out.

    That is the one with most operations behind it, a cotangent before all else; among several the nearest.
    """
    found: list[list[int]] = []
    steps = [0] * len(items)
    for v, item in enumerate(items):
        same_way = [source for source in item.inputs if items[source].rises == item.rises]
        most = max((steps[source] for source in same_way), default=0)
        steps[v] = max(most, len(items) * (item.beside is not None)) + bool(item.inputs)
        distances = {source: abs(rows[source] - rows[v]) for source in same_way if most and steps[source] == most}
        least = min(distances.values(), default=0)
        nearest = [source for source, distance in distances.items() if distance == least]
        found.append([i for i, source in enumerate(item.inputs) if [source] == nearest])
    return found


def ports(items: Sequence[Item], target: int, main: Sequence[int]) -> list[float]:
    """Return how far from its middle each operand enters an item, in the order of the operands.

    What it continues comes straight and the others stand aside.
    """
    count = len(items[target].inputs)
    middle = statistics.fmean(main or range(count)) if count else 0.0
    step = min(PORT_STEP, min(PORT_REACH, 0.4 * items[target].width) / max(middle, count - 1 - middle, 1))
    return [(position - middle) * step for position in range(count)]


def lines(places: Places) -> Iterator[list[int]]:
    """Yield the places that should stand in one line each: items that continue one another, and what is between.

    Of several that continue the same item, the one with the longest line behind it stays in its line.
    """
    length = [1] * places.count
    longest: dict[int, Arrival] = {}
    for arrival in reversed(places.arrivals):
        if arrival.is_main and arrival.start is not None and length[arrival.target] >= length[arrival.source]:
            length[arrival.source] = length[arrival.target] + 1
            longest[arrival.source] = arrival
    continued = {arrival.target for arrival in longest.values()}
    for v in longest:
        if v not in continued:
            line = [v]
            while line[-1] in longest:
                line += longest[line[-1]].way()[1:]
            yield line


def put_lines_beside(places: Places) -> None:
    """Let the line of each cotangent stand right beside the line of its value, as far as both go."""
    head: dict[int, int] = {}
    before: dict[int, int] = {}
    after: dict[int, int] = {}
    in_row: dict[tuple[int | None, int], int] = {}
    """The place of a line, named by its first, in a row."""
    for line in places.lines:
        head.update((v, line[0]) for v in line)
        before.update(itertools.pairwise(reversed(line)))
        after.update(itertools.pairwise(line))
        in_row.update(((line[0], places.rows[v]), v) for v in line)
    for cotangent, value in list(places.beside.items()):
        for step in (before, after):
            right = step.get(cotangent)
            while right is not None:
                left = in_row.get((head.get(value), places.rows[right]))
                right = step.get(right) if left is not None and places.put_beside(right, left) else None
