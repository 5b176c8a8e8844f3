"""How large values are, and how precise."""

from __future__ import annotations

from typing import Any

import numpy as np

EPSILON = float(np.finfo(np.float64).eps)
"""The rounding of float64, relative to the value that is rounded."""


def largest(array: Any) -> float:
    """Return the largest finite value of an array, without its sign; 0 if there is none, or no array."""
    if array is None:
        return 0.0
    values = np.abs(np.asarray(array))
    return float(np.max(values, initial=0.0, where=np.isfinite(values)))
