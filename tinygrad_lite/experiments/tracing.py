"""What a declared experiment computes, as a graph."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from tinygrad_lite.experiments.building import build_net, build_objective
from tinygrad_lite.experiments.declaring import Experiment
from tinygrad_lite.experiments.loading import load_rows
from tinygrad_lite.graphs import Graph, trace


def trace_experiment(experiment: Experiment, folders: Sequence[str | os.PathLike[str]] = ()) -> Graph:
    """Return the graph of the declared objective, for the network before its training and the first rows of one batch.

    Raises DataError if the rows are not there.

    >>> from tinygrad_lite.experiments import Experiment
    >>> [node.primitive for node in trace_experiment(Experiment()) if node.primitive]
    ['linear', 'relu', 'linear', 'softmax_cross_entropy']
    """
    rows = load_rows(experiment, folders)
    net, objective = build_net(experiment, rows.inputs, rows.outputs), build_objective(experiment)
    size = experiment.train.batch_size

    def loss(x: Any, t: Any) -> Any:  # as the objective takes them
        return objective(net, x, t)

    return trace(loss, rows.train[0][:size], rows.train[1][:size])
