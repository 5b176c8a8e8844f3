"""Elementwise operations on patches: what is not moved is looked up in the same places."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.check.moving.operation import Operation
from tinygrad_lite.check.moving.patches import Patch, fitted, gathered, seen, stretched, united


def elementwise(operation: Operation) -> Patch:
    """Run an elementwise operation in the places that its moved operands reach."""
    shape = operation.shape
    places = united([stretched(p.places, np.shape(x), shape) for x, p in operation.moved])
    old, new = [], []
    for x, p in zip(operation.operands, operation.patches, strict=True):
        if not np.ndim(x) and p is None:  # as it is: a Python number is weak beside floats
            before = after = x
        else:
            mine = fitted(places, np.shape(x))
            before = _aligned(gathered(x, mine), len(shape))
            after = before if p is None else _aligned(seen(x, p, mine), len(shape))
        old.append(before)
        new.append(after)
    return operation.run(places, new, old, **operation.static)


def _aligned(values: Any, ndim: int) -> np.ndarray:
    """Return values with axes of length 1 in front, so that they broadcast from the right beside the batch."""
    array = np.asarray(values)
    return array.reshape((1,) * (ndim + 1 - array.ndim) + array.shape)
