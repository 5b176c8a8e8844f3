"""Reductions: an output value gathers many values of the operand, so its cotangent is spread back over them.

`axis` is None, an int or a tuple of ints, negative ones included, as in NumPy.
"""

from __future__ import annotations

import builtins
import math
import operator
from typing import Any, TypeAlias

import numpy as np

from tinygrad_lite.primitives.definition import Value, each
from tinygrad_lite.primitives.elementwise import stop_gradient
from tinygrad_lite.primitives.primitive import Primitive

Axis: TypeAlias = int | tuple[int, ...] | None


def plain_axis(axis: Any) -> Axis:
    """Return an axis as Python integers, which nobody can change after they were recorded."""
    if axis is None or type(axis) is int:
        return axis
    return tuple(operator.index(i) for i in axis) if isinstance(axis, tuple | list) else operator.index(axis)


def reduced_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes that `axis` names, each counted from the front."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    return tuple(i % ndim for i in axes) if ndim else ()  # NumPy takes axis 0 of what has none


def with_axes_kept(reduced: Value, shape: tuple[int, ...], axis: Axis) -> Value:
    """Reshape the result of a reduction of `shape` over `axis` as if it had been taken with `keepdims=True`."""
    gone = reduced_axes(axis, len(shape))
    return reduced.reshape(tuple(1 if i in gone else n for i, n in enumerate(shape)))


def spread(g: Value, shape: tuple[int, ...], axis: Axis) -> Value:
    """Repeat the cotangent of a reduction over the axes that the reduction took away."""
    return np.broadcast_to(with_axes_kept(g, shape, axis) if g.ndim else g, shape)


def reduced_count(shape: tuple[int, ...], axis: Axis) -> int:
    """Return how many values each output of the reduction gathers."""
    return math.prod(shape[i] for i in reduced_axes(axis, len(shape)))


# ----- Sums -----


def _sum(x: Any, *, axis: Axis, keepdims: bool) -> Any:
    return x.sum(axis=axis, keepdims=keepdims)


def _mean(x: Any, *, axis: Axis, keepdims: bool) -> Any:
    total = x.sum(axis=axis, keepdims=keepdims)
    count = reduced_count(x.shape, axis)
    return total / count if count else total * np.nan


sum = Primitive(
    "sum",
    _sum,
    lambda g, _y, _x, *, axis, keepdims: spread(g, _x.shape, axis),
    formula="Σ[axis](x)",
    cotangents=("repeat[axis](ȳ)",),
    flops=lambda _y, x, **_: x.size,
)
mean = Primitive(
    "mean",
    _mean,
    lambda g, _y, _x, *, axis, keepdims: spread(g / reduced_count(_x.shape, axis), _x.shape, axis),
    formula="Σ[axis](x) / n",
    cotangents=("repeat[axis](ȳ) / n",),
    flops=lambda y, x, **_: x.size + y.size,
)

# ----- Products -----


def _prod(x: Any, *, axis: Axis, keepdims: bool) -> Any:
    return x.prod(axis=axis, keepdims=keepdims)


def _with_axes_last(x: Value, axis: Axis) -> Value:
    """Return `x` with the axes that `axis` names made one, the last."""
    gone = reduced_axes(axis, x.ndim)
    kept = tuple(i for i in range(x.ndim) if i not in gone)
    return x.transpose((*kept, *gone)).reshape((*(x.shape[i] for i in kept), reduced_count(x.shape, axis)))


def _with_axes_back(flat: Value, shape: tuple[int, ...], axis: Axis) -> Value:
    """Undo `_with_axes_last` for an array that had `shape`."""
    gone = reduced_axes(axis, len(shape))
    order = (*(i for i in range(len(shape)) if i not in gone), *gone)
    return flat.reshape(tuple(shape[i] for i in order)).transpose(tuple(order.index(i) for i in range(len(shape))))


def _prod_of_others(x: Any, *, axis: Axis) -> Any:
    """Return, for each value, the product of all others over `axis`, without a division that zeros would spoil."""
    flat = _with_axes_last(x, axis)
    before, after = np.ones_like(flat), np.ones_like(flat)
    np.cumprod(flat[..., :-1], axis=-1, out=before[..., 1:])
    np.cumprod(flat[..., :0:-1], axis=-1, out=after[..., -2::-1])
    return _with_axes_back(before * after, x.shape, axis)


