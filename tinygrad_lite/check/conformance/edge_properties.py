"""What holds at the edges: where derivatives jump, and at values as large, small or undefined as floats can be."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tinygrad_lite.check.conformance.agreement import NothingToHoldError, PropertyError, random_like
from tinygrad_lite.check.conformance.differences import signature_of
from tinygrad_lite.check.conformance.properties import gradients_by_backward, leaves_for, values_given
from tinygrad_lite.check.conformance.variants import Call
from tinygrad_lite.tensor import Tensor

STATIONS = 33
"""At how many points of a line through the operands jumps of the derivative are looked for."""
SUSPECTS = 3
"""How many parts of the line are looked into."""
HALVINGS = 40

# ----- Kinks -----


def kinks_tell_of_every_jump(call: Call, rng: np.random.Generator) -> None:
    """On a line from the operands through zero, what `kinks` gives changes wherever the derivative jumps."""
    if call.primitive.kinks is None:
        raise NothingToHoldError
    ends = [-x * rng.uniform(0.5, 1.5, size=x.shape) for x in (call.operands[i] for i in call.wanted)]
    (cotangent,) = random_like(rng, [values_given(call)])
    signature = signature_of(call)

    def at(t: float) -> Call:
        given = dict(zip(call.wanted, ends, strict=True))
        operands = ((1 - t) * x + t * given[i] if i in given else x for i, x in enumerate(call.operands))
        return replace(call, operands=tuple(np.asarray(x) for x in operands))

    def slopes(t: float) -> list[np.ndarray]:
        return gradients_by_backward(at(t), cotangent)

    stations = np.linspace(0.01, 1, STATIONS)  # off the operands, which may themselves lie at a kink
    told, found = [signature(*at(t).operands) for t in stations], [slopes(t) for t in stations]
    smooth = [k for k in range(STATIONS - 1) if told[k] == told[k + 1]]
    changes = {k: _change(found[k], found[k + 1]) for k in smooth}
    for k in sorted(changes, key=changes.__getitem__, reverse=True)[:SUSPECTS]:
        low, high = _halved(slopes, float(stations[k]), float(stations[k + 1]))
        if signature(*at(low).operands) == signature(*at(high).operands):
            _hold_no_jump(call, slopes(low), slopes(high), changes[k])


def _change(before: list[np.ndarray], after: list[np.ndarray]) -> float:
    """Return the largest change from one list of gradients to another; 0 where it is not finite."""
    largest = max((float(np.max(np.abs(a - b), initial=0.0)) for a, b in zip(before, after, strict=True)), default=0.0)
    return largest if np.isfinite(largest) else 0.0


def _halved(slopes: Callable[[float], list[np.ndarray]], low: float, high: float) -> tuple[float, float]:
    """Return the ends of the smallest part of an interval that most of the change falls into."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        first, between, last = slopes(low), slopes(middle), slopes(high)
        low, high = (low, middle) if _change(first, between) > _change(between, last) else (middle, high)
    return low, high


def _hold_no_jump(call: Call, before: list[np.ndarray], after: list[np.ndarray], change: float) -> None:
    """Raise if two gradients as good as at one place differ by as much as they did from far; at a pole it is more."""
    left = _change(before, after)
    if not 1e-3 * change < left <= 2 * change or change < 1e-6:
        return
    for i, a, b in zip(call.wanted, before, after, strict=True):
        place = np.unravel_index(int(np.argmax(np.abs(a - b))), a.shape)
        if abs(a[place] - b[place]) == left:
            raise PropertyError(
                f"the derivative by operand {i} at {[int(k) for k in place]} jumps from {a[place]!s} to {b[place]!s}, "
                "and what `kinks` gives does not change"
            )


# ----- Extreme values -----


def extreme_values_are_silent(call: Call, rng: np.random.Generator) -> None:
    """No warning escapes at zeros, infinities, nan and values of any size; shapes and dtypes are as elsewhere.

    Where an elementwise primitive without poles is finite at finite operands, so are its gradients.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            value, result, gradients = _at_the_extremes(call)
        except RuntimeWarning as warning:
            remedy = "" if call.primitive.poles else "; poles=True says that its infinities are meant"
            raise PropertyError(f"a warning escapes: {warning}{remedy}") from warning
    if (result.shape, result.dtype) != (value.shape, value.dtype):
        raise PropertyError(f"{result.dtype}{result.shape} is recorded where {value.dtype}{value.shape} is computed")
    for i, gradient in zip(call.wanted, gradients, strict=True):
        x = call.operands[i]
        if gradient is None or (gradient.shape, gradient.dtype) != (x.shape, x.dtype):
            raise PropertyError(f"the gradient by operand {i} is no {x.dtype} array of shape {x.shape}")
        if call.primitive.is_elementwise and not call.primitive.poles and x.shape == value.shape:
            finite = np.isfinite(value) & np.logical_and.reduce([np.isfinite(y) for y in call.operands])
            bad = np.flatnonzero(finite & ~np.isfinite(gradient))
            if bad.size:
                given = ", ".join(str(y.flat[bad[0]]) for y in call.operands)
                raise PropertyError(
                    f"the gradient by operand {i} is {gradient.flat[bad[0]]} at {given}, where the value is "
                    f"{value.flat[bad[0]]}; poles=True says that infinite slopes are meant"
                )


def _at_the_extremes(call: Call) -> tuple[np.ndarray, Tensor, list[np.ndarray | None]]:
    """Return the value on plain arrays, the recorded one, and gradients; what the forward refuses is not looked at."""
    try:
        value = np.asarray(call.primitive(*call.arguments(*call.operands), **call.static))
    except RuntimeWarning:
        raise
    except Exception as refusal:  # such as that of a label out of range, or of a singular matrix
        raise NothingToHoldError(f"{type(refusal).__name__}: {refusal}") from refusal
    leaves = leaves_for(call)
    result = call(*leaves)
    if call.wanted:
        result.backward(np.ones(result.shape, result.dtype))
    return value, result, [leaves[i].grad for i in call.wanted]
