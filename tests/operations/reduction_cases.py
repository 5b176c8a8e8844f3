"""Cases of the reductions, and of the sums that objectives are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.operations.case import Case, away_from_zero, distinct, drawn, normal
from tinygrad_lite.primitives.reductions import reduced_axes

AXES: dict[str, tuple[tuple[int, ...], Any]] = {
    "all axes": ((2, 3), None),
    "first axis": ((2, 3), 0),
    "negative axis": ((2, 3), -1),
    "middle axis": ((2, 3, 2), 1),
    "axis tuple": ((2, 3, 2), (0, 2)),
    "axis tuple out of order": ((2, 3, 2), (2, 0)),
    "negative axis tuple": ((2, 3, 2), (-1, -3)),
    "every axis named": ((2, 3), (0, 1)),
    "no axis": ((2, 3), ()),
    "axis of length 1": ((2, 1), 1),
    "0-d": ((), None),
    "nothing by nothing": ((0, 3), 1),
}

EMPTIED: dict[str, tuple[tuple[int, ...], Any]] = {"over nothing": ((2, 0), 1), "all of nothing": ((0, 3), None)}


def _plain() -> Iterator[Case]:
    for name in ("sum", "mean", "max", "min"):
        extreme = name in ("max", "min")
        for label, (shape, axis) in AXES.items():
            for keepdims in (False, True):
                yield Case(
                    name,
                    f"{label}{' kept' if keepdims else ''}",
                    distinct(shape) if extreme else drawn(shape, draw=normal),
                    static={"axis": axis, "keepdims": keepdims},
                )
    for label, (shape, axis) in EMPTIED.items():
        yield Case("sum", label, drawn(shape), static={"axis": axis, "keepdims": False})


def _others(xp: Any, x: Any, *, axis: Any) -> Any:
    return xp.prod(x, axis=axis, keepdims=True) / x


def _length(xp: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    return xp.sqrt(xp.sum(x * x, axis=axis, keepdims=keepdims))


def _spreads() -> Iterator[Case]:
    for label, (shape, axis) in AXES.items():
        yield Case("prod_of_others", label, drawn(shape, draw=away_from_zero), static={"axis": axis}, reference=_others)
        for keepdims in (False, True):
            static = {"axis": axis, "keepdims": keepdims}
            kept = f"{label}{' kept' if keepdims else ''}"
            yield Case("prod", kept, drawn(shape), static=static)
            single = all(shape[i] == 1 for i in reduced_axes(axis, len(shape)))  # their own mean, where the root turns
            if not single:
                yield Case("norm", kept, drawn(shape, draw=away_from_zero), static=static, reference=_length)
                for ddof in (0, 1):
                    yield Case("var", f"{kept} ddof {ddof}", drawn(shape), static={**static, "ddof": ddof})
                    yield Case("std", f"{kept} ddof {ddof}", drawn(shape), static={**static, "ddof": ddof})
    for label, x in {"one zero": [0.0, 2.0, 3.0], "two zeros": [0.0, 2.0, 0.0], "all zeros": [0.0, 0.0, 0.0]}.items():
        yield Case("prod", label, lambda _, x=x: (np.array(x),), static={"axis": None, "keepdims": False})
    matrix = {"axis": (0, 2), "keepdims": False}
    yield Case("prod", "zeros in a stack", lambda _: (np.arange(8.0).reshape(2, 2, 2) % 3,), static=matrix)
    yield Case("var", "0-d", drawn(()), static={"axis": None, "ddof": 0, "keepdims": False})
    yield Case("var", "one value a row", drawn((3, 1)), static={"axis": 1, "ddof": 0, "keepdims": True})
    yield Case(
        "norm", "0-d", drawn((), draw=away_from_zero), static={"axis": None, "keepdims": True}, reference=_length
    )


def _squares(xp: Any, *xs: Any, factor: float) -> Any:
    return factor * sum(xp.sum(x * x) for x in xs)


def _weighted(_: Any, *terms: Any, weights: tuple[float, ...]) -> Any:
    return sum(weight * term for weight, term in zip(weights, terms, strict=True))


def _objectives() -> Iterator[Case]:
    samples = {
        "one matrix": drawn((2, 3)),
        "several shapes": drawn((2, 3), (3,), ()),
        "0-d": drawn(()),
        "empty": drawn((0, 3)),
        "three axes": drawn((2, 2, 2)),
    }
    for label, sample in samples.items():
        yield Case("sum_squares", label, sample, static={"factor": 0.5}, reference=_squares)
    yield Case(
        "sum_squares",
        "repeated operand",
        drawn((2, 3)),
        static={"factor": 1.0},
        arguments=lambda x: (x, x),
        reference=_squares,
    )
    for label, shape in {"0-d": (), "vectors": (3,), "matrices": (2, 3), "empty": (0,)}.items():
        sample, weights = drawn(shape, shape, shape), {"weights": (1.0, 0.5, -2.0)}
        yield Case("weighted_sum", label, sample, static=weights, reference=_weighted)
    yield Case("weighted_sum", "one term", drawn(()), static={"weights": (0.3,)}, reference=_weighted)
    yield Case(
        "weighted_sum",
        "repeated operand",
        drawn(()),
        static={"weights": (2.0, 0.5)},
        arguments=lambda x: (x, x),
        reference=_weighted,
    )


REDUCTIONS = (*_spreads(), *_plain(), *_objectives())
