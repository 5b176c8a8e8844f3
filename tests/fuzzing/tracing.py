"""Watching which primitives run, on which side of their kinks, and with which values held constant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_lite.primitives import PRIMITIVES, Primitive
from tinygrad_lite.tensor import Tensor, record, wrap

EXTENDED: Any = np.longdouble
IS_WIDER = np.finfo(EXTENDED).eps < np.finfo(np.float64).eps
"""Whether it is; elsewhere numeric steps are larger, and second derivatives are left to JAX."""


class Trace:
    """What one run of a program met."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.sides: list[bytes] = []
        """At which side of each kink each value lies."""

    def record(self, primitive: Primitive, operands: tuple[Any, ...], static: dict[str, Any]) -> Any:
        """Stand in for the library's `record`, and call it."""
        self.counts[primitive.name] += 1
        result = record(primitive, operands, static)
        if primitive.kinks is not None:
            values = [x.data if isinstance(x, Tensor) else x for x in operands]
            with np.errstate(all="ignore"):
                side = primitive.kinks(result.data, *values, **static)
            self.sides.append(np.asarray(side).astype(np.int8).tobytes())
        return result


class ExtendedTrace(Trace):
    """The same in extended precision, which the library does not offer: raw arrays pass, and casts keep it.

    What `stop_gradient` gave is kept in `stopped`; if it is given as `held`, it is what `stop_gradient` gives.
    """

    def __init__(self, held: list[Any] | None = None) -> None:
        super().__init__()
        self.stopped: list[Any] = []
        self._held = None if held is None else iter(held)

    def record(self, primitive: Primitive, operands: tuple[Any, ...], static: dict[str, Any]) -> Any:
        """Stand in for the library's `record`, and call it."""
        if primitive is PRIMITIVES["astype"] and operands[0].dtype == EXTENDED and static["dtype"].kind == "f":
            return operands[0]
        if primitive is PRIMITIVES["stop_gradient"] and self._held is not None:
            return next(self._held)
        result = super().record(primitive, tuple(map(_lifted, operands)), static)
        if primitive is PRIMITIVES["stop_gradient"]:
            self.stopped.append(result)
        return result


def _lifted(operand: Any) -> Any:
    """Return a raw array in extended precision as a Tensor, and any other operand as it is."""
    if isinstance(operand, Tensor) or getattr(operand, "dtype", None) != EXTENDED:
        return operand
    return wrap(np.asarray(operand), None)


@contextmanager
def traced(trace: Trace) -> Iterator[Trace]:
    """Let `trace` see every operation on Tensors."""
    usual = Tensor.__dict__["__record__"]
    Tensor.__record__ = staticmethod(trace.record)
    try:
        yield trace
    finally:
        Tensor.__record__ = usual
