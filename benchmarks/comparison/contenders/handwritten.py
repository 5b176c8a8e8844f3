"""Forward and backward sweep written out in NumPy, as one does who has derived them."""

from collections.abc import Callable

import numpy as np

from benchmarks.comparison.jobs import Job, Jobs, total_square
from benchmarks.comparison.updates import numpy_update
from benchmarks.comparison.workloads import L2, Problem

Function = Callable[[np.ndarray], np.ndarray]

ACTIVATIONS: dict[str, Function] = {
    "softplus": lambda a: np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a))),
    "tanh": np.tanh,
    "cos": np.cos,
    "relu": lambda a: np.maximum(a, 0),
}
DERIVATIVES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "softplus": lambda _a, z: -np.expm1(-z),
    "tanh": lambda _a, z: 1 - z * z,
    "cos": lambda a, _z: -np.sin(a),
    "relu": lambda _a, z: z > 0,
}
"""From what went in and what came out of the activation."""


class Network:
    """The layers of a problem, with the values of the last forward sweep."""

    def __init__(self, problem: Problem) -> None:
        self.x, self.t = problem.x, problem.t
        self.parameters = [parameter.copy() for parameter in problem.parameters]
        self.weights, self.biases = self.parameters[::2], self.parameters[1::2]
        self.activation = ACTIVATIONS[problem.workload.activation]
        self.derivative = DERIVATIVES[problem.workload.activation]
        self.one_hot = np.eye(problem.workload.widths[-1], dtype=problem.x.dtype)[self.t]
        self.rows = np.arange(len(self.x))
        self.before: list[np.ndarray] = []
        self.inputs: list[np.ndarray] = []

    def forward(self) -> np.ndarray:
        """Return the logits."""
        self.before, self.inputs = [], [self.x]
        for weight, bias in zip(self.weights, self.biases, strict=True):
            a = self.inputs[-1] @ weight.T
            a += bias
            self.before.append(a)
            if len(self.before) < len(self.weights):
                self.inputs.append(self.activation(a))
        return self.before[-1]

    def loss_and_delta(self) -> tuple[float, np.ndarray]:
        """Return the loss on the batch and (softmax(z) − t)/m."""
        logits = self.forward()
        logits -= logits.max(axis=1, keepdims=True)
        e = np.exp(logits)
        total = e.sum(axis=1, keepdims=True)
        loss = (np.log(total[:, 0]) - logits[self.rows, self.t]).mean()
        e /= total
        e -= self.one_hot
        e /= len(self.x)
        return loss, e

    def deltas(self, delta: np.ndarray) -> list[np.ndarray]:
        """Return the gradients by the values before each activation, the last layer's first."""
        deltas = [delta]
        for layer in range(len(self.weights) - 1, 0, -1):
            delta = delta @ self.weights[layer]
            delta *= self.derivative(self.before[layer - 1], self.inputs[layer])
            deltas.append(delta)
        return deltas


def training(problem: Problem) -> Job:
    network = Network(problem)
    update = numpy_update(problem, network.parameters)

    def step() -> float:
        loss, last_delta = network.loss_and_delta()
        loss += L2 / 2 * sum(np.vdot(weight, weight) for weight in network.weights)
        gradients = []
        layers = zip(network.deltas(last_delta), network.inputs[::-1], network.weights[::-1], strict=True)
        for delta, inputs, weight in layers:
            gradient = delta.T @ inputs
            gradient += L2 * weight
            gradients += [delta.sum(axis=0), gradient]
        update(gradients[::-1])
        return loss

    return Job(step)


def per_example_gradients(problem: Problem) -> Job:
    network = Network(problem)

    def gradients() -> list[np.ndarray]:
        deltas = network.deltas(network.loss_and_delta()[1] * len(problem.x))[::-1]
        pairs = zip(deltas, network.inputs, strict=True)
        return [g for delta, inputs in pairs for g in (delta[:, :, None] * inputs[:, None, :], delta)]

    return Job(gradients, total_square)


def operation(_problem: Problem) -> Job:
    a, b = np.arange(1.0, 5.0), np.full(4, 0.5)
    return Job(lambda: a * b, lambda result: float(result.sum()))


HANDWRITTEN: Jobs = {
    "training": training,
    "per_example_gradients": per_example_gradients,
    "operation": operation,
}
