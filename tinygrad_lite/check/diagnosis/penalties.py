"""The penalties of an objective: the terms whose gradient is a rate times the parameter, or its signs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from tinygrad_lite.check.evidence import Evidence


class Penalty(NamedTuple):
    """What the penalties of an objective do to one parameter."""

    gradient: np.ndarray
    unpenalised: np.ndarray
    """What the gradient would be of the entries that are not penalised, if they were, at the same rate."""
    rate: float
    """λ, as far as it can be seen; 0 if there is no penalty."""


def is_decay(gradient: np.ndarray, values: np.ndarray) -> bool:
    """Return whether a gradient is that of a penalty: some entries of the parameter, or their signs, times a number."""
    return _rate(gradient, values) is not None


def _rate(gradient: np.ndarray, values: np.ndarray) -> float | None:
    where = gradient != 0
    if not where.any():
        return None
    for like in (values, np.sign(values)):
        with np.errstate(all="ignore"):
            ratio = gradient[where] / like[where]
        if (
            np.isfinite(ratio).all()
            and np.ptp(ratio) <= 1e-11 * abs(ratio[0])
            and (ratio.size > 1 or gradient.size == 1)
        ):
            return float(ratio[0])
    return None


def _rate_elsewhere(evidence: Evidence) -> float:
    """Return the rate at which some other parameter is penalised, 0 if none is."""
    for term in evidence.penalty_terms:
        for gradient, values in zip(term.gradients, evidence.problem.values, strict=True):
            rate = None if gradient is None else _rate(gradient, values)
            if rate is not None:
                return rate
    return 0.0


def penalty_of(evidence: Evidence, i: int) -> Penalty:
    """Return the penalty on parameter `i`; what is not penalised is taken at the rate of the others."""
    values = evidence.problem.values[i]
    gradient = np.zeros(values.shape)
    for term in evidence.penalty_terms:
        part = term.gradients[i]
        gradient = gradient if part is None else gradient + part
    rate = _rate(gradient, values)
    others = (
        _rate(g, v)
        for t in evidence.penalty_terms
        for g, v in zip(t.gradients, evidence.problem.values)
        if g is not None
    )
    general = rate if rate is not None else next((found for found in others if found is not None), 0.0)
    unpenalised = np.where(gradient == 0, (general or 1.0) * values, 0.0)
    return Penalty(gradient, unpenalised, general)
