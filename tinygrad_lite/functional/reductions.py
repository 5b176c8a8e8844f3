"""Reductions under NumPy's names: sum, mean, max, min; and the two sums that objectives are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lite import primitives as p
from tinygrad_lite.array_interface import answers_for
from tinygrad_lite.errors import ArgumentError, UnsupportedError
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.primitives.reductions import Axis, plain_axis, reduced_axes
from tinygrad_lite.tensor import Operand, as_floats, as_operand


@answers_for(np.sum)
def sum(a: Operand, axis: Axis = None, dtype: DTypeLike | None = None, *, keepdims: bool = False) -> Value:
    """Return the sum of the values over `axis`, an int, a tuple of ints, or None for all.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: np.sum(x, axis=0)[1])(np.ones((2, 2)))
    array([[0., 1.],
           [0., 1.]])
    """
    a = as_operand(a)
    return p.sum(a if dtype is None else a.astype(dtype), axis=plain_axis(axis), keepdims=keepdims)


@answers_for(np.mean)
def mean(a: Operand, axis: Axis = None, dtype: DTypeLike | None = None, *, keepdims: bool = False) -> Value:
    """Return the mean of the values over `axis`; nan, without a warning, where there are none.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: np.mean(x))(np.ones(4))
    array([0.25, 0.25, 0.25, 0.25])
    """
    a = as_operand(a)
    return p.mean(a if dtype is None else a.astype(dtype), axis=plain_axis(axis), keepdims=keepdims)


@answers_for(np.max, np.amax)
def max(a: Operand, axis: Axis = None, *, keepdims: bool = False) -> Value:
    """Return the largest value over `axis`; values that tie for it share the cotangent equally.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: np.max(x))(np.array([2.0, 1.0, 2.0]))
    array([0.5, 0. , 0.5])
    """
    return p.max(as_operand(a), axis=plain_axis(axis), keepdims=keepdims)


@answers_for(np.min, np.amin)
def min(a: Operand, axis: Axis = None, *, keepdims: bool = False) -> Value:
    """Return the smallest value over `axis`; values that tie for it share the cotangent equally.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: np.min(x))(np.array([2.0, 1.0, 3.0]))
    array([0., 1., 0.])
    """
    return p.min(as_operand(a), axis=plain_axis(axis), keepdims=keepdims)


@answers_for(np.prod)
def prod(a: Operand, axis: Axis = None, *, keepdims: bool = False) -> Value:
    """Return the product of the values over `axis`; its derivative is right where values are zero, too.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: np.prod(x))(np.array([0.0, 2.0, 3.0]))
    array([6., 0., 0.])
    """
    return p.prod(as_operand(a), axis=plain_axis(axis), keepdims=keepdims)


@answers_for(np.var)
def var(a: Operand, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Value:
    """Return the variance over `axis`, the mean of (x − mean)² with n − `ddof` for its count; 0 for a constant.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: np.var(x))(np.array([1.0, 2.0, 3.0]))
    array([-0.66666667,  0.        ,  0.66666667])
    """
    return p.var(as_floats(a), axis=plain_axis(axis), ddof=float(ddof), keepdims=keepdims)


@answers_for(np.std)
def std(a: Operand, axis: Axis = None, *, ddof: float = 0, keepdims: bool = False) -> Value:
    """Return the standard deviation over `axis`, the root of `var`; the derivative for a constant is 0.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: np.std(x))(np.full(3, 0.1))
    array([0., 0., 0.])
    """
    return p.std(as_floats(a), axis=plain_axis(axis), ddof=float(ddof), keepdims=keepdims)


@answers_for(np.linalg.norm)
def norm(x: Operand, ord: int | str | None = None, axis: Axis = None, keepdims: bool = False) -> Value:
    """Return the length √Σx² over `axis`, of vectors (`ord` None or 2) or matrices (None or "fro"), with slope 0 at 0.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(lambda x: np.linalg.norm(x))(np.array([3.0, 4.0])), tg.grad(tg.norm)(np.zeros(2))
    (array([0.6, 0.8]), array([0., 0.]))
    """
    x, axis = as_floats(x), plain_axis(axis)
    count = len(reduced_axes(axis, x.ndim))
    if ord is not None and (ord, count) not in ((2, 1), ("fro", 2)):
        raise UnsupportedError(
            f"norm() of order {ord!r} over {count} axes does not record; write it with np.abs and np.sum"
        )
    return p.norm(x, axis=axis, keepdims=keepdims)


def sum_squares(*arrays: Operand, factor: float = 1.0) -> Value:
    """Return `factor` · Σ x² over all values of all arguments: with a factor of ½, an L2 penalty.

    >>> import numpy as np, tinygrad_lite as tg
    >>> float(tg.sum_squares(np.array([3.0]), np.array([[4.0]])))
    25.0
    """
    return p.sum_squares(*(as_operand(array) for array in arrays), factor=factor)


def weighted_sum(terms: Sequence[Operand], weights: Sequence[float]) -> Value:
    """Return Σ wᵢ · termᵢ of equally shaped terms, the value of an objective that has several.

    >>> import tinygrad_lite as tg
    >>> float(tg.weighted_sum([2.0, 10.0], [1.0, 0.1]))
    3.0
    """
    if not terms or len(terms) != len(weights):
        raise ArgumentError(f"weighted_sum() got {len(terms)} terms and {len(weights)} weights; give one weight a term")
    return p.weighted_sum(*(as_operand(term) for term in terms), weights=tuple(map(float, weights)))
