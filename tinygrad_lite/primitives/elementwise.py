"""Elementwise operations: each value of the output depends on one value of each (broadcast) operand.

`g` is the cotangent of the output `y`; the engine sums broadcasting back and casts to the operand's dtype, so a rule
is the derivative of the textbook and nothing else. The subgradients chosen at kinks stand in this room's README.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.primitives.primitive import Primitive

# ----- Arithmetic -----

add = Primitive("add", np.add, lambda g, *_: g, lambda g, *_: g, formula="a + b", cotangents=("ȳ", "ȳ"))
subtract = Primitive(
    "subtract", np.subtract, lambda g, *_: g, lambda g, *_: -g, formula="a − b", cotangents=("ȳ", "−ȳ")
)
multiply = Primitive(
    "multiply",
    np.multiply,
    lambda g, _y, _a, b: g * b,
    lambda g, _y, a, _b: g * a,
    formula="a ⊙ b",
    cotangents=("ȳ ⊙ b", "ȳ ⊙ a"),
)
divide = Primitive(
    "divide",
    np.divide,
    lambda g, _y, _a, b: g / b,
    lambda g, y, _a, b: -g * y / b,
    poles=True,
    formula="a / b",
    cotangents=("ȳ / b", "−ȳ ⊙ y / b"),
)
positive = Primitive("positive", np.positive, lambda g, *_: g, formula="x", cotangents=("ȳ",), flops=0)
negative = Primitive("negative", np.negative, lambda g, *_: -g, formula="−x", cotangents=("−ȳ",))
square = Primitive("square", np.square, lambda g, _y, x: 2 * g * x, formula="x²", cotangents=("2 · ȳ ⊙ x",))
absolute = Primitive(
    "absolute",
    np.absolute,
    lambda g, _y, x: g * np.sign(x),
    kinks=lambda _y, x: np.sign(x),
    formula="|x|",
    cotangents=("ȳ ⊙ sign(x)",),
    at_kinks="at 0 the slope is taken as 0",
)
sign = Primitive(
    "sign",
    np.sign,
    lambda g, *_: np.zeros_like(g),
    kinks=lambda _y, x: np.sign(x),
    formula="sign(x)",
    cotangents=("0",),
    at_kinks="the slope is taken as 0 everywhere, at the jump too",
)


def _power_by_base(g: Value, _y: Value, x: Value, p: Value) -> Value:
    """p·xᵖ⁻¹, and 0 where p = 0, even at the pole x = 0."""
    if isinstance(p, int | float):
        return g * (p * (x if p == 2 else power(x, p - 1))) if p else np.zeros_like(g)
    flat = p == 0
    return g * np.where(flat, 0, p * power(x, np.where(flat, 1, p - 1)))


def _power_by_exponent(g: Value, y: Value, x: Value, _p: Value) -> Value:
    """xᵖ·log x, whose limit at x = 0 is 0 for every p > 0; nan for x < 0, where the function of p is not real."""
    if isinstance(x, int | float):
        return g * y * (math.log(x) if x > 0 else 0.0 if x == 0 else math.nan)
    return g * y * np.log(np.where(x == 0, np.ones_like(x), x))


def _power(x: Any, p: Any) -> Any:
    """xᵖ; without axes it is taken as Python takes it, so that a captured step count gives the bits of a plain one."""
    if np.ndim(x) or np.ndim(p):
        return np.power(x, p)
    base, exponent = (value[()] if isinstance(value, np.ndarray) else value for value in (x, p))
    takes_dtype = isinstance(exponent, np.floating)  # for which a number of Python's takes part in its precision
    return (base if takes_dtype else np.asarray(base)[()]) ** exponent


power: Primitive = Primitive(
    "power",
    _power,
    _power_by_base,
    _power_by_exponent,
    poles=True,
    ufunc=np.power,
    formula="aᵇ",
    cotangents=("ȳ ⊙ b ⊙ aᵇ⁻¹", "ȳ ⊙ y ⊙ log(a)"),
    at_kinks=("", "where the base is 0 the slope is taken as 0, the limit"),
)

# ----- Exponentials and logarithms -----

exp = Primitive("exp", np.exp, lambda g, y, _x: g * y, poles=True, formula="eˣ", cotangents=("ȳ ⊙ y",))
expm1 = Primitive(
    "expm1", np.expm1, lambda g, y, _x: g * (y + 1), poles=True, formula="eˣ − 1", cotangents=("ȳ ⊙ (y + 1)",)
)
log = Primitive("log", np.log, lambda g, _y, x: g / x, poles=True, formula="log(x)", cotangents=("ȳ / x",))
log1p = Primitive(
    "log1p", np.log1p, lambda g, _y, x: g / (1 + x), poles=True, formula="log(1 + x)", cotangents=("ȳ / (1 + x)",)
)
sqrt = Primitive("sqrt", np.sqrt, lambda g, y, _x: g / (2 * y), poles=True, formula="√x", cotangents=("ȳ / (2 · y)",))


def _share(a: Value, y: Value) -> Value:
    """exp(a − y), the share of `a` in the sum y = log(eᵃ + eᵇ); 0 where both terms vanish (a = b = −∞)."""
    largest = np.finfo(y.dtype).max  # infinities are moved here, so that no difference of two of them is ever taken
    return np.exp(np.minimum(a, largest) - np.maximum(np.minimum(y, largest), -largest))


logaddexp = Primitive(
    "logaddexp",
    np.logaddexp,
    lambda g, y, a, _b: g * _share(a, y),
    lambda g, y, _a, b: g * _share(b, y),
    poles=True,
    formula="log(eᵃ + eᵇ)",
    cotangents=("ȳ ⊙ eᵃ⁻ʸ", "ȳ ⊙ eᵇ⁻ʸ"),
)

# ----- Trigonometric and hyperbolic -----

sin = Primitive("sin", np.sin, lambda g, _y, x: g * np.cos(x), formula="sin(x)", cotangents=("ȳ ⊙ cos(x)",))
cos = Primitive("cos", np.cos, lambda g, _y, x: -g * np.sin(x), formula="cos(x)", cotangents=("−ȳ ⊙ sin(x)",))
tanh = Primitive("tanh", np.tanh, lambda g, y, _x: g * (1 - y * y), formula="tanh(x)", cotangents=("ȳ ⊙ (1 − y²)",))

# ----- Choosing: at a tie, two differentiable operands share, a constant takes all -----


def _which_is_larger(_y: Value, a: Value, b: Value) -> Value:
    return np.sign(a - b)


maximum = Primitive(
    "maximum",
    np.maximum,
    lambda g, _y, a, b: np.where(a == b, 0.5 * g, g * (a > b)),
    lambda g, _y, a, b: np.where(a == b, 0.5 * g, g * (b > a)),
    kinks=_which_is_larger,
    formula="max(a, b)",
    cotangents=("ȳ ⊙ ([a > b] + ½ · [a = b])", "ȳ ⊙ ([b > a] + ½ · [a = b])"),
    at_kinks="a tie is shared, ½ each",
)
minimum = Primitive(
    "minimum",
    np.minimum,
    lambda g, _y, a, b: np.where(a == b, 0.5 * g, g * (a < b)),
    lambda g, _y, a, b: np.where(a == b, 0.5 * g, g * (b < a)),
    kinks=_which_is_larger,
    formula="min(a, b)",
    cotangents=("ȳ ⊙ ([a < b] + ½ · [a = b])", "ȳ ⊙ ([b < a] + ½ · [a = b])"),
    at_kinks="a tie is shared, ½ each",
)


def _at_least(x: Any, floor: Any) -> Any:
    return np.maximum(x, floor)


def _at_most(x: Any, ceiling: Any) -> Any:
    return np.minimum(x, ceiling)


at_least = Primitive(
    "at_least",
    _at_least,
    lambda g, _y, x, floor: g * (x > floor),
    None,
    elementwise=True,
    kinks=_which_is_larger,
    formula="max(x, floor)",
    cotangents=("ȳ ⊙ [x > floor]", None),
    at_kinks="at the bound the slope is taken as 0",
)
at_most = Primitive(
    "at_most",
    _at_most,
    lambda g, _y, x, ceiling: g * (x < ceiling),
    None,
    elementwise=True,
    kinks=_which_is_larger,
    formula="min(x, ceiling)",
    cotangents=("ȳ ⊙ [x < ceiling]", None),
    at_kinks="at the bound the slope is taken as 0",
)


def _where(condition: Any, a: Any, b: Any) -> Any:
    return np.where(condition, a, b)


where = Primitive(
    "where",
    _where,
    None,
    lambda g, _y, condition, _a, _b: np.where(condition, g, 0),
    lambda g, _y, condition, _a, _b: np.where(condition, 0, g),
    elementwise=True,
    kinks=lambda _y, condition, _a, _b: condition,
    formula="where(condition, a, b)",
    cotangents=(None, "where(condition, ȳ, 0)", "where(condition, 0, ȳ)"),
)

# ----- Without a derivative: what they answer jumps, and where it does is the kink of what is made of it -----


def _answer(y: Value, *_: Value) -> Value:
    return y


equal = Primitive("equal", np.equal, None, None, kinks=_answer, formula="[a = b]")
not_equal = Primitive("not_equal", np.not_equal, None, None, kinks=_answer, formula="[a ≠ b]")
less = Primitive("less", np.less, None, None, kinks=_answer, formula="[a < b]")
less_equal = Primitive("less_equal", np.less_equal, None, None, kinks=_answer, formula="[a ≤ b]")
greater = Primitive("greater", np.greater, None, None, kinks=_answer, formula="[a > b]")
greater_equal = Primitive("greater_equal", np.greater_equal, None, None, kinks=_answer, formula="[a ≥ b]")
isfinite = Primitive("isfinite", np.isfinite, None, kinks=_answer, formula="[|x| < ∞]")
logical_and = Primitive("logical_and", np.logical_and, None, None, kinks=_answer, formula="[a ∧ b]")
logical_or = Primitive("logical_or", np.logical_or, None, None, kinks=_answer, formula="[a ∨ b]")
logical_not = Primitive("logical_not", np.logical_not, None, kinks=_answer, formula="[¬x]")


# ----- What the backward sweep itself computes with -----


def _zero_kept_zero(g: Any, gx: Any) -> Any:
    finite = np.isfinite(gx)
    return gx if finite.all() else np.where((np.asarray(g) == 0) & ~finite, 0, gx)


zero_kept_zero = Primitive(
    "zero_kept_zero",
    _zero_kept_zero,
    None,
    lambda g, _y, g_before, gx: np.where((g_before == 0) & ~np.isfinite(gx), 0, g),
    selects=True,
    formula="where([g = 0] ∧ ¬[|gx| < ∞], 0, gx)",
    cotangents=(None, "where([g = 0] ∧ ¬[|gx| < ∞], 0, ȳ)"),
    flops=1,
)
"""The cotangent `gx` made of `g` at a pole, with 0 · ∞ = 0: what is not asked about has no slope."""


def _stop_gradient(x: Any) -> Any:
    return x


stop_gradient = Primitive("stop_gradient", _stop_gradient, None, formula="x", flops=0, moved=0)


def _named(x: Any, *, name: str) -> Any:
    return x


named = Primitive(
    "named", _named, lambda g, *_, name: g, elementwise=True, formula="x", cotangents=("ȳ",), flops=0, moved=0
)


def _astype(x: Any, *, dtype: Any) -> Any:
    return x.astype(dtype)


astype = Primitive("astype", _astype, lambda g, *_, dtype: g, formula="dtype(x)", cotangents=("ȳ",), flops=0)
