"""An explanation put into words: the mistake on the way, then what the factors say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinygrad_lite.check.diagnosis.fitting import Fit
from tinygrad_lite.check.diagnosis.mistake import Mistake
from tinygrad_lite.check.diagnosis.penalties import Penalty
from tinygrad_lite.check.report import Cause


def causes_of(
    mistake: Mistake | None,
    fit: Fit,
    batch_sizes: Sequence[int],
    penalty: Penalty,
    name: str,
    largest: float,
) -> tuple[Cause, ...]:
    """Return the causes of an explanation, the weightiest first."""
    residual = fit.residual / largest if largest else 0.0
    causes = []
    if mistake is not None:
        causes.append(Cause(mistake.slug, None, residual, mistake.where, mistake.correction))
    is_whole = not penalty.gradient.any() or fit.penalty == fit.data
    what = "the gradient" if is_whole else "the gradient of the data"
    causes += _of_the_factor(fit.data, batch_sizes, residual, name, what)
    if penalty.gradient.any() and fit.penalty not in (1.0, fit.data):
        causes.append(_of_the_penalty(fit.penalty, penalty, residual, name))
    if fit.unpenalised:
        causes.append(_of_the_unpenalised(fit.unpenalised, penalty, residual, name))
    return tuple(causes)


def _of_the_factor(factor: float, batch_sizes: Sequence[int], residual: float, name: str, what: str) -> list[Cause]:
    causes = []
    size = abs(factor)
    turned = Cause("sign", -1.0, residual, name, f"turn the sign of {what} around")
    if size == 1.0 and factor < 0:
        return [turned]
    for m in batch_sizes:
        if size in (float(m), 1.0 / m):
            do = f"divide {what} by {m}" if size > 1 else f"do not divide {what} by {m} again"
            causes.append(Cause("batch-mean", size, residual, name, do))
            return [*causes, turned] if factor < 0 else causes
    if size != 1.0:
        causes.append(Cause("scale", factor, residual, name, f"divide {what} by {_precise(factor)}"))
    return causes


def _precise(factor: float) -> str:
    """Return a factor with as many digits as tell it from 1."""
    return f"{factor:.6g}" if abs(factor - 1) > 1e-4 else f"{factor:.15g}"


def _of_the_penalty(share: float, penalty: Penalty, residual: float, name: str) -> Cause:
    if share == 0.0:
        return Cause(
            "regulariser-missing", None, residual, name, f"add the gradient of the penalty, {penalty.of(name)}"
        )
    text = f"the gradient of the penalty counts {share:.6g} times what it should; it is {penalty.of(name)}"
    return Cause("regulariser-scale", share, residual, name, text)


def _of_the_unpenalised(share: float, penalty: Penalty, residual: float, name: str) -> Cause:
    if penalty.rate:
        text = "the objective does not penalise these entries; leave λ times them out"
        return Cause("regulariser-on-bias", share, residual, name, text)
    text = f"the objective has no penalty; leave {share:.6g} · {name} out"
    return Cause("regulariser-scale", None, residual, name, text)


def unknown(claim: np.ndarray, right: np.ndarray, name: str) -> tuple[Cause, ...]:
    """Return the cause of what nothing explains, with what can be said of it all the same."""
    if claim.shape != right.shape:
        text = f"a gradient of shape {claim.shape} for a parameter of shape {right.shape} is none of the known mistakes"
        return (Cause("unknown", None, np.inf, name, text),)
    if not np.isfinite(claim).all():
        text = f"{np.count_nonzero(~np.isfinite(claim))} of {claim.size} entries are not finite"
        return (Cause("unknown", None, np.inf, name, text),)
    off = np.abs(claim - right)
    largest = max(float(np.max(np.abs(claim), initial=0.0)), float(np.max(np.abs(right), initial=0.0))) or 1.0
    wrong = int(np.count_nonzero(~(off <= 1e-15 * largest)))
    text = f"{wrong} of {claim.size} entries differ, which none of the known mistakes explains"
    return (Cause("unknown", None, float(off.max()) / largest, name, text),)
