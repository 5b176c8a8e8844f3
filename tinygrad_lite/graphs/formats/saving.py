"""Writing a graph to a file: the suffix names the format, and the file appears whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.files import replacing
from tinygrad_lite.graphs.formats.dot import dot_bytes, dot_text
from tinygrad_lite.graphs.formats.pages import html_text
from tinygrad_lite.graphs.formats.svg import Renderer, svg_text
from tinygrad_lite.graphs.formats.trees import tree_text
from tinygrad_lite.graphs.pictures.drawing import drawing
from tinygrad_lite.graphs.pictures.views import View

if TYPE_CHECKING:
    from typing import Unpack

    from tinygrad_lite.graphs.pictures.views import ViewOptions
    from tinygrad_lite.graphs.recorded import Graph


def _png(graph: Graph, **view: Unpack[ViewOptions]) -> bytes:
    return dot_bytes(drawing(graph, view), "png")


def _pdf(graph: Graph, **view: Unpack[ViewOptions]) -> bytes:
    return dot_bytes(drawing(graph, view), "pdf")


def _latex(graph: Graph, **view: Unpack[ViewOptions]) -> str:
    from tinygrad_lite.graphs.explaining.deriving import latex_document

    _refuse_options(".tex", view)
    return latex_document(graph)


def _source(graph: Graph, **view: Unpack[ViewOptions]) -> str:
    from tinygrad_lite.graphs.source.writing import numpy_source

    _refuse_options(".py", view)
    return numpy_source(graph)


def _refuse_options(suffix: str, view: ViewOptions) -> None:
    if View.of(view) != View():
        raise ArgumentError(f"{suffix} is no picture: it has no {', '.join(f'{name}=' for name in view)}")


FORMATS: Final[dict[str, Callable[..., str | bytes]]] = {
    ".dot": dot_text,
    ".svg": svg_text,
    ".png": _png,
    ".pdf": _pdf,
    ".txt": tree_text,
    ".html": html_text,
    ".tex": _latex,
    ".py": _source,
}
"""What writes each suffix."""


def save(graph: Graph, path: Path, renderer: Renderer | None = None, **view: Unpack[ViewOptions]) -> Path:
    """Write `graph` to `path` and return the path; raises ArgumentError for a suffix that no format has."""
    writer = FORMATS.get(path.suffix.lower())
    if writer is None:
        raise ArgumentError(f"cannot save a graph as {path.name!r}; the suffixes that exist are {', '.join(FORMATS)}")
    if renderer is None:
        content = writer(graph, **view)
    elif writer is svg_text:
        content = svg_text(graph, renderer, **view)
    else:
        raise ArgumentError(f"renderer= is for .svg, the only format that two can draw; {path.name!r} has one")
    with replacing(path) as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path
