"""A function's call, recorded: the results, and the leaves that stand for what it is differentiated by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_lite.mode import MODE, ModeChange
from tinygrad_lite.nested import has_parameters, leaves_of, substituted, values_in
from tinygrad_lite.primitives import contiguous, positive
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.tape import AnyNode, Leaf, leading_to, sweep, tape
from tinygrad_lite.tensor import Array, Tensor, as_operand, carries_gradient, values_of, without_history, wrap

Function = Callable[..., Any]


class Recording(NamedTuple):
    """What a function gave, and what it is differentiated by."""

    result: Any
    """What it returned: nested values, of which those that depend on the targets are Tensors."""
    targets: list[Tensor]
    """The leaves that stood for the arguments, or nodes on top of arguments that have a history already."""

    @property
    def since(self) -> int:
        """The serial of the first target: what is older was there before the call."""
        return min((node_of(target).serial for target in self.targets), default=0)


def recorded(
    f: Function, args: Sequence[Any], chosen: Iterable[int], kwargs: dict[str, Any] | None = None
) -> Recording:
    """Call `f`, recording even under `no_grad`, with Tensors in the place of the chosen arguments."""
    with ModeChange(record=True):
        targets = [_tracked(value) for i in chosen for value in values_in(args[i])]
        remaining = iter(targets)
        tracked = {i: substituted(args[i], remaining) for i in chosen}
        result = f(*(tracked.get(i, argument) for i, argument in enumerate(args)), **(kwargs or {}))
    return Recording(result, targets)


def _tracked(value: Any) -> Tensor:
    """Return a fresh leaf for an argument, or a fresh node on top of one that has a history already."""
    if carries_gradient(value):
        return positive(value)  # type: ignore[no-any-return]  # a Tensor, for its operand is one
    operand = as_operand(value)
    if operand.dtype.kind != "f":
        raise DtypeError(
            f"cannot differentiate with respect to {value!r} of dtype {operand.dtype}; "
            "give floats, for example np.asarray(x, dtype=np.float64)"
        )
    return transient(Tensor(operand)._array, value.name if isinstance(value, Tensor) else None)


def transient(data: Array, name: str | None = None) -> Tensor:
    """Return a leaf over an array, without a copy, that nobody can name once the transform has returned."""
    leaf = Leaf(data, name)
    leaf.is_transient = True
    tensor = wrap(data, leaf)
    tensor.name = name
    capture = MODE.get().capture
    if capture is not None:
        capture.made(tensor)
    return tensor


def node_of(tensor: Tensor) -> AnyNode:
    """Return the node of a Tensor that is known to have one."""
    assert tensor._node is not None
    return tensor._node


def pulled_back(
    roots: Sequence[Any], cotangents: Sequence[Value], targets: Sequence[Tensor], since: int
) -> list[Value]:
    """Return the cotangent that arrives at each target: Tensors if they depend on other things, else arrays.

    What is older than `since` counts as such another thing, and so does a cotangent that carries a gradient.
    """
    ends = set(map(node_of, targets))
    seeds: dict[AnyNode, Value] = {}
    for root, cotangent in zip(roots, cotangents, strict=True):
        if carries_gradient(root):
            seeds[root._node] = seeds[root._node] + cotangent if root._node in seeds else cotangent
    reached = tape(*seeds, after=since - 1)
    path = leading_to(ends, reached)
    is_open = MODE.get().record and (any(map(carries_gradient, cotangents)) or depends_on_others(reached, ends))
    if is_open:
        seeds = {node: g if isinstance(g, Tensor) else without_history(np.asarray(g)) for node, g in seeds.items()}
    else:
        seeds = {node: values_of(g) for node, g in seeds.items()}
    arrived = sweep(path, seeds, ends=ends, lift=wrap if is_open else None)
    gradients = [_arrived_at(target, arrived) for target in targets]
    capture = MODE.get().capture
    if capture is not None:
        gradients = [g if isinstance(g, Tensor) else capture.as_plain(without_history(g)) for g in gradients]
    elif is_open:
        gradients = [g if isinstance(g, Tensor) else wrap(g, None) for g in gradients]
    # [()] makes a number of an array without axes, and selects: to a second sweep what it did not ask for is 0 · ∞ = 0
    return [g if isinstance(g, Tensor) and g._node is None else g[()] for g in gradients]


def _arrived_at(target: Tensor, arrived: dict[AnyNode, Value]) -> Value:
    gradient = arrived.get(node_of(target))
    return np.zeros(target.shape, target.dtype) if gradient is None else gradient


def depends_on_others(reached: list[AnyNode], ends: set[AnyNode]) -> bool:
    """Return whether the result could be differentiated with respect to anything but the ends that are ours alone."""
    members = set(reached)
    return any(
        not (node in ends or node.is_transient)
        if isinstance(node, Leaf)
        else any(parent is not None and parent not in members for parent in node.inputs)
        for node in reached
    )


def handed_out(value: Any, recording: Recording) -> Any:
    """Return a result as the caller gets it: an array, or the Tensor itself if it depends on other things too."""
    if not isinstance(value, Tensor):
        return value
    if value._node is not None and MODE.get().record:
        ends = set(map(node_of, recording.targets))
        reached = tape(value._node, after=recording.since - 1)
        if value._node.serial < recording.since or depends_on_others(reached, ends):
            return value
    capture = MODE.get().capture
    return value.numpy()[()] if capture is None else capture.as_plain(contiguous(value.detach()))


def fitting(given: Any, like: Any, what: str) -> Value:
    """Return a cotangent or tangent as it is swept: of the shape and dtype of the value that it belongs to."""
    operand = as_operand(given)
    if operand.dtype.kind not in "fiub":
        raise DtypeError(f"{what} must be numbers, got dtype {operand.dtype}")
    if operand.shape != like.shape:
        raise ShapeError(f"{what} of shape {operand.shape} does not fit a value of shape {like.shape}")
    if isinstance(operand, Tensor) and operand.dtype == like.dtype:
        return operand
    return operand.astype(like.dtype)  # a copy, for the user may write to the array later


def name_of(f: Function) -> str:
    return getattr(f, "__name__", repr(f))


def roots_of(result: Any, f: Function) -> list[Tensor]:
    """Return the results of a function as Tensors of floats; raises if there is one that has no derivative."""
    roots = []
    for leaf in leaves_of(result):
        if leaf is None or isinstance(leaf, str) or has_parameters(leaf):
            raise ArgumentError(f"{name_of(f)} returned {leaf!r}, which cannot be differentiated; return arrays")
        root = leaf if isinstance(leaf, Tensor) else Tensor(leaf)
        if root.dtype.kind != "f":
            raise DtypeError(f"{name_of(f)} returned values of dtype {root.dtype}, which have no derivative")
        roots.append(root)
    return roots
