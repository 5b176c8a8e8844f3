"""Numeric derivatives, each with its error: slow, approximate, and nobody's derivation.

Along a direction the central differences of ever smaller steps are extrapolated (C. J. F. Ridders, Accurate
computation of F'(x) and F'(x)F''(x), 1982), or, where the function is analytic, one complex step is exact. Entry by
entry one central difference has to do, and what looks wrong is looked at again. A step that crosses a kink is made
smaller, and where that does not help, there are a slope to the left and one to the right.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tinygrad_lite.check.magnitude import EPSILON
from tinygrad_lite.check.numeric.moves import COMPLEX_STEP, Moves

STEP = float(np.cbrt(EPSILON))
"""The step at which truncation (h²) and cancellation (ε/h) are alike in float64, about 6e-6."""

LARGEST_STEP = 1e-2
HALVINGS = 24
"""How often the step along a direction is halved at most, beside a kink or where the function bends sharply."""

SETTLED = 1e-10
"""How close to what is expected a slope is close enough, relative to the entries behind it."""

SMALL_STEP = 1e-8
"""The step at which what still crosses a kink is taken to lie on it."""


class Slope(NamedTuple):
    """The derivative of each value along one direction."""

    value: np.ndarray
    error: np.ndarray
    """How far it may be off."""
    crosses: bool = False
    """Whether every step crosses a kink: the value is then the mean of the slopes on either side, the error half of
    what lies between them."""


def slope_along(
    moves: Moves,
    i: int,
    values: np.ndarray,
    direction: np.ndarray,
    noise: np.ndarray,
    expected: np.ndarray,
    largest: np.ndarray,
) -> Slope:
    """Return the slope of the terms and the whole at `values` of parameter `i` along a direction of length 1.

    `noise` is how precise each of them is. As soon as the slopes are as `expected`, which entries up to `largest` make
    up, no smaller steps are taken.
    """
    exact = moves.slope_in_the_complex(i, direction)
    if exact is not None:
        return Slope(exact, 64 * EPSILON * np.abs(exact) + COMPLEX_STEP)
    scale = max(1.0, float(np.linalg.norm(values * direction)))
    rows: list[np.ndarray] = []
    best, error = np.zeros_like(moves.base), np.full_like(moves.base, np.inf)
    for k in range(HALVINGS):
        step = LARGEST_STEP * scale / 2**k
        above, below = moves.along(i, step * direction), moves.along(i, -step * direction)
        if above.crosses or below.crosses:
            if k == 0 and _crosses_at_once(moves, i, direction, scale):
                break
            rows = []
            continue
        if not np.isfinite(above.values - below.values).all():
            rows = []  # the step left the domain of the function
            continue
        row = [(above.values - below.values) / (2 * step)]
        for j, earlier in enumerate(rows):
            row.append(row[j] + (row[j] - earlier) / (4 ** (j + 1) - 1))
        rounded = 2 * noise / step
        if rows:
            off = np.maximum(np.abs(row[-1] - row[-2]), np.abs(row[-1] - rows[-1])) + rounded
            if np.all(np.abs(row[-1] - expected) <= 4 * rounded + SETTLED * largest):
                return Slope(row[-1], off)
            better = off < error
            best, error = np.where(better, row[-1], best), np.where(better, off, error)
            if np.all(rounded >= error / 4):  # smaller steps would round off more than is uncertain already
                break
        rows = row
    if np.isfinite(error).all():
        return Slope(best, error)
    return _slope_at_a_kink(moves, i, direction, noise, 100 * SMALL_STEP * scale)


def _crosses_at_once(moves: Moves, i: int, direction: np.ndarray, scale: float) -> bool:
    """Return whether the smallest step already crosses a kink, so that no smaller ones need be tried."""
    step = SMALL_STEP * scale * direction
    return moves.along(i, step).crosses or moves.along(i, -step).crosses


def _slope_at_a_kink(moves: Moves, i: int, direction: np.ndarray, noise: np.ndarray, step: float) -> Slope:
    above, below = moves.along(i, step * direction).values, moves.along(i, -step * direction).values
    right, left = (above - moves.base) / step, (moves.base - below) / step
    return Slope((left + right) / 2, np.abs(right - left) / 2 + 2 * noise / step, True)


class Entries(NamedTuple):
    """The derivatives of the terms and the whole by some entries of a parameter, (values, entries) each."""

    indices: np.ndarray
    """Which entries, counted through the array."""
    left: np.ndarray
    right: np.ndarray
    """The slopes on either side, the same where there is no kink."""
    error: np.ndarray
    on_kink: np.ndarray
    """(entries,) Whether the entry lies on a kink."""


def slopes_of_entries(moves: Moves, i: int, values: np.ndarray, indices: np.ndarray, noise: np.ndarray) -> Entries:
    """Return the central difference of every value by each entry, with smaller steps and one-sided slopes at kinks."""
    scale = np.maximum(1.0, np.abs(values.reshape(-1)[indices]))
    central, crosses, steps = _central(moves, i, values, indices, STEP * scale)
    error = noise[:, None] / steps
    left, right = central.copy(), central.copy()
    on_kink = np.zeros(len(indices), bool)
    if crosses.any():
        near = np.flatnonzero(crosses)
        smaller, still, small = _central(moves, i, values, indices[near], SMALL_STEP * scale[near])
        left[:, near] = right[:, near] = smaller
        error[:, near] = noise[:, None] / small
        at = near[still]
        on_kink[at] = True
        if at.size:
            sides = one_sided(moves, i, indices[at], scale[at], noise)
            left[:, at] = np.where(sides.settle, sides.left, np.nan)  # where it jumps there is no slope
            right[:, at] = np.where(sides.settle, sides.right, np.nan)
            error[:, at] = sides.error
    return Entries(indices, left, right, error, on_kink)


class Sides(NamedTuple):
    """The slopes on either side of some entries, (values, entries) each."""

    left: np.ndarray
    right: np.ndarray
    error: np.ndarray
    settle: np.ndarray
    """(entries,) Whether smaller steps give the same slopes, as they do not where the function jumps."""


def one_sided(moves: Moves, i: int, indices: np.ndarray, scale: np.ndarray, noise: np.ndarray) -> Sides:
    """Return the slope to the left and to the right of each entry, of two steps, so that a jump is seen."""
    slopes = []
    for factor in (800, 100):
        step = factor * SMALL_STEP * scale
        above, _ = moves.singly(i, indices, step)
        below, _ = moves.singly(i, indices, -step)
        slopes.append(np.stack([moves.base[:, None] - below, above - moves.base[:, None]]) / step)
    (left, right), rounded = slopes[1], 2 * noise[:, None] / step
    grow = np.abs(slopes[1]) > 4 * np.abs(slopes[0]) + 100 * rounded  # as those across a jump do, by the steps' ratio
    error = rounded + np.abs(slopes[1] - slopes[0]).max(axis=0)
    return Sides(left, right, error, np.logical_not(np.any(grow, axis=(0, 1))))


def refined(moves: Moves, i: int, values: np.ndarray, indices: np.ndarray, noise: np.ndarray) -> Entries:
    """Return central differences of smaller steps, extrapolated, where the function bends sharply."""
    scale = np.maximum(1.0, np.abs(values.reshape(-1)[indices]))
    coarse, _, _ = _central(moves, i, values, indices, STEP / 8 * scale)
    fine, crosses, steps = _central(moves, i, values, indices, STEP / 16 * scale)
    best = fine + (fine - coarse) / 3
    error = np.abs(fine - coarse) / 3 + noise[:, None] / steps
    return Entries(indices, best, best.copy(), error, crosses)


def _central(
    moves: Moves, i: int, values: np.ndarray, indices: np.ndarray, steps: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the differences, which of them cross a kink, and the steps that were really made."""
    at = values.reshape(-1)[indices]
    above, crosses_above = moves.singly(i, indices, (at + steps) - at)
    below, crosses_below = moves.singly(i, indices, (at - steps) - at)
    made = ((at + steps) - (at - steps)) / 2
    return (above - below) / (2 * made), crosses_above | crosses_below, made
