"""The softmax and its derivative by hand: the whole Jacobian, and its product with a cotangent."""

from __future__ import annotations

import numpy as np


def softmax(s: np.ndarray) -> np.ndarray:
    """Return yᵢ = exp(sᵢ)/Σⱼ exp(sⱼ) of a vector s, or of each row of `s` (..., classes), in its shape.

    A shift of s cancels in the fraction, and with the largest value shifted to 0 nothing overflows.

    >>> import numpy as np
    >>> softmax(np.array([[1000.0, 1000.0]]))
    array([[0.5, 0.5]])
    """
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def softmax_jacobian(s: np.ndarray) -> np.ndarray:
    """Return ∂yᵢ/∂sⱼ = yᵢ (δᵢⱼ − yⱼ) for y = softmax(s), (..., classes, classes) for `s` (..., classes).

        yᵢ = eᵢ/S        with eᵢ = exp(sᵢ), S = Σⱼ eⱼ, and so ∂eᵢ/∂sⱼ = δᵢⱼ eᵢ, ∂S/∂sⱼ = eⱼ
        ∂yᵢ/∂sⱼ = (δᵢⱼ eᵢ S − eᵢ eⱼ)/S²       the quotient rule
                = δᵢⱼ yᵢ − yᵢ yⱼ              (001.2, 003.2a, 004.8)

    Where s is a function f of w, the inner derivative multiplies the whole: yᵢ (1 − yᵢ) fᵢ' on the diagonal, where
    002.1c has lost a factor, and −yᵢ yₖ fₖ' beside it, where 002.2b and 002.2c have lost the minus of 002.2a. Each row
    and each column sums to 0, because the yᵢ always sum to 1 and a shift of s changes nothing.

    >>> import numpy as np
    >>> softmax_jacobian(np.array([0.0, 0.0]))
    array([[ 0.25, -0.25],
           [-0.25,  0.25]])
    """
    y = softmax(s)
    identity = np.eye(y.shape[-1], dtype=y.dtype)
    return np.asarray(y[..., :, None] * (identity - y[..., None, :]))


def softmax_vjp(cotangent: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Return Σᵢ gᵢ ∂yᵢ/∂sⱼ for y = softmax(s) and a cotangent g, both (classes,) or (..., classes), in their shape.

        Σᵢ gᵢ yᵢ (δᵢⱼ − yⱼ) = gⱼ yⱼ − yⱼ Σᵢ gᵢ yᵢ = yⱼ (gⱼ − Σᵢ gᵢ yᵢ)       (004.8)

    The diagonal alone would give gⱼ yⱼ (1 − yⱼ), which is another vector. Raises ValueError if the shapes differ.

    >>> import numpy as np
    >>> softmax_vjp(np.array([1.0, 0.0]), np.array([0.0, 0.0]))
    array([ 0.25, -0.25])
    """
    if cotangent.shape != s.shape:
        raise ValueError(f"the cotangent must have the shape {s.shape} of s, got {cotangent.shape}")
    y = softmax(s)
    return np.asarray(y * (cotangent - np.sum(cotangent * y, axis=-1, keepdims=True)))
