"""What a classifier gets right and wrong, counted class by class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.errors import ArgumentError, ShapeError
from tinygrad_lite.nn import activation
from tinygrad_lite.tensor import Operand, as_operand, values_of

SUM_TOLERANCE = 1e-2
"""How far from 1 the probabilities of a row may add up to: rounding of float16 stays below, logits do not."""


@dataclass(frozen=True, eq=False)
class Metrics:
    """How well rows were classified: `confusion` counts them by true class (row) and predicted class (column).

    `cross_entropy` is the mean of −log p of the true class, in nats. Precision, recall and F1 are arrays, one value a
    class; a class that is never predicted has precision 0.0, one that no row belongs to has recall 0.0, and where both
    are 0.0 so is F1. `str` shows a table.

    >>> found = Metrics(np.array([[2, 1], [0, 1]]), cross_entropy=0.25)
    >>> found.accuracy, found.faults, found.recall.tolist()
    (0.75, 1, [0.666..., 1.0])
    """

    confusion: np.ndarray
    cross_entropy: float

    @property
    def rows(self) -> int:
        """How many rows were classified."""
        return int(self.confusion.sum())

    @property
    def faults(self) -> int:
        """How many rows were given another class than their own."""
        return self.rows - int(self.confusion.trace())

    @property
    def accuracy(self) -> float:
        """The share of the rows that were given their own class."""
        return int(self.confusion.trace()) / self.rows

    @property
    def precision(self) -> np.ndarray:
        """Of the rows given a class, the share that belongs to it."""
        return _share(self.confusion.diagonal(), self.confusion.sum(axis=0))

    @property
    def recall(self) -> np.ndarray:
        """Of the rows that belong to a class, the share that was given it."""
        return _share(self.confusion.diagonal(), self.confusion.sum(axis=1))

    @property
    def f1(self) -> np.ndarray:
        """The harmonic mean of precision and recall of each class."""
        return _share(2 * self.confusion.diagonal(), self.confusion.sum(axis=0) + self.confusion.sum(axis=1))

    def __str__(self) -> str:
        """Show precision, recall and F1 as a table, one line a class, and the figures of all classes below."""
        lines = [f"{'class':>5}  {'rows':>9}  {'precision':>9}  {'recall':>9}  {'f1':>9}"]
        figures = zip(self.confusion.sum(axis=1), self.precision, self.recall, self.f1, strict=True)
        for number, (rows, *shares) in enumerate(figures):
            lines.append(f"{number:>5}  {rows:>9}  " + "  ".join(f"{share:>9.4f}" for share in shares))
        lines.append(f"accuracy {self.accuracy:.4f}: {self.faults} of {self.rows} rows wrong")
        lines.append(f"cross-entropy {self.cross_entropy:.5g} nats")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python for JSON, which has no infinity: such a cross-entropy is None there."""
        return {
            "rows": self.rows,
            "faults": self.faults,
            "accuracy": self.accuracy,
            "cross_entropy": self.cross_entropy if math.isfinite(self.cross_entropy) else None,
            "precision": self.precision.tolist(),
            "recall": self.recall.tolist(),
            "f1": self.f1.tolist(),
            "confusion": self.confusion.tolist(),
        }


def classification_metrics(prediction: Operand, t: Operand, *, output: str = "identity") -> Metrics:
    """Return how well the rows of `prediction` (n, classes) fit the targets `t`: labels (n,) or one-hot rows.

    `output` is the activation that the network ends in. After "softmax" the prediction holds probabilities; after
    "sigmoid" too, those of several columns are divided by their sum; anything else is taken as logits, as
    `nn.CrossEntropy` takes it. A prediction of one column tells two classes apart: it is the logit or the probability
    of class 1, and `t` may be a column of zeros and ones. The predicted class is the first of the largest.
    Raises ShapeError where rows or columns do not fit, and ArgumentError for no rows, labels that are no classes of the
    prediction, "probabilities" that are none, and nan.

    >>> import numpy as np
    >>> found = classification_metrics(np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]]), np.array([0, 1, 1]))
    >>> found.faults, found.confusion.tolist(), round(found.cross_entropy, 4)
    (1, [[1, 0], [1, 1]], 1.1629)
    """
    judged = judge(prediction, output)
    rows, classes = judged.log_probabilities.shape
    labels = class_labels(t, rows, classes)
    counts = np.bincount(labels * classes + judged.predicted, minlength=classes**2).reshape(classes, classes)
    counts.flags.writeable = False
    return Metrics(counts, 0.0 - float(judged.log_probabilities[np.arange(rows), labels].mean()))


class Judged(NamedTuple):
    """What a prediction says of its rows: the class of each, and log p of every class, (n, classes) in float64."""

    predicted: np.ndarray
    log_probabilities: np.ndarray


