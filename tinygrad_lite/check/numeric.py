"""Gradients by central differences: slow, approximate, and nobody's derivation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

EPSILON = float(np.finfo(np.float64).eps)

STEP = float(np.cbrt(EPSILON))
"""The step at which truncation (h²) and cancellation (ε/h) are alike in float64, about 6e-6."""


def central_differences(f: Callable[[], float], x: np.ndarray, indices: Iterable[tuple[int, ...]]) -> np.ndarray:
    """Return (f at x + h − f at x − h)/2h for each entry of `x` that `indices` names.

    `f` reads the float64 array `x`, whose entries are moved one at a time by h = STEP · max(1, |entry|) and put back,
    also if `f` raises.

    >>> import numpy as np
    >>> x = np.array([1.0, 3.0])
    >>> central_differences(lambda: float((x**2).sum()), x, [(0,), (1,)]).round(6)
    array([2., 6.])
    """
    return np.array([_central_difference(f, x, index) for index in indices])


def _central_difference(f: Callable[[], float], x: np.ndarray, index: tuple[int, ...]) -> float:
    middle = float(x[index])
    step = STEP * max(1.0, abs(middle))
    ahead, behind = middle + step, middle - step
    try:
        x[index] = ahead
        above = f()
        x[index] = behind
        below = f()
    finally:
        x[index] = middle
    return (above - below) / (ahead - behind)
