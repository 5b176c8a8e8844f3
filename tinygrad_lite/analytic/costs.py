"""Costs of predictions by hand, each with its gradient for the predictions, and the L2 penalty.

Every cost adds up over all entries and is divided by `m`, which is 1 unless given. For the mean over a batch, m is the
number of its examples; because it is given, examples may be rows or columns. Predictions and targets have one shape.
"""

from __future__ import annotations

import numpy as np


def mean_squared_error(a: np.ndarray, y: np.ndarray, *, m: int = 1) -> np.ndarray:
    """Return (1/m) ½ Σ (y − a)² of predictions `a` and targets `y` of one shape, as a scalar.

    004.5 states the cost of one example, without 1/m, and takes no mean over its outputs in spite of the name.
    Raises ValueError if the shapes differ.

    >>> import numpy as np
    >>> float(mean_squared_error(np.array([1.0, 3.0]), np.array([0.0, 1.0])))
    2.5
    """
    return np.asarray(np.sum((fitting(y, a) - a) ** 2) / (2 * m))


def mean_squared_error_gradient(a: np.ndarray, y: np.ndarray, *, m: int = 1) -> np.ndarray:
    """Return ∂C/∂a = (a − y)/m of the squared error, in the shape of `a` (004.5).

        ∂/∂aⱼ ½ Σₖ (yₖ − aₖ)² = (yⱼ − aⱼ)(−1) = aⱼ − yⱼ       only the term k = j holds aⱼ

    Raises ValueError if the shapes differ.

    >>> import numpy as np
    >>> mean_squared_error_gradient(np.array([1.0, 3.0]), np.array([0.0, 1.0]))
    array([1., 2.])
    """
    return np.asarray((a - fitting(y, a)) / m)


def cross_entropy(q: np.ndarray, p: np.ndarray, *, m: int = 1) -> np.ndarray:
    """Return −(1/m) Σ p log q of predicted probabilities `q` and targets `p` of one shape, as a scalar (004.7).

    Where p is 0 the term is 0, whatever q. Raises ValueError if the shapes differ, if a q lies outside of [0, 1], or if
    it is 0 where p is not.

    >>> import numpy as np
    >>> bool(cross_entropy(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == np.log(2))
    True
    """
    p = fitting(p, q)
    return np.asarray(-np.sum(p * np.log(_where_it_counts(q, p))) / m)


def cross_entropy_gradient(q: np.ndarray, p: np.ndarray, *, m: int = 1) -> np.ndarray:
    """Return ∂C/∂q = −p/(q m) of the cross-entropy, in the shape of `q`: what 004.7 leaves blank.

        ∂/∂qⱼ (−Σₖ pₖ log qₖ) = −pⱼ/qⱼ       log' = 1/q (001.1)

    This takes every qⱼ for a number of its own; that they sum to 1 is the softmax's affair. At q = p it is −1 for every
    class: no change of q that keeps the sum lowers the cost.
    Raises ValueError as `cross_entropy` does.

    >>> import numpy as np
    >>> cross_entropy_gradient(np.array([0.25, 0.75]), np.array([0.25, 0.75]))
    array([-1., -1.])
    """
    p = fitting(p, q)
    return np.asarray(-p / _where_it_counts(q, p) / m)


def binary_cross_entropy(a: np.ndarray, y: np.ndarray, *, m: int = 1) -> np.ndarray:
    """Return −(1/m) Σ [y log a + (1 − y) log(1 − a)] of probabilities `a` and targets `y`, as a scalar.

    It is the cross-entropy of the two classes' probabilities a and 1 − a. 004.6 has lost the minus: as it stands, the
    cost is largest where the prediction is right. Raises ValueError as `cross_entropy` does, so also for an `a` of
    exactly 0 or 1 that is wrong; `binary_cross_entropy_over_sigmoid`, of the pre-activation, has no such bounds.

    >>> import numpy as np
    >>> bool(binary_cross_entropy(np.array([0.5]), np.array([1.0])) == np.log(2))
    True
    """
    return np.asarray(cross_entropy(a, y, m=m) + cross_entropy(1.0 - a, 1.0 - y, m=m))


def binary_cross_entropy_gradient(a: np.ndarray, y: np.ndarray, *, m: int = 1) -> np.ndarray:
    """Return ∂C/∂a = (1/m) [−y/a + (1 − y)/(1 − a)], in the shape of `a` (004.6).

        ∂/∂a (−y log a)             = −y/a
        ∂/∂a (−(1 − y) log(1 − a))  = (1 − y)/(1 − a)       the inner derivative −1 turns the sign

    This is the gradient that 004.6 states beside its cost; it belongs to the cost with the minus.
    Raises ValueError as `cross_entropy` does.

    >>> import numpy as np
    >>> binary_cross_entropy_gradient(np.array([0.5, 0.75]), np.array([1.0, 0.0]))
    array([-2.,  4.])
    """
    return np.asarray(cross_entropy_gradient(a, y, m=m) - cross_entropy_gradient(1.0 - a, 1.0 - y, m=m))


def l2_penalty(w: np.ndarray, strength: float) -> np.ndarray:
    """Return (λ/2) ‖W‖² of an array `w` of any shape and λ = `strength`, as a scalar (the last term of 000.1).

    >>> import numpy as np
    >>> float(l2_penalty(np.array([[3.0], [4.0]]), 0.5))
    6.25
    """
    return np.asarray(float(strength) / 2 * np.sum(w**2))


def l2_gradient(w: np.ndarray, strength: float) -> np.ndarray:
    """Return ∂/∂W (λ/2)‖W‖² = λ W, in the shape of `w`.

        ∂/∂Wᵢⱼ (λ/2) Σₖₗ Wₖₗ² = (λ/2) · 2 Wᵢⱼ = λ Wᵢⱼ

    It is added to the gradient of a cost, whatever 003.9's "multiplying" says. Document 000 maximises, and subtracts it
    (000.3). 1/m does not touch it.

    >>> import numpy as np
    >>> l2_gradient(np.array([[3.0], [4.0]]), 0.5)
    array([[1.5],
           [2. ]])
    """
    return np.asarray(float(strength) * w)  # a NumPy scalar would promote float32


def fitting(y: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return the targets `y` of the predictions `a`, in floats of their dtype.

    Raises ValueError if the shapes differ: (n,) beside (n, 1) would broadcast to (n, n).

    >>> import numpy as np
    >>> fitting(np.array([0, 1]), np.zeros(2, np.float32))
    array([0., 1.], dtype=float32)
    """
    if y.shape != a.shape:
        raise ValueError(f"targets must have the shape {a.shape} of the predictions, got {y.shape}")
    return y.astype(a.dtype) if a.dtype.kind == "f" else y


def _where_it_counts(q: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return q where p is not 0, and 1 where p is 0 and no log of q is wanted."""
    if not np.all((q >= 0) & (q <= 1)):
        raise ValueError(f"predictions must be probabilities in [0, 1], got {q.min()} … {q.max()}")
    if np.any((q == 0) & (p != 0)):
        raise ValueError(
            "a prediction is 0 where its target is not, which costs infinitely much; start from the logits"
        )
    return np.asarray(np.where(p != 0, q, 1.0))