def _prod_of_others_back(g: Value, _y: Value, x: Value, *, axis: Axis) -> Value:
    """∂/∂xⱼ Σᵢ gᵢ Πₖ≠ᵢ xₖ = Σᵢ≠ⱼ gᵢ Πₖ≠ᵢⱼ xₖ: in row j the value xⱼ is taken out by a 1 in its place."""
    flat, weights = _with_axes_last(x, axis), _with_axes_last(g, axis)
    itself = np.eye(flat.shape[-1], dtype=bool)
    without = prod_of_others(np.where(itself, 1, flat[..., None, :]), axis=-1)
    return _with_axes_back(np.add.reduce(np.where(itself, 0, without * weights[..., None, :]), axis=-1), x.shape, axis)


prod = Primitive(
    "prod",
    _prod,
    lambda g, _y, x, *, axis, keepdims: spread(g, x.shape, axis) * prod_of_others(x, axis=axis),
    formula="Π[axis](x)",
    cotangents=("repeat[axis](ȳ) ⊙ Π′[axis](x)",),
    flops=lambda _y, x, **_: x.size,
)
prod_of_others: Primitive = Primitive(
    "prod_of_others",
    _prod_of_others,
    _prod_of_others_back,
    formula="Π′[axis](x)",
    cotangents=("(Σ[axis](ȳ ⊙ Π′[axis](x)) − ȳ ⊙ Π′[axis](x)) / x",),
    flops=lambda _y, x, **_: 3 * x.size,
)

# ----- Spread: the variance, the standard deviation and the length, whose slope where they are 0 is 0 -----


def _deviations(x: Value, axis: Axis) -> Value:
    """X − mean(x), taken from x − x₀, so that it is exactly 0 for a constant."""
    first = tuple(slice(0, 1) if i in reduced_axes(axis, x.ndim) else slice(None) for i in range(x.ndim))
    shifted = x - stop_gradient(x[first]) if x.size else x
    return shifted - np.add.reduce(shifted, axis=axis, keepdims=True) / (reduced_count(x.shape, axis) or 1)


def _var(x: Any, *, axis: Axis, ddof: float, keepdims: bool) -> Any:
    squares = np.square(_deviations(x, axis)).sum(axis=axis, keepdims=keepdims)
    count = reduced_count(x.shape, axis) - ddof
    return squares / count if count > 0 else squares * np.nan


def _std(x: Any, *, axis: Axis, ddof: float, keepdims: bool) -> Any:
    return np.sqrt(_var(x, axis=axis, ddof=ddof, keepdims=keepdims))


def _var_back(g: Value, _y: Value, x: Value, *, axis: Axis, ddof: float, keepdims: bool) -> Value:
    """∂/∂xⱼ Σ (xᵢ − mean)²/(n − ddof) = 2 (xⱼ − mean)/(n − ddof)."""
    count = reduced_count(x.shape, axis) - ddof
    return with_axes_kept(g, x.shape, axis) * ((2 / count if count > 0 else math.nan) * _deviations(x, axis))


def _std_back(g: Value, y: Value, x: Value, *, axis: Axis, ddof: float, keepdims: bool) -> Value:
    """∂√v = ∂v/(2√v) = (xⱼ − mean)/((n − ddof) σ), and 0 for a constant."""
    count = reduced_count(x.shape, axis) - ddof
    share = np.where(y == 0, 0, g / np.where(y == 0, 1, y)) * (1 / count if count > 0 else math.nan)
    return with_axes_kept(share, x.shape, axis) * _deviations(x, axis)


def _norm(x: Any, *, axis: Axis, keepdims: bool) -> Any:
    return np.sqrt(np.square(x).sum(axis=axis, keepdims=keepdims))


def _norm_back(g: Value, y: Value, x: Value, *, axis: Axis, keepdims: bool) -> Value:
    """x/‖x‖, and 0 at 0."""
    return with_axes_kept(np.where(y == 0, 0, g / np.where(y == 0, 1, y)), x.shape, axis) * x


