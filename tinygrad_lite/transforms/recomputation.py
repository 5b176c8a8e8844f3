"""`checkpoint`: what a function computes on its way is forgotten, and computed again when the sweep gets there."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from tinygrad_lite.anomaly import user_place
from tinygrad_lite.errors import GraphError
from tinygrad_lite.mode import MODE, ModeChange
from tinygrad_lite.nested import leaves_of, map_leaves
from tinygrad_lite.primitives import concatenate, each, positive
from tinygrad_lite.primitives.definition import Rule, Value
from tinygrad_lite.primitives.primitive import Primitive
from tinygrad_lite.tape import AnyNode, Node, next_serial, sweep, tape
from tinygrad_lite.tensor import Tensor, carries_gradient, wrap
from tinygrad_lite.transforms.recording import Function, name_of, node_of, transient


def checkpoint(f: Function) -> Function:
    """Return a function that computes what `f` does, but keeps only its arguments for the backward sweep.

    The values on the way are computed again when they are needed: memory is saved for the time of a second forward
    pass. `f` takes and returns arrays, or nested tuples, lists and dicts of them, and may use Tensors from outside,
    such as the parameters of a network; a Tensor that it keeps elsewhere than in its result is a constant there. It
    must do the same whenever it is called: the sweep raises GraphError if its results differ, because it draws random
    numbers, or because a parameter has been assigned to meanwhile.

    >>> import numpy as np, tinygrad_lite as tg
    >>> layer = tg.checkpoint(lambda x: np.tanh(np.exp(np.sin(x))))
    >>> bool(tg.grad(layer)(0.5) == tg.grad(lambda x: np.tanh(np.exp(np.sin(x))))(0.5))
    True
    """

    @functools.wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        mode = MODE.get()
        if not mode.record or mode.whole or mode.capture is not None:
            return f(*args, **kwargs)
        operands = [leaf for leaf in leaves_of(args) if carries_gradient(leaf)]
        segment = _Segment(f, map_leaves(_kept, args), map_leaves(_copied, kwargs), mode.scope)
        run = segment.run([transient(x._array) for x in operands])
        if run.packed is None or not (operands or run.outside):
            return run.result
        segment.outside = run.outside
        inputs = (*map(node_of, operands), *run.outside)
        values = (*(x._array for x in operands), *run.outside)  # a node stands in for what is used from outside
        plan = _CHECKPOINT.make_plan((1 << len(inputs) + 1) - 1)
        assert plan is not None
        data = run.packed._array
        node = Node(_CHECKPOINT, {"segment": segment}, plan, inputs, values, data, segment.scope)
        if mode.places:
            node.place = user_place()
        parts = _unpacked(wrap(data, node), [leaf for leaf in leaves_of(run.result) if carries_gradient(leaf)])
        return map_leaves(lambda leaf: next(parts) if carries_gradient(leaf) else leaf, run.result)

    return checkpointed


_HERE: Final = object()
"""Stands in kept arguments where a Tensor that carries a gradient was."""


def _kept(argument: Any) -> Any:
    """Return an argument as it is kept for the second run: the user's own array is copied."""
    return _HERE if carries_gradient(argument) else _copied(argument)


def _copied(argument: Any) -> Any:
    return argument.copy() if type(argument) is np.ndarray else argument


class _Run(NamedTuple):
    """One run of a checkpointed function."""

    result: Any
    packed: Tensor | None
    """Everything in the result that carries a gradient, as one Tensor; None if nothing does."""
    nodes: list[AnyNode]
    """What was recorded, in the order of creation."""
    outside: list[AnyNode]
    """The nodes of Tensors that the function used without being given them, oldest first."""


