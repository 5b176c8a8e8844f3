"""How much of the data's gradient and of a penalty's is in a gradient by hand, read off as mistakes.

A claim is taken apart as α · data + β · penalty + γ · (the penalty's rate · what is not penalised), where `data` is the
right gradient or one with a mistake in its derivation. Right are α = 1, β = 1 and γ = 0; any others are mistakes of
their own: a sign, a factor, a mean that was not taken, a forgotten or misplaced regulariser.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tinygrad_lite.check.magnitude import largest

NICE = (2.0, 0.5, 3.0, 1 / 3, 4.0, 0.25, 10.0, 0.1)
"""Factors that people forget or add."""

FREE = 1.5
"""The cost of a factor that has no name."""

SAMPLE = 500
"""So many entries tell whether a large gradient is worth a closer look."""


class Parts(NamedTuple):
    """What a claim may be made of, all of its shape."""

    data: np.ndarray
    penalty: np.ndarray
    unpenalised: np.ndarray


class Fit(NamedTuple):
    """A claim taken apart."""

    data: float
    penalty: float
    unpenalised: float
    residual: float
    """The largest difference that remains."""
    cost: float
    """How far-fetched the three are."""


def fitted(claim: np.ndarray, parts: Parts, factors: Sequence[float], tolerance: float) -> Fit | None:
    """Return the least far-fetched way in which the parts make the claim within a tolerance, None if there is none.

    `factors` are those that a mean over the examples may have left behind, such as their number.
    """
    if not all(np.isfinite(values).all() for values in (claim, *parts)):
        return None
    sampled = _sampled(claim, parts)
    if not _are_within_reach(*sampled, tolerance):
        return None
    best: Fit | None = None
    for choices in (_special(factors, parts), _solved(*sampled)):  # what has a name goes before any other number
        for weights in choices:
            if abs(weights[0]) < 1e-9:
                continue  # a claim that has nothing of the data is no multiple of it
            cost = _cost(weights, factors, parts)
            if best is None or cost < best.cost:
                residual = _residual(*sampled, weights)
                if residual <= tolerance and (residual := _residual(claim, parts, weights)) <= tolerance:
                    best = Fit(*weights, residual, cost)
        if best is not None:
            return best
    return None


def may_explain(claim: np.ndarray, parts: Parts, tolerance: float) -> bool:
    """Return whether any weights at all could make a sample of the claim."""
    return bool(np.isfinite(parts.data).all()) and _are_within_reach(*_sampled(claim, parts), tolerance)


def _are_within_reach(claim: np.ndarray, parts: Parts, tolerance: float) -> bool:
    """Return whether any weights at all could make the claim."""
    columns = np.stack([_unit(part) for part in parts if part.any()] or [np.zeros(claim.shape)], axis=1)
    found, *_ = np.linalg.lstsq(columns, _unit(claim), rcond=None)
    left = float(np.max(np.abs(columns @ found - _unit(claim)), initial=0.0)) * largest(claim)
    return left <= 10 * tolerance * float(np.sqrt(claim.size))


def _unit(values: np.ndarray) -> np.ndarray:
    """Return values relative to the largest, so that no square of them is out of range."""
    return np.asarray(values / (largest(values) or 1.0))


def _sampled(claim: np.ndarray, parts: Parts) -> tuple[np.ndarray, Parts]:
    if claim.size <= 4 * SAMPLE:
        return claim.reshape(-1), Parts(*(part.reshape(-1) for part in parts))
    chosen = _some_of(claim.size)
    return claim.reshape(-1)[chosen], Parts(*(part.reshape(-1)[chosen] for part in parts))


@functools.lru_cache
def _some_of(size: int) -> np.ndarray:
    return np.random.default_rng(0).choice(size, SAMPLE, replace=False)


def _residual(claim: np.ndarray, parts: Parts, weights: Sequence[float]) -> float:
    made = sum((w * part for w, part in zip(weights, parts, strict=True) if w), np.zeros(claim.shape))
    return float(np.max(np.abs(claim - made), initial=0.0))


def _special(factors: Sequence[float], parts: Parts) -> Iterator[tuple[float, float, float]]:
    """Yield the weights that have a name."""
    known = (1.0, *factors, *(NICE if parts.data.size == 1 else ()))
    for sign, factor in itertools.product((1.0, -1.0), known):
        a = sign * factor
        for b in dict.fromkeys((1.0, 0.0, a, sign)) if parts.penalty.any() else (1.0,):
            for c in dict.fromkeys((0.0, 1.0, a)) if parts.unpenalised.any() else (0.0,):
                yield a, b, c


def _solved(claim: np.ndarray, parts: Parts) -> Iterator[tuple[float, float, float]]:
    """Yield least-squares weights: of one part with the others as they should be, and of several at once."""
    d, r, u = parts
    with np.errstate(all="ignore"):
        yield from _one(claim - r, d, lambda a: (a, 1.0, 0.0))
        yield from _one(claim, d + r, lambda a: (a, a, 0.0))
        yield from _one(claim, d, lambda a: (a, 0.0, 0.0))
        if r.any():
            yield from _one(claim - d, r, lambda b: (1.0, b, 0.0))
            yield from _one(claim + d, r, lambda b: (-1.0, b, 0.0))
        if u.any():
            yield from _one(claim - d - r, u, lambda c: (1.0, 1.0, c))
        yield from _several(claim, parts, (0, 1))
        yield from _several(claim, parts, (0, 2))
        yield from _several(claim, parts, (0, 1, 2))


def _one(
    claim: np.ndarray, part: np.ndarray, weights: Callable[[float], tuple[float, float, float]]
) -> Iterator[tuple[float, float, float]]:
    if claim.size > 1 and part.any():
        unit = _unit(part)
        yield weights(float(unit @ _unit(claim)) / float(unit @ unit) * (largest(claim) / largest(part)))


def _several(claim: np.ndarray, parts: Parts, which: tuple[int, ...]) -> Iterator[tuple[float, float, float]]:
    if claim.size <= len(which) or not all(parts[k].any() for k in which):
        return
    columns = np.stack([_unit(parts[k]) for k in which], axis=1)
    found, _, rank, _ = np.linalg.lstsq(columns, _unit(claim), rcond=None)
    if rank == len(which):
        weights = [0.0, 0.0 if parts.penalty.any() else 1.0, 0.0]
        for k, value in zip(which, found, strict=True):
            weights[k] = float(value) * (largest(claim) / largest(parts[k]))
        yield weights[0], weights[1], weights[2]


def _cost(weights: Sequence[float], factors: Sequence[float], parts: Parts) -> float:
    """Return how far-fetched the weights are: those that were fitted freely more than those that have a name."""
    a, b, c = weights
    cost = cost_of_factor(a, factors)
    if parts.penalty.any() and b != 1.0 and b != a:
        cost += 1.0 if b == 0.0 else 1.05 if b == np.sign(a) else 1.4
    if c != 0.0:
        cost += 1.0 if c in (1.0, a) else 1.6
    return cost


def cost_of_factor(a: float, factors: Sequence[float]) -> float:
    """Return how far-fetched a factor of the data's gradient is."""
    size = abs(a)
    sign = 1.0 if a < 0 else 0.0
    if size == 1.0:
        return sign
    if size in factors:
        return sign + 1.0
    if any(np.isclose(size, nice, rtol=1e-9) for nice in NICE):
        return 1.3
    return FREE
