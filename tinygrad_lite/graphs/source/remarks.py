"""What the comments in written source say of a step: its formula, and the derivatives that stand beside its rules."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from tinygrad_lite.graphs.explaining.naming import Names, extent_of
from tinygrad_lite.graphs.recorded import Graph, GraphNode
from tinygrad_lite.graphs.source.identifiers import comment
from tinygrad_lite.primitives.formulas import Formula, Written, resolved, written

LONGEST_LINE = 96
"""How many characters a line of the body may have, not counting the indentation."""


class Remarks:
    """What is said of the operations of a graph, in the letters of the tables: y = f(x) and d_x, its derivative."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._names = Names(graph, graph.outputs[0] if graph.outputs else 0)

    def forward(self, node: GraphNode) -> str:
        """Return the name and the formula of an operation."""
        assert node.operation is not None
        formula = self._formula(node.operation.formula, node)
        settings = f"({', '.join(node.settings)})" if node.settings else ""
        return comment(node.operation.name) + (f": y = {formula}" if formula else settings)

    def backward(self, node: GraphNode, name_of: Callable[[int], str]) -> list[str]:
        """Return what the sweep goes back through, and the derivatives by those operands that carry a gradient."""
        assert node.operation is not None
        operands = ", ".join(map(name_of, node.inputs))
        said = f"back through {name_of(node.id)} = {comment(node.operation.name)}({operands})"
        letters = node.operation.operand_letters(len(node.inputs))
        formulas = ((letters[i], self._derivative(node, i)) for i in sorted(node.carries))
        derivatives = ", ".join(f"d_{letter} = {formula}" for letter, formula in formulas if formula)
        if len(said) + len(derivatives) + 4 <= LONGEST_LINE:
            return [f"{said}: {derivatives}" if derivatives else said]
        lines = textwrap.wrap(f"{said}:" if derivatives else said, LONGEST_LINE - 2, subsequent_indent="    ")
        return lines + textwrap.wrap(derivatives, LONGEST_LINE - 2, initial_indent="    ", subsequent_indent="    ")

    def _derivative(self, node: GraphNode, position: int) -> str:
        """Return the formula of a cotangent, summed if the operand was broadcast, which the engine does."""
        assert node.operation is not None
        said = node.operation.cotangent_formula(position)
        formula = self._formula(said, node, position)
        is_broadcast = self.graph.nodes[node.inputs[position]].shape != node.shape
        if formula and is_broadcast and (node.operation.is_elementwise or said == "ȳ"):
            return f"Σ({formula})"
        return formula

    def _formula(self, formula: Formula | None, node: GraphNode, position: int = 0) -> str:
        """Return a formula in the letters of the tables, with the values of static arguments in it."""
        assert node.operation is not None
        extents = [extent_of(self.graph.nodes[i]) for i in node.inputs]
        found = resolved(formula, extent_of(node), *extents, **node.static)
        if found is None:
            return ""
        if not node.static and "…" not in found and "ᵢ" not in found:
            return found.replace("ȳ", "d_y")
        letters = (*node.operation.operand_letters(len(extents)), "y")
        signs = self._names.in_formula(node) | {letter: Written(letter, letter) for letter in letters}
        signs["ȳ"] = Written("d_y", "d_y")
        return written(found, self._names.at(position, signs), len(extents)).text
