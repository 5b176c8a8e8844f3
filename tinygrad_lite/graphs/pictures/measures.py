"""Numbers about what a mark stands for: its values, its gradient, its costs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tinygrad_lite.errors import GraphError
from tinygrad_lite.graphs.pictures.quantities import norm, root_mean_square

if TYPE_CHECKING:
    from tinygrad_lite.graphs.pictures.cells import Cell
    from tinygrad_lite.graphs.pictures.sweeps import Sweep
    from tinygrad_lite.graphs.pictures.views import View
    from tinygrad_lite.graphs.recorded import Graph


class Measures:
    """Measures cells of a graph; raises GraphError if the view asks for gradients and there are none."""

    def __init__(self, graph: Graph, sweep: Sweep, view: View) -> None:
        self.graph, self.sweep = graph, sweep
        if not graph.cotangents and ("gradient" in view.show or view.heat == "gradient"):
            raise GraphError("this graph has no gradients to show; draw graph.backward(), which adds them")
        if view.heat == "value" and graph.nodes and all(node.values is None for node in graph.nodes):
            raise GraphError("no values of this graph were kept; trace the computation with tg.trace, which keeps all")

    @cached_property
    def costs(self) -> Any:
        """The cost of each node, by its id."""
        from tinygrad_lite.graphs.costing.counting import cost_of

        return cost_of(self.graph).rows

    def cost(self, cell: Cell, what: Literal["flops", "bytes"]) -> int | None:
        """Return the operations or the bytes of everything in a cell, None if nobody said how many."""
        costs = [getattr(self.costs[v], what) for v in cell.members]
        return None if None in costs else sum(costs)

    def values(self, cell: Cell) -> list[np.ndarray]:
        """Return the values of a cell that were kept, of a group those of its parameters."""
        return self._arrays(self._telling(cell))

    def gradients(self, cell: Cell) -> list[np.ndarray]:
        """Return the total cotangents of a cell, of a group those of its parameters."""
        members = self._telling(cell)
        if cell.rises:
            return self._arrays([v for v in members if v in self.sweep.values_of])
        return self._arrays([self.sweep.cotangent_of[v] for v in members if v in self.sweep.cotangent_of])

    def magnitude(self, cell: Cell, what: Literal["value", "gradient", "flops", "bytes"]) -> float | None:
        """Return how much of something a cell has, None if it has none."""
        if what == "flops" or what == "bytes":
            return self.cost(cell, what) or None
        arrays = self.values(cell) if what == "value" else self.gradients(cell)
        if not arrays:
            return None
        return root_mean_square(arrays) if what == "value" else norm(arrays)

    def _telling(self, cell: Cell) -> list[int]:
        if cell.whole is None:
            return cell.members
        return [v for v in cell.members if self.graph.nodes[v].kind == "parameter"]

    def _arrays(self, nodes: Sequence[int]) -> list[np.ndarray]:
        found = (self.graph.nodes[v].values for v in nodes)
        return [array for array in found if array is not None and array.dtype.kind in "biuf"]
