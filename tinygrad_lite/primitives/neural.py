"""What networks are made of, each stable from −∞ to +∞, forward and backward.

A step that a network takes all the time is one primitive although NumPy could compose it: `linear`, `sigmoid`,
`softplus`, the softmax family, and cross-entropy on logits.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from tinygrad_lite.errors import ShapeError
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.primitives.primitive import Primitive
from tinygrad_lite.primitives.reductions import Axis, with_axes_kept
from tinygrad_lite.primitives.shaping import checked_labels, one_hot

# ----- The affine layer, rows of examples: Y = X Wᵀ + b -----


def _linear(x: Any, w: Any, b: Any) -> Any:
    if w.ndim != 2 or b.ndim != 1:
        raise ShapeError(f"a weight is (out, in) and a bias (out,), got shapes {w.shape} and {b.shape}")
    y = x @ w.T
    if y.dtype != b.dtype or y.ndim == 0:
        return y + b
    return np.add(y, b, out=y)


def _rows(x: Value) -> Value:
    """Return `x` as a matrix whose rows are the examples."""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _to_weight_formula(_y: Any, x: Any, _w: Any, _b: Any) -> str:
    """Ȳᵀ X, summed over the axes before the examples."""
    if x.ndim < 3:
        return "ȳᵀ x"
    return f"Σ[{'axis' if x.ndim == 3 else 'axes'} {', '.join(map(str, range(x.ndim - 2)))}](ȳᵀ x)"


linear = Primitive(
    "linear",
    _linear,
    lambda g, _y, _x, w, _b: g @ w,
    lambda g, _y, x, _w, _b: _rows(g).T @ _rows(x),
    lambda g, *_: g,  # the engine sums it over the examples
    formula="x wᵀ + b",
    cotangents=("ȳ w", _to_weight_formula, "ȳ"),
    flops=lambda y, x, _w, _b: (2 * x.shape[-1] + 1) * y.size,
)

# ----- Activations -----


def _sigmoid(x: Any) -> Any:
    """1/(1 + e⁻ˣ), from e^−|x| so that nothing overflows and small values keep their digits."""
    small = np.exp(-np.absolute(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def _softplus(x: Any) -> Any:
    """log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.absolute(x)))


def _relu(x: Any) -> Any:
    return np.maximum(x, 0)


relu = Primitive(
    "relu",
    _relu,
    lambda g, y, _x: g * np.sign(y),  # y ≥ 0, so its sign is 1 or 0
    elementwise=True,
    kinks=lambda _y, x: x > 0,
    formula="max(x, 0)",
    cotangents=("ȳ ⊙ [y > 0]",),
    at_kinks="at 0 the slope is taken as 0",
)
sigmoid = Primitive(
    "sigmoid",
    _sigmoid,
    lambda g, y, _x: g * y * (1 - y),
    elementwise=True,
    formula="1 / (1 + e⁻ˣ)",
    cotangents=("ȳ ⊙ y ⊙ (1 − y)",),
)
softplus = Primitive(
    "softplus",
    _softplus,
    lambda g, y, _x: g * -np.expm1(-y),
    elementwise=True,
    formula="log(1 + eˣ)",
    cotangents=("ȳ ⊙ (1 − e⁻ʸ)",),
)

# ----- The softmax family -----

NARROW = 64
"""Rows of up to this many values are reduced several times faster when the matrix lies in memory column by column."""


