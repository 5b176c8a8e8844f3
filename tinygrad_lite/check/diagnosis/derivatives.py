"""What may be written in the place of the derivative of an activation, found in the graph wherever there is one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tinygrad_lite.check.capture import Capture
from tinygrad_lite.check.diagnosis.mistake import Mistake, place_of
from tinygrad_lite.check.diagnosis.mutation import Jump, times
from tinygrad_lite.check.diagnosis.segments import Segment, segments_of
from tinygrad_lite.check.diagnosis.textbook import BY_PRE_ACTIVATION, formulas
from tinygrad_lite.tape import AnyNode, Leaf, sweep

ANY = "activation"
"""Stands for activations of whatever kind."""

MISSING, WRONG = "activation-derivative-missing", "activation-derivative-wrong"


def wrong_derivatives(capture: Capture, names: dict[Leaf, str]) -> Iterator[Mistake]:
    """Yield each mistake made at one activation, and at all of its kind or of any, as a loop over layers makes it."""
    everywhere: dict[tuple[str, str, str], list[tuple[AnyNode, Jump, float]]] = {}
    segments = segments_of(capture)
    for k, segment in enumerate(segments):
        right = _derivative(capture, segment)
        if right is None:
            continue
        neighbours = segments[max(0, k - 1) : k] + segments[k + 1 : k + 2]
        elsewhere = [other for other in neighbours if other.a.shape == segment.a.shape]
        for slug, correction, values, cost in _derivatives(segment, right, elsewhere):
            jump = Jump(segment.end, times(segment.start, values))
            everywhere.setdefault((slug, segment.name, correction), []).append((segment.end, jump, cost))
            if slug == MISSING:
                text = "multiply the cotangent by the derivative of each activation"
                everywhere.setdefault((slug, ANY, text), []).append((segment.end, jump, cost + 0.05))
    for (slug, name, correction), found in everywhere.items():
        for end, jump, cost in found if name != ANY else ():
            where = f"{name} {place_of(end, names).partition(' ')[2]}".strip()
            yield Mistake(slug, where, correction, cost, (jump,))
        jumps = tuple(jump for _, jump, _ in found)
        cost = found[0][2]
        if len(found) > 1:
            yield Mistake(slug, f"{name}, {len(jumps)} times", correction, cost + 0.01, jumps)
        if len(found) > 2:  # all but that of the output
            yield Mistake(slug, f"{name}, {len(jumps) - 1} times", correction, cost + 0.02, jumps[:-1])


def _derivative(capture: Capture, segment: Segment) -> np.ndarray | None:
    """Return the right derivative of a segment, None if a cotangent cannot get from its end to its start."""
    members = [node for node in capture.nodes if segment.start.serial <= node.serial <= segment.end.serial]
    ones = np.ones(segment.end.shape, segment.end.dtype)
    arrived = sweep(members, {segment.end: ones}, ends={segment.start})
    return arrived.get(segment.start)


def _derivatives(
    segment: Segment, right: np.ndarray, elsewhere: Sequence[Segment]
) -> Iterator[tuple[str, str, np.ndarray, float]]:
    """Yield what may stand for a derivative, each once: the slug, the correction, the values and the cost."""
    seen = {_print_of(right)}
    if np.ptp(right) <= 1e-12 * np.max(np.abs(right), initial=0.0) and right.any():
        yield "scale", f"multiply the cotangent by {right.flat[0]:.6g}, which is left out", np.ones_like(right), 1.2
        return
    multiply = f"multiply the cotangent by the derivative of {segment.name}"
    with np.errstate(all="ignore"):
        candidates = [(MISSING, f"{multiply}, which is left out", np.ones_like(right), 1.1)]
        candidates += [
            (WRONG, f"this is {formula.text}; {multiply}", formula.values, 1.2 + formula.cost)
            for formula in formulas(segment.name, segment.a, segment.h)
        ]
        candidates.append((WRONG, f"the derivative is multiplied twice; {multiply} once", right * right, 1.3))
        candidates.append((WRONG, f"it is divided by the derivative; {multiply}", 1 / right, 1.5))
        if segment.before_bias is not None and segment.name in BY_PRE_ACTIVATION:
            text = f"this is its own derivative, taken before the bias is added; {multiply} after that"
            candidates.append((WRONG, text, BY_PRE_ACTIVATION[segment.name][1](segment.before_bias), 1.3))
        for other in elsewhere:
            for formula in formulas(segment.name, other.a, other.h):
                if formula.cost <= 0.2:
                    text = f"this is {formula.text}, but of the values of another layer; {multiply} at its own"
                    candidates.append((WRONG, text, formula.values, 1.5))
    for slug, correction, values, cost in candidates:
        if np.isfinite(values).all() and _print_of(values) not in seen:
            seen.add(_print_of(values))
            yield slug, correction, values, cost


def _print_of(values: np.ndarray) -> bytes:
    """Return what is the same for values that differ by rounding alone."""
    return bytes((np.round(values, 9) + 0.0).tobytes())
