"""The rows that an experiment trains on, holds out and is tested on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_lite.data import load
from tinygrad_lite.errors import DataError, ExperimentError
from tinygrad_lite.experiments.declaring import DataSection, Experiment

MOST_CLASSES = 1000
"""How many classes can be told apart: their confusion matrix has as many numbers squared."""

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Rows:
    """Inputs and targets in three parts, and what is known of them."""

    train: Pair
    validation: Pair | None
    test: Pair
    outputs: int
    """How many numbers the network gives for a row: one a class, or one a column of the targets."""
    labels: np.ndarray | None
    """The classes of the test rows, None if the targets are numbers."""
    image_shape: tuple[int, ...] | None
    class_names: tuple[str, ...] | None

    @property
    def inputs(self) -> int:
        """How many numbers the network takes for a row."""
        return int(self.train[0].shape[1])


def load_rows(experiment: Experiment, folders: Sequence[str | os.PathLike[str]] = ()) -> Rows:
    """Return the rows of an experiment, as its section `data` says.

    Data sets are looked for in `folders`, then in those of `TINYGRAD_LITE_DATA`, then in the user's cache. Raises
    DataError if they are not there, ExperimentError for more rows than there are.

    >>> from tinygrad_lite.experiments import DataSection, Experiment
    >>> rows = load_rows(Experiment(data=DataSection(train_rows=600, test_rows=100, validation=200)))
    >>> rows.train[0].shape, rows.validation[0].shape, rows.test[0].shape, rows.outputs
    ((400, 784), (200, 784), (100, 784), 10)
    """
    section = experiment.data
    found = load(section.name, pixels=_pixels(section), folders=folders, path=section.path)
    for part, (x, t) in (("training", found.train), ("test", found.test)):
        _refuse_what_is_not_finite(section.name, part, x, t)
    train = _first(section.train_rows, found.train, "data.train_rows", section.name)
    test = _first(section.test_rows, found.test, "data.test_rows", section.name)
    if section.pixels == "standard":
        train, test = _standardised(train, test)
    names = found.class_names
    if section.random_labels is not None:
        rng = np.random.default_rng(section.label_seed)
        train, test = ((x, rng.integers(section.random_labels, size=len(x))) for x, _ in (train, test))
        names = None
    labels = test[1] if test[1].ndim == 1 and test[1].dtype.kind in "iu" else None
    _refuse_numbers(experiment, labels is None, train[1])
    outputs = _outputs(section, train[1], test[1], names)
    if labels is None or experiment.objective.loss in ("mse", "binary_cross_entropy"):
        train, test = ((x, _as_columns(t, outputs)) for x, t in (train, test))
    train, validation = _held_out(section.validation, train, test)
    return Rows(train, validation, test, outputs, labels, found.image_shape, names)


def _refuse_what_is_not_finite(name: str, part: str, *arrays: np.ndarray) -> None:
    for array, what in zip(arrays, ("inputs", "targets"), strict=True):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            row = int(np.flatnonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))[0])
            raise DataError(
                f"the {part} {what} of {name!r} hold nan or infinity, first in row {row}; leave such rows out"
            )


def _pixels(section: DataSection) -> str:
    return "unit" if section.pixels == "standard" else section.pixels


def _first(count: int | None, pair: Pair, path: str, name: str) -> Pair:
    x, t = pair
    if count is not None and count > len(x):
        raise ExperimentError(f"{path}: asks for {count} rows of {name!r}, which has {len(x)}")
    return x[:count], t[:count]


def _standardised(train: Pair, test: Pair) -> tuple[Pair, Pair]:
    """Return the rows minus the mean of all training values, over their standard deviation."""
    mean, deviation = train[0].mean(dtype=np.float64), train[0].std(dtype=np.float64)
    if not deviation > 0:
        raise ExperimentError("data.pixels: the training inputs are all the same, so they have no standard deviation")
    scaled = [((x - x.dtype.type(mean)) / x.dtype.type(deviation), t) for x, t in (train, test)]
    return scaled[0], scaled[1]


def _refuse_numbers(experiment: Experiment, are_numbers: bool, t: np.ndarray) -> None:
    """Raise ExperimentError for a loss on classes where the targets are numbers, unless they are shares of classes."""
    loss = experiment.objective.loss
    if not are_numbers or loss not in ("cross_entropy", "log_likelihood"):
        return
    if not (t.ndim == 2 and t.shape[1] > 1 and t.min() >= 0 and np.allclose(t.sum(axis=1), 1, atol=1e-4)):
        raise ExperimentError(
            f'objective.loss: "{loss}" is for classes, and the targets of {experiment.data.name!r} are numbers; '
            'take "mse", or write integer labels'
        )


def _outputs(section: DataSection, train: np.ndarray, test: np.ndarray, names: tuple[str, ...] | None) -> int:
    if section.random_labels is not None:
        return section.random_labels
    if train.ndim > 1 or train.dtype.kind not in "iu":
        return 1 if train.ndim == 1 else int(train.shape[1])
    least, most = (int(reduce([reduce(t) for t in (train, test)])) for reduce in (np.min, np.max))
    if least < 0 or most >= MOST_CLASSES:
        raise ExperimentError(
            f"data: the labels of {section.name!r} go from {least} to {most}; "
            f"number the classes from 0, at most {MOST_CLASSES} of them"
        )
    return max(most, len(names or ()) - 1) + 1


def _as_columns(t: np.ndarray, outputs: int) -> np.ndarray:
    """Return targets with a column for each output: one-hot rows for labels, numbers as they are."""
    if t.ndim == 1 and t.dtype.kind in "iu":
        one_hot = np.zeros((len(t), outputs), np.float32)
        one_hot[np.arange(len(t)), t] = 1
        return one_hot
    return t.reshape(len(t), -1)


def _held_out(validation: int | str, train: Pair, test: Pair) -> tuple[Pair, Pair | None]:
    if isinstance(validation, str):
        return train, test
    if not validation:
        return train, None
    x, t = train
    if validation >= len(x):
        raise ExperimentError(
            f"data.validation: holds out {validation} rows of {len(x)}, which leaves none to train on"
        )
    return (x[:-validation], t[:-validation]), (x[-validation:], t[-validation:])
