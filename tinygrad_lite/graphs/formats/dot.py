"""A graph in the DOT language, and drawn by Graphviz where that is asked for.

Scopes are nested clusters, marks are named by their positions, and labels are HTML-like: the title bold, the details
small. Edges of the backward sweep are written from the upper end, so that it rises beside what falls.
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Literal

from tinygrad_lite.errors import GraphError, MissingDependencyError
from tinygrad_lite.graphs.pictures import look
from tinygrad_lite.graphs.pictures.drawing import Connection, Drawing, Mark, drawing
from tinygrad_lite.graphs.scopes import parent_of

if TYPE_CHECKING:
    from typing import Unpack

    from tinygrad_lite.graphs.pictures.legends import Legend
    from tinygrad_lite.graphs.pictures.views import ViewOptions
    from tinygrad_lite.graphs.recorded import Graph

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
    "labelloc": "t",
    "margin": "12",
}
_MARGINS: Final = {"hexagon": "0.06,0.03", "parallelogram": "0,0"}
"""Of shapes whose corners are room enough."""
_SWEEP: Final = {"color": look.BACKWARD_LINE, "style": "dashed", "dir": "back", "penwidth": "1.2"}
_READ: Final = {"style": "dotted", "constraint": "false"}
_BESIDE: Final = {"style": "invis", "minlen": "0", "weight": "8"}


PATIENCE: Final = 60
"""How many seconds Graphviz has; it would need minutes for a few hundred marks that share one operand."""
_SIGNS: Final = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF"}
"""By what the content of each format is known."""


def dot_text(graph: Graph, **view: Unpack[ViewOptions]) -> str:
    """Return `graph` in the DOT language; raises MissingDependencyError without the graphviz package."""
    return str(_digraph(drawing(graph, view)).source)


def dot_svg(drawn: Drawing) -> str:
    """Return a drawing as Graphviz draws it.

    Raises MissingDependencyError where that is not installed, GraphError where it fails.
    """
    svg = _drawn_by_dot(_digraph(drawn), "svg", 'draw with renderer="own"').decode()
    return _titled(drawn, svg[svg.index("<svg") :])


def dot_bytes(drawn: Drawing, file_format: Literal["png", "pdf"]) -> bytes:
    """Return a drawing as a picture that only Graphviz makes; raises as `dot_svg` does."""
    digraph = _digraph(drawn)
    digraph.attr(dpi="144" if file_format == "png" else "72")
    return _drawn_by_dot(digraph, file_format, "save as .svg, which needs no other program")


def _drawn_by_dot(digraph: Any, file_format: str, otherwise: str) -> bytes:
    if shutil.which("dot") is None:
        raise MissingDependencyError(
            f"the program `dot` is not on the path; install Graphviz (https://graphviz.org/download), or {otherwise}"
        )
    try:
        done = subprocess.run(
            ["dot", f"-T{file_format}"],
            input=digraph.source.encode(),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as problem:
        raise GraphError(
            f"Graphviz has not drawn this graph within {PATIENCE} s; {otherwise}, or draw less: depth=1, fold=True"
        ) from problem
    if done.returncode or _SIGNS[file_format] not in done.stdout[:2000]:  # it gives up on some clusters
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise GraphError(f"Graphviz failed to draw this graph ({said[-1] if said else 'no word why'}); {otherwise}")
    content: bytes = done.stdout
    return content


def _graphviz() -> ModuleType:
    try:
        import graphviz
    except ImportError as problem:
        raise MissingDependencyError("DOT needs the graphviz package; run `pip install graphviz`") from problem
    module: ModuleType = graphviz
    return module


def _digraph(drawn: Drawing) -> Any:
    """Return a `graphviz.Digraph`: clusters and their nodes, put into one another from the inside, then the edges."""
    graphviz = _graphviz()
    boxes = {
        path: graphviz.Digraph(f"cluster_{i}", graph_attr={"label": f"<{_literal(box.title)}>", **_CLUSTER})
        for i, (path, box) in enumerate(drawn.scopes.items())
    }
    boxes[""] = graphviz.Digraph(graph_attr=_GRAPH | _legend(drawn.legend), node_attr=_NODE, edge_attr=_EDGE)
    for i, mark in enumerate(drawn.marks):
        boxes[mark.scope].node(f"n{i}", **_node_attributes(mark))
    for path in sorted(drawn.scopes, key=lambda path: -path.count(".")):
        boxes[parent_of(path)].subgraph(boxes[path])
    for edge in drawn.edges:
        _add_edge(boxes[""], edge)
    for i, mark in enumerate(drawn.marks):
        if mark.beside is not None:
            boxes[""].edge(f"n{mark.beside}", f"n{i}", **_BESIDE)
    return boxes[""]


def _add_edge(digraph: Any, edge: Connection) -> None:
    source, target = f"n{edge.source}", f"n{edge.target}"
    if edge.kind == "backward":
        digraph.edge(target, source, **_SWEEP)
    else:
        digraph.edge(source, target, **(_READ if edge.kind == "read" else {}))


def _node_attributes(mark: Mark) -> dict[str, str]:
    lines = [f"<b>{_literal(mark.title)}</b>"]
    font = f'<font point-size="{look.DETAIL_SIZE}" color="{look.detail_ink(mark.style.fill)}">'
    lines += [f"{font}{_literal(line)}</font>" for line in mark.details]
    shape = mark.style.shape
    attributes = {"label": f"<{'<br/>'.join(lines)}>", "shape": shape, "fillcolor": mark.style.fill}
    if shape in _MARGINS:
        attributes["margin"] = _MARGINS[shape]
    looks = ["filled", *(["rounded"] if shape == "box" else []), *(["dashed"] if mark.rises else [])]
    attributes |= {"color": mark.style.line, "style": ",".join(looks)}
    attributes |= {"peripheries": "2"} if mark.is_output else {}
    return attributes | ({} if mark.verdict is None else {"penwidth": "2.8"})


def _legend(legend: Legend) -> dict[str, str]:
    """Return the label of the whole picture: what its colours and signs mean."""
    rows = []
    if legend.heat is not None:
        steps = "".join(f'<td bgcolor="{colour}" width="22" height="13"></td>' for colour in look.RAMP)
        words = [f"<td>{_literal(text)}</td>" for text in legend.heat]
        rows.append(f"{words[1]}{steps}{words[2]}{words[0]}")
    rows += [f'<td colspan="{3 + len(look.RAMP)}" align="left">{_literal(note)}</td>' for note in legend.notes]
    if not rows:
        return {}
    table = "".join(f"<tr>{row}</tr>" for row in rows)
    label = f'<<table border="0" cellborder="0" cellspacing="0" cellpadding="4">{table}</table>>'
    return {"label": label, "labelloc": "b", "fontcolor": look.GREY, "fontsize": str(look.DETAIL_SIZE)}


def _literal(text: str) -> str:
    r"""Return `text` as an HTML-like label shows it: Graphviz would put the node's name for `\N`, even there."""
    return html.escape(text).replace("\\", "\\\\") or " "


def _titled(drawn: Drawing, svg: str) -> str:
    """Put what each mark is where Graphviz writes its name, so that pointing at one tells everything about it."""
    lines = {f"n{i}": mark.tooltip for i, mark in enumerate(drawn.marks)}
    lines |= {f"cluster_{i}": box.tooltip for i, box in enumerate(drawn.scopes.values())}

    def told(found: re.Match[str]) -> str:
        return f"<title>{html.escape(lines[found[1]])}</title>" if found[1] in lines else ""

    return re.sub(r"<title>([^<]*)</title>\n?", told, svg)
