"""A declared experiment run, alone or in a folder that keeps it: figures, pictures, and checkpoints to go on from."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.experiments.building import build_net, build_objective, build_rule, build_schedule
from tinygrad_lite.experiments.declaring import Experiment
from tinygrad_lite.experiments.keeping import RunFolder
from tinygrad_lite.experiments.loading import Rows, load_rows
from tinygrad_lite.experiments.pictures import save_pictures
from tinygrad_lite.experiments.reading import as_json, with_settings
from tinygrad_lite.nn import MLP
from tinygrad_lite.train import (
    Checkpoints,
    EarlyStopping,
    History,
    Metrics,
    Training,
    classification_metrics,
    fit,
    load_weights,
    measure,
    predict,
)
from tinygrad_lite.train.checkpoints import BEST
from tinygrad_lite.train.measuring import measure_prediction


@dataclass(frozen=True)
class Run:
    """An experiment that was run: the trained network, its history, and how it does on the test rows."""

    experiment: Experiment
    net: MLP
    history: History
    prediction: np.ndarray
    """What the network gives for the test rows."""
    test: dict[str, float]
    """The objective on the test rows, its terms, and the accuracy where there are classes."""
    metrics: Metrics | None
    """What is told apart and what is confused; None where the targets are no classes."""

    @property
    def headline(self) -> str:
        """The one line that says how good the network is."""
        if self.metrics is None:
            return f"test loss: {self.test['loss']:.6g}"
        return f"test accuracy: {100 * self.metrics.accuracy:.2f} %"


def run_experiment(
    experiment: Experiment,
    out: str | os.PathLike[str] | None = None,
    *,
    resume: bool = False,
    folders: Sequence[str | os.PathLike[str]] = (),
    progress: bool = True,
    pictures: bool = True,
) -> Run:
    """Train and test what `experiment` declares; with `out`, keep everything in that folder.

    The folder gets `experiment.json`, `history.csv` and `.json`, `checkpoints/last.safetensors` and `best.safetensors`,
    `result.json` once the run is finished, and `plots/`. A run that was interrupted goes on from its last checkpoint
    with `resume`, bit for bit; one that is finished is tested and drawn again, or goes on if `train.epochs` was raised,
    unless it was stopped early.
    Another process that runs in the folder is waited for. `folders` are searched for the data first. Raises
    ExperimentError if `out` holds a run and `resume` is not given, or the run of another experiment, and what loading,
    building and `fit` raise.

    >>> from tinygrad_lite.experiments import DataSection, Experiment, TrainSection
    >>> small = Experiment(data=DataSection(train_rows=1000), train=TrainSection(epochs=1))
    >>> run_experiment(small, progress=False).headline
    'test accuracy: ... %'
    """
    if resume and out is None:
        raise ArgumentError("there is nothing to resume without the folder of the run; give it with --out")
    experiment = with_settings(experiment, {"sweep": None})
    folder = None if out is None else RunFolder(out)
    if folder is not None:
        folder.check(experiment, resume=resume)
    rows = load_rows(experiment, folders)
    net = build_net(experiment, rows.inputs, rows.outputs)
    if folder is None:
        return _tested(experiment, net, _train(experiment, net, rows, None, progress), rows)
    with folder.alone():
        folder.check(experiment, resume=resume)  # again: another process may have run here meanwhile
        history = _train(experiment, net, rows, folder, progress)
        run = _tested(experiment, net, history, rows)
        folder.finish(_result(run, rows, folder))
        if pictures:
            save_pictures(net, history, run.metrics, rows, run.prediction, folder.pictures)
    return run


@dataclass(frozen=True)
class _DeclaredCheckpoints(Checkpoints):
    """Checkpoints of a run whose folder is changed only once the last of them was found to fit."""

    declare: Callable[[], None] = lambda: None

    def begin(self, training: Training, resume: bool) -> None:
        super().begin(training, resume)
        self.declare()


def _tested(experiment: Experiment, net: MLP, history: History, rows: Rows) -> Run:
    prediction = predict(net, rows.test[0])
    metrics = None if rows.labels is None else classification_metrics(prediction, rows.labels, output=net.output)
    test = measure_prediction(net, build_objective(experiment), prediction, rows.test[1])
    return Run(experiment, net, history, prediction, test, metrics)


def _train(experiment: Experiment, net: MLP, rows: Rows, folder: RunFolder | None, progress: bool) -> History:
    section = experiment.train
    keeping, early_stopping, checkpoints = section.checkpoints, None, None
    callbacks: list[Callable[[Training], object]] = []
    if section.early_stopping is not None:
        early_stopping = EarlyStopping(**msgspec.structs.asdict(section.early_stopping))
    if folder is not None:
        callbacks.append(lambda training: folder.keep(training.history))
        text = as_json(_without_places(experiment)).decode()
        checkpoints = _DeclaredCheckpoints(
            folder.checkpoints, keeping.every_batches, keeping.best, text, lambda: folder.begin(experiment)
        )
    return fit(
        net,
        build_objective(experiment),
        build_rule(experiment),
        train=rows.train,
        validation=rows.validation,
        epochs=section.epochs,
        batch_size=section.batch_size,
        seed=section.seed,
        schedule=build_schedule(experiment),
        clip_norm=section.clip_norm,
        clip_value=section.clip_value,
        gradient_norms=section.gradient_norms,
        early_stopping=early_stopping,
        callbacks=callbacks,
        checkpoints=checkpoints,
        resume=checkpoints is not None,
        progress=progress,
    )


def _without_places(experiment: Experiment) -> Experiment:
    """Return the experiment without the folder that the user's data lies in, which says nothing about the run."""
    path = experiment.data.path
    return experiment if path is None else with_settings(experiment, {"data.path": Path(path).name})


def _result(run: Run, rows: Rows, folder: RunFolder) -> dict[str, Any]:
    result: dict[str, Any] = {"epochs": len(run.history), "last": run.history.last, "test": dict(run.test)}
    if run.metrics is not None:
        result["test"] |= run.metrics.to_dict()
    if run.experiment.data.validation not in (0, "test"):  # the best by test rows would be chosen by its own judge
        best = build_net(run.experiment, rows.inputs, rows.outputs)
        load_weights(best, folder.checkpoints / BEST)
        result["test_of_best"] = measure(best, build_objective(run.experiment), *rows.test)
    return result