class _Segment:
    """A checkpointed function with its arguments: what is needed to run it again."""

    def __init__(self, f: Function, args: Any, kwargs: dict[str, Any], scope: str) -> None:
        self.f, self.args, self.kwargs, self.scope = f, args, kwargs, scope
        self.outside: list[AnyNode] = []

    def __repr__(self) -> str:
        return f"<checkpoint of {name_of(self.f)}>"

    def run(self, operands: Sequence[Tensor]) -> _Run:
        """Call the function, recording, on `operands` in the place of the Tensors that it was given."""
        remaining, start = iter(operands), next_serial()
        with ModeChange(record=True, scope=self.scope):
            args = map_leaves(lambda kept: next(remaining) if kept is _HERE else kept, self.args)
            result = self.f(*args, **self.kwargs)
            packed = _packed([leaf for leaf in leaves_of(result) if carries_gradient(leaf)])
        if packed is None:
            return _Run(result, None, [], [])
        given = {node_of(x) for x in operands}
        since = min((node.serial for node in given), default=start)
        nodes = tape(node_of(packed), after=since - 1)
        inner = (node.inputs for node in nodes if node not in given)
        outside = {parent for parent in itertools.chain(*inner) if parent is not None and parent.serial < since}
        return _Run(result, packed, nodes, sorted(outside, key=lambda node: node.serial))

    def cotangents(self, g: Value, y: Value, operands: Sequence[Value]) -> list[Value | None]:
        """Return the cotangents of all operands, from one second run; None where nothing arrives."""
        lift = wrap if isinstance(y, Tensor) else None
        given = operands[: len(operands) - len(self.outside)]
        inputs = [positive(x) if lift else transient(x) for x in given]
        run = self.run(inputs)
        if run.packed is None or run.outside != self.outside or not _alike(run.packed._array, y):
            raise GraphError(
                f"{name_of(self.f)} under checkpoint() gave something else when it was run again; it must not draw "
                "random numbers, and what it uses must not change between the forward and the backward pass"
            )
        ends, root = [*map(node_of, inputs), *self.outside], node_of(run.packed)
        seed = g if lift is None or isinstance(g, Tensor) else wrap(np.asarray(g), None)
        arrived = sweep([*self.outside, *run.nodes], {root: seed}, ends=set(ends), lift=lift, selected=[root])
        return [arrived.get(end) for end in ends]


def _packed(tensors: list[Tensor]) -> Tensor | None:
    """Return the Tensors as one, a single one in its own shape."""
    if len(tensors) < 2:
        return tensors[0].reshape(tensors[0].shape) if tensors else None
    dtype = np.result_type(*(tensor.dtype for tensor in tensors))
    packed: Tensor = concatenate(*(tensor.astype(dtype).reshape(-1) for tensor in tensors), axis=0)
    return packed


def _unpacked(packed: Tensor, like: list[Tensor]) -> Iterator[Tensor]:
    """Yield the Tensors that `_packed` joined."""
    if len(like) == 1:
        yield packed
        return
    start = 0
    for tensor in like:
        yield packed[start : start + tensor.size].reshape(tensor.shape).astype(tensor.dtype)
        start += tensor.size


def _alike(again: np.ndarray, first: Value) -> bool:
    """Return whether two runs gave the same, up to what another order of additions does."""
    values = first._array if isinstance(first, Tensor) else first
    if again.shape != values.shape:
        return False
    scale = float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))
    rounding = 1000 * float(np.finfo(values.dtype).eps)
    return bool(np.allclose(again, values, rtol=0, atol=rounding * scale, equal_nan=True))


def _run_again(*operands: Any, segment: _Segment) -> Any:
    packed = segment.run([transient(np.asarray(x)) for x in operands]).packed
    assert packed is not None
    return packed._array


def _all_cotangents(g: Value, y: Value, *operands: Value, segment: _Segment) -> list[Value | None]:
    return segment.cotangents(g, y, operands)


def _rule_of(i: int) -> Rule:
    return lambda g, y, *operands, segment: segment.cotangents(g, y, operands)[i]


_CHECKPOINT = Primitive("checkpoint", _run_again, each(_rule_of), joint=_all_cotangents)
