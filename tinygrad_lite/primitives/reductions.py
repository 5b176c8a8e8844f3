"""Reductions: an output value gathers many values of the operand, so its cotangent is spread back over them.

`axis` is None, an int or a tuple of ints, negative ones included, as in NumPy.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np

from tinygrad_lite.primitives.definition import Value, each
from tinygrad_lite.primitives.primitive import Primitive

Axis: TypeAlias = int | tuple[int, ...] | None


def reduced_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the axes that `axis` names, each counted from the front."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(i % ndim for i in (axis if isinstance(axis, tuple) else (axis,)))


def with_axes_kept(reduced: Value, shape: tuple[int, ...], axis: Axis) -> Value:
    """Reshape the result of a reduction of `shape` over `axis` as if it had been taken with `keepdims=True`."""
    gone = reduced_axes(axis, len(shape))
    return reduced.reshape(tuple(1 if i in gone else n for i, n in enumerate(shape)))


def spread(g: Value, shape: tuple[int, ...], axis: Axis) -> Value:
    """Repeat the cotangent of a reduction over the axes that the reduction took away."""
    return np.broadcast_to(with_axes_kept(g, shape, axis), shape)


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


sum = Primitive("sum", _sum, lambda g, _y, _x, *, axis, keepdims: spread(g, _x.shape, axis))
mean = Primitive(
    "mean", _mean, lambda g, _y, _x, *, axis, keepdims: spread(g / reduced_count(_x.shape, axis), _x.shape, axis)
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


max = Primitive("max", _max, _to_the_extremes, kinks=_which_is_extreme)
min = Primitive("min", _min, _to_the_extremes, kinks=_which_is_extreme)

# ----- Sums that objectives are made of: one primitive each, whatever the number of operands -----


def _sum_squares(*xs: Any, factor: float) -> Any:
    total = 0
    for x in xs:
        flat = x.ravel("K")
        total = total + np.dot(flat, flat)
    return factor * total


def _weighted_sum(*terms: Any, weights: tuple[float, ...]) -> Any:
    total = weights[0] * terms[0][()]  # [()] makes a NumPy scalar of an array without axes: ten times faster
    for weight, term in zip(weights[1:], terms[1:], strict=True):
        total = total + weight * term[()]
    return total


sum_squares = Primitive(
    "sum_squares", _sum_squares, each(lambda i: lambda g, _y, *xs, factor: (2 * factor * g) * xs[i])
)
weighted_sum = Primitive("weighted_sum", _weighted_sum, each(lambda i: lambda g, _y, *_terms, weights: g * weights[i]))
