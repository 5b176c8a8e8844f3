"""A drawing as SVG from the library's own layout: the elements of its scopes, lines, marks and legend."""

from __future__ import annotations

import html
import itertools
from typing import Final

from tinygrad_lite.graphs.formats.shapes import PADDING, at, inner, number, outline, room
from tinygrad_lite.graphs.layout.coordinates import Box, Layout, Line, layout
from tinygrad_lite.graphs.layout.heights import ARROW
from tinygrad_lite.graphs.layout.stacking import Item
from tinygrad_lite.graphs.pictures import look
from tinygrad_lite.graphs.pictures.drawing import Drawing, Mark, ScopeBox
from tinygrad_lite.graphs.pictures.legends import Legend

TITLE_LINE: Final = 18.0
DETAIL_LINE: Final = 14.0
LEGEND_LINE: Final = 18.0
SWATCH: Final = 22.0

_STROKES: Final = {
    "read": f'stroke="{look.GREY}" stroke-width="1" stroke-dasharray="1.5 3"',
    "forward": f'stroke="{look.GREY}" stroke-width="1.2"',
    "backward": f'stroke="{look.BACKWARD_LINE}" stroke-width="1.4" stroke-dasharray="6 3"',
}


def own_svg(drawn: Drawing) -> str:
    """Return a drawing as SVG from the library's own layout."""
    picture = laid_out(drawn)
    legend, width, height = _legend(drawn.legend, picture)
    size = f'width="{number(width)}" height="{number(height)}" viewBox="0 0 {number(width)} {number(height)}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{look.FONT}">',
        *(_scope(drawn.scopes[path], box) for path, box in picture.scopes.items()),
        *_lines(drawn, picture),
        *(_mark(mark, box) for mark, box in zip(drawn.marks, picture.boxes, strict=True)),
        *legend,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def laid_out(drawn: Drawing) -> Layout:
    """Return where everything in a drawing goes."""
    widths = {path: look.text_width(box.title, look.SCOPE_SIZE) + 2 * PADDING for path, box in drawn.scopes.items()}
    return layout([item_of(mark) for mark in drawn.marks], widths)


def item_of(mark: Mark) -> Item:
    """Return what the layout needs to know of a mark."""
    around = room(mark.style.shape, mark.is_output)
    width, height = label_size(mark)
    width, height = width + around.left + around.right, height + around.top + around.bottom
    return Item(width, height, mark.scope, mark.inputs, mark.rises, mark.beside)


def label_size(mark: Mark) -> tuple[float, float]:
    """Return an upper estimate of the width and height of the words on a mark."""
    widths = [look.text_width(mark.title, look.TITLE_SIZE)]
    widths += [look.text_width(line, look.DETAIL_SIZE) for line in mark.details]
    return max(widths), TITLE_LINE + DETAIL_LINE * len(mark.details)


# ----- Elements -----


def _text(x: float, y: float, size: int, colour: str, words: str, more: str = "") -> str:
    return f'<text x="{number(x)}" y="{number(y)}" font-size="{size}" fill="{colour}"{more}>{html.escape(words)}</text>'


def _scope(words: ScopeBox, box: Box) -> str:
    x, y, width, height = map(number, box)
    title = _text(box.x + PADDING, box.y + look.SCOPE_SIZE + 5, look.SCOPE_SIZE, look.GREY, words.title)
    return (
        f'<g><title>{html.escape(words.tooltip)}</title><rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" '
        f'fill="{look.GREY}" fill-opacity="{look.SCOPE_FILL_OPACITY}" stroke="{look.GREY}"/>{title}</g>'
    )


def _lines(drawn: Drawing, picture: Layout) -> list[str]:
    """Draw the lines, those of one kind together, so that the sweep is drawn over what it reads."""
    kinds = _line_kinds(drawn, picture)
    parts = []
    for kind, stroke in _STROKES.items():
        alike = [line for line, other in zip(picture.lines, kinds, strict=True) if other == kind]
        if alike:
            parts += [f'<g fill="none" {stroke}>', *map(_line, alike), "</g>"]
            colour = look.BACKWARD_LINE if kind == "backward" else look.GREY
            tips = "".join(_tip(line) for line in alike if line.target is not None)
            parts += [f'<path d="{tips}" fill="{colour}"/>'] if tips else []
    return parts


