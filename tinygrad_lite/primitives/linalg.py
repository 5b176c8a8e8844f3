"""Matrix products, with NumPy's whole semantics: vectors, matrices, and stacks of matrices that broadcast.

For Y = A B the cotangents are G Bᵀ and Aᵀ G. A gradient comes out in the memory order of its operand, so that the
gradient of a weight used as `W.T` is not a transposed view that slows every later pass over it.
"""

from __future__ import annotations

import numpy as np

from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.primitives.primitive import Primitive


def _lies_by_columns(x: Value) -> bool:
    """Return whether the matrix `x` lies in memory column by column, as a transposed view does."""
    return bool(x.strides[0] < x.strides[1])


def _with_matrix_axes(g: Value, a: Value, b: Value) -> Value:
    """Return `g` with the axes of length 1 that NumPy adds to a vector operand and drops from the product."""
    if a.ndim == 1:
        g = g[..., None, :] if b.ndim > 1 else g[..., None]
    return g[..., None] if b.ndim == 1 else g


def _to_left(g: Value, _y: Value, _a: Value, b: Value) -> Value:
    """G Bᵀ."""
    if _a.ndim == b.ndim == 2:
        return (b @ g.T).T if _lies_by_columns(_a) else g @ b.T
    matrix = b[:, None] if b.ndim == 1 else b
    product = _with_matrix_axes(g, _a, b) @ matrix.swapaxes(-1, -2)
    return product[..., 0, :] if _a.ndim == 1 else product


def _to_right(g: Value, _y: Value, a: Value, _b: Value) -> Value:
    """Aᵀ G."""
    if a.ndim == _b.ndim == 2:
        return (g.T @ a).T if _lies_by_columns(_b) else a.T @ g
    matrix = a[None, :] if a.ndim == 1 else a
    product = matrix.swapaxes(-1, -2) @ _with_matrix_axes(g, a, _b)
    return product[..., 0] if _b.ndim == 1 else product


matmul = Primitive("matmul", np.matmul, _to_left, _to_right)
