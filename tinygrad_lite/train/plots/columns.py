"""The columns of a history, as pictures read them."""

from __future__ import annotations

import itertools
import math

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.train.history import History

HELD_OUT = "validation_"
GRADIENT_NORM = "gradient_norm."
_AFTER_THE_TERMS = ("accuracy", "learning_rate", HELD_OUT, "gradient_norm")


def column_names(history: History) -> list[str]:
    """Return the names of all columns in the order they first appear; raises ArgumentError if there are no epochs.

    >>> column_names(History([{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.4, "validation_loss": 0.5}]))
    ['epoch', 'loss', 'validation_loss']
    """
    if not history.rows:
        raise ArgumentError("there is nothing to draw: the history has no epochs")
    return list(dict.fromkeys(itertools.chain.from_iterable(history.rows)))


def values_in(history: History, column: str) -> list[float]:
    """Return a column, with nan for epochs that lack it, which a line passes over.

    >>> values_in(History([{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.4, "validation_loss": 0.5}]),
    ...           "validation_loss")
    [nan, 0.5]
    """
    return [row.get(column, math.nan) for row in history.rows]


def terms_of(history: History) -> list[str]:
    """Return the columns that hold the terms of the objective: those that follow the loss.

    >>> terms_of(History([{"epoch": 1, "loss": 0.9, "mse": 0.8, "l2": 0.1, "validation_loss": 0.5}]))
    ['mse', 'l2']
    """
    names = column_names(history)
    after = names[names.index("loss") + 1 :] if "loss" in names else []
    return list(itertools.takewhile(lambda name: not name.startswith(_AFTER_THE_TERMS), after))
