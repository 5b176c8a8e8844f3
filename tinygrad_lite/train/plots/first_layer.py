"""What the units of the first layer look for, as images."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_lite.tensor import Operand
from tinygrad_lite.train.plots.drawing import new_figure, save_picture
from tinygrad_lite.train.plots.images import as_images

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_UNITS = 100
SHEET_WIDTH = 6.5


def save_first_layer(weight: Operand, image_shape: tuple[int, ...], path: str | os.PathLike[str]) -> Path:
    """Draw each row of `weight` (units, inputs) as an image of the inputs, at most 100 units.

    Images (height, width) are red where the weight is positive, blue where it is negative and white at 0. Images
    (3, height, width), whose inputs are all of red, then green, then blue, are grey at 0 and brighter above. All units
    share one scale, symmetric around 0, up to the largest weight shown.
    Raises ShapeError for another number of inputs; ArgumentError for another shape, weights that are not finite, or a
    suffix other than .png, .svg, .pdf.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_first_layer(np.eye(4), (2, 2), pathlib.Path(folder) / "weights.png").stat().st_size > 1000
    True
    """
    return save_picture(lambda: draw_first_layer(weight, image_shape), path)


def draw_first_layer(weight: Operand, image_shape: tuple[int, ...]) -> Figure:
    """Return the figure that `save_first_layer` writes."""
    from_all = as_images(weight, image_shape)
    images = from_all[:MOST_UNITS]
    limit = float(np.abs(images).max()) or 1.0
    is_colour = images.ndim == 4
    columns = math.ceil(math.sqrt(len(images)))
    sheet = contact_sheet(0.5 + images / (2 * limit) if is_colour else images, columns)
    height = max(2.0, SHEET_WIDTH * sheet.shape[0] / sheet.shape[1])
    figure = new_figure(SHEET_WIDTH + 2, height + 0.6)
    axes = figure.subplots()
    image = axes.imshow(sheet, cmap="gray" if is_colour else "RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    bar = axes.inset_axes((1 + 0.15 / SHEET_WIDTH, 0, 0.2 / SHEET_WIDTH, 1))
    figure.colorbar(image, cax=bar, label="weight of red, green and blue" if is_colour else "weight")
    _number_units(axes, images.shape, columns)
    part = "" if len(images) == len(from_all) else f"the first {len(images)} of "
    axes.set_title(f"{part}{len(from_all):,} units of the first layer", loc="left")
    return figure


def contact_sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Return the images side by side in rows of `columns`, one pixel apart; in between is nan, or white in colour.

    >>> contact_sheet(np.zeros((3, 2, 2)), 2).shape
    (7, 7)
    """
    rows = math.ceil(len(images) / columns)
    tall, wide = images.shape[1] + 1, images.shape[2] + 1
    between = math.nan if images.ndim == 3 else 1.0
    sheet = np.full((rows * tall + 1, columns * wide + 1, *images.shape[3:]), between)
    for number, image in enumerate(images):
        top, left = number // columns * tall + 1, number % columns * wide + 1
        sheet[top : top + tall - 1, left : left + wide - 1] = image
    return sheet


def _number_units(axes: Axes, shape: tuple[int, ...], columns: int) -> None:
    """Name the first unit of each row and how far the others are from it."""
    tall, wide = shape[1] + 1, shape[2] + 1
    rows = range(math.ceil(shape[0] / columns))
    axes.set_yticks([(row + 0.5) * tall for row in rows], [f"unit {row * columns}" for row in rows])
    axes.set_xticks([(column + 0.5) * wide for column in range(1, columns)], [f"+{i}" for i in range(1, columns)])
    axes.tick_params(length=0)
    axes.set_frame_on(False)
