"""Entries that only programs use, and how a program says others with them: what is faster in a program than in a rule.

A class label picks one value of its row. Programs look it up by its place in memory, which is checked and computed
once, where forwards index rows and columns and rules subtract a matrix of ones and zeros.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from tinygrad_lite.primitives import elementwise, neural, shaping
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.primitives.lowering import Lowering, by_columns, lowering_of, peak, shifted_rows, summed
from tinygrad_lite.primitives.primitive import Primitive
from tinygrad_lite.primitives.shaping import CHECKS, checked_labels


def _label_places(labels: Any, *, width: int, by_columns: bool) -> Any:
    """Return where the value of each row's label lies in a matrix of `width` columns; labels are checked."""
    rows = np.arange(labels.size)
    columns = checked_labels(labels, width).ravel().astype(np.intp)
    return columns * labels.size + rows if by_columns else rows * width + columns


def _in_memory(x: Any) -> Any:
    """Return the values in the order in which they lie in memory, as a view."""
    return x.ravel(order="K")


def _picked(x: Any, places: Any) -> Any:
    return _in_memory(x)[places]


def _minus_one_at(x: Any, places: Any) -> Any:
    result = x.copy(order="K")
    _in_memory(result)[places] -= 1
    return result


def _plus_product(x: Any, factor: Any, a: Any, b: Any) -> Any:
    """Return factor · x + a b."""
    return factor * x + a @ b


def _plus_decayed_product(x: Any, factor: Any, a: Any, b: Any) -> Any:
    """Return x + (factor · x + a b)."""
    return x + (factor * x + a @ b)


def _plus_multiple(x: Any, factor: Any, y: Any, other: Any) -> Any:
    """Return factor · x + other · y."""
    return factor * x + other * y


label_places = Primitive("label_places", _label_places, None)
picked = Primitive("picked", _picked, None, None)
minus_one_at = Primitive("minus_one_at", _minus_one_at, None, None)
plus_multiple = Primitive("plus_multiple", _plus_multiple, None, None, None, None)
plus_decayed_product = Primitive("plus_decayed_product", _plus_decayed_product, None, None, None, None)
plus_product = Primitive("plus_product", _plus_product, None, None, None, None)


class UnusualValuesError(Exception):
    """Values that a program does not handle, so that the function itself is to run: nothing has been changed yet."""


finite = Primitive("finite", lambda x: x, None)
"""Run for what it raises, `UnusualValuesError` for values that are not finite: the softmax of infinities is special."""


def lies_by_columns(x: Value) -> bool:
    """Return whether a matrix lies in memory column by column."""
    return x.ndim == 2 and bool(x.strides[0] < x.strides[1])


def _softmax_cross_entropy(logits: Value, targets: Value, *, reduction: str) -> Value:
    table = lowering_of(neural.softmax_cross_entropy)
    if logits.size:
        finite(peak(by_columns(logits, -1), -1))
    if targets.ndim == logits.ndim or not logits.size:
        return table(logits, targets, reduction=reduction)  # type: ignore[misc]  # it is in the table
    shifted = shifted_rows(logits)
    if not lies_by_columns(shifted):
        shifted = shaping.contiguous(shifted)
    log_total = elementwise.log(summed(elementwise.exp(shifted), -1))
    places = label_places(targets, width=logits.shape[-1], by_columns=lies_by_columns(shifted))
    chosen = shaping.reshape(picked(shifted, places), shape=targets.shape)
    losses = elementwise.subtract(shaping.getitem(log_total, index=(..., 0)), chosen)
    if reduction == "none":
        return losses
    total = summed(losses, None, keepdims=False)
    return elementwise.divide(total, losses.size or math.nan) if reduction == "mean" else total


def _of_finite_peaks(primitive: Primitive) -> Lowering:
    """Return the lowering of an entry of the softmax family, with a look at the largest value of each row."""

    def lowering(x: Value, *, axis: Any, **static: Any) -> Value:
        if x.size:
            finite(peak(by_columns(x, axis), axis))
        return lowering_of(primitive)(x, axis=axis, **static)  # type: ignore[misc]  # it is in the table

    return lowering


PROGRAM_LOWERINGS: Final[Mapping[Primitive, Lowering]] = MappingProxyType(
    {
        neural.softmax_cross_entropy: _softmax_cross_entropy,
        **{entry: _of_finite_peaks(entry) for entry in (neural.softmax, neural.log_softmax, neural.logsumexp)},
    }
)
"""What a program says otherwise than the lowering table."""


def program_lowering_of(primitive: Primitive) -> Lowering | None:
    """Return how a program says `primitive` in other entries, None if it is one of those, or checks at each run."""
    if primitive in CHECKS:
        return None
    return PROGRAM_LOWERINGS.get(primitive) or lowering_of(primitive)
