"""When two arrays agree, and how it is told that they do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tinygrad_lite.tensor import values_of

FIRST_TOLERANCE = 1e-9
SECOND_TOLERANCE = 1e-8
ROUNDING = 1e-11


class PropertyError(AssertionError):
    """A property does not hold; the message says of which operand, where, and what was expected."""


class NothingToHoldError(Exception):
    """A property says nothing about this call; the message says why."""


def hold_equal(actual: Any, expected: Any, tolerance: float, what: str, floor: float | None = None) -> None:
    """Raise PropertyError with the worst place unless the values agree, relative to the largest expected.

    A deviation below `floor` is rounding; without one, values are relative to 1 if that is more.
    """
    actual, expected = np.asarray(values_of(actual)), np.asarray(values_of(expected))
    if actual.shape != expected.shape:
        raise PropertyError(f"{what}: shape {actual.shape} where {expected.shape} was expected")
    if not expected.size:
        return
    actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    with np.errstate(all="ignore"):
        error = np.nan_to_num(np.where(same, 0.0, np.abs(actual - expected)), nan=np.inf, posinf=np.inf)
    worst = np.unravel_index(int(np.argmax(error)), error.shape)
    largest = float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected)))
    if error[worst] > max(tolerance * largest, tolerance if floor is None else floor):
        place = f" at {[int(i) for i in worst]}" if worst else ""
        raise PropertyError(f"{what}{place}: {actual[worst]!s} instead of {expected[worst]!s}")


def random_like(rng: np.random.Generator, arrays: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Return an array of random numbers for each of `arrays`, of its shape and dtype."""
    return [np.asarray(rng.normal(size=x.shape), dtype=x.dtype) for x in arrays]
