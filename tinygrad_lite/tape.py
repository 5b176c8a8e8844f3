"""The tape: how a computation is remembered, and the backward sweep over it.

A recorded operation is a `Node`; where gradients arrive is a `Leaf`. Nodes point at the nodes they were computed from
and never back, so a graph dies by reference count with its last user. Every node carries a serial, and creation order
is topological order: collecting a graph is one walk and one sort, and the sweep is one loop.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_lite.anomaly import examine_cotangent, examine_seed
from tinygrad_lite.errors import DefinitionError
from tinygrad_lite.mode import MODE, ModeChange
from tinygrad_lite.primitives import Primitive, zero_kept_zero
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.primitives.primitive import Plan

# ----- Nodes -----

next_serial: Callable[[], int] = itertools.count().__next__
_serial = attrgetter("serial")


class Leaf:
    """Where a gradient arrives: the identity of a Tensor that requires one and was not computed from another."""

    __slots__ = ("dtype", "grad", "is_transient", "name", "serial", "shape", "strides")

    inputs: tuple[()] = ()
    scope = ""

    def __init__(self, data: np.ndarray, name: str | None) -> None:
        self.shape, self.dtype, self.strides = data.shape, data.dtype, data.strides
        self.grad: np.ndarray | None = None
        self.name = name
        self.is_transient = False  # True for the argument of a transform, which nobody can name once it has returned
        self.serial = next_serial()

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Node:
    """One recorded operation.

    `operands` holds what its rules will be called with: the array of an operand that a wanted rule reads, otherwise a
    stand-in with its shape and dtype. `inputs` holds the node each operand came from, None for a constant. `place`, the
    user's file and line, is there only if the mode asked for it.
    """

    __slots__ = (
        "dtype",
        "inputs",
        "operands",
        "output",
        "place",
        "plan",
        "primitive",
        "scope",
        "serial",
        "shape",
        "static",
        "strides",
    )
    place: str

    def __init__(
        self,
        primitive: Primitive,
        static: dict[str, Any],
        plan: Plan,
        inputs: tuple[Node | Leaf | None, ...],
        operands: tuple[Any, ...],
        result: np.ndarray,
        scope: str,
    ) -> None:
        self.primitive = primitive
        self.static = static
        self.plan = plan
        self.inputs = inputs
        self.operands = operands
        self.output = result if plan.keeps_output else None
        self.shape, self.dtype, self.strides = result.shape, result.dtype, result.strides
        self.scope = scope
        self.serial = next_serial()

    @property
    def ndim(self) -> int:
        return len(self.shape)


AnyNode: TypeAlias = Node | Leaf


class Absent(NamedTuple):
    """Stands in for a constant array that no rule reads."""

    shape: tuple[int, ...]
    dtype: np.dtype
    strides: tuple[int, ...]

    @property
    def ndim(self) -> int:
        return len(self.shape)


def tape(*roots: AnyNode, after: int = -1) -> list[AnyNode]:
    """Return the nodes that the roots were computed from, themselves included, in the order of their creation.

    Nodes with a serial of `after` or less are left out, and with them all that only they lead to.
    """
    found = set(roots)
    waiting = list(roots)
    while waiting:
        for node in waiting.pop().inputs:
            if node is not None and node not in found and node.serial > after:
                found.add(node)
                waiting.append(node)
    return sorted(found, key=_serial)


# ----- The backward sweep -----

Lift: TypeAlias = Callable[[Value, AnyNode | None], Value]
"""Turns an array and the node it came from, None for a constant, into a Tensor, so that a sweep is itself recorded."""


def leading_to(targets: Iterable[AnyNode], nodes: list[AnyNode]) -> list[AnyNode]:
    """Return those of `nodes`, given in order of creation, that are targets or were computed from one."""
    found = set(targets)
    for node in nodes:
        if node not in found and not found.isdisjoint(node.inputs):
            found.add(node)
    return [node for node in nodes if node in found]


def sweep(
    nodes: list[AnyNode],
    cotangents: Mapping[AnyNode, Value],
    *,
    ends: set[AnyNode] | None = None,
    lift: Lift | None = None,
    selected: Iterable[AnyNode] = (),
) -> dict[AnyNode, Value]:
    """Carry cotangents from the nodes they are given for back to the ends, and return what arrives at each.

    `nodes` stand in the order of their creation. The ends are the leaves, or the nodes named. With `lift` the rules
    run on Tensors, and what arrives can be differentiated again; without, it is an array shared with nothing else.
    The nodes that are `selected` from by something beyond them meet 0 · ∞ = 0, as behind an operation that selects.
    But for ownership, poles and broadcasting, which are looked after here once for all rules, this is:

        for node in reversed(nodes):
            g = pending.pop(node)
            for rule, parent in its operands:
                pending[parent] += rule(g, output, *operands)
    """
    members = None if ends is None else set(nodes)
    pending = dict(cotangents)
    owned: set[AnyNode] = set()  # nodes whose pending cotangent is an array that nothing else refers to
    masked = set(selected)  # what lies behind an operation that selects: there 0 · ∞ is 0
    mode = MODE.get()
    anomaly, capture = mode.anomaly_of_cotangents, mode.capture
    if capture is not None and lift is None:
        return capture.swept(nodes, cotangents, ends, selected)  # type: ignore[no-any-return]  # as declared there
    if anomaly is not None:
        for cotangent in cotangents.values():
            examine_seed(anomaly, cotangent)
    with np.errstate(all="ignore") if anomaly is None else _examined_afterwards():
        for node in reversed(nodes):
            if isinstance(node, Leaf) or (ends is not None and node in ends):
                continue  # what is pending here has arrived
            g = pending.pop(node, None)
            if g is None:  # it was used only where there is no derivative
                continue
            primitive = node.primitive
            if capture is not None:
                capture.arrived(node, g)
                capture.sweeping(node)
            output, operands = (node.output, node.operands) if lift is None else _lifted(node, lift)
            inputs, static, is_behind = node.inputs, node.static, node in masked
            is_guarded = primitive.poles or (is_behind and primitive.is_elementwise)
            is_masked = is_behind or primitive.selects
            jointly = None if primitive.joint is None else primitive.joint(g, output, *operands, **static)
            for i, rule in node.plan.rules:
                parent: AnyNode = inputs[i]  # type: ignore[assignment]  # rules are wanted for nodes only
                if members is not None and parent not in members:
                    continue
                gx = rule(g, output, *operands, **static) if jointly is None else jointly[i]
                if gx is None:  # nothing arrives there
                    continue
                if is_guarded and gx is not g and gx.shape == g.shape:
                    gx = zero_kept_zero(g, gx)
                if is_masked:
                    masked.add(parent)
                if gx.shape != parent.shape:
                    gx = _summed_to(parent.shape, gx, primitive, i)
                if gx.dtype is not parent.dtype and gx.dtype != parent.dtype:
                    gx = gx.astype(parent.dtype)
                if parent not in pending:
                    pending[parent] = gx
                    if lift is None and gx is not g and gx.base is None:
                        owned.add(parent)
                elif parent in owned:
                    pending[parent] += gx  # in place, but for a NumPy scalar
                else:
                    pending[parent] = pending[parent] + gx
                    if lift is None:
                        owned.add(parent)
                if anomaly is not None:
                    examine_cotangent(anomaly, node, i, g, pending[parent])
    if capture is not None:
        capture.sweeping(None)
        for end, g in pending.items():
            capture.arrived(end, g)
    if lift is not None:
        return pending
    return {end: np.asarray(g, order="C") if end in owned else np.array(g, order="C") for end, g in pending.items()}


@contextmanager
def _examined_afterwards() -> Iterator[None]:
    """Let rules meet infinities that the engine takes out again; what comes out of them is examined instead."""
    with np.errstate(all="ignore"), ModeChange(anomaly=None):
        yield


def _lifted(node: Node, lift: Lift) -> tuple[Value, list[Value]]:
    """Return the output and the operands of `node` as Tensors that remember where they came from."""
    output = None if node.output is None else lift(node.output, node)
    operands = [
        lift(value, parent) if type(value) is np.ndarray else value
        for value, parent in zip(node.operands, node.inputs, strict=True)
    ]
    return output, operands


def _summed_to(shape: tuple[int, ...], g: Value, primitive: Primitive, operand: int) -> Value:
    """Sum the cotangent of a broadcast operand back to the operand's shape."""
    added = g.ndim - len(shape)
    total = np.add.reduce(g, axis=tuple(range(added))) if added > 0 else g
    if total.shape != shape and added >= 0:
        total = np.add.reduce(total, axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)
    if total.shape != shape:
        raise DefinitionError(
            f"{primitive.name}: the rule of operand {operand} gave a cotangent of shape {g.shape} "
            f"for an operand of shape {shape}"
        )
    return total
