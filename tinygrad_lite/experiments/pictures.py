"""The pictures of a run, each as PNG and as SVG, as far as its data and its network have something to show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tinygrad_lite.experiments.loading import Rows
from tinygrad_lite.nn import MLP
from tinygrad_lite.train import History, Metrics
from tinygrad_lite.train.plots import (
    save_confusion,
    save_curves,
    save_first_layer,
    save_gradient_norms,
    save_misclassified,
    save_terms,
)
from tinygrad_lite.train.plots.columns import GRADIENT_NORM, terms_of


def save_pictures(
    net: MLP, history: History, metrics: Metrics | None, rows: Rows, prediction: np.ndarray, folder: Path
) -> None:
    """Draw what there is to see of a run into `folder`, which is made if need be."""
    shape, labels, names = rows.image_shape, rows.labels, rows.class_names
    weight = net.layers[0].weight.data
    drawn: dict[str, Callable[[Path], object]] = {"curves": lambda path: save_curves(history, path)}
    if terms_of(history):
        drawn["terms"] = lambda path: save_terms(history, path)
    if any(column.startswith(GRADIENT_NORM) for column in history.last):
        drawn["gradient_norms"] = lambda path: save_gradient_norms(history, path)
    if metrics is not None:
        drawn["confusion"] = lambda path: save_confusion(metrics, path, names)
    if shape is not None and (len(shape) == 2 or (len(shape) == 3 and shape[0] in (1, 3))):
        drawn["first_layer"] = lambda path: save_first_layer(weight, shape, path)
        if labels is not None:
            drawn["misclassified"] = lambda path: save_misclassified(
                rows.test[0], labels, prediction, shape, path, names, output=net.output
            )
    folder.mkdir(exist_ok=True)
    for name, draw in drawn.items():
        for suffix in (".png", ".svg"):
            draw(folder / f"{name}{suffix}")
