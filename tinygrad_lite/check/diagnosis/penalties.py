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
    of_signs: bool = False
    """Whether the gradient is λ times the signs of the parameter, not λ times the parameter."""

    def of(self, name: str) -> str:
        """Return the gradient as a formula."""
        return f"{self.rate:.6g} · {f'sign({name})' if self.of_signs else name}"


def is_decay(
    gradient: np.ndarray, values: np.ndarray, gradient_here: np.ndarray | None, values_here: np.ndarray
) -> bool:
    """Return whether a gradient is that of a penalty: some entries of the parameter, or their signs, times a number.

    The number is to be the same at another place, if the gradient can be seen there.
    """
    for of in (np.asarray, np.sign):
        rate = _rate(gradient, of(values))
        if rate is not None:
            here = None if gradient_here is None else _rate(gradient_here, of(values_here))
            return here is None or abs(here - rate) <= 1e-9 * abs(rate)
    return False


def _rate(gradient: np.ndarray, values: np.ndarray) -> float | None:
    """Return by which number the values are to be multiplied to give the gradient, None if there is none."""
    where = gradient != 0
    if not where.any() or not _all_but_a_bias((values != 0) & ~where):
        return None
    with np.errstate(all="ignore"):
        ratio = gradient[where] / values[where]
        is_constant = bool(np.isfinite(ratio).all() and np.ptp(ratio) <= 1e-11 * abs(ratio[0]))
    return float(ratio[0]) if is_constant and (ratio.size > 1 or gradient.size == 1) else None


def _all_but_a_bias(left_out: np.ndarray) -> bool:
    """Return whether nothing is left out, or no more than the first or last column or row, that of a bias."""
    if not left_out.any():
        return True
    ends = [np.delete(left_out, end, axis) for axis in range(left_out.ndim) for end in (0, -1)]
    return left_out.ndim == 2 and any(rest.size > 0 and not rest.any() for rest in ends)


def penalty_of(evidence: Evidence, i: int) -> Penalty:
    """Return the penalty on parameter `i`; what is not penalised is taken at the rate of the others."""
    values = evidence.problem.values[i]
    gradient = np.zeros(values.shape)
    for term in evidence.penalty_terms:
        part = term.gradients[i]
        gradient = gradient if part is None else gradient + part
    rate, rate_of_signs = _rate(gradient, values), _rate(gradient, np.sign(values))
    if rate is None and rate_of_signs is not None:
        return Penalty(gradient, np.zeros(values.shape), rate_of_signs, of_signs=True)
    general = rate if rate is not None else _rate_elsewhere(evidence)
    return Penalty(gradient, np.where(gradient == 0, (general or 1.0) * values, 0.0), general)


def _rate_elsewhere(evidence: Evidence) -> float:
    """Return the rate at which some other parameter is penalised, 0 if none is."""
    for term in evidence.penalty_terms:
        for gradient, values in zip(term.gradients, evidence.problem.values, strict=True):
            rate = None if gradient is None else _rate(gradient, values)
            if rate is not None:
                return rate
    return 0.0
