"""Nested tuples, lists and dicts of values: flattened to a list, and built up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def leaves_of(tree: Any) -> list[Any]:
    """Return the values of nested tuples, lists and dicts, in order; anything else is a value."""
    return list(_walk(tree))


def _walk(tree: Any) -> Iterator[Any]:
    if isinstance(tree, tuple | list):
        for branch in tree:
            yield from _walk(branch)
    elif isinstance(tree, dict):
        for branch in tree.values():
            yield from _walk(branch)
    else:
        yield tree


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return the same structure with `function` applied to every value, in the order of `leaves_of`."""
    if isinstance(tree, tuple):
        branches = [map_leaves(function, branch) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else tuple(branches)
    if isinstance(tree, list):
        return [map_leaves(function, branch) for branch in tree]
    if isinstance(tree, dict):
        return {key: map_leaves(function, branch) for key, branch in tree.items()}
    return function(tree)


def paths_of(tree: Any, prefix: str = "") -> list[str]:
    """Return how to reach each value of `leaves_of`, such as `[0]['weight']`."""
    if isinstance(tree, tuple | list):
        return [path for i, branch in enumerate(tree) for path in paths_of(branch, f"{prefix}[{i}]")]
    if isinstance(tree, dict):
        return [path for key, branch in tree.items() for path in paths_of(branch, f"{prefix}[{key!r}]")]
    return [prefix]
