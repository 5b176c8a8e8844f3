"""The objective of a network with one hidden layer, written once more and plainly: what its gradients are held to.

Deeper networks stand in `deep_network.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "softplus": lambda a: np.log(1 + np.exp(a)),
    "tanh": np.tanh,
    "cos": np.cos,
    "relu": lambda a: np.where(a.real > 0, a, 0),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
}


class Problem(NamedTuple):
    """Parameters and a batch of 6 examples with 5 inputs, 4 hidden units and 3 classes."""

    parameters: tuple[np.ndarray, ...]
    x: np.ndarray
    labels: np.ndarray

    @property
    def one_hot(self) -> np.ndarray:
        return np.eye(3)[self.labels]

    @property
    def with_bias_columns(self) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        """The same network in document 000's form: (W1, W2) and inputs with a column of ones."""
        w1, b1, w2, b2 = self.parameters
        return (np.column_stack([b1, w1]), np.column_stack([b2, w2])), np.column_stack([np.ones(6), self.x])


def problem(seed: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    shapes = [(4, 5), (4,), (3, 4), (3,)]
    parameters = tuple(rng.normal(size=shape) for shape in shapes)
    return Problem(parameters, rng.normal(size=(6, 5)), np.array([0, 2, 1, 2, 0, 0]))


def soft_targets() -> np.ndarray:
    shares = np.random.default_rng(9).random((6, 3))
    return shares / shares.sum(axis=1, keepdims=True)


def objective(
    parameters: tuple[np.ndarray, ...], x: np.ndarray, t: np.ndarray, activation: str, l2: float, biases: bool
) -> float:
    """Return the summed cross-entropy of one-hot or soft targets plus (l2/2)‖W‖², with or without the biases."""
    w1, b1, w2, b2 = parameters
    logits = FUNCTIONS[activation](x @ w1.T + b1) @ w2.T + b2
    y = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    counted = parameters if biases else (w1, w2)
    return float(-np.sum(t * np.log(y)) + l2 / 2 * sum(np.sum(w**2) for w in counted))


def slopes(f: Callable[[], float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Return the central difference of `f` at every entry of the array `x` that it reads."""
    found = np.empty_like(x)
    for index in np.ndindex(x.shape):
        middle = x[index]
        x[index] = middle + step
        above = f()
        x[index] = middle - step
        found[index] = (above - f()) / (2 * step)
        x[index] = middle
    return found


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    assert actual.shape == expected.shape
    return float(np.max(np.abs(actual - expected)) / np.max(np.abs(expected)))
