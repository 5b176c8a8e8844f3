"""MyGrad: tensors on NumPy, with its guard against writes to memory in use switched off, as it advises for speed."""

from collections.abc import Callable
from typing import Any

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import relu
from mygrad.nnet.losses import softmax_crossentropy

from benchmarks.comparison.jobs import Job, Jobs, scalar_chain
from benchmarks.comparison.updates import numpy_update
from benchmarks.comparison.workloads import CHAIN_LINKS, L2, Problem

mg.turn_memory_guarding_off()

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "softplus": lambda a: mg.logaddexp(0, a),
    "tanh": mg.tanh,
    "cos": mg.cos,
    "relu": relu,
}


def training(problem: Problem) -> Job:
    activation = ACTIVATIONS[problem.workload.activation]
    parameters = [mg.tensor(parameter) for parameter in problem.parameters]
    weights, biases = parameters[::2], parameters[1::2]
    update = numpy_update(problem, [parameter.data for parameter in parameters])

    def step() -> Any:
        x = problem.x
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = activation(mg.matmul(x, weight.T) + bias)
        loss = softmax_crossentropy(mg.matmul(x, weights[-1].T) + biases[-1], problem.t)
        for weight in weights:
            loss = loss + L2 / 2 * mg.sum(weight * weight)
        loss.backward()
        update([parameter.grad for parameter in parameters])
        for parameter in parameters:
            parameter.null_grad()
        return loss

    return Job(step)


def operation(_problem: Problem) -> Job:
    a, b = mg.tensor(np.arange(1.0, 5.0)), mg.tensor(np.full(4, 0.5))
    return Job(lambda: a * b, lambda result: float(result.data.sum()))


def chain(_problem: Problem) -> Job:
    function, x = scalar_chain(CHAIN_LINKS), mg.tensor(0.3)

    def gradient() -> Any:
        x.null_grad()
        function(x).backward()
        return x.grad

    return Job(gradient)


MYGRAD: Jobs = {"training": training, "operation": operation, "chain": chain}
