"""autograd: gradients of functions written in its wrapped NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
from autograd import grad, value_and_grad
from autograd import numpy as anp
from autograd.differential_operators import make_hvp

from benchmarks.comparison.jobs import Job, Jobs, along, scalar_chain
from benchmarks.comparison.updates import numpy_update
from benchmarks.comparison.workloads import CHAIN_LINKS, L2, Problem

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "softplus": lambda a: anp.logaddexp(0, a),
    "tanh": anp.tanh,
    "cos": anp.cos,
    "relu": lambda a: anp.maximum(a, 0),
}


def loss_of(problem: Problem) -> Callable[[list[Any]], Any]:
    """Return the cross-entropy on the batch as a function of the parameters."""
    activation, batch = ACTIVATIONS[problem.workload.activation], problem.x
    one_hot = np.eye(problem.workload.widths[-1], dtype=batch.dtype)[problem.t]

    def loss(parameters: list[Any]) -> Any:
        x, weights, biases = batch, parameters[::2], parameters[1::2]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = activation(anp.dot(x, weight.T) + bias)
        logits = anp.dot(x, weights[-1].T) + biases[-1]
        logits = logits - anp.max(logits, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(logits), axis=1)) - anp.sum(logits * one_hot, axis=1))

    return loss


def training(problem: Problem) -> Job:
    loss_function = loss_of(problem)
    gradient = value_and_grad(
        lambda parameters: loss_function(parameters) + L2 / 2 * sum(anp.sum(w * w) for w in parameters[::2])
    )
    parameters = [parameter.copy() for parameter in problem.parameters]
    update = numpy_update(problem, parameters)

    def step() -> Any:
        loss, gradients = gradient(parameters)
        update(gradients)
        return loss

    return Job(step)


def hessian_vector_product(problem: Problem) -> Job:
    product = make_hvp(loss_of(problem))
    return Job(lambda: product(problem.parameters)[0](problem.directions), along(problem.directions))


def chain(_problem: Problem) -> Job:
    gradient = grad(scalar_chain(CHAIN_LINKS))
    return Job(lambda: gradient(0.3), float)


AUTOGRAD: Jobs = {"training": training, "hessian_vector_product": hessian_vector_product, "chain": chain}
