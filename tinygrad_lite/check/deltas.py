"""Intermediate gradients given by hand, held against the cotangents of the values named in the function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_lite.check.capture import Capture, cotangent_at
from tinygrad_lite.check.claimed import coarseness_of
from tinygrad_lite.check.diagnosis.search import Diagnosis
from tinygrad_lite.check.evidence import Evidence
from tinygrad_lite.check.judging import Tolerance, compared
from tinygrad_lite.check.report import Row
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.tape import Node
from tinygrad_lite.tensor import Tensor

STEP = 1e-6
"""How far an entry is moved for its numeric derivative."""


def delta_rows(
    evidence: Evidence, deltas: Mapping[str, Any], tolerance: Tolerance, diagnosis: Diagnosis
) -> tuple[Row, ...]:
    """Return a row for each delta, from the loss backwards; raises ArgumentError for a name that is not there."""
    if not deltas:
        return ()
    if evidence.problem.cotangent is not None:
        raise ArgumentError("deltas: the derivatives of several values are meant by none; give a function of one value")
    capture = evidence.capture
    named = {} if capture is None else _named(capture)
    for name in deltas:
        if len(named.get(name, ())) != 1:
            what = "names more than one value" if name in named else "the result depends on no value that is named"
            raise ArgumentError(
                f"deltas: {what} {name!r} with tg.named(value, {name!r}); the function names {sorted(named)}"
            )
    assert capture is not None
    order = sorted(deltas, key=lambda name: -named[name][0].serial)
    return tuple(_row(evidence, capture, name, named[name][0], deltas[name], tolerance, diagnosis) for name in order)


def _named(capture: Capture) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for node in capture.nodes:
        if isinstance(node, Node) and node.primitive.name == "named":
            found.setdefault(node.static["name"], []).append(node)
    return found


def _row(
    evidence: Evidence,
    capture: Capture,
    name: str,
    node: Node,
    given: Any,
    tolerance: Tolerance,
    diagnosis: Diagnosis,
) -> Row:
    claim = np.asarray(given.numpy() if isinstance(given, Tensor) else given)
    if claim.dtype.kind not in "fiub":
        raise ArgumentError(f"deltas: {name!r} must be an array of numbers, got {type(given).__name__}")
    automatic = cotangent_at(capture, node)
    rounding = evidence.rounding_at(node) * coarseness_of(claim)
    found = compared(claim.astype(np.float64), automatic, rounding, tolerance)
    if not automatic.size:
        raise ArgumentError(f"deltas: the value named {name!r} is empty")
    entry = int(found.wrong[0]) if len(found.wrong) and found.fits else int(np.argmax(np.abs(automatic)))
    numeric = _numeric(evidence, capture, node, entry)
    flat = automatic.reshape(-1)[entry]
    return Row(
        name=name,
        status="differs" if len(found.wrong) else "agrees",
        entries=automatic.size,
        entries_checked=1 if np.isfinite(numeric) else 0,
        max_abs_error=found.error,
        max_rel_error=found.relative,
        numeric_abs_error=abs(float(flat) - numeric),
        worst_index=tuple(int(k) for k in np.unravel_index(entry, automatic.shape)),
        values=(float(claim.reshape(-1)[entry]) if found.fits else None, float(flat), numeric),
        budget=found.allowed,
        diagnosis=diagnosis.of_value(node, claim.astype(np.float64), rounding, name) if len(found.wrong) else (),
        note="" if found.fits else f"the delta by hand has shape {claim.shape}, the value {automatic.shape}",
    )


def _numeric(evidence: Evidence, capture: Capture, node: Node, entry: int) -> float:
    """Return the central difference by one entry of a value on the way, nan if the recording cannot be run again."""
    if not capture.is_whole or evidence.why_plain:
        return float("nan")
    values = []
    for step in (STEP, -STEP):
        moved = np.array(capture.values[node])
        moved.reshape(-1)[entry] += step
        values.append(float(np.reshape(capture.run({node: moved})[capture.root], ())))
    return (values[0] - values[1]) / (2 * STEP)
