"""The functions of neural networks, stable from −∞ to +∞, forward and backward."""

from __future__ import annotations

from tinygrad_lite import primitives as p
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.primitives.reductions import Axis, plain_axis
from tinygrad_lite.tensor import Operand, as_floats, as_operand


def relu(x: Operand) -> Value:
    """Return max(x, 0), whose derivative is 1 for x > 0 and 0 elsewhere, also at 0.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: tg.relu(x).sum())(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 1.])
    """
    return p.relu(as_operand(x))


def sigmoid(x: Operand) -> Value:
    """Return the logistic function σ(x) = 1/(1 + e⁻ˣ), whose derivative is σ(1 − σ) (001.7b, 003.5a).

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.sigmoid(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    return p.sigmoid(as_operand(x))


def softplus(x: Operand) -> Value:
    """Return log(1 + eˣ), whose derivative is σ(x) (000.12).

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.softplus(np.array([-1e4, 1e4]))
    array([    0., 10000.])
    """
    return p.softplus(as_operand(x))


def softmax(x: Operand, axis: Axis = -1) -> Value:
    """Return eˣⁱ / Σⱼ eˣʲ over `axis`; a row of −∞ gives zeros.

    ∂y_i/∂x_j = y_i (δ_ij − y_j) (004.8).

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    return p.softmax(as_floats(x), axis=plain_axis(axis))


def log_softmax(x: Operand, axis: Axis = -1) -> Value:
    """Return the logarithm of the softmax over `axis`, without forming the softmax.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.log_softmax(np.array([0.0, 1000.0]))
    array([-1000.,     0.])
    """
    return p.log_softmax(as_floats(x), axis=plain_axis(axis))


def logsumexp(x: Operand, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return log Σ eˣ over `axis`; −∞ where every value is −∞, with a gradient of 0.

    >>> import numpy as np, tinygrad_lite as tg
    >>> bool(np.isclose(tg.logsumexp(np.array([1000.0, 1000.0])), 1000 + np.log(2)))
    True
    """
    return p.logsumexp(as_floats(x), axis=plain_axis(axis), keepdims=keepdims)


def linear(x: Operand, weight: Operand, bias: Operand) -> Value:
    """Return x Wᵀ + b for rows of examples `x` (…, in), `weight` (out, in) and `bias` (out,).

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.linear(np.ones((5, 3)), np.ones((2, 3)), np.zeros(2)).shape
    (5, 2)
    """
    return p.linear(as_operand(x), as_operand(weight), as_operand(bias))


def softmax_cross_entropy(logits: Operand, targets: Operand, reduction: str = "mean") -> Value:
    """Return −Σₖ tₖ log softmax(logits)ₖ of each row: its mean over the rows, its sum, or ("none") each row's.

    `targets` are integer labels, one a row, or distributions of the shape of the logits. The gradient with respect
    to the logits is softmax(logits) Σₖ tₖ − t (004.9), divided by the number of rows for a mean.

    >>> import numpy as np, tinygrad_lite as tg
    >>> logits = np.array([[2.0, 0.0], [0.0, 0.0]])
    >>> tg.softmax_cross_entropy(logits, [0, 1], reduction="none").round(4)
    array([0.1269, 0.6931])
    """
    if reduction not in ("mean", "sum", "none"):
        raise ArgumentError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    return p.softmax_cross_entropy(as_floats(logits), as_operand(targets), reduction=reduction)
