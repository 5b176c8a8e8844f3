"""Rows of numbers as images: grey ones, and colour ones that hold red, green and blue one after the other."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_lite.errors import ArgumentError, ShapeError
from tinygrad_lite.tensor import Operand, as_operand, values_of


def as_images(rows: Operand, image_shape: tuple[int, ...]) -> np.ndarray:
    """Return the rows as images (n, height, width), or (n, height, width, 3) where the shape is (3, height, width).

    >>> as_images(np.zeros((5, 12)), (3, 2, 2)).shape
    (5, 2, 2, 3)
    """
    shape = tuple(image_shape)
    values = values_of(as_operand(rows))
    if len(shape) == 3 and shape[0] == 1:
        shape = shape[1:]
    if min(shape, default=0) < 1 or len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] != 3):
        raise ArgumentError(
            f"image_shape is (height, width) for grey images or (3, height, width) for colour ones, got {image_shape!r}"
        )
    if values.ndim != 2 or not len(values):
        raise ShapeError(f"images come as rows, an image each, got shape {values.shape}")
    if values.shape[1] != math.prod(shape):
        raise ShapeError(f"image_shape {image_shape!r} has {math.prod(shape)} numbers, but a row has {values.shape[1]}")
    images = values.reshape(-1, *shape).astype(np.float64)
    if not np.isfinite(images).all():
        raise ArgumentError("what is drawn as images must be finite, but there are nan or infinite numbers")
    return np.moveaxis(images, 1, -1) if len(shape) == 3 else images


def as_brightness(images: np.ndarray) -> np.ndarray:
    """Return the images scaled together into [0, 1]; those in [0, 1] stay, and those in [0, 255] are divided by 255.

    >>> as_brightness(np.array([0.0, 51.0, 255.0])).tolist(), as_brightness(np.array([-1.0, 0.0, 3.0])).tolist()
    ([0.0, 0.2, 1.0], [0.0, 0.25, 1.0])
    """
    least, most = float(images.min()), float(images.max())
    if least < 0 or most > 255:
        return (images - least) / ((most - least) or 1.0)
    return images / 255 if most > 1 else images
