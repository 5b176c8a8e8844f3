"""micrograd knows scalars only: a step of the smallest network is measured, and multiplied up to the one in question.

The factor is the number of scalar operations in one step of each. micrograd itself has sums, products, powers and relu;
the other functions are added to it the way it writes its own.
"""

import math
import sys
from collections.abc import Callable

from micrograd.engine import Value

from benchmarks.comparison.jobs import Job, Jobs, scalar_chain
from benchmarks.comparison.workloads import CHAIN_LINKS, L2, SMALL, Problem, Workload

sys.setrecursionlimit(1_000_000)  # it walks its graph recursively


def unary(function: Callable[[float], float], derivative: Callable[[float, float], float]) -> Callable[[Value], Value]:
    """Return an operation for micrograd; the derivative is given what went in and what came out."""

    def operation(x: Value) -> Value:
        y = Value(function(x.data), (x,))

        def backward() -> None:
            x.grad += derivative(x.data, y.data) * y.grad

        y._backward = backward
        return y

    return operation


exponential = unary(math.exp, lambda _x, y: y)
logarithm = unary(math.log, lambda x, _y: 1 / x)
ACTIVATIONS: dict[str, Callable[[Value], Value]] = {
    "softplus": unary(lambda x: math.log1p(math.exp(x)), lambda x, _y: 1 / (1 + math.exp(-x))),
    "tanh": unary(math.tanh, lambda _x, y: 1 - y * y),
    "cos": unary(math.cos, lambda x, _y: -math.sin(x)),
    "relu": Value.relu,
}


def operations(workload: Workload) -> int:
    """Return how many scalar operations `ScalarNetwork.loss` records."""
    products = sum(2 * i * o for i, o in workload.layers)
    activations = sum(workload.widths[1:-1])
    cross_entropy = 2 * workload.widths[-1] + 4  # exponentials, their sum, a logarithm, a difference, the sum over rows
    penalty = sum(2 * i * o for i, o in workload.layers)
    return workload.batch * (products + activations + cross_entropy) + penalty + 3


class ScalarNetwork:
    """The network of a problem in scalars."""

    def __init__(self, problem: Problem) -> None:
        self.activation = ACTIVATIONS[problem.workload.activation]
        self.rows = [[Value(v) for v in row] for row in problem.x.tolist()]
        self.targets = problem.t.tolist()
        parameters = [parameter.tolist() for parameter in problem.parameters]
        self.weights = [[[Value(w) for w in row] for row in matrix] for matrix in parameters[::2]]
        self.biases = [[Value(b) for b in vector] for vector in parameters[1::2]]

    def all_parameters(self) -> list[Value]:
        flat = [w for matrix in self.weights for row in matrix for w in row]
        return flat + [b for vector in self.biases for b in vector]

    def logits(self, values: list[Value]) -> list[Value]:
        for layer, (matrix, vector) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = [sum((w * v for w, v in zip(row, values, strict=True)), b) for row, b in zip(matrix, vector)]
            if layer < len(self.weights) - 1:
                values = [self.activation(value) for value in values]
        return values

    def cross_entropy(self, row: list[Value], target: int) -> Value:
        logits = self.logits(row)
        return logarithm(sum((exponential(z) for z in logits[1:]), exponential(logits[0]))) - logits[target]

    def loss(self) -> Value:
        losses = [self.cross_entropy(row, target) for row, target in zip(self.rows, self.targets, strict=True)]
        squares = [w * w for matrix in self.weights for row in matrix for w in row]
        mean = sum(losses[1:], losses[0]) * (1 / len(losses))
        return mean + sum(squares[1:], squares[0]) * (L2 / 2)


def training(problem: Problem) -> Job:
    workload = problem.workload
    measured = Workload(SMALL.batch, SMALL.widths, workload.activation)
    network = ScalarNetwork(Problem(measured))
    parameters, rate = network.all_parameters(), workload.learning_rate
    if workload.rule != "sgd":
        raise NotImplementedError("only SGD is written out")

    def step() -> Value:
        for parameter in parameters:
            parameter.grad = 0
        loss = network.loss()
        loss.backward()
        for parameter in parameters:
            parameter.data -= rate * parameter.grad
        return loss

    return Job(step, lambda loss: float(loss.data), scale=operations(workload) / operations(measured))


def chain(_problem: Problem) -> Job:
    function = scalar_chain(CHAIN_LINKS)

    def gradient() -> float:
        x = Value(0.3)
        function(x).backward()
        return x.grad

    return Job(gradient, float)


MICROGRAD: Jobs = {"training": training, "chain": chain}
