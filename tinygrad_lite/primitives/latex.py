"""LaTeX for the signs and words of formulas, and for whatever anybody may have typed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

SIGNS: Final = {
    "−": "-", "·": r"\cdot ", "⊙": r"\odot ", "≠": r"\neq ", "≤": r"\leq ", "≥": r"\geq ", "½": r"\frac{1}{2}",
    "Σ": r"\sum ", "Π": r"\prod ", "′": "'", "…": r"\dots ", "∞": r"\infty ", "‖": r"\| ",
    "∧": r"\wedge ", "∨": r"\vee ", "¬": r"\neg ", "ȳ": r"\bar{y}", "<": "<", ">": ">",
    "×": r"\times ",
}  # fmt: skip
"""What a sign of a formula is in LaTeX; other signs are themselves."""

_FUNCTIONS: Final = ("cos", "log", "max", "min", "sin", "tanh")
_INDICES: Final = "₀₁₂₃₄₅₆₇₈₉ᵢₙ"
_LOWERED: Final = str.maketrans(_INDICES, "0123456789in")


def latex_of_word(word: str) -> str:
    r"""Return a name that stands for itself, a letter or a function.

    >>> latex_of_word("x₁"), latex_of_word("log"), latex_of_word("softmax")
    ('x_{1}', '\\log ', '\\operatorname{softmax}')
    """
    letter = word.rstrip(_INDICES)
    index = word[len(letter) :].translate(_LOWERED)
    if letter in SIGNS or len(letter) == 1:
        latex = SIGNS.get(letter) or latex_of_text(letter)
        return f"{latex}_{{{index}}}" if index else latex
    latex = f"\\{letter} " if letter in _FUNCTIONS else rf"\operatorname{{{latex_of_text(letter)}}}"
    return f"{latex}^{{({index})}}" if index else latex  # below stands the axis


_ESCAPED: Final = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    '"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "'": r"\textquotesingle{}",
}  # fmt: skip
_GREEK: Final = dict(zip("αβγδεζηθικλμνξπρσςτυφχψωΓΔΘΛΞΠΣΦΨΩ", [
    "alpha", "beta", "gamma", "delta", "varepsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu",
    "xi", "pi", "rho", "sigma", "varsigma", "tau", "upsilon", "varphi", "chi", "psi", "omega", "Gamma", "Delta",
    "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega",
], strict=True))  # fmt: skip


def latex_of_text(text: str) -> str:
    r"""Return `text` so that LaTeX prints it and does nothing else, in words and inside of `\text`.

    >>> latex_of_text(r"50% of $\input{x}")
    '50\\% of \\$\\textbackslash{}input\\{x\\}'
    """
    return "".join(_latex_characters(text))


def _latex_characters(text: str) -> Iterator[str]:
    for c in text:
        if c in _ESCAPED:
            yield _ESCAPED[c]
        elif c in _GREEK:
            yield rf"\ensuremath{{\{_GREEK[c]}}}"
        elif c in SIGNS:
            yield rf"\ensuremath{{{SIGNS[c].strip()}}}"
        elif c.isascii() or ("À" <= c <= "ÿ" and c.isalpha()):
            yield c if c.isprintable() else " "
        else:
            yield rf"\texttt{{U+{ord(c):04X}}}"
