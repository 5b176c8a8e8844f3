"""A cost as tables: plain text, Markdown, HTML, all from the same cells."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from tinygrad_lite.graphs.labels import shortened, shown

if TYPE_CHECKING:
    from tinygrad_lite.graphs.costing.counting import Cost, Part, Row, Total

COSTLIEST: Final = 10
"""How many operations are listed."""


class Table(NamedTuple):
    """Rows of cells; the first column is words, the others are numbers."""

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def count(value: float | None, unit: str = "") -> str:
    """Return a number with three digits and a prefix.

    >>> count(15_680_000), count(313_600, "B"), count(12), count(None)
    ('15.7 M', '314 kB', '12', '?')
    """
    if value is None:
        return "?"
    prefixes = ["", "k", "M", "G", "T"]
    while value >= 999.5 and len(prefixes) > 1:
        value /= 1000
        prefixes.pop(0)
    number = f"{value:.3g}" if value < 999.5 else f"{value:.0f}"
    return f"{number} {prefixes[0]}{unit}".strip()


def flops_of(total: Total) -> str:
    """Return the FLOPs of a total, with a mark if some of its operations have no count."""
    known = count(total.flops)
    return known if not total.unknown else f"{known} + ?" if total.flops else "?"


def summary(cost: Cost) -> str:
    """Return the totals in one sentence."""
    total = cost.total
    parts = [f"{flops_of(cost.scopes_of(part)[''])} {part}" for part in _parts_of(cost)]
    flops = f"{flops_of(total)} FLOPs" + (f" ({', '.join(parts)})" if len(parts) > 1 else "")
    moved, kept = count(total.bytes, "B"), count(total.kept, "B")
    return f"{flops}, {moved} moved, {total.parameters:,} parameters, {kept} kept for the backward sweep"


def text(cost: Cost) -> str:
    """Return the cost for a terminal."""
    return "\n\n".join((summary(cost), _set(_by_scope(cost)), _set(_costliest(cost))))


def markdown(cost: Cost) -> str:
    """Return the cost in Markdown."""
    return "\n\n".join((_as_markdown([summary(cost)])[0], *map(_markdown_table, (_by_scope(cost), _costliest(cost)))))


def page(cost: Cost) -> str:
    """Return the cost as HTML."""
    return f"<p>{html.escape(summary(cost))}</p>{_html_table(_by_scope(cost))}{_html_table(_costliest(cost))}"


# ----- What the tables say -----


def _parts_of(cost: Cost) -> list[Part]:
    """Return the parts that the graph has."""
    parts: tuple[Part, ...] = ("forward", "backward", "update")
    return [part for part in parts if part in cost.parts]


def _by_scope(cost: Cost) -> Table:
    parts = _parts_of(cost)
    flops = [f"FLOPs {part}" for part in parts] if len(parts) > 1 else ["FLOPs"]
    columns = [cost.scopes_of(part) for part in parts]
    rows = []
    for scope, total in cost.scopes.items():
        done = [flops_of(column[scope]) for column in columns]
        indent = "  " * scope.count(".") if scope else ""
        name = indent + shortened(shown(scope)) if scope else "everything"
        rows.append((name, *done, count(total.bytes, "B"), f"{total.parameters:,}", count(total.kept, "B")))
    return Table(("scope", *flops, "moved", "parameters", "kept"), rows)


def _costliest(cost: Cost) -> Table:
    """Return the operations with most FLOPs; those without a count come first, so that none is overlooked."""
    operations = [row for row in cost.rows if cost.graph.nodes[row.id].kind == "operation"]
    chosen = sorted(operations, key=_rank)[:COSTLIEST]
    rows = [(_operation(cost, row), count(row.flops), count(row.bytes, "B"), count(row.kept, "B")) for row in chosen]
    return Table(("costliest operations", "FLOPs", "moved", "kept"), rows)


def _rank(row: Row) -> tuple[bool, int, int, int]:
    return row.flops is not None, -(row.flops or 0), -row.bytes, row.id


def _operation(cost: Cost, row: Row) -> str:
    node = cost.graph.nodes[row.id]
    where = f" in {shortened(shown(node.scope))}" if node.scope else ""
    return f"%{row.id} {shown(node.primitive or '')}{where}"


# ----- How they are set -----


def _set(table: Table) -> str:
    lines = [table.header, *table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.header))]
    return "\n".join(
        "  ".join(
            (line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)))
        ).rstrip()
        for line in lines
    )


def _markdown_table(table: Table) -> str:
    ruler = ("---", *("---:",) * (len(table.header) - 1))
    lines = [_as_markdown(table.header), ruler, *map(_as_markdown, table.rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _as_markdown(cells: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Return cells in which no character that Markdown or HTML knows means anything."""
    marks = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]()#+!|~$"})
    return tuple(html.escape(cell.strip(), quote=False).translate(marks) for cell in cells)


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in table.header)
    rows = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
