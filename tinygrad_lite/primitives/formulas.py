"""Formulas: what an entry computes and its cotangents, written once in Unicode as a textbook prints them.

    written("ȳ ⊙ (1 − y²)", {"y": Written("h₃", "h_{3}"), "ȳ": Written("g", "g")}).text == "g ⊙ (1 − h₃²)"

`written` puts the names of actual values for the letters and gives plain text and LaTeX together. Both come from the
tokens of the formula, sign by sign, so that neither needs to be understood as a whole:

- the letters are the parameters of the forward; of a ufunc `x`, or `a` and `b`; `y` is the output, `ȳ` its cotangent;
- of any number of operands, `x₁ + … + xₙ` is spelled out for as many as there are; by `xᵢ` is differentiated;
- a static argument stands for its value; `Σ[axis]` names the axes, and `n` is how many values a mean is taken of.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from tinygrad_lite.primitives.latex import SIGNS, latex_of_text, latex_of_word

Formula: TypeAlias = str | Callable[..., str]
"""A formula, or what gives it: a function of the output, the operands and the static arguments that reads shapes."""


class Written(NamedTuple):
    """A formula, or the name of a value, as plain text and as LaTeX."""

    text: str
    latex: str
    is_scalar: bool = False
    """Whether it multiplies by · instead of ⊙."""
    is_compound: bool = False
    """Whether it needs brackets to be raised, as a fraction does."""
    number: float | None = None
    """What it is, if that is known."""


class Token(NamedTuple):
    """The smallest part of a formula: `kind` is the name of the group of the pattern that it matched."""

    kind: str
    text: str


_PATTERN: Final = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>\d+(?:\.\d+)?|½)"
    r"|(?P<bracket>\[(?:ax[ei]s[ \d,]*|index)\])"
    r"|(?P<name>[A-Za-z_α-ωȳ][A-Za-z0-9_α-ω]*[₀₁₂₃₄₅₆₇₈₉ᵢₙ]*)"
    r"|(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵀˣʸᵃᵇ]+)"
    r"|(?P<sign>.)"
)
_RAISED: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻ˣʸᵃᵇ", "0123456789−xyab")
_TO_RAISED: Final = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_TO_LOWERED: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

SPELLED_OUT: Final = 4
"""Of more operands than this the first two and the last are named."""


def tokens(formula: str) -> list[Token]:
    """Return the parts of a formula; together they are the formula again.

    >>> [token.text for token in tokens("ȳ ⊙ eᵃ⁻ʸ")]
    ['ȳ', ' ', '⊙', ' ', 'e', 'ᵃ⁻ʸ']
    """
    composed = unicodedata.normalize("NFC", formula)
    return [Token(match.lastgroup or "sign", match.group()) for match in _PATTERN.finditer(composed)]


def names_in(formula: str) -> set[str]:
    """Return the letters and words that a formula uses, exponents included, without their indices.

    >>> sorted(names_in("weights₁ · x₁ + … + eᵃ⁻ʸ"))
    ['a', 'e', 'weights', 'x', 'y']
    """
    found = {token.text.rstrip("₀₁₂₃₄₅₆₇₈₉ᵢₙ") for token in tokens(formula) if token.kind == "name"}
    raised = "".join(token.text for token in tokens(formula) if token.kind == "raised").translate(_RAISED)
    return found | {c for c in raised if c in "abxy"}


def indexed(letter: str, index: int) -> str:
    """Return `letter` with a number for its index.

    >>> indexed("x", 12)
    'x₁₂'
    """
    return letter + str(index).translate(_TO_LOWERED)


def resolved(formula: Formula | None, y: Any, *operands: Any, **static: Any) -> str | None:
    """Return a formula as text, given the output and the operands, of which only shapes and dtypes are read."""
    return formula(y, *operands, **static) if callable(formula) else formula


def written(formula: str, names: Mapping[str, Written], count: int = 1) -> Written:
    r"""Return `formula` with `names` put for its letters, where `count` is the number of operands.

    >>> written("1 / x²", {"x": Written("h₃", "h_{3}")})[:2]
    ('1 / h₃²', '1 / h_{3}^{2}')
    """
    text, latex = _written(spelled_out(tokens(formula), count), names)
    return Written(text, re.sub(" +", " ", latex).strip(), is_compound=True)


# ----- Any number of operands -----


def spelled_out(parts: list[Token], count: int) -> list[Token]:
    """Return `term₁ + … + termₙ` with as many terms as there are; a term is what stands on both sides alike.

    >>> "".join(part.text for part in spelled_out(tokens("log(x₁ + … + xₙ)"), 3))
    'log(x₁ + x₂ + x₃)'
    """
    dots = next((i for i, part in enumerate(parts) if part.text == "…"), None)
    if dots is None:
        return parts
    end, start = dots, dots + 1
    while end > 0 and parts[end - 1].text in (" ", "+", ","):
        end -= 1
    while start < len(parts) and parts[start].text in (" ", "+", ","):
        start += 1
    alike = (k for k in range(end + 1) if _numbered(parts[end - k : end], 1) == _numbered(parts[start : start + k], 1))
    length = max(alike)
    between = parts[dots + 1 : start]
    shown: list[int | None] = list(range(1, count + 1)) if count <= SPELLED_OUT else [1, 2, None, count]
    spelled: list[Token] = []
    for i, number in enumerate(shown):
        spelled += between if i else []
        spelled += [parts[dots]] if number is None else _numbered(parts[start : start + length], number)
    return parts[: end - length] + spelled + parts[start + length :]


def _numbered(term: list[Token], number: int) -> list[Token]:
    return [Token(kind, indexed(text[:-1], number) if text[-1] in "₁ₙ" else text) for kind, text in term]


# ----- Text and LaTeX, token by token -----


def _written(parts: list[Token], names: Mapping[str, Written]) -> tuple[str, str]:
    text: list[str] = []
    latex: list[str] = []
    i = 0
    while i < len(parts):
        if _is_factor_of_one(parts, i, names):
            i += 4
            continue
        if parts[i].text == "√":
            end = _end_of_group(parts, i + 1)
            inner_text, inner_latex = _written(parts[i + 1 : end], names)
            text.append(f"√{inner_text}")
            latex.append(rf"\sqrt{{{inner_latex.removeprefix('(').removesuffix(')')}}}")
            i = end
            continue
        made = _of_token(parts, i, names)
        text.append(made[0])
        latex.append(made[1])
        i += 1
    return "".join(text), "".join(latex)


def _is_factor_of_one(parts: list[Token], i: int, names: Mapping[str, Written]) -> bool:
    """Return whether what stands at `i` is a 1 that multiplies what follows, and may be left out."""
    name = names.get(parts[i].text)
    divides = [part.text for part in parts[max(0, i - 2) : i]] == ["/", " "]
    product = [part.text for part in parts[i + 1 : i + 4]]
    return name is not None and name.number == 1 and not divides and product in ([" ", "·", " "], [" ", "⊙", " "])


def _end_of_group(parts: list[Token], start: int) -> int:
    """Return where the brackets end that open at `start`, or the single part that stands there."""
    depth = 0
    for i in range(start, len(parts)):
        depth += (parts[i].text == "(") - (parts[i].text == ")")
        if depth == 0:
            return i + 1
    return len(parts)


def _of_token(parts: list[Token], i: int, names: Mapping[str, Written]) -> tuple[str, str]:
    kind, text = parts[i]
    if kind == "space":
        return text, r"\, " if _joins(parts, i) else " "
    if kind == "name":
        name = names.get(text)
        if name is None:
            return text, latex_of_word(text)
        raised = i + 1 < len(parts) and parts[i + 1].kind == "raised"
        return (f"({name.text})", rf"\left({name.latex}\right)") if raised and name.is_compound else name[:2]
    if kind == "raised":
        return _exponent(text, names)
    if kind == "bracket":
        return _bracket(text, names)
    if text == "⊙" and any(_is_scalar(part, names) for part in (*parts[:i][-2:], *parts[i + 1 : i + 3])):
        return "·", SIGNS["·"]
    return text, SIGNS.get(text) or latex_of_text(text)


def _joins(parts: list[Token], i: int) -> bool:
    """Return whether the space at `i` stands for a product of matrices: between two things, not beside a sign."""
    if not 0 < i < len(parts) - 1:
        return False
    return (parts[i - 1].kind != "sign" or parts[i - 1].text == ")") and parts[i + 1].kind == "name"


def _is_scalar(part: Token, names: Mapping[str, Written]) -> bool:
    return part.kind == "number" or (part.text in names and names[part.text].is_scalar)


def _exponent(raised: str, names: Mapping[str, Written]) -> tuple[str, str]:
    if raised == "ᵀ":
        return raised, r"^{\top}"
    signs = re.findall(r"\d+|.", raised.translate(_RAISED))
    values = [names.get(sign, Written(sign, sign.replace("−", "-"))) for sign in signs]
    latex = f"^{{{''.join(value.latex for value in values)}}}"
    if not any(sign in names for sign in signs):
        return raised, latex
    numbers = [float(sign) if sign.isdigit() else value.number for sign, value in zip(signs, values, strict=True)]
    known = [number for sign, number in zip(signs, numbers, strict=True) if sign != "−" and number is not None]
    if len(known) + signs.count("−") == len(signs):
        return _raised_number((-known[0] if signs[0] == "−" else known[0]) - sum(known[1:]))
    texts = [f" {value.text} " if i and value.text == "−" else value.text for i, value in enumerate(values)]
    return f"^({''.join(texts)})" if len(texts) > 1 else f"^{texts[0]}", latex


def _raised_number(value: float) -> tuple[str, str]:
    if value == 1:
        return "", ""
    number = f"{value:.6g}"
    text = number.translate(_TO_RAISED) if number.lstrip("-").isdigit() else f"^({number})".replace("-", "−")
    return text, f"^{{{number}}}"


def _bracket(text: str, names: Mapping[str, Written]) -> tuple[str, str]:
    """Return the axes of a sum, or an index; nothing where all axes are meant."""
    name = names.get(text.strip("[]"), Written(text.strip("[]"), rf"\text{{{text.strip('[]')}}}"))
    if not name.text:
        return "", ""
    return f"[{name.text}]", f"[{name.latex}]" if text == "[index]" else f"_{{{name.latex}}}"
