"""Measuring a network on rows it is not trained on."""

from __future__ import annotations

import numpy as np

from tinygrad_lite.mode import no_grad
from tinygrad_lite.nn import Evaluation, Module, Objective
from tinygrad_lite.tensor import as_operand, values_of, wrap

ROWS_AT_ONCE = 10_000
"""How many rows are predicted together, so that memory stays bounded."""


def predict(net: Module, x: np.ndarray) -> np.ndarray:
    """Return what `net` gives for the rows of `x`, computed without recording.

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> predict(nn.Linear(3, 2, rng=0), np.zeros((4, 3), np.float32)).shape
    (4, 2)
    """
    with no_grad():
        parts = [net(wrap(x[i : i + ROWS_AT_ONCE], None)) for i in range(0, max(1, len(x)), ROWS_AT_ONCE)]
    return np.concatenate([values_of(as_operand(part)) for part in parts])


def hits(prediction: np.ndarray, target: np.ndarray) -> int | None:
    """Return how many rows of `prediction` are largest at their class; None if the targets are not classes.

    Targets are classes if they are integer labels (n,) or one-hot rows (n, classes) with at least two classes.

    >>> import numpy as np
    >>> hits(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    1
    """
    labels = labels_of(target)
    if labels is None or prediction.ndim != 2 or prediction.shape[1] < 2:
        return None
    return int(np.count_nonzero(prediction.argmax(axis=1) == labels))


def labels_of(target: np.ndarray) -> np.ndarray | None:
    """Return the class of each row, None if the targets are not classes.

    >>> import numpy as np
    >>> labels_of(np.array([[0.0, 1.0], [1.0, 0.0]]))
    array([1, 0])
    """
    if target.ndim == 1:
        return target if target.dtype.kind in "iu" else None
    is_one_hot = target.ndim == 2 and target.shape[1] > 1 and bool(np.all((target == 0) | (target == 1)))
    return target.argmax(axis=1) if is_one_hot and bool(np.all(target.sum(axis=1) == 1)) else None


def measure(net: Module, objective: Objective, x: np.ndarray, t: np.ndarray) -> dict[str, float]:
    """Return `loss`, each term of several, and `accuracy` where there are classes, of `net` on all rows of `x`.

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> net = nn.Linear(3, 2, weight=nn.Zeros())
    >>> sorted(measure(net, nn.CrossEntropy() + 0.1 * nn.L2(), np.zeros((4, 3)), np.array([0, 0, 1, 0])).items())
    [('accuracy', 0.75), ('cross_entropy', 0.693...), ('l2', 0.0), ('loss', 0.693...)]
    """
    return measure_prediction(net, objective, predict(net, x), t)


def measure_prediction(net: Module, objective: Objective, prediction: np.ndarray, t: np.ndarray) -> dict[str, float]:
    """Return what `measure` does for a prediction that `net` has already made.

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> measure_prediction(nn.Identity(), nn.MSE(), np.array([[2.0]]), np.array([[0.0]]))
    {'loss': 4.0}
    """
    with no_grad():
        evaluation = objective.evaluate_prediction(net, prediction, t)
    return figures(evaluation, hits(prediction, t), len(prediction))


def figures(evaluation: Evaluation, hit: int | None, rows: int) -> dict[str, float]:
    """Return the figures of an evaluation under their names in the history.

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> figures(nn.MSE(reduction="sum").evaluate(nn.Identity(), np.array([2.0]), np.array([0.0])), None, 1)
    {'loss': 4.0}
    """
    found = {"loss": float(evaluation.total.item())}
    if len(evaluation.terms) > 1:
        found |= {name: float(value.item()) for name, value in evaluation.terms.items()}
    if hit is not None:
        found["accuracy"] = hit / rows
    return found
