"""What people write for the derivative of an activation: the right formulas, and the same in the wrong place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

Elementwise: TypeAlias = Callable[[np.ndarray], np.ndarray]


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-z)))


FUNCTIONS: dict[str, Elementwise] = {
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "softplus": lambda z: np.logaddexp(0, z),
    "relu": lambda z: np.maximum(z, 0),
    "cos": np.cos,
    "sin": np.sin,
    "exp": np.exp,
}
"""The activations that are recognised by their values, whatever they are composed of."""

BY_PRE_ACTIVATION: dict[str, tuple[str, Elementwise]] = {
    "sigmoid": ("σ(a)(1 − σ(a))", lambda a: _sigmoid(a) * (1 - _sigmoid(a))),
    "tanh": ("1 − tanh²(a)", lambda a: 1 - np.tanh(a) ** 2),
    "softplus": ("σ(a)", _sigmoid),
    "relu": ("a > 0", lambda a: (a > 0) * 1.0),
    "cos": ("−sin(a)", lambda a: -np.sin(a)),
    "sin": ("cos(a)", np.cos),
    "exp": ("exp(a)", np.exp),
}
"""The derivatives as functions of the pre-activation."""

BY_OUTPUT: dict[str, tuple[str, Elementwise]] = {
    "sigmoid": ("h(1 − h)", lambda h: h * (1 - h)),
    "tanh": ("1 − h²", lambda h: 1 - h**2),
    "softplus": ("1 − e⁻ʰ", lambda h: -np.expm1(-h)),
    "relu": ("h > 0", lambda h: (h > 0) * 1.0),
    "exp": ("h", lambda h: h),
}
"""The derivatives as formulas in the unit's output."""


class Formula(NamedTuple):
    """Something written in the place of a derivative."""

    text: str
    values: np.ndarray
    cost: float
    """How far-fetched it is."""


def formulas(name: str, a: np.ndarray, h: np.ndarray) -> Iterator[Formula]:
    """Yield what may have been written for the derivative of the activation `name` at `a`, whose output is `h`."""
    yield Formula("the activation itself, h", h, 0.05)
    for other, (text, derivative) in BY_PRE_ACTIVATION.items():
        yield Formula(f"the derivative of {other}, {text}", derivative(a), 0.1)
    for other, (text, derivative) in BY_OUTPUT.items():
        yield Formula(f"the derivative of {other}, {text}", derivative(h), 0.1)
    for other, (text, derivative) in BY_PRE_ACTIVATION.items():
        place = "its own derivative" if other == name else f"the derivative of {other}"
        yield Formula(f"{place}, {text}, taken at the output h", derivative(h), 0.2)
    for other, (text, derivative) in BY_OUTPUT.items():
        place = "its own derivative" if other == name else f"the derivative of {other}"
        yield Formula(f"{place}, {text}, with the pre-activation for h", derivative(a), 0.2)
    yield Formula("the pre-activation a", a, 0.3)
    yield Formula("the derivative of a leaky relu, 1 or 0.01", np.where(a > 0, 1.0, 0.01), 0.2)
    yield Formula("the derivative of a leaky relu, 1 or 0.1", np.where(a > 0, 1.0, 0.1), 0.2)
    yield Formula("the sign of a", np.sign(a), 0.2)
    yield Formula("1/cosh(a), whose square it should be", 1 / np.cosh(a), 0.2)
    yield Formula("1 − h", 1 - h, 0.3)
    yield Formula("1 − |h|", 1 - np.abs(h), 0.3)
    yield Formula("1 − cos²(h)", np.sin(h) ** 2, 0.3)
    yield Formula("1 − cos²(a)", np.sin(a) ** 2, 0.3)
    yield Formula("1 + h", 1 + h, 0.3)
    yield Formula("1 + h²", 1 + h**2, 0.3)
    yield Formula("h²", h**2, 0.3)
    yield Formula("h(1 + h)", h * (1 + h), 0.3)
    yield Formula("−cos(a)", -np.cos(a), 0.3)
    yield Formula("eᵃ/(1 + e⁻ᵃ)²", np.exp(a) / (1 + np.exp(-a)) ** 2, 0.3)
    yield Formula("1/(1 + eᵃ)", _sigmoid(-a), 0.3)
