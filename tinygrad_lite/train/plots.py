"""Pictures of a training run, drawn by matplotlib without a screen."""

from __future__ import annotations

import os
from pathlib import Path

from tinygrad_lite.errors import ArgumentError, MissingDependencyError
from tinygrad_lite.files import replacing
from tinygrad_lite.train.history import History


def save_curves(history: History, path: str | os.PathLike[str]) -> Path:
    """Draw loss and accuracy by epoch, training beside validation, and write them to `path` (.png, .svg or .pdf).

    Raises ArgumentError for an empty history or another suffix.

    >>> import pathlib, tempfile
    >>> history = History([{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.4}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_curves(history, pathlib.Path(folder) / "curves.png").stat().st_size > 1000
    True
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise MissingDependencyError("plots need matplotlib: pip install 'tinygrad-lite[train]'") from problem
    path = Path(path)
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise ArgumentError(f"curves are drawn as .png, .svg or .pdf, not as {path.name!r}")
    if not history.rows:
        raise ArgumentError("there is nothing to draw: the history has no epochs")
    columns = [column for column in ("loss", "accuracy") if column in history]
    figure = Figure(figsize=(5 * len(columns), 4), layout="constrained")
    for axes, column in zip(figure.subplots(1, len(columns), squeeze=False)[0], columns, strict=True):
        axes.plot(history["epoch"], history[column], "o-", label="training")
        if f"validation_{column}" in history:
            axes.plot(history["epoch"], history[f"validation_{column}"], "s--", label="held out")
        axes.set(xlabel="epoch", ylabel=column)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    with replacing(path) as file:
        figure.savefig(file, format=path.suffix[1:], dpi=120)
    return path
