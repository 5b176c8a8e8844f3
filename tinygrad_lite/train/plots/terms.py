"""Each term of the objective by epoch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.train.history import History
from tinygrad_lite.train.plots.columns import HELD_OUT, column_names, terms_of, values_in
from tinygrad_lite.train.plots.drawing import by_epoch, look, marked, needs_logarithm, new_figure, plain, save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_terms(history: History, path: str | os.PathLike[str]) -> Path:
    """Draw each term of the objective by epoch, and the whole, the loss, in black; rows held out have a panel beside.

    Terms are drawn as the history holds them, without their factors, on a logarithmic scale if they span more than two
    decades and none is zero or below.
    Raises ArgumentError for a history without epochs, an objective of one term, or a suffix but .png, .svg and .pdf.

    >>> import pathlib, tempfile
    >>> history = History([{"epoch": 1, "loss": 0.9, "mse": 0.7, "l2": 0.2}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_terms(history, pathlib.Path(folder) / "terms.png").stat().st_size > 1000
    True
    """
    return save_picture(lambda: draw_terms(history), path)


def draw_terms(history: History) -> Figure:
    """Return the figure that `save_terms` writes."""
    names, terms = column_names(history), terms_of(history)
    if not terms:
        raise ArgumentError(
            f"the history has no terms to draw, only {', '.join(names)}: the loss of an objective of one term is that "
            "term, and save_curves draws it"
        )
    panels = {"training": ""}
    if any(HELD_OUT + term in names for term in terms):
        panels["held out"] = HELD_OUT
    epochs = values_in(history, "epoch")
    figure = new_figure(5 * len(panels) + 1.5, 4)
    seen: list[float] = []
    row = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (title, prefix) in zip(row, panels.items(), strict=True):
        for number, term in enumerate(terms):
            values = values_in(history, prefix + term)
            seen += values
            every = marked(len(epochs))
            axes.plot(epochs, values, label=plain(term), markevery=every, markersize=4, **look(number))
        whole = values_in(history, f"{prefix}loss")
        seen += whole
        axes.plot(epochs, whole, color="black", linewidth=2.5, alpha=0.6, label="loss")
        by_epoch(axes, epochs, "value, without its factor" if not prefix else "")
        axes.set_title(title)
    if needs_logarithm(seen):
        row[0].set_yscale("log")
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside right upper")
    return figure
