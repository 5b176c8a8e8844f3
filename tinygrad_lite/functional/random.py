"""Random numbers that a computation draws each time it is run, from a generator of NumPy's."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lite import primitives as p
from tinygrad_lite.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_lite.mode import MODE
from tinygrad_lite.tensor import Tensor, wrap


def uniform(
    shape: int | Sequence[int],
    *,
    rng: np.random.Generator,
    low: float = 0.0,
    high: float = 1.0,
    dtype: DTypeLike = np.float64,
) -> Tensor:
    """Return a Tensor of numbers drawn evenly from `low` up to, but not including, `high`.

    In float64 they are those of `rng.uniform(low, high, shape)`. A traced call draws anew whenever it is run again,
    while numbers drawn with NumPy itself are constants there. Raises ArgumentError for a generator that is none.

    >>> import numpy as np, tinygrad_lite as tg
    >>> rng = np.random.default_rng(0)
    >>> tg.uniform(3, rng=rng, high=10.0)
    Tensor([6.369617, 2.697867, 0.409735], shape=(3,), dtype=float64)
    """
    start, width = _number("low", low), _number("high", high) - _number("low", low)
    if not 0 <= width < math.inf:
        raise ArgumentError(f"uniform() draws from low ≤ high, not infinitely far apart, got {low} and {high}")
    return _shifted(_drawn(p.standard_uniform, shape, rng, dtype), start, width)


def normal(
    shape: int | Sequence[int],
    *,
    rng: np.random.Generator,
    mean: float = 0.0,
    std: float = 1.0,
    dtype: DTypeLike = np.float64,
) -> Tensor:
    """Return a Tensor of numbers drawn from the normal distribution of this mean and standard deviation.

    In float64 they are those of `rng.normal(mean, std, shape)`. A traced call draws anew whenever it is run again,
    while numbers drawn with NumPy itself are constants there. Raises ArgumentError for a generator that is none.

    >>> import numpy as np, tinygrad_lite as tg
    >>> rng = np.random.default_rng(0)
    >>> tg.normal((2, 2), rng=rng, std=0.1)
    Tensor([[ 0.012573, -0.01321 ],
            [ 0.064042,  0.01049 ]], shape=(2, 2), dtype=float64)
    """
    centre, width = _number("mean", mean), _number("std", std)
    if not width >= 0:
        raise ArgumentError(f"normal() takes a standard deviation of at least 0, got {std}")
    return _shifted(_drawn(p.standard_normal, shape, rng, dtype), centre, width)


def _number(name: str, value: float) -> float:
    if not isinstance(value, numbers.Real):
        raise ArgumentError(
            f"{name} must be a number, got {type(value).__name__}; multiply and shift what is drawn without it"
        )
    return float(value)


def _drawn(entry: p.Primitive, shape: int | Sequence[int], rng: np.random.Generator, dtype: DTypeLike) -> Tensor:
    if not isinstance(rng, np.random.Generator):
        raise ArgumentError(f"rng must be a generator, such as numpy.random.default_rng(0), got {rng!r}")
    found = np.dtype(dtype)
    if found not in (np.float32, np.float64):
        raise DtypeError(f"random numbers are drawn as float32 or float64, got {found}")
    static = {"rng": rng, "shape": _lengths(shape), "dtype": found}
    capture = MODE.get().capture
    return wrap(entry(**static), None) if capture is None else capture.drawn(entry, static)


def _lengths(shape: int | Sequence[int]) -> tuple[int, ...]:
    try:
        lengths = tuple(map(operator.index, shape if isinstance(shape, Sequence) else (shape,)))
    except TypeError:
        lengths = (-1,)
    if min(lengths, default=0) < 0:
        raise ShapeError(f"a shape is a length or a tuple of lengths, none below 0, got {shape!r}")
    return lengths


def _shifted(drawn: Tensor, start: float, width: float) -> Tensor:
    """Return start + width · drawn, without the steps that change nothing."""
    scaled = drawn if width == 1 else p.multiply(width, drawn)
    return scaled if start == 0 else p.add(start, scaled)
