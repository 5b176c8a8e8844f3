"""torch.compile of whole steps as one graph: gradient, penalty and update in place.

`loss.backward()` and an optimizer leave such a graph at their borders, which costs half as much again.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.comparison.contenders.pytorch import loss_of, parameters_of, penalty, per_example_function
from benchmarks.comparison.jobs import Job, Jobs, along, scalar_chain, total_square
from benchmarks.comparison.workloads import CHAIN_LINKS, Problem

FEW_PARAMETERS = 10_000
"""Below, the wrapper in C++ is the faster one; above, the one in Python."""


def compiled(function: Callable[..., Any], few_parameters: bool) -> Callable[..., Any]:
    options = {"cpp_wrapper": True} if few_parameters else None
    return torch.no_grad()(torch.compile(function, fullgraph=True, dynamic=False, options=options))


def training(problem: Problem) -> Job:
    workload, loss_function = problem.workload, loss_of(problem)

    def penalised(parameters: list[Tensor], x: Tensor, t: Tensor) -> Tensor:
        return loss_function(parameters, x, t) + penalty(parameters)

    def sgd(parameters: list[Tensor], x: Tensor, t: Tensor) -> Tensor:
        gradients, loss = torch.func.grad_and_value(penalised)(parameters, x, t)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.sub_(gradient, alpha=workload.learning_rate)
        return loss

    def adam(parameters: list[Tensor], x: Tensor, t: Tensor, state: list[Tensor], steps: Tensor) -> Tensor:
        gradients, loss = torch.func.grad_and_value(penalised)(parameters, x, t)
        steps.add_(1)
        for parameter, gradient, v, s in zip(parameters, gradients, state[::2], state[1::2], strict=True):
            v.lerp_(gradient, 1 - 0.9)
            s.mul_(0.999).addcmul_(gradient, gradient, value=1 - 0.999)
            v_hat, s_hat = v / (1 - 0.9**steps), s / (1 - 0.999**steps)
            parameter.sub_(workload.learning_rate * v_hat / (s_hat.sqrt() + 1e-8))
        return loss

    parameters = parameters_of(problem, requires_grad=False)
    arguments: tuple[Any, ...] = parameters, torch.tensor(problem.x), torch.tensor(problem.t)
    if workload.rule == "adam":
        arguments += [torch.zeros_like(p) for p in parameters for _ in range(2)], torch.zeros(())
    step = compiled({"sgd": sgd, "adam": adam}[workload.rule], workload.parameters < FEW_PARAMETERS)
    return Job(lambda: step(*arguments))


def hessian_vector_product(problem: Problem) -> Job:
    loss_function = loss_of(problem)

    def product(parameters: tuple[Tensor, ...], directions: tuple[Tensor, ...], x: Tensor, t: Tensor) -> Any:
        gradient = torch.func.grad(lambda parameters: loss_function(parameters, x, t))
        return torch.func.jvp(gradient, (parameters,), (directions,))[1]

    arguments = (
        tuple(parameters_of(problem, requires_grad=False)),
        tuple(torch.tensor(direction) for direction in problem.directions),
        torch.tensor(problem.x),
        torch.tensor(problem.t),
    )
    step = compiled(product, few_parameters=False)
    return Job(lambda: step(*arguments), along(problem.directions))


def per_example_gradients(problem: Problem) -> Job:
    function, arguments = per_example_function(problem)
    step = compiled(function, few_parameters=False)
    return Job(lambda: step(*arguments), total_square)


def operation(_problem: Problem) -> Job:
    a, b = torch.arange(1.0, 5.0, dtype=torch.float64), torch.full((4,), 0.5, dtype=torch.float64)
    multiply = compiled(lambda a, b: a * b, few_parameters=True)
    return Job(lambda: multiply(a, b), lambda result: result.sum().item())


def chain(_problem: Problem) -> Job:
    x = torch.tensor(0.3, dtype=torch.float64)
    gradient = compiled(torch.func.grad(scalar_chain(CHAIN_LINKS)), few_parameters=True)
    return Job(lambda: gradient(x))


COMPILED: Jobs = {
    "training": training,
    "hessian_vector_product": hessian_vector_product,
    "per_example_gradients": per_example_gradients,
    "operation": operation,
    "chain": chain,
}
