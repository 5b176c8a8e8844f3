"""What a formula of the tables says, computed: its tokens read as a grammar, in NumPy, with no rule of an entry."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinygrad_lite.primitives.formulas import Token, spelled_out, tokens

RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻ˣʸᵃᵇ", "0123456789-xyab")
RELATIONS = {
    "=": np.equal, "≠": np.not_equal, "<": np.less, "≤": np.less_equal, ">": np.greater, "≥": np.greater_equal,
}  # fmt: skip
PRODUCTS = {"⊙": np.multiply, "·": np.multiply, "/": np.divide}


def evaluated(formula: str, values: Mapping[str, Any], functions: Mapping[str, Callable[..., Any]], count: int) -> Any:
    """Return the value of a formula of `count` operands.

    `functions` has every word that is called, and ᵀ and a product of matrices; those that stand for an axis or an
    index take what the brackets say as `where`.
    """
    parts = spelled_out(tokens(formula), count)
    reader = _Reader([part for part in parts if part.kind != "space"], values, functions)
    with np.errstate(all="ignore"):
        value = reader.connected()
    assert reader.at == len(reader.parts), f"{formula}: {reader.parts[reader.at :]} is left over"
    return value


class _Reader:
    """Recursive descent: each method reads one level, from what binds loosest to what binds tightest."""

    def __init__(self, parts: list[Token], values: Mapping[str, Any], functions: Mapping[str, Any]) -> None:
        self.parts, self.values, self.functions = parts, values, functions
        self.at = 0

    def next(self) -> str:
        return self.parts[self.at].text if self.at < len(self.parts) else ""

    def take(self, *expected: str) -> str:
        text = self.next()
        assert text, "the formula ends too early"
        assert not expected or text in expected, f"{text} where {expected} was expected"
        self.at += 1
        return text

    def connected(self) -> Any:
        value = self.compared()
        while self.next() in ("∧", "∨"):
            combine = np.logical_and if self.take() == "∧" else np.logical_or
            value = combine(value, self.compared())
        return value

    def compared(self) -> Any:
        if self.next() == "¬":
            self.take()
            return np.logical_not(self.added())
        value = self.added()
        return RELATIONS[self.take()](value, self.added()) if self.next() in RELATIONS else value

    def added(self) -> Any:
        sign = self.take() if self.next() == "−" else ""
        value = -self.multiplied() if sign else self.multiplied()
        while self.next() in ("+", "−"):
            combine = operator.add if self.take() == "+" else operator.sub
            value = combine(value, self.multiplied())
        return value

    def multiplied(self) -> Any:
        value = self.raised()
        while True:
            if self.next() in PRODUCTS:
                value = PRODUCTS[self.take()](value, self.raised())
            elif self.at < len(self.parts) and self.parts[self.at].kind == "name":
                value = self.functions["matrix product"](value, self.raised())
            else:
                return value

    def raised(self) -> Any:
        if self.next() == "√":
            self.take()
            return np.sqrt(self.raised())
        value = self.atom()
        while self.at < len(self.parts) and self.parts[self.at].kind == "raised":
            exponent = self.take()
            value = self.functions["ᵀ"](value) if exponent == "ᵀ" else np.power(value, self.exponent(exponent))
        if self.next() == "*":  # as in x ** (…), where an exponent has no signs of its own
            self.take("*")
            self.take("*")
            value = np.power(value, self.raised())
        return value

    def exponent(self, raised: str) -> Any:
        terms = raised.translate(RAISED).split("-")
        return functools.reduce(operator.sub, [float(x or 0) if not x.isalpha() else self.values[x] for x in terms])

    def atom(self) -> Any:
        kind, text = self.parts[self.at]
        self.at += 1
        if kind == "number":
            return 0.5 if text == "½" else float(text)
        if text == "∞":
            return np.inf
        if text in ("(", "[", "|", "‖"):
            value = self.connected()
            self.take({"(": ")", "[": "]"}.get(text, text))
            return {"|": np.absolute, "‖": np.linalg.norm, "[": np.asarray, "(": np.asarray}[text](value)
        if self.next() == "′":
            text += self.take()
        where = self.take().strip("[]") if self.at < len(self.parts) and self.parts[self.at].kind == "bracket" else None
        if self.next() == "(" and text in self.functions:
            return self.called(text, where)
        value = np.e if text == "e" and "e" not in self.values else self.values[text]
        return value if where is None else self.functions["[index]"](value)

    def called(self, name: str, where: str | None) -> Any:
        self.take("(")
        arguments = [self.connected()]
        while self.next() == ",":
            self.take()
            arguments.append(self.connected())
        self.take(")")
        return self.functions[name](*arguments) if where is None else self.functions[name](*arguments, where=where)
