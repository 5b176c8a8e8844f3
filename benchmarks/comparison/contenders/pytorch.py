"""PyTorch, eager: as its users write it, and without its optimizer, which is faster for few parameters."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.comparison.jobs import Job, Jobs, along, decays, scalar_chain, total_square
from benchmarks.comparison.workloads import CHAIN_LINKS, L2, Problem

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "softplus": functional.softplus,
    "tanh": torch.tanh,
    "cos": torch.cos,
    "relu": functional.relu,
}
RULES = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


def parameters_of(problem: Problem, requires_grad: bool) -> list[Tensor]:
    return [torch.tensor(parameter, requires_grad=requires_grad) for parameter in problem.parameters]


def loss_of(problem: Problem) -> Callable[[list[Tensor], Tensor, Tensor], Tensor]:
    """Return the cross-entropy as a function of the parameters and a batch."""
    activation = ACTIVATIONS[problem.workload.activation]

    def loss(parameters: list[Tensor], x: Tensor, t: Tensor) -> Tensor:
        weights, biases = parameters[::2], parameters[1::2]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = activation(functional.linear(x, weight, bias))
        return functional.cross_entropy(functional.linear(x, weights[-1], biases[-1]), t)

    return loss


def penalty(parameters: list[Tensor]) -> Tensor:
    """Return ½λ‖W‖² over the weights."""
    return sum(L2 / 2 * torch.dot(weight.view(-1), weight.view(-1)) for weight in parameters[::2])


def training(problem: Problem) -> Job:
    """Return a step with the optimizer's own weight decay and its fused update, the fastest that it has."""
    loss_function = loss_of(problem)
    parameters = parameters_of(problem, requires_grad=True)
    optimizer = RULES[problem.workload.rule](
        [{"params": parameters[::2], "weight_decay": L2}, {"params": parameters[1::2]}],
        lr=problem.workload.learning_rate,
        fused=True,
    )
    x, t = torch.tensor(problem.x), torch.tensor(problem.t)

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = loss_function(parameters, x, t)
        loss.backward()
        with torch.no_grad():
            loss = loss + penalty(parameters)
        optimizer.step()
        return loss

    return Job(step)


def lean_training(problem: Problem) -> Job:
    """Return a step of SGD without the optimizer: gradients asked for, weights decayed and changed in place."""
    if problem.workload.rule != "sgd":
        raise NotImplementedError("only SGD is written out")
    loss_function = loss_of(problem)
    parameters = parameters_of(problem, requires_grad=True)
    decayed, rate = decays(problem.workload), problem.workload.learning_rate
    x, t = torch.tensor(problem.x), torch.tensor(problem.t)

    def step() -> Tensor:
        loss = loss_function(parameters, x, t)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            loss = loss + penalty(parameters)
            for parameter, gradient, decay in zip(parameters, gradients, decayed, strict=True):
                if decay:
                    parameter.mul_(1 - rate * L2)
                parameter.sub_(gradient, alpha=rate)
        return loss

    return Job(step)


def hessian_vector_product(problem: Problem) -> Job:
    loss_function = loss_of(problem)
    parameters = parameters_of(problem, requires_grad=True)
    directions = [torch.tensor(direction) for direction in problem.directions]
    x, t = torch.tensor(problem.x), torch.tensor(problem.t)

    def product() -> tuple[Tensor, ...]:
        gradients = torch.autograd.grad(loss_function(parameters, x, t), parameters, create_graph=True)
        return torch.autograd.grad(gradients, parameters, grad_outputs=directions)

    return Job(product, along(problem.directions))


def per_example_gradients(problem: Problem) -> Job:
    gradients, arguments = per_example_function(problem)
    return Job(lambda: gradients(*arguments), total_square)


def per_example_function(problem: Problem) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return the gradient of one example, mapped over a batch, and its arguments."""
    loss_function = loss_of(problem)
    gradient = torch.func.grad(lambda parameters, x, t: loss_function(parameters, x[None], t[None]))
    arguments = parameters_of(problem, requires_grad=False), torch.tensor(problem.x), torch.tensor(problem.t)
    return torch.func.vmap(gradient, (None, 0, 0)), arguments


def operation(_problem: Problem) -> Job:
    a = torch.arange(1.0, 5.0, dtype=torch.float64, requires_grad=True)
    b = torch.full((4,), 0.5, dtype=torch.float64, requires_grad=True)
    return Job(lambda: a * b, lambda result: result.sum().item())


def chain(_problem: Problem) -> Job:
    x, function = torch.tensor(0.3, dtype=torch.float64, requires_grad=True), scalar_chain(CHAIN_LINKS)
    return Job(lambda: torch.autograd.grad(function(x), x)[0])


EAGER: Jobs = {
    "training": training,
    "hessian_vector_product": hessian_vector_product,
    "per_example_gradients": per_example_gradients,
    "operation": operation,
    "chain": chain,
}
LEAN: Jobs = {"training": lean_training}
