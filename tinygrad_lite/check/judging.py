"""The judgement of one parameter: which of its gradients agree, and if not, what that means."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np

from tinygrad_lite.check.claimed import Claimed
from tinygrad_lite.check.diagnosis.search import Diagnosis
from tinygrad_lite.check.evidence import Evidence
from tinygrad_lite.check.magnitude import largest
from tinygrad_lite.check.numeric.agreement import Numeric, Parameter, numeric_of
from tinygrad_lite.check.numeric.moves import Moves
from tinygrad_lite.check.numeric.slopes import STEP
from tinygrad_lite.check.report import Cause, Row, Status
from tinygrad_lite.check.terms import Term

Tolerance: TypeAlias = tuple[float, float] | None
"""The relative and the absolute one that were asked for, None to go by rounding."""

COARSEST = 0.01
"""Where rounding may be a larger share of a gradient than this, agreement means nothing."""

UNLIKE = 0.01
"""How far apart entries are that anyone would call different, relative to the larger."""

KINK_STEP = 1e-6
"""How far all entries at kinks are moved at once."""

WRONG_AUTOMATICALLY = (
    "the automatic gradient is not what the function does when it is moved: it jumps, or something on the way is taken "
    "for a constant (.item(), .numpy(), .data, no_grad), or a rule of tg.primitive is wrong"
)

LOOKED_AT = 1000
"""At how many entries a disagreement is looked at for a kink."""


class Comparison(NamedTuple):
    """A handwritten gradient held against the automatic one."""

    hand: np.ndarray | None
    error: float | None
    relative: float | None
    allowed: float
    wrong: np.ndarray
    """The entries that differ by more than is allowed, worst first; all, if the shape does not fit."""
    fits: bool = True
    """Whether it has the shape of the parameter."""
    asked: Tolerance = None
    """The tolerance that was asked for."""


def compared(hand: np.ndarray | None, automatic: np.ndarray, rounding: float, tolerance: Tolerance) -> Comparison:
    """Return how far a gradient by hand lies from the automatic one; inf − inf, which is nan, is a disagreement."""
    if hand is None:
        return Comparison(None, None, None, rounding, np.zeros(0, np.intp))
    if hand.shape != automatic.shape:
        return Comparison(hand, np.inf, np.inf, rounding, np.arange(automatic.size), fits=False)
    size = max(largest(automatic), largest(hand))
    allowed = rounding if tolerance is None else tolerance[1] + tolerance[0] * size
    with np.errstate(invalid="ignore"):
        apart = np.abs(hand - automatic).reshape(-1)
        wrong = np.flatnonzero(~(apart <= allowed))
    error = float(np.max(apart, initial=0.0))
    order = np.argsort(-np.nan_to_num(apart[wrong], nan=np.inf), kind="stable")
    return Comparison(hand, error, error / size if size else 0.0, allowed, wrong[order], asked=tolerance)


def judged(
    evidence: Evidence,
    i: int,
    by_hand: Claimed | None,
    diagnosis: Diagnosis,
    tolerance: Tolerance,
    every_element: bool,
) -> Row:
    """Return what the three gradients by one parameter say of each other."""
    parameter, automatic = evidence.parameter(i), evidence.automatic[i]
    hand = None if by_hand is None else by_hand.gradients[i]
    rounding = evidence.rounding.gradients[i] * (1.0 if by_hand is None else by_hand.coarseness[i])
    found = compared(hand, automatic, rounding, tolerance)
    first = _worth_a_look(found, automatic)
    numeric = numeric_of(evidence.moves, parameter, first, every_element, evidence.rng)
    status, note = _status(evidence, i, found, numeric, parameter)
    is_mistaken = status == "differs" and len(found.wrong) > 0 and not len(numeric.wrong)
    entry = _entry_to_show(found, numeric)
    return Row(
        name=evidence.problem.names[i],
        status=status,
        entries=automatic.size,
        entries_checked=len(numeric.entries.indices),
        max_abs_error=found.error,
        max_rel_error=found.relative,
        numeric_abs_error=numeric.error,
        worst_index=tuple(int(k) for k in np.unravel_index(entry, automatic.shape)) if automatic.size else (),
        values=_values(found, automatic, numeric, entry),
        budget=found.allowed,
        numeric_budget=numeric.allowed,
        diagnosis=_causes(evidence, i, diagnosis, rounding) if is_mistaken else (),
        note=note,
    )


def _causes(evidence: Evidence, i: int, diagnosis: Diagnosis, rounding: float) -> tuple[Cause, ...]:
    if any(term.gradients[i] is not None for term in evidence.terms):
        return diagnosis.of(i, rounding)
    name = evidence.problem.names[i]
    return (Cause("unknown", None, 1.0, name, "the function does not depend on it, so its gradient is 0"),)


def _worth_a_look(found: Comparison, automatic: np.ndarray) -> list[int]:
    """Return the entries that numeric derivatives are taken of first."""
    if not automatic.size:
        return []
    if len(found.wrong) and found.fits:
        return [int(k) for k in found.wrong[:LOOKED_AT]]
    if found.hand is not None and found.fits:
        return [int(np.argmax(np.abs(found.hand - automatic)))]
    return [int(np.argmax(np.abs(automatic)))]


def _status(
    evidence: Evidence, i: int, found: Comparison, numeric: Numeric, parameter: Parameter
) -> tuple[Status, str]:
    """Return the status, and what it means here."""
    forgiven = _all_between(evidence, found, numeric, parameter)
    kinks = _at_kinks(numeric, parameter)
    if not np.isfinite(evidence.moves.base).all():
        return "differs", f"the function is {evidence.moves.base[-1]} at these parameters"
    if not np.isfinite(parameter.automatic).all():
        return "differs", "the automatic gradient is not finite"
    if not found.fits:
        assert found.hand is not None
        return "differs", f"the gradient by hand has shape {found.hand.shape}, the parameter {parameter.values.shape}"
    if len(numeric.wrong):
        return "differs", WRONG_AUTOMATICALLY
    if len(found.wrong) and not forgiven:
        return "differs", kinks if found.fits else ""
    silent = "" if kinks else _vacuous(evidence, i, parameter)
    if silent:
        return "vacuous", silent
    if found.hand is not None and found.asked is None and found.allowed > COARSEST * largest(parameter.automatic) > 0:
        share = found.allowed / largest(parameter.automatic)
        return "undetectable", (
            f"rounding alone may be {share:.0%} of the gradient; move away from where it vanishes, or let the "
            "derivation compute in float64"
        )
    hidden = _undetectable(evidence.penalty_terms, i, found)
    if hidden:
        return "undetectable", hidden
    if numeric.unchecked > parameter.values.size / 2:
        return "undetectable", f"most of it lies beside kinks: {kinks}"
    if kinks:
        return "kink", kinks
    return "agrees", "" if found.hand is None else _unseen(evidence, found, parameter)


def _unseen(evidence: Evidence, found: Comparison, parameter: Parameter) -> str:
    """Return what a derivation could do wrong without being seen, although all agrees."""
    told = []
    if evidence.penalty_terms and not parameter.values.any():
        told.append("all zeros, so a penalty on it in the derivation could not be seen")
    assert found.hand is not None
    size = np.maximum(np.abs(parameter.automatic), np.abs(found.hand))
    apart = int(np.count_nonzero(np.abs(found.hand - parameter.automatic) > UNLIKE * size))
    if apart and found.asked is None:
        told.append(
            f"{apart} of {size.size} entries are not alike, but differ by less than rounding may do to the largest"
        )
    return "; ".join(told)


def _at_kinks(numeric: Numeric, parameter: Parameter) -> str:
    """Return which entries lie on a kink, and between which slopes."""
    told = []
    at = np.flatnonzero(numeric.entries.on_kink)
    if at.size:
        index = [int(k) for k in np.unravel_index(numeric.entries.indices[at[0]], parameter.values.shape)]
        left, right = numeric.entries.left[-1, at[0]], numeric.entries.right[-1, at[0]]
        told.append(
            f"{at.size} of {parameter.values.size} entries lie on a kink and are judged by the slopes on either side, "
            f"at {index} {left:.6g} and {right:.6g}"
        )
    if numeric.unchecked:
        told.append(f"{numeric.unchecked} entries beside kinks were not looked at one by one")
    return "; ".join(told)


def _all_between(evidence: Evidence, found: Comparison, numeric: Numeric, parameter: Parameter) -> bool:
    """Return whether the gradient by hand differs only on kinks, and lies between the slopes on either side there."""
    if found.hand is None or not found.fits or not numeric.entries.on_kink.any():
        return False
    between = numeric.entries.indices[numeric.between(found.hand)]
    return bool(np.isin(found.wrong, between).all()) and _together(evidence.moves, found, parameter, between)


def _together(moves: Moves, found: Comparison, parameter: Parameter, between: np.ndarray) -> bool:
    """Return whether the gradient by hand is also between the slopes where all entries at kinks move as one.

    One by one, each of three that tie for the largest may have any slope from 0 to 1, but not all three 1.
    """
    assert found.hand is not None
    for signs in (np.ones(len(between)), np.where(found.hand.reshape(-1)[between] > 0, 1.0, -1.0)):
        direction = np.zeros(parameter.values.size)
        direction[between] = KINK_STEP * signs
        ahead = moves.along(parameter.position, direction.reshape(parameter.values.shape)).values[-1]
        behind = moves.along(parameter.position, -direction.reshape(parameter.values.shape)).values[-1]
        slopes = (ahead - moves.base[-1]) / KINK_STEP, (moves.base[-1] - behind) / KINK_STEP
        by_hand, automatic = (float(g.reshape(-1)[between] @ signs) for g in (found.hand, parameter.automatic))
        room = 1e-4 * (1.0 + abs(by_hand) + abs(automatic))
        low, high = min(slopes) - room, max(slopes) + room
        if low <= automatic <= high and not low <= by_hand <= high:
            return False
    return True


def _vacuous(evidence: Evidence, i: int, parameter: Parameter) -> str:
    """Return why nothing was tested: all terms that see the data have a gradient below what can be resolved."""
    seen = [
        (gradient, noise)
        for term, noise in zip(evidence.terms, evidence.rounding.terms, strict=True)
        if (gradient := term.gradients[i]) is not None and any(term is data for data in evidence.data_terms)
    ]
    if not seen or not parameter.values.size:
        return ""
    size = max(largest(gradient) for gradient, _ in seen)
    resolution = sum(noise for _, noise in seen) / STEP
    if size > resolution:
        return ""
    return (
        f"the largest gradient is {size:.1e}, below the {resolution:.1e} that numeric differences resolve, so "
        "nothing was tested: take parameters at which no unit is saturated, and not all zeros"
    )


def _undetectable(penalties: list[Term], i: int, found: Comparison) -> str:
    """Return which penalty contributes so little that a derivation without it could not be told from one with it."""
    if found.hand is None:
        return ""
    hidden = [
        (term, size)
        for term in penalties
        if (gradient := term.gradients[i]) is not None and (size := largest(gradient)) <= found.allowed
    ]
    if not hidden or not found.hand.size:
        return ""
    named = ", ".join(f"{term.name} ({size:.1e})" for term, size in hidden)
    return (
        f"a mistake in the penalty {named} would be below the {found.allowed:.1e} that may be rounding; make it "
        "larger, move away from zeros, or let the derivation compute in float64"
    )


def _entry_to_show(found: Comparison, numeric: Numeric) -> int:
    """Return the entry where the disagreement is largest."""
    if len(found.wrong) and found.fits:
        return int(found.wrong[0])
    if len(numeric.wrong):
        return int(numeric.entries.indices[numeric.wrong[0]])
    return int(numeric.entries.indices[0]) if len(numeric.entries.indices) else 0


def _values(
    found: Comparison, automatic: np.ndarray, numeric: Numeric, entry: int
) -> tuple[float | None, float, float]:
    """Return the three gradients at an entry."""
    if not automatic.size:
        return None if found.hand is None else 0.0, 0.0, 0.0
    hand = float(found.hand.reshape(-1)[entry]) if found.hand is not None and found.fits else None
    return hand, float(automatic.reshape(-1)[entry]), numeric.at(entry)
