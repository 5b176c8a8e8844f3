"""The chain rule for one network: every local derivative as a formula, in the order of the backward sweep.

    print(explanation(graph))            # read from top to bottom, it derives the gradient
    explanation(graph).latex()

The formulas stand in the tables beside the rules; here the names and shapes of the graph's values are put in, what the
engine adds (sums over what was broadcast, sums over several uses) is said, and the whole is brought into order.
"""

from __future__ import annotations

import inspect
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tinygrad_lite.errors import GraphError
from tinygrad_lite.graphs.explaining.explained import Equation, Explanation, Step, Value, document
from tinygrad_lite.graphs.explaining.naming import Names, extent_of
from tinygrad_lite.graphs.labels import extent, shown
from tinygrad_lite.graphs.recorded import Graph, GraphNode
from tinygrad_lite.primitives import matmul
from tinygrad_lite.primitives.definition import Rule
from tinygrad_lite.primitives.formulas import Written, resolved, written
from tinygrad_lite.primitives.latex import latex_of_text
from tinygrad_lite.primitives.shaping import CHECKS

LONGEST_SOURCE = 12
"""How many lines of a rule without a formula are shown."""
NAMED_CONTRIBUTIONS = 6
"""Of more contributions to one sum than this the first and the last are named."""


def explanation(graph: Graph) -> Explanation:
    """Return how the gradients of the result come about: the chain rule for this network, step by step.

    Of a graph that has a backward sweep the computation that was differentiated is explained, of any other the way
    back from its first result that depends on a parameter. Raises GraphError if there is none.

    >>> import numpy as np, tinygrad_lite as tg
    >>> x = tg.Tensor([[1.0, 2.0]], requires_grad=True, name="x")
    >>> print(explanation(tg.graph(np.sum(np.tanh(x)))))
    The computation
      %0  x             1×2
      %1  h₁ = tanh(x)  1×2
      %2  L = Σ(h₁)     scalar
    <BLANKLINE>
    The chain rule, from L back
      ∂L/∂L = 1
    <BLANKLINE>
      through L = Σ(h₁)
        ∂L/∂h₁ = repeat(∂L/∂L)   1×2
    <BLANKLINE>
      through h₁ = tanh(x)
        ∂L/∂x = ∂L/∂h₁ ⊙ (1 − h₁²)   1×2
    <BLANKLINE>
    The gradients
      ∂L/∂x   1×2
    <BLANKLINE>
    where
      ⊙ multiplies value by value
      Σ[axis 1](…) sums over axis 1, and Σ(…) over everything
      repeat[axis 1](…) repeats along axis 1, back to the shape before a reduction took that axis away
    """
    return _Deriving(graph, _result_of(graph)).explanation()


def latex_document(graph: Graph) -> str:
    r"""Return the explanation of `graph` as a whole LaTeX document.

    >>> import tinygrad_lite as tg
    >>> latex_document(tg.graph(tg.exp(tg.Tensor(1.0, requires_grad=True)))).splitlines()[0]
    '\\documentclass{article}'
    """
    return document(explanation(graph))


def _result_of(graph: Graph) -> int:
    if graph.cotangents:
        return graph.cotangents[0][0]
    carrying = [i for i in graph.outputs if graph.nodes[i].kind == "parameter" or graph.nodes[i].carries]
    if not carrying:
        raise GraphError(
            "there is nothing to explain: no gradient flows from a result to a parameter; parameters are Tensors with "
            "requires_grad=True, and .detach(), no_grad() and operations without a derivative let none through"
        )
    return carrying[0]


@dataclass(frozen=True)
class _Use:
    """One operand through which a gradient flows back."""

    through: GraphNode
    position: int
    rule: Rule


