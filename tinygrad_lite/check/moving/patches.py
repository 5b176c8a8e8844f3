"""Patches: where an array differs from what was recorded when one entry of a parameter is moved, and what stands there.

A batch of B members moves B entries, one each. Every array of a patch has the batch as its **last** axis: the axes of
a network's values are mostly short, and reducing or broadcasting over them is then done on long contiguous rows. What
is the same for all members may have 1 there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Shape: TypeAlias = tuple[int, ...]

Places: TypeAlias = tuple[np.ndarray | None, ...]
"""For each axis None, all of it, or one index per member. An axis of length 1 is always None."""


class Patch(NamedTuple):
    """The places of an array that have changed, and the new values, of length 1 on the axes with an index."""

    places: Places
    values: np.ndarray

    @property
    def members(self) -> int:
        return int(self.values.shape[-1])


def patch(places: Iterable[np.ndarray | None], values: np.ndarray, shape: Shape) -> Patch:
    """Return the patch of an array of `shape`; an index into an axis of length 1 says nothing and is left out."""
    return Patch(tuple(None if n == 1 else place for place, n in zip(places, shape, strict=True)), values)


# ----- Places -----


def same(first: np.ndarray | None, second: np.ndarray | None) -> bool:
    """Return whether two entries of Places are the same for every member."""
    if first is None or second is None or first is second:
        return first is second
    return np.array_equal(first, second)


def united(places: Sequence[Places]) -> Places:
    """Return the smallest places that hold all the given ones."""
    first, *others = places
    return tuple(
        place if all(same(place, other[axis]) for other in others) else None for axis, place in enumerate(first)
    )


def stretched(places: Places, shape: Shape, result: Shape) -> Places:
    """Return the places that are reached when an array of `shape` is broadcast to the shape of the result."""
    added = len(result) - len(shape)
    kept = (place if n == m else None for place, n, m in zip(places, shape, result[added:], strict=True))
    return (*(None for _ in range(added)), *kept)


def fitted(places: Places, shape: Shape) -> Places:
    """Return the places in an operand of `shape` that end up in these places of the broadcast result."""
    return tuple(None if n == 1 else place for place, n in zip(places[len(places) - len(shape) :], shape, strict=True))


def opened(places: Places, axes: Iterable[int]) -> Places:
    """Return the places with all of the given axes."""
    return tuple(None if axis in axes else place for axis, place in enumerate(places))


# ----- Values -----


def gathered(x: Any, places: Places) -> np.ndarray:
    """Return what stands in these places of an array, with the batch as last axis: of length 1 if it is all of it."""
    array = np.asarray(x)
    single = [axis for axis, place in enumerate(places) if place is not None]
    if not single:
        return array[..., None]
    indices: tuple[Any, ...] = tuple(places[axis] for axis in single)
    if single == [array.ndim - 1]:
        return np.asarray(np.take(array, indices[0], axis=-1)[..., None, :])
    whole = [axis for axis in range(array.ndim) if axis not in single]
    picked = array.transpose((*single, *whole))[indices]
    return np.expand_dims(np.ascontiguousarray(np.moveaxis(picked, 0, -1)), tuple(single))


def seen(x: Any, moved: Patch, places: Places) -> np.ndarray:
    """Return what stands in other places of the array `x` once it is patched."""
    values, scattered, hit = moved.values, [], None
    for axis, (mine, wanted) in enumerate(zip(moved.places, places, strict=True)):
        if same(mine, wanted):
            continue
        if wanted is None:
            scattered.append(axis)
        elif mine is None:
            values = np.take_along_axis(values, wanted.reshape((1,) * (values.ndim - 1) + (-1,)), axis)
        else:
            hit = mine == wanted if hit is None else hit & (mine == wanted)
    if not scattered:
        return values if hit is None else np.where(hit, values, gathered(x, places))
    before = gathered(x, places)
    after = np.array(np.broadcast_to(before, (*before.shape[:-1], moved.members)), values.dtype)
    by_member = np.moveaxis(after, (*scattered, -1), range(len(scattered) + 1))
    indices: tuple[Any, ...] = (*(moved.places[axis] for axis in scattered), np.arange(moved.members))
    put = np.moveaxis(np.squeeze(values, tuple(scattered)), -1, 0)
    if hit is not None:
        put = np.where(hit.reshape((-1,) + (1,) * (put.ndim - 1)), put, by_member[indices])
    by_member[indices] = put
    return after


def summed(x: Any, changes: Sequence[Patch]) -> Patch:
    """Return the patch of an array `x` to which several changes, each in its own places, are added."""
    places = united([change.places for change in changes])
    total = gathered(x, places)
    nothing = np.broadcast_to(np.zeros((), total.dtype), np.shape(x))
    for change in changes:
        total = total + seen(nothing, change, places)
    return Patch(places, total)


def whole_of_member(x: Any, moved: Patch, member: int) -> np.ndarray:
    """Return the array `x` patched for one member."""
    array = np.array(x, moved.values.dtype)
    index = tuple(slice(None) if place is None else slice(place[member], place[member] + 1) for place in moved.places)
    array[index] = moved.values[..., member]
    return array
