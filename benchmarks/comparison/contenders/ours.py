"""tinygrad_lite, eager and compiled: the same functions, declared once."""

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_lite as tg
from benchmarks.comparison.jobs import Job, Jobs, along, scalar_chain, total_square
from benchmarks.comparison.workloads import CHAIN_LINKS, L2, Problem
from tinygrad_lite import nn, optim

RULES = {"sgd": optim.SGD, "adam": optim.Adam}
FUNCTIONS: dict[str, Callable[..., Any]] = {"tanh": np.tanh, "softplus": tg.softplus, "cos": np.cos, "relu": tg.relu}

Compile = Callable[[Callable[..., Any]], Callable[..., Any]]


def as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def network(problem: Problem) -> nn.MLP:
    """Return the declared network with the weights of the problem."""
    workload = problem.workload
    net = nn.MLP(workload.widths, activation=workload.activation, dtype=workload.dtype)
    for parameter, value in zip(net.parameters(), problem.parameters, strict=True):
        parameter.assign(value)
    return net


def training(problem: Problem, compiled: Compile) -> Job:
    net, objective = network(problem), nn.CrossEntropy() + L2 * nn.L2()
    optimizer = RULES[problem.workload.rule](lr=problem.workload.learning_rate).bind(net, objective)
    x, t = tg.Tensor(problem.x), tg.Tensor(problem.t)  # as `fit` hands its batches over: without a copy at every step

    @compiled
    def step(x: tg.Tensor, t: tg.Tensor) -> tg.Tensor:
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return Job(lambda: step(x, t))


def loss_of(problem: Problem) -> Callable[..., Any]:
    """Return the loss in plain NumPy, as a function of a list of parameters and a batch."""
    activation = FUNCTIONS[problem.workload.activation]

    def loss(parameters: list[Any], x: Any, t: Any) -> Any:
        weights, biases = parameters[::2], parameters[1::2]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = activation(x @ weight.T + bias)
        return tg.softmax_cross_entropy(x @ weights[-1].T + biases[-1], t)

    return loss


def hessian_vector_product(problem: Problem, compiled: Compile) -> Job:
    loss = loss_of(problem)

    @compiled
    def product(parameters: list[np.ndarray], directions: list[np.ndarray], x: np.ndarray, t: np.ndarray) -> Any:
        return tg.hvp(lambda parameters: loss(parameters, x, t), (parameters,), (directions,))[0]

    arguments = problem.parameters, problem.directions, problem.x, problem.t
    return Job(lambda: product(*arguments), along(problem.directions))


def per_example_gradients(problem: Problem, compiled: Compile) -> Job:
    gradients = compiled(tg.per_example_grad(loss_of(problem)))
    return Job(lambda: gradients(problem.parameters, problem.x, problem.t), total_square)


def operation(_problem: Problem, compiled: Compile) -> Job:
    a, b = tg.Tensor(np.arange(1.0, 5.0), requires_grad=True), tg.Tensor(np.full(4, 0.5), requires_grad=True)
    multiply = compiled(lambda a, b: a * b)
    return Job(lambda: multiply(a, b), lambda result: float(result.numpy().sum()))


def chain(_problem: Problem, compiled: Compile) -> Job:
    gradient, x = compiled(tg.grad(scalar_chain(CHAIN_LINKS))), np.array(0.3)
    return Job(lambda: gradient(x), float)


KINDS = {
    "training": training,
    "hessian_vector_product": hessian_vector_product,
    "per_example_gradients": per_example_gradients,
    "operation": operation,
    "chain": chain,
}

EAGER: Jobs = {kind: lambda problem, make=make: make(problem, as_it_is) for kind, make in KINDS.items()}
COMPILED: Jobs = {kind: lambda problem, make=make: make(problem, tg.compile) for kind, make in KINDS.items()}
