"""The gradient that document 000 derives by hand agrees with the automatic one, for a network built in two ways.

The formulas stand here as the document writes them (000.3, 000.11, 000.12), with bias columns and nothing of ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn

TOLERANCE = 1e-10
LAMBDAS = [0.01, 2.5]
SIZES = {"small": (11, 7, 5, 3), "mnist": (100, 784, 100, 10)}  # N, D, M, K

ACTIVATIONS = {
    "softplus": lambda a: np.log(1 + np.exp(a)),
    "tanh": np.tanh,
    "cos": np.cos,
}
DERIVATIVES = {  # 000.12
    "softplus": lambda a: np.exp(a) / (1 + np.exp(a)),
    "tanh": lambda a: 1 - np.tanh(a) ** 2,
    "cos": lambda a: -np.sin(a),
}


class Problem(NamedTuple):
    inputs: np.ndarray  # without the column of ones
    labels: np.ndarray
    W1: np.ndarray  # M × (D + 1), the bias column first
    W2: np.ndarray  # K × (M + 1)

    @property
    def X(self) -> np.ndarray:
        return with_ones(self.inputs)

    @property
    def T(self) -> np.ndarray:
        return np.eye(len(self.W2))[self.labels]


def with_ones(a):
    return np.concatenate([np.ones((a.shape[0], 1)), a], axis=1)


def make_problem(size: str, seed: int = 0) -> Problem:
    n, d, m, k = SIZES[size]
    rng = np.random.default_rng(seed)
    w1 = rng.normal(size=(m, d + 1)) / np.sqrt(d + 1)
    return Problem(rng.normal(size=(n, d)), rng.integers(k, size=n), w1, rng.normal(size=(k, m + 1)))


def by_hand(problem: Problem, activation: str, lam: float) -> tuple[np.ndarray, np.ndarray]:
    """Return ∂E/∂W1 and ∂E/∂W2 as the document and its code have them, bias columns regularised."""
    X, T, W1, W2 = problem.X, problem.T, problem.W1, problem.W2
    S1 = X @ W1.T
    Z = with_ones(ACTIVATIONS[activation](S1))
    S2 = Z @ W2.T
    Y = np.exp(S2) / np.exp(S2).sum(axis=1, keepdims=True)
    dW2 = (T - Y).T @ Z - lam * W2  # 000.3
    dW1 = (((T - Y) @ W2[:, 1:]) * DERIVATIVES[activation](S1)).T @ X - lam * W1  # 000.11
    return dW1, dW2


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    assert actual.shape == expected.shape
    return np.max(np.abs(actual - expected)) / np.max(np.abs(expected))


def declared(problem: Problem, activation: str) -> nn.MLP:
    """Return the network of the document with its weights, as `nn` declares it."""
    m, k = len(problem.W1), len(problem.W2)
    net = nn.MLP([problem.inputs.shape[1], m, k], activation=activation, dtype=np.float64)
    net.load_state_dict(
        {
            "layers.0.weight": problem.W1[:, 1:],
            "layers.0.bias": problem.W1[:, 0],
            "layers.1.weight": problem.W2[:, 1:],
            "layers.1.bias": problem.W2[:, 0],
        }
    )
    return net


def gradients_of_declared(problem: Problem, activation: str, objective: nn.Objective) -> list[np.ndarray]:
    net = declared(problem, activation)
    objective(net, problem.inputs, problem.labels).backward()
    return [np.column_stack([layer.bias.grad, layer.weight.grad]) for layer in net.layers]


def plain_objective(problem: Problem, activation: str, lam: float):
    """Return 000.1 as a function of W1 and W2 in plain NumPy."""
    X, T = problem.X, problem.T

    def E(W1, W2):
        Z = with_ones(ACTIVATIONS[activation](X @ W1.T))
        S2 = Z @ W2.T
        Y = np.exp(S2) / np.sum(np.exp(S2), axis=1, keepdims=True)
        return np.sum(T * np.log(Y)) - lam / 2 * (np.sum(W1**2) + np.sum(W2**2))

    return E


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lam", LAMBDAS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_handwritten_gradient_agrees_with_the_declared_network(activation, lam, size):
    problem = make_problem(size)
    automatic = gradients_of_declared(problem, activation, nn.LogLikelihood() - lam * nn.L2(biases=True))
    for mine, handwritten in zip(automatic, by_hand(problem, activation, lam), strict=True):
        assert relative_error(mine, handwritten) < TOLERANCE


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lam", LAMBDAS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_handwritten_gradient_agrees_with_plain_numpy_functions(activation, lam, size):
    problem = make_problem(size)
    automatic = tg.grad(plain_objective(problem, activation, lam), argnums=(0, 1))(problem.W1, problem.W2)
    for mine, handwritten in zip(automatic, by_hand(problem, activation, lam), strict=True):
        assert type(mine) is np.ndarray
        assert relative_error(mine, handwritten) < TOLERANCE


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_both_ways_of_building_the_network_have_the_same_value(activation):
    problem = make_problem("small")
    objective = nn.LogLikelihood() - 0.1 * nn.L2(biases=True)
    value = objective(declared(problem, activation), problem.inputs, problem.labels).item()
    np.testing.assert_allclose(
        value, plain_objective(problem, activation, 0.1)(problem.W1, problem.W2), rtol=1e-13, atol=0
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_without_regularised_biases_only_the_bias_columns_differ(activation):
    problem = make_problem("small")
    automatic = gradients_of_declared(problem, activation, nn.LogLikelihood() - 0.1 * nn.L2())
    for mine, handwritten, w in zip(automatic, by_hand(problem, activation, 0.1), problem[2:], strict=True):
        assert relative_error(mine[:, 1:], handwritten[:, 1:]) < TOLERANCE
        assert relative_error(mine[:, 0], handwritten[:, 0] + 0.1 * w[:, 0]) < TOLERANCE
        assert relative_error(mine[:, 0], handwritten[:, 0]) > 1e-4


def test_the_mean_cross_entropy_has_the_gradient_of_the_likelihood_over_minus_n():
    problem = make_problem("small")
    automatic = gradients_of_declared(problem, "tanh", nn.CrossEntropy())
    for mine, handwritten in zip(automatic, by_hand(problem, "tanh", 0.0), strict=True):
        assert relative_error(mine, -handwritten / len(problem.inputs)) < TOLERANCE
