"""The gradients of a network of any depth, derived by hand, with examples as rows (documents 000, 002 and 003).

From Z₀ = X, the layers l = 1 … L compute Sₗ = Zₗ₋₁ Wₗᵀ + bₗ and Zₗ = h(Sₗ), the last one an output Y = o(S_L). With C
its cost, summed over the examples, and Δₗ = ∂C/∂Sₗ, one row an example:

    Δ_L = Y − T                                for cross-entropy over softmax (003.2d; 000.5 with E = −C);
                                               for other outputs and costs see `output_delta`
    ∂C/∂Zₗ = Δₗ₊₁ Wₗ₊₁                         as Sₗ₊₁ = Zₗ Wₗ₊₁ᵀ + bₗ₊₁ (000.8, 003.3)
    Δₗ = (Δₗ₊₁ Wₗ₊₁) ⊙ h'(Sₗ)                  as Zₗ = h(Sₗ) entry by entry (000.9, its product read as ⊙; 003.6)
    ∂C/∂Wₗ = Δₗᵀ Zₗ₋₁,  ∂C/∂bₗ = Σₙ Δₗ         (000.4, 000.11, 003.4, 003.7; over the rows n, 003.8)

The penalty (λ/2)‖W‖² adds λ W (000.3, 003.9). Document 000 maximises E = −C − (λ/2)‖W‖², which turns every sign. There,
a leading column of ones in X and in every Zₗ makes the first column of W the bias. That column of ones is no function
of Sₗ, so the bias column of Wₗ₊₁ has no place in Δₗ (000.12). Document 003 has no biases at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from tinygrad_lite.analytic.activations import Elementwise, activation_called
from tinygrad_lite.analytic.costs import l2_gradient
from tinygrad_lite.analytic.outputs import output_delta

Reduction = Literal["mean", "sum"]


class Backward(NamedTuple):
    """What a backward pass by hand finds."""

    gradients: tuple[np.ndarray, ...]
    """The gradient of the objective for each parameter, in the parameters' order."""
    deltas: tuple[np.ndarray, ...]
    """∂/∂Sₗ of the objective for the pre-activations of each layer, the first layer first."""


def mlp_backward(
    parameters: Sequence[np.ndarray],
    x: np.ndarray,
    t: np.ndarray,
    activation: str = "softplus",
    *,
    output: str = "softmax",
    cost: str = "cross_entropy",
    reduction: Reduction = "mean",
    l2: float = 0.0,
    biases_regularised: bool = False,
    maximize: bool = False,
) -> Backward:
    """Return gradients and deltas of a cost plus (l2/2)‖W‖² for a network of any depth, examples being rows of `x`.

    `parameters` are (W1, b1, …, WL, bL), with W of shape (out, in), b of shape (out,) and `x` (examples, in); or in
    document 000's form (W1, …, WL) with the biases as first columns and a leading column of ones in `x`; or (W1, …, WL)
    without biases, told from the former by the widths (a single matrix counts as one with a bias column).
    `activation` is that of the hidden layers, `output` and `cost` are those of `output_delta`. `t` are targets
    (examples, out), under softmax and cross-entropy also integer labels (examples,). The cost is averaged over the
    examples or summed; the penalty counts biases only if asked. `maximize` negates all, for the objective of 000.1.

    Raises ValueError for shapes that do not fit, no examples, or an unknown output, cost or reduction; KeyError for an
    unknown activation.

    >>> import numpy as np
    >>> w1, b1, w2, b2 = np.ones((2, 3)), np.zeros(2), np.ones((4, 2)), np.zeros(4)
    >>> gradients, deltas = mlp_backward((w1, b1, w2, b2), np.ones((1, 3)), np.array([0]), "relu")
    >>> deltas[1]
    array([[-0.75,  0.25,  0.25,  0.25]])
    >>> gradients[2]
    array([[-2.25, -2.25],
           [ 0.75,  0.75],
           [ 0.75,  0.75],
           [ 0.75,  0.75]])
    """
    network = _Network.of(parameters, x)
    h = activation_called(activation)
    inputs, pre_activations = _forward(network, x, h.function)
    delta = output_delta(pre_activations[-1], t, output, cost) / divisor(reduction, len(x))
    deltas = [-delta if maximize else delta]
    for w, s in zip(reversed(network.weights[1:]), reversed(pre_activations[:-1]), strict=True):
        deltas.append((deltas[-1] @ w[:, network.bias_columns :]) * h.derivative(s))
    deltas.reverse()

    gradients = []
    for z, delta, b in zip(inputs, deltas, network.biases, strict=True):
        gradients += [delta.T @ z] if b is None else [delta.T @ z, delta.sum(axis=0)]
    strength = -l2 if maximize else l2
    counted = [w if biases_regularised else _without_bias(w, network.bias_columns) for w in parameters]
    penalised = tuple(g + l2_gradient(w, strength) for g, w in zip(gradients, counted, strict=True))
    return Backward(penalised, tuple(deltas))


