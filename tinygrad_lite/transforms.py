"""Functions of functions: from a function of arrays to its gradient.

What is differentiated is plain NumPy code; arrays go in and arrays come out. Inside, the arguments are fresh leaves,
and the sweep stops at them, so nested gradients never confuse whose derivative is meant. Where the function also used
Tensors that require a gradient themselves, its gradient depends on them: then the sweep is recorded, and Tensors come
out that can be differentiated again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lite.errors import ArgumentError, DtypeError, GraphError
from tinygrad_lite.nested import leaves_of, map_leaves
from tinygrad_lite.primitives import positive
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.tape import MODE, AnyNode, Leaf, leading_to, sweep, tape
from tinygrad_lite.tensor import Tensor, as_operand, carries_gradient, values_of, wrap

Function = Callable[..., Any]


def value_and_grad(f: Function, argnums: int | tuple[int, ...] = 0) -> Function:
    """Return a function that gives both `f(*args)`, a scalar, and its gradient as `grad(f)` would.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    (np.float64(5.0), array([2., 4.]))
    """

    @functools.wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        chosen = _positions(argnums, len(args))
        token = MODE.set(MODE.get()._replace(record=True))
        try:
            tracked = {i: map_leaves(_tracked, args[i]) for i in chosen}
            targets = leaves_of(list(tracked.values()))  # before f, which may put other things into its containers
            result = f(*(tracked.get(i, argument) for i, argument in enumerate(args)), **kwargs)
        finally:
            MODE.reset(token)
        value, gradients = _gradients(_scalar(result, f), targets)
        remaining = iter(gradients)
        structured = tuple(map_leaves(lambda _: next(remaining), args[i]) for i in chosen)
        return value, structured if isinstance(argnums, tuple) else structured[0]

    return value_and_gradient


def grad(f: Function, argnums: int | tuple[int, ...] = 0) -> Function:
    """Return the function that gives ∂f/∂(argument `argnums`) in the structure of that argument.

    The argument may be an array, a float, or nested tuples, lists and dicts of them; `f` must return a scalar. A part
    of it on which `f` does not depend gets zeros. Arrays come out, or, where `f` also used Tensors that require a
    gradient, such as the parameters of a network, Tensors that depend on them. Raises DtypeError for integers,
    GraphError for a non-scalar result.

    >>> import numpy as np, tinygrad_lite as tg
    >>> tg.grad(np.tanh)(0.5) == 1 - np.tanh(0.5) ** 2
    np.True_
    >>> tg.grad(tg.grad(lambda x: x**3))(2.0)
    np.float64(12.0)
    >>> tg.grad(lambda net: (net["w"] * net["x"]).sum())({"w": np.ones(2), "x": np.array([3.0, 4.0])})
    {'w': array([3., 4.]), 'x': array([1., 1.])}
    """
    both = value_and_grad(f, argnums)

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def _positions(argnums: int | tuple[int, ...], count: int) -> list[int]:
    """Return the positions of the arguments that `argnums` names, each counted from the front."""
    chosen = list(argnums) if isinstance(argnums, tuple) else [argnums]
    for i in chosen:
        if not -count <= i < count:
            raise ArgumentError(f"there is no argument {i} to differentiate with respect to: {count} were given")
    positions = [int(i) % count for i in chosen]
    if len(set(positions)) != len(positions):
        raise ArgumentError(f"argnums={argnums} names one of {count} arguments twice")
    return positions


def _tracked(value: Any) -> Tensor:
    """Return a fresh leaf for an argument, or a fresh node on top of one that has a history already."""
    if carries_gradient(value):
        return positive(value)  # type: ignore[no-any-return]  # a Tensor, for its operand is one
    array = values_of(as_operand(value))
    if array.dtype.kind != "f":
        raise DtypeError(
            f"cannot differentiate with respect to {value!r} of dtype {array.dtype}; "
            "give floats, for example np.asarray(x, dtype=np.float64)"
        )
    leaf = Tensor(array, requires_grad=True, name=value.name if isinstance(value, Tensor) else None)
    leaf._node.is_transient = True  # type: ignore[union-attr]  # it requires a gradient, so it has a node
    return leaf


def _scalar(result: Any, f: Function) -> Tensor:
    if result is None or isinstance(result, dict | str):
        raise GraphError(f"the gradient of {_name(f)} is defined for a scalar result, but it returned {result!r}")
    tensor = result if isinstance(result, Tensor) else Tensor(result)
    if tensor.size != 1:
        raise GraphError(
            f"the gradient of {_name(f)} is defined for a scalar result, but it returned shape "
            f"{tensor.shape}; reduce it, for example with .sum()"
        )
    return tensor


def _name(f: Function) -> str:
    return getattr(f, "__name__", repr(f))


def _gradients(result: Tensor, targets: list[Tensor]) -> tuple[Value, list[Value]]:
    """Return the value of `result` and its gradient for each target: Tensors if they depend on others, else arrays."""
    ends = {target._node for target in targets if target._node is not None}
    first = min((end.serial for end in ends), default=0)
    reached = [] if result._node is None else tape(result._node, after=first - 1)
    path = leading_to(ends, reached)
    is_open = MODE.get().record and _depends_on_others(reached, ends)
    arrived: dict[AnyNode, Value] = {}
    if path and path[-1] is result._node:
        seed = np.ones_like(result._data)
        arrived = sweep(path, wrap(seed, None) if is_open else seed, ends=ends, lift=wrap if is_open else None)
    gradients = [_arrived_at(target, arrived) for target in targets]
    if is_open:
        return result, [g if isinstance(g, Tensor) else wrap(np.asarray(g), None) for g in gradients]
    return result.numpy()[()], gradients


def _arrived_at(target: Tensor, arrived: dict[AnyNode, Value]) -> Value:
    gradient = arrived.get(target._node)  # type: ignore[arg-type]  # a target has a node
    return (np.zeros(target.shape, target.dtype) if gradient is None else gradient)[()]


def _depends_on_others(reached: list[AnyNode], ends: set[AnyNode]) -> bool:
    """Return whether the result could be differentiated with respect to anything but the ends that are ours alone."""
    members = set(reached)
    return any(
        not (node in ends or node.is_transient)
        if isinstance(node, Leaf)
        else any(parent is not None and parent not in members for parent in node.inputs)
        for node in reached
    )
