"""`detect_anomaly`: the first value that is no finite number is named, with where it arose and what to do about it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final

import numpy as np

from tinygrad_lite.errors import AnomalyError
from tinygrad_lite.mode import ModeChange, refuse_bare_decorator


def _not_finite(values: np.ndarray) -> np.ndarray:
    bad: np.ndarray = np.logical_not(np.isfinite(values))
    return bad


class detect_anomaly(ModeChange):  # noqa: N801 - reads as a word: with detect_anomaly()
    """Raise AnomalyError at the first value that is not finite, forward or backward, as a context or a decorator.

    The error names the operation, the scope, the user's file and line, what its operands held, and the likely remedy.
    With `infinities=False` only nan counts, for computations in which infinities are meant, such as masks of −∞.
    What happens while recording is looked at too, so it is for searching: training is several times slower.

    >>> import numpy as np, tinygrad_lite as tg
    >>> with tg.detect_anomaly():
    ...     np.log(tg.Tensor([1.0, 0.0], requires_grad=True, name="p"))  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    AnomalyError: log gave 1 value of 2 that is not finite (1 × -inf), the first at [1]
    """

    def __init__(self, infinities: bool = True) -> None:
        if callable(infinities):
            refuse_bare_decorator("detect_anomaly", infinities)
        anomaly = _not_finite if infinities else np.isnan
        super().__init__(anomaly=anomaly, anomaly_of_cotangents=anomaly, places=True)


# ----- Looking -----

Anomalous = Callable[[np.ndarray], np.ndarray]


def examine_result(
    anomalous: Anomalous, name: str, operands: Sequence[Any], inputs: Sequence[Any], result: np.ndarray, scope: str
) -> None:
    """Raise AnomalyError if a result of the operation called `name` is an anomaly."""
    found = _found(anomalous, result)
    if not found:
        return
    outside = any(_found(anomalous, np.asarray(x)) for x in operands if isinstance(x, np.ndarray | float))
    remedy = _FROM_OUTSIDE if outside else _FORWARD.get(name)
    held = _held(operands, inputs)
    raise AnomalyError(_told(f"{name} gave {found}", user_place(), scope, held, remedy or _GROWN))


def examine_seed(anomalous: Anomalous, cotangent: Any) -> None:
    """Raise AnomalyError if the cotangent that a backward sweep starts from is an anomaly."""
    found = _found(anomalous, _array(cotangent))
    if found:
        raise AnomalyError(f"the cotangent given to the backward sweep has {found}; remedy: give finite cotangents")


def examine_cotangent(anomalous: Anomalous, node: Any, operand: int, g: Any, gx: Any) -> None:
    """Raise AnomalyError if the cotangent `gx` that the rule of an operand of `node` has led to is an anomaly."""
    found = _found(anomalous, _array(gx))
    if not found:
        return
    name = node.primitive.name
    held = [f"cotangent: {_summary(_array(g))}", *_held(node.operands, node.inputs)]
    if node.output is not None:
        held.append(f"output: {_summary(node.output)}")
    what = f"the derivative of {name} by operand {operand}{_named(node.inputs[operand])} gave a cotangent with {found}"
    raise AnomalyError(_told(what, getattr(node, "place", ""), node.scope, held, _BACKWARD.get(name, _GROWN)))


def _array(value: Any) -> np.ndarray:
    """Return the values of an array or of a Tensor."""
    return np.asarray(getattr(value, "_array", value))


def _found(anomalous: Anomalous, values: np.ndarray) -> str:
    """Return how many values are anomalies, of which kind and where the first is; nothing if there are none."""
    if values.dtype.kind != "f":
        return ""
    bad = anomalous(values)
    if not bad.any():
        return ""
    first = [int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape)]
    count = int(np.count_nonzero(bad))
    many = f"{count} value{'s' if count > 1 else ''} of {values.size} that {'are' if count > 1 else 'is'} not finite"
    return f"{many} ({_kinds(values)})" + (f", the first at {first}" if first else "")


def _kinds(values: np.ndarray) -> str:
    counts = {"nan": np.isnan(values), "inf": values == np.inf, "-inf": values == -np.inf}
    return ", ".join(f"{np.count_nonzero(is_kind)} × {kind}" for kind, is_kind in counts.items() if is_kind.any())


# ----- Telling -----


def _told(what: str, place: str, scope: str, held: list[str], remedy: str) -> str:
    where = place or "a line that was not noted, because it was recorded outside of detect_anomaly()"
    lines = [what, f"  at {where}" + (f", in {scope}" if scope else ""), *(f"  {line}" for line in held)]
    return "\n".join([*lines, f"  remedy: {remedy}"])


def _held(operands: Sequence[Any], inputs: Sequence[Any]) -> list[str]:
    return [f"operand {i}{_named(inputs[i])}: {_summary(x)}" for i, x in enumerate(operands)]


def _named(node: Any) -> str:
    name = getattr(node, "name", None)
    return f" ({name})" if name else ""


def _summary(value: Any) -> str:
    """Return what an operand held: its dtype, shape and range, and how many values are zero or not finite."""
    if not isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}, its values were not kept" if hasattr(value, "shape") else repr(value)
    facts = [f"{value.dtype}{list(value.shape)}"]
    finite = value[np.isfinite(value)] if value.dtype.kind == "f" else value
    if finite.size and value.dtype.kind != "b":
        facts.append(f"from {finite.min():.4g} to {finite.max():.4g}")
    zeros = np.count_nonzero(value == 0)
    if zeros and value.dtype.kind == "f":
        facts.append(f"{zeros} × 0")
    if value.dtype.kind == "f" and finite.size < value.size:
        facts.append(_kinds(value))
    return ", ".join(facts)


_OURS: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep
_PASSED_BY: Final = (_OURS, os.path.dirname(os.path.abspath(np.__file__)) + os.sep, contextlib.__file__)
"""Where the user's own code is not: this package, NumPy, and what calls decorated functions."""


