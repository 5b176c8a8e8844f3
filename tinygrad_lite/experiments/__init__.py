"""Whole experiments, declared: data, network, objective, rule and training in one file or one value.

>>> from tinygrad_lite import experiments
>>> experiment = experiments.experiment_from('''
... [net]
... hidden = [300]
... activation = "tanh"
...
... [optimizer]
... name = "adam"
... ''', ["train.epochs=4"])
>>> experiments.build_rule(experiment)
Adam(lr=0.001, maximize=False, beta1=0.9, beta2=0.999, epsilon=1e-08)
>>> experiment.train == experiments.TrainSection(epochs=4)
True
"""

try:
    import msgspec as _msgspec  # noqa: F401  # asked for here, so that the message says what to install
except ImportError as problem:
    from tinygrad_lite.errors import MissingDependencyError

    raise MissingDependencyError("experiments need msgspec: pip install 'tinygrad-lite[train]'") from problem

from tinygrad_lite.experiments.building import build_net, build_objective, build_rule, build_schedule
from tinygrad_lite.experiments.declaring import (
    CheckpointSection,
    DataSection,
    EarlyStoppingSection,
    Experiment,
    NetSection,
    ObjectiveSection,
    OptimizerSection,
    ScheduleSection,
    SweepSection,
    TrainSection,
)
from tinygrad_lite.experiments.reading import as_json, experiment_from, read_experiment, with_settings
from tinygrad_lite.experiments.results import SweepResults
from tinygrad_lite.experiments.running import Run, run_experiment
from tinygrad_lite.experiments.sweeping import run_sweep, runs_of
from tinygrad_lite.experiments.tracing import trace_experiment

__all__ = [
    "CheckpointSection",
    "DataSection",
    "EarlyStoppingSection",
    "Experiment",
    "NetSection",
    "ObjectiveSection",
    "OptimizerSection",
    "Run",
    "ScheduleSection",
    "SweepResults",
    "SweepSection",
    "TrainSection",
    "as_json",
    "build_net",
    "build_objective",
    "build_rule",
    "build_schedule",
    "experiment_from",
    "read_experiment",
    "run_experiment",
    "run_sweep",
    "runs_of",
    "trace_experiment",
    "with_settings",
]
