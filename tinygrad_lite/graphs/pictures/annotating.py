"""The words and colours of marks: names, shapes, values, gradients, costs, and the findings of a gradient report."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from tinygrad_lite.errors import GraphError
from tinygrad_lite.graphs import labels
from tinygrad_lite.graphs.costing.pricing import count
from tinygrad_lite.graphs.pictures.copies import range_of
from tinygrad_lite.graphs.pictures.findings import Findings
from tinygrad_lite.graphs.pictures.heating import Heating
from tinygrad_lite.graphs.pictures.measures import Measures
from tinygrad_lite.graphs.pictures.quantities import norm, values_in_words

if TYPE_CHECKING:
    from tinygrad_lite.graphs.pictures.cells import Cell, Cells
    from tinygrad_lite.graphs.pictures.heating import HeatScale
    from tinygrad_lite.graphs.pictures.sweeps import Sweep
    from tinygrad_lite.graphs.pictures.views import Shown, View
    from tinygrad_lite.graphs.recorded import Graph


MOST_NAMED: Final = 4
"""How many gradients a part of the sweep names."""


class Annotations:
    """What is written on the cells of one picture, and how they are coloured."""

    def __init__(self, graph: Graph, view: View, sweep: Sweep, cells: Cells, order: list[Cell]) -> None:
        self.graph, self.view, self.sweep, self.cells = graph, view, sweep, cells
        self.measures = Measures(graph, sweep, view)
        self.findings = Findings(graph, sweep, view.report)
        self.noted = view.notes or {}
        unknown = [v for v in self.noted if not 0 <= v < len(graph.nodes)]
        if unknown:
            raise GraphError(
                f"notes= names the node %{unknown[0]}, and the graph has {len(graph.nodes)} nodes, from %0"
            )
        self.effects: dict[int, list[str]] = {}
        for update in graph.updates:
            ending = ".grad" if update.what == "gradient" else ""
            target = labels.title(graph.nodes[update.target], graph.nodes[update.source].scope)
            self.effects.setdefault(sweep.drawn_as[update.source], []).append(f"→ {target}{ending}")
        self.heating = None
        if view.heat is not None:
            self.magnitudes = {id(cell): self._magnitude(cell) for cell in order}
            self.heating = Heating(view.heat, list(self.magnitudes.values()))

    def _magnitude(self, cell: Cell) -> float | None:
        if self.view.heat == "error":
            return self.findings.error(cell.members)
        return None if self.view.heat is None else self.measures.magnitude(cell, self.view.heat)

    # ----- Words -----

    def title(self, cell: Cell, beside: bool) -> str:
        """Return what a cell is called; `beside` its value, a derivative is in the scope of that."""
        times = f" ×{cell.count}" if cell.count > 1 else ""
        if cell.whole is not None:
            return f"{labels.shortened(cell.title)}{times}{' backward' if cell.rises else ''}"
        if len(cell.members) == 1:
            return self._names(cell.members[0], beside)[0]
        return labels.shortened(range_of([self._names(v, beside)[0] for v in cell.members], " … ")) + times

    def _names(self, v: int, beside: bool) -> list[str]:
        """Return the name of a node; ∂/∂w for what is the derivative of the result by w, and by what else it is."""
        node = self.graph.nodes[v]
        values = [self.graph.nodes[value] for value in self.sweep.values_of.get(v, ())]
        if not values:
            return [labels.title(node)]
        scope = values[0].scope if beside else node.scope
        by_name = sorted(values, key=lambda value: not labels.name_of(value))
        return list(dict.fromkeys(f"∂/∂{labels.title(value, scope)}" for value in by_name))

    def details(self, cell: Cell, beside: bool) -> tuple[str, ...]:
        """Return the lines below the title."""
        lines = [labels.shortened(line) for line in self._how(cell)]
        if len(cell.members) == 1 and (others := self._names(cell.members[0], beside)[1:]):
            lines.append(labels.shortened(f"= {' = '.join(others)}"))
        for shown in self.view.show:
            lines += self._shown(cell, shown)
        if cell.whole is None and (notes := self._notes_to(cell)):
            lines.append(labels.shortened(range_of(notes, " … ")))
        lines += dict.fromkeys(effect for v in cell.members for effect in self.effects.get(v, ()))
        lines += self.findings.lines(cell.members)
        return tuple(line for line in lines if line)

    def _how(self, cell: Cell) -> list[str]:
        """Return by what a cell was computed, where its title does not say so, and with which static arguments."""
        if cell.whole is not None:
            return self._contents(cell)
        node = self.graph.nodes[cell.members[0]]
        lines = [f"{cell.count} in a row"] if cell.count > 1 else []
        settings = node.settings if all(self.graph.nodes[v].settings == node.settings for v in cell.members) else ()
        by = ""
        if node.id in self.sweep.values_of:
            by = f"by {labels.shown(node.primitive)}" if node.primitive else f"= {node.value!r}"
        elif node.primitive and labels.name_of(node):
            by = "" if node.primitive == "named" else labels.shown(node.primitive)
        if node.primitive == "named":
            settings = ()
        lines.append(", ".join(part for part in (by, *settings) if part))
        return lines

    def _contents(self, cell: Cell) -> list[str]:
        nodes = [self.graph.nodes[v] for v in cell.members]
        computed = Counter(node.primitive for node in nodes if node.primitive)
        lines = [_plural(sum(computed.values()), "operation")]
        kinds = Counter(node.kind for node in nodes if node.kind in ("parameter", "state", "input"))
        lines += [", ".join(_plural(number, kind) for kind, number in kinds.items())]
        most = [f"{times} {labels.shown(name)}" for name, times in computed.most_common(3)]
        lines += [", ".join(most) + (" …" if len(computed) > 3 else "")] if len(nodes) > 1 else []
        return [*lines, self._gradients_in(cell)]

    def _gradients_in(self, cell: Cell) -> str:
        """Return the gradients by parameters that a part of the sweep arrives at."""
        values = (self.graph.nodes[value] for v in cell.members for value in self.sweep.values_of.get(v, ()))
        names = [f"∂/∂{labels.title(value, cell.whole)}" for value in values if value.kind == "parameter"]
        if len(names) > MOST_NAMED:
            names = [*names[: MOST_NAMED - 1], "…", names[-1]]
        return f"gives {', '.join(names)}" if names else ""

    def _shown(self, cell: Cell, shown: Shown) -> list[str]:
        node = self.graph.nodes[cell.members[0]]
        if shown == "shape":
            return [labels.type_of(node)] if cell.whole is None else []
        if shown == "place":
            places = [place for v in cell.members if (place := labels.place_of(self.graph.nodes[v]))]
            return [labels.shortened(range_of(places, " … "))] if places else []
        if shown == "flops" or shown == "bytes":
            cost = self.measures.cost(cell, shown)
            unit = "FLOP" if shown == "flops" else "B"
            return [] if cost == 0 else [f"? {unit}" if cost is None else count(cost, unit)]
        if shown == "gradient":
            gradients = [] if cell.rises else self.measures.gradients(cell)
            return [f"‖∂‖ = {norm(gradients):.3g}"] if gradients else []
        values = self.measures.values(cell) if node.value is None or node.name else []
        return [values_in_words(values)] if values else []

    def _notes_to(self, cell: Cell) -> list[str]:
        """Return the notes to the nodes of a cell."""
        return [labels.shown(note) for v in cell.members if (note := self.noted.get(v))]

    def tooltip(self, cell: Cell) -> str:
        """Return all there is to say of a cell, for who points at it."""
        first = self.graph.nodes[cell.members[0]]
        if cell.whole is not None:
            what = f"all of {cell.whole}" if cell.is_scope else f"steps in {cell.whole or 'a row'}"
            return labels.shown(f"{what}: {', '.join(line for line in self._contents(cell) if line)}")
        parts = (labels.listing(first), labels.place_of(first), labels.shown(self.noted.get(first.id, "")))
        line = "  ".join(part for part in parts if part)
        if len(cell.members) == 1:
            return line
        return f"{len(cell.members)} such as {line}"

    # ----- Colours -----

    def verdict(self, cell: Cell) -> bool | None:
        """Return what the gradient report says of a cell: right, wrong or nothing."""
        return self.findings.verdict(cell.members)

    def fill(self, cell: Cell) -> str | None:
        """Return the colour of a cell by its magnitude, None where the colours are those of the kinds."""
        return None if self.heating is None else self.heating.fill(self.magnitudes[id(cell)])

    @property
    def heat(self) -> HeatScale | None:
        """What the colours mean, if they are those of magnitudes."""
        return None if self.heating is None else self.heating.scale

    def notes(self) -> tuple[str, ...]:
        """Return what the legend says beside the kinds of marks and the colours."""
        notes = []
        if self.view.report is not None:
            notes.append("✓ the gradient by hand agrees, ✗ it does not")
            if self.findings.lacks_hand:
                notes.append("where none was given, the automatic gradient is held against the numeric one")
        if self.findings.missing:
            notes.append(f"not in this graph: {labels.shown(', '.join(self.findings.missing))}")
        return tuple(notes)


def _plural(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
