"""The automatic gradient by one parameter held against numeric derivatives, entry by entry and along directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinygrad_lite.check.numeric.moves import COMPLEX_STEP, Moves
from tinygrad_lite.check.numeric.slopes import STEP, Entries, Slope, one_sided, refined, slope_along, slopes_of_entries

SAMPLE = 50
"""How many entries of a parameter are looked at one by one unless every element is asked for."""

DIRECTIONS = 3
"""How many random directions the others are looked at along."""

LOOKS = 300
"""How many further directions a disagreement or a kink is narrowed down with at most."""

TIMES_ERROR = 10
"""How many times its own error a numeric derivative may be off: the errors are estimates."""

EXCUSED = 1e-3
"""How much of the values an error can excuse at most; what is less certain is no derivative."""

PRECISE = 1e-9
"""How precise an extrapolated slope is taken to be, relative to the largest entry behind it."""

BLOCKS = 5
"""How many blocks of entries that disagree are narrowed down: more say nothing new."""

RELATIVE = 1e-6
"""How precise one central difference is taken to be, relative to the largest entry of the gradient."""


class Parameter(NamedTuple):
    """What is known about the gradient by one parameter."""

    position: int
    values: np.ndarray
    gradients: list[np.ndarray]
    """The automatic gradient of each term, if there are several, and last that of the whole."""
    noise: np.ndarray
    """How precise the value of each of them is."""

    @property
    def automatic(self) -> np.ndarray:
        """The automatic gradient of the whole."""
        return self.gradients[-1]


class Numeric(NamedTuple):
    """What numeric derivatives said of an automatic gradient."""

    error: float
    """The largest difference of the whole, kinks apart."""
    entries: Entries
    """Of all entries that were looked at one by one."""
    wrong: np.ndarray
    """Which of these have another automatic gradient, as positions in `entries.indices`."""
    unchecked: int
    """How many entries lie where a direction crossed kinks that could not be narrowed down."""
    allowed: float
    """How far a difference of the whole may be off, at the entry where that is most."""

    def at(self, entry: int) -> float:
        """Return the numeric derivative of the whole by an entry that was looked at."""
        k = int(np.flatnonzero(self.entries.indices == entry)[0])
        return float(self.entries.left[-1, k] + self.entries.right[-1, k]) / 2

    def between(self, gradient: np.ndarray) -> np.ndarray:
        """Return which of the entries looked at lie on a kink with `gradient` between the slopes on either side."""
        return np.asarray(_between(self.entries, gradient) & self.entries.on_kink)


def numeric_of(
    moves: Moves, parameter: Parameter, first: Sequence[int], every_element: bool, rng: np.random.Generator
) -> Numeric:
    """Look at the entries `first` and others drawn at random, or at every one, and along random directions."""
    size = parameter.values.size
    indices = np.arange(size)
    if size > SAMPLE and not every_element:
        drawn = rng.choice(size, SAMPLE, replace=False)
        indices = np.array(list(dict.fromkeys([*first, *drawn]))[: max(SAMPLE, len(first))], dtype=np.intp)
    entries = slopes_of_entries(moves, parameter.position, parameter.values, indices, parameter.noise)
    error, unchecked = 0.0, 0
    if len(indices) < size:
        suspects, error, unchecked = _along_directions(moves, parameter, rng)
        more = np.setdiff1d(suspects, indices)
        if more.size:
            found = slopes_of_entries(moves, parameter.position, parameter.values, more, parameter.noise)
            entries = _joined(entries, found)
    entries, wrong = _looked_at_again(moves, parameter, entries)
    if entries.indices.size:
        smooth = np.where(entries.on_kink, 0.0, np.abs(_off(parameter, entries)[-1]))
        error = max(error, float(np.max(smooth)) if not np.isnan(smooth).any() else np.nan)
    most = RELATIVE * float(np.max(np.abs(parameter.automatic), initial=0.0))
    return Numeric(error, entries, wrong, unchecked, most + TIMES_ERROR * float(np.max(entries.error[-1], initial=0.0)))


def _joined(one: Entries, other: Entries) -> Entries:
    return Entries(*(np.concatenate([a, b], axis=-1) for a, b in zip(one, other, strict=True)))


def _off(parameter: Parameter, entries: Entries) -> np.ndarray:
    """Return automatic − numeric for each value and entry."""
    automatic = np.stack([gradient.reshape(-1)[entries.indices] for gradient in parameter.gradients])
    with np.errstate(invalid="ignore"):
        return np.asarray(automatic - (entries.left + entries.right) / 2)


def _looked_at_again(moves: Moves, parameter: Parameter, entries: Entries) -> tuple[Entries, np.ndarray]:
    """Return the entries, those that disagree taken again with more care, and which still do."""
    largest = np.array([[np.max(np.abs(gradient), initial=0.0)] for gradient in parameter.gradients])
    off = np.abs(_off(parameter, entries))
    gap = np.abs(entries.right - entries.left) / 2
    with np.errstate(invalid="ignore"):
        wrong = ~np.all(off <= RELATIVE * largest + TIMES_ERROR * entries.error + gap, axis=0)
    doubtful = np.flatnonzero(wrong & ~entries.on_kink)
    if len(doubtful) > SAMPLE:
        _refine(moves, parameter, entries, doubtful)
        off = np.abs(_off(parameter, entries))
        with np.errstate(invalid="ignore"):
            wrong[doubtful] = ~np.all(off <= RELATIVE * largest + TIMES_ERROR * entries.error, axis=0)[doubtful]
        doubtful = doubtful[wrong[doubtful]]
    doubtful = doubtful[np.argsort(-np.nan_to_num(off[:, doubtful].max(axis=0), nan=np.inf))]
    wrong[doubtful[SAMPLE:]] = False  # what is not looked at with care is not called wrong
    doubtful = doubtful[:SAMPLE]
    for k in doubtful:
        direction = np.zeros(parameter.values.size)
        direction[entries.indices[k]] = 1.0
        automatic = np.array([gradient.reshape(-1)[entries.indices[k]] for gradient in parameter.gradients])
        slope = _slope(moves, parameter, direction, automatic, largest[:, 0])
        entries.left[:, k] = entries.right[:, k] = slope.value
        entries.error[:, k] = slope.error
        wrong[k] = not _agree(automatic, slope, largest[:, 0], parameter.noise)
    _with_undeclared_kinks(moves, parameter, entries, doubtful[wrong[doubtful]])
    # At a kink the automatic gradient follows the stated convention, whatever the slopes; a jump has no slope at all.
    wrong &= ~(entries.on_kink & np.isfinite(entries.left[-1] + entries.right[-1]))
    return entries, np.flatnonzero(wrong)


def _refine(moves: Moves, parameter: Parameter, entries: Entries, doubtful: np.ndarray) -> None:
    indices = entries.indices[doubtful]
    found = refined(moves, parameter.position, parameter.values, indices, parameter.noise)
    better = ~found.on_kink
    at = doubtful[better]
    entries.left[:, at] = entries.right[:, at] = found.left[:, better]
    entries.error[:, at] = found.error[:, better]


def _with_undeclared_kinks(moves: Moves, parameter: Parameter, entries: Entries, doubtful: np.ndarray) -> None:
    """Note where slopes differ on either side though no operation tells of a kink, as behind a Python branch."""
    if not doubtful.size:
        return
    indices = entries.indices[doubtful]
    scale = np.maximum(1.0, np.abs(parameter.values.reshape(-1)[indices]))
    sides = one_sided(moves, parameter.position, indices, scale, parameter.noise)
    differ = sides.settle & (np.abs(sides.right - sides.left) > TIMES_ERROR * sides.error)[-1]
    at = doubtful[differ]
    entries.on_kink[at] = True
    entries.left[:, at], entries.right[:, at] = sides.left[:, differ], sides.right[:, differ]
    entries.error[:, at] = sides.error[:, differ]


def _between(entries: Entries, gradient: np.ndarray) -> np.ndarray:
    """Return at which entries a gradient of the whole lies between the slopes on either side."""
    left, right = entries.left[-1], entries.right[-1]
    room = entries.error[-1] + 1e-6 * np.abs(right - left)
    given = gradient.reshape(-1)[entries.indices]
    with np.errstate(invalid="ignore"):
        within = (given >= np.minimum(left, right) - room) & (given <= np.maximum(left, right) + room)
    return np.asarray(within)


def _agree(automatic: np.ndarray, slope: Slope, largest: np.ndarray, noise: np.ndarray) -> bool:
    """Return whether slopes are as expected; where they do not settle, as at a jump, an error excuses nothing."""
    with np.errstate(invalid="ignore"):
        unsettled = np.minimum(TIMES_ERROR * slope.error, EXCUSED * (largest + np.abs(slope.value)))
        resolved = TIMES_ERROR**2 * noise / STEP
        allowed = np.maximum(unsettled, resolved) + PRECISE * largest + TIMES_ERROR * COMPLEX_STEP
        return bool(np.all(np.abs(automatic - slope.value) <= allowed))


def _along_directions(moves: Moves, parameter: Parameter, rng: np.random.Generator) -> tuple[np.ndarray, float, int]:
    """Return the entries to be looked at one by one, the largest error otherwise, and how many stay unchecked."""
    size = parameter.values.size
    suspects: list[np.ndarray] = []
    error, looks, unchecked = 0.0, LOOKS, 0
    for _ in range(DIRECTIONS):
        signs = rng.integers(0, 2, size=size, dtype=np.int8) * 2.0 - 1.0
        waiting = [slice(0, size)]
        while waiting:
            support = waiting.pop()
            slope, automatic, largest = _over(moves, parameter, support, signs)
            if not slope.crosses and _agree(automatic, slope, largest, parameter.noise):
                error = max(error, abs(float(automatic[-1] - slope.value[-1])))
                continue
            looks -= 1
            if len(suspects) >= BLOCKS:
                return np.unique(np.concatenate(suspects)), error, unchecked
            start, stop = support.start, support.stop
            if stop - start <= SAMPLE:
                suspects.append(np.arange(start, stop))
            elif looks > 0:
                middle = (start + stop) // 2
                waiting += [slice(start, middle), slice(middle, stop)]
            elif slope.crosses:
                unchecked += stop - start
            else:
                suspects.append(np.arange(start, start + SAMPLE))
    return (np.unique(np.concatenate(suspects)) if suspects else np.zeros(0, np.intp)), error, unchecked


def _over(
    moves: Moves, parameter: Parameter, support: slice, signs: np.ndarray
) -> tuple[Slope, np.ndarray, np.ndarray]:
    """Return the slope along a direction over some entries, what the automatic gradients say of it, and their size."""
    direction = np.zeros(parameter.values.size)
    direction[support] = signs[support] / np.sqrt(support.stop - support.start)
    flat = [gradient.reshape(-1)[support] for gradient in parameter.gradients]
    automatic = np.array([float(gradient @ direction[support]) for gradient in flat])
    lengths = np.array([float(np.sqrt(gradient @ gradient)) for gradient in flat])
    return _slope(moves, parameter, direction, automatic, lengths), automatic, lengths


def _slope(
    moves: Moves, parameter: Parameter, direction: np.ndarray, automatic: np.ndarray, largest: np.ndarray
) -> Slope:
    shaped = direction.reshape(parameter.values.shape)
    return slope_along(moves, parameter.position, parameter.values, shaped, parameter.noise, automatic, largest)
