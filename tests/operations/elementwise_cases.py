"""Cases of the elementwise table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.operations.case import (
    BROADCASTS,
    UNARY_SHAPES,
    Case,
    Draw,
    away_from_zero,
    distinct,
    drawn,
    mask,
    negative,
    normal,
    positive,
    whole,
)


def _infinite(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.choice([0.0, np.inf, -np.inf, np.nan], size=shape)


UNARY: dict[str, Draw] = {
    "positive": normal,
    "negative": normal,
    "square": normal,
    "absolute": away_from_zero,
    "sign": away_from_zero,
    "exp": normal,
    "expm1": normal,
    "log": positive,
    "log1p": positive,
    "sqrt": positive,
    "sin": normal,
    "cos": normal,
    "tanh": normal,
    "isfinite": _infinite,
    "logical_not": mask,
}

BINARY: dict[str, Draw | tuple[Draw, Draw]] = {
    "add": normal,
    "subtract": normal,
    "multiply": normal,
    "divide": (normal, away_from_zero),
    "logaddexp": normal,
    "power": (positive, normal),
    "equal": whole,
    "not_equal": whole,
    "less": whole,
    "less_equal": whole,
    "greater": whole,
    "greater_equal": whole,
    "logical_and": mask,
    "logical_or": mask,
}

CHOOSING: dict[str, str] = {"maximum": "maximum", "minimum": "minimum", "at_least": "maximum", "at_most": "minimum"}

REPEATABLE = ("add", "subtract", "multiply", "divide", "logaddexp", "power")


def _unary() -> Iterator[Case]:
    for name, draw in UNARY.items():
        for label, shape in UNARY_SHAPES.items():
            yield Case(name, label, drawn(shape, draw=draw))


def _binary() -> Iterator[Case]:
    for name, draw in BINARY.items():
        for label, shapes in BROADCASTS.items():
            yield Case(name, label, drawn(*shapes, draw=draw))
    for name in REPEATABLE:
        yield Case(name, "repeated operand", drawn((2, 3), draw=positive), arguments=lambda x: (x, x))
        yield Case(name, "repeated 0-d operand", drawn((), draw=positive), arguments=lambda x: (x, x))
        yield Case(name, "Python number right", drawn((2, 3), draw=positive), arguments=lambda x: (x, 3))
        yield Case(name, "Python number left", drawn((2, 3), draw=positive), arguments=lambda x: (2.5, x))


def _choosing() -> Iterator[Case]:
    for name, in_numpy in CHOOSING.items():

        def reference(xp: Any, a: Any, b: Any, in_numpy: str = in_numpy) -> Any:
            return getattr(xp, in_numpy)(a, b)

        for label, shapes in BROADCASTS.items():
            yield Case(name, label, distinct(*shapes), reference=reference)
        yield Case(
            name, "Python number", drawn((2, 3), draw=away_from_zero), arguments=lambda x: (x, 0), reference=reference
        )


def _powers() -> Iterator[Case]:
    for exponent in (0, 1, 2, 3, -1, -2, 2.0, 0.0):
        draw = negative if exponent else away_from_zero
        sample = drawn((2, 3), draw=draw)
        yield Case("power", f"negative base to the {exponent}", sample, arguments=lambda x, p=exponent: (x, p))
    for exponent in (0.5, -0.5, 1.5):
        sample = drawn((2, 3), draw=positive)
        yield Case("power", f"positive base to the {exponent}", sample, arguments=lambda x, p=exponent: (x, p))

    def whole_exponents(dtype: type) -> Any:
        return lambda rng: (away_from_zero(rng, (2, 5)), np.array([0, 1, 2, 3, -1], dtype=dtype))

    yield Case("power", "negative base to a constant array", whole_exponents(np.float64), constants=(1,))
    yield Case(
        "power",
        "negative base to an integer array",
        whole_exponents(np.int64),
        result_dtype=np.dtype(np.float64),  # float32 and int64 meet in float64
    )
    yield Case("power", "by the operator", drawn((2, 3), (3,), draw=positive), spelled=lambda x, p: x**p)


def _where() -> Iterator[Case]:
    shapes = {
        "same shape": ((2, 3), (2, 3), (2, 3)),
        "condition stretched": ((2, 1), (2, 3), (2, 3)),
        "branches stretched": ((2, 3), (3,), (2, 1)),
        "condition larger": ((4, 2, 3), (2, 3), ()),
        "0-d": ((), (), ()),
        "empty": ((0, 3), (0, 3), (1, 3)),
    }
    for label, (c, a, b) in shapes.items():
        yield Case("where", label, drawn(c, a, b, draw=(mask, normal, normal)))
    picked = drawn((2, 3), (2, 3), draw=(mask, normal))
    yield Case("where", "repeated operand", picked, arguments=lambda c, x: (c, x, x))
    yield Case("where", "number chosen", picked, arguments=lambda c, x: (c, 0.0, x))
    yield Case("where", "number not chosen", picked, arguments=lambda c, x: (c, x, 1))


def _casts() -> Iterator[Case]:
    for label, shape in UNARY_SHAPES.items():
        yield Case(
            "astype",
            label,
            drawn(shape),
            static={"dtype": np.dtype(np.float64)},
            reference=lambda _, x, dtype: x.astype(dtype),
            result_dtype=np.dtype(np.float64),
        )


def _stopped() -> Iterator[Case]:
    for label, shape in UNARY_SHAPES.items():
        yield Case("stop_gradient", label, drawn(shape), reference=lambda _, x: x)
        yield Case("named", label, drawn(shape), static={"name": "value"}, reference=lambda _, x, name: x)


def _kept(xp: Any, g: Any, gx: Any) -> Any:
    return xp.where((g == 0) & ~xp.isfinite(gx), 0, gx)


def _at_poles() -> Iterator[Case]:
    for label, shape in UNARY_SHAPES.items():
        yield Case("zero_kept_zero", label, drawn(shape, shape), reference=_kept)
    yield Case("zero_kept_zero", "at a pole", lambda _: (np.array([0.0, 1.0, 0.0]), np.array([np.inf, 2.0, 3.0])),
               reference=_kept)  # fmt: skip


ELEMENTWISE = (*_stopped(), *_at_poles(), *_unary(), *_binary(), *_choosing(), *_powers(), *_where(), *_casts())
