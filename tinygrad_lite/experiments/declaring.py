"""What an experiment is made of: one section for each of its parts, every setting typed and with its default.

    Experiment
    ├── data          DataSection        which rows, how their pixels are scaled, how many are held out
    ├── net           NetSection         the widths, activations and first weights of a perceptron
    ├── objective     ObjectiveSection   a loss and its penalties
    ├── optimizer     OptimizerSection   an update rule and its hyper-parameters
    ├── schedule      ScheduleSection    how the learning rate changes
    ├── train         TrainSection       epochs, batches, seed, clipping
    │   ├── early_stopping   EarlyStoppingSection, or nothing
    │   └── checkpoints      CheckpointSection
    └── sweep         SweepSection       the seeds and settings that one experiment is repeated for, or nothing

A section checks its settings when it is made, from a file or in Python: the type and range of each, then whether they
go together. What a rule, a loss or a schedule takes is asked of its class, not written down a second time.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta

from tinygrad_lite import nn, optim
from tinygrad_lite.errors import ObjectiveError
from tinygrad_lite.experiments.settings import (
    MOST_TOLD,
    Problem,
    Section,
    SectionError,
    converted,
    did_you_mean,
    flat,
    given,
    name_of,
    no_such_setting,
    refused,
    repeated,
    setting_kinds,
    shown,
)

Count: TypeAlias = Annotated[int, Meta(ge=1, le=10**9, description="a whole number from 1 to 1e9")]
CountOrZero: TypeAlias = Annotated[int, Meta(ge=0, le=10**9, description="a whole number from 0 to 1e9")]
Classes: TypeAlias = Annotated[int, Meta(ge=2, le=1000, description="a whole number from 2 to 1000")]
Seed: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1, description="a whole number from 0 to 2**63 − 1")]
Number: TypeAlias = Annotated[float, Meta(description="a finite number")]
NotNegative: TypeAlias = Annotated[float, Meta(ge=0, description="a finite number ≥ 0")]
Positive: TypeAlias = Annotated[float, Meta(gt=0, description="a finite number > 0")]
Fraction: TypeAlias = Annotated[float, Meta(ge=0, lt=1, description="a number ≥ 0 and < 1")]
Portion: TypeAlias = Annotated[float, Meta(ge=0, le=1, description="a number from 0 to 1")]
Decay: TypeAlias = Annotated[float, Meta(gt=0, le=1, description="a number > 0 and ≤ 1")]
Text: TypeAlias = Annotated[str, Meta(min_length=1, description="a text that is not empty")]

Activation: TypeAlias = Literal["softplus", "tanh", "cos", "relu", "sigmoid", "identity", "softmax"]
Initialiser: TypeAlias = Literal["xavier", "he", "fan_in", "zeros"]

INITIALISERS: dict[str, type[nn.Initialiser]] = {
    "xavier": nn.Xavier,
    "he": nn.He,
    "fan_in": nn.FanIn,
    "zeros": nn.Zeros,
}
"""What an initialiser is called when it is declared by name."""

LOSSES: dict[str, type[nn.Term]] = {
    loss.name: loss for loss in (nn.CrossEntropy, nn.LogLikelihood, nn.MSE, nn.BinaryCrossEntropy)
}
"""What a loss is called when it is declared by name."""

RULES: dict[str, type[optim.Rule]] = {
    "sgd": optim.SGD,
    "momentum": optim.Momentum,
    "heavy_ball": optim.HeavyBall,
    "nesterov": optim.Nesterov,
    "rmsprop": optim.RMSprop,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
}
"""What an update rule is called when it is declared by name."""

SCHEDULES: dict[str, type[optim.Schedule]] = {
    "constant": optim.Constant,
    "step": optim.StepDecay,
    "exponential": optim.Exponential,
    "cosine": optim.Cosine,
}
"""What a schedule is called when it is declared by name; `warm_up` puts optim.WarmUp before any of them."""

MOST_VALUES = 10_000
"""How many values a setting of a grid may have, and how many tables the list of a sweep."""


class DataSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The data: which rows are trained on, which are held out, and what becomes of their pixels and labels.

    - `name`: "mnist-subset" (embedded), "mnist", "cifar10", or "npz" for a file of your own.
    - `path`: the .npz file, for "npz" only; from the folder where the command is run, unless it is absolute.
    - `pixels`: "unit" (0 to 1), "raw" (0 to 255) or "standard" (minus the mean of all training pixels, over their
      standard deviation).
    - `train_rows`, `test_rows`: take the first so many rows; all, if not given.
    - `validation`: how many of the last training rows are held out and measured every epoch; "test" measures the test
      rows every epoch instead, as course notes do.
    - `random_labels`: replace all labels by so many classes drawn at random; `label_seed` seeds the draw.
    """

    name: Literal["mnist-subset", "mnist", "cifar10", "npz"] = "mnist-subset"
    path: Text | None = None
    pixels: Literal["unit", "raw", "standard"] = "unit"
    train_rows: Count | None = None
    test_rows: Count | None = None
    validation: CountOrZero | Literal["test"] = 0
    random_labels: Classes | None = None
    label_seed: Seed = 0

    def conflicts(self) -> Iterator[Problem]:
        """Yield a path without a file of one's own, or the other way round, and holding out every row."""
        if self.name == "npz" and self.path is None:
            yield "path", 'the data "npz" needs the path of an .npz file'
        if self.name != "npz" and self.path is not None:
            yield "path", f'only the data "npz" has a path, and the name is "{self.name}"'
        if self.train_rows is not None and self.validation != "test" and self.validation >= self.train_rows:
            yield "validation", f"holds out {self.validation} rows of {self.train_rows}, which leaves none to train on"


class NetSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network: a perceptron whose first and last widths come from the data.

    - `hidden`: the widths of the hidden layers; without any, the network is a linear map.
    - `activation`: after every hidden layer, or a list with one for each.
    - `output`: after the last layer; "identity" for losses on logits.
    - `weight`: what the weights start from, or a list with one for each layer, the last included; if not given, "he"
      after relu and "xavier" otherwise.
    - `bias`: where all biases start.
    """

    hidden: tuple[Count, ...] = (100,)
    activation: Activation | tuple[Activation, ...] = "relu"
    output: Activation = "identity"
    weight: Initialiser | tuple[Initialiser, ...] | None = None
    bias: Number = 0.0

    def conflicts(self) -> Iterator[Problem]:
        """Yield lists that are not as long as there are layers."""
        hidden = len(self.hidden)
        if isinstance(self.activation, tuple) and len(self.activation) != hidden:
            yield "activation", f"{len(self.activation)} are listed for {hidden} hidden layers; each needs one"
        if isinstance(self.weight, tuple) and len(self.weight) != hidden + 1:
            yield "weight", f"{len(self.weight)} are listed for {hidden + 1} layers, the last included; each needs one"


class ObjectiveSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What training aims for: a loss, plus λ₂ ½‖W‖² and λ₁ Σ|W|; subtracted where the loss is maximised.

    - `loss`: "cross_entropy", "log_likelihood", "mse" or "binary_cross_entropy".
    - `reduction`: "mean" or "sum" over the rows, "half_sum" for mse; if not given, the loss's default.
    - `l2`, `l1`: λ₂ and λ₁.
    - `penalise_biases`: whether penalties count the biases too.
    """

    loss: Literal["cross_entropy", "log_likelihood", "mse", "binary_cross_entropy"] = "cross_entropy"
    reduction: Text | None = None
    l2: NotNegative = 0.0
    l1: NotNegative = 0.0
    penalise_biases: bool = False

    def conflicts(self) -> Iterator[Problem]:
        """Yield a reduction that the loss does not have."""
        yield from refused(LOSSES[self.loss], f'the loss "{self.loss}"', self.settings())

    def settings(self) -> dict[str, str]:
        """Return what the loss is made with."""
        return given(self, "reduction")


class OptimizerSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The update rule and its hyper-parameters; what is not given is the rule's default.

    - `name`: "sgd", "momentum", "heavy_ball", "nesterov", "rmsprop", "adam" or "adamw".
    - `lr`: the learning rate α; 0.001 for adam and adamw, 0.01 for the others.
    - `beta`: of momentum (0.9) and rmsprop (0.99). `momentum`: μ of heavy_ball and nesterov (0.9).
    - `beta1`, `beta2`: of adam and adamw (0.9 and 0.999). `epsilon`: of rmsprop, adam and adamw (1e-8).
    - `weight_decay`: of adamw (0.01).

    Whether the rule minimises or maximises follows from the objective.
    """

    name: Literal["sgd", "momentum", "heavy_ball", "nesterov", "rmsprop", "adam", "adamw"] = "sgd"
    lr: Positive | None = None
    beta: Fraction | None = None
    beta1: Fraction | None = None
    beta2: Fraction | None = None
    momentum: Fraction | None = None
    epsilon: NotNegative | None = None
    weight_decay: NotNegative | None = None

    def conflicts(self) -> Iterator[Problem]:
        """Yield settings that the rule does not have, or refuses."""
        yield from refused(RULES[self.name], f'the rule "{self.name}"', self.settings())

    def settings(self) -> dict[str, float]:
        """Return the hyper-parameters that are given."""
        return given(self, "lr", "beta", "beta1", "beta2", "momentum", "epsilon", "weight_decay")


class ScheduleSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the learning rate changes; all times are epochs and may be fractions.

    - `name`: "constant"; "step" (times `factor` after `every` epochs); "exponential" (times `factor` an epoch);
      "cosine" (down to `final` times the rate over `epochs`, by default all that follow the warm-up).
    - `warm_up`: over so many epochs the rate first grows from 0; the schedule begins after them.
    """

    name: Literal["constant", "step", "exponential", "cosine"] = "constant"
    every: Positive | None = None
    factor: Decay | None = None
    epochs: Positive | None = None
    final: Portion | None = None
    warm_up: NotNegative = 0.0

    def conflicts(self) -> Iterator[Problem]:
        """Yield settings that the schedule does not have, lacks, or refuses."""
        yield from refused(SCHEDULES[self.name], f'the schedule "{self.name}"', self.settings(self.warm_up + 1))

    def settings(self, train_epochs: float) -> dict[str, float]:
        """Return what the schedule is made with; a cosine ends with the training unless it says when."""
        rest = {"epochs": train_epochs - self.warm_up} if self.name == "cosine" else {}
        return rest | given(self, "every", "factor", "epochs", "final")


class EarlyStoppingSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When to stop before the last epoch: after `patience` epochs without an improvement of `least_change`.

    - `patience`: how many epochs without a better one are borne.
    - `monitor`: the column of the history that must improve; if not given, "validation_loss" where rows are held out,
      otherwise "loss".
    - `least_change`: by how much a figure must improve to count as better.
    """

    patience: Count = 5
    monitor: Text | None = None
    least_change: NotNegative = 0.0


class CheckpointSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the state of the training is written.

    - `every_batches`: also after every so many batches, not only at the end of every epoch.
    - `best`: the column of the history that decides which epoch is best; if not given, as for early stopping.
    """

    every_batches: Count | None = None
    best: Text | None = None


class TrainSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The training: how long, in which batches, from which seed.

    - `epochs`, `batch_size`: how often every row is seen, and how many at once.
    - `seed`: of the first weights and of the order of the rows.
    - `dtype`: what is computed in.
    - `clip_norm`: the largest norm of all gradients together. `clip_value`: the largest entry of any gradient.
    - `gradient_norms`: whether the history has the norm of every parameter's gradient.
    - `early_stopping`, `checkpoints`: sections of their own.
    """

    epochs: Count = 10
    batch_size: Count = 100
    seed: Seed = 0
    dtype: Literal["float32", "float64"] = "float32"
    clip_norm: Positive | None = None
    clip_value: Positive | None = None
    gradient_norms: bool = True
    early_stopping: EarlyStoppingSection | None = None
    checkpoints: CheckpointSection = CheckpointSection()


class SweepSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one experiment is repeated for: every seed, with every combination of the settings.

    - `seeds`: of the training; if empty, the one of `train`.
    - `grid`: the values of some settings by their paths, such as `"optimizer.lr" = [0.1, 0.01]`.
    - `list`: tables of settings by their paths that belong together; each meets every combination of the grid.

    Settings may also be written as TOML nests them, `optimizer.lr = [0.1, 0.01]`. The order of paths and values is that
    in which the runs come.
    """

    seeds: tuple[Seed, ...] = ()
    grid: dict[str, Any] = msgspec.field(default_factory=dict)
    list: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Check every path and value, all at once, and keep them flat and converted."""
        Section.__post_init__(self)
        problems: list[Problem] = []
        if len(self.list) > MOST_VALUES:
            raise SectionError([("list", f"{len(self.list)} tables are more than {MOST_VALUES}")])
        grid = {path: _axis(path, values, problems) for path, values in _flat("grid", self.grid, problems)}
        tables = tuple(
            {path: _swept(f"list[{i}]", path, value, problems) for path, value in _flat(f"list[{i}]", table, problems)}
            for i, table in enumerate(self.list)
        )
        listed = set(itertools.chain.from_iterable(tables))
        problems += [("list", f"{path} stands in the grid too") for path in sorted(listed & set(grid))]
        if len(set(self.seeds)) != len(self.seeds):
            problems.append(("seeds", f"a seed stands twice in {shown(self.seeds)}"))
        if self.seeds and "train.seed" in listed | set(grid):
            problems.append(("seeds", "train.seed stands in the grid or the list too"))
        if problems:
            raise SectionError(problems)
        msgspec.structs.force_setattr(self, "grid", grid)
        msgspec.structs.force_setattr(self, "list", tables)


class Experiment(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole experiment, declared; every section has defaults, so that `Experiment()` can be run.

    >>> experiment = Experiment(net=NetSection(hidden=[300]), optimizer=OptimizerSection(name="adam"))
    >>> experiment.net.hidden, experiment.train.epochs
    ((300,), 10)
    """

    data: DataSection = DataSection()
    net: NetSection = NetSection()
    objective: ObjectiveSection = ObjectiveSection()
    optimizer: OptimizerSection = OptimizerSection()
    schedule: ScheduleSection = ScheduleSection()
    train: TrainSection = TrainSection()
    sweep: SweepSection | None = None

    def conflicts(self) -> Iterator[Problem]:
        """Yield a loss on the wrong outputs, a warm-up that leaves no time, and figures that will not be measured."""
        refusal = _refusal(self.objective.loss, self.net.output)
        if refusal:
            yield "net.output", refusal
        if self.schedule.warm_up and self.schedule.warm_up >= self.train.epochs:
            yield "schedule.warm_up", f"leaves nothing of the {self.train.epochs} epochs in train.epochs"
        columns = self.columns()
        stopping = self.train.early_stopping
        watched = {
            "train.early_stopping.monitor": stopping.monitor if stopping else None,
            "train.checkpoints.best": self.train.checkpoints.best,
        }
        for path, column in watched.items():
            if column is not None and column not in columns:
                near = did_you_mean(column, columns)
                yield path, f"{shown(column)} is no figure of every epoch{near}; there are {', '.join(columns)}"

    def columns(self) -> list[str]:
        """Return the figures that the history has of every epoch, those of held out rows included."""
        penalties = [name for name in ("l2", "l1") if getattr(self.objective, name)]
        terms = [self.objective.loss, *penalties] if penalties else []
        trained = ["loss", *terms, "accuracy"]
        return trained + [f"validation_{name}" for name in trained if self.data.validation != 0]


