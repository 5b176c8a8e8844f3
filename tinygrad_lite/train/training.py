"""`Training`: a training as it goes on, batch by batch and epoch by epoch."""

from __future__ import annotations

import functools
import itertools
import math
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from tinygrad_lite.data import mini_batches
from tinygrad_lite.errors import (
    AnomalyError,
    ArgumentError,
    CompilationWarning,
    DetachError,
    DivergenceError,
    GraphError,
    TinygradLiteError,
    UnsupportedError,
)
from tinygrad_lite.mode import MODE
from tinygrad_lite.nn import Module, Objective
from tinygrad_lite.optim import Optimizer
from tinygrad_lite.program import compile
from tinygrad_lite.program.checking import CALLS as CHECKED_STEPS
from tinygrad_lite.tensor import wrap
from tinygrad_lite.train.going_back import GoingBack
from tinygrad_lite.train.history import History
from tinygrad_lite.train.measuring import hits, labels_of, measure
from tinygrad_lite.train.plan import Plan
from tinygrad_lite.train.stepping import Measured, Step

Rows = tuple[np.ndarray, np.ndarray]

REFUSALS = GraphError, DetachError, UnsupportedError
"""What a compiler says of a step that it cannot compile."""


class Training:
    """A training under way: what is trained, how far it is, and what it has measured. Callbacks are given this.

    `epoch` counts the epochs that are done and `batch` the batches done of the epoch after them; `history` has a row
    for each epoch done. `stop()` ends the training after the epoch it is in.
    """

    def __init__(
        self,
        net: Module,
        objective: Objective,
        optimizer: Optimizer,
        rows: Rows,
        validation: Rows | None,
        plan: Plan,
    ) -> None:
        self.net, self.objective, self.optimizer, self.plan = net, objective, optimizer, plan
        self.rows, self.validation = rows, validation
        self.history = History()
        self.epoch = self.batch = 0
        self.stopped = False
        self.seen = 0
        """How many rows of the epoch were visited."""
        self.sums: dict[str, float] = {}
        """The figures of the epoch so far, each batch counted by its rows."""
        self.has_classes = labels_of(rows[1]) is not None
        self._step = Step(
            net,
            objective,
            optimizer,
            keeps_prediction=self.has_classes,
            gradient_norms=plan.gradient_norms,
            clip_value=plan.clip_value,
            clip_norm=plan.clip_norm,
        )
        self._program = compile(self._step, check=True)
        self._programmed: Counter[int] = Counter()
        """How many steps the program has taken, by the rows of the batch."""
        self._refused: set[int] = set()
        """The rows of batches on which the step cannot be compiled."""
        self._gathered: tuple[np.ndarray, ...] = tuple(part[:0] for part in rows)
        """The rows of a batch, for a program."""
        self._going_back = GoingBack(net, optimizer)
        if plan.early_stopping is not None:
            self.check_column(plan.early_stopping.monitor)

    def begin_from_here(self) -> None:
        """Take everything as it is for what to go back to, should the training diverge."""
        self._going_back.begin()

    def stop(self) -> None:
        """End the training after the epoch it is in."""
        self.stopped = True

    def columns(self) -> list[str]:
        """Return the columns that the history can have: a prediction of one column leaves the accuracies out, and a
        parameter that the objective does not use its gradient.
        """
        names = [term.name for _, term in self.objective.weighted_terms()]
        terms = ["loss", *(names if len(names) > 1 else [])]
        held_out = []
        if self.validation is not None:
            has_classes = labels_of(self.validation[1]) is not None
            held_out = [f"validation_{name}" for name in (*terms, *(["accuracy"] if has_classes else []))]
        norms = [f"gradient_norm.{name}" for name, _ in self._step.parameters] if self.plan.gradient_norms else []
        rate = ["learning_rate"] if self.plan.schedule is not None else []
        return ["epoch", *terms, *(["accuracy"] if self.has_classes else []), *norms, *rate, *held_out]

    def check_column(self, column: str | None) -> None:
        """Raise ArgumentError, naming those there will be, if the history will not have a column."""
        if column is not None and column not in self.columns():
            raise ArgumentError(f"the history will have no column {column!r}; it has {', '.join(self.columns())}")

    @functools.cached_property
    def data(self) -> dict[str, str]:
        """What the rows are, with a checksum of all of them, by which a checkpoint knows the data it was made with."""
        said = {}
        for name, rows in (("training rows", self.rows), ("validation rows", self.validation or ())):
            found = 0
            for array in rows:
                found = zlib.crc32(np.ascontiguousarray(array).data, found)
            said[name] = ", ".join(f"{array.dtype} {array.shape}" for array in rows) + f": {found:08x}"
        return said

    @property
    def batches(self) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self.rows[0]) / self.plan.batch_size)

    def steps_to_come(self) -> Iterator[int]:
        """Take the steps of the epoch that were not taken yet, yielding after each the number of rows it saw.

        Raises DivergenceError when the objective or a parameter is no longer finite, AnomalyError under
        `detect_anomaly`; the parameters are then what they were when the objective was last finite.
        """
        try:
            for rows in self._batches_from(self.batch):
                self._set_rate(self.batch)
                self._take_step(rows)
                self.batch += 1
                self.seen += len(rows)
                yield len(rows)
            if not all(np.isfinite(parameter._array).all() for _, parameter in self._step.parameters):
                raise self._diverged(f"parameters became infinite at the end of epoch {self.epoch + 1}")
        except (DivergenceError, AnomalyError):
            self._go_back()
            raise

    def mean(self, figure: str) -> float:
        """Return a figure of the epoch so far, the mean over its rows; nan if it is not measured."""
        return self.sums.get(figure, math.nan) / self.seen

    def close_epoch(self) -> None:
        """Turn the figures of the epoch into a row of the history, with those of the rows held out."""
        row: dict[str, float] = {"epoch": self.epoch + 1}
        row |= {name: total / self.seen for name, total in self.sums.items()}
        if self.plan.schedule is not None:
            row["learning_rate"] = float(self.optimizer.lr.item())
        if self.validation is not None:
            measured = measure(self.net, self.objective, *self.validation)
            row |= {f"validation_{name}": value for name, value in measured.items()}
        self.history.rows.append(row)
        self.epoch, self.batch, self.seen = self.epoch + 1, 0, 0
        self.sums.clear()
        if self.plan.early_stopping is not None and self.plan.early_stopping.is_due(self.history, self.objective):
            self.stop()

    # ----- Steps -----

    def _batches_from(self, batch: int, epoch: int | None = None) -> Iterator[np.ndarray]:
        """Yield which rows belong to each batch of an epoch, of this one if none is given."""
        plan, numbers = self.plan, np.arange(len(self.rows[0]))
        batches = mini_batches(
            numbers, numbers, plan.batch_size, seed=plan.seed, epoch=self.epoch if epoch is None else epoch
        )
        return (rows for rows, _ in itertools.islice(batches, batch, None))

    def _set_rate(self, batch: int, epoch: int | None = None) -> None:
        """Give the optimizer the learning rate of the step on a batch of an epoch, of this one if none is given."""
        schedule = self.plan.schedule
        if schedule is not None:
            done = (self.epoch if epoch is None else epoch) + batch / self.batches
            self.optimizer.lr.assign(self.optimizer.rule.lr * schedule(done))

    def _take_step(self, rows: np.ndarray) -> None:
        mode = MODE.get()
        is_watched = mode.capture is not None or mode.anomaly is not None or mode.whole
        if not self.plan.compiled or is_watched or len(rows) in self._refused:
            self._step_as_written(rows)
        else:
            self._step_of_program(rows)

    def _step_as_written(self, rows: np.ndarray) -> None:
        x, t = (part.take(rows, axis=0) for part in self.rows)
        total, measured = self._step.evaluate(wrap(x, None), wrap(t, None))
        self._count(measured, t)
        self._going_back.hold()
        total.backward()
        del total, measured  # or the graph would live on beside that of the next batch
        self._add(self._step.improve(), len(rows))

    def _step_of_program(self, rows: np.ndarray) -> None:
        """Let the program take the step; one that it refuses is taken as it is written, and every one of its kind."""
        taken = self._programmed[len(rows)]
        is_new = taken < CHECKED_STEPS
        self._going_back.before_program(self.epoch, self.batch, always=taken <= CHECKED_STEPS)
        try:
            (measured, norms), t = self._run_program(rows)
        except Exception as problem:
            if not is_new and not isinstance(problem, REFUSALS):
                raise
            if is_new:
                self._going_back.undo()
            self._step_as_written(rows)  # which raises what has nothing to do with compiling
            self._refuse(len(rows), problem)
            return
        self._programmed[len(rows)] += 1
        self._count(measured, t)
        self._going_back.after_program()
        self._add(norms, len(rows))

    def _run_program(self, rows: np.ndarray) -> tuple[tuple[Measured, Mapping[str, float]], np.ndarray]:
        """Run the program on these rows; they are gathered in memory that is used again, for no program keeps them."""
        if self._programmed[len(rows)] < CHECKED_STEPS:  # they run as they are written as well
            x, t = (part.take(rows, axis=0) for part in self.rows)
        else:
            if len(self._gathered[0]) != len(rows):
                self._gathered = tuple(np.empty((len(rows), *part.shape[1:]), part.dtype) for part in self.rows)
            for part, gathered in zip(self.rows, self._gathered, strict=True):
                part.take(rows, axis=0, out=gathered, mode="clip")  # "raise" would gather them elsewhere first
            x, t = self._gathered
        return self._program(wrap(x, None), wrap(t, None)), t

    def _refuse(self, rows: int, problem: Exception) -> None:
        if not self._refused:
            reason = f"{'' if isinstance(problem, TinygradLiteError) else f'{type(problem).__name__}: '}{problem}"
            warnings.warn(
                f"fit runs this training as it is written, not compiled: {reason} "
                "(fit(..., compiled=False) asks for that)",
                CompilationWarning,
                stacklevel=7,  # the caller of fit
            )
        self._refused.add(rows)

    def _go_back(self) -> None:
        """Put everything back to where the objective was last finite."""
        epoch, batch, steps = self._going_back.put_back()
        for i, rows in enumerate(itertools.islice(self._batches_from(batch, epoch), steps), batch):
            self._set_rate(i, epoch)
            self._run_program(rows)

    # ----- Figures -----

    def _count(self, measured: Measured, t: np.ndarray) -> None:
        """Add the figures of a batch to the sums, or raise DivergenceError if its objective is not finite."""
        loss = measured.total.item()
        if not math.isfinite(loss):
            raise self._diverged(f"objective became {loss} in epoch {self.epoch + 1}, batch {self.batch + 1}")
        found = {"loss": loss} | {name: value.item() for name, value in measured.terms.items()}
        if measured.prediction is not None:
            hit = hits(measured.prediction._array, t)
            if hit is not None:
                found["accuracy"] = hit / len(t)
        self._add(found, len(t))

    def _add(self, found: Mapping[str, float], rows: int) -> None:
        sums = self.sums
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + float(value) * rows

    def _diverged(self, what: str) -> DivergenceError:
        return DivergenceError(
            f"the {what}; a learning rate below {self.optimizer.lr.item():g}, or inputs scaled to about 1, is the "
            "first to try; under `with tg.detect_anomaly():` the operation where it begins is named"
        )
