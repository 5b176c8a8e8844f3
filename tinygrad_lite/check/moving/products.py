"""Matrix products on patches: what has moved is multiplied by what has not, and the product of before is added.

(A + ΔA)(B + ΔB) − A B = ΔA B + (A + ΔA) ΔB. Where one index of the summed axis is moved, a product is an outer one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.check.moving.operation import Operation
from tinygrad_lite.check.moving.patches import Patch, Places, Shape, gathered, patch, seen, stretched, summed


def matmul(operation: Operation) -> Patch:
    """A B, with NumPy's whole semantics for vectors and stacks."""
    if not _is_plain_arithmetic(operation):
        return operation.run_plainly()
    (a, b), (of_a, of_b) = operation.operands, operation.patches
    is_row, is_column = a.ndim == 1, b.ndim == 1
    if is_row:
        a, of_a = a[None, :], of_a and Patch((None, *of_a.places), of_a.values[None])
    if is_column:
        b, of_b = b[:, None], of_b and Patch((*of_b.places, None), of_b.values[:, None])
    gone = ((-2,) if is_row else ()) + ((-1,) if is_column else ())
    output = np.expand_dims(operation.output, gone)
    moved = summed(output, _changes(a, of_a, b, of_b, output.shape))
    kept = [axis for axis in range(output.ndim) if axis - output.ndim not in gone]
    values = moved.values.reshape((*(moved.values.shape[axis] for axis in kept), -1))
    return Patch(tuple(moved.places[axis] for axis in kept), values)


def linear(operation: Operation) -> Patch:
    """X Wᵀ + b."""
    if not _is_plain_arithmetic(operation):
        return operation.run_plainly()
    (x, w, b), (of_x, of_w, of_b) = operation.operands, operation.patches
    if x.ndim == 1:
        x, of_x = x[None, :], of_x and Patch((None, *of_x.places), of_x.values[None])
    output = operation.output.reshape((*x.shape[:-1], operation.shape[-1]))
    transposed = of_w and Patch(of_w.places[::-1], of_w.values.swapaxes(0, 1))
    changes = _changes(x, of_x, w.T, transposed, output.shape)
    if of_b is not None:
        change = of_b.values - gathered(b, of_b.places)
        places = stretched(of_b.places, b.shape, output.shape)
        reached = [m if place is None else 1 for place, m in zip(places, output.shape, strict=True)]
        changes.append(patch(places, np.broadcast_to(change, (*reached, of_b.members)), output.shape))
    moved = summed(output, changes)
    if operation.output.ndim < output.ndim:
        return Patch(moved.places[1:], moved.values[0])
    return moved


def _is_plain_arithmetic(operation: Operation) -> bool:
    """Return whether differences may be taken: of floats, and of no infinities."""
    return operation.output.dtype.kind == "f" and bool(np.isfinite(operation.output).all())


def _changes(a: Any, of_a: Patch | None, b: Any, of_b: Patch | None, shape: Shape) -> list[Patch]:
    """Return the changes of the product of two stacks of matrices."""
    changes = []
    if of_a is not None:
        change = of_a.values - gathered(a, of_a.places)
        *stack, row, inner = stretched(of_a.places, a.shape, (*shape[:-2], *a.shape[-2:]))
        other = gathered(b, _of_operand(stack, b.shape, inner, None))
        changes.append(patch((*stack, row, None), _product(change, other), shape))
    if of_b is not None:
        change = of_b.values - gathered(b, of_b.places)
        *stack, inner, column = stretched(of_b.places, b.shape, (*shape[:-2], *b.shape[-2:]))
        places = _of_operand(stack, a.shape, None, inner)
        other = gathered(a, places) if of_a is None else seen(a, of_a, places)
        changes.append(patch((*stack, None, column), _product(other, change), shape))
    return changes


def _of_operand(stack: list[np.ndarray | None], shape: Shape, *matrix: np.ndarray | None) -> Places:
    """Return the places in the other operand that these places of the stack and of the matrices meet."""
    places = (*stack[len(stack) - (len(shape) - 2) :], *matrix)
    return tuple(None if n == 1 else place for place, n in zip(places, shape, strict=True))


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the products of matrices that stand before the batch axis: (…, m, n, B) by (…, n, k, B)."""
    ndim = max(a.ndim, b.ndim)
    a, b = a.reshape((1,) * (ndim - a.ndim) + a.shape), b.reshape((1,) * (ndim - b.ndim) + b.shape)
    if a.shape[-2] == 1:
        return np.asarray(a * b)
    if b.shape[-1] == 1:  # the same for all members: (k, n) by (n, B)
        return np.asarray(np.matmul(np.swapaxes(b[..., 0], -1, -2)[..., None, :, :], a))
    if a.shape[-1] == 1:  # (m, n) by (n, k × B)
        *stack, n, k, members = b.shape
        flat = np.asarray(np.matmul(a[..., 0], b.reshape((*stack, n, k * members))))
        return flat.reshape((*flat.shape[:-1], k, members))
    return np.asarray(np.moveaxis(np.matmul(np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)), 0, -1))