def mlp_gradients(
    parameters: Sequence[np.ndarray],
    x: np.ndarray,
    t: np.ndarray,
    activation: str = "softplus",
    *,
    output: str = "softmax",
    cost: str = "cross_entropy",
    reduction: Reduction = "mean",
    l2: float = 0.0,
    biases_regularised: bool = False,
    maximize: bool = False,
) -> tuple[np.ndarray, ...]:
    """Return the gradients of `mlp_backward`, one for each parameter, without the deltas.

    Shapes, arguments, errors and derivation are those of `mlp_backward` and of this module.

    >>> import numpy as np
    >>> w1, b1, w2, b2 = np.ones((2, 3)), np.zeros(2), np.ones((4, 2)), np.zeros(4)
    >>> gradients = mlp_gradients((w1, b1, w2, b2), np.ones((5, 3)), np.zeros(5, dtype=int))
    >>> gradients[3]
    array([-0.75,  0.25,  0.25,  0.25])
    """
    return mlp_backward(
        parameters, x, t, activation,
        output=output, cost=cost, reduction=reduction, l2=l2, biases_regularised=biases_regularised, maximize=maximize,
    ).gradients  # fmt: skip


class _Network(NamedTuple):
    """The parameters of one of the three forms, layer by layer."""

    weights: list[np.ndarray]
    biases: list[np.ndarray] | list[None]
    bias_columns: int
    """How many of the first columns of each weight are biases: 1 or 0."""

    @classmethod
    def of(cls, parameters: Sequence[np.ndarray], x: np.ndarray) -> _Network:
        if x.ndim != 2 or len(x) == 0:
            raise ValueError(f"x must hold at least one example, each a row, got the shape {x.shape}")
        ranks = [w.ndim for w in parameters]
        half = len(ranks) // 2
        if parameters and ranks == [2, 1] * half:
            network = cls(list(parameters[::2]), list(parameters[1::2]), 0)
        elif parameters and ranks == [2] * len(ranks):
            beside = len(ranks) == 1 or parameters[1].shape[1] == len(parameters[0]) + 1
            network = cls(list(parameters), [None] * len(ranks), int(beside))
        else:
            raise ValueError(
                "parameters must be (W1, b1, …, WL, bL) or (W1, …, WL), W a matrix and b a vector, "
                f"got {len(ranks)} of shapes {[w.shape for w in parameters]}"
            )
        network._check_widths(x.shape[1])
        return network

    def _check_widths(self, width: int) -> None:
        for layer, (w, b) in enumerate(zip(self.weights, self.biases, strict=True), start=1):
            if w.shape[1] != width:
                raise ValueError(f"layer {layer} has {width} inputs, but W{layer} has the shape {w.shape}")
            if b is not None and len(b) != len(w):
                raise ValueError(f"layer {layer} has {len(w)} units, but b{layer} has the shape {b.shape}")
            width = len(w) + self.bias_columns


def divisor(reduction: str, m: int) -> int:
    """Return what `reduction` divides the sum over `m` examples by; raises ValueError unless it is "mean" or "sum".

    >>> divisor("mean", 32), divisor("sum", 32)
    (32, 1)
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction must be 'mean' or 'sum', got {reduction!r}")
    return m if reduction == "mean" else 1


def _forward(network: _Network, x: np.ndarray, h: Elementwise) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the inputs and the pre-activations of each layer."""
    inputs: list[np.ndarray] = [x]
    pre_activations: list[np.ndarray] = []
    for layer, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        if layer > 0:
            z = h(pre_activations[-1])
            inputs.append(np.hstack([np.ones((len(z), network.bias_columns), z.dtype), z]))
        s = inputs[-1] @ w.T
        pre_activations.append(s if b is None else s + b)
    return inputs, pre_activations


def _without_bias(w: np.ndarray, bias_columns: int) -> np.ndarray:
    """Return the parameter `w` with zeros in place of biases."""
    biases = 1 if w.ndim == 1 else np.arange(w.shape[1]) < bias_columns
    return np.asarray(np.where(biases, 0, w))
