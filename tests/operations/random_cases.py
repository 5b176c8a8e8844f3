"""The cases of random numbers: they have no operands, and a generator that begins anew with each draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import tinygrad_lite as tg
from tests.operations.case import UNARY_SHAPES, Case, drawn


class Repeating(np.random.Generator):
    """Draws the same numbers each time, so that one draw can be held against another."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))
        self.start = self.bit_generator.state

    def random(self, *given: Any, **options: Any) -> Any:
        return self._as_at_the_start(super().random(*given, **options))

    def standard_normal(self, *given: Any, **options: Any) -> Any:
        return self._as_at_the_start(super().standard_normal(*given, **options))

    def _as_at_the_start(self, numbers: Any) -> Any:
        self.bit_generator.state = self.start
        return numbers


def _numpys(method: str) -> Callable[..., Any]:
    def reference(xp: Any, *, rng: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        return getattr(np.random.default_rng(0), method)(shape, dtype)

    return reference


def _drawing() -> Iterator[Case]:
    table = {"standard_uniform": (tg.uniform, "random"), "standard_normal": (tg.normal, "standard_normal")}
    for name, (function, method) in table.items():
        for label, shape in UNARY_SHAPES.items():
            for dtype in (np.float64, np.float32):
                yield Case(
                    name,
                    f"{label} of {dtype.__name__}",
                    drawn(),
                    static={"rng": Repeating(), "shape": shape, "dtype": np.dtype(dtype)},
                    spelled=function,
                    reference=_numpys(method),
                )


RANDOM = tuple(_drawing())
