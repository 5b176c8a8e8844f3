"""Loss and accuracy by epoch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.train.history import History
from tinygrad_lite.train.plots.columns import HELD_OUT, column_names, values_in
from tinygrad_lite.train.plots.drawing import (
    BLUE,
    VERMILLION,
    by_epoch,
    marked,
    needs_logarithm,
    new_figure,
    save_picture,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_curves(history: History, path: str | os.PathLike[str]) -> Path:
    """Draw loss and accuracy by epoch, training beside validation, and write them to `path` (.png, .svg or .pdf).

    A loss that spans more than two decades has a logarithmic scale.
    Raises ArgumentError for a history without epochs or without a loss, or another suffix.

    >>> import pathlib, tempfile
    >>> history = History([{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.4}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_curves(history, pathlib.Path(folder) / "curves.png").stat().st_size > 1000
    True
    """
    return save_picture(lambda: draw_curves(history), path)


def draw_curves(history: History) -> Figure:
    """Return the figure that `save_curves` writes."""
    names = column_names(history)
    measured = [name for name in ("loss", "accuracy") if name in names]
    if not measured:
        raise ArgumentError(f"there is no loss and no accuracy to draw, only {', '.join(names)}")
    epochs = values_in(history, "epoch")
    every = marked(len(epochs))
    figure = new_figure(5 * len(measured), 4)
    for axes, name in zip(figure.subplots(1, len(measured), squeeze=False)[0], measured, strict=True):
        lines = {"training": values_in(history, name)}
        if HELD_OUT + name in names:
            lines["held out"] = values_in(history, HELD_OUT + name)
        styles = ({"color": BLUE, "marker": "o"}, {"color": VERMILLION, "marker": "s", "linestyle": "--"})
        for (label, values), style in zip(lines.items(), styles, strict=False):
            axes.plot(epochs, values, label=label, markevery=every, markersize=4, **style)
        by_epoch(axes, epochs, name)
        if name == "loss" and needs_logarithm(value for values in lines.values() for value in values):
            axes.set_yscale("log")
        axes.legend()
    return figure