@dataclass
class _Deriving:
    """The explanation of one graph in the making."""

    graph: Graph
    result: int
    names: Names = field(init=False)
    uses: dict[int, list[_Use]] = field(init=False)

    def __post_init__(self) -> None:
        self.names = Names(self.graph, self.result)
        self.uses = self._uses()

    def explanation(self) -> Explanation:
        result = self.graph.nodes[self.result]
        seed = self.names.derivative(result)
        one = "1" if not result.shape else "the cotangent that is given"
        ends = [node for node in self.graph.nodes if self._is_end(node)]
        return Explanation(
            result=self.names.result,
            values=tuple(self._value(node) for node in self._forward()),
            beginning=Equation(seed, Written(one, rf"\text{{{one}}}"), extent(result.shape) * bool(result.shape)),
            steps=tuple(self._steps()),
            gradients=tuple(Equation(self.names.derivative(node), None, extent(node.shape)) for node in ends),
        )

    # ----- What leads to what -----

    def _uses(self) -> dict[int, list[_Use]]:
        """Return, for each value that a gradient reaches, through what, in the order of the backward sweep."""
        uses: dict[int, list[_Use]] = defaultdict(list)
        for node in reversed(self.graph.nodes[: self.result + 1]):
            if node.operation is None or (node.id != self.result and node.id not in uses):
                continue
            for position, rule in enumerate(node.operation.rules_for(len(node.inputs))):
                if position in node.carries and rule is not None:
                    uses[node.inputs[position]].append(_Use(node, position, rule))
        return uses

    def _is_end(self, node: GraphNode) -> bool:
        """Return whether a gradient arrives here and goes no further: at a parameter, or what stands for one."""
        return (node.id in self.uses or node.id == self.result) and not node.carries

    def _forward(self) -> list[GraphNode]:
        """Return what the result was computed from, itself included, without checks that no gradient passes.

        Numbers are shown where they are used.
        """
        needed = {self.result}
        for node in reversed(self.graph.nodes[: self.result + 1]):
            if node.id in needed:
                needed.update(node.inputs)
        needed -= {node.id for node in self.graph.nodes if node.operation in CHECKS and not node.carries}
        return [node for node in self.graph.nodes if node.id in needed and (node.value is None or node.name)]

    # ----- What is said -----

    def _value(self, node: GraphNode) -> Value:
        right = None if node.operation is None else self._formula(node)
        return Value(node.id, Equation(self.names.of(node), right, extent(node.shape)), shown(node.scope))

    def _formula(self, node: GraphNode) -> Written:
        """Return what an operation computes; one without a formula is a call."""
        assert node.operation is not None
        extents = [extent_of(self.graph.nodes[i]) for i in node.inputs]
        formula = resolved(node.operation.formula, extent_of(node), *extents, **node.static)
        if formula is not None:
            return written(formula, self.names.in_formula(node), len(extents))
        operands = [self.names.of(self.graph.nodes[i]) for i in node.inputs]
        settings = [Written(text, rf"\text{{{latex_of_text(text)}}}") for text in node.settings]
        name = shown(node.operation.name)
        return Written(
            f"{name}({', '.join(each.text for each in (*operands, *settings))})",
            rf"\operatorname{{{latex_of_text(name)}}}({', '.join(each.latex for each in (*operands, *settings))})",
        )

    def _steps(self) -> Iterator[Step]:
        """Yield the way back through each operation, last to first; a sum is closed by its last contribution."""
        arrived: dict[int, int] = defaultdict(int)
        through: dict[int, list[_Use]] = defaultdict(list)
        for uses in self.uses.values():
            for use in uses:
                through[use.through.id].append(use)
        for node_id in sorted(through, reverse=True):
            node = self.graph.nodes[node_id]
            signs = self.names.in_formula(node)
            equations: list[Equation] = []
            for use in sorted(through[node_id], key=lambda use: use.position):
                source = node.inputs[use.position]
                equations.append(self._contribution(use, signs))
                arrived[source] += 1
                if 1 < arrived[source] == len(self.uses[source]):
                    equations.append(self._total(source))
            yield Step(self._value(node), tuple(equations))

    def _contribution(self, use: _Use, signs: dict[str, Written]) -> Equation:
        node, entry = use.through, use.through.operation
        assert entry is not None
        operand = self.graph.nodes[node.inputs[use.position]]
        said = entry.cotangent_formula(use.position)
        extents = [extent_of(self.graph.nodes[i]) for i in node.inputs] if callable(said) else []
        formula = resolved(said, extent_of(node), *extents, **node.static)
        notes = []
        if formula is None:
            right = Written("by its rule", r"\text{by its rule}")
            notes += [_as_code(line) for line in _source_of(use.rule)]
        else:
            shape = self._before_summing(node, operand, formula)
            axes = _summed_axes(shape, operand.shape)
            if axes:
                over = "axis" if len(axes) == 1 else "axes"
                where = "" if len(axes) == len(shape) else f"[{over} {', '.join(map(str, axes))}]"
                formula = f"Σ{where}({formula})"
                notes.append(self._broadcasting(operand, shape, axes))
            right = written(formula, self.names.at(use.position, signs), len(node.inputs))
        at_kinks = entry.at_kinks[min(use.position, len(entry.at_kinks) - 1)]
        notes += [_sentence(at_kinks)] if at_kinks else []
        return Equation(self._share(operand, use), right, extent(operand.shape), tuple(notes))

    def _share(self, operand: GraphNode, use: _Use) -> Written:
        """Return what a contribution is called: the whole derivative, if it is the only one."""
        if len(self.uses[operand.id]) == 1:
            return self.names.derivative(operand)
        value = self.names.of(use.through)
        number = f",{use.position + 1}" if use.through.inputs.count(operand.id) > 1 else ""
        return self.names.derivative(operand, f"{value.text}{number}", f"{value.latex}{number}")

    def _total(self, source: int) -> Equation:
        operand, uses = self.graph.nodes[source], self.uses[source]
        shares = [self._share(operand, use) for use in uses]
        if len(shares) > NAMED_CONTRIBUTIONS:
            shares = [*shares[:2], Written("…", r"\dots"), shares[-1]]
        total = Written(" + ".join(share.text for share in shares), " + ".join(share.latex for share in shares))
        note = f"the sum of {len(uses)} contributions, one for each use"
        return Equation(self.names.derivative(operand), total, extent(operand.shape), (_sentence(note),))

    def _before_summing(self, node: GraphNode, operand: GraphNode, formula: str) -> tuple[int, ...]:
        """Return the shape of a cotangent before the engine sums over what was broadcast."""
        assert node.operation is not None
        if node.operation.is_elementwise or formula == "ȳ":
            return node.shape
        if node.operation is matmul:
            stacks = (self.graph.nodes[i].shape[:-2] for i in node.inputs)
            return (*np.broadcast_shapes(*stacks), *operand.shape[-2:])
        return operand.shape

    def _broadcasting(self, operand: GraphNode, shape: tuple[int, ...], axes: tuple[int, ...]) -> Written:
        """Return why there is a sum."""
        over = f"the {shape[0]} rows" if axes == (0,) and len(shape) == 2 else "what it was repeated over"
        before = f"summed over {over}, because "
        own = f"has shape {extent(operand.shape)}" if operand.shape else "is a scalar"
        after = f" {own} and was broadcast to {extent(shape)}"
        name = self.names.of(operand)
        return Written(before + name.text + after, f"{before}${name.latex}${latex_of_text(after)}")


def _summed_axes(shape: tuple[int, ...], operand: tuple[int, ...]) -> tuple[int, ...]:
    """Return over which axes of `shape` is summed, to undo the broadcasting of an operand."""
    added = len(shape) - len(operand)
    return (*range(added), *(added + i for i, n in enumerate(operand) if n == 1 != shape[added + i]))


def _sentence(text: str) -> Written:
    return Written(text, latex_of_text(text))


def _as_code(text: str) -> Written:
    return Written(text, rf"\texttt{{{latex_of_text(text)}}}")


def _source_of(rule: Rule) -> list[str]:
    """Return the lines of a rule that its author wrote, or that they are not at hand."""
    try:
        lines = textwrap.dedent(inspect.getsource(inspect.unwrap(rule))).strip().splitlines()
    except Exception:  # inspect raises many things, and an explanation must not fail for want of a source
        return ["its rule has no formula, and its source is not at hand"]
    return [shown(line) for line in lines[:LONGEST_SOURCE]] + ["…"] * (len(lines) > LONGEST_SOURCE)
