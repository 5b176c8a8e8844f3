"""Whole matrices of derivatives, first and second, and the product of the second with a vector."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.nested import arranged, map_leaves
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.tensor import Array, Tensor
from tinygrad_lite.transforms.gradients import grad, positions
from tinygrad_lite.transforms.products import directions, vjp
from tinygrad_lite.transforms.recording import Function, Recording, pulled_back, recorded, roots_of


def jacobian(f: Function, argnums: int | tuple[int, ...] = 0) -> Function:
    """Return the function that gives ∂f/∂(argument `argnums`): for each value of the result, a gradient.

    For arrays its shape is that of the result followed by that of the argument. For nested ones it has the structure
    of the result, and in the place of each array there the structure of the argument; a module gives a dict by
    parameter name. There is one sweep for each value of the result. Arrays or Tensors come out as from `grad`.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @functools.wraps(f)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        chosen = positions(argnums, len(args))
        recording = recorded(f, args, chosen, kwargs)
        blocks = (_blocks(root, recording) for root in roots_of(recording.result, f))
        by = tuple(args[i] for i in chosen) if isinstance(argnums, tuple) else args[chosen[0]]
        return map_leaves(lambda _: arranged(by, next(blocks)), recording.result)

    return matrix


def _blocks(root: Tensor, recording: Recording) -> list[Value]:
    """Return ∂root/∂target for each target."""
    rows = [pulled_back([root], [g], recording.targets, recording.since) for g in _basis(root)]
    shapes = [root.shape + target.shape for target in recording.targets]
    if not rows:
        return [np.zeros(shape, root.dtype) for shape in shapes]
    columns = zip(*rows, strict=True)
    return [np.stack(column).reshape(shape)[()] for column, shape in zip(columns, shapes, strict=True)]


def _basis(root: Tensor) -> Iterator[Array]:
    """Yield, for each value of `root`, the cotangent that is one there and zero elsewhere."""
    for place in np.ndindex(root.shape):
        g = np.zeros(root.shape, root.dtype)
        g[place] = 1
        yield g


def hessian(f: Function, argnums: int | tuple[int, ...] = 0) -> Function:
    """Return the function that gives ∂²f/∂x², for x the argument `argnums` of a scalar function `f`.

    For an array its shape is that of the argument twice; for nested ones it has the structure of the argument, and
    in the place of each array there that structure again.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([3.0, 2.0]))
    array([[4., 6.],
           [6., 0.]])
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Function, args: Sequence[Any], vectors: Sequence[Any]) -> tuple[Any, ...]:
    """Return the product of the Hessian of a scalar function at `args` with `vectors`, without forming the Hessian.

    `args` and `vectors` are tuples, a vector in the structure of each argument; so is the result. The Hessian is
    symmetric, so the product is the gradient of the gradient with `vectors` for its cotangent: two sweeps.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.hvp(lambda x: x[0] ** 2 * x[1], (np.array([3.0, 2.0]),), (np.array([1.0, 0.0]),))
    (array([4., 6.]),)
    """
    args, _ = directions(f, args, vectors)
    _, pull_back = vjp(grad(f, tuple(range(len(args)))), *args)
    return pull_back(tuple(vectors))
