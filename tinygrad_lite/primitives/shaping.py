"""Shaping: values are moved, repeated or picked, never changed, so cotangents are moved back, added up or scattered."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np

from tinygrad_lite.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_lite.primitives.definition import Rule, Value, each
from tinygrad_lite.primitives.primitive import Primitive

Shape: TypeAlias = tuple[int, ...]

WIDEST_IDENTITY = 256
"""Up to this width one-hot rows are taken from an identity matrix that is kept, which is several times faster."""

# ----- Rearranging -----


def _reshape(x: Any, *, shape: Shape) -> Any:
    return x.reshape(shape)


def _transpose(x: Any, *, axes: tuple[int, ...] | None) -> Any:
    return x.transpose(axes)


def _transpose_back(g: Value, _y: Value, _x: Value, *, axes: tuple[int, ...] | None) -> Value:
    return g.transpose(_back_to(axes))


def _swapaxes(x: Any, *, axis1: int, axis2: int) -> Any:
    return x.swapaxes(axis1, axis2)


def _expand_dims(x: Any, *, axis: int | tuple[int, ...]) -> Any:
    return np.expand_dims(x, axis)


def _broadcast_to(x: Any, *, shape: Shape) -> Any:
    return np.broadcast_to(x, shape)


reshape = Primitive(
    "reshape",
    _reshape,
    lambda g, _y, _x, *, shape: g.reshape(_x.shape),
    formula="reshape(x)",
    cotangents=("reshape(ȳ)",),
    flops=0,
    moved=0,
)


def _transposed(letter: str, axes: Sequence[int] | None, ndim: int) -> str:
    """Return a transpose in a formula; of more than two axes their order is told."""
    if ndim < 3:
        return f"{letter}ᵀ"
    return f"permute[axes {', '.join(map(str, axes or range(ndim)[::-1]))}]({letter})"


def _back_to(axes: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Return the axes that undo a transpose."""
    return None if axes is None else tuple(int(i) for i in np.argsort([i % len(axes) for i in axes]))


transpose = Primitive(
    "transpose",
    _transpose,
    _transpose_back,
    formula=lambda _y, x, *, axes: _transposed("x", axes and [i % x.ndim for i in axes], x.ndim),
    cotangents=(lambda _y, x, *, axes: _transposed("ȳ", _back_to(axes), x.ndim),),
    flops=0,
    moved=0,
)
swapaxes = Primitive(
    "swapaxes",
    _swapaxes,
    lambda g, _y, _x, *, axis1, axis2: g.swapaxes(axis1, axis2),
    formula="swapaxes(x, axis1, axis2)",
    cotangents=("swapaxes(ȳ, axis1, axis2)",),
    flops=0,
    moved=0,
)
expand_dims = Primitive(
    "expand_dims",
    _expand_dims,
    lambda g, _y, _x, *, axis: g.reshape(_x.shape),
    formula="reshape(x)",
    cotangents=("reshape(ȳ)",),
    flops=0,
    moved=0,
)
broadcast_to = Primitive(
    "broadcast_to",
    _broadcast_to,
    lambda g, _y, _x, *, shape: g,  # the engine sums it back
    formula="broadcast(x)",
    cotangents=("ȳ",),
    flops=0,
    moved=0,
)


def _contiguous(x: Any) -> Any:
    return np.asarray(x, order="C")


contiguous = Primitive("contiguous", _contiguous, lambda g, *_: g, formula="x", cotangents=("ȳ",), flops=0)
"""The same values in C order, as gradients are handed out: a sum over them adds up in that order."""

# ----- Joining -----


def _concatenate(*xs: Any, axis: int) -> Any:
    return np.concatenate(xs, axis=axis)


def _stack(*xs: Any, axis: int) -> Any:
    return np.stack(xs, axis=axis)


def _concatenated_part(i: int) -> Rule:
    def rule(g: Value, _y: Value, *_xs: Value, axis: int) -> Value:
        start = sum(x.shape[axis] for x in _xs[:i])
        return g[_along(axis % g.ndim, slice(start, start + _xs[i].shape[axis]))]

    return rule


def _stacked_part(i: int) -> Rule:
    return lambda g, _y, *_xs, axis: g[_along(axis % g.ndim, i)]


def _along(axis: int, key: int | slice) -> tuple[int | slice, ...]:
    """Return the index that applies `key` to `axis` and takes the axes before it whole."""
    return (*(slice(None) for _ in range(axis)), key)


concatenate = Primitive(
    "concatenate",
    _concatenate,
    each(_concatenated_part),
    formula="concatenate[axis](x₁, …, xₙ)",
    cotangents=("partᵢ[axis](ȳ)",),
    flops=0,
)
stack = Primitive(
    "stack",
    _stack,
    each(_stacked_part),
    formula="stack[axis](x₁, …, xₙ)",
    cotangents=("partᵢ[axis](ȳ)",),
    flops=0,
)

