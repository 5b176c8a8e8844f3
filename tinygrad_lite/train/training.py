"""`Training`: a training as it goes on, batch by batch and epoch by epoch."""

from __future__ import annotations

import functools
import itertools
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinygrad_lite.data import mini_batches
from tinygrad_lite.data.batches import whole_number
from tinygrad_lite.errors import AnomalyError, ArgumentError, DivergenceError
from tinygrad_lite.nn import Evaluation, Module, Objective
from tinygrad_lite.optim import Optimizer, Schedule, clip_by_norm, clip_by_value
from tinygrad_lite.optim.clipping import norm_of, positive_limit
from tinygrad_lite.tensor import wrap
from tinygrad_lite.train.history import History
from tinygrad_lite.train.measuring import figures, hits, labels_of, measure
from tinygrad_lite.train.stopping import EarlyStopping

Rows = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Plan:
    """How a network is trained: everything about `fit` that is neither network, objective, rule nor data."""

    epochs: int
    batch_size: int = 100
    seed: int = 0
    schedule: Schedule | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    gradient_norms: bool = False
    early_stopping: EarlyStopping | None = None

    def __post_init__(self) -> None:
        # As Python's own numbers, so that equal settings are told to be equal when a checkpoint is resumed.
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), at_least=least))
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, positive_limit(name, getattr(self, name)))
        if not isinstance(self.schedule, Schedule | None):
            raise ArgumentError(f"schedule must be optim.Cosine(20) or the like, or None, got {self.schedule!r}")
        if not isinstance(self.early_stopping, EarlyStopping | None):
            raise ArgumentError(f"early_stopping must be train.EarlyStopping(...) or None, got {self.early_stopping!r}")


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
        self._parameters = net.named_parameters()
        self.has_classes = labels_of(rows[1]) is not None
        self.begin_from_here()
        if plan.early_stopping is not None:
            self.check_column(plan.early_stopping.monitor)

    def begin_from_here(self) -> None:
        """Take the parameters as they are for those to go back to, should the training diverge."""
        self._last_good = [parameter._array for _, parameter in self._parameters]

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
        norms = [f"gradient_norm.{name}" for name, _ in self._parameters] if self.plan.gradient_norms else []
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
        plan = self.plan
        batches = mini_batches(*self.rows, plan.batch_size, seed=plan.seed, epoch=self.epoch)
        try:
            for x, t in itertools.islice(batches, self.batch, None):
                if plan.schedule is not None:
                    self.optimizer.lr.assign(
                        self.optimizer.rule.lr * plan.schedule(self.epoch + self.batch / self.batches)
                    )
                self._step(x, t)
                self.batch += 1
                self.seen += len(x)
                yield len(x)
            if not all(np.isfinite(parameter._array).all() for _, parameter in self._parameters):
                raise self._diverged(f"parameters became infinite at the end of epoch {self.epoch + 1}")
        except (DivergenceError, AnomalyError):
            for (_, parameter), array in zip(self._parameters, self._last_good, strict=True):
                parameter.assign(wrap(array, None))
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

    def _step(self, x: np.ndarray, t: np.ndarray) -> None:
        evaluation = self.objective.evaluate(self.net, wrap(x, None), wrap(t, None))
        self._count(evaluation, x, t)
        self._last_good = [parameter._array for _, parameter in self._parameters]
        evaluation.total.backward()
        del evaluation  # or its graph would live on beside that of the next batch
        self._look_at_gradients(len(x))
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _count(self, evaluation: Evaluation, x: np.ndarray, t: np.ndarray) -> None:
        """Add the figures of a batch to the sums, or raise DivergenceError if its objective is not finite."""
        hit = hits(evaluation.prediction._array, t) if self.has_classes else None
        found = figures(evaluation, hit, len(x))
        if not math.isfinite(found["loss"]):
            raise self._diverged(f"objective became {found['loss']} in epoch {self.epoch + 1}, batch {self.batch + 1}")
        self._add(found, len(x))

    def _look_at_gradients(self, rows: int) -> None:
        """Measure the gradients as the objective gave them, then clip them, as far as the plan asks for either."""
        plan = self.plan
        if plan.gradient_norms:
            norms = {
                f"gradient_norm.{name}": norm_of([parameter.grad])
                for name, parameter in self._parameters
                if parameter.grad is not None
            }
            self._add(norms, rows)
        if plan.clip_value is not None:
            clip_by_value([parameter for _, parameter in self._parameters], plan.clip_value)
        if plan.clip_norm is not None:
            clip_by_norm([parameter for _, parameter in self._parameters], plan.clip_norm)

    def _add(self, found: dict[str, float], rows: int) -> None:
        sums = self.sums
        for name, value in found.items():
            sums[name] = sums.get(name, 0.0) + value * rows

    def _diverged(self, what: str) -> DivergenceError:
        return DivergenceError(
            f"the {what}; a learning rate below {self.optimizer.lr.item():g}, or inputs scaled to about 1, is the "
            "first to try; under `with tg.detect_anomaly():` the operation where it begins is named"
        )
