"""When a training has seen its best: early stopping, and which epoch is the best so far, read off the history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinygrad_lite.data.batches import whole_number
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.nn import Objective
from tinygrad_lite.train.history import History


@dataclass(frozen=True)
class EarlyStopping:
    """End the training once `monitor` has not become better for `patience` epochs (Prechelt, 1998).

    `monitor` is a column of the history; without one it is `validation_loss`, or `loss` where nothing is held out. An
    epoch is better if it improves on the best before it by more than `least_change`. It remembers nothing: the history
    alone decides, so that a resumed training stops where an uninterrupted one does. The network keeps the parameters of
    the last epoch; those of the best are in the checkpoint `best.safetensors`.

    >>> from tinygrad_lite import nn
    >>> history = History([{"loss": loss} for loss in (0.9, 0.5, 0.6, 0.55)])
    >>> EarlyStopping(patience=2).is_due(history, nn.CrossEntropy())
    True
    """

    patience: int = 5
    monitor: str | None = None
    least_change: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "patience", whole_number("patience", self.patience, at_least=1))
        if not isinstance(self.monitor, str | None):
            raise ArgumentError(f"monitor must be the name of a column of the history, got {self.monitor!r}")
        least = self.least_change
        if not isinstance(least, int | float | np.number) or not least >= 0:
            raise ArgumentError(f"least_change must be a number from 0, got {least!r}")
        object.__setattr__(self, "least_change", float(least))

    def is_due(self, history: History, objective: Objective) -> bool:
        """Return whether the last `patience` epochs have brought nothing better than what was before them."""
        column, sign = _monitored(self.monitor, history, objective)
        best, since = -float("inf"), 0
        for value in history[column]:
            since += 1
            if sign * value > best + self.least_change:
                best, since = sign * value, 0
        return since >= self.patience


def is_best(monitor: str | None, history: History, objective: Objective) -> bool:
    """Return whether the last epoch of the history is better than every one before it.

    >>> from tinygrad_lite import nn
    >>> is_best("accuracy", History([{"loss": 1.0, "accuracy": 0.8}, {"loss": 2.0, "accuracy": 0.9}]), nn.MSE())
    True
    """
    column, sign = _monitored(monitor, history, objective)
    return history.best_row(column, largest=sign > 0) == len(history) - 1


def _monitored(monitor: str | None, history: History, objective: Objective) -> tuple[str, float]:
    """Return the column to look at, and 1 if more of it is better, −1 if less is."""
    column = monitor or ("validation_loss" if "validation_loss" in history else "loss")
    history.best_row(column)  # raises for a column that is not there
    name = column.removeprefix("validation_")
    if name == "accuracy":
        return column, 1.0
    senses = {term.name: term.own_sense for _, term in objective.weighted_terms()} | {"loss": objective.sense}
    return column, 1.0 if senses.get(name) == "maximise" else -1.0
