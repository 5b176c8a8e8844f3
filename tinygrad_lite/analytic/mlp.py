"""The gradients of a network with one hidden layer, derived by hand.

Rows of X are examples (documents 000 and 003). With pre-activations S1 = X W1ᵀ + b1, Z = h(S1), S2 = Z W2ᵀ + b2 and
Y = softmax(S2), the cross-entropy C = −Σₙ Σₖ tₙₖ log yₙₖ has

    ∂C/∂S2 = Y − T                      for rows of T that sum to 1 (003.2d; 000.5 with E = −C)
    ∂C/∂W2 = (∂C/∂S2)ᵀ Z                (000.4),   ∂C/∂b2 = Σₙ ∂C/∂S2
    ∂C/∂S1 = (∂C/∂S2 W2) ⊙ h'(S1)       (000.9, its product read elementwise)
    ∂C/∂W1 = (∂C/∂S1)ᵀ X                (000.11),  ∂C/∂b1 = Σₙ ∂C/∂S1

and the penalty (λ/2)‖W‖² adds λ W (000.3). Document 000 maximises E = −C − (λ/2)‖W‖², which turns every sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from tinygrad_lite.analytic.activations import ACTIVATIONS, softmax


def mlp_gradients(
    parameters: Sequence[np.ndarray],
    x: np.ndarray,
    t: np.ndarray,
    activation: str = "softplus",
    *,
    reduction: Literal["mean", "sum"] = "mean",
    l2: float = 0.0,
    biases_regularised: bool = False,
    maximize: bool = False,
) -> tuple[np.ndarray, ...]:
    """Return the gradient of softmax cross-entropy plus (l2/2)‖W‖² for each parameter of a one-hidden-layer network.

    `parameters` are (W1, b1, W2, b2) with W1 (hidden, in), b1 (hidden,), W2 (classes, hidden), b2 (classes,) and `x`
    (examples, in); or, in document 000's form, (W1, W2) whose first columns are the biases, with a leading column of
    ones in `x` (examples, 1 + in). `t` are one-hot or soft targets (examples, classes) whose rows sum to 1, or integer
    labels (examples,). The cross-entropy is averaged over the examples or summed; the penalty counts the biases only
    if asked. With `maximize` the gradient is that of the objective of 000.1, the negative of the above.
    Raises ValueError for any other number of parameters, KeyError for an unknown activation.

    >>> import numpy as np
    >>> w1, b1, w2, b2 = np.ones((2, 3)), np.zeros(2), np.ones((4, 2)), np.zeros(4)
    >>> gradients = mlp_gradients((w1, b1, w2, b2), np.ones((5, 3)), np.zeros(5, dtype=int))
    >>> gradients[3]
    array([-0.75,  0.25,  0.25,  0.25])
    """
    if len(parameters) == 4:
        w1, b1, w2, b2 = parameters
        gradients = _with_biases(w1, b1, w2, b2, x, t, activation)
        is_weight = [np.array(True), np.array(False), np.array(True), np.array(False)]
    elif len(parameters) == 2:
        w1, w2 = parameters
        gradients = _with_bias_columns(w1, w2, x, t, activation)
        is_weight = [np.arange(w.shape[1]) > 0 for w in parameters]
    else:
        raise ValueError(f"parameters must be (W1, b1, W2, b2) or (W1, W2) with bias columns, got {len(parameters)}")
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction must be 'mean' or 'sum', got {reduction!r}")
    divisor = len(x) if reduction == "mean" else 1
    sign = -1.0 if maximize else 1.0
    return tuple(
        sign * (gradient / divisor + l2 * w * (1.0 if biases_regularised else counts))
        for gradient, w, counts in zip(gradients, parameters, is_weight, strict=True)
    )


def _with_biases(
    w1: np.ndarray, b1: np.ndarray, w2: np.ndarray, b2: np.ndarray, x: np.ndarray, t: np.ndarray, activation: str
) -> tuple[np.ndarray, ...]:
    h, derivative = ACTIVATIONS[activation]
    s1 = x @ w1.T + b1
    z = h(s1)
    y = softmax(z @ w2.T + b2)
    delta2 = y - _one_hot(t, y)
    delta1 = (delta2 @ w2) * derivative(s1)
    return delta1.T @ x, delta1.sum(axis=0), delta2.T @ z, delta2.sum(axis=0)


def _with_bias_columns(
    w1: np.ndarray, w2: np.ndarray, x: np.ndarray, t: np.ndarray, activation: str
) -> tuple[np.ndarray, ...]:
    h, derivative = ACTIVATIONS[activation]
    s1 = x @ w1.T
    z = np.hstack([np.ones((len(x), 1), x.dtype), h(s1)])
    y = softmax(z @ w2.T)
    delta2 = y - _one_hot(t, y)
    delta1 = (delta2 @ w2[:, 1:]) * derivative(s1)  # the column of ones in Z is no function of W1 (000.12)
    return delta1.T @ x, delta2.T @ z


def _one_hot(t: np.ndarray, y: np.ndarray) -> np.ndarray:
    if t.ndim == 1:
        if t.size and not 0 <= t.min() <= t.max() < y.shape[1]:
            raise ValueError(f"labels must lie in 0..{y.shape[1] - 1}, got {t.min()}..{t.max()}")
        return np.asarray(np.eye(y.shape[1], dtype=y.dtype)[t])
    if t.shape != y.shape:
        raise ValueError(f"targets must be labels ({len(y)},) or rows {y.shape}, got {t.shape}")
    return t
