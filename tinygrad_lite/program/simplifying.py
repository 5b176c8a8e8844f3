"""Rewrites that keep the bits: constants computed once, operations that change nothing left out, labels looked up.

Each rule takes a value whose operands are rewritten already, and returns the position of what stands for it, or None if
it has nothing to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_lite import primitives as p
from tinygrad_lite.graphs.source.lowered import CoreValue
from tinygrad_lite.program.entries import label_places, lies_by_columns, minus_one_at
from tinygrad_lite.program.listing import Listing, Writer

LARGEST_FOLDED = 10_000
"""How many values a constant may have that is computed beforehand."""

Rule = Callable[[CoreValue, Writer], int | None]


def simplified(listing: Listing) -> Listing:
    """Return a listing of the same values with fewer operations, equal ones computed once."""
    writer = Writer(listing)
    for value in listing.values:
        copied = writer.copied(value)
        found = None if value.operation is None else _by_rule(copied, writer)
        writer.moved.append(writer.add(copied) if found is None else found)
    return writer.finished()


def _by_rule(value: CoreValue, writer: Writer) -> int | None:
    for rule in RULES:
        found = rule(value, writer)
        if found is not None:
            return found
    return None


def operands_of(value: CoreValue, values: Sequence[CoreValue]) -> list[Any]:
    """Return the arrays that an operation was recorded with; what is weak as Python numbers."""
    arrays = [values[i].array for i in value.inputs]
    return [x.item() if i in value.weak and hasattr(x, "item") else x for i, x in enumerate(arrays)]


def _folded(value: CoreValue, writer: Writer) -> int | None:
    """An operation on constants is a constant."""
    assert value.operation is not None
    if value.operation.draws or value.array.size > LARGEST_FOLDED:
        return None
    if not all(writer.is_constant(i) for i in value.inputs):
        return None
    with np.errstate(all="ignore"):
        result = value.operation.forward(*operands_of(value, writer.values), **value.static)
    writer.old.noted("constants computed beforehand")
    return writer.add(CoreValue(value.node, np.array(result, order="K"), name=value.name))


def _is_number(position: int, writer: Writer, number: float) -> bool:
    array = writer.values[position].array
    if not writer.is_constant(position):
        return False
    return bool(array == number) if not hasattr(array, "shape") else not array.ndim and bool(array == number)


def _without_effect(value: CoreValue, writer: Writer) -> int | None:
    """1 · x, x / 1, and what would change the shape, order or dtype into what it is, are x."""
    kept = None
    if value.operation is p.multiply:
        kept = next((value.inputs[1 - i] for i in (0, 1) if _is_number(value.inputs[i], writer, 1)), None)
    elif value.operation is p.divide and _is_number(value.inputs[1], writer, 1):
        kept = value.inputs[0]
    elif value.operation in (p.reshape, p.contiguous, p.astype, p.broadcast_to, p.positive, p.transpose):
        kept = value.inputs[0]
        if value.operation is p.transpose and value.array.ndim > 1:
            return None
    return kept if kept is not None and _look_alike(writer.values[kept].array, value.array) else None


def _look_alike(x: Any, y: Any) -> bool:
    return hasattr(x, "shape") and x.dtype.isnative and (x.shape, x.dtype, x.strides) == (y.shape, y.dtype, y.strides)


def _twice(value: CoreValue, writer: Writer) -> int | None:
    """−(−x) and (xᵀ)ᵀ are x."""
    if value.operation not in (p.negative, p.transpose):
        return None
    inner = writer.values[value.inputs[0]]
    if inner.operation is not value.operation or value.static.get("axes") is not None or inner.static.get("axes"):
        return None
    source = inner.inputs[0]
    return source if _look_alike(writer.values[source].array, value.array) else None


def _less_one_hot(value: CoreValue, writer: Writer) -> int | None:
    """P − one_hot(labels) subtracts 1 at one place of each row."""
    if value.operation is not p.subtract:
        return None
    left, right = (writer.values[i] for i in value.inputs)
    if right.operation is not p.one_hot or left.array.ndim != 2 or not _fits(left.array, right.array):
        return None
    labels, width = writer.values[right.inputs[0]], left.array.shape[1]
    source = labels.inputs[0] if labels.operation is p.class_labels else right.inputs[0]  # which places check as well
    array, by_columns = np.empty(labels.array.size, np.intp), lies_by_columns(left.array)
    places = writer.computed(label_places, (source,), value, array, width=width, by_columns=by_columns)
    writer.old.noted("one-hot matrices as places")
    return writer.computed(minus_one_at, (value.inputs[0], places), value, left.array)


def _fits(x: np.ndarray, one_hot: np.ndarray) -> bool:
    is_dense = x.flags.c_contiguous or x.T.flags.c_contiguous
    return is_dense and x.shape == one_hot.shape and x.dtype == one_hot.dtype


def _with_numbers(value: CoreValue, writer: Writer) -> int | None:
    """An array of one number, beside another array of the shape and dtype of the result, is that number."""
    operation, arrays = value.operation, [writer.values[i].array for i in value.inputs]
    if operation is None or operation.ufunc is None or not operation.is_elementwise or len(arrays) != 2:
        return None
    for i, (array, other) in enumerate(zip(arrays, arrays[::-1], strict=True)):
        is_whole = _look_alike(other, value.array) and getattr(array, "dtype", None) == other.dtype
        if is_whole and writer.is_constant(value.inputs[i]) and _is_uniform(array):
            number = writer.add(CoreValue(value.node, np.array(array.flat[0])))
            changed = replace(value, inputs=(number, value.inputs[1]) if i == 0 else (value.inputs[0], number))
            found = _without_effect(changed, writer)
            return writer.add(changed) if found is None else found
    return None


def _is_uniform(array: Any) -> bool:
    """Return whether an array with axes holds one number only, down to its bits."""
    if not getattr(array, "shape", ()) or not array.size or array.dtype.kind != "f":
        return False
    return bool(array.tobytes() == array.flat[:1].tobytes() * array.size)


RULES: tuple[Rule, ...] = (_folded, _with_numbers, _without_effect, _twice, _less_one_hot)
