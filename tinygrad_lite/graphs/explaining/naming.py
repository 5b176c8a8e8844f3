"""What formulas call the values of a graph: as the user did, else a letter and the id, `h₅` for `%5`.

    names = Names(graph, result)
    names.of(node)                       # W, layers.0.bias, h₅, 0.5
    names.in_formula(node)               # what the letters of the node's formulas stand for

A name that two values share is told apart by the id, so that no formula has two meanings.
"""

from __future__ import annotations

import math
import re
from collections import ChainMap, Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tinygrad_lite.graphs.labels import brief, shortened, shown
from tinygrad_lite.primitives.formulas import Written, indexed
from tinygrad_lite.primitives.latex import latex_of_text, latex_of_word
from tinygrad_lite.primitives.shaping import CHECKS

if TYPE_CHECKING:
    from tinygrad_lite.graphs.recorded import Graph, GraphNode

LETTERS: Final = {"operation": "h", "parameter": "w", "input": "x", "state": "s", "constant": "c"}
"""What a value without a name is called, by its kind."""


class Extent(NamedTuple):
    """Stands in for a value where only its shape and dtype are asked for."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """A Python number is no memory that is moved."""
        return self.size * self.dtype.itemsize if self.dtype else 0


def extent_of(node: GraphNode) -> Extent:
    """Return the stand-in of a node's value."""
    return Extent(node.shape, node.dtype)


def behind_checks(node: GraphNode, nodes: Sequence[GraphNode]) -> GraphNode:
    """Return the value that a check handed on, the node itself if it is none."""
    while node.operation in CHECKS:
        node = nodes[node.inputs[0]]
    return node


class Names:
    """The names of a graph's values, and of the derivatives of `result` by them."""

    def __init__(self, graph: Graph, result: int) -> None:
        self.nodes = graph.nodes
        given = {node.id: _given(node) for node in graph.nodes if node.name}
        if result not in given and "L" not in given.values():
            given[result] = "L"
        uses = Counter(given.values())
        generated = {indexed(letter, i) for i, letter in enumerate(LETTERS[node.kind] for node in graph.nodes)}
        self._given = {i: name for i, name in given.items() if uses[name] == 1 and name not in generated}
        self._shared = {i: name for i, name in given.items() if i not in self._given}
        self.result = self.of(graph.nodes[result])

    def of(self, node: GraphNode) -> Written:
        """Return what a value is called, or the number that it is; a check that no gradient passes is not seen."""
        if not node.carries:
            node = behind_checks(node, self.nodes)
        is_scalar = node.shape == ()
        if node.id in self._given:
            return Written(self._given[node.id], _latex_of_name(self._given[node.id]), is_scalar)
        if node.id in self._shared:
            name = self._shared[node.id]
            return Written(f"{name}{indexed('', node.id)}", f"{_latex_of_name(name)}_{{({node.id})}}", is_scalar)
        if isinstance(node.value, bool):
            return Written(str(node.value), rf"\text{{{node.value}}}", is_scalar)
        if node.value is not None:
            return number(node.value)
        letter = LETTERS[node.kind]
        return Written(indexed(letter, node.id), f"{letter}_{{{node.id}}}", is_scalar)

    def derivative(self, node: GraphNode, through: str = "", through_latex: str = "") -> Written:
        """Return ∂(result)/∂(value), all of it or what came `through` one of its uses."""
        value = self.of(node)
        text = f"∂{self.result.text}/∂{value.text}"
        latex = rf"\dfrac{{\partial {self.result.latex}}}{{\partial {value.latex}}}"
        if through:
            text, latex = f"{text}|{through}", rf"\left.{latex}\right|_{{{through_latex}}}"
        return Written(text, latex, node.shape == (), is_compound=True)

    def in_formula(self, node: GraphNode) -> dict[str, Written]:
        """Return what the letters of an operation's formulas stand for."""
        operands = [self.nodes[i] for i in node.inputs]
        ndim = max([len(node.shape), *(len(operand.shape) for operand in operands[:1])])
        signs = {name: _static(name, value, ndim) for name, value in node.static.items()}
        if node.operation is not None and operands:
            letters = node.operation.operand_letters(len(operands))
            signs |= {letter: self.of(operand) for letter, operand in zip(letters, operands, strict=True)}
        for name, values in node.static.items():
            if isinstance(values, tuple) and len(values) == len(operands) and all(map(_is_number, values)):
                signs |= {indexed(name, i + 1): number(value) for i, value in enumerate(values)}
        if operands and "axis" in node.static:
            signs["n"] = number(
                math.prod(operands[0].shape) / max(1, math.prod(node.shape)) - node.static.get("ddof", 0)
            )
        return {**signs, "y": self.of(node), "ȳ": self.derivative(node)}

    def at(self, position: int, signs: dict[str, Written]) -> Mapping[str, Written]:
        """Add to the `signs` of an operation those of the operand at `position`, of any number."""
        here = {
            f"{sign[:-1]}ᵢ": signs[sign]
            for letter in ("x", "weights")
            if (sign := indexed(letter, position + 1)) in signs
        }
        part = Written(indexed("part", position + 1), latex_of_word(indexed("part", position + 1)))
        return ChainMap({**here, "partᵢ": part}, signs)


def number(value: float) -> Written:
    """Return a number as formulas show it.

    >>> number(-0.25).text, number(1e-8).latex
    ('(−0.25)', '10^{-8}')
    """
    text = f"{value:.6g}"
    latex = text
    if "e" in text:
        mantissa, exponent = text.split("e")
        latex = f"10^{{{int(exponent)}}}" if mantissa == "1" else rf"{mantissa} \cdot 10^{{{int(exponent)}}}"
    latex = latex.replace("inf", r"\infty ").replace("nan", r"\mathrm{nan}")
    text = text.replace("-", "−").replace("inf", "∞")
    if text.startswith("−"):
        text, latex = f"({text})", f"({latex})"
    return Written(text, latex, is_scalar=True, is_compound=text[0] == "(" or "e" in text, number=float(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


_SIMPLE: Final = re.compile(r"[^\W_][\w.\[\]]*")
_LETTER: Final = re.compile(r"([A-Za-zα-ωΓΔΘΛΞΠΣΦΨΩ])(\d*)")


def _given(node: GraphNode) -> str:
    """Return the user's name for a value; one that could be read as part of a formula stands in ‹ ›."""
    name = shortened(shown(node.name or ""))
    return name if _SIMPLE.fullmatch(name) else f"‹{name}›"


def _latex_of_name(name: str) -> str:
    letter = _LETTER.fullmatch(name)
    if letter is None:
        return rf"\text{{{latex_of_text(name.strip('‹›'))}}}"
    return latex_of_text(letter[1]).removeprefix(r"\ensuremath{").removesuffix("}") + (
        f"_{{{letter[2]}}}" if letter[2] else ""
    )


def _static(name: str, value: Any, ndim: int) -> Written:
    """Return a static argument as a formula shows it; an axis is counted from the front."""
    if name == "axis":
        text = _axes(value, ndim)
    elif _is_number(value):
        return number(value)
    else:
        text = brief(value)
    if name == "index" and isinstance(value, tuple):
        text = text.removeprefix("(").removesuffix(")")
    return Written(text, rf"\text{{{latex_of_text(text)}}}" if text else "")


def _axes(axis: int | tuple[int, ...] | None, ndim: int) -> str:
    if axis is None or ndim == 0:
        return ""
    axes = [i % ndim for i in (axis if isinstance(axis, tuple) else (axis,))]
    return f"{'axis' if len(axes) == 1 else 'axes'} {', '.join(map(str, axes)) or 'none'}"
