"""Which row of the picture each node stands in: right above the first that uses it, and scopes below one another.

Where all of one scope was computed before all of another that uses it, the second stands below the first: layers
pile up as they were called. Scopes that do not use each other stand side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tinygrad_lite.graphs.scopes import path_to


class Item(NamedTuple):
    """What the layout needs to know of a node."""

    width: float
    height: float
    scope: str
    inputs: tuple[int, ...]


def stacked_rows(items: Sequence[Item]) -> list[int]:
    """Return the row of each item, counted from the top; items stand after their inputs."""
    scopes = _Scopes(items)
    to_go = [0] * len(items)
    """How many rows are below each item."""
    below: dict[str, int] = {}
    """How many rows are below each scope."""
    top: dict[str, int] = {}
    """How many rows are below the top row of each scope."""
    for v, ended in scopes.backwards():
        for scope in ended:
            waiting = scopes.after_scope.get(scope, ())
            below[scope] = max((1 + (top[w] if isinstance(w, str) else to_go[w]) for w in waiting), default=0)
        around = scopes.paths[items[v].scope]
        to_go[v] = max([to_go[v], *(below[scope] for scope in around), *(1 + top[w] for w in scopes.after_item[v])])
        for scope in around:
            top[scope] = max(top.get(scope, 0), to_go[v])
        for source in items[v].inputs:
            to_go[source] = max(to_go[source], to_go[v] + 1)
    highest = max(to_go)
    return [highest - steps for steps in to_go]


class _Scopes:
    """When each scope begins and ends, and what has to stand below it or below an item."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.moments = _moments(items)
        self.paths = {item.scope: path_to(item.scope) for item in items}
        self.first: dict[str, float] = {}
        self.last: dict[str, tuple[float, int]] = {}
        for v, (item, moment) in enumerate(zip(items, self.moments, strict=True)):
            for scope in self.paths[item.scope]:
                self.first[scope] = min(self.first.get(scope, moment), moment)
                self.last[scope] = max(self.last.get(scope, (moment, v)), (moment, v))
        self.after_scope: dict[str, dict[str | int, None]] = {}
        self.after_item: list[dict[str, None]] = [{} for _ in items]
        for v, item in enumerate(items):
            for source in item.inputs:
                if items[source].inputs:
                    self._stack(source, v, self.paths[items[source].scope], self.paths[item.scope])

    def _stack(self, source: int, user: int, path: list[str], user_path: list[str]) -> None:
        """Put what holds `user` below what holds `source`, as far as neither holds the other and time allows."""
        depth = next((i for i, (a, b) in enumerate(zip(path, user_path, strict=False)) if a != b), None)
        depth = min(len(path), len(user_path)) if depth is None else depth
        begin = self.first[user_path[depth]] if depth < len(user_path) else self.moments[user]
        follower = user_path[depth] if depth < len(user_path) else user
        if depth < len(path):
            if self.last[path[depth]][0] < begin:
                self.after_scope.setdefault(path[depth], {})[follower] = None
        elif isinstance(follower, str) and self.moments[source] < begin:
            self.after_item[source][follower] = None

    def backwards(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the items, latest first, each with the scopes of which it is the last."""
        ended: dict[int, list[str]] = {}
        for scope, (_, v) in self.last.items():
            ended.setdefault(v, []).append(scope)
        for v in sorted(range(len(self.moments)), key=lambda v: (self.moments[v], v), reverse=True):
            yield v, ended.get(v, [])


def _moments(items: Sequence[Item]) -> list[float]:
    """Return when each item happens: an operation at its position, everything else right before its first use."""
    first_use = [float(len(items))] * len(items)
    for v in range(len(items) - 1, -1, -1):
        for source in items[v].inputs:
            first_use[source] = v
    return [v if item.inputs else first_use[v] - 0.5 for v, item in enumerate(items)]
