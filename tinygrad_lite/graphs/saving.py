"""Writing a graph to a file: the suffix names the format, and the file appears whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.files import replacing
from tinygrad_lite.graphs.dot import dot_text
from tinygrad_lite.graphs.svg import svg_text

if TYPE_CHECKING:
    from tinygrad_lite.graphs.recorded import Graph

FORMATS: Final[dict[str, Callable[[Graph], str]]] = {".dot": dot_text, ".svg": svg_text}
"""What writes each suffix."""


def save(graph: Graph, path: Path) -> Path:
    """Write `graph` to `path` and return the path; raises ArgumentError for a suffix that no format has."""
    writer = FORMATS.get(path.suffix.lower())
    if writer is None:
        raise ArgumentError(f"cannot save a graph as {path.name!r}; the suffixes that exist are {', '.join(FORMATS)}")
    content = writer(graph).encode()
    with replacing(path) as file:
        file.write(content)
    return path
