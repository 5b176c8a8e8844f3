"""The rows that were given another class than their own."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinygrad_lite.errors import ShapeError
from tinygrad_lite.tensor import Operand
from tinygrad_lite.train.metrics import class_labels, judge
from tinygrad_lite.train.plots.drawing import names_of_classes, new_figure, save_picture
from tinygrad_lite.train.plots.images import as_brightness, as_images

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_IMAGES = 25


def save_misclassified(
    x: Operand,
    t: Operand,
    prediction: Operand,
    image_shape: tuple[int, ...],
    path: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
    *,
    output: str = "identity",
) -> Path:
    """Draw the rows of `x` that `prediction` gets wrong as images, at most 25, the most confident mistakes first.

    Above each stand "true → predicted" and the probability that the prediction gives to the class it names. Images
    have the shape (height, width) or (3, height, width); `t`, `prediction` and `output` are those of
    `classification_metrics`. Where nothing is wrong the picture says so.
    Raises ShapeError and ArgumentError for what does not fit.

    >>> import pathlib, tempfile
    >>> x, t, prediction = np.eye(4), np.array([0, 1, 0, 1]), np.eye(2)[[0, 1, 1, 0]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_misclassified(x, t, prediction, (2, 2), pathlib.Path(folder) / "wrong.png").stat().st_size > 1000
    True
    """
    return save_picture(lambda: draw_misclassified(x, t, prediction, image_shape, class_names, output=output), path)


def draw_misclassified(
    x: Operand,
    t: Operand,
    prediction: Operand,
    image_shape: tuple[int, ...],
    class_names: Sequence[str] | None = None,
    *,
    output: str = "identity",
) -> Figure:
    """Return the figure that `save_misclassified` writes."""
    predicted, log_probabilities = judge(prediction, output)
    rows, classes = log_probabilities.shape
    labels = class_labels(t, rows, classes)
    names = names_of_classes(class_names, classes)
    images = as_brightness(as_images(x, image_shape))
    if len(images) != rows:
        raise ShapeError(f"there are {len(images)} images, but {rows} rows of predictions")
    order = most_confident_mistakes(labels, predicted, log_probabilities)
    if not order.size:
        return _nothing_wrong(rows)
    shown = order[:MOST_IMAGES]
    columns = min(5, len(shown))
    down = math.ceil(len(shown) / columns)
    titles = [f"{names[labels[row]]} → {names[predicted[row]]}" for row in shown]
    width = max(1.5, 0.1 * max(map(len, titles)))
    figure = new_figure(max(4.0, columns * width), 0.5 + 1.9 * down)
    grid = figure.subplots(down, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, row, title in zip(grid, shown, titles, strict=False):
        confidence = math.exp(log_probabilities[row, predicted[row]])
        axes.imshow(images[row], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(f"{title}\n{100 * confidence:.1f} %", fontsize=10)
    part = "" if len(shown) == order.size else f"the {len(shown)} most confident of "
    figure.suptitle(f"{part}{order.size:,} wrong of {rows:,} rows: true → predicted")
    return figure


def most_confident_mistakes(labels: np.ndarray, predicted: np.ndarray, log_probabilities: np.ndarray) -> np.ndarray:
    """Return the numbers of the wrong rows, the one most sure of its class first.

    Where rounding makes several equally sure, the one least willing to give the true class comes first.

    >>> log_probabilities = np.log([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8]])
    >>> most_confident_mistakes(np.array([1, 1, 1]), np.array([0, 0, 1]), log_probabilities).tolist()
    [1, 0]
    """
    wrong = np.flatnonzero(labels != predicted)
    of_true, of_predicted = log_probabilities[wrong, labels[wrong]], log_probabilities[wrong, predicted[wrong]]
    return wrong[np.lexsort((of_true, -of_predicted))]


def _nothing_wrong(rows: int) -> Figure:
    figure = new_figure(4.5, 2)
    figure.text(0.5, 0.5, f"all {rows:,} rows are classified right", ha="center", va="center", fontsize=13)
    return figure
