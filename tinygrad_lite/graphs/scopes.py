"""Scopes as a tree: `layers.0` lies in `layers`, which lies in the empty scope at the top."""

from __future__ import annotations

from collections.abc import Iterable


def parent_of(scope: str) -> str:
    """Return the scope around `scope`.

    >>> parent_of("layers.0"), parent_of("layers")
    ('layers', '')
    """
    return scope.rpartition(".")[0]


def path_to(scope: str) -> list[str]:
    """Return the scopes around `scope` and itself, outermost first, without the empty one.

    >>> path_to("net.layers.0")
    ['net', 'net.layers', 'net.layers.0']
    """
    parts = scope.split(".") if scope else []
    return [path for i in range(len(parts)) if (path := ".".join(parts[: i + 1]))]


def enclosing(scopes: Iterable[str]) -> list[str]:
    """Return `scopes` with all that lie around them, each once, in order of appearance, outer before inner.

    >>> enclosing(["layers.0", "", "layers.1"])
    ['layers', 'layers.0', 'layers.1']
    """
    return list(dict.fromkeys(outer for scope in dict.fromkeys(scopes) for outer in path_to(scope)))
