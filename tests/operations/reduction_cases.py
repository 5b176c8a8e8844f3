"""Cases of the reductions, and of the sums that objectives are made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.operations.case import Case, distinct, drawn, normal

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


REDUCTIONS = (*_plain(), *_objectives())
