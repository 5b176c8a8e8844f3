"""Comparisons: what is allowed, and what is kept of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.fuzzing.program import Program

FIRST, SECOND, SINGLE, VALUE = "first derivative", "second derivative", "float32 gradient", "value"
JAX_VALUE, JAX_FIRST, JAX_SECOND = "value in JAX", "gradient in JAX", "second derivative in JAX"
TOLERANCES = {FIRST: 1e-9, SECOND: 1e-7, SINGLE: 1e-4, VALUE: 1e-12, JAX_VALUE: 1e-9, JAX_FIRST: 1e-9, JAX_SECOND: 1e-7}
"""Allowed deviations, relative to the largest value or to the sum of the terms that are added up."""

ILL_CONDITIONED = {FIRST: 1e-6, SECOND: 1e-4, SINGLE: 0.1, JAX_FIRST: 1e-6, JAX_SECOND: 1e-4}
"""Where rounding alone may move a derivative by more than this, relatively, it cannot be compared."""

SHARE_OF_VALUE_IN_SINGLE = 0.02
"""The same for float32, where what is left of 1 − y, y being almost 1, has no digits."""

NOISE_FACTOR = 50
"""How much further than by one sample of rounding a derivative may move."""

SHARE_OF_VALUE = 1e-3
"""A derivative below this share of the value's terms is compared with that share of them instead."""

KINK = "at a kink"
UNRELIABLE = "numeric derivative unreliable"
ROUNDING = "too ill-conditioned"
OTHER_SIDE = "float32 lies at another side of a kink"
UNRELIABLE_SECOND = f"{UNRELIABLE}, second order"
NUMERIC_ASIDE = (KINK, UNRELIABLE, UNRELIABLE_SECOND, *(f"{ROUNDING}: {what}" for what in (FIRST, SECOND)))
"""Why a comparison with a numeric derivative is not made."""


class MismatchError(AssertionError):
    """Something that must hold of a program does not."""


@dataclass
class Outcome:
    """What came of one program."""

    seed: int
    program: Program | None = None
    primitives: Counter[str] = field(default_factory=Counter)
    comparisons: Counter[str] = field(default_factory=Counter)
    worst: dict[str, float] = field(default_factory=dict)
    set_aside: Counter[str] = field(default_factory=Counter)
    by_rounding: Counter[str] = field(default_factory=Counter)
    """Comparisons beyond the tolerance that rounding, made larger on purpose, explains."""
    kinks: int = 0
    """Primitives met that have a kink."""
    is_flat: bool = False
    """Whether the gradient is zero everywhere."""
    failure: str = ""


def compare(outcome: Outcome, what: str, error: float, scale: float, told: str) -> None:
    """Count a comparison; raises MismatchError beyond the tolerance."""
    outcome.comparisons[what] += 1
    relative = error / scale if scale else error
    if not relative <= TOLERANCES[what]:
        raise MismatchError(f"{what}: relative error {relative:.1e}, {told}")
    outcome.worst[what] = max(outcome.worst.get(what, 0.0), relative)


def difference(a: Any, b: Any) -> float:
    return float(np.max(np.abs(np.subtract(a, b, dtype=np.float64)), initial=0.0))


def largest(x: Any) -> float:
    return float(np.max(np.abs(x), initial=0.0))