# ----- Picking and scattering: each is the other's derivative -----


def _getitem(x: Any, *, index: Any) -> Any:
    return x[index]


def _scatter_add(g: Any, *, index: Any, shape: Shape) -> Any:
    """Return zeros of `shape` to which `g` has been added at `index`, repeated places adding up."""
    out = np.zeros(shape, g.dtype)
    _check_fit(g, out[index].shape)
    if may_repeat(index):
        np.add.at(out, index, g)
    else:
        out[index] = g
    return out


def may_repeat(index: Any) -> bool:
    """Return whether `index` can name one place twice: only integer arrays can, slices and masks cannot."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, list | tuple | np.ndarray) and np.asarray(part).dtype != bool for part in parts)


getitem = Primitive(
    "getitem",
    _getitem,
    lambda g, _y, _x, *, index: scatter_add(g, index=index, shape=_x.shape),
    selects=True,
    formula="x[index]",
    cotangents=("scatter[index](ȳ)",),
    flops=0,
    moved=lambda y, _x, **_: 2 * y.nbytes,  # only what is picked is read
)
scatter_add: Primitive = Primitive(
    "scatter_add",
    _scatter_add,
    lambda g, _y, _g, *, index, shape: g[index],
    formula="scatter[index](g)",
    cotangents=("ȳ[index]",),
    flops=lambda _y, g, **_: g.size,
)


def _set_at(x: Any, values: Any, *, index: Any) -> Any:
    """Return a copy of `x` with `values` at `index`, in the dtype that the two have in common."""
    out = np.array(x, dtype=np.result_type(x, values))
    _check_fit(values, out[index].shape)
    if may_repeat(index) and _repeats(x, index):
        raise ArgumentError("the index names a place twice, where only one value can stand; tg.add_at adds them up")
    out[index] = values
    return out


def _check_fit(values: Any, shape: Shape) -> None:
    """Raise ShapeError for more axes than there are places for, which assignment forgives and a derivative does not."""
    if np.ndim(values) > len(shape):
        raise ShapeError(f"values of shape {np.shape(values)} do not fit the shape {shape} of x[index]")


def _repeats(x: Any, index: Any) -> bool:
    places = np.arange(x.size).reshape(x.shape)[index]
    return bool(np.unique(places).size < places.size)


set_at: Primitive = Primitive(
    "set_at",
    _set_at,
    lambda g, _y, _x, _values, *, index: set_at(g, 0, index=index),
    lambda g, _y, _x, _values, *, index: g[index],
    selects=True,
    formula="set[index](x, values)",
    cotangents=("set[index](ȳ, 0)", "ȳ[index]"),
    flops=0,
)


def checked_labels(labels: Any, width: int) -> Any:
    """Return integer class labels, or raise if one is not in 0 … width − 1 (NumPy would count back from the end)."""
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"class labels must be integers, got dtype {labels.dtype}; use labels.astype(int)")
    unsigned = labels.astype(np.uintp)  # where a negative label is a large number
    if labels.size and np.maximum.reduce(unsigned, axis=None) >= width:
        raise ArgumentError(f"class labels must lie in 0..{width - 1}, got {labels.min()}..{labels.max()}")
    return labels


def _class_labels(labels: Any, *, width: int) -> Any:
    return checked_labels(labels, width)


def _shares(x: Any) -> Any:
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ArgumentError(f"targets of BinaryCrossEntropy lie in [0, 1], got {x.min()} … {x.max()}")
    return x


class_labels = Primitive("class_labels", _class_labels, None, formula="labels", flops=0, moved=0)
"""The labels, or an error if one is not in 0 … width − 1: an entry, so that a program checks at each run."""

shares = Primitive("shares", _shares, lambda g, *_: g, formula="x", cotangents=("ȳ",), flops=0, moved=0)
"""The values, or an error if one is not in [0, 1]."""

CHECKS: Final = frozenset({class_labels, shares})
"""The entries that give their operand as it is, or raise."""


@functools.lru_cache(maxsize=32)
def _identity(width: int, dtype: Any) -> Any:
    return np.eye(width, dtype=dtype)


def _one_hot(labels: Any, *, width: int, dtype: Any) -> Any:
    if width <= WIDEST_IDENTITY:
        return _identity(width, dtype).take(labels.astype(np.intp, copy=False), axis=0)
    return (labels[..., None] == np.arange(width)).astype(dtype)


one_hot = Primitive("one_hot", _one_hot, None, formula="one_hot(labels)", flops=0)
