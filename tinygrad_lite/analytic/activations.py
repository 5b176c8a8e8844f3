"""Activations and their derivatives, by hand, in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Elementwise = Callable[[np.ndarray], np.ndarray]


class Activation(NamedTuple):
    """A function of the pre-activation and its derivative, both elementwise."""

    function: Elementwise
    derivative: Elementwise


def sigmoid(a: np.ndarray) -> np.ndarray:
    """Return σ(a) = 1/(1 + e⁻ᵃ), from e^−|a| so that nothing overflows.

    >>> import numpy as np
    >>> sigmoid(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    small = np.exp(-np.abs(a))
    return np.asarray(np.where(a >= 0, 1.0, small) / (1.0 + small))


def sigmoid_derivative(a: np.ndarray) -> np.ndarray:
    """Return σ'(a) = σ(a)(1 − σ(a)) (001.7b, 003.5a).

    From σ = (1 + e⁻ᵃ)⁻¹ the chain rule gives σ' = e⁻ᵃ/(1 + e⁻ᵃ)² = σ · e⁻ᵃ/(1 + e⁻ᵃ), and the second factor is 1 − σ.
    Document 001.3 has eᵃ in the numerator instead.

    >>> import numpy as np
    >>> sigmoid_derivative(np.array([0.0]))
    array([0.25])
    """
    return sigmoid(a) * (1.0 - sigmoid(a))


ACTIVATIONS: dict[str, Activation] = {
    "softplus": Activation(lambda a: np.logaddexp(0.0, a), sigmoid),  # d/da log(1 + eᵃ) = eᵃ/(1 + eᵃ) = σ(a)
    "tanh": Activation(np.tanh, lambda a: 1.0 - np.tanh(a) ** 2),
    "cos": Activation(np.cos, lambda a: -np.sin(a)),
    "relu": Activation(lambda a: np.maximum(a, 0.0), lambda a: (a > 0).astype(a.dtype)),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "identity": Activation(np.asarray, np.ones_like),
}
"""The activations by name, with the derivatives of 000.12 and 001.7b."""


def softmax(s: np.ndarray) -> np.ndarray:
    """Return the softmax of each row, shifted by the row's largest value so that nothing overflows.

    >>> import numpy as np
    >>> softmax(np.array([[1000.0, 1000.0]]))
    array([[0.5, 0.5]])
    """
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))
