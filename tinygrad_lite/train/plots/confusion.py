"""Which classes are taken for which."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.train.metrics import Metrics
from tinygrad_lite.train.plots.drawing import names_of_classes, new_figure, save_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage


def save_confusion(metrics: Metrics, path: str | os.PathLike[str], class_names: Sequence[str] | None = None) -> Path:
    """Draw the confusion matrix: how many rows of each true class, downwards, were given each class, to the right.

    The colour is the share of the true class. What is right is blue; what is wrong is orange on a scale of its own,
    that of square roots up to the largest share, so that few faults show beside many hits. Cells of no rows are empty.
    Raises ArgumentError for class names that are too many or too few, or a suffix other than .png, .svg, .pdf.

    >>> import pathlib, tempfile
    >>> metrics = Metrics(np.array([[5, 1], [0, 4]]), cross_entropy=0.3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_confusion(metrics, pathlib.Path(folder) / "confusion.png", ["cat", "dog"]).stat().st_size > 1000
    True
    """
    return save_picture(lambda: draw_confusion(metrics, class_names), path)


def draw_confusion(metrics: Metrics, class_names: Sequence[str] | None = None) -> Figure:
    """Return the figure that `save_confusion` writes."""
    counts = metrics.confusion
    classes = len(counts)
    if not metrics.rows:
        raise ArgumentError("there is nothing to draw: the confusion matrix counts no rows")
    names = names_of_classes(class_names, classes)
    cell = max(0.26, min(1.5, 5 / classes))
    side, margin = classes * cell, 1.0 + 0.09 * max(map(len, names))
    heading = max(10.0, 0.6 * side)
    figure = new_figure(side + margin + 1.2, side + margin)
    axes = figure.subplots()
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    right, wrong = colour_shares(axes, shares)
    for image, place, label in ((right, 0.52, "right"), (wrong, 0.0, "wrong")):
        _colour_bar(axes, image, (1 + 0.1 / side, place, 0.15 / side, 0.48), f"{label}, of the true class")
    write_counts(axes, counts, shares, (right, wrong), cell)
    label_classes(axes, names, cell, heading)
    title = f"accuracy {100 * metrics.accuracy:.2f} %: {metrics.faults:,} of {metrics.rows:,} rows wrong"
    axes.set_title(title, loc="left", fontsize=heading)
    return figure


def colour_shares(axes: Axes, shares: np.ndarray) -> tuple[AxesImage, AxesImage]:
    """Colour the cells by their share, the diagonal and the rest each on a scale of its own; return both images."""
    from matplotlib.colors import Normalize, PowerNorm

    is_right = np.eye(len(shares), dtype=bool)
    worst = float(shares[~is_right].max(initial=0)) or 1.0
    of_right = np.ma.masked_array(shares, ~is_right | (shares == 0))
    of_wrong = np.ma.masked_array(shares, is_right | (shares == 0))
    right = axes.imshow(of_right, cmap="Blues", norm=Normalize(0, 1))
    return right, axes.imshow(of_wrong, cmap="Oranges", norm=PowerNorm(0.5, 0, worst))


def _colour_bar(axes: Axes, image: AxesImage, place: tuple[float, float, float, float], label: str) -> None:
    """Put the colour bar of `image` beside the matrix: `place` is left, bottom, width and height in parts of it."""
    from matplotlib.ticker import PercentFormatter

    axes.figure.colorbar(image, cax=axes.inset_axes(place), format=PercentFormatter(1), label=label)


def write_counts(
    axes: Axes, counts: np.ndarray, shares: np.ndarray, images: tuple[AxesImage, AxesImage], cell: float
) -> None:
    """Write each count that is not zero into its cell, `cell` inches wide, dark on light and light on dark."""
    right, wrong = (image.to_rgba(shares)[..., :3] @ (0.299, 0.587, 0.114) for image in images)
    brightness = np.where(np.eye(len(counts), dtype=bool), right, wrong)
    size = min(11.0, 72 * cell * 0.85 / (0.65 * len(str(counts.max()))))
    for true, predicted in np.argwhere(counts):
        colour = "white" if brightness[true, predicted] < 0.5 else "black"
        axes.text(
            predicted, true, str(counts[true, predicted]), ha="center", va="center", fontsize=size, color=colour,
            in_layout=False,  # it lies within its cell, and 10,000 of them would take the layout long
        )  # fmt: skip


def label_classes(axes: Axes, names: Sequence[str], cell: float, heading: float) -> None:
    """Name each row and column, upright where a name is wider than its column, and draw lines between them."""
    places, borders = range(len(names)), np.arange(-0.5, len(names))
    size = max(6.0, min(10.0, 72 * cell * 0.6))
    is_upright = max(map(len, names)) * 0.62 * size > 72 * cell
    axes.set_xticks(places, names, fontsize=size, rotation=90 if is_upright else 0)
    axes.set_yticks(places, names, fontsize=size)
    axes.set_xlabel("predicted class", fontsize=heading)
    axes.set_ylabel("true class", fontsize=heading)
    axes.set_xticks(borders, minor=True)
    axes.set_yticks(borders, minor=True)
    axes.grid(which="minor", color="#DDDDDD", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
