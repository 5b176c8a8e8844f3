"""A graph as one page of HTML: the picture, its legend, what it costs, and how its gradient comes about.

The page is static: no script, no link, nothing from elsewhere; light or dark as the reader has it.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

from tinygrad_lite.errors import GraphError
from tinygrad_lite.graphs.costing import pricing
from tinygrad_lite.graphs.formats.shapes import inner, outline
from tinygrad_lite.graphs.formats.svg import svg_of
from tinygrad_lite.graphs.formats.trees import tree_of
from tinygrad_lite.graphs.layout.coordinates import Box
from tinygrad_lite.graphs.pictures import look
from tinygrad_lite.graphs.pictures.drawing import drawing
from tinygrad_lite.graphs.pictures.legends import MEANINGS, Legend

if TYPE_CHECKING:
    from typing import Unpack

    from tinygrad_lite.graphs.pictures.views import ViewOptions
    from tinygrad_lite.graphs.recorded import Graph

LONGEST_OPEN: Final = 15
"""How many rows or steps a part has at most that is not folded up."""
LONGEST_EXPLAINED: Final = 500
"""How many nodes a graph has at most whose gradient is explained."""

STYLE: Final = """\
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, Helvetica, Arial, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
@media (prefers-color-scheme: light) { body { background: #fff; color: #1b1f24; } }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #e4e6ea; } }
h1 { font-size: 1.3rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
figure { margin: 1rem 0; overflow-x: auto; }
ul.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; }
ul.legend svg { width: 44px; height: 26px; vertical-align: middle; margin-right: .5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .15rem .8rem .15rem 0; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; }
tfoot td { font-weight: bold; border-bottom: 0; }
pre { overflow-x: auto; font-size: 13px; line-height: 1.35; }
summary { cursor: pointer; }
"""


def html_text(graph: Graph, **view: Unpack[ViewOptions]) -> str:
    """Return `graph` as a page of HTML."""
    drawn = drawing(graph, view)
    sections = [f"<figure>{svg_of(drawn)}</figure>", _legend(drawn.legend), _cost(graph), _explanation(graph)]
    tree = html.escape(tree_of(drawn))
    sections.append(f"<h2>As text</h2>\n<details><summary>the picture as a tree</summary><pre>{tree}</pre></details>")
    title = html.escape(repr(graph).strip("<>"))
    head = f'<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>{title}</title>'
    body = "\n".join(section for section in sections if section)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n<style>\n{STYLE}</style>\n</head>\n<body>\n'
        f"<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )


def _legend(legend: Legend) -> str:
    entries = "".join(f"<li>{_swatch(name)}{html.escape(MEANINGS[name])}</li>" for name in legend.kinds)
    return f'<ul class="legend">{entries}</ul>'


def _swatch(name: str) -> str:
    """Draw the look that a line of the legend explains."""
    style = look.STYLES.get(name, look.STYLES["operation"])
    dashes = ""
    if name == "backward":
        style = style._replace(fill=look.BACKWARD_FILL, line=look.BACKWARD_LINE)
        dashes = ' stroke-dasharray="5 3"'
    box = Box(1, 1, 42, 24)
    paint = f'fill="{style.fill}" stroke="{style.line}" stroke-width="1.2"{dashes}'
    rims = [box, inner(box)] if name == "output" else [box]
    return f'<svg viewBox="0 0 44 26" aria-hidden="true">{"".join(outline(style, rim, paint) for rim in rims)}</svg>'


def _cost(graph: Graph) -> str:
    """Write what the graph costs, folded up under its sum if it has many scopes."""
    from tinygrad_lite.graphs.costing.counting import cost_of  # these read graphs, which can be saved as pages

    cost = cost_of(graph)
    tables = pricing.page(cost)
    if len(cost.scopes) <= LONGEST_OPEN:
        return f"<h2>Cost</h2>\n{tables}"
    return f"<h2>Cost</h2>\n<details><summary>{html.escape(pricing.summary(cost))}</summary>{tables}</details>"


def _explanation(graph: Graph) -> str:
    """Write how the gradients come about, if a gradient flows and it is not too long to be read."""
    from tinygrad_lite.graphs.explaining.deriving import explanation

    try:
        explained = explanation(graph) if len(graph.nodes) <= LONGEST_EXPLAINED else None
    except GraphError:  # nothing in it depends on a parameter
        return ""
    if explained is None:
        return ""
    is_open = " open" if len(explained.steps) <= LONGEST_OPEN else ""
    return (
        f"<h2>The chain rule, step by step</h2>\n<details{is_open}><summary>{html.escape(repr(explained).strip('<>'))}"
        f"</summary><pre>{html.escape(str(explained))}</pre></details>"
    )