def _line_kinds(drawn: Drawing, picture: Layout) -> list[str]:
    """Return the kind of each line; a trunk that only the sweep reads from is of that kind."""
    arrivals = iter(drawn.edges)
    kinds = ["" if line.target is None else next(arrivals).kind for line in picture.lines]
    branches: dict[int, list[int]] = {}
    for i, line in enumerate(picture.lines):
        if line.target is not None:
            branches.setdefault(line.source, []).append(i)
    for i, line in enumerate(picture.lines):
        if line.target is None:
            along = {kinds[b] for b in branches.get(line.source, ()) if _leaves(picture.lines[b], line)}
            kinds[i] = along.pop() if len(along) == 1 else "backward" if drawn.marks[line.source].rises else "forward"
    return kinds


def _leaves(branch: Line, trunk: Line) -> bool:
    """Return whether a branch begins on a trunk, beyond where that begins itself."""
    x, y = branch.points[0]
    if branch.points[0] == trunk.points[0]:
        return False
    ways = itertools.pairwise((*trunk.points, trunk.points[-1]))
    return any(a[0] == x == b[0] and min(a[1], b[1]) <= y <= max(a[1], b[1]) for a, b in ways)


def _line(line: Line) -> str:
    """Draw a line; an arrow covers its end."""
    curves = list(line.curves())
    path = [f"M{at(curves[0][0])}"]
    for i, (a, first, second, b) in enumerate(curves):
        if i == len(curves) - 1 and line.target is not None:
            shorter = (ARROW - 1) * (1 if line.rises else -1)
            b = (b[0], b[1] + shorter)
        path.append(f"V{number(b[1])}" if a[0] == b[0] else f"C{at(first)} {at(second)} {at(b)}")
    return f'<path d="{"".join(path)}"/>'


def _tip(line: Line) -> str:
    """Return the path of the arrow at the end of a line."""
    return f"M{at(line.points[-1])}l-3.5,{'' if line.rises else '-'}{number(ARROW)}h7z"


def _mark(mark: Mark, box: Box) -> str:
    """Draw a mark: its outline, its words, and all about it for who points at it."""
    around = room(mark.style.shape, mark.is_output)
    x = (box.x + around.left + box.x + box.width - around.right) / 2
    y = (box.y + around.top + box.y + box.height - around.bottom) / 2 - label_size(mark)[1] / 2 + look.TITLE_SIZE
    words = [_text(x, y, look.TITLE_SIZE, look.INK, mark.title, ' font-weight="bold"')]
    ink = look.detail_ink(mark.style.fill)
    for i, line in enumerate(mark.details):
        words.append(_text(x, y + 1 + DETAIL_LINE * (i + 1), look.DETAIL_SIZE, ink, line))
    width = "1.2" if mark.verdict is None else "2.8"
    paint = f'fill="{mark.style.fill}" stroke="{mark.style.line}" stroke-width="{width}"'
    paint += ' stroke-dasharray="5 3"' if mark.rises else ""
    outlines = [outline(mark.style, rim, paint) for rim in (box, inner(box))[: 1 + mark.is_output]]
    return f'<g text-anchor="middle"><title>{html.escape(mark.tooltip)}</title>{"".join(outlines + words)}</g>'


# ----- Legend -----


def _legend(legend: Legend, picture: Layout) -> tuple[list[str], float, float]:
    """Draw what the colours and signs mean below the picture, and return its size with that."""
    parts: list[str] = []
    width, y = picture.width, picture.height
    if legend.heat is not None:
        y += LEGEND_LINE
        x = PADDING
        for i, words in enumerate((legend.heat.low, legend.heat.high, legend.heat.meaning)):
            parts.append(_text(x, y, look.DETAIL_SIZE, look.GREY, words))
            x += look.text_width(words, look.DETAIL_SIZE) + PADDING
            if i == 0:
                for step, colour in enumerate(look.RAMP):
                    corner = f'x="{number(x + step * SWATCH)}" y="{number(y - look.DETAIL_SIZE)}"'
                    parts.append(f'<rect {corner} width="{number(SWATCH)}" height="13" fill="{colour}"/>')
                x += len(look.RAMP) * SWATCH + PADDING
        width = max(width, x)
    for note in legend.notes:
        y += LEGEND_LINE
        parts.append(_text(PADDING, y, look.DETAIL_SIZE, look.GREY, note))
        width = max(width, look.text_width(note, look.DETAIL_SIZE) + 2 * PADDING)
    return parts, width, y + (PADDING if parts else 0.0)
