"""The words on a node, alike in text and pictures: its title, its details, its line in the listing.

Whatever a user may have named is made visible here (`shown`): no control character, line break or change of writing
direction gets through. Each format then escapes what means something to it.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from tinygrad_lite.graphs.recorded import GraphNode

LONGEST: Final = 40
"""How many characters of a name a picture shows; the tooltip shows them all."""

_VISIBLE: Final = {"\n": "↵", "\r": "␍", "\t": "⇥"}


def shown(text: str) -> str:
    r"""Return `text` with a visible sign in place of every character that would not print as itself.

    >>> shown("two\nlines")
    'two↵lines'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _VISIBLE.get(c, "\N{REPLACEMENT CHARACTER}") for c in text)


def shortened(text: str) -> str:
    """Return `text` with its middle left out where it is longer than a picture shows.

    >>> len(shortened("x" * 100))
    40
    """
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[: LONGEST - half]}…{text[len(text) - half + 1 :]}"


# ----- Facts as text -----


def settings(static: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the static arguments that change something as `name=value`, not what is None or False, nor generators.

    >>> settings({"axis": (0, 1), "keepdims": False})
    ('axis=(0, 1)',)
    """
    return tuple(
        f"{name}={brief(value)}"
        for name, value in static.items()
        if value is not None and value is not False and not isinstance(value, np.random.Generator)
    )


def brief(value: Any) -> str:
    """Return a text that depends on nothing but the value: no address, no order of a set."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is Ellipsis or isinstance(value, bool | int | float | str):
        return "..." if value is Ellipsis else shown(repr(value))
    if isinstance(value, np.ndarray):
        return f"{value.dtype}[{extent(value.shape)}]"
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, slice):
        parts = ["" if part is None else brief(part) for part in (value.start, value.stop)]
        return ":".join(parts if value.step is None else [*parts, brief(value.step)])
    if isinstance(value, tuple | list):
        return f"({', '.join(map(brief, value))}{',' * (len(value) == 1)})"
    return shown(str(getattr(value, "__name__", type(value).__name__)))


def extent(shape: tuple[int, ...]) -> str:
    """Return a shape as it is read aloud.

    >>> extent((100, 784)), extent(())
    ('100×784', 'scalar')
    """
    return "×".join(map(str, shape)) or "scalar"


def type_of(node: GraphNode) -> str:
    """Return shape and dtype of a node; a Python number has none."""
    return "" if node.dtype is None else f"{extent(node.shape)} {_name_of(node.dtype)}"


_name_of = functools.lru_cache(maxsize=64)(str)  # NumPy puts the name of a dtype together every time


# ----- A node in words -----


def place_of(node: GraphNode) -> str:
    """Return the file and line that computed a node, without the folder: pictures are shown to others."""
    path, _, line = node.place.rpartition(":")
    return shown(f"{os.path.basename(path)}:{line}") if node.place else ""


def listing(node: GraphNode) -> str:
    """Return the line of a node in the text listing."""
    operands = (*(f"%{i}" for i in node.inputs), *node.settings)
    what = f"{shown(node.primitive)}({', '.join(operands)})" if node.primitive else node.kind
    value = "" if node.value is None else repr(node.value)
    head = " ".join(part for part in (f"%{node.id} =", what, shown(node.name or ""), value) if part)
    return "  ".join(part for part in (head, type_of(node), shown(node.scope)) if part)


def title(node: GraphNode, scope: str | None = None) -> str:
    """Return what a picture calls a node; a name is not told the scope that is drawn around it.

    That is its own, unless the name is written in another `scope`.
    """
    scope = node.scope if scope is None else scope
    name = name_of(node)
    if name and scope and name.startswith(f"{scope}."):
        return shortened(shown(name[len(scope) + 1 :]))
    if node.value is not None and not name:
        return repr(node.value) if len(repr(node.value)) < 10 else f"{node.value:.6g}"
    return shortened(shown(name or node.primitive or node.kind))


def name_of(node: GraphNode) -> str:
    """Return what the user called a node, by `tg.named` too; empty if nothing."""
    given = node.static.get("name") if node.primitive == "named" else None
    return node.name or (given if isinstance(given, str) else "")
