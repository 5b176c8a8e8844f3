"""The values of arrays in a few words, and how large they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

SMALL: Final = 4
"""How many values are told one by one."""


def pooled(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return all values of `arrays` in a row."""
    return np.concatenate([np.asarray(array, np.float64).ravel() for array in arrays]) if arrays else np.zeros(0)


def values_in_words(arrays: Sequence[np.ndarray]) -> str:
    """Return small arrays in full, of others mean ± spread and how many are not finite.

    >>> values_in_words([np.array([1.0, 0.5])]), values_in_words([np.arange(9.0)])
    ('[1 0.5]', '4 ± 2.58')
    """
    if len(arrays) == 1 and arrays[0].size <= SMALL and arrays[0].ndim <= 1:
        told = " ".join(f"{value + 0.0:.4g}" for value in arrays[0].astype(np.float64).flat)
        return f"[{told}]" if arrays[0].ndim else f"= {told}"
    values = pooled(arrays)
    finite = values[np.isfinite(values)]
    parts = []
    if finite.size:
        with np.errstate(over="ignore", invalid="ignore"):
            parts.append(f"{finite.mean():.3g} ± {finite.std():.3g}")
    for name, count in (("nan", np.isnan(values).sum()), ("inf", np.isinf(values).sum())):
        parts += [f"{count:,} {name}"] if count else []
    return ", ".join(parts) or "no values"


def norm(arrays: Sequence[np.ndarray]) -> float:
    """Return the Euclidean norm of all values together."""
    values = pooled(arrays)
    largest = float(np.abs(values).max(initial=0.0))
    if not largest or not math.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(values / largest))


def root_mean_square(arrays: Sequence[np.ndarray]) -> float:
    """Return the usual magnitude of the values; it is not finite if one of them is not."""
    values = pooled(arrays)
    return norm([values]) / math.sqrt(values.size) if values.size else 0.0
