"""Formulas as text and as LaTeX: one notation, from which both are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import DefinitionError
from tinygrad_lite.primitives import PRIMITIVES, Primitive, each
from tinygrad_lite.primitives.formulas import Written, names_in, tokens, written
from tinygrad_lite.primitives.latex import latex_of_text

NAMES = {
    "x": Written("h₃", "h_{3}"),
    "a": Written("w", "w"),
    "y": Written("h₄", "h_{4}"),
    "ȳ": Written("∂L/∂h₄", r"\frac{\partial L}{\partial h_{4}}", is_compound=True),
    "s": Written("s", "s", is_scalar=True),
    "one": Written("1", "1", is_scalar=True, number=1.0),
    "axis": Written("axis 1", r"\text{axis 1}"),
}

FORMULAS = {
    "ȳ ⊙ (1 − y²)": ("∂L/∂h₄ ⊙ (1 − h₄²)", r"\frac{\partial L}{\partial h_{4}} \odot (1 - h_{4}^{2})"),
    "eˣ": ("e^h₃", "e^{h_{3}}"),
    "e⁻ˣ": ("e^(−h₃)", "e^{-h_{3}}"),
    "eᵃ⁻ʸ": ("e^(w − h₄)", "e^{w-h_{4}}"),
    "√x": ("√h₃", r"\sqrt{h_{3}}"),
    "√(Σ[axis](x²)) / 2": ("√(Σ[axis 1](h₃²)) / 2", r"\sqrt{\sum _{\text{axis 1}}(h_{3}^{2})} / 2"),
    "ȳᵀ x": ("(∂L/∂h₄)ᵀ h₃", r"\left(\frac{\partial L}{\partial h_{4}}\right)^{\top}\, h_{3}"),
    "log(x)": ("log(h₃)", r"\log (h_{3})"),
    "one_hot(x)": ("one_hot(h₃)", r"\operatorname{one\_hot}(h_{3})"),
    "[x ≥ a] ∧ [¬x]": ("[h₃ ≥ w] ∧ [¬h₃]", r"[h_{3} \geq w] \wedge [\neg h_{3}]"),
    "x ⊙ s": ("h₃ · s", r"h_{3} \cdot s"),
    "2 · x": ("2 · h₃", r"2 \cdot h_{3}"),
    "one · x ⊙ one": ("h₃ · 1", r"h_{3} \cdot 1"),
    "x / one ⊙ a": ("h₃ / 1 · w", r"h_{3} / 1 \cdot w"),
    "½ · ‖x‖": ("½ · ‖h₃‖", r"\frac{1}{2} \cdot \| h_{3}\|"),
    "max[axis](x)": ("max[axis 1](h₃)", r"\max _{\text{axis 1}}(h_{3})"),
    "Σ[axes 0, 1](x)": ("Σ[axes 0, 1](h₃)", r"\sum _{\text{axes 0, 1}}(h_{3})"),
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_is_written_with_the_names_of_values_as_text_and_as_latex(formula: str) -> None:
    assert written(formula, NAMES)[:2] == FORMULAS[formula]


@pytest.mark.parametrize(
    ("number", "expected"), [(3.0, "h₃²"), (2.0, "h₃"), (1.0, "h₃⁰"), (0.5, "h₃^(−0.5)"), (-1.0, "h₃⁻²")]
)
def test_an_exponent_that_is_a_number_is_worked_out(number: float, expected: str) -> None:
    names = {"a": NAMES["x"], "b": Written(f"{number:g}", f"{number:g}", is_scalar=True, number=number)}
    assert written("aᵇ⁻¹", names).text == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(1, "x₁"), (2, "x₁ + x₂"), (4, "x₁ + x₂ + x₃ + x₄"), (100, "x₁ + x₂ + … + x₁₀₀")]
)
def test_a_sum_over_the_operands_is_spelled_out_for_as_many_as_there_are(count: int, expected: str) -> None:
    assert written("x₁ + … + xₙ", {}, count).text == expected
    assert written("2 · (‖x₁‖² + … + ‖xₙ‖²)", {}, 2).text == "2 · (‖x₁‖² + ‖x₂‖²)"
    assert written("stack[axis](x₁, …, xₙ)", NAMES, 2).text == "stack[axis 1](x₁, x₂)"


def test_a_letter_typed_with_a_combining_bar_is_the_cotangent() -> None:
    assert written("y\N{COMBINING MACRON} ⊙ y", NAMES).text == "∂L/∂h₄ ⊙ h₄"


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_tokens_of_a_formula_are_the_formula(formula: str) -> None:
    assert "".join(token.text for token in tokens(formula)) == formula


def test_names_are_found_in_exponents_too() -> None:
    assert names_in("weights₁ · eˣ⁻ʸ + log(z)") == {"weights", "e", "x", "y", "log", "z"}


@pytest.mark.parametrize("name", PRIMITIVES)
def test_the_formulas_of_the_tables_are_latex(name: str) -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext").MathTextParser("path")
    entry = PRIMITIVES[name]
    for formula in (entry.formula, *entry.cotangents):
        if isinstance(formula, str):
            text, latex, *_ = written(formula, {})
            assert not set(text) & set("\\{}$^_") - {"_"}
            mathtext.parse(f"${latex}$")


def test_what_anybody_typed_is_escaped_in_latex() -> None:
    assert latex_of_text(r"\input{/etc/passwd}") == r"\textbackslash{}input\{/etc/passwd\}"
    assert latex_of_text("$a_b^c~#%&") == r"\$a\_b\textasciicircum{}c\textasciitilde{}\#\%\&"
    assert latex_of_text("λ ï × 語\n") == r"\ensuremath{\lambda} ï \ensuremath{\times} \texttt{U+8A9E} "


# ----- Definitions -----


def double(x: Any) -> Any:
    return 2 * x


def product(a: Any, b: Any) -> Any:
    return a * b


WRONG: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {
    "too many formulas": (double, (lambda g, y, x: 2 * g,), {"cotangents": ("2 · ȳ", "ȳ")}),
    "too few formulas": (product, (lambda g, y, a, b: g * b, lambda g, y, a, b: g * a), {"cotangents": ("ȳ ⊙ b",)}),
    "a formula where there is no rule": (product, (lambda g, y, a, b: g * b, None), {"cotangents": ("ȳ ⊙ b", "ȳ")}),
    "no formula where there is a rule": (product, (lambda g, y, a, b: g,) * 2, {"cotangents": ("ȳ", None)}),
    "a formula that is no text": (double, (lambda g, y, x: 2 * g,), {"formula": 2}),
    "a formula that takes other operands": (double, (lambda g, y, x: 2 * g,), {"formula": lambda y: "2 · x"}),
    "a count that takes other operands": (product, (None, None), {"flops": lambda y, x: 1}),
    "two formulas for any number of operands": (
        lambda *xs: xs[0], (each(lambda i: lambda g, y, *xs: g),), {"cotangents": ("ȳ", "ȳ")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_formulas_and_counts_that_do_not_fit_the_rules_are_refused(name: str) -> None:
    forward, rules, said = WRONG[name]
    with pytest.raises(DefinitionError, match="wrongly told"):
        Primitive("wrongly told", forward, *rules, **said)


def test_a_primitive_of_ones_own_takes_formulas_and_a_count() -> None:
    entry = tg.primitive(lambda g, _y, _x: 2 * g, formula="2 · x", cotangents=["2 · ȳ"], flops=1)(double)
    assert (entry.formula, entry.cotangents) == ("2 · x", ("2 · ȳ",))
    assert entry.flops is not None
    assert entry.flops(np.zeros((2, 3)), np.zeros((2, 3))) == 6
