"""An explanation as a value, and how it is set: plain text for terminals, LaTeX, HTML for notebooks."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple

from tinygrad_lite.primitives.formulas import Written
from tinygrad_lite.primitives.latex import latex_of_text

WIDEST: Final = 72
"""How wide a column of formulas may grow before the shapes beside it no longer line up."""

NOTATION: Final = {
    "⊙": "⊙ multiplies value by value",
    "ᵀ": "Aᵀ is the transpose of A, and A B the product of the matrices A and B",
    "Σ": "Σ[axis 1](…) sums over axis 1, and Σ(…) over everything",
    "Π′": "Π′ multiplies, for each value, all others",
    "‖": "‖A‖² is the sum of the squares of A",
    "repeat": "repeat[axis 1](…) repeats along axis 1, back to the shape before a reduction took that axis away",
    "[…]": "[…] is 1 where the condition holds and 0 elsewhere",
    "scatter": "scatter[…](…) is zeros to which the values are added at the index",
    "part": "part₂(…) is the part of a joined array that the second operand was",
    "|": "∂L/∂x|h₅ is what reaches x through h₅, one of its uses",
}
"""What a sign in an explanation means; only those that occur are told."""

_CONDITION: Final = re.compile(r"\[(?:¬|[^\[\]]* [=≠<>≤≥] )")


class Equation(NamedTuple):
    """One line: `left = right`, what shape it has, and what is to be said about it."""

    left: Written
    right: Written | None
    shape: str
    notes: tuple[Written, ...] = ()
    """Sentences; their LaTeX is for text, not for formulas."""

    @property
    def text(self) -> str:
        return self.left.text if self.right is None else f"{self.left.text} = {self.right.text}"

    @property
    def latex(self) -> str:
        """The equation as a row of an aligned display."""
        return f"{self.left.latex} &" if self.right is None else f"{self.left.latex} &= {self.right.latex}"


class Value(NamedTuple):
    """One value of the forward computation."""

    id: int
    equation: Equation
    scope: str


class Step(NamedTuple):
    """The way back through one operation."""

    through: Value
    equations: tuple[Equation, ...]


@dataclass(frozen=True, repr=False)
class Explanation:
    """How the gradients of a computation come about: the chain rule for this network, step by step.

    `print(explanation)` shows it in a terminal; `latex()` is for a document of one's own.
    """

    result: Written
    """What is differentiated."""
    values: tuple[Value, ...]
    """The computation, in the order of its values."""
    beginning: Equation
    """The derivative of the result by itself."""
    steps: tuple[Step, ...]
    """The backward sweep, from the result to the parameters."""
    gradients: tuple[Equation, ...]
    """Where it arrives."""

    def __str__(self) -> str:
        return "\n".join(_text(self))

    def __repr__(self) -> str:
        count = len(self.gradients)
        return f"<Explanation: {count} gradient{'s' * (count != 1)} of {self.result.text} in {len(self.steps)} steps>"

    def latex(self) -> str:
        """Return it as LaTeX, for a document with amsmath, textcomp and T1 fonts."""
        return "\n".join(_latex(self))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": f"<pre>{html.escape(str(self))}</pre>"}


# ----- Plain text -----


def _text(explanation: Explanation) -> Iterator[str]:
    yield "The computation"
    width = max((len(f"%{value.id}") for value in explanation.values), default=0)
    for value, line in zip(explanation.values, _lined_up(v.equation for v in explanation.values), strict=True):
        yield f"  {f'%{value.id}'.rjust(width)}  {line}{f'  {value.scope}' * bool(value.scope)}"
    yield ""
    yield f"The chain rule, from {explanation.result.text} back"
    yield from ("  " + line for line in _with_notes(explanation.beginning, explanation.beginning.text))
    for step in explanation.steps:
        yield ""
        scope = f"   in {step.through.scope}" * bool(step.through.scope)
        yield f"  through {step.through.equation.text}{scope}"
        for equation, line in zip(step.equations, _lined_up(step.equations), strict=True):
            yield from ("    " + text for text in _with_notes(equation, line))
    yield ""
    yield "The gradients"
    yield from ("  " + line for line in _lined_up(explanation.gradients))
    signs = [sign for sign in NOTATION if _occurs(sign, explanation)]
    if signs:
        yield ""
        yield "where"
        yield from (f"  {NOTATION[sign]}" for sign in signs)


def _lined_up(equations: Iterable[Equation]) -> list[str]:
    """Return the lines of equations with their shapes in a column."""
    lines = [(equation.text, equation.shape) for equation in equations]
    width = max((len(text) for text, _ in lines if len(text) <= WIDEST), default=0)
    return [f"{text.ljust(width)}   {shape}".rstrip() for text, shape in lines]


def _with_notes(equation: Equation, line: str) -> Iterator[str]:
    yield line
    yield from (f"    {note.text}" for note in equation.notes)


def _occurs(sign: str, explanation: Explanation) -> bool:
    equations = [*chain(*(step.equations for step in explanation.steps)), *(v.equation for v in explanation.values)]
    if sign == "|":
        return any("|" in equation.left.text for equation in equations)
    written = (equation.right.text for equation in equations if equation.right is not None)
    return any(_CONDITION.search(text) if sign == "[…]" else sign in text for text in written)


# ----- LaTeX -----


def _latex(explanation: Explanation) -> Iterator[str]:
    yield r"\subsection*{The computation}"
    yield from _display([value.equation for value in explanation.values])
    yield rf"\subsection*{{The chain rule, from ${explanation.result.latex}$ back}}"
    yield from _display([explanation.beginning])
    for step in explanation.steps:
        scope = rf" \hfill in \texttt{{{latex_of_text(step.through.scope)}}}" * bool(step.through.scope)
        left, right = step.through.equation[:2]
        formula = left.latex if right is None else f"{left.latex} = {right.latex}"
        yield rf"\paragraph{{Through}} ${formula}${scope}"
        yield from _display(step.equations)
    yield r"\subsection*{The gradients}"
    yield from _display(explanation.gradients)


ROWS: Final = 40
"""How many equations one display holds: TeX takes all of a display at once."""


def _display(equations: Iterable[Equation]) -> Iterator[str]:
    """Yield equations as displays of aligned lines, the notes of each below it."""
    rows: list[str] = []
    for equation in equations:
        rows.append(f"{equation.latex} && {_latex_of_shape(equation.shape)}")
        if equation.notes or len(rows) == ROWS:
            yield from _aligned(rows)
            rows = []
        for note in equation.notes:
            yield rf"\noindent {note.latex}\par"
    yield from _aligned(rows)


def _aligned(rows: list[str]) -> Iterator[str]:
    if rows:
        yield r"\begin{align*}"
        yield " \\\\\n".join(rows)
        yield r"\end{align*}"


def _latex_of_shape(shape: str) -> str:
    return shape.replace("×", r" \times ") if shape != "scalar" else r"\text{scalar}"


def document(explanation: Explanation) -> str:
    """Return a whole LaTeX document."""
    return "\n".join(
        (
            r"\documentclass{article}",
            r"\usepackage[T1]{fontenc}",
            r"\usepackage[utf8]{inputenc}",
            r"\usepackage{amsmath,textcomp}",
            r"\usepackage[margin=2cm]{geometry}",
            r"\allowdisplaybreaks",
            r"\begin{document}",
            rf"\section*{{The gradients of ${explanation.result.latex}$}}",
            explanation.latex(),
            r"\end{document}",
            "",
        )
    )
