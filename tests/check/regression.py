"""A small regression network with its gradients by hand, square enough that wrong transposes and axes go unnoticed."""

from __future__ import annotations

import numpy as np

NAMES = ("w1", "b1", "w2", "b2")
EXAMPLES = OUTPUTS = 4  # equal, so that a bias summed over the wrong axis has the right shape
LAMBDA = 0.1

_rng = np.random.default_rng(5)
X = _rng.normal(size=(EXAMPLES, 3))
T = _rng.normal(size=(EXAMPLES, OUTPUTS))


def parameters() -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [rng.normal(size=shape) for shape in [(4, 3), (4,), (4, 4), (4,)]]


def loss(w1, b1, w2, b2):
    """½ the mean squared distance of the outputs, plus (λ/2)‖W‖² over the weights."""
    y = np.tanh(X @ w1.T + b1) @ w2.T + b2
    return 0.5 / EXAMPLES * np.sum((y - T) ** 2) + LAMBDA / 2 * (np.sum(w1**2) + np.sum(w2**2))


def gradients(w1, b1, w2, b2) -> dict[str, np.ndarray]:
    z = np.tanh(X @ w1.T + b1)
    delta2 = (z @ w2.T + b2 - T) / EXAMPLES
    delta1 = delta2 @ w2 * (1 - z**2)
    return {
        "w1": delta1.T @ X + LAMBDA * w1,
        "b1": delta1.sum(axis=0),
        "w2": delta2.T @ z + LAMBDA * w2,
        "b2": delta2.sum(axis=0),
    }


def by_hand(*values: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(gradients(*values).values())
