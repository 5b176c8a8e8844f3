"""Activations and their derivatives by hand, both as functions of the pre-activation a.

All are elementwise: any shape goes in and the same shape comes out, float32 as float32. Nothing overflows and nothing
warns where |a| is large, because e is only ever raised to −|a|.
"""

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
    """Return σ(a) = 1/(1 + e⁻ᵃ), which is eᵃ/(1 + eᵃ) for negative a.

    >>> import numpy as np
    >>> sigmoid(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    small = np.exp(-np.abs(a))
    return np.asarray(np.where(a >= 0, 1.0, small) / (1.0 + small))


def sigmoid_derivative(a: np.ndarray) -> np.ndarray:
    """Return σ'(a) = σ(a)(1 − σ(a)) (001.7b, 003.5a).

        σ  = (1 + e⁻ᵃ)⁻¹
        σ' = −(1 + e⁻ᵃ)⁻² · (−e⁻ᵃ) = e⁻ᵃ/(1 + e⁻ᵃ)²      the chain rule
           = 1/(1 + e⁻ᵃ) · e⁻ᵃ/(1 + e⁻ᵃ) = σ (1 − σ)

    001.3 has eᵃ in the numerator instead, and so has the first line of 001.7a. σ' is even, so that a may be replaced
    by |a|: then nothing overflows, and 1 − σ is not taken where σ is nearly 1.

    >>> import numpy as np
    >>> sigmoid_derivative(np.array([0.0, 1e4]))
    array([0.25, 0.  ])
    """
    small = np.exp(-np.abs(a))
    return np.asarray(small / (1.0 + small) ** 2)


def softplus(a: np.ndarray) -> np.ndarray:
    """Return log(1 + eᵃ), which is max(a, 0) + log(1 + e^−|a|).

    >>> import numpy as np
    >>> softplus(np.array([-1e4, 1e4]))
    array([    0., 10000.])
    """
    return np.asarray(np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a))))


def softplus_derivative(a: np.ndarray) -> np.ndarray:
    """Return d/da log(1 + eᵃ) = eᵃ/(1 + eᵃ) = σ(a) (000.12).

    The outer derivative is 1/(1 + eᵃ), the inner one eᵃ; dividing both by eᵃ gives 1/(1 + e⁻ᵃ) = σ(a). In the output
    h = log(1 + eᵃ) it is 1 − e⁻ʰ.

    >>> import numpy as np
    >>> softplus_derivative(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    return sigmoid(a)


def tanh(a: np.ndarray) -> np.ndarray:
    """Return (eᵃ − e⁻ᵃ)/(eᵃ + e⁻ᵃ), the hyperbolic tangent.

    >>> import numpy as np
    >>> tanh(np.array([-1e4, 0.0, 1e4]))
    array([-1.,  0.,  1.])
    """
    return np.asarray(np.tanh(a))


def tanh_derivative(a: np.ndarray) -> np.ndarray:
    """Return d/da tanh(a) = 1 − tanh²(a) (000.12).

        tanh  = s/c             with s = (eᵃ − e⁻ᵃ)/2, c = (eᵃ + e⁻ᵃ)/2, s' = c, c' = s
        tanh' = (c c − s s)/c² = 1 − tanh²      the quotient rule
              = 1/c² = 4u/(1 + u)²              with u = e^−2|a|, since c² − s² = 1 and c is even

    The last form is computed: 1 − tanh² loses its digits where tanh is nearly ±1.

    >>> import numpy as np
    >>> tanh_derivative(np.array([0.0, 1e4]))
    array([1., 0.])
    """
    small = np.exp(-2.0 * np.abs(a))
    return np.asarray(4.0 * small / (1.0 + small) ** 2)


def cos(a: np.ndarray) -> np.ndarray:
    """Return the cosine of a, the third activation of document 000.

    >>> import numpy as np
    >>> cos(np.array([0.0]))
    array([1.])
    """
    return np.asarray(np.cos(a))


def cos_derivative(a: np.ndarray) -> np.ndarray:
    """Return d/da cos(a) = −sin(a) (000.12), the real part of d/da e^(ia) = i e^(ia) = i cos(a) − sin(a).

    >>> import numpy as np
    >>> cos_derivative(np.array([np.pi / 2]))
    array([-1.])
    """
    return np.asarray(-np.sin(a))


def relu(a: np.ndarray) -> np.ndarray:
    """Return max(a, 0), the activation of 002's network.

    >>> import numpy as np
    >>> relu(np.array([-2.0, 3.0]))
    array([0., 3.])
    """
    return np.asarray(np.maximum(a, 0.0))


def relu_derivative(a: np.ndarray) -> np.ndarray:
    """Return d/da max(a, 0): 1 for a > 0, where it is the slope of a, else 0, the slope of 0; at the kink 0 as well.

    >>> import numpy as np
    >>> relu_derivative(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 1.])
    """
    return np.asarray((a > 0).astype(a.dtype))


def identity(a: np.ndarray) -> np.ndarray:
    """Return a itself, the activation of an output that is any number.

    >>> import numpy as np
    >>> identity(np.array([-2.0]))
    array([-2.])
    """
    return np.asarray(a)


def identity_derivative(a: np.ndarray) -> np.ndarray:
    """Return d/da a = 1.

    >>> import numpy as np
    >>> identity_derivative(np.array([-2.0]))
    array([1.])
    """
    return np.ones_like(a)


ACTIVATIONS: dict[str, Activation] = {
    "softplus": Activation(softplus, softplus_derivative),
    "tanh": Activation(tanh, tanh_derivative),
    "cos": Activation(cos, cos_derivative),
    "relu": Activation(relu, relu_derivative),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "identity": Activation(identity, identity_derivative),
}
"""The activations by name."""


def activation_called(name: str) -> Activation:
    """Return the activation of this name from `ACTIVATIONS`; raises KeyError for any other name.

    >>> activation_called("relu").function is relu
    True
    """
    if name not in ACTIVATIONS:
        raise KeyError(f"there is no activation {name!r}, only {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
