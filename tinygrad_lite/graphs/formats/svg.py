"""A graph as SVG: by Graphviz where it is installed, otherwise from the library's own layout, with the same look.

A backward sweep is drawn by the own layout, which sets each cotangent beside its value.

The picture is self-contained: no script, no link, no font of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from tinygrad_lite.errors import ArgumentError, GraphError
from tinygrad_lite.graphs.formats.dot import dot_is_installed, dot_svg
from tinygrad_lite.graphs.formats.strokes import own_svg
from tinygrad_lite.graphs.layout.stacking import Item, stacked_rows
from tinygrad_lite.graphs.pictures.drawing import Drawing, drawing

if TYPE_CHECKING:
    from typing import Unpack

    from tinygrad_lite.graphs.pictures.views import ViewOptions
    from tinygrad_lite.graphs.recorded import Graph

Renderer: TypeAlias = Literal["dot", "own"]

LONGEST_FOR_DOT: Final = 4000
"""How many rows all edges together may span. Beyond, Graphviz may take minutes where the own layout takes seconds."""


def svg_text(graph: Graph, renderer: Renderer | None = None, **view: Unpack[ViewOptions]) -> str:
    """Return `graph` as SVG; raises ArgumentError for a renderer that does not exist."""
    return svg_of(drawing(graph, view), renderer)


def svg_of(drawn: Drawing, renderer: Renderer | None = None) -> str:
    """Return a drawing as SVG; raises ArgumentError for a renderer that does not exist."""
    if renderer is not None and renderer not in get_args(Renderer):
        raise ArgumentError(f"there is no renderer {renderer!r}; choose 'dot', 'own' or None for what is there")
    if renderer is not None:
        return dot_svg(drawn) if renderer == "dot" else own_svg(drawn)
    if not (dot_is_installed() and _is_for_dot(drawn)):
        return own_svg(drawn)
    try:
        return dot_svg(drawn)
    except GraphError:  # Graphviz gives up on some graphs
        return own_svg(drawn)


def _is_for_dot(drawn: Drawing) -> bool:
    """Return whether Graphviz draws this well and quickly; cotangents beside their values it does not do well."""
    if any(mark.rises for mark in drawn.marks):
        return False
    rows = stacked_rows([Item(0.0, 0.0, "", mark.inputs) for mark in drawn.marks])
    return sum(rows[edge.target] - rows[edge.source] for edge in drawn.edges) <= LONGEST_FOR_DOT
