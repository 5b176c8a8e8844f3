"""In which order items follow one another from the top of the picture to the bottom, before they get rows.

Falling items follow their operands, rising ones go before theirs, and a cotangent comes together with its value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tinygrad_lite.graphs.layout.together import positions

if TYPE_CHECKING:
    from tinygrad_lite.graphs.layout.stacking import Item


def orders(items: Sequence[Item]) -> Iterator[tuple[int, int]]:
    """Yield what must stand higher and what lower, for each edge between two items that go the same way."""
    for v, item in enumerate(items):
        for source in item.inputs:
            if items[source].rises == item.rises:
                yield (v, source) if item.rises else (source, v)


def loose(items: Sequence[Item]) -> list[bool]:
    """Return which items could stand far from all else, as only the other direction ties them to it.

    Those are the rising ones that come from no cotangent, falling ones that only rising ones use, and falling ones that
    were computed from rising ones.
    """
    users: list[list[int]] = [[] for _ in items]
    from_cotangent = [item.beside is not None for item in items]
    found = [False] * len(items)
    for v, item in enumerate(items):
        for source in item.inputs:
            users[source].append(v)
        if item.rises:
            from_cotangent[v] |= any(from_cotangent[source] for source in item.inputs)
        else:
            found[v] = any(items[source].rises or found[source] for source in item.inputs)
    for v in range(len(items) - 1, -1, -1):
        if items[v].rises:
            found[v] = not from_cotangent[v] and any(items[user].rises for user in users[v])
        elif users[v]:
            found[v] = found[v] or all(items[user].rises or found[user] for user in users[v])
    return found


def sequence(items: Sequence[Item], is_loose: Sequence[bool]) -> list[int]:
    """Return the position of each item, from the top.

    An item shares the position of what it is beside, unless there is no such order: then it has one of its own.
    """
    heads = _heads(items)
    from_bottom = positions(heads, ((lower, upper) for upper, lower in orders(items)), _delays(items, heads, is_loose))
    count = max(from_bottom) + 1
    return [count - 1 - position for position in from_bottom]


def _heads(items: Sequence[Item]) -> list[int]:
    """Return for each item the first of its group: of those that stand beside one another."""
    heads: list[int] = []
    for v, item in enumerate(items):
        heads.append(v if item.beside is None else heads[item.beside])
    return heads


def _delays(items: Sequence[Item], heads: list[int], is_loose: Sequence[bool]) -> list[float]:
    """Return how late each item may be taken, from the bottom: the later, the earlier it was computed.

    What is not computed counts as computed right before its first use, what is loose together with the last it serves.
    """
    moments = [float(v) for v in range(len(items))]
    for v in range(len(items) - 1, -1, -1):
        for source in items[v].inputs:
            if not items[v].rises and not items[source].inputs:
                moments[source] = v - 0.5
    latest = [-1.0] * len(items)
    for v in range(len(items) - 1, -1, -1):
        if latest[v] >= 0 and (is_loose[v] or (items[v].rises and items[v].beside is None)):
            moments[v] = latest[v] + 0.25
        for source in items[v].inputs:
            latest[source] = max(latest[source], moments[heads[v]])
    return [-moment for moment in moments]
