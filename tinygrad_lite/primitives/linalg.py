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


def _to_left(g: Value, _y: Value, _a: Value, b: Value) -> Value:
    """G Bᵀ."""
    if _a.ndim == b.ndim == 2:
        return (b @ g.T).T if _lies_by_columns(_a) else g @ b.T
    if b.ndim == 1:
        return (g[..., None] if g.ndim else g) * b
    if _a.ndim == 1:
        return b @ g if g.ndim == 1 else (b @ g[..., None])[..., 0]
    return g @ b.swapaxes(-1, -2)


def _to_right(g: Value, _y: Value, a: Value, _b: Value) -> Value:
    """Aᵀ G."""
    if a.ndim == _b.ndim == 2:
        return (g.T @ a).T if _lies_by_columns(_b) else a.T @ g
    if a.ndim == 1:
        return a[:, None] * g[..., None, :] if g.ndim else a * g
    if _b.ndim == 1:
        return g @ a if g.ndim == 1 else (g[..., None, :] @ a)[..., 0, :]
    return a.swapaxes(-1, -2) @ g


matmul = Primitive(
    "matmul",
    np.matmul,
    _to_left,
    _to_right,
    formula="a b",
    cotangents=("ȳ bᵀ", "aᵀ ȳ"),
    flops=lambda y, a, _b: 2 * y.size * a.shape[-1],
)
