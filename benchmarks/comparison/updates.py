"""Update rules in plain NumPy, in place, for contenders that have none of their own."""

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.comparison.workloads import Problem

Update = Callable[[Sequence[np.ndarray]], None]


def numpy_update(problem: Problem, parameters: list[np.ndarray]) -> Update:
    """Return what changes the parameters in place, given their gradients."""
    rule = {"sgd": _sgd, "adam": _adam}[problem.workload.rule]
    return rule(parameters, problem.workload.learning_rate)


def _sgd(parameters: list[np.ndarray], rate: float) -> Update:
    scratch = [np.empty_like(parameter) for parameter in parameters]

    def update(gradients: Sequence[np.ndarray]) -> None:
        for parameter, gradient, change in zip(parameters, gradients, scratch, strict=True):
            np.multiply(gradient, rate, out=change)
            parameter -= change

    return update


def _adam(parameters: list[np.ndarray], rate: float) -> Update:
    beta1, beta2, epsilon, steps = 0.9, 0.999, 1e-8, 0
    state = [tuple(np.zeros_like(parameter) for _ in range(3)) for parameter in parameters]

    def update(gradients: Sequence[np.ndarray]) -> None:
        nonlocal steps
        steps += 1
        for parameter, gradient, (v, s, change) in zip(parameters, gradients, state, strict=True):
            np.multiply(gradient, 1 - beta1, out=change)
            v *= beta1
            v += change
            np.multiply(gradient, gradient, out=change)
            change *= 1 - beta2
            s *= beta2
            s += change
            np.multiply(s, 1 / (1 - beta2**steps), out=change)
            np.sqrt(change, out=change)
            change += epsilon
            np.divide(v, change, out=change)
            change *= rate / (1 - beta1**steps)
            parameter -= change

    return update
