"""The lowering table: how a composite entry is said in simpler ones; what is not in it is a core entry.

    softplus:    log(1 + eˣ) = max(x, 0) + log1p(e^−|x|)

A lowering takes the operands and static arguments of its entry and calls other entries, so it computes on arrays and
records on Tensors. It has the bits of the forward, and so it minds the order in which NumPy adds. It says what is
computed, not how it is differentiated: a derivative is taken of the entry itself.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from tinygrad_lite.primitives import elementwise, linalg, neural, reductions, shaping
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.primitives.elementwise import absolute, add, divide, exp, log, multiply, negative, subtract, where
from tinygrad_lite.primitives.neural import NARROW
from tinygrad_lite.primitives.primitive import Primitive
from tinygrad_lite.primitives.reductions import Axis, reduced_axes, reduced_count
from tinygrad_lite.primitives.shaping import contiguous, getitem, reshape, transpose

Lowering = Callable[..., Value]


def lowering_of(primitive: Primitive) -> Lowering | None:
    """Return how `primitive` is said in other entries: as its definition says, or as this table does; None if it is
    a core entry.

    >>> import numpy as np
    >>> from tinygrad_lite.primitives import relu, exp
    >>> lowering_of(relu)(np.array([-1.0, 2.0])), lowering_of(exp)
    (array([0., 2.]), None)
    """
    return primitive.lowering or LOWERINGS.get(primitive)


def _called(name: str, value: Value) -> Value:
    """Give a value on the way the name that it bears in what is written from a lowering."""
    return elementwise.named(value, name=name)


def summed(x: Value, axis: Axis, keepdims: bool = True) -> Value:
    """Return the sum over `axis`, by default with the axes kept."""
    return reductions.sum(x, axis=axis, keepdims=keepdims)


# ----- Elementwise -----


def _at_least(x: Value, floor: Value) -> Value:
    return elementwise.maximum(x, floor)


def _at_most(x: Value, ceiling: Value) -> Value:
    return elementwise.minimum(x, ceiling)


def _stop_gradient(x: Value) -> Value:
    return x


def _named(x: Value, *, name: str) -> Value:
    return x


def _relu(x: Value) -> Value:
    return elementwise.maximum(x, 0)


def _sigmoid(x: Value) -> Value:
    small = _called("small", exp(negative(absolute(x))))
    return divide(where(elementwise.greater_equal(x, 0), 1, small), add(1, small))


def _softplus(x: Value) -> Value:
    return add(elementwise.maximum(x, 0), elementwise.log1p(exp(negative(absolute(x)))))


# ----- Shaping -----


def _expand_dims(x: Value, *, axis: int | tuple[int, ...]) -> Value:
    axes = axis if isinstance(axis, tuple) else (axis,)
    ndim = x.ndim + len(axes)
    new = {i % ndim for i in axes}
    return getitem(x, index=tuple(None if i in new else slice(None) for i in range(ndim)))


def _class_labels(labels: Value, *, width: int) -> Value:
    return labels


def _shares(x: Value) -> Value:
    return x


# ----- Reductions -----


def _mean(x: Value, *, axis: Axis, keepdims: bool) -> Value:
    total, count = summed(x, axis, keepdims), reduced_count(x.shape, axis)
    return divide(total, count) if count else multiply(total, np.nan)


def _var(x: Value, *, axis: Axis, ddof: float, keepdims: bool) -> Value:
    """The deviations are taken from x − x₀, so that they are exactly 0 for a constant."""
    gone = reduced_axes(axis, x.ndim)
    first = tuple(slice(0, 1) if i in gone else slice(None) for i in range(x.ndim))
    shifted = _called("shifted", subtract(x, getitem(x, index=first)) if x.size else x)
    deviations = subtract(shifted, divide(summed(shifted, axis), reduced_count(x.shape, axis) or 1))
    squares = summed(elementwise.square(deviations), axis, keepdims)
    count = reduced_count(x.shape, axis) - ddof
    return divide(squares, count) if count > 0 else multiply(squares, np.nan)


def _std(x: Value, *, axis: Axis, ddof: float, keepdims: bool) -> Value:
    return elementwise.sqrt(_var(x, axis=axis, ddof=ddof, keepdims=keepdims))


def _norm(x: Value, *, axis: Axis, keepdims: bool) -> Value:
    return elementwise.sqrt(summed(elementwise.square(x), axis, keepdims))


def _memory_order(x: Value) -> tuple[int, ...]:
    """Return the axes as NumPy takes them in "K" order: by falling strides, repeated ones where those leave room."""
    strides = [0 if n == 1 else abs(stride) for n, stride in zip(x.shape, x.strides, strict=True)]
    order: list[int] = []  # from the innermost axis outwards
    for axis in reversed(range(x.ndim)):
        place = len(order)
        for i in reversed(range(len(order))):
            if strides[axis] and strides[order[i]]:
                if strides[order[i]] <= strides[axis]:
                    break
                place = i
        order.insert(place, axis)
    return tuple(reversed(order))


def _flat(x: Value) -> Value:
    """Return the values in the order in which they lie in memory, in which a dot product adds them up."""
    order = _memory_order(x)
    flat = _called("flat", reshape(x if order == tuple(range(x.ndim)) else transpose(x, axes=order), shape=(-1,)))
    return flat if flat.strides == (flat.dtype.itemsize,) else contiguous(flat)


def _times(factor: float, x: Value) -> Value:
    """Return `factor` · x, of which a factor of 1 leaves a number alone."""
    return x if factor == 1 and not x.ndim and x.dtype.kind == "f" else multiply(factor, x)


def _sum_squares(*xs: Value, factor: float) -> Value:
    return _times(factor, functools.reduce(add, (linalg.matmul(flat, flat) for flat in map(_flat, xs))))


def _weighted_sum(*terms: Value, weights: tuple[float, ...]) -> Value:
    return functools.reduce(add, (_times(weight, term) for weight, term in zip(weights, terms, strict=True)))


# ----- Networks -----


def _linear(x: Value, w: Value, b: Value) -> Value:
    return add(linalg.matmul(x, transpose(w, axes=None)), b)


def by_columns(x: Value, axis: Axis) -> Value:
    """Lay a narrow matrix out by columns, as the forward does: what is made of it is added up in that order."""
    if axis == -1 and x.ndim == 2 and x.shape[1] <= NARROW:
        return _called("by_columns", transpose(contiguous(transpose(x, axes=None)), axes=None))
    return x


def peak(x: Value, axis: Axis) -> Value:
    """Return the largest value over `axis`, with the axes kept."""
    return reductions.max(x, axis=axis, keepdims=True)


def _shifted(x: Value, axis: Axis) -> Value:
    """Return x − max x, so that no exponential overflows."""
    x = by_columns(x, axis)
    return _called("shifted", subtract(x, peak(x, axis)))


def shifted_rows(logits: Value) -> Value:
    """Return the logits of each row less the largest of them."""
    return _shifted(logits, -1)


def _softmax(x: Value, *, axis: Axis) -> Value:
    if not x.size:
        return x
    exponentials = _called("exponentials", exp(_shifted(x, axis)))
    return divide(exponentials, summed(exponentials, axis))


def _log_softmax(x: Value, *, axis: Axis) -> Value:
    if not x.size:
        return x
    shifted = _shifted(x, axis)
    return subtract(shifted, log(summed(exp(shifted), axis)))


def _logsumexp(x: Value, *, axis: Axis, keepdims: bool) -> Value:
    if not x.size:
        return subtract(summed(x, axis, keepdims), np.inf)
    x = by_columns(x, axis)
    largest = _called("peak", peak(x, axis))
    result = add(largest, log(summed(exp(subtract(x, largest)), axis)))
    gone = () if keepdims else reduced_axes(axis, x.ndim)
    return reshape(result, shape=tuple(n for i, n in enumerate(result.shape) if i not in gone)) if gone else result


def _softmax_cross_entropy(logits: Value, targets: Value, *, reduction: str) -> Value:
    losses = _losses(logits, targets)
    if reduction == "none":
        return losses
    total = summed(_called("losses", losses), None, keepdims=False)
    return divide(total, losses.size or math.nan) if reduction == "mean" else total


def _losses(logits: Value, targets: Value) -> Value:
    """−Σₖ tₖ log softmax(x)ₖ of each row; a class label picks its place by a comparison, and is not checked."""
    if not logits.size:
        return summed(logits, -1, keepdims=False)
    shifted = shifted_rows(logits)
    log_total = _called("log_total", log(summed(exp(shifted), -1)))
    if targets.ndim == logits.ndim:
        terms = where(elementwise.equal(targets, 0), 0, subtract(log_total, shifted))  # 0 · log 0 = 0
        return summed(multiply(targets, terms), -1, keepdims=False)
    chosen = elementwise.equal(getitem(targets, index=(..., None)), np.arange(logits.shape[-1]))
    picked = summed(where(chosen, shifted, 0), -1, keepdims=False)
    picked = _called("picked", contiguous(picked) if picked.ndim > 1 else picked)
    return subtract(getitem(log_total, index=(..., 0)), picked)


LOWERINGS: Final[Mapping[Primitive, Lowering]] = MappingProxyType(
    {
        elementwise.at_least: _at_least,
        elementwise.at_most: _at_most,
        elementwise.stop_gradient: _stop_gradient,
        elementwise.named: _named,
        neural.relu: _relu,
        neural.sigmoid: _sigmoid,
        neural.softplus: _softplus,
        shaping.expand_dims: _expand_dims,
        shaping.class_labels: _class_labels,
        shaping.shares: _shares,
        reductions.mean: _mean,
        reductions.var: _var,
        reductions.std: _std,
        reductions.norm: _norm,
        reductions.sum_squares: _sum_squares,
        reductions.weighted_sum: _weighted_sum,
        neural.linear: _linear,
        neural.softmax: _softmax,
        neural.log_softmax: _log_softmax,
        neural.logsumexp: _logsumexp,
        neural.softmax_cross_entropy: _softmax_cross_entropy,
    }
)
"""The lowering of each composite entry."""
