"""Choosing between values: maximum, minimum, clip, where."""

from __future__ import annotations

import numpy as np

from tinygrad_lite import primitives as p
from tinygrad_lite.array_interface import answers_for
from tinygrad_lite.errors import ArgumentError, UnsupportedError
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.tensor import Operand, as_operand, carries_gradient


def _chosen(x1: Operand, x2: Operand, between: p.Primitive, against_constant: p.Primitive) -> Value:
    """Apply the primitive for two operands alike, or the one for an operand with a gradient and a constant."""
    first, second = carries_gradient(x1), carries_gradient(x2)
    if first == second:
        return between(x1, x2)
    return against_constant(x1, x2) if first else against_constant(x2, x1)


@answers_for(np.maximum)
def maximum(x1: Operand, x2: Operand) -> Value:
    """Return the larger of each pair of values.

    Where the two are equal, two operands that carry gradients share the cotangent, and a constant takes all of it;
    so `maximum(x, 0)`, `relu(x)` and `clip(x, 0, None)` have the same derivative at 0, which is 0.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: np.maximum(x, 0).sum())(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 1.])
    """
    return _chosen(x1, x2, p.maximum, p.at_least)


@answers_for(np.minimum)
def minimum(x1: Operand, x2: Operand) -> Value:
    """Return the smaller of each pair of values; ties as in `maximum`.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: np.minimum(x, 1.0).sum())(np.array([-1.0, 1.0, 2.0]))
    array([1., 0., 0.])
    """
    return _chosen(x1, x2, p.minimum, p.at_most)


@answers_for(np.clip)
def clip(
    a: Operand,
    a_min: Operand | None = None,
    a_max: Operand | None = None,
    *,
    min: Operand | None = None,
    max: Operand | None = None,
) -> Value:
    """Limit values to `a_min` … `a_max`, either of which may be None; the derivative at a bound is 0.

    NumPy calls the bounds `min` and `max` too.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: np.clip(x, 0, 1).sum())(np.array([-1.0, 0.0, 0.5, 1.0]))
    array([0., 0., 1., 0.])
    """
    lower, upper = a_min if min is None else min, a_max if max is None else max
    if lower is not None:
        a = maximum(a, lower)
    return a if upper is None else minimum(a, upper)


@answers_for(np.where)
def where(condition: Operand, x: Operand | None = None, y: Operand | None = None) -> Value:
    """Return `x` where `condition` holds, else `y`; the side not chosen gets a gradient of 0, never nan.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: np.where(x > 0, np.sqrt(x), 0.0).sum())(np.array([-1.0, 0.0, 4.0]))
    array([0.  , 0.  , 0.25])
    """
    if x is None or y is None:
        raise UnsupportedError("np.where needs what to choose from, x and y; for indices use np.nonzero(t.numpy())")
    return p.where(condition, x, y)


def named(x: Operand, name: str) -> Value:
    """Return `x` itself, under a name by which pictures and gradient checks know it.

    `check_gradients(..., deltas={"delta1": array})` holds the array against the derivative by the value of that name.
    Raises ArgumentError for an empty name.

    >>> import numpy as np, tinygrad_lite as tg
    >>> float(tg.grad(lambda x: tg.named(x * x, "square") * 2)(3.0))
    12.0
    """
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"a value is named by a text that is not empty, got {name!r}")
    return p.named(as_operand(x), name=name)


def stop_gradient(x: Operand) -> Value:
    """Return the same values as a constant: no gradient flows back through them.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: x * tg.stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return p.stop_gradient(as_operand(x))
