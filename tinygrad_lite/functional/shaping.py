"""Shaping under NumPy's names, and the scattered sum that NumPy has only in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lite import primitives as p
from tinygrad_lite.array_interface import answers_for, fixed_index, supported_dtype
from tinygrad_lite.mode import MODE
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.tensor import Array, Operand, Tensor, as_operand, carries_gradient, values_of


@answers_for(*([np.astype] if hasattr(np, "astype") else []))  # NumPy has it since 2.1
def astype(x: Operand, dtype: DTypeLike) -> Value:
    """Return the values as `dtype`; the gradient comes back in the dtype of `x`.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.astype(np.ones(2), np.float32).dtype
    dtype('float32')
    """
    return as_operand(x).astype(dtype)


@answers_for(np.reshape)
def reshape(a: Operand, shape: int | tuple[int, ...]) -> Value:
    """Return the values, row by row, in another shape, of which one length may be −1 for what is left.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.reshape(np.arange(6.0), (2, -1)).shape
    (2, 3)
    """
    return as_operand(a).reshape(shape)


@answers_for(np.transpose)
def transpose(a: Operand, axes: int | Sequence[int] | None = None) -> Value:
    """Return the array with its axes in reverse order, or in the order of `axes`.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.transpose(np.ones((2, 3))).shape
    (3, 2)
    """
    return as_operand(a).transpose(tuple(axes) if isinstance(axes, Sequence) else axes)


@answers_for(np.swapaxes)
def swapaxes(a: Operand, axis1: int, axis2: int) -> Value:
    """Return the array with two axes exchanged.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.swapaxes(np.ones((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    return as_operand(a).swapaxes(axis1, axis2)


@answers_for(np.expand_dims)
def expand_dims(a: Operand, axis: int | tuple[int, ...]) -> Value:
    """Return the array with new axes of length 1 at the places `axis` of the result.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.expand_dims(np.ones(3), (0, -1)).shape
    (1, 3, 1)
    """
    return p.expand_dims(as_operand(a), axis=axis)


@answers_for(np.broadcast_to)
def broadcast_to(array: Operand, shape: int | Sequence[int]) -> Value:
    """Return the array repeated to `shape`; the gradient is summed back.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: np.broadcast_to(x, (3, 2)).sum())(np.ones(2))
    array([3., 3.])
    """
    return p.broadcast_to(as_operand(array), shape=(shape,) if isinstance(shape, int) else tuple(shape))


@answers_for(np.concatenate)
def concatenate(arrays: Sequence[Operand], axis: int | None = 0) -> Value:
    """Return the arrays joined along an existing axis, or flattened and joined if `axis` is None.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: (np.concatenate([x, 2 * x]) ** 2).sum())(np.array([1.0]))
    array([10.])
    """
    operands = [as_operand(array) for array in arrays]
    if axis is None:
        operands, axis = [operand.reshape(-1) for operand in operands], 0
    return p.concatenate(*operands, axis=axis)


@answers_for(np.stack)
def stack(arrays: Sequence[Operand], axis: int = 0) -> Value:
    """Return equally shaped arrays joined along a new axis.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.stack([np.ones(3), np.zeros(3)], axis=-1).shape
    (3, 2)
    """
    return p.stack(*(as_operand(array) for array in arrays), axis=axis)


def scatter_add(g: Operand, index: Any, shape: tuple[int, ...]) -> Value:
    """Return zeros of `shape` to which `g` has been added at `index`; places named twice receive both.

    It is the derivative of indexing, out of place: ∂(x[index]) carries g back as scatter_add(g, index, x.shape).

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.scatter_add(np.array([1.0, 2.0, 3.0]), [0, 2, 0], (3,))
    array([4., 0., 2.])
    """
    return p.scatter_add(as_operand(g), index=fixed_index(index), shape=shape)


def set_at(x: Operand, index: Any, values: Operand) -> Value:
    """Return a copy of `x` with `values` at `index`: what `x[index] = values` does to an array, out of place.

    `values` broadcast to the shape of `x[index]`; their gradient is what arrives there, and that of `x` is zero there.
    Raises ArgumentError if the index names a place twice.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.set_at(np.zeros((2, 2)), (slice(None), 1), np.array([1.0, 2.0]))
    array([[0., 1.],
           [0., 2.]])
    """
    x = as_operand(x)
    return p.set_at(x, _beside(x, values), index=fixed_index(index))


def add_at(x: Operand, index: Any, values: Operand) -> Value:
    """Return a copy of `x` to which `values` have been added at `index`; places named twice receive both.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.add_at(np.ones(3), [0, 2, 0], 10.0)
    array([21.,  1., 11.])
    """
    x = as_operand(x)
    return p.add(x, p.scatter_add(_beside(x, values), index=fixed_index(index), shape=x.shape))


def _beside(x: Tensor | Array, values: Operand) -> Tensor | Array:
    """Return `values` as an operand that does not widen the dtype of `x` if it is a single constant."""
    operand = as_operand(values)
    if operand.ndim or carries_gradient(operand):
        return operand
    if (
        isinstance(operand, Tensor) and MODE.get().capture is not None
    ):  # where a number would be a constant of the graph
        return operand.astype(np.result_type(x.dtype, operand.dtype.type().item()))
    number = values_of(operand).item()
    return np.asarray(number, dtype=np.result_type(x.dtype, number))


def one_hot(labels: Operand, width: int, dtype: DTypeLike = np.float64) -> Value:
    """Return a row of `width` zeros with a single 1 for each integer label; raises for a label out of range.

    >>> import tinygrad_lite as tg
    >>> tg.one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    return p.one_hot(p.class_labels(as_operand(labels), width=width), width=width, dtype=supported_dtype(dtype))


@answers_for(np.zeros_like)
def _zeros_like(a: Operand, dtype: DTypeLike | None = None) -> np.ndarray:
    operand = as_operand(a)
    return np.zeros(operand.shape, dtype or operand.dtype)


@answers_for(np.ones_like)
def _ones_like(a: Operand, dtype: DTypeLike | None = None) -> np.ndarray:
    operand = as_operand(a)
    return np.ones(operand.shape, dtype or operand.dtype)


@answers_for(np.shape)
def _shape(a: Operand) -> tuple[int, ...]:
    return as_operand(a).shape


@answers_for(np.ndim)
def _ndim(a: Operand) -> int:
    return as_operand(a).ndim


@answers_for(np.size)
def _size(a: Operand, axis: int | None = None) -> int:
    operand = as_operand(a)
    return operand.size if axis is None else operand.shape[axis]
