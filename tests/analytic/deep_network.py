"""Networks of any depth, their objective written plainly enough for complex numbers, and slopes by complex steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tests.analytic.network import FUNCTIONS

WIDTHS = (5, 4, 6, 4, 3)  # inputs, three hidden layers of which two are equally wide, outputs
DEPTHS = (1, 2, 3, 4)
HEADS = (
    ("softmax", "cross_entropy"),
    ("softmax", "mean_squared_error"),
    ("sigmoid", "binary_cross_entropy"),
    ("sigmoid", "mean_squared_error"),
    ("identity", "mean_squared_error"),
)


class Deep(NamedTuple):
    """Parameters (W1, b1, …), rows of examples, and soft targets whose rows sum to 1."""

    parameters: tuple[np.ndarray, ...]
    x: np.ndarray
    t: np.ndarray

    @property
    def with_bias_columns(self) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """The weights with their biases as first columns, and the inputs with a leading column of ones."""
        pairs = zip(self.parameters[::2], self.parameters[1::2], strict=True)
        return tuple(np.column_stack([b, w]) for w, b in pairs), np.column_stack([np.ones(len(self.x)), self.x])

    @property
    def in_columns(self) -> tuple[tuple[np.ndarray, ...], np.ndarray, np.ndarray]:
        """Parameters, examples and targets in document 004's convention."""
        return tuple(w if w.ndim == 2 else w[:, None] for w in self.parameters), self.x.T, self.t.T


def deep(depth: int, m: int = 7, seed: int = 0) -> Deep:
    rng = np.random.default_rng([depth, m, seed])
    widths = (*WIDTHS[:depth], WIDTHS[-1])
    parameters: list[np.ndarray] = []
    for inside, outside in pairwise(widths):
        parameters += [rng.normal(size=(outside, inside)), rng.normal(size=outside)]
    shares = rng.random((m, widths[-1]))
    return Deep(tuple(parameters), rng.normal(size=(m, widths[0])), shares / shares.sum(axis=1, keepdims=True))


def cost_of(s: Any, t: np.ndarray, output: str, cost: str) -> Any:
    """Return the cost of the output's pre-activations, summed over rows and outputs."""
    y = {
        "softmax": lambda: np.exp(s) / np.exp(s).sum(axis=1, keepdims=True),
        "sigmoid": lambda: 1 / (1 + np.exp(-s)),
        "identity": lambda: s,
    }[output]()
    if cost == "cross_entropy":
        return -np.sum(t * np.log(y))
    if cost == "binary_cross_entropy":
        return -np.sum(t * np.log(y) + (1 - t) * np.log(1 - y))
    return np.sum((y - t) ** 2) / 2


def pre_activations(parameters: Sequence[Any], x: Any, activation: str, moves: Sequence[Any]) -> list[Any]:
    """Return those of each layer, `moves` being added to them."""
    found: list[Any] = []
    for layer, move in enumerate(moves):
        z = FUNCTIONS[activation](found[-1]) if layer else x
        found.append(z @ parameters[2 * layer].T + parameters[2 * layer + 1] + move)
    return found


def deep_objective(
    parameters: Sequence[Any],
    x: np.ndarray,
    t: np.ndarray,
    activation: str,
    *,
    output: str = "softmax",
    cost: str = "cross_entropy",
    l2: float = 0.0,
    biases: bool = False,
    moves: Sequence[Any] | None = None,
) -> Any:
    """Return the cost summed over the rows, plus (l2/2)‖W‖² with or without the biases."""
    last = pre_activations(parameters, x, activation, moves or [0.0] * (len(parameters) // 2))[-1]
    counted = parameters if biases else parameters[::2]
    return cost_of(last, t, output, cost) + l2 / 2 * sum(np.sum(w * w) for w in counted)


def complex_slopes(f: Callable[..., Any], *arrays: np.ndarray) -> list[np.ndarray]:
    """Return the gradient of the real scalar `f(*arrays)` for each array: f(x + ih).imag/h, exact to rounding."""
    found = []
    for which, array in enumerate(arrays):
        slopes = np.empty(array.shape)
        for index in np.ndindex(array.shape):
            moved = array.astype(complex)
            moved[index] += 1e-100j
            slopes[index] = f(*arrays[:which], moved, *arrays[which + 1 :]).imag / 1e-100
        found.append(slopes)
    return found


def assert_close(mine: Sequence[np.ndarray], expected: Sequence[np.ndarray], rtol: float = 1e-11) -> None:
    """Check that arrays agree one by one, within `rtol` of the largest entry of each."""
    for found, right in zip(mine, expected, strict=True):
        assert found.shape == right.shape
        np.testing.assert_allclose(found, right, rtol=0, atol=rtol * np.max(np.abs(right)))
