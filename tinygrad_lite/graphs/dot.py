"""A graph in the DOT language, and drawn by Graphviz where it is installed.

Scopes are nested clusters, nodes are named by their ids, and labels are HTML-like: the title bold, the details small.
"""

from __future__ import annotations

import html
import re
import shutil
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from tinygrad_lite.errors import MissingDependencyError
from tinygrad_lite.graphs import look
from tinygrad_lite.graphs.labels import details, listing, scope_title, shown, title
from tinygrad_lite.graphs.scopes import enclosing, parent_of

if TYPE_CHECKING:
    from tinygrad_lite.graphs.recorded import Graph, GraphNode

_GRAPH: Final = {"bgcolor": "transparent", "nodesep": "0.3", "ranksep": "0.4", "fontname": look.FONT}
_NODE: Final = {"fontname": look.FONT, "fontsize": str(look.TITLE_SIZE), "fontcolor": look.INK, "margin": "0.2,0.07"}
_EDGE: Final = {"color": look.GREY, "arrowsize": "0.7"}
_CLUSTER: Final = {
    "style": "rounded,filled",
    "fillcolor": f"{look.GREY}{round(255 * look.SCOPE_FILL_OPACITY):02x}",
    "color": look.GREY,
    "fontcolor": look.GREY,
    "fontsize": str(look.SCOPE_SIZE),
    "labeljust": "l",
    "margin": "12",
}


def dot_text(graph: Graph) -> str:
    """Return `graph` in the DOT language; raises MissingDependencyError without the graphviz package."""
    return str(_digraph(graph).source)


def dot_is_installed() -> bool:
    """Return whether Graphviz can draw: its program `dot` is on the path and the Python package is there."""
    try:
        _graphviz()
    except MissingDependencyError:
        return False
    return shutil.which("dot") is not None


def dot_svg(graph: Graph) -> str:
    """Return `graph` drawn by Graphviz; raises MissingDependencyError where that is not installed."""
    digraph = _digraph(graph)
    if shutil.which("dot") is None:
        raise MissingDependencyError(
            "the program `dot` is not on the path; install Graphviz (https://graphviz.org/download), "
            'or draw with renderer="own"'
        )
    drawn: str = digraph.pipe(format="svg", encoding="utf-8")
    return _titled(graph, drawn[drawn.index("<svg") :])


def _graphviz() -> ModuleType:
    try:
        import graphviz
    except ImportError as problem:
        raise MissingDependencyError("DOT needs the graphviz package; run `pip install graphviz`") from problem
    module: ModuleType = graphviz
    return module


def _digraph(graph: Graph) -> Any:
    """Return a `graphviz.Digraph`: clusters and their nodes, put into one another from the inside, then the edges."""
    graphviz = _graphviz()
    scopes = enclosing(node.scope for node in graph.nodes)
    boxes = {
        scope: graphviz.Digraph(f"cluster_{i}", graph_attr={"label": f"<{_literal(scope_title(scope))}>", **_CLUSTER})
        for i, scope in enumerate(scopes)
    }
    boxes[""] = graphviz.Digraph(graph_attr=_GRAPH, node_attr=_NODE, edge_attr=_EDGE)
    for node in graph.nodes:
        boxes[node.scope].node(f"n{node.id}", **_node_attributes(node, node.id in graph.outputs))
    for scope in sorted(scopes, key=lambda scope: -scope.count(".")):
        boxes[parent_of(scope)].subgraph(boxes[scope])
    for edge in graph.edges:
        boxes[""].edge(f"n{edge.source}", f"n{edge.target}")
    return boxes[""]


def _node_attributes(node: GraphNode, is_output: bool) -> dict[str, str]:
    style = look.STYLES[node.kind]
    lines = [f"<b>{_literal(title(node))}</b>"]
    lines += [
        f'<font point-size="{look.DETAIL_SIZE}" color="{look.FAINT_INK}">{_literal(line)}</font>'
        for line in details(node)
    ]
    attributes = {"label": f"<{'<br/>'.join(lines)}>", "shape": style.shape, "fillcolor": style.fill}
    if style.shape == "hexagon":
        attributes["margin"] = "0.06,0.03"  # its corners are room enough
    attributes |= {"color": style.line, "style": "filled,rounded" if style.shape == "box" else "filled"}
    return attributes | ({"peripheries": "2"} if is_output else {})


def _literal(text: str) -> str:
    r"""Return `text` as an HTML-like label shows it: Graphviz would put the node's name for `\N`, even there."""
    return html.escape(text).replace("\\", "\\\\") or " "


def _titled(graph: Graph, svg: str) -> str:
    """Put what each node is where Graphviz writes its id, so that pointing at a node tells everything about it."""
    lines = {f"n{node.id}": listing(node) for node in graph.nodes}
    scopes = enclosing(node.scope for node in graph.nodes)
    lines |= {f"cluster_{i}": shown(scope) for i, scope in enumerate(scopes)}

    def told(found: re.Match[str]) -> str:
        return f"<title>{html.escape(lines[found[1]])}</title>" if found[1] in lines else ""

    return re.sub(r"<title>([^<]*)</title>\n?", told, svg)
