"""A graph as SVG: from the library's own layout, or by Graphviz where that is asked for, with the same look.

The own layout is the same on every machine, keeps operands in their order and sets each cotangent beside its value;
Graphviz does none of these. The picture is self-contained: no script, no link, no font of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.graphs.formats.dot import dot_svg
from tinygrad_lite.graphs.formats.strokes import own_svg
from tinygrad_lite.graphs.pictures.drawing import Drawing, drawing

if TYPE_CHECKING:
    from typing import Unpack

    from tinygrad_lite.graphs.pictures.views import ViewOptions
    from tinygrad_lite.graphs.recorded import Graph

Renderer: TypeAlias = Literal["dot", "own"]


def svg_text(graph: Graph, renderer: Renderer | None = None, **view: Unpack[ViewOptions]) -> str:
    """Return `graph` as SVG; raises ArgumentError for a renderer that does not exist."""
    return svg_of(drawing(graph, view), renderer)


def svg_of(drawn: Drawing, renderer: Renderer | None = None) -> str:
    """Return a drawing as SVG; raises ArgumentError for a renderer that does not exist."""
    if renderer is not None and renderer not in get_args(Renderer):
        raise ArgumentError(f"there is no renderer {renderer!r}; choose 'own', which is the default, or 'dot'")
    return dot_svg(drawn) if renderer == "dot" else own_svg(drawn)
