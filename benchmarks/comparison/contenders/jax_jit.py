"""JAX: whole steps compiled by `jit`, with the old parameters donated.

A call returns before its result is computed. Once each step is waited for, as it is wherever its loss is looked at;
once a whole block of steps is queued and only the last is waited for.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
from jax import numpy as jnp

from benchmarks.comparison.jobs import Job, Jobs, along, scalar_chain, total_square
from benchmarks.comparison.workloads import CHAIN_LINKS, L2, Problem

jax.config.update("jax_platforms", "cpu")

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "softplus": jax.nn.softplus,
    "tanh": jnp.tanh,
    "cos": jnp.cos,
    "relu": jax.nn.relu,
}


def arrays(values: list[Any]) -> list[jax.Array]:
    return [jnp.array(value) for value in values]


def loss_of(problem: Problem) -> Callable[..., jax.Array]:
    """Return the cross-entropy as a function of the parameters and a batch; float64 is switched on where asked for."""
    jax.config.update("jax_enable_x64", problem.workload.dtype == "float64")
    activation = ACTIVATIONS[problem.workload.activation]

    def loss(parameters: list[jax.Array], x: jax.Array, t: jax.Array) -> jax.Array:
        weights, biases = parameters[::2], parameters[1::2]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = activation(x @ weight.T + bias)
        log_probabilities = jax.nn.log_softmax(x @ weights[-1].T + biases[-1])
        return -jnp.take_along_axis(log_probabilities, t[:, None], axis=1).mean()

    return loss


def sgd(rate: float, parameters: list[jax.Array], gradients: list[jax.Array], state: Any) -> Any:
    return [p - rate * g for p, g in zip(parameters, gradients, strict=True)], state


def adam(rate: float, parameters: list[jax.Array], gradients: list[jax.Array], state: Any) -> Any:
    first, second, t = state
    t = t + 1
    first = [0.9 * v + 0.1 * g for v, g in zip(first, gradients, strict=True)]
    second = [0.999 * s + 0.001 * g * g for s, g in zip(second, gradients, strict=True)]
    change = [v / (1 - 0.9**t) / (jnp.sqrt(s / (1 - 0.999**t)) + 1e-8) for v, s in zip(first, second, strict=True)]
    return [p - rate * c for p, c in zip(parameters, change, strict=True)], (first, second, t)


def training(problem: Problem) -> Job:
    loss_function, rate = loss_of(problem), problem.workload.learning_rate
    update = {"sgd": sgd, "adam": adam}[problem.workload.rule]

    def penalised(parameters: list[jax.Array], x: jax.Array, t: jax.Array) -> jax.Array:
        return loss_function(parameters, x, t) + L2 / 2 * sum(jnp.vdot(w, w) for w in parameters[::2])

    def step(parameters: list[jax.Array], state: Any, x: jax.Array, t: jax.Array) -> Any:
        loss, gradients = jax.value_and_grad(penalised)(parameters, x, t)
        return *update(rate, parameters, gradients, state), loss

    compiled = jax.jit(step, donate_argnums=(0, 1))
    parameters, x, t = arrays(problem.parameters), jnp.array(problem.x), jnp.array(problem.t)
    state: Any = (
        () if problem.workload.rule == "sgd" else (*(arrays([0 * p for p in parameters]) for _ in "vs"), jnp.zeros(()))
    )

    def run() -> jax.Array:
        nonlocal parameters, state
        parameters, state, loss = compiled(parameters, state, x, t)
        return loss

    return Job(run, wait=lambda loss: jax.block_until_ready((loss, parameters)))


def hessian_vector_product(problem: Problem) -> Job:
    loss_function = loss_of(problem)

    @jax.jit
    def product(parameters: list[jax.Array], directions: list[jax.Array], x: jax.Array, t: jax.Array) -> Any:
        gradient = jax.grad(lambda parameters: loss_function(parameters, x, t))
        return jax.jvp(gradient, (parameters,), (directions,))[1]

    arguments = arrays(problem.parameters), arrays(problem.directions), jnp.array(problem.x), jnp.array(problem.t)
    return Job(lambda: product(*arguments), along(problem.directions), jax.block_until_ready)


def per_example_gradients(problem: Problem) -> Job:
    loss_function = loss_of(problem)
    gradient = jax.grad(lambda parameters, x, t: loss_function(parameters, x[None], t[None]))
    gradients = jax.jit(jax.vmap(gradient, (None, 0, 0)))
    arguments = arrays(problem.parameters), jnp.array(problem.x), jnp.array(problem.t)
    return Job(lambda: gradients(*arguments), total_square, jax.block_until_ready)


def operation(_problem: Problem) -> Job:
    jax.config.update("jax_enable_x64", True)
    a, b, multiply = jnp.arange(1.0, 5.0), jnp.full(4, 0.5), jax.jit(jnp.multiply)
    return Job(lambda: multiply(a, b), lambda result: float(result.sum()), jax.block_until_ready)


def chain(_problem: Problem) -> Job:
    jax.config.update("jax_enable_x64", True)
    gradient, x = jax.jit(jax.grad(scalar_chain(CHAIN_LINKS))), jnp.array(0.3)
    return Job(lambda: gradient(x), wait=jax.block_until_ready)


def waited_for(job: Job) -> Job:
    """Return the job with every result waited for within its time."""

    def run() -> Any:
        result = job.run()
        job.wait(result)
        return result

    return replace(job, run=run)


QUEUED: Jobs = {
    "training": training,
    "hessian_vector_product": hessian_vector_product,
    "per_example_gradients": per_example_gradients,
    "operation": operation,
    "chain": chain,
}
JIT: Jobs = {kind: lambda problem, make=make: waited_for(make(problem)) for kind, make in QUEUED.items()}