@functools.cache
def _refusal(loss: str, output: str) -> str | None:
    """Return what the loss has against a network with this output, None if it takes it."""
    try:
        LOSSES[loss]()(nn.MLP([1, 2], output=output, rng=0), np.ones((1, 1)), np.eye(1, 2))
    except ObjectiveError as problem:
        return str(problem)
    return None


# ----- The values of a sweep -----


def _flat(place: str, table: Mapping[str, Any], problems: list[Problem]) -> list[tuple[str, Any]]:
    """Return the values of nested tables by their paths; adds a path that stands there twice to `problems`."""
    found = list(flat(table))
    paths = [path for path, _ in found]
    if len(set(paths)) != len(paths):
        problems.append((place, f"{repeated(paths)} stands there twice"))
    return found


def _axis(path: str, values: Any, problems: list[Problem]) -> tuple[Any, ...]:
    """Return the values of a path of the grid, converted; adds what is wrong with them to `problems`."""
    values = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(values, list | tuple) or not values:
        problems.append((f"grid.{path}", f"expected a list of values, got {shown(values)}"))
        return ()
    if len(values) > MOST_VALUES:
        problems.append((f"grid.{path}", f"{len(values)} values are more than {MOST_VALUES}"))
        return ()
    before = len(problems)
    found: list[Any] = []
    for value in values:
        found.append(_swept("grid", path, value, problems))
        if len(problems) > before:
            return ()
    if len(set(found)) != len(found):
        problems.append((f"grid.{path}", f"a value stands twice in {shown(values)}"))
    return tuple(found)


def _swept(place: str, path: str, value: Any, problems: list[Problem]) -> Any:
    """Return one value for the setting at `path`, converted; adds what is wrong with it to `problems`."""
    if len(problems) < MOST_TOLD:
        try:
            return converted(value, _kind_to_sweep(path))
        except SectionError as problem:
            problems += [(f"{place}.{name_of(path)}{inner}", text) for inner, text in problem.problems]
    return value


def _kind_to_sweep(path: str) -> Any:
    """Return the type of the setting at `path`; raises SectionError if a sweep cannot change it."""
    kinds = _kinds_to_sweep()
    if path.partition(".")[0] == "sweep":
        raise SectionError([("", "a sweep cannot change itself")])
    if path not in kinds:
        raise SectionError([("", no_such_setting(path, kinds))])
    return kinds[path]


@functools.cache
def _kinds_to_sweep() -> dict[str, Any]:
    """Return the type of every setting by its path, but those of the sweep itself."""
    return {path: kind for path, kind in setting_kinds(Experiment).items() if not path.startswith("sweep.")}
