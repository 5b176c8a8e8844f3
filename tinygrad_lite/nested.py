"""Nested tuples, lists and dicts of values: flattened to a list, built up again, held against one another.

A module counts as a value here; its parameters are what `with_parameters` exchanges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tinygrad_lite.errors import ArgumentError


def has_parameters(value: Any) -> bool:
    """Return whether `value` is a module, which this room cannot name."""
    return hasattr(type(value), "with_parameters")


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


def values_in(tree: Any) -> list[Any]:
    """Return the values of `leaves_of`, and for a module its parameters."""
    values: list[Any] = []
    for leaf in leaves_of(tree):
        values += [parameter for _, parameter in leaf.named_parameters()] if has_parameters(leaf) else [leaf]
    return values


def substituted(tree: Any, values: Iterable[Any]) -> Any:
    """Return the same structure with other values, those of `values_in`, and modules that compute with them."""
    remaining = iter(values)

    def next_for(leaf: Any) -> Any:
        if has_parameters(leaf):
            return leaf.with_parameters([next(remaining) for _ in leaf.named_parameters()])
        return next(remaining)

    return map_leaves(next_for, tree)


def arranged(tree: Any, values: Iterable[Any]) -> Any:
    """Return `values`, one for each of `values_in`, in the same structure, with a dict by name for a module."""
    remaining = iter(values)

    def next_for(leaf: Any) -> Any:
        if has_parameters(leaf):
            return {name: next(remaining) for name, _ in leaf.named_parameters()}
        return next(remaining)

    return map_leaves(next_for, tree)


def matching(tree: Any, given: Any, what: str) -> list[Any]:
    """Return the values of `given`, one for each of `values_in(tree)`, whose structure it must have.

    For a module it must be a dict by parameter name. Raises ArgumentError that begins with `what`, such as "f must be".
    """
    if has_parameters(tree):
        tree = dict(tree.named_parameters())
    if isinstance(tree, dict):
        if not isinstance(given, dict) or set(given) != set(tree):
            keys = list(given) if isinstance(given, dict) else type(given).__name__
            raise ArgumentError(f"{what} a dict with the keys {list(tree)}, got {keys}")
        return [value for key, branch in tree.items() for value in matching(branch, given[key], what)]
    if isinstance(tree, tuple | list):
        if not isinstance(given, tuple | list) or len(given) != len(tree):
            count = len(given) if isinstance(given, tuple | list) else type(given).__name__
            raise ArgumentError(f"{what} {len(tree)} values, got {count}")
        return [value for branch, part in zip(tree, given, strict=True) for value in matching(branch, part, what)]
    return [given]
