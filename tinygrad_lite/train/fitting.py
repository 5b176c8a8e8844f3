"""`fit`: a network, an objective, a rule and data; epochs of mini-batches; a history."""

from __future__ import annotations

import math

import numpy as np

from tinygrad_lite.data import mini_batches
from tinygrad_lite.errors import AnomalyError, ArgumentError, DivergenceError, ShapeError
from tinygrad_lite.nn import Module, Objective
from tinygrad_lite.optim import Optimizer, Rule
from tinygrad_lite.tensor import Tensor, values_of, wrap
from tinygrad_lite.train.history import History
from tinygrad_lite.train.measuring import figures, hits, measure
from tinygrad_lite.train.progress import Progress

Rows = tuple[np.ndarray, np.ndarray]


def fit(
    net: Module,
    objective: Objective,
    rule: Rule,
    *,
    train: Rows,
    validation: Rows | None = None,
    epochs: int,
    batch_size: int = 100,
    seed: int = 0,
    progress: bool = True,
) -> History:
    """Train `net` in place and return the history, one row an epoch.

    `train` and `validation` are pairs of inputs (rows, …) and targets; inputs are converted to the dtype of the net.
    Each epoch visits every row once, in an order that depends on `seed` and the epoch only: same seed, same bits.
    Progress goes to stderr, as a bar on a terminal and as a line an epoch elsewhere.
    Raises ObjectiveError if the rule goes the wrong way for the objective, and DivergenceError when the objective is
    no longer finite, or AnomalyError under `detect_anomaly`; the parameters are then what they were when it last was.

    >>> import numpy as np, tinygrad_lite as tg
    >>> from tinygrad_lite import nn, optim
    >>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> net = nn.MLP([2, 8, 2], activation="tanh", rng=1)
    >>> history = tg.fit(net, nn.CrossEntropy(), optim.Adam(lr=0.1), train=(x, np.array([0, 1, 1, 0])),
    ...                  epochs=50, batch_size=4, progress=False)
    >>> history.last["accuracy"]
    1.0
    """
    for given, kind, example in (
        (net, Module, "nn.MLP(...)"),
        (objective, Objective, "nn.CrossEntropy()"),
        (rule, Rule, "optim.SGD(lr=0.1)"),
    ):
        if not isinstance(given, kind):
            raise ArgumentError(f"fit needs {example} or the like in this place, got {given!r}")
    for name, number in (("epochs", epochs), ("batch_size", batch_size)):
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise ArgumentError(f"{name} must be a positive integer, got {number!r}")
    optimizer = rule.bind(net, objective)
    x, t = _in_dtype_of(net, train)
    held_out = None if validation is None else _in_dtype_of(net, validation)
    history, last_good = History(), [parameter.detach() for parameter in net.parameters()]
    with Progress(epochs, math.ceil(len(x) / batch_size), shown=progress) as bar, np.errstate(all="ignore"):
        for epoch in range(epochs):
            row: dict[str, float] = {"epoch": epoch + 1}
            row |= _train_epoch(net, objective, optimizer, (x, t), batch_size, seed, epoch, bar, last_good)
            if held_out is not None:
                row |= {f"validation_{name}": value for name, value in measure(net, objective, *held_out).items()}
            history.rows.append(row)
            bar.epoch_done(row)
    return history


def _train_epoch(
    net: Module,
    objective: Objective,
    optimizer: Optimizer,
    rows: Rows,
    batch_size: int,
    seed: int,
    epoch: int,
    bar: Progress,
    last_good: list[Tensor],
) -> dict[str, float]:
    """Visit every row once and return the mean of the batches' figures, each batch counted by its rows.

    `last_good` holds what the parameters were when the objective was last finite.
    """
    sums: dict[str, float] = {}
    count = 0
    parameters = net.parameters()
    for number, (x, t) in enumerate(mini_batches(*rows, batch_size, seed=seed, epoch=epoch)):
        try:
            evaluation = objective.evaluate(net, wrap(x, None), wrap(t, None))
        except AnomalyError:
            _put_back(optimizer, last_good)
            raise
        found = figures(evaluation, hits(values_of(evaluation.prediction), t), len(x))
        if not math.isfinite(found["loss"]):
            raise _diverged(
                optimizer, last_good, f"objective became {found['loss']} in epoch {epoch + 1}, batch {number + 1}"
            )
        last_good[:] = [parameter.detach() for parameter in parameters]
        evaluation.total.backward()
        optimizer.step()
        optimizer.zero_grad()
        count += len(x)
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + value * len(x)
        bar.batch_done(sums["loss"] / count)
        del evaluation  # or its graph would live on beside that of the next batch
    if not all(np.isfinite(parameter.data).all() for parameter in parameters):
        raise _diverged(optimizer, last_good, f"parameters became infinite at the end of epoch {epoch + 1}")
    return {name: total / count for name, total in sums.items()}


def _diverged(optimizer: Optimizer, before: list[Tensor], what: str) -> DivergenceError:
    """Put the parameters back to where the objective was last finite, and return the error to raise."""
    _put_back(optimizer, before)
    return DivergenceError(
        f"the {what}; a learning rate below {optimizer.lr.item():g}, or inputs scaled to about 1, is the first to try; "
        "under `with tg.detect_anomaly():` the operation where it begins is named"
    )


def _put_back(optimizer: Optimizer, before: list[Tensor]) -> None:
    for parameter, value in zip(optimizer.parameters.values(), before, strict=True):
        parameter.assign(value)


def _in_dtype_of(net: Module, rows: Rows) -> Rows:
    """Return the inputs in the dtype of the net's parameters, and targets that are not labels as well."""
    x, t = (np.asarray(part) for part in rows)
    if not x.ndim or not t.ndim or len(x) != len(t):
        raise ShapeError(f"inputs and targets need the same number of rows, got shapes {x.shape} and {t.shape}")
    dtype = next((parameter.dtype for parameter in net.parameters()), np.dtype(np.float32))
    is_labels = t.ndim == 1 and t.dtype.kind in "iu"
    return x.astype(dtype, copy=False), t if is_labels else t.astype(dtype, copy=False)
