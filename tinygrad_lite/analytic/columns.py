"""The four equations of backpropagation by hand, with examples as columns (document 004).

From A⁰ = X, the layers l = 1 … L compute Zˡ = Wˡ Aˡ⁻¹ + bˡ and Aˡ = σˡ(Zˡ), σˡ being any activation. With
δˡ = ∂C/∂Zˡ (004.0 calls it δA, but by 004.1 it is the derivative for Z), one column an example:

    004.1   δᴸ = ∇ₐC ⊙ σ'(zᴸ)                  ∂C/∂zⱼ = ∂C/∂aⱼ · σ'(zⱼ), as aⱼ holds no other z
    004.2   δˡ = ((Wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ'(zˡ)       ∂C/∂aₖ = Σⱼ ∂C/∂zⱼ · wⱼₖ, as every zⱼ of the next layer holds aₖ
    004.3   ∂C/∂bⱼ = δⱼ                        as ∂zⱼ/∂bⱼ = 1
    004.4   ∂C/∂wⱼₖ = aₖ δⱼ                    as ∂zⱼ/∂wⱼₖ = aₖ of the layer before

They are written for one example. For m of them C is a sum over the columns, and so are 004.3 and 004.4: Σₘ δ and δ Aᵀ.
A softmax's aⱼ holds every z, so 004.1 does not fit it; (∂a/∂z)ᵀ ∇ₐC takes its place, which is 004.9 for cross-entropy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinygrad_lite.analytic.activations import Elementwise, activation_called, sigmoid, sigmoid_derivative
from tinygrad_lite.analytic.costs import fitting, mean_squared_error_gradient
from tinygrad_lite.analytic.mlp import Backward, Reduction, divisor
from tinygrad_lite.analytic.softmax_layer import softmax


def mlp_backward_in_columns(
    parameters: Sequence[np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    activation: str = "sigmoid",
    *,
    output: str = "sigmoid",
    cost: str = "mean_squared_error",
    reduction: Reduction = "mean",
) -> Backward:
    """Return gradients and deltas of a cost for a network of any depth, examples being columns of `x`.

    `parameters` are (W1, b1, …, WL, bL) with W of shape (out, in) and b of shape (out, 1), `x` (in, m) and the targets
    `y` (out of the last layer, m), which is not the n_x × m of 004.10. `activation` is that of the hidden layers. The
    output is a sigmoid with cost "mean_squared_error" or "binary_cross_entropy", or a softmax with "cross_entropy". The
    cost is summed over the outputs, and over the examples or averaged over them. The deltas are δ¹ … δᴸ, (out, m) each.

    Raises ValueError for shapes that do not fit, no examples, or an unknown output, cost or reduction; KeyError for an
    unknown activation.

    >>> import numpy as np
    >>> gradients, deltas = mlp_backward_in_columns((np.zeros((1, 2)), np.zeros((1, 1))), np.eye(2), np.array([[1, 0]]))
    >>> deltas[0]
    array([[-0.0625,  0.0625]])
    >>> gradients[0]
    array([[-0.0625,  0.0625]])
    """
    _check_shapes(parameters, x)
    h = activation_called(activation)
    weights, biases = parameters[::2], parameters[1::2]
    a, z = _forward(weights, biases, x, h.function)

    delta = _last_delta(z[-1], fitting(y, z[-1]), output, cost) / divisor(reduction, x.shape[1])
    deltas = [delta]
    for w_next, z_here in zip(reversed(weights[1:]), reversed(z[:-1]), strict=True):
        delta = (w_next.T @ delta) * h.derivative(z_here)  # 004.2
        deltas.insert(0, delta)

    gradients = []
    for a_in, delta in zip(a, deltas, strict=True):
        gradients.append(delta @ a_in.T)  # 004.4, added up over the columns
        gradients.append(delta.sum(axis=1, keepdims=True))  # 004.3, the same
    return Backward(tuple(gradients), tuple(deltas))


def _forward(
    weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], x: np.ndarray, h: Elementwise
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return A⁰ … Aᴸ⁻¹ and Z¹ … Zᴸ."""
    a, z = [x], [weights[0] @ x + biases[0]]
    for w, b in zip(weights[1:], biases[1:], strict=True):
        a.append(h(z[-1]))
        z.append(w @ a[-1] + b)
    return a, z


def _last_delta(z: np.ndarray, y: np.ndarray, output: str, cost: str) -> np.ndarray:
    if (output, cost) == ("sigmoid", "mean_squared_error"):
        delta = mean_squared_error_gradient(sigmoid(z), y) * sigmoid_derivative(z)  # 004.1
    elif (output, cost) == ("sigmoid", "binary_cross_entropy"):
        delta = sigmoid(z) - y  # 004.1 with the gradient of 004.6: a (1 − a) cancels
    elif (output, cost) == ("softmax", "cross_entropy"):
        delta = softmax(z.T).T * y.sum(axis=0) - y  # 004.9
    else:
        raise ValueError(
            f"there is no {cost!r} over {output!r}, only mean_squared_error and binary_cross_entropy over sigmoid, "
            "and cross_entropy over softmax"
        )
    return np.asarray(delta)


def _check_shapes(parameters: Sequence[np.ndarray], x: np.ndarray) -> None:
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(f"x must hold at least one example, each a column, got the shape {x.shape}")
    if not parameters or len(parameters) % 2:
        raise ValueError(f"parameters must be (W1, b1, …, WL, bL), got {len(parameters)}")
    width = len(x)
    for layer, (w, b) in enumerate(zip(parameters[::2], parameters[1::2], strict=True), start=1):
        if w.ndim != 2 or w.shape[1] != width:
            raise ValueError(f"layer {layer} has {width} inputs, but W{layer} has the shape {w.shape}")
        if b.shape != (len(w), 1):
            raise ValueError(f"b{layer} must be a column {(len(w), 1)}, got the shape {b.shape}")
        width = len(w)
