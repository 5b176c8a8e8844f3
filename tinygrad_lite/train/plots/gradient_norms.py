"""The norm of each parameter's gradient by epoch."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.train.history import History
from tinygrad_lite.train.plots.columns import GRADIENT_NORM, column_names, values_in
from tinygrad_lite.train.plots.drawing import LINE_STYLES, by_epoch, look, marked, new_figure, plain, save_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES_IN_A_COLUMN = 25


def save_gradient_norms(history: History, path: str | os.PathLike[str]) -> Path:
    """Draw the norm of the gradient of each parameter by epoch, a line a parameter, on a logarithmic scale.

    Parameters of one layer share a colour. Where a norm is zero its line is interrupted; the legend tells of parameters
    whose gradient is zero throughout.
    Raises ArgumentError for a history without epochs or gradient norms, or a suffix other than .png, .svg, .pdf.

    >>> import pathlib, tempfile
    >>> history = History([{"epoch": 1, "loss": 0.9, "gradient_norm.weight": 0.3, "gradient_norm.bias": 0.01}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_gradient_norms(history, pathlib.Path(folder) / "norms.png").stat().st_size > 1000
    True
    """
    return save_picture(lambda: draw_gradient_norms(history), path)


def draw_gradient_norms(history: History) -> Figure:
    """Return the figure that `save_gradient_norms` writes."""
    names = column_names(history)
    parameters = [name.removeprefix(GRADIENT_NORM) for name in names if name.startswith(GRADIENT_NORM)]
    if not parameters:
        raise ArgumentError(
            f"the history has no gradient norms to draw, no column {GRADIENT_NORM}<parameter>, only {', '.join(names)}"
        )
    epochs = values_in(history, "epoch")
    legends = math.ceil(len(parameters) / NAMES_IN_A_COLUMN)
    widest = max(map(len, parameters))
    height = max(4.0, 0.8 + 0.21 * math.ceil(len(parameters) / legends))
    figure = new_figure(5.5 + legends * (0.8 + 0.08 * min(widest, 40)), height)
    axes = figure.subplots()
    any_above_zero = False
    for parameter, style in zip(parameters, looks(parameters), strict=True):
        values = values_in(history, GRADIENT_NORM + parameter)
        is_dead = not any(value > 0 for value in values)
        any_above_zero |= not is_dead
        label = plain(parameter, limit=40) + (" (zero)" if is_dead else "")
        axes.plot(epochs, values, label=label, markevery=marked(len(epochs)), markersize=4, **style)
    by_epoch(axes, epochs, "norm of the gradient")
    if any_above_zero:
        axes.set_yscale("log", nonpositive="mask")
    figure.legend(loc="outside right upper", ncols=legends)
    return figure


def looks(parameters: list[str]) -> list[dict[str, Any]]:
    """Return how the line of each parameter looks: a colour a layer, a line style for each parameter of the layer.

    >>> [style["color"] for style in looks(["layers.0.weight", "layers.0.bias", "layers.1.weight"])]
    ['#0072B2', '#0072B2', '#D55E00']
    """
    layers = [parameter.rpartition(".")[0] for parameter in parameters]
    order = list(dict.fromkeys(layers))
    if len(order) == 1:
        return [look(number) for number in range(len(parameters))]
    found = []
    for number, layer in enumerate(layers):
        within = layers[:number].count(layer)
        found.append(look(order.index(layer)) | {"linestyle": LINE_STYLES[within % len(LINE_STYLES)]})
    return found