var = Primitive(
    "var",
    _var,
    _var_back,
    formula="Σ[axis]((x − mean[axis](x))²) / n",
    cotangents=("2 · repeat[axis](ȳ) ⊙ (x − mean[axis](x)) / n",),
    flops=lambda y, x, **_: 4 * x.size + 2 * y.size,
)
std = Primitive(
    "std",
    _std,
    _std_back,
    formula="√(Σ[axis]((x − mean[axis](x))²) / n)",
    cotangents=("repeat[axis](ȳ / y) ⊙ (x − mean[axis](x)) / n",),
    at_kinks="for a constant the slope is taken as 0",
    flops=lambda y, x, **_: 4 * x.size + 3 * y.size,
)
norm = Primitive(
    "norm",
    _norm,
    _norm_back,
    formula="√(Σ[axis](x²))",
    cotangents=("repeat[axis](ȳ / y) ⊙ x",),
    at_kinks="for zeros the slope is taken as 0",
    flops=lambda y, x, **_: 2 * x.size + y.size,
)

# ----- Extremes: the values that tie for an extreme share its cotangent equally -----


def _max(x: Any, *, axis: Axis, keepdims: bool) -> Any:
    return x.max(axis=axis, keepdims=keepdims)


def _min(x: Any, *, axis: Axis, keepdims: bool) -> Any:
    return x.min(axis=axis, keepdims=keepdims)


def _to_the_extremes(g: Value, y: Value, x: Value, *, axis: Axis, keepdims: bool) -> Value:
    tied = x == with_axes_kept(y, x.shape, axis)
    each_share = with_axes_kept(g, x.shape, axis) / tied.astype(x.dtype).sum(axis=axis, keepdims=True)
    return each_share * tied


def _which_is_extreme(y: Value, x: Value, *, axis: Axis, keepdims: bool) -> Value:
    return x == with_axes_kept(y, x.shape, axis)


_TO_THE_EXTREMES = "repeat[axis](ȳ) ⊙ [x = repeat[axis](y)] / Σ[axis]([x = repeat[axis](y)])"

max = Primitive(
    "max",
    _max,
    _to_the_extremes,
    kinks=_which_is_extreme,
    formula="max[axis](x)",
    cotangents=(_TO_THE_EXTREMES,),
    at_kinks="values that tie share equally",
    flops=lambda _y, x, **_: x.size,
)
min = Primitive(
    "min",
    _min,
    _to_the_extremes,
    kinks=_which_is_extreme,
    formula="min[axis](x)",
    cotangents=(_TO_THE_EXTREMES,),
    at_kinks="values that tie share equally",
    flops=lambda _y, x, **_: x.size,
)

# ----- Sums that objectives are made of: one primitive each, whatever the number of operands -----


def _sum_squares(*xs: Any, factor: float) -> Any:
    total = 0
    for x in xs:
        flat = x.ravel("K")
        total = total + flat.dot(flat)
    return factor * total


def _weighted_sum(*terms: Any, weights: tuple[float, ...]) -> Any:
    total = weights[0] * terms[0][()]  # [()] makes a NumPy scalar of an array without axes: ten times faster
    for weight, term in zip(weights[1:], terms[1:], strict=True):
        total = total + weight * term[()]
    return total


def _times(factor: float, g: Value) -> Value:
    """Return the product, without an operation where the factor is 1, as it is for ½‖W‖² and for most losses."""
    return g if factor == 1 else factor * g


sum_squares = Primitive(
    "sum_squares",
    _sum_squares,
    each(lambda i: lambda g, _y, *xs, factor: _times(2 * factor, g) * xs[i]),
    formula="factor · (‖x₁‖² + … + ‖xₙ‖²)",
    cotangents=("2 · factor · ȳ · xᵢ",),
    flops=lambda _y, *xs, **_: 2 * builtins.sum(x.size for x in xs) + 1,
)
weighted_sum = Primitive(
    "weighted_sum",
    _weighted_sum,
    each(lambda i: lambda g, _y, *_terms, weights: _times(weights[i], g)),
    formula="weights₁ · x₁ + … + weightsₙ · xₙ",
    cotangents=("weightsᵢ · ȳ",),
    flops=lambda y, *terms, **_: 2 * len(terms) * y.size,
)
