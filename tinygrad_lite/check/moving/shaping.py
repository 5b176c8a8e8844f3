"""Shaping on patches: places move with their values, and where an index does not survive, all of an axis is taken."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_lite.check.moving.operation import Operation
from tinygrad_lite.check.moving.patches import Patch, Places, Shape, gathered, opened, patch, seen, stretched, united

# ----- Rearranging -----


def transpose(operation: Operation) -> Patch:
    moved, axes = operation.moved[0][1], operation.static["axes"]
    ndim = len(moved.places)
    return _permuted(moved, list(reversed(range(ndim))) if axes is None else [axis % ndim for axis in axes])


def swapaxes(operation: Operation) -> Patch:
    moved, static = operation.moved[0][1], operation.static
    order = list(range(len(moved.places)))
    first, second = static["axis1"], static["axis2"]
    order[first], order[second] = order[second], order[first]
    return _permuted(moved, order)


def _permuted(moved: Patch, order: list[int]) -> Patch:
    return Patch(tuple(moved.places[axis] for axis in order), moved.values.transpose((*order, len(order))))


def broadcast_to(operation: Operation) -> Patch:
    x, moved = operation.moved[0]
    places = stretched(moved.places, np.shape(x), operation.shape)
    reached = tuple(n if place is None else 1 for n, place in zip(operation.shape, places, strict=True))
    return Patch(places, np.broadcast_to(moved.values, (*reached, moved.members)))


def reshape(operation: Operation) -> Patch:
    """Reshape axis by axis: groups of axes that become one another keep their index if all of them have one."""
    x, moved = operation.moved[0]
    before, after = np.shape(x), operation.shape
    kept: list[np.ndarray | None] = [None] * len(before)
    places: list[np.ndarray | None] = [None] * len(after)
    for old, new in _groups(before, after):
        long = [axis for axis in old if before[axis] > 1]
        if not long or any(moved.places[axis] is None for axis in long):
            continue
        indices: tuple[Any, ...] = tuple(moved.places[axis] for axis in long)
        flat = np.ravel_multi_index(indices, tuple(before[axis] for axis in long))
        for axis in long:
            kept[axis] = moved.places[axis]
        for axis, place in zip(new, np.unravel_index(flat, tuple(after[axis] for axis in new)), strict=True):
            places[axis] = place if after[axis] > 1 else None
    values = seen(x, moved, tuple(kept))
    reached = tuple(n if place is None else 1 for n, place in zip(after, places, strict=True))
    return Patch(tuple(places), values.reshape((*reached, moved.members)))


def _groups(before: Shape, after: Shape) -> Iterator[tuple[range, range]]:
    """Yield the shortest runs of axes with the same number of values; the last run takes what is left of length 1."""
    i = j = 0
    while i < len(before) and j < len(after):
        start, other, left, right = i, j, before[i], after[j]
        i, j = i + 1, j + 1
        while left != right:
            if left < right:
                left, i = left * before[i], i + 1
            else:
                right, j = right * after[j], j + 1
        if i == len(before) or j == len(after):
            i, j = len(before), len(after)
        yield range(start, i), range(other, j)


# ----- Joining -----


def concatenate(operation: Operation) -> Patch:
    """Join: along the joined axis an index is shifted, if nothing else has moved."""
    axis = operation.static["axis"] % len(operation.shape)
    return _joined(operation, axis, operation.operands, operation.patches)


def stack(operation: Operation) -> Patch:
    axis = operation.static["axis"] % len(operation.shape)
    operands = [np.expand_dims(x, axis) for x in operation.operands]
    patches = [
        p and Patch((*p.places[:axis], None, *p.places[axis:]), np.expand_dims(p.values, axis))
        for p in operation.patches
    ]
    return _joined(operation, axis, operands, patches)


def _joined(operation: Operation, axis: int, operands: Any, patches: Any) -> Patch:
    moved = [i for i, p in enumerate(patches) if p is not None]
    only = patches[moved[0]]
    if len(moved) == 1 and only.values.shape[axis] == 1:
        start = sum(x.shape[axis] for x in operands[: moved[0]])
        place = only.places[axis]
        shifted = np.full(only.members, start) if place is None else place + start
        return patch((*only.places[:axis], shifted, *only.places[axis + 1 :]), only.values, operation.shape)
    places = opened(united([opened(patches[i].places, (axis,)) for i in moved]), (axis,))
    parts = []
    for x, p in zip(operands, patches, strict=True):
        part = gathered(x, places) if p is None else seen(x, p, places)
        parts.append(np.broadcast_to(part, (*part.shape[:-1], only.members)))
    return Patch(places, np.concatenate(parts, axis=axis))


# ----- Picking and scattering -----


def getitem(operation: Operation) -> Patch:
    """Pick: by slices and integers axis by axis, by arrays wherever the moved entry is picked."""
    (x, moved), index = operation.moved[0], operation.static["index"]
    parts = index if isinstance(index, tuple) else (index,)
    if all(_is_basic(part) for part in parts):
        return _sliced(operation, x, moved, parts)
    if all(isinstance(part, list | np.ndarray) for part in parts):
        named = sum(np.ndim(part) if np.asarray(part).dtype == bool else 1 for part in parts)
        return _picked(operation, x, moved, named)
    whole = seen(x, moved, (None,) * x.ndim)
    return Patch((None,) * len(operation.shape), whole[beside_the_batch(index)])


def _is_basic(part: Any) -> bool:
    return part is None or part is Ellipsis or isinstance(part, slice) or _is_integer(part)


def _is_integer(part: Any) -> bool:
    return isinstance(part, int | np.integer) and not isinstance(part, bool)


def beside_the_batch(index: Any) -> Any:
    """Return the index that does the same to an array with the batch as last axis."""
    parts = index if isinstance(index, tuple) else (index,)
    return (*parts, slice(None)) if any(part is Ellipsis for part in parts) else index


def _sliced(operation: Operation, x: Any, moved: Patch, parts: tuple[Any, ...]) -> Patch:
    count = sum(part is not None and part is not Ellipsis for part in parts)
    filled: list[Any] = []
    for part in parts if Ellipsis in parts else (*parts, Ellipsis):
        filled.extend([slice(None)] * (x.ndim - count) if part is Ellipsis else [part])
    inner: list[Any] = []
    places: list[np.ndarray | None] = []
    inside: Any = True
    axis = 0
    for part in filled:
        if part is None:
            inner.append(None)
            places.append(None)
            continue
        place, length = moved.places[axis], x.shape[axis]
        axis += 1
        if place is None:
            inner.append(part)
            if isinstance(part, slice):
                places.append(None)
        elif isinstance(part, slice):
            start, stop, step = part.indices(length)
            steps, rest = np.divmod(place - start, step)
            hit = (rest == 0) & (steps >= 0) & (steps < len(range(start, stop, step)))
            inner.append(slice(None))
            places.append(np.where(hit, steps, 0))
            inside = inside & hit
        else:
            inner.append(0)
            inside = inside & (place == operator.index(part) % length)
    result = patch(places, moved.values[tuple(inner)], operation.shape)
    if inside is True or inside.all():
        return result
    return result._replace(values=np.where(inside, result.values, gathered(operation.output, result.places)))


def _picked(operation: Operation, x: Any, moved: Patch, named: int) -> Patch:
    """Pick by arrays that name the first axes of `x`; the axes after them keep their places."""
    index, rest = operation.static["index"], moved.places[named:]
    made = len(operation.shape) - len(rest)
    places: Places = (*(None for _ in range(made)), *rest)
    lengths, indices = x.shape[:named], [place for place in moved.places[:named] if place is not None]
    if len(indices) < named:
        return patch(places, seen(x, moved, opened(moved.places, range(named)))[index], operation.shape)
    flat = np.ravel_multi_index(tuple(indices), lengths)
    picked = np.arange(math.prod(lengths)).reshape(lengths)[index]
    hit = picked.reshape(picked.shape + (1,) * (len(rest) + 1)) == flat
    value = moved.values.reshape((1,) * made + moved.values.shape[named:])
    return patch(places, np.where(hit, value, gathered(operation.output, places)), operation.shape)


def set_at(operation: Operation) -> Patch:
    """Write into a whole copy."""
    (x, values), members = operation.operands, operation.moved[0][1].members
    whole, put = (
        gathered(x, (None,) * np.ndim(x)) if p is None else seen(x, p, (None,) * np.ndim(x))
        for x, p in zip((x, values), operation.patches, strict=True)
    )
    out = np.array(np.broadcast_to(whole, (*np.shape(x), members)), operation.output.dtype)
    index = beside_the_batch(operation.static["index"])
    out[index] = put.reshape((1,) * (out[index].ndim - put.ndim) + put.shape)
    return Patch((None,) * len(operation.shape), out)


def scatter_add(operation: Operation) -> Patch:
    """Add the whole of what is scattered into zeros."""
    x, moved = operation.moved[0]
    out = np.zeros((*operation.shape, moved.members), operation.output.dtype)
    index = beside_the_batch(operation.static["index"])
    added = seen(x, moved, (None,) * x.ndim)
    np.add.at(out, index, added.reshape((1,) * (out[index].ndim - added.ndim) + added.shape))
    return Patch((None,) * len(operation.shape), out)
