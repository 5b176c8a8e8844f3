"""`fit`: a network, an objective, a rule and data; epochs of mini-batches; a history."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import numpy as np

from tinygrad_lite.errors import ArgumentError, ShapeError
from tinygrad_lite.nn import Module, Objective
from tinygrad_lite.optim import Rule, Schedule
from tinygrad_lite.train.checkpoints import Checkpoints
from tinygrad_lite.train.history import History
from tinygrad_lite.train.plan import Plan
from tinygrad_lite.train.progress import Progress
from tinygrad_lite.train.stopping import EarlyStopping
from tinygrad_lite.train.training import Rows, Training

Callback = Callable[[Training], object]
"""Called with the training after each epoch; `training.stop()` ends it."""


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
    schedule: Schedule | None = None,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    gradient_norms: bool = False,
    early_stopping: EarlyStopping | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoints: Checkpoints | str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
    compiled: bool = True,
) -> History:
    """Train `net` in place and return the history, one row an epoch.

    `train` and `validation` are pairs of inputs (rows, …) and targets; inputs are converted to the dtype of the net.
    Each epoch visits every row once, in an order that depends on `seed` and the epoch only: same seed, same bits.
    Before each step the learning rate is that of the rule times `schedule(epochs done)`, and gradients are clipped to
    ±`clip_value` and to a common norm of `clip_norm`. `callbacks` are called with the `Training` after each epoch.
    `checkpoints` is a folder, or `train.Checkpoints`, in which the training is kept; with `resume` it goes on from what
    is kept there, bit for bit, or starts if there is nothing. Progress goes to stderr, as a bar on a terminal and as a
    line an epoch elsewhere.
    Steps are compiled, and the first of each batch size compared with what they do as they are written. A training that
    cannot be compiled runs as it is written, after a CompilationWarning that says why; with `compiled=False`, without.
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
    plan = Plan(epochs, batch_size, seed, schedule, clip_norm, clip_value, gradient_norms, early_stopping, compiled)
    if isinstance(checkpoints, str | os.PathLike):
        checkpoints = Checkpoints(checkpoints)
    if not isinstance(checkpoints, Checkpoints | None):
        raise ArgumentError(f"checkpoints must be a folder or train.Checkpoints(...), got {checkpoints!r}")
    if not isinstance(callbacks, list | tuple) or not all(map(callable, callbacks)):
        raise ArgumentError(f"callbacks must be a list of functions that take the training, got {callbacks!r}")
    if resume and checkpoints is None:
        raise ArgumentError("there is nothing to resume from: give the folder that keeps the training as checkpoints=")
    held_out = None if validation is None else _in_dtype_of(net, validation)
    training = Training(net, objective, rule.bind(net, objective), _in_dtype_of(net, train), held_out, plan)
    if checkpoints is None:
        _run(training, None, callbacks, progress)
    else:
        with checkpoints.alone():
            checkpoints.begin(training, resume)
            if progress and (training.epoch or training.batch) and training.epoch < epochs and not training.stopped:
                sys.stderr.write(f"going on after {training.epoch} epochs and {training.batch} batches\n")
            _run(training, checkpoints, callbacks, progress)
    return training.history


def _run(training: Training, checkpoints: Checkpoints | None, callbacks: Sequence[Callback], progress: bool) -> None:
    """Train until the last epoch is done, or something has asked to stop."""
    epochs, rows = training.plan.epochs, len(training.rows[0])
    bar = Progress(epochs, rows, shown=progress, done_epochs=training.epoch, done_rows=training.seen)
    with bar, np.errstate(all="ignore"):
        while training.epoch < epochs and not training.stopped:
            for seen in training.steps_to_come():
                bar.batch_done(
                    seen, training.mean("loss"), training.mean("accuracy") if "accuracy" in training.sums else None
                )
                if checkpoints is not None:
                    checkpoints.batch_done(training)
            training.close_epoch()
            bar.epoch_done(training.history.last)
            for callback in callbacks:
                callback(training)
            if checkpoints is not None:
                checkpoints.epoch_done(training)


def _in_dtype_of(net: Module, rows: Rows) -> Rows:
    """Return the inputs in the dtype of the net's parameters, and targets that are not labels as well."""
    x, t = (np.asarray(part) for part in rows)
    if not x.ndim or not t.ndim or len(x) != len(t):
        raise ShapeError(f"inputs and targets need the same number of rows, got shapes {x.shape} and {t.shape}")
    dtype = next((parameter.dtype for parameter in net.parameters()), np.dtype(np.float32))
    is_labels = t.ndim == 1 and t.dtype.kind in "iu"
    return x.astype(dtype, copy=False), t if is_labels else t.astype(dtype, copy=False)
