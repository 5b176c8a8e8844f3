"""Cases of what networks are made of: activations, the softmax family, cross-entropy on logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.operations.case import UNARY_SHAPES, Case, away_from_zero, drawn, normal, positive

ACTIVATIONS: dict[str, tuple[Any, Callable[..., Any]]] = {
    "relu": (away_from_zero, lambda xp, x: xp.maximum(x, 0)),
    "sigmoid": (normal, lambda xp, x: 1 / (1 + xp.exp(-x))),
    "softplus": (normal, lambda xp, x: xp.log(1 + xp.exp(x))),
}


def _softmax(xp: Any, x: Any, *, axis: Any) -> Any:
    return xp.exp(x) / xp.sum(xp.exp(x), axis=axis, keepdims=True)


def _log_softmax(xp: Any, x: Any, *, axis: Any) -> Any:
    return x - xp.log(xp.sum(xp.exp(x), axis=axis, keepdims=True))


def _logsumexp(xp: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    return xp.log(xp.sum(xp.exp(x), axis=axis, keepdims=keepdims))


AXES: dict[str, tuple[tuple[int, ...], Any]] = {
    "rows": ((2, 3), -1),
    "columns": ((2, 3), 0),
    "middle axis": ((2, 3, 2), 1),
    "all axes": ((2, 3), None),
    "axis tuple": ((2, 3, 2), (0, 2)),
    "negative axis tuple": ((2, 3, 2), (-1, -2)),
    "vector": ((3,), 0),
    "one class": ((3, 1), -1),
    "0-d": ((), None),
    "no rows": ((0, 3), -1),
}


def _family() -> Iterator[Case]:
    for name, (draw, reference) in ACTIVATIONS.items():
        for label, shape in UNARY_SHAPES.items():
            yield Case(name, label, drawn(shape, draw=draw), reference=reference)
    for label, (shape, axis) in AXES.items():
        yield Case("softmax", label, drawn(shape), static={"axis": axis}, reference=_softmax)
        yield Case("log_softmax", label, drawn(shape), static={"axis": axis}, reference=_log_softmax)
        for keepdims in (False, True):
            yield Case(
                "logsumexp",
                f"{label}{' kept' if keepdims else ''}",
                drawn(shape),
                static={"axis": axis, "keepdims": keepdims},
                reference=_logsumexp,
            )


def _cross_entropy(xp: Any, logits: Any, targets: Any, *, reduction: str) -> Any:
    logs = _log_softmax(xp, logits, axis=-1)
    if targets.ndim < logits.ndim:
        targets = (targets[..., None] == xp.arange(logits.shape[-1])).astype(logits.dtype)
    losses = -xp.sum(targets * logs, axis=-1)
    return {"none": lambda x: x, "sum": xp.sum, "mean": xp.mean}[reduction](losses)


def _labelled(shape: tuple[int, ...], dtype: Any = np.int64) -> Callable[[np.random.Generator], tuple[np.ndarray, ...]]:
    """Return a sampler of logits and integer labels."""
    return lambda rng: (rng.normal(size=shape), np.asarray(rng.integers(0, shape[-1], shape[:-1])).astype(dtype))


def _entropies() -> Iterator[Case]:
    for reduction in ("mean", "sum", "none"):
        samples = {
            "labels": _labelled((4, 3)),
            "small unsigned labels": _labelled((4, 3), np.uint8),
            "labels in a matrix": _labelled((2, 2, 3)),
            "one label": _labelled((3,)),
            "one class": _labelled((2, 1)),
            "distributions": drawn((4, 3), (4, 3), draw=(normal, positive)),
            "one distribution": drawn((3,), (3,), draw=(normal, positive)),
            "distributions in a matrix": drawn((2, 2, 3), (2, 2, 3), draw=(normal, positive)),
        }
        if reduction != "mean":  # a mean over nothing is nan
            samples |= {"no rows": _labelled((0, 3)), "no distributions": drawn((0, 3), (0, 3))}
        for label, sample in samples.items():
            yield Case(
                "softmax_cross_entropy",
                f"{label} {reduction}",
                sample,
                static={"reduction": reduction},
                reference=_cross_entropy,
            )
        yield Case(
            "softmax_cross_entropy",
            f"repeated operand {reduction}",
            drawn((2, 3)),
            static={"reduction": reduction},
            arguments=lambda x: (x, x),
            reference=_cross_entropy,
        )


NEURAL = (*_family(), *_entropies())
