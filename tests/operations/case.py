"""One operation case: a primitive, how it is called, and where its operands are drawn from.

A case says nothing about what is checked: that is what the conformance kit knows.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_lite.check.conformance.variants import Call
from tinygrad_lite.primitives import PRIMITIVES

Shape = tuple[int, ...]
Draw = Callable[[np.random.Generator, Shape], np.ndarray]
Sampler = Callable[[np.random.Generator], tuple[np.ndarray, ...]]


@dataclass(frozen=True)
class Case:
    """`primitive(*arguments(*operands), **static)`, with float64 operands away from kinks and poles."""

    primitive: str
    label: str
    sample: Sampler
    static: Mapping[str, Any] = field(default_factory=dict)
    arguments: Callable[..., tuple[Any, ...]] = lambda *operands: operands
    """From the operands that are drawn to those of the primitive: repeated ones, Python numbers."""
    spelled: Callable[..., Any] | None = None
    """How a user writes the call, where that is not the primitive's name."""
    reference: Callable[..., Any] | None = None
    """The same in terms of `xp`, which is NumPy or jax.numpy, called as reference(xp, *arguments, **static)."""
    constants: tuple[int, ...] = ()
    """Operands with respect to which nothing is differentiated here."""
    result_dtype: np.dtype | None = None
    """The dtype of the result, where it is not that of the operands."""

    @property
    def name(self) -> str:
        return f"{self.primitive}-{self.label}".replace(" ", "_")

    def rng(self, purpose: str = "") -> np.random.Generator:
        """Return a generator that depends on nothing but the case and the purpose."""
        return np.random.default_rng(zlib.crc32(f"{self.name} {purpose}".encode()))

    def operands(self, dtype: Any = np.float64) -> tuple[np.ndarray, ...]:
        """Draw the operands; those that are floats come as `dtype`."""
        drawn = self.sample(self.rng())
        return tuple(x.astype(dtype) if x.dtype.kind == "f" else x for x in drawn)

    def __call__(self, *operands: Any) -> Any:
        function = self.spelled or PRIMITIVES[self.primitive]
        return function(*self.arguments(*operands), **self.static)

    def reference_in(self, xp: Any) -> Callable[..., Any]:
        """Return the same function of the primitive's arguments written with NumPy or jax.numpy."""
        if self.reference is None:
            return getattr(xp, self.primitive)
        return functools.partial(self.reference, xp)

    def call(self) -> Call:
        """Return the case as the conformance kit takes it."""
        primitive = PRIMITIVES[self.primitive]
        return Call(primitive, self.operands(), self.static, self.arguments, self.spelled, self.constants)

    def wanted(self) -> tuple[int, ...]:
        """Return the positions of the operands to differentiate by."""
        return self.call().wanted


# ----- Where operands are drawn from -----


def normal(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.normal(size=shape)


def positive(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.uniform(0.5, 2.0, size=shape)


def away_from_zero(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.uniform(0.3, 2.0, size=shape) * rng.choice([-1.0, 1.0], size=shape)


def negative(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return -positive(rng, shape)


def whole(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Small whole numbers as floats, so that some of them are equal."""
    return rng.integers(-1, 2, size=shape).astype(np.float64)


def mask(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.integers(0, 2, size=shape).astype(bool)


def drawn(*shapes: Shape, draw: Draw | tuple[Draw, ...] = normal) -> Sampler:
    """Return a sampler of arrays of these shapes, from one distribution or from one each."""
    draws = draw if isinstance(draw, tuple) else (draw,) * len(shapes)
    return lambda rng: tuple(np.asarray(d(rng, shape)) for d, shape in zip(draws, shapes, strict=True))


def distinct(*shapes: Shape) -> Sampler:
    """Return a sampler of arrays in which no two values are closer than 0.2, within one array or across all."""

    def sample(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        sizes = [int(np.prod(shape)) for shape in shapes]
        values = 0.3 * rng.permutation(sum(sizes)) + rng.uniform(0, 0.1, size=sum(sizes)) - 0.15 * sum(sizes)
        parts = np.split(values, np.cumsum(sizes)[:-1])
        return tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))

    return sample


UNARY_SHAPES: dict[str, Shape] = {"matrix": (2, 3), "vector": (4,), "0-d": (), "empty": (0, 3), "three axes": (2, 1, 3)}

BROADCASTS: dict[str, tuple[Shape, Shape]] = {
    "same shape": ((2, 3), (2, 3)),
    "right stretched": ((2, 3), (2, 1)),
    "left stretched": ((1, 3), (2, 3)),
    "both stretched": ((2, 1), (1, 3)),
    "axis added right": ((2, 3), (3,)),
    "axis added left": ((3,), (2, 3)),
    "added and stretched": ((2, 1, 3), (4, 1)),
    "0-d right": ((2, 3), ()),
    "0-d left": ((), (2, 3)),
    "both 0-d": ((), ()),
    "empty": ((0, 3), (0, 3)),
    "stretched to nothing": ((0, 3), (1, 3)),
    "0-d to nothing": ((), (0, 3)),
}
