"""What a gradient report says about the values of a graph, found by their names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tinygrad_lite.errors import GraphError
from tinygrad_lite.graphs.labels import name_of, shortened, shown

if TYPE_CHECKING:
    from tinygrad_lite.graphs.pictures.sweeps import Sweep
    from tinygrad_lite.graphs.pictures.views import Report, Row
    from tinygrad_lite.graphs.recorded import Graph


class Findings:
    """The rows of a report at the nodes that they name."""

    def __init__(self, graph: Graph, sweep: Sweep, report: Report | None) -> None:
        self.departs_at = None if report is None else report.departs_at
        self.rows: dict[int, Row] = {}
        named = {row.name: row for row in ((*report.rows, *report.deltas) if report is not None else ())}
        self.lacks_hand = any(row.max_abs_error is None for row in named.values())
        """Whether of some values only the automatic and the numeric gradient were compared."""
        for node in graph.nodes:
            if not sweep.rises[node.id] and (row := named.get(name_of(node))) is not None:
                self.rows[node.id] = row
        found = {row.name for row in self.rows.values()}
        self.missing = [name for name in named if name not in found]
        if named and not found:
            names = sorted({name for node in graph.nodes if (name := name_of(node))})
            raise GraphError(
                f"the report is about {', '.join(named)}, and the graph has no values of such names, only "
                f"{', '.join(map(repr, names[:10])) or 'unnamed ones'}; name them alike: "
                "tg.Tensor(..., name=...) for parameters, tg.named(value, ...) on the way"
            )

    def of(self, members: Iterable[int]) -> list[Row]:
        """Return what is said about nodes."""
        return [self.rows[v] for v in members if v in self.rows]

    def verdict(self, members: Iterable[int]) -> bool | None:
        """Return whether all that is said about nodes is that they are right; None if nothing is said."""
        rows = self.of(members)
        return all(row.agrees for row in rows) if rows else None

    def error(self, members: Iterable[int]) -> float | None:
        """Return the largest relative error that is reported of nodes, at most 1; what agrees has none."""
        return max((0.0 if row.agrees else min(_relative(row), 1.0) for row in self.of(members)), default=None)

    def lines(self, members: Iterable[int]) -> list[str]:
        """Return what a mark tells: right or wrong, by how much, and why, of several the worst."""
        rows = self.of(members)
        if not rows:
            return []
        row = max(rows, key=lambda row: (not row.agrees, _relative(row)))
        if row.agrees:
            what = "error" if row.max_abs_error is not None else "automatic as numeric, error"
            return [f"✓ {what} {_error(row):.2g}"]
        departs = "departs here, " if row.name == self.departs_at else ""
        relative = "" if row.max_rel_error is None else f" ({row.max_rel_error:.2g} relative)"
        causes = [
            f"{cause.slug}{'' if cause.factor is None else f' (× {cause.factor:.6g})'}" for cause in row.diagnosis
        ]
        return [f"✗ {departs}error {_error(row):.3g}{relative}", *(shortened(shown(cause)) for cause in causes)]


def _error(row: Row) -> float:
    return row.numeric_abs_error if row.max_abs_error is None else row.max_abs_error


def _relative(row: Row) -> float:
    return _error(row) if row.max_rel_error is None else row.max_rel_error
