"""The forward computation as a tree: a visit to a scope holds operations and visits to the scopes inside, in order.

A scope that is left and entered again is visited twice. What was not computed stands right before its first use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from tinygrad_lite.graphs.scopes import path_to

Unit: TypeAlias = "int | Visit | Whole"
"""One step of a visit: a node by its id, a visit to a scope inside, or several nodes that are drawn as one."""


Leaves: TypeAlias = Literal["in scope", "in only visit", "at first use"]
"""Where what was not computed stands: before its first use in its own scope; the same, but before the visits if there
are several that use it; or before its first use anywhere."""


class Placed(Protocol):
    """What stands in a scope and takes operands: a node, or a mark."""

    @property
    def scope(self) -> str: ...
    @property
    def inputs(self) -> tuple[int, ...]: ...


@dataclass(eq=False)
class Visit:
    """A stay in a scope, from entering to leaving it."""

    scope: str
    around: Visit | None = None
    units: list[Unit] = field(default_factory=list)

    def nodes(self) -> Iterator[int]:
        """Yield the nodes in it, in order."""
        return _nodes_of(self.units)


@dataclass(eq=False)
class Whole:
    """Nodes that are drawn as one: all of a scope, or steps in a row."""

    nodes: list[int]
    title: str
    scope: str
    """The scope that it is all of, for steps in a row the one that they are in."""
    is_scope: bool


def nodes_in(unit: Unit) -> Iterable[int]:
    """Return the nodes of a unit."""
    return (unit,) if isinstance(unit, int) else unit.nodes if isinstance(unit, Whole) else unit.nodes()


def _nodes_of(units: Sequence[Unit]) -> Iterator[int]:
    waiting = [iter(units)]  # not recursive: scopes may be nested as deep as a user likes
    while waiting:
        for unit in waiting[-1]:
            if isinstance(unit, Visit):
                waiting.append(iter(unit.units))
                break
            yield from nodes_in(unit)
        else:
            waiting.pop()


def visits(nodes: Sequence[Placed], forward: Sequence[int], leaves: Leaves = "in scope") -> Visit:
    """Return the tree of the nodes with the numbers `forward`, which stand after their inputs."""
    tree = _Tree(nodes)
    for v in forward:
        if nodes[v].inputs:
            tree.enter(v)
    tree.place([v for v in forward if not nodes[v].inputs], forward, leaves)
    return tree.root


class _Tree:
    """Visits while they are collected."""

    def __init__(self, nodes: Sequence[Placed]) -> None:
        self.nodes = nodes
        self.root = Visit("")
        self.home: dict[int, Visit] = {}
        self.stack = [self.root]
        self.paths: dict[str, list[str]] = {}
        self.visits = [self.root]

    def path(self, scope: str) -> list[str]:
        if scope not in self.paths:
            self.paths[scope] = path_to(scope)
        return self.paths[scope]

    def enter(self, v: int) -> None:
        """Add an operation: leave the scopes that it is not in and enter those that it is in."""
        path = self.path(self.nodes[v].scope)
        common = 0
        while common < min(len(path), len(self.stack) - 1) and self.stack[common + 1].scope == path[common]:
            common += 1
        del self.stack[common + 1 :]
        for scope in path[common:]:
            visit = Visit(scope, self.stack[-1])
            self.stack[-1].units.append(visit)
            self.stack.append(visit)
            self.visits.append(visit)
        self.home[v] = self.stack[-1]
        self.stack[-1].units.append(v)

    def place(self, leaves: list[int], forward: Sequence[int], how: Leaves) -> None:
        """Put each of `leaves` before the step that uses it first."""
        inside = self._uses_inside(set(leaves), forward)
        first = self._first_uses(set(leaves), forward)
        before: dict[int | Visit, list[int]] = {}
        for leaf in leaves:
            if leaf not in first:
                before.setdefault(self.root, []).append(leaf)
                continue
            users = inside[leaf] if how != "at first use" or first[leaf] in inside[leaf] else []
            step, visit = self._step_to(users[0] if users else first[leaf], self.nodes[leaf].scope)
            is_shared = any(self._step_to(user, visit.scope)[1] is not visit for user in users)
            if how == "in only visit" and is_shared and visit.around is not None:
                step = visit
            before.setdefault(step, []).append(leaf)
        for visit in self.visits:
            visit.units = [
                entry
                for unit in visit.units
                for entry in (*before.get(unit, ()), unit)  # type: ignore[arg-type]  # no Whole is here yet
            ]
        self.root.units[:0] = before.get(self.root, [])

    def _step_to(self, user: int, scope: str) -> tuple[int | Visit, Visit]:
        """Return the visit to `scope`, or else to the innermost scope around it, that leads to `user`, and its step."""
        step: int | Visit = user
        visit = self.home[user]
        around = {"", *self.path(scope)}
        while visit.scope not in around and visit.around is not None:
            step, visit = visit, visit.around
        return step, visit

    def _first_uses(self, leaves: set[int], forward: Sequence[int]) -> dict[int, int]:
        """Return for each leaf the first operation that uses it."""
        first: dict[int, int] = {}
        for v in forward:
            for source in self.nodes[v].inputs:
                if source in leaves:
                    first.setdefault(source, v)
        return first

    def _uses_inside(self, leaves: set[int], forward: Sequence[int]) -> dict[int, list[int]]:
        """Return for each leaf the operations inside its scope that use it."""
        inside: dict[int, list[int]] = {leaf: [] for leaf in leaves}
        for v in forward:
            for source in self.nodes[v].inputs:
                scope = self.nodes[source].scope
                if source in leaves and (not scope or f"{self.nodes[v].scope}.".startswith(f"{scope}.")):
                    inside[source].append(v)
        return inside
