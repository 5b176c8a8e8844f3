"""A graph as a tree for terminals: scopes are branches, and values that are used elsewhere are called by their %id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from tinygrad_lite.graphs.labels import shown
from tinygrad_lite.graphs.pictures.containers import path_of
from tinygrad_lite.graphs.pictures.drawing import Drawing, Mark, drawing
from tinygrad_lite.graphs.pictures.visits import Unit, Visit, visits

if TYPE_CHECKING:
    from typing import Unpack

    from tinygrad_lite.graphs.pictures.views import ViewOptions
    from tinygrad_lite.graphs.recorded import Graph

WIDEST: Final = 64
"""In which column the details begin at the latest."""
MOST_OPERANDS: Final = 8
"""How many operands are told."""


def tree_text(graph: Graph, **view: Unpack[ViewOptions]) -> str:
    """Return `graph` as a tree of text.

    >>> import tinygrad_lite as tg
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> print(tree_text(tg.graph((w * w).sum())), end="")
    %0 w                 parameter  2 float64
    %1 multiply(%0, %0)  2 float64
    %2 sum(%1)           scalar float64  ⇒ result
    """
    return tree_of(drawing(graph, view))


def tree_of(drawn: Drawing) -> str:
    """Return a drawing as a tree of text."""
    trees = {
        part: visits(drawn.marks, marks, "at first use").units for part, marks in _parts(drawn.marks).items() if marks
    }
    lines: list[tuple[str, str]] = []
    for part, units in trees.items():
        lines += [(part, "")] if len(trees) > 1 else []
        lines += _lines(drawn, units, is_trunk=len(trees) > 1)
    column = min(max((len(words) for words, details in lines if details), default=0), WIDEST)
    return "".join(f"{words:<{column}}  {details}".rstrip() + "\n" for words, details in lines)


def _parts(marks: Sequence[Mark]) -> dict[str, list[int]]:
    """Return the marks of the computation, of the backward sweep, and of what was done after that."""
    begin = min((mark.nodes[0] for mark in marks if mark.rises), default=None)
    titles = ("forward", "backward", "afterwards")
    part = [1 if mark.rises else 2 if begin is not None and mark.nodes[0] > begin else 0 for mark in marks]
    first_use: dict[int, int] = {}
    for i, mark in enumerate(marks):
        for source in mark.inputs:
            first_use[source] = min(first_use.get(source, part[i]), part[i])
    for i, mark in enumerate(marks):
        if not mark.inputs and not mark.rises:
            part[i] = first_use.get(i, part[i])
    return {title: [i for i in range(len(marks)) if part[i] == number] for number, title in enumerate(titles)}


def _lines(drawn: Drawing, units: Sequence[Unit], is_trunk: bool) -> Iterator[tuple[str, str]]:
    """Yield the lines of a tree, words and details; not recursive, for scopes may be nested deep.

    Below a title everything hangs on it; without one, what is outermost begins at the margin.
    """
    waiting = [("", "", "", unit) for unit in reversed(units)]
    if is_trunk:
        waiting = list(_hung(units, "", ""))
    while waiting:
        before, below, scope, unit = waiting.pop()
        if isinstance(unit, Visit):
            yield before + drawn.scopes[unit.scope].title, ""
            waiting += _hung(unit.units, below, unit.scope)
        elif isinstance(unit, int):
            words, details = _line(drawn, drawn.marks[unit], scope)
            yield before + words, details


def _hung(units: Sequence[Unit], below: str, scope: str) -> Iterator[tuple[str, str, str, Unit]]:
    """Yield what hangs on `scope`, last first, with the lines of the tree before its first line and below that."""
    for i, unit in enumerate(reversed(units)):
        joint, rest = ("└─ ", "   ") if i == 0 else ("├─ ", "│  ")
        yield below + joint, below + rest, scope, unit


def _line(drawn: Drawing, mark: Mark, scope: str) -> tuple[str, str]:
    """Return what is told of a mark that stands in `scope`, words and details."""
    operands = [f"%{drawn.marks[source].nodes[0]}" for source in mark.inputs]
    if len(operands) > MOST_OPERANDS:
        operands = [*operands[: MOST_OPERANDS - 1], "…", operands[-1]]
    elsewhere = f"{shown(path_of(mark.scope))}." if mark.scope not in ("", scope) else ""
    words = f"%{mark.nodes[0]} {elsewhere}{mark.title}" + (f"({', '.join(operands)})" if operands else "")
    kind = [] if mark.kind in ("operation", "group") else [mark.kind]
    return words, "  ".join([*kind, *mark.details, *(["⇒ result"] if mark.is_output else [])])