def _exponentials(x: Any, axis: Axis) -> tuple[Any, Any, Any, Any]:
    """Return the peak of `x` over `axis`, x − peak, exp(x − peak) and its sum, all with the axes kept.

    Entries of +∞ share everything between them. A row of −∞ has no exponentials; its sum is given as 1, so that
    softmax is a row of zeros and logsumexp is −∞.
    """
    if axis == -1 and x.ndim == 2 and x.shape[1] <= NARROW:
        x = np.asarray(x, order="F")
    peak = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)
    if math.isfinite(np.vdot(peak, peak)):  # the cheapest look at all of them; an overflow only takes the long way
        shifted = x - peak
        exponentials = np.exp(shifted)
        return peak, shifted, exponentials, np.add.reduce(exponentials, axis=axis, keepdims=True)
    overflowing = np.where(x == peak, 0, np.full_like(x, -np.inf))
    with np.errstate(over="ignore"):  # a difference beyond the largest float is as good as −∞
        shifted = np.where(peak == np.inf, overflowing, x - np.where(np.isinf(peak), 0, peak))
    exponentials = np.exp(shifted)
    total = np.add.reduce(exponentials, axis=axis, keepdims=True)
    return peak, shifted, exponentials, np.where(peak == -np.inf, 1, total)


def _softmax(x: Any, *, axis: Axis) -> Any:
    _, _, exponentials, total = _exponentials(x, axis)
    return exponentials / total


def _log_softmax(x: Any, *, axis: Axis) -> Any:
    _, shifted, _, total = _exponentials(x, axis)
    return shifted - np.log(total)


def _logsumexp(x: Any, *, axis: Axis, keepdims: bool) -> Any:
    peak, _, _, total = _exponentials(x, axis)
    result = peak + np.log(total)
    return result if keepdims else np.squeeze(result, axis)


def _softmax_back(g: Value, y: Value, _x: Value, *, axis: Axis) -> Value:
    """∂y_i/∂x_j = y_i (δ_ij − y_j), so the cotangent is y ⊙ (g − Σ g ⊙ y)."""
    weighted = g * y
    return weighted - y * np.add.reduce(weighted, axis=axis, keepdims=True)


def _log_softmax_back(g: Value, y: Value, _x: Value, *, axis: Axis) -> Value:
    """∂y_i/∂x_j = δ_ij − p_j with p = eʸ; a row of −∞, whose p sum to 0, passes nothing."""
    p = np.exp(y)
    alive = np.add.reduce(p, axis=axis, keepdims=True) > 0
    return g * alive - p * np.add.reduce(g, axis=axis, keepdims=True)


def _logsumexp_back(g: Value, _y: Value, x: Value, *, axis: Axis, keepdims: bool) -> Value:
    return with_axes_kept(g, x.shape, axis) * softmax(x, axis=axis)


softmax = Primitive(
    "softmax",
    _softmax,
    _softmax_back,
    formula="eˣ / Σ[axis](eˣ)",
    cotangents=("y ⊙ (ȳ − Σ[axis](ȳ ⊙ y))",),
    flops=lambda _y, x, **_: 5 * x.size,  # the maximum, the difference, its exponential, the sum, the quotient
)
log_softmax = Primitive(
    "log_softmax",
    _log_softmax,
    _log_softmax_back,
    formula="x − log(Σ[axis](eˣ))",
    cotangents=("ȳ − eʸ ⊙ Σ[axis](ȳ)",),
    flops=lambda _y, x, **_: 5 * x.size,
)
logsumexp = Primitive(
    "logsumexp",
    _logsumexp,
    _logsumexp_back,
    formula="log(Σ[axis](eˣ))",
    cotangents=("repeat[axis](ȳ) ⊙ softmax[axis](x)",),
    flops=lambda y, x, **_: 4 * x.size + 2 * y.size,
)

# ----- Cross-entropy over a softmax, on logits: −Σₖ tₖ log softmax(x)ₖ of each row -----


@functools.lru_cache(maxsize=8)
def _numbers(count: int) -> Any:
    """Return 0 … count − 1, kept because training asks for the rows of one batch after the other."""
    return np.arange(count)


