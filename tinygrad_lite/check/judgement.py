"""What was found of a claim: every reading tried with its error, and from them the verdict and the cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from tinygrad_lite.check.report import Cause, GradientReport, Row
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.tensor import Tensor

Verdict: TypeAlias = Literal["holds", "fails", "no-formula"]

ROUNDING = 1e-10
"""The largest error that rounding accounts for."""

SMALLEST_SCALE = 1e-4
"""Errors are relative to the largest value of the truth, or to this where that is smaller, so that 0 can be claimed."""


class Difference(NamedTuple):
    """How far what is stated lies from the truth at one draw."""

    error: float
    """The largest difference, relative to the largest value of the truth; infinite if the shapes do not fit."""
    agrees: bool
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True)
class Tried:
    """A reading of a claim, evaluated at all draws."""

    name: str
    error: float
    """The largest error of any draw."""
    agrees: bool
    causes: tuple[Cause, ...] = ()

    @classmethod
    def of(cls, name: str, differences: Sequence[Difference]) -> Tried:
        """Return what was found of a reading; only a cause that shows at every draw that differs is named."""
        wrong = [difference for difference in differences if not difference.agrees]
        causes = wrong[0].causes if wrong and _alike([difference.causes for difference in wrong]) else ()
        return cls(name, max(difference.error for difference in differences), not wrong, causes)


@dataclass(frozen=True)
class Judgement:
    """What was found of a claim; `verdict` is None if it could not run, which `cause` then tells.

    A claim that fails has a `cause` and, where one was given, the right formula: in words as `corrected`, evaluated as
    `correction`.
    """

    id: str
    statement: str
    verdict: Verdict | None
    cause: str | None = None
    readings: tuple[Tried, ...] = ()
    corrected: str | None = None
    correction: Tried | None = None
    note: str = ""

    @property
    def error_as_stated(self) -> float | None:
        """The error of the reading that comes closest."""
        return _closest(self.readings)[0].error if self.readings else None

    @property
    def error_corrected(self) -> float | None:
        """The error of the right formula, None if none was given."""
        return None if self.correction is None else self.correction.error


def holding(id: str, statement: str, tried: Sequence[Tried]) -> Judgement:
    """Return the judgement on a claim of which at least one reading agrees."""
    return Judgement(id, statement, "holds", readings=tuple(tried))


def failing(id: str, statement: str, tried: Sequence[Tried], note: str, correction: Tried | None = None) -> Judgement:
    """Return the judgement on a claim of which no reading agrees; `correction` is called by the right formula."""
    by_closeness = _closest(tried)
    causes = next((reading.causes for reading in by_closeness if _known(reading.causes)), by_closeness[0].causes)
    if correction is not None:
        corrected: str | None = correction.name
    else:
        corrected = "; ".join(cause.correction for cause in _known(causes)) or None
    return Judgement(id, statement, "fails", _in_words(causes, note), tuple(tried), corrected, correction, note)


def _closest(tried: Sequence[Tried]) -> list[Tried]:
    return sorted(tried, key=lambda reading: (not reading.agrees, reading.error))


def _known(causes: Sequence[Cause]) -> list[Cause]:
    return [cause for cause in causes if cause.slug != "unknown"]


def _in_words(causes: Sequence[Cause], note: str) -> str:
    """Return the causes that could be computed, before the words that were given with the claim."""
    known = _known(causes)
    if not note:
        return "; ".join(map(str, known or causes)) or "unknown"
    return f"{' + '.join(cause.slug for cause in known)}: {note}" if known else note


# ----- What is stated against the truth -----


def differences(sides: Any, what: str) -> Iterator[Difference]:
    """Yield how far a statement lies from the truth, for each equality of a chain; `what` begins error messages.

    `sides` are (what is stated, the truth it claims), several such pairs one after another, or a GradientReport.
    """
    if isinstance(sides, GradientReport):
        yield _reported(sides, what)
    elif isinstance(sides, tuple):
        if len(sides) != 2:
            raise ArgumentError(f"{what} must return (what is stated, the truth), got {len(sides)} values")
        yield _compared(_array(sides[0], what), _array(sides[1], what), what)
    elif isinstance(sides, Iterator):
        count = 0
        for count, pair in enumerate(sides, start=1):
            yield from differences(pair, f"{what}, equality {count}")
        if not count:
            raise ArgumentError(f"{what} yields nothing to compare")
    else:
        raise ArgumentError(
            f"{what} must return (what is stated, the truth) or a report of check_gradients, or yield such a pair for "
            f"each equality, got {type(sides).__name__}"
        )


def _compared(stated: np.ndarray, truth: np.ndarray, what: str) -> Difference:
    if not truth.size or not np.isfinite(truth).all():
        raise ArgumentError(f"{what} gave a truth that is {'not finite' if truth.size else 'empty'}")
    error = _error(stated, truth)
    if error <= ROUNDING:
        return Difference(error, agrees=True)
    return Difference(error, agrees=False, causes=(_cause(stated, truth, what),))


def _error(stated: np.ndarray, truth: np.ndarray) -> float:
    if stated.shape != truth.shape or not np.isfinite(stated).all():
        return np.inf
    scale = max(float(np.max(np.abs(truth))), SMALLEST_SCALE)
    return float(np.max(np.abs(stated - truth))) / scale


def _cause(stated: np.ndarray, truth: np.ndarray, what: str) -> Cause:
    """Return what turns the truth into what is stated, where it is as simple as that."""
    if _error(-stated, truth) <= ROUNDING:
        return Cause("sign", -1.0, _error(-stated, truth), what, "turn the sign around")
    if stated.ndim > 1 and _error(stated.T, truth) <= ROUNDING:
        return Cause("transposed", None, _error(stated.T, truth), what, "transpose it")
    if stated.shape != truth.shape:
        return Cause("unknown", None, np.inf, what, f"its shape is {stated.shape}, that of the truth {truth.shape}")
    factor = float(np.sum(stated * truth) / np.sum(truth * truth)) if truth.any() else 0.0
    if factor and np.isfinite(factor) and (residual := _error(stated / factor, truth)) <= ROUNDING:
        return Cause("scale", factor, residual, what, f"divide it by {factor:.6g}")
    return Cause("unknown", None, _error(stated, truth), what, "derive it again")


def _alike(found: Sequence[tuple[Cause, ...]]) -> bool:
    """Return whether the same causes were found each time; a factor that changes from draw to draw explains nothing."""
    slugs = {tuple(cause.slug for cause in causes) for causes in found}
    factors = {tuple(None if cause.factor is None else f"{cause.factor:.6g}" for cause in causes) for causes in found}
    by_size = any(cause.slug == "batch-mean" for causes in found for cause in causes)
    return len(slugs) == 1 and (len(factors) == 1 or by_size)


def _reported(report: GradientReport, what: str) -> Difference:
    rows = (*report.rows, *report.deltas)
    errors = [row.max_rel_error for row in rows if row.max_rel_error is not None]
    if not errors:
        raise ArgumentError(f"{what} gave a report without a gradient by hand; give analytic=, vjp= or jacobian=")
    untested = [row for row in rows if row.status in ("vacuous", "undetectable")]
    if untested and not any(row.status == "differs" for row in rows):
        raise ArgumentError(f"{what} tests nothing of {untested[0].name}: {untested[0].note}")
    causes = tuple(cause for row in rows if not row.agrees for cause in row.diagnosis or (_unexplained(row),))
    return Difference(max(errors), bool(report), causes)


def _unexplained(row: Row) -> Cause:
    return Cause("unknown", None, np.nan, row.name, row.note)


def _array(side: Any, what: str) -> np.ndarray:
    array = side.numpy() if isinstance(side, Tensor) else np.asarray(side)
    if array.dtype.kind not in "fiub":
        raise ArgumentError(f"{what} must give arrays of real numbers, got {array.dtype}")
    return array.astype(np.float64)
