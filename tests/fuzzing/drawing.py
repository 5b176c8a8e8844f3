"""Drawing: what the kinds of steps choose their operands, constants and axes from."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tests.fuzzing.program import Array, Constant, Program

Shape = tuple[int, ...]

LARGEST = 48
"""No value of a program has more entries."""
DEEPEST = 4
"""Nor more axes."""


class Draft(NamedTuple):
    """A step that may be accepted."""

    expression: str
    for_jax: bool = True


class Drawing:
    """A program being drawn."""

    def __init__(self, program: Program, main: type) -> None:
        self.program = program
        self.main = main
        self.rng = random.Random(program.seed)
        self.numbers = np.random.default_rng(program.seed)
        self.recency = self.rng.choice((0.3, 1.0, 3.0))
        """How strongly recent values are preferred: the more, the deeper and narrower the program."""
        self.plain: dict[str, Any] = {}
        """Everything that has a name, in float64 and as NumPy alone holds it."""
        self.moved: dict[str, Any] = {}
        """The same with the leaves a little elsewhere, which shows what depends on them."""
        self.names: list[str] = []
        """The leaves and the accepted steps."""
        self.varying: set[str] = set()
        """Those of them that depend on a leaf in a way that has a derivative."""

    # ----- Chances -----

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def choice(self, options: Sequence[Any]) -> Any:
        return self.rng.choice(options)

    def spelled(self, name: str) -> str:
        """Return NumPy's function or ours of the same name."""
        return f"{self.choice(('np.', 'tg.'))}{name}"

    @property
    def real(self) -> str:
        """The name of a float dtype, most often the one the program is about."""
        usual, other = ("f32", "f64") if self.main is np.float32 else ("f64", "f32")
        return other if self.chance(0.05) else usual

    # ----- Earlier values -----

    def __getitem__(self, name: str) -> Array:
        return self.plain[name]  # type: ignore[no-any-return]  # names of values are names of arrays

    def pick(self, fits: Callable[[Array], bool] = lambda x: True, kind: str = "f") -> str | None:
        """Return the name of an earlier value that fits, more likely a recent one, rarely an empty one."""
        found = [n for n in self.names if self.plain[n].dtype.kind == kind and fits(self.plain[n])]
        full = [n for n in found if self.plain[n].size]
        if full and not self.chance(0.02):
            found = full
        varying = [n for n in found if n in self.varying]
        if varying and not self.chance(0.05):
            found = varying
        several = [n for n in found if self.plain[n].size > 1]
        if several and self.chance(0.6):
            found = several
        if not found:
            return None
        return found[max(0, len(found) - 1 - int(self.rng.expovariate(self.recency)))]

    def value(self) -> str:
        """Return the name of an earlier value of floats; there always is one, for leaves are."""
        name = self.pick()
        assert name is not None
        return name

    # ----- Numbers and constants -----

    def number(self, low: float = -2.0, high: float = 2.0) -> str:
        """Return a number that float32 holds exactly, as Python or as a NumPy scalar."""
        value = round(self.rng.uniform(low, high) * 32) / 32
        if self.chance(0.2):
            value = round(value) or 1.0
        if self.chance(0.2) and value == int(value):
            return f"({int(value)})" if value < 0 else str(int(value))
        text = f"np.{self.choice(('float32', 'float64'))}({value})" if self.chance(0.3) else str(value)
        return f"({text})" if text.startswith("-") else text

    def random_array(self, shape: Shape, low: float = -2.0, high: float = 2.0) -> Array:
        return np.asarray(np.round(self.numbers.uniform(low, high, shape) * 64) / 64)

    def array(self, shape: Shape, low: float = -2.0, high: float = 2.0) -> str:
        """Return the name of a new constant array, raw or a Tensor."""
        kind = "tensor" if self.chance(0.3) else "array"
        dtype = np.float64 if self.chance(0.03) else self.main
        return self.constant(self.random_array(shape, low, high), kind, dtype)

    def labels(self, shape: Shape, width: int) -> str:
        """Return the name of new integer labels below `width`."""
        dtype = self.choice((np.int64, np.int64, np.int32, np.uint8))
        return self.constant(
            np.asarray(self.numbers.integers(0, width, shape)).astype(dtype),
            "tensor" if self.chance(0.3) else "integers",
        )

    def constant(self, value: Any, kind: str, dtype: Any = None) -> str:
        name = f"c{len(self.program.constants)}"
        self.program.constants[name] = Constant(value, kind, dtype)
        self.plain[name] = self.moved[name] = value
        return name

    # ----- Operands -----

    def shaped(self, shape: Shape) -> str:
        """Return an expression of exactly this shape: an earlier value, one picked together, or a constant."""
        name = self.pick(lambda x: x.shape == shape)
        if name is not None and self.chance(0.7):
            return name
        source = self.value()
        if self[source].size and self.chance(0.6):
            index = self.constant(self.numbers.integers(0, self[source].size, shape), "index")
            return f"{source}.reshape(-1)[{index}]"
        return self.array(shape)

    def beside(self, shape: Shape) -> str:
        """Return an operand that broadcasts with `shape`, of any kind that a user may write."""
        if self.chance(0.2):
            return self.number()
        if self.chance(0.7):
            name = self.pick(lambda x: fits_beside(x.shape, shape))
            if name is not None:
                return name
        return self.array(self.broadcastable(shape))

    def broadcastable(self, shape: Shape) -> Shape:
        """Return a shape that broadcasts with `shape`, and may stretch it."""
        other = [
            1 if self.chance(0.2) else n for n in shape[self.rng.randint(0, len(shape)) if self.chance(0.3) else 0 :]
        ]
        other = [self.rng.randint(2, 3) if n == 1 and self.chance(0.2) else n for n in other]
        if len(other) == len(shape) < DEEPEST and self.chance(0.1):
            other = [self.rng.randint(1, 2), *other]
        return tuple(other) if fits_beside(tuple(other), shape) else shape

    def axis(self, ndim: int) -> int:
        """Return an axis, counted from the front or from the back."""
        axis = self.rng.randrange(ndim)
        return axis - ndim if self.chance(0.5) else axis

    def axes(self, ndim: int) -> int | tuple[int, ...] | None:
        """Return what a reduction takes: None, an axis or a tuple of axes."""
        if not ndim or self.chance(0.2):
            return self.choice((None, ())) if self.chance(0.2) else None
        if self.chance(0.5):
            return self.axis(ndim)
        chosen = self.rng.sample(range(ndim), self.rng.randint(1, ndim))
        return tuple(axis - ndim if self.chance(0.5) else axis for axis in chosen)


def fits_beside(a: Shape, b: Shape) -> bool:
    """Return whether two shapes broadcast to one that is not too large."""
    for m, n in zip(reversed(a), reversed(b)):
        if m != n and m != 1 and n != 1:
            return False
    together = np.broadcast_shapes(a, b)
    return len(together) <= DEEPEST and int(np.prod(together)) <= LARGEST
