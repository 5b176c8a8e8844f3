"""Random numbers: no operands, no derivatives, and other values each time, drawn from a generator of NumPy's.

Only the standard distributions stand here; others are these, multiplied and shifted by other entries. Both have `out=`
in NumPy, so a program can draw into memory of its own, with the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.primitives.primitive import Primitive
from tinygrad_lite.primitives.shaping import Shape


def _standard_uniform(*, rng: np.random.Generator, shape: Shape, dtype: Any) -> Any:
    return rng.random(shape, dtype)


def _standard_normal(*, rng: np.random.Generator, shape: Shape, dtype: Any) -> Any:
    return rng.standard_normal(shape, dtype)


standard_uniform = Primitive("standard_uniform", _standard_uniform, draws=True, formula="uniform(0, 1)", flops=1)
standard_normal = Primitive("standard_normal", _standard_normal, draws=True, formula="normal(0, 1)", flops=1)