def judge(prediction: Operand, output: str) -> Judged:
    """Return the class each row of `prediction` is given and the log-probabilities behind it.

    >>> judge(np.array([[0.75], [0.25]]), "sigmoid").predicted.tolist()
    [1, 0]
    """
    values = values_of(as_operand(prediction)).astype(np.float64)
    activation(output)  # refuses what is none
    if values.ndim != 2 or values.shape[1] == 0 or (values.shape[1] == 1 and output == "softmax"):
        raise ShapeError(
            f"the prediction needs rows and a column for each class, got shape {values.shape}; one column, "
            "prediction[:, None], stands for two classes, and does not follow a softmax"
        )
    if not len(values):
        raise ArgumentError("the prediction has no rows, so there is nothing to measure")
    with np.errstate(all="ignore"):  # log 0 = −∞ is meant, and what comes out as nan is refused
        if output in ("softmax", "sigmoid"):
            judged = _from_probabilities(values, output)
        else:
            scores = np.hstack([np.zeros_like(values), values]) if values.shape[1] == 1 else values
            judged = Judged(scores.argmax(axis=1), _log_softmax(scores))
    undefined = np.flatnonzero(np.isnan(judged.log_probabilities).any(axis=1))
    if undefined.size:
        raise ArgumentError(
            f"row {undefined[0]} of the prediction gives no probabilities: {values[undefined[0]]}; "
            f"such rows: {undefined.size} of {len(values)}"
        )
    return judged


def _from_probabilities(values: np.ndarray, output: str) -> Judged:
    if values.min() < 0 or values.max() > 1 + SUM_TOLERANCE:
        raise ArgumentError(
            f"what follows a {output} lies in [0, 1], but the prediction holds {values.min():g} … {values.max():g}; "
            'for logits say output="identity"'
        )
    if values.shape[1] == 1:
        values = np.minimum(values, 1.0)
        return Judged((values[:, 0] > 0.5).astype(np.intp), np.hstack([np.log1p(-values), np.log(values)]))
    sums = values.sum(axis=1, keepdims=True)
    if output == "softmax":
        furthest = int(np.abs(sums - 1).argmax())
        if abs(sums[furthest, 0] - 1) > SUM_TOLERANCE:
            raise ArgumentError(
                f"rows of a softmax add up to 1, but row {furthest} to {sums[furthest, 0]:g}; "
                'for logits say output="identity"'
            )
        sums = np.ones_like(sums)
    else:  # sigmoids may all underflow to 0, which says nothing of the class
        values, sums = np.where(sums > 0, values, 1.0), np.where(sums > 0, sums, float(values.shape[1]))
    return Judged(values.argmax(axis=1), np.minimum(np.log(values) - np.log(sums), 0.0))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def class_labels(t: Operand, rows: int, classes: int) -> np.ndarray:
    """Return the class of each of `rows` targets as integers below `classes`.

    >>> class_labels(np.array([[0.0, 1.0], [1.0, 0.0]]), 2, 2).tolist()
    [1, 0]
    """
    targets = values_of(as_operand(t))
    if targets.ndim not in (1, 2) or len(targets) != rows:
        raise ShapeError(f"the prediction has {rows} rows, but the targets have shape {targets.shape}")
    if targets.ndim == 2:
        return _from_columns(targets, classes)
    if targets.dtype.kind not in "iub":
        raise ArgumentError(f"labels are integers, got {targets.dtype}; write t.astype(int), or give one-hot rows")
    outside = np.flatnonzero((targets < 0) | (targets >= classes))
    if outside.size:
        raise ArgumentError(
            f"row {outside[0]} has the label {targets[outside[0]]}, but the prediction tells {classes} classes apart, "
            f"0 to {classes - 1}"
        )
    return targets.astype(np.intp)


def _from_columns(targets: np.ndarray, classes: int) -> np.ndarray:
    is_binary = targets.shape[1] == 1 and classes == 2
    if not is_binary and targets.shape[1] != classes:
        raise ShapeError(
            f"one-hot targets need a column for each of the {classes} classes, got shape {targets.shape}; "
            "labels have one axis, t.ravel()"
        )
    if not np.all((targets == 0) | (targets == 1)) or not (is_binary or np.all(targets.sum(axis=1) == 1)):
        raise ArgumentError("the targets are no classes: one-hot rows hold one 1 and zeros, a column zeros and ones")
    return targets[:, 0].astype(np.intp) if is_binary else targets.argmax(axis=1)


def _share(counts: np.ndarray, of: np.ndarray) -> np.ndarray:
    shares: np.ndarray = np.divide(counts, of, out=np.zeros(len(of)), where=of > 0)
    return shares
