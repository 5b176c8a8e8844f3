"""A cost taken together with the output activation below it, as a function of the pre-activation s.

Together they are simpler than apart, and they hold where the activation alone has rounded to 0 or 1. Values add up
over all examples and are divided by `m`, which is 1 unless given, as in `costs`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tinygrad_lite.analytic.activations import sigmoid, sigmoid_derivative, softplus
from tinygrad_lite.analytic.costs import fitting, mean_squared_error_gradient
from tinygrad_lite.analytic.softmax_layer import softmax, softmax_vjp


def cross_entropy_over_softmax(s: np.ndarray, t: np.ndarray, *, m: int = 1) -> np.ndarray:
    """Return −(1/m) Σ t log softmax(s), as a scalar, for a vector `s` (classes,) or rows (examples, classes).

    `t` are targets in the shape of `s`, one-hot or soft, or integer labels. Computed as Σ t (log Σⱼ exp(sⱼ) − s), each
    row shifted by its largest s. Raises ValueError for targets that fit neither way, or labels outside of the classes.

    >>> import numpy as np
    >>> bool(np.isclose(cross_entropy_over_softmax(np.zeros((2, 10)), np.array([3, 4]), m=2), np.log(10)))
    True
    """
    t = target_rows(t, s)
    shifted = s - s.max(axis=-1, keepdims=True)
    logsumexp = np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))
    return np.asarray(np.sum(t * (logsumexp - shifted)) / m)


def cross_entropy_over_softmax_gradient(s: np.ndarray, t: np.ndarray, *, m: int = 1) -> np.ndarray:
    """Return ∂C/∂s = (p Σₖ tₖ − t)/m with p = softmax(s), row by row, in the shape of `s` (004.9).

        ∂/∂sᵢ (−Σₖ tₖ log pₖ) = −Σₖ tₖ/pₖ · pₖ (δₖᵢ − pᵢ)       (004.7, 004.8)
                              = −tᵢ + pᵢ Σₖ tₖ                  pₖ cancels (the step from 003.2b to 003.2c)
                              = pᵢ − tᵢ                         if t sums to 1 (003.2d)

    001.5 has the same sum over k; the objection 001.6, that only one k may appear, is mistaken: every pₖ holds sᵢ.
    Arguments and errors as for `cross_entropy_over_softmax`.

    >>> import numpy as np
    >>> cross_entropy_over_softmax_gradient(np.array([0.0, 0.0]), np.array([2.0, 0.0]))
    array([-1.,  1.])
    """
    t = target_rows(t, s)
    return np.asarray((softmax(s) * t.sum(axis=-1, keepdims=True) - t) / m)


def binary_cross_entropy_over_sigmoid(s: np.ndarray, t: np.ndarray, *, m: int = 1) -> np.ndarray:
    """Return −(1/m) Σ [t log σ(s) + (1 − t) log(1 − σ(s))] of `s` and targets `t` of one shape, as a scalar.

        log σ(s) = −log(1 + e⁻ˢ) = s − log(1 + eˢ),  log(1 − σ(s)) = −log(1 + eˢ)
        C = Σ log(1 + eˢ) − t s = Σ max(s, 0) − t s + log(1 + e^−|s|)

    Raises ValueError if the shapes differ.

    >>> import numpy as np
    >>> float(binary_cross_entropy_over_sigmoid(np.array([-1e4, 1e4]), np.array([0.0, 1.0])))
    0.0
    """
    return np.asarray(np.sum(softplus(s) - fitting(t, s) * s) / m)


def binary_cross_entropy_over_sigmoid_gradient(s: np.ndarray, t: np.ndarray, *, m: int = 1) -> np.ndarray:
    """Return ∂C/∂s = (σ(s) − t)/m, in the shape of `s`.

        ∂C/∂a · σ'(s) = [−t/a + (1 − t)/(1 − a)] a (1 − a)       with a = σ(s) (004.6, 003.5a)
                      = −t (1 − a) + (1 − t) a = a − t

    Raises ValueError if the shapes differ.

    >>> import numpy as np
    >>> binary_cross_entropy_over_sigmoid_gradient(np.array([0.0, 1e4]), np.array([1.0, 0.0]))
    array([-0.5,  1. ])
    """
    return np.asarray((sigmoid(s) - fitting(t, s)) / m)


def output_delta(s: np.ndarray, t: np.ndarray, output: str = "softmax", cost: str = "cross_entropy") -> np.ndarray:
    """Return ∂C/∂s of the output layer for rows `s` and targets `t`, summed over the rows, in the shape of `s`.

        ∂C/∂s = ∂C/∂y · ∂y/∂s       with y = o(s), the chain rule (002.3, 004.1)

    | output   | cost                 | ∂C/∂s, row by row                          |
    |----------|----------------------|--------------------------------------------|
    | softmax  | cross_entropy        | y Σₖ tₖ − t (004.9)                        |
    | softmax  | mean_squared_error   | the softmax's vjp of y − t (004.5, 004.8)  |
    | sigmoid  | binary_cross_entropy | y − t (004.6, 003.5a)                      |
    | sigmoid  | mean_squared_error   | (y − t) ⊙ σ'(s) (004.5, 003.5a)            |
    | identity | mean_squared_error   | y − t (004.5)                              |

    Raises ValueError for any other output and cost, and for targets that do not fit.

    >>> import numpy as np
    >>> output_delta(np.array([[0.0]]), np.array([[1.0]]), "sigmoid", "mean_squared_error")
    array([[-0.125]])
    """
    if (output, cost) not in _DELTAS:
        known = ", ".join(f"{cost} over {output}" for output, cost in _DELTAS)
        raise ValueError(f"there is no {cost!r} over {output!r}, only {known}")
    return _DELTAS[output, cost](s, t)


_DELTAS: dict[tuple[str, str], Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    ("softmax", "cross_entropy"): cross_entropy_over_softmax_gradient,
    ("softmax", "mean_squared_error"): lambda s, t: softmax_vjp(mean_squared_error_gradient(softmax(s), t), s),
    ("sigmoid", "binary_cross_entropy"): binary_cross_entropy_over_sigmoid_gradient,
    ("sigmoid", "mean_squared_error"): lambda s, t: mean_squared_error_gradient(sigmoid(s), t) * sigmoid_derivative(s),
    ("identity", "mean_squared_error"): mean_squared_error_gradient,
}


def target_rows(t: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Return the targets `t` of the pre-activations `s` in their shape and dtype, integer labels as one-hot rows.

    Raises ValueError for any other shape, and for labels outside of the classes.

    >>> import numpy as np
    >>> target_rows(np.array([2, 0]), np.zeros((2, 3), np.float32))
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    if t.shape == s.shape:
        return fitting(t, s)
    if t.shape != s.shape[:-1] or t.dtype.kind not in "iu":
        raise ValueError(
            f"targets must be integer labels {s.shape[:-1]} or floats {s.shape}, got {t.dtype} of shape {t.shape}"
        )
    classes = s.shape[-1]
    if t.size and not 0 <= t.min() <= t.max() < classes:
        raise ValueError(f"labels must lie in 0..{classes - 1}, got {t.min()}..{t.max()}")
    return np.asarray(np.eye(classes, dtype=s.dtype)[t])