def _softmax_cross_entropy(logits: Any, targets: Any, *, reduction: str) -> Any:
    _, shifted, _, total = _exponentials(logits, -1)
    if targets.shape == logits.shape[:-1]:  # class labels, one integer a row
        rows = shifted.reshape(-1, shifted.shape[-1])
        picked = rows[_numbers(len(rows)), checked_labels(targets, rows.shape[1]).ravel()]
        losses = np.log(total[..., 0]) - picked.reshape(targets.shape)
    elif targets.shape == logits.shape:
        terms = targets * np.where(targets == 0, 0, np.log(total) - shifted)  # 0 · log 0 = 0
        losses = np.add.reduce(terms, axis=-1)
    else:
        raise ShapeError(
            f"targets of shape {targets.shape} do not fit logits of shape {logits.shape}; "
            f"give labels of shape {logits.shape[:-1]} or distributions of shape {logits.shape}"
        )
    if reduction == "none":
        return losses
    total_loss = np.add.reduce(losses, axis=None)
    return total_loss / (losses.size or math.nan) if reduction == "mean" else total_loss


def _per_row(g: Value, logits: Value, reduction: str) -> Value:
    """Return the cotangent of each row's loss, so that it multiplies the row."""
    if reduction == "none":
        return g[..., None]
    return g / (logits.size / logits.shape[-1]) if reduction == "mean" and logits.size else g


def _to_logits(g: Value, _y: Value, logits: Value, targets: Value, *, reduction: str) -> Value:
    """Softmax · Σₖ tₖ − t, which is p − t when the targets of a row sum to 1 (004.9)."""
    p = softmax(logits, axis=-1)
    if targets.ndim < logits.ndim:
        delta = p - one_hot(targets, width=logits.shape[-1], dtype=logits.dtype)
    else:
        delta = p * np.add.reduce(targets, axis=-1, keepdims=True) - targets
    return _per_row(g, logits, reduction) * delta


def _to_targets(g: Value, _y: Value, logits: Value, _targets: Value, *, reduction: str) -> Value:
    return _per_row(g, logits, reduction) * -log_softmax(logits, axis=-1)


def _loss_formula(_y: Any, logits: Any, targets: Any, *, reduction: str) -> str:
    truth = "targets" if targets.ndim == logits.ndim else "one_hot(targets)"
    axis = "" if logits.ndim == 1 or reduction != "none" else f"[axis {logits.ndim - 1}]"
    return f"−Σ{axis}({truth} ⊙ log(softmax{_rows_of(logits)}(logits))){_over_rows(logits, reduction)}"


def _to_logits_formula(_y: Any, logits: Any, targets: Any, *, reduction: str) -> str:
    p, axis = f"softmax{_rows_of(logits)}(logits)", _rows_of(logits)
    delta = f"{p} ⊙ Σ{axis}(targets) − targets" if targets.ndim == logits.ndim else f"{p} − one_hot(targets)"
    return f"{_cotangent_of_rows(logits, reduction)} ⊙ ({delta}){_over_rows(logits, reduction)}"


def _to_targets_formula(_y: Any, logits: Any, _targets: Any, *, reduction: str) -> str:
    logs = f"log(softmax{_rows_of(logits)}(logits))"
    return f"−{_cotangent_of_rows(logits, reduction)} ⊙ {logs}{_over_rows(logits, reduction)}"


def _rows_of(logits: Any) -> str:
    return f"[axis {logits.ndim - 1}]" if logits.ndim > 1 else ""


def _cotangent_of_rows(logits: Any, reduction: str) -> str:
    return f"repeat{_rows_of(logits)}(ȳ)" if reduction == "none" and logits.ndim > 1 else "ȳ"


def _over_rows(logits: Any, reduction: str) -> str:
    return f" / {math.prod(logits.shape[:-1])}" if reduction == "mean" and logits.ndim > 1 else ""


softmax_cross_entropy = Primitive(
    "softmax_cross_entropy",
    _softmax_cross_entropy,
    _to_logits,
    _to_targets,
    formula=_loss_formula,
    cotangents=(_to_logits_formula, _to_targets_formula),
    flops=lambda _y, logits, targets, **_: (
        (4 if targets.ndim < logits.ndim else 7) * logits.size + 3 * math.prod(logits.shape[:-1])
    ),
)
