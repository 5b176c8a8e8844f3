"""Numeric derivatives of a program along a direction, in extended precision and with an estimate of their error.

Central differences of fourth order with the steps h and 2h; how far the two are apart bounds the error of the first.
A direction along which some value changes the side of a kink is tried again with a smaller step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tests.fuzzing.program import Array, Constant, Program
from tests.fuzzing.tracing import EXTENDED, IS_WIDER, ExtendedTrace, Trace, traced
from tinygrad_lite.tensor import wrap

STEPS = (1e-4, 6e-6, 4e-7, 2.5e-8) if IS_WIDER else (1e-3, 2e-4, 4e-5)
PLACES = (1, 2, 4)


class Estimate(NamedTuple):
    """A derivative, and how wrong it may be."""

    value: float
    error: float


class Along(NamedTuple):
    """The derivatives of a program along a direction."""

    first: Estimate
    second: Estimate


class Numeric:
    """A program as a function of its leaves, ready to be differentiated."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.trace = ExtendedTrace()
        self.value, self.magnitude = self._terms({}, 0.0, self.trace)

    def _terms(self, direction: Mapping[str, Array], t: float, trace: Trace) -> tuple[Any, float]:
        """Return the value at the leaves moved by `t` along `direction`, and how large its terms are, none below 1."""
        leaves = {
            name: wrap(np.asarray(x.astype(EXTENDED) + EXTENDED(t) * direction.get(name, 0.0)), None)
            for name, x in self.program.leaves.items()
        }
        with traced(trace):
            outputs = self.program.run(self.program.environment(Constant.in_double), leaves)
        pairs = [(np.asarray(y), g) for y, g in zip(outputs, self.program.outputs.values(), strict=True)]
        magnitude = sum(np.sum((np.abs(y) + 1) * np.abs(g)) for y, g in pairs)
        return sum(np.sum(y * g) for y, g in pairs), float(magnitude)

    def along(self, direction: Mapping[str, Array], tolerance: float) -> Along | None:
        """Return the derivatives along `direction`, their steps chosen by their errors; None if all cross a kink."""
        found = []
        for step in STEPS:
            pair = self._with_step(direction, step)
            if pair is not None:
                found.append(pair)
                if pair[0].error <= tolerance:
                    break
        if not found:
            return None
        return Along(*(min(estimates, key=lambda estimate: estimate.error) for estimates in zip(*found, strict=True)))

    def _with_step(self, direction: Mapping[str, Array], step: float) -> Along | None:
        """Return the derivatives by one step, None if a kink is crossed."""
        f = {0: self.value}
        for place in PLACES:
            for sign in (-1, 1):
                trace = ExtendedTrace(self.trace.stopped)
                f[sign * place], _ = self._terms(direction, sign * place * step, trace)
                if trace.sides != self.trace.sides:
                    return None
        h = EXTENDED(step)
        first = [(8 * (f[k] - f[-k]) - (f[2 * k] - f[-2 * k])) / (12 * k * h) for k in (1, 2)]
        second = [(16 * (f[k] + f[-k]) - (f[2 * k] + f[-2 * k]) - 30 * f[0]) / (12 * (k * h) ** 2) for k in (1, 2)]
        return Along(*(Estimate(float(fine), float(abs(fine - coarse))) for fine, coarse in (first, second)))
