"""Reductions on patches: a sum takes the difference of what has moved, the others see the whole of their axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.check.moving.operation import Operation
from tinygrad_lite.check.moving.patches import Patch, Places, gathered, opened, patch, seen, summed
from tinygrad_lite.primitives import log_softmax
from tinygrad_lite.primitives.reductions import reduced_axes, reduced_count

WIDE = 64
"""From so many values on, the batch stands first, for NumPy adds pairwise, with less rounding, along the last axis."""


def over_axes(operation: Operation) -> Patch:
    """Run an operation that takes `axis` on the whole of these axes."""
    (x, moved), axes = operation.moved[0], _axes(operation)
    places = opened(moved.places, axes)
    new, old = seen(x, moved, places), gathered(x, places)
    static = {**operation.static, "axis": axes}
    if operation.primitive.kinks is None and reduced_count(x.shape, axes) >= WIDE:
        static["axis"] = tuple(axis + 1 for axis in axes)
        y = operation.primitive.forward(np.ascontiguousarray(np.moveaxis(new, -1, 0)), **static)
        return patch(_left(places, operation, axes), np.moveaxis(y, 0, -1), operation.shape)
    return operation.run(_left(places, operation, axes), [new], [old], **static)


def total(operation: Operation) -> Patch:
    """The sum or the mean, moved by the sum or the mean of the differences."""
    if not np.isfinite(operation.output).all():  # a difference of infinities would be nan
        return over_axes(operation)
    (x, moved), axes = operation.moved[0], _axes(operation)
    dtype = operation.output.dtype
    change = _cast(moved.values, dtype) - _cast(gathered(x, moved.places), dtype)
    change = change.sum(axis=axes, keepdims=operation.output.ndim == np.ndim(x))
    if operation.primitive.name == "mean":
        change = change / reduced_count(np.shape(x), axes)
    return summed(operation.output, [Patch(_left(opened(moved.places, axes), operation, axes), change)])


def sum_squares(operation: Operation) -> Patch:
    """Σ x², moved by Σ (new − old) × (new + old)."""
    changes = [Patch((), operation.static["factor"] * _change_of_squares(x, p, None)) for x, p in operation.moved]
    return summed(operation.output, changes)


def norm(operation: Operation) -> Patch:
    """√Σ x²: of many values, of which one is moved, by the difference."""
    (x, moved), axes = operation.moved[0], _axes(operation)
    if reduced_count(x.shape, axes) < WIDE or all(moved.places[axis] is None for axis in axes):
        return over_axes(operation)
    keepdims = operation.static["keepdims"]
    squares = np.square(x).sum(axis=axes, keepdims=keepdims)
    change = _change_of_squares(x, moved, axes, keepdims)
    after = summed(squares, [Patch(_left(opened(moved.places, axes), operation, axes), change)])
    return Patch(after.places, np.sqrt(np.maximum(after.values, 0)))


def cross_entropy(operation: Operation) -> Patch:
    """The losses of the rows in which something has moved; their sum or mean is moved by the differences."""
    (logits, targets), (of_logits, of_targets) = operation.operands, operation.patches
    axis = logits.ndim - 1
    has_labels = targets.ndim < logits.ndim
    rows = [p.places[:axis] for p in (of_logits, of_targets) if p is not None]
    places: Places = tuple(
        first if all(first is other[i] for other in rows) else None for i, first in enumerate(rows[0])
    )

    def losses(logits_in: np.ndarray, targets_in: np.ndarray) -> Any:
        logs = log_softmax.forward(logits_in, axis=(axis,))
        if has_labels:
            return -np.take_along_axis(logs, np.expand_dims(targets_in, axis), axis).squeeze(axis)
        return -(targets_in * np.where(targets_in == 0, 0, logs)).sum(axis=axis)

    def of_rows(x: Any, p: Patch | None, mine: Places) -> np.ndarray:
        return gathered(x, mine) if p is None else seen(x, p, mine)

    of_targets_places = places if has_labels else (*places, None)
    new = losses(of_rows(logits, of_logits, (*places, None)), of_rows(targets, of_targets, of_targets_places))
    if operation.static["reduction"] == "none":
        return Patch(places, new)
    if not np.isfinite(operation.output).all():
        return operation.run_plainly()
    old = losses(gathered(logits, (*places, None)), gathered(targets, of_targets_places))
    change = (new - old).sum(axis=tuple(range(axis)))
    count = logits.size // logits.shape[-1] if operation.static["reduction"] == "mean" else 1
    return summed(operation.output, [Patch((), change / count)])


def _axes(operation: Operation) -> tuple[int, ...]:
    return reduced_axes(operation.static["axis"], np.ndim(operation.operands[0]))


def _left(places: Places, operation: Operation, axes: tuple[int, ...]) -> Places:
    """Return the places without those of the axes that the reduction takes away."""
    if operation.output.ndim == len(places):
        return places
    return tuple(place for axis, place in enumerate(places) if axis not in axes)


def _change_of_squares(x: Any, moved: Patch, axes: tuple[int, ...] | None, keepdims: bool = False) -> np.ndarray:
    old = gathered(x, moved.places)
    change = (moved.values - old) * (moved.values + old)
    return np.asarray(change.sum(axis=tuple(range(change.ndim - 1)) if axes is None else axes, keepdims=keepdims))


def _cast(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    return values.astype(dtype, copy=False)
