"""Clipping: gradients made smaller between `backward()` and `step()`, so that one steep place does not undo a run."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.mode import MODE
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.tensor import Array, Tensor

SAFE_SQUARES = 1e-20
"""A sum of squares beside which those that float32 rounds to zero, below 1e-38, do not count."""

SAFE_SCALE = float(np.finfo(np.float32).tiny)
"""The smallest factor that float32 holds with all its digits."""


def clip_by_norm(parameters: Iterable[Tensor], limit: float) -> float:
    """Scale all gradients by limit/‖g‖ if ‖g‖ > limit, and return ‖g‖, the norm of all together before.

    g is made of the gradients of all parameters, so that its direction is kept (Pascanu et al., 2013). Gradients whose
    norm is not finite are left alone. Raises ArgumentError unless the limit is positive.

    >>> import tinygrad_lite as tg
    >>> from tinygrad_lite import optim
    >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> optim.clip_by_norm([w], limit=1.0)
    10.0
    >>> w.grad
    array([0.6, 0.8])
    """
    limit = positive_limit("the limit of a gradient", limit)
    found = _gradients(parameters)
    if MODE.get().capture is not None:
        computed: float = _clip_in_a_trace(found, limit)  # a Tensor, for what is traced has no number yet
        return computed
    with np.errstate(all="ignore"):  # what is too large or too small for the short way is seen and done the long way
        norm = norm_of([gradient for _, gradient in found])
        if limit < norm < math.inf:
            for parameter, gradient in found:
                parameter.grad = _scaled(gradient, norm, limit)
    return norm


def _clip_in_a_trace(found: list[tuple[Tensor, Array]], limit: float) -> Value:
    """Do the same with Tensors, without a branch; squares that overflow or vanish take no other way here."""
    norm = np.sqrt(sum(np.sum(np.square(gradient.astype(np.float64))) for _, gradient in found))
    scale = np.where((norm > limit) & np.isfinite(norm), limit / norm, 1.0)
    for parameter, gradient in found:
        parameter.grad = gradient * scale
    return norm


def clip_by_value(parameters: Iterable[Tensor], limit: float) -> None:
    """Bring every entry of every gradient into [−limit, limit]; raises ArgumentError unless the limit is positive.

    >>> import tinygrad_lite as tg
    >>> from tinygrad_lite import optim
    >>> w = tg.Tensor([3.0, -0.25], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> optim.clip_by_value([w], limit=1.0)
    >>> w.grad
    array([ 1. , -0.5])
    """
    limit = positive_limit("the limit of a gradient", limit)
    with np.errstate(all="ignore"):  # a limit beyond float32 is an infinite one
        for parameter, gradient in _gradients(parameters):
            parameter.grad = np.clip(gradient, -limit, limit)


def positive_limit(name: str, limit: float) -> float:
    """Return a limit as a Python number, for a NumPy scalar would promote float32; raises ArgumentError unless > 0.

    >>> positive_limit("clip_norm", np.float32(0.5))
    0.5
    """
    try:
        number = float(limit) if isinstance(limit, int | float | np.floating | np.integer) else math.nan
    except OverflowError:  # of an integer beyond all floats
        number = math.nan
    if not number > 0:
        raise ArgumentError(f"{name} must be a positive number, got {limit!r}")
    return number


def _gradients(parameters: Iterable[Tensor]) -> list[tuple[Tensor, Array]]:
    if isinstance(parameters, Tensor):
        raise ArgumentError("the parameters to clip come in a list, such as net.parameters(), not as one Tensor")
    pairs = [(parameter, parameter.grad) for parameter in dict.fromkeys(parameters)]
    return [(parameter, gradient) for parameter, gradient in pairs if gradient is not None]


def norm_of(gradients: list[Array]) -> float:
    """Return the Euclidean norm of all gradients together, also where their squares overflow or vanish.

    >>> f"{norm_of([np.array([3e30], np.float32), np.array([4e30], np.float32)]):.3g}"
    '5e+30'
    """
    squares = sum(float(np.vdot(flat, flat)) for flat in map(_flat, gradients))
    if SAFE_SQUARES < squares < math.inf:
        return math.sqrt(squares)
    largest = float(np.max([np.max(np.abs(gradient), initial=0) for gradient in gradients], initial=0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    parts = (_flat(gradient).astype(np.float64) / largest for gradient in gradients)
    return largest * math.sqrt(sum(float(np.vdot(part, part)) for part in parts))


def _flat(gradient: Array) -> Array:
    """Return the entries in the order in which they lie in memory, for that needs no copy."""
    return gradient.ravel(order="K")


def _scaled(gradient: Array, norm: float, limit: float) -> Array:
    scale = limit / norm
    if scale >= SAFE_SCALE:
        return gradient * scale
    return gradient.astype(np.float64) / norm * limit  # .grad turns it into the dtype of the parameter