def user_place() -> str:
    """Return the file and line of the user's code that led here, `""` if there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PASSED_BY):
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


# ----- Remedies -----

_GROWN = (
    "the values have grown beyond what their dtype holds; take a smaller learning rate, scale the inputs, or look at "
    "how the weights are initialised"
)
_OVERFLOW = (
    "exponentials overflow beyond about 88 in float32 and 709 in float64; use tg.softmax, tg.logsumexp, tg.sigmoid or "
    "tg.softplus, which do not, or subtract the largest value first"
)
_LOGARITHM = (
    "logarithms need positive numbers; use tg.log_softmax or tg.softmax_cross_entropy on logits instead of the log "
    "of probabilities, or limit the operand with np.maximum(x, small)"
)
_DIVISION = "a denominator is 0; add a small number to it, or choose a safe one with np.where before dividing"
_ROOT = "square roots need numbers ≥ 0, and their slope at 0 is infinite; add a small number under the root"
_POWER = (
    "0 to a negative power is infinite, and so is the slope of xᵖ at 0 for p < 1; a negative base needs a whole "
    "exponent; keep the base away from 0, or positive"
)

_FROM_OUTSIDE = (
    "it was in an operand already: look at where that value comes from, which is data, a constant, or a parameter "
    "after a step of the optimizer that was too large"
)
_TOO_FEW = "the variance of fewer than ddof + 1 values is nan; look at the shape of what is reduced"

_FORWARD: Final = {
    "exp": _OVERFLOW,
    "expm1": _OVERFLOW,
    "log": _LOGARITHM,
    "log1p": _LOGARITHM,
    "divide": _DIVISION,
    "sqrt": _ROOT,
    "power": _POWER,
    "mean": "the mean of no values is nan; look at the shape of what is averaged",
    "var": _TOO_FEW,
    "std": _TOO_FEW,
    "softmax_cross_entropy": "a class with a logit of −∞ was the target, or a logit is +∞ or nan",
}
"""What is likely to help against an infinite or undefined value, by the operation that gave it."""

_BACKWARD: Final = {**_FORWARD, "exp": _GROWN, "expm1": _GROWN}
"""The same for cotangents."""
