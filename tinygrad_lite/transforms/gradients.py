"""The gradient of a scalar function, alone, with the value, and for every example of a batch."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.errors import ArgumentError, GraphError
from tinygrad_lite.nested import arranged, leaves_of, map_leaves
from tinygrad_lite.tensor import Tensor, as_operand
from tinygrad_lite.transforms.recording import Function, handed_out, name_of, pulled_back, recorded


def value_and_grad(f: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """Return a function that gives both `f(*args)`, a scalar, and its gradient as `grad(f)` would.

    With `has_aux=True`, `f` returns the scalar and something beside it, and `((value, beside), gradient)` comes out.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """

    @functools.wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        value, beside, gradient, handed = _differentiated(f, args, kwargs, argnums, has_aux)
        return ((handed(value), map_leaves(handed, beside)) if has_aux else handed(value)), gradient

    return value_and_gradient


def grad(f: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """Return the function that gives ∂f/∂(argument `argnums`) in the structure of that argument.

    The argument may be an array, a float, a module, or nested tuples, lists and dicts of them; `f` must return a
    scalar. A part of it on which `f` does not depend gets zeros; a module gets a dict by parameter name. With
    `has_aux=True`, `f` returns the scalar and something beside it, and `(gradient, beside)` comes out.

    Arrays come out, or, where Tensors that require a gradient went in or were used by `f`, such as the parameters of
    a module, Tensors that depend on them; under `no_grad` arrays always. Raises DtypeError for integers, GraphError
    for a non-scalar result.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(np.tanh)(0.5) == 1 - np.tanh(0.5) ** 2
    np.True_
    >>> tg.grad(tg.grad(lambda x: x**3))(2.0)
    np.float64(12.0)
    >>> tg.grad(lambda net: (net["w"] * net["x"]).sum())({"w": np.ones(2), "x": np.array([3.0, 4.0])})
    {'w': array([3., 4.]), 'x': array([1., 1.])}
    """

    @functools.wraps(f)
    def gradient_of(*args: Any, **kwargs: Any) -> Any:
        _, beside, gradient, handed = _differentiated(f, args, kwargs, argnums, has_aux)
        return (gradient, map_leaves(handed, beside)) if has_aux else gradient

    return gradient_of


def _differentiated(
    f: Function, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: int | tuple[int, ...], has_aux: bool
) -> tuple[Tensor, Any, Any, Callable[[Any], Any]]:
    """Return the value of `f`, what it returned beside it, its gradient, and how values are handed to the caller."""
    chosen = positions(argnums, len(args))
    recording = recorded(f, args, chosen, kwargs)
    result, beside = _split(recording.result, f) if has_aux else (recording.result, None)
    root = _scalar(result, f)
    gradients = pulled_back([root], [np.ones_like(root._array)], recording.targets, recording.since)
    by = tuple(args[i] for i in chosen) if isinstance(argnums, tuple) else args[chosen[0]]
    return root, beside, arranged(by, gradients), functools.partial(handed_out, recording=recording)


def per_example_grad(f: Function, argnums: int | tuple[int, ...] = 0) -> Function:
    """Return the function that gives `grad(f)` for every example of a batch, stacked along a new first axis.

    The arguments that are not differentiated are the batch: arrays of equal length, or nested ones; `f` is called
    with one row of each at a time, as a batch of one. For an `f` that averages over its batch, the mean of the
    gradients over the examples is the gradient of the batch. By a module, take it under `no_grad` for arrays.

    >>> import numpy as np, tinygrad_lite as tg
    >>> w, x, t = np.zeros(2), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([1.0, 2.0, 3.0])
    >>> tg.per_example_grad(lambda w, x, t: np.mean((x @ w - t) ** 2))(w, x, t)
    array([[-2.,  0.],
           [ 0., -4.],
           [-6., -6.]])
    """
    gradient = grad(f, argnums)

    @functools.wraps(f)
    def gradients(*args: Any, **kwargs: Any) -> Any:
        chosen = positions(argnums, len(args))
        batch = [map_leaves(as_operand, argument) for i, argument in enumerate(args) if i not in chosen]
        examples = []
        for row in range(_length(batch)):
            example = iter(map_leaves(operator.itemgetter(slice(row, row + 1)), batch))
            examples.append(gradient(*(args[i] if i in chosen else next(example) for i in range(len(args))), **kwargs))
        stacked = [np.stack(parts) for parts in zip(*map(leaves_of, examples), strict=True)]
        return arranged(examples[0], stacked)

    return gradients


def _length(batch: list[Any]) -> int:
    """Return how many examples there are; raises ArgumentError unless all arrays agree on it."""
    lengths = {part.shape[0] if part.ndim else None for part in leaves_of(batch)}
    if len(lengths) != 1 or None in lengths or 0 in lengths:
        shapes = [part.shape for part in leaves_of(batch)]
        raise ArgumentError(
            "the arguments that are not differentiated are the batch: at least one array, all of one length that is "
            f"not 0, an example a row; got shapes {shapes}"
        )
    return int(lengths.pop())  # type: ignore[arg-type]  # None was refused


def positions(argnums: int | tuple[int, ...], count: int) -> list[int]:
    """Return the positions of the arguments that `argnums` names, each counted from the front."""
    chosen = list(argnums) if isinstance(argnums, tuple) else [argnums]
    for i in chosen:
        if not -count <= i < count:
            raise ArgumentError(f"there is no argument {i} to differentiate with respect to: {count} were given")
    counted = [int(i) % count for i in chosen]
    if len(set(counted)) != len(counted):
        raise ArgumentError(f"argnums={argnums} names one of {count} arguments twice")
    return counted


def _split(result: Any, f: Function) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        raise ArgumentError(f"with has_aux=True, {name_of(f)} must return (value, beside), but it returned {result!r}")
    return result


def _scalar(result: Any, f: Function) -> Tensor:
    if result is None or isinstance(result, tuple | list | dict | str):
        remedy = "; for something beside the value there is has_aux=True" if isinstance(result, tuple) else ""
        raise GraphError(
            f"the gradient of {name_of(f)} is defined for a scalar result, but it returned {result!r}{remedy}"
        )
    tensor = result if isinstance(result, Tensor) else Tensor(result)
    if tensor.size != 1:
        raise GraphError(
            f"the gradient of {name_of(f)} is defined for a scalar result, but it returned shape "
            f"{tensor.shape}; reduce it, for example with .sum(), or use tg.jacobian"
        )
    return tensor
