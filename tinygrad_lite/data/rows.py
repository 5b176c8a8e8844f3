"""What the readers of images share: two splits, and pixels as rows of float32."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinygrad_lite.errors import ArgumentError

_DIVISORS = {"unit": 255, "raw": 1}


def check_split(split: str) -> None:
    """Raise ArgumentError for a split that is neither "train" nor "test"."""
    if split not in ("train", "test"):
        raise ArgumentError(f"split must be 'train' or 'test', got {split!r}")


def check_pixels(pixels: str) -> None:
    """Raise ArgumentError for a scale of pixels that is neither "unit" nor "raw"."""
    if pixels not in ("unit", "raw"):
        raise ArgumentError(f"pixels must be 'unit' (pixel / 255) or 'raw' (0 to 255), got {pixels!r}")


def as_rows(parts: Sequence[np.ndarray], pixels: str) -> np.ndarray:
    """Return the uint8 images of all `parts`, one after the other, as float32 rows: pixel / 255, or 0 to 255.

    >>> as_rows([np.array([[[0, 51], [102, 255]]], np.uint8)], "unit").tolist()
    [[0.0, 0.20000000298023224, 0.4000000059604645, 1.0]]
    """
    x = np.empty((sum(map(len, parts)), math.prod(parts[0].shape[1:])), np.float32)
    start = 0
    for images in parts:
        rows = x[start : start + len(images)]
        np.divide(images.reshape(rows.shape), _DIVISORS[pixels], out=rows, dtype=np.float32)
        start += len(images)
    return x
