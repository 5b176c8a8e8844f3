"""A graph as SVG: by Graphviz where it is installed, otherwise from the library's own layout, with the same look.

The picture is self-contained: no script, no link, no font of its own.
"""

from __future__ import annotations

import html
import itertools
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.graphs import look
from tinygrad_lite.graphs.dot import dot_is_installed, dot_svg
from tinygrad_lite.graphs.labels import details, listing, scope_title, shown, title
from tinygrad_lite.graphs.layout import ARROW, Box, Layout, Line, Point, layout
from tinygrad_lite.graphs.scopes import enclosing
from tinygrad_lite.graphs.stacking import Item, stacked_rows

if TYPE_CHECKING:
    from tinygrad_lite.graphs.recorded import Graph, GraphNode

Renderer: TypeAlias = Literal["dot", "own"]

LONGEST_FOR_DOT: Final = 4000
"""How many rows all edges together may span. Beyond, Graphviz may take minutes where the own layout takes seconds."""

TITLE_LINE, DETAIL_LINE, PADDING, SLANT, FOLD, RIM = 18.0, 14.0, 8.0, 12.0, 8.0, 4.0


def svg_text(graph: Graph, renderer: Renderer | None = None) -> str:
    """Return `graph` as SVG; raises ArgumentError for a renderer that does not exist."""
    if renderer is not None and renderer not in get_args(Renderer):
        raise ArgumentError(f"there is no renderer {renderer!r}; choose 'dot', 'own' or None for what is there")
    if renderer is None:
        renderer = "dot" if dot_is_installed() and _is_quick_for_dot(graph) else "own"
    return dot_svg(graph) if renderer == "dot" else own_svg(graph)


def _is_quick_for_dot(graph: Graph) -> bool:
    rows = stacked_rows([Item(0.0, 0.0, "", node.inputs) for node in graph.nodes])
    return sum(rows[edge.target] - rows[edge.source] for edge in graph.edges) <= LONGEST_FOR_DOT


def own_svg(graph: Graph) -> str:
    """Return `graph` as SVG from the library's own layout."""
    picture = laid_out(graph)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_number(picture.width)}" height="{_number(picture.height)}" '
        f'viewBox="0 0 {_number(picture.width)} {_number(picture.height)}" font-family="{look.FONT}">',
        *(_scope(scope, box) for scope, box in picture.scopes.items()),
        f'<g fill="none" stroke="{look.GREY}" stroke-width="1.2">',
        *(_line(line) for line in picture.lines),
        "</g>",
        *(_node(node, box, node.id in graph.outputs) for node, box in zip(graph.nodes, picture.boxes, strict=True)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def laid_out(graph: Graph) -> Layout:
    """Return where everything in the picture of `graph` goes."""
    scopes = enclosing(node.scope for node in graph.nodes)
    widths = {scope: look.text_width(scope_title(scope), look.SCOPE_SIZE) + 2 * PADDING for scope in scopes}
    items = []
    for node in graph.nodes:
        rim = 2 * RIM if node.id in graph.outputs else 0.0
        width, height = label_size(node)
        items.append(Item(width + 2 * _sides(node) + rim, height + PADDING + rim, node.scope, node.inputs))
    return layout(items, widths)


def label_size(node: GraphNode) -> tuple[float, float]:
    """Return an upper estimate of the width and height of the words on `node`."""
    widths = [look.text_width(title(node), look.TITLE_SIZE)]
    widths += [look.text_width(line, look.DETAIL_SIZE) for line in details(node)]
    return max(widths), TITLE_LINE + DETAIL_LINE * len(details(node))


def _sides(node: GraphNode) -> float:
    """Return how much wider than its label the shape of `node` is on either side."""
    return PADDING + {"hexagon": SLANT, "note": FOLD / 2, "box": 0.0}[look.STYLES[node.kind].shape]


# ----- Elements -----


def _number(value: float) -> str:
    """Return a coordinate in as few characters as the eye can tell apart."""
    return f"{value:.1f}".removesuffix(".0")


def _at(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _scope(scope: str, box: Box) -> str:
    x, y, width, height = map(_number, box)
    return (
        f'<g><title>{html.escape(shown(scope))}</title><rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" '
        f'fill="{look.GREY}" fill-opacity="{look.SCOPE_FILL_OPACITY}" stroke="{look.GREY}"/>'
        f'<text x="{_number(box.x + PADDING)}" y="{_number(box.y + look.SCOPE_SIZE + 5)}" '
        f'font-size="{look.SCOPE_SIZE}" fill="{look.GREY}">{html.escape(scope_title(scope))}</text></g>'
    )


def _line(line: Line) -> str:
    """Draw a line, and an arrow where it arrives."""
    points = list(line.points)
    end = points[-1]
    if line.target is not None:
        points[-1] = (end[0], end[1] - ARROW + 1)
    path = [f"M{_at(points[0])}"]
    for a, b in itertools.pairwise(points):
        middle = (a[1] + b[1]) / 2
        path.append(f"V{_number(b[1])}" if a[0] == b[0] else f"C{_at((a[0], middle))} {_at((b[0], middle))} {_at(b)}")
    drawn = f'<path d="{"".join(path)}"/>'
    if line.target is None:
        return drawn
    tip = f"M{_at(end)}l-3.5,-{_number(ARROW)}h7z"
    return f'{drawn}<path d="{tip}" fill="{look.GREY}" stroke="none"/>'


def _node(node: GraphNode, box: Box, is_output: bool) -> str:
    """Draw a node: its outline, its label, and all about it for who points at it."""
    style = look.STYLES[node.kind]
    x, y = box.x + box.width / 2, box.y + box.height / 2 - label_size(node)[1] / 2 + look.TITLE_SIZE
    lines = [
        f'<text x="{_number(x)}" y="{_number(y)}" font-size="{look.TITLE_SIZE}" font-weight="bold" fill="{look.INK}">'
        f"{html.escape(title(node))}</text>"
    ]
    for i, line in enumerate(details(node)):
        lines.append(
            f'<text x="{_number(x)}" y="{_number(y + 1 + DETAIL_LINE * (i + 1))}" font-size="{look.DETAIL_SIZE}" '
            f'fill="{look.FAINT_INK}">{html.escape(line)}</text>'
        )
    outlines = [_outline(style, box)]
    if is_output:
        outlines.append(_outline(style, Box(box.x + RIM, box.y + RIM, box.width - 2 * RIM, box.height - 2 * RIM)))
    return f'<g text-anchor="middle"><title>{html.escape(listing(node))}</title>{"".join(outlines + lines)}</g>'


def _outline(style: look.Style, box: Box) -> str:
    """Draw the shape that tells the kind of a node."""
    x, y, width, height = box
    paint = f'fill="{style.fill}" stroke="{style.line}" stroke-width="1.2"'
    if style.shape == "box":
        corner = f'x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}"'
        return f'<rect {corner} rx="9" {paint}/>'
    right, bottom = x + width, y + height
    if style.shape == "hexagon":
        corners = [(x + SLANT, y), (right - SLANT, y), (right, y + height / 2), (right - SLANT, bottom)]
        corners += [(x + SLANT, bottom), (x, y + height / 2)]
        return f'<path d="M{"L".join(map(_at, corners))}z" {paint}/>'
    page = [(x, y), (right - FOLD, y), (right, y + FOLD), (right, bottom), (x, bottom)]
    fold = [(right - FOLD, y), (right - FOLD, y + FOLD), (right, y + FOLD)]
    return f'<path d="M{"L".join(map(_at, page))}zM{"L".join(map(_at, fold))}" {paint}/>'
