"""Capture: every operation of a call written down, so that the whole computation can be drawn, priced and run again.

    with capturing(Capture()) as capture:
        loss = f(capture.given(x, "x"))
    capture.steps                            # in order of creation; operands are positions of earlier steps

While a call is captured, a value is known by its array: whatever a Tensor wraps, detaches or hands on, the array says
which step computed it. So every result is an array of its own, and all of them are kept to the end. A Tensor that was
there before is a *cell*: a parameter if it requires a gradient, otherwise state. What is assigned to it is an effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from tinygrad_lite.anomaly import user_place
from tinygrad_lite.errors import GraphError
from tinygrad_lite.mode import MODE, ModeChange
from tinygrad_lite.primitives import Primitive, contiguous
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.tape import AnyNode, Leaf, sweep
from tinygrad_lite.tensor import Array, Tensor, wrap

Kind: TypeAlias = Literal["operation", "parameter", "input", "state", "constant"]


@dataclass(slots=True)
class Step:
    """One value of a captured call: the result of an operation, or where a computation begins."""

    kind: Kind
    array: Any
    """Its values; a stand-in with shape, dtype and strides for what a tape did not keep; the number of a constant."""
    operation: Primitive | None = None
    inputs: tuple[int, ...] = ()
    """The position of each operand."""
    static: Mapping[str, Any] = field(default_factory=dict)
    weak: frozenset[int] = frozenset()
    """Which operands count as Python numbers, that do not widen the dtype."""
    carries: frozenset[int] = frozenset()
    """Which operands a gradient flows back to: not to what was detached, nor where nothing was recorded."""
    scope: str = ""
    name: str | None = None
    place: str = ""
    back_through: int | None = None
    """In a sweep: the position of the operation whose rule computed this."""


class Effect(NamedTuple):
    """What a captured call changed: the cell at `target` has the value of `source`, or gets it for its gradient."""

    target: int
    source: int
    what: Literal["value", "gradient"]


class Capture:
    """What happens in a call, as it happens. `Mode.capture` makes recording, assigning and sweeping tell it."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.steps: list[Step] = list(steps)
        self.positions: dict[int, int] = {}
        """Which step an array is the value of, by its identity; `steps` keeps the arrays alive."""
        self.nodes: dict[AnyNode, int] = {}
        """Which step a node of the tape belongs to."""
        self.cotangents: list[tuple[int, int]] = []
        """Pairs of a value and its whole cotangent, in the order in which sweeps came by."""
        self._cells: dict[Tensor, int] = {}
        self._made: dict[Tensor, int] = {}
        self._gradients: dict[Leaf, Array | None] = {}
        self._own: dict[int, tuple[Array, Array]] = {}
        self._through: int | None = None
        for position, step in enumerate(self.steps):
            if isinstance(step.array, np.ndarray):
                self.positions.setdefault(id(step.array), position)

    # ----- Where computations begin -----

    def given(self, tensor: Tensor, name: str | None) -> Tensor:
        """Take `tensor` for an argument of the call."""
        if id(tensor._array) not in self.positions:
            kind: Kind = "parameter" if isinstance(tensor._node, Leaf) else "input"
            self._add(Step(kind, tensor._array, name=tensor.name or name))
        self._cells.setdefault(tensor, self.positions[id(tensor._array)])
        return tensor

    def made(self, tensor: Tensor) -> None:
        """Take a Tensor that the call makes of plain numbers for a constant, or for a parameter of its own."""
        if id(tensor._array) not in self.positions:
            is_parameter = isinstance(tensor._node, Leaf) and not tensor._node.is_transient
            self._made[tensor] = self._add(Step("parameter" if is_parameter else "constant", tensor._array))

    def position_of(self, value: Any) -> int:
        """Return the position of a Tensor, an array or a number; what is not known yet becomes a cell or a constant."""
        if type(value) is Tensor:
            return self._position_of_tensor(value)
        if isinstance(value, np.ndarray):
            known = self.positions.get(id(value))
            return self.positions[id(self._owned(value))] if known is None else known
        return self._add(Step("constant", value))

    def _position_of_tensor(self, tensor: Tensor) -> int:
        position = self.positions.get(id(tensor._array))
        leaf = tensor._node if isinstance(tensor._node, Leaf) else None
        if position is None:
            kind: Kind = "parameter" if leaf else "state" if tensor._node is None else "constant"
            position = self._add(Step(kind, tensor._array, name=tensor.name))
            self._cells[tensor] = position
        elif leaf and self.steps[position].kind == "state":  # it was met detached, without its name
            self.steps[position].kind, self.steps[position].name = "parameter", tensor.name
            self._cells[tensor] = position
        if tensor._node is not None:
            self.nodes.setdefault(tensor._node, position)
        return position

    def _owned(self, array: Array) -> Array:
        """Return the copy that stands for an array of the user's own, a new one if that has been written to."""
        known = self._own.get(id(array))
        if known is None or not np.array_equal(known[1], array, equal_nan=array.dtype.kind == "f"):
            known = self._own[id(array)] = array, array.copy(order="K")
            self._add(Step("constant", known[1]))
        return known[1]

    def _add(self, step: Step) -> int:
        self.steps.append(step)
        if isinstance(step.array, np.ndarray):
            self.positions[id(step.array)] = len(self.steps) - 1
        return len(self.steps) - 1

    # ----- Operations -----

    def computed(
        self,
        primitive: Primitive,
        operands: tuple[Any, ...],
        values: list[Any],
        static: dict[str, Any],
        result: Array,
        recording: bool,
    ) -> tuple[list[Any], Array]:
        """Write an operation down; return its operands as a node is to keep them, and its result as its own array."""
        sources = [x if type(x) is Tensor else value for x, value in zip(operands, values, strict=True)]
        inputs = tuple(map(self.position_of, sources))
        weak = frozenset(i for i, x in enumerate(sources) if type(x) is Tensor and type(values[i]) is not np.ndarray)
        carries = frozenset(i for i, x in enumerate(sources) if recording and type(x) is Tensor and x._node is not None)
        if id(result) in self.positions:
            result = result.view()
        step = Step("operation", result, primitive, inputs, static, weak, carries, MODE.get().scope)
        if self._through is None:
            step.place = user_place()
        else:
            step.back_through, step.scope = self._through, self.steps[self._through].scope
            step.place = self.steps[self._through].place
        self._add(step)
        kept = [self.steps[i].array for i in inputs]
        return kept, result

    def recorded(self, tensor: Tensor) -> None:
        """Remember which step the node of a result is."""
        if tensor._node is not None:
            self.nodes[tensor._node] = self.positions[id(tensor._array)]

    # ----- Sweeps -----

    def swept(
        self,
        nodes: list[AnyNode],
        cotangents: Mapping[AnyNode, Value],
        ends: set[AnyNode] | None,
        selected: Iterable[AnyNode],
    ) -> dict[AnyNode, Value]:
        """Carry cotangents back as `sweep` does on arrays, with every step of it written down."""
        with ModeChange(record=True):
            seeds = {node: self._lift(np.asarray(g), node) for node, g in cotangents.items()}
            arrived = sweep(nodes, seeds, ends=ends, lift=self._lift, selected=selected)
            return {end: self._handed_out(end, g)._array for end, g in arrived.items()}

    def _handed_out(self, end: AnyNode, gradient: Value) -> Tensor:
        """Return what arrived at an end in the memory order in which all gradients are handed out."""
        found = gradient if type(gradient) is Tensor else self._lift(gradient, None)
        if found._array.flags.c_contiguous:
            return found
        copied: Tensor = contiguous(found)
        pair = self.nodes[end], self.position_of(found)
        self.cotangents[self.cotangents.index(pair)] = self.nodes[end], self.position_of(copied)
        return copied

    def _lift(self, value: Array, node: AnyNode | None) -> Tensor:
        """Return a Tensor over an array; not a constant's counts as an array even without axes, as in other sweeps."""
        array = self.steps[self.position_of(value)].array
        return wrap(array, None if node is None else Leaf(array, None))

    def sweeping(self, node: AnyNode | None) -> None:
        """Take what is computed from here on for the way back through `node`; through nothing, once a sweep ended."""
        self._through = None if node is None else self.nodes.get(node)

    def arrived(self, node: AnyNode, cotangent: Value) -> None:
        """Note that all of the cotangent of `node` is there."""
        if node in self.nodes:
            self.cotangents.append((self.nodes[node], self.position_of(cotangent)))

    # ----- Effects -----

    def assigned(self, tensor: Tensor, value: Tensor | Array) -> Array:
        """Note, before it happens, that `value` is assigned to `tensor`; return the array that stands for it."""
        self._cells.setdefault(tensor, self.position_of(tensor))
        array: Array = self.steps[self.position_of(value)].array
        return array

    def gradient_of(self, leaf: Leaf) -> Tensor | None:
        """Return the gradient of a leaf as a Tensor; one that was there before the call is state."""
        if leaf.grad is None:
            return None
        gradient = wrap(leaf.grad, None)
        if id(leaf.grad) not in self.positions:
            gradient.name = f"{leaf.name}.grad" if leaf.name else None
            self.position_of(gradient)
        return gradient

    def leave(self, leaf: Leaf, gradient: Tensor | Array | None) -> None:
        """Set the gradient of a leaf."""
        self._gradients.setdefault(leaf, leaf.grad)
        leaf.grad = None if gradient is None else self.steps[self.position_of(gradient)].array

    def add_gradient(self, leaf: Leaf, gradient: Array) -> None:
        """Add to the gradient of a leaf what a sweep has brought."""
        before = self.gradient_of(leaf)
        self.leave(leaf, gradient if before is None else before + gradient)

    def effects(self) -> list[Effect]:
        """Return what the call has changed: gradients left, then cells assigned to, each in the order of its steps."""
        found = [
            Effect(self.nodes[leaf], self.positions[id(leaf.grad)], "gradient")
            for leaf, before in self._gradients.items()
            if leaf.grad is not None and leaf.grad is not before and leaf in self.nodes
        ]
        found += [
            Effect(position, self.positions[id(cell._array)], "value")
            for cell, position in self._cells.items()
            if self.positions[id(cell._array)] != position
        ]
        return found

    def finish(self) -> None:
        """Take over the names that were given meanwhile, and give cells and gradients back what they held before."""
        for tensor, position in self._made.items():
            self.steps[position].name = tensor.name
        for cell, position in self._cells.items():
            cell._array = self.steps[position].array
        for leaf, gradient in self._gradients.items():
            leaf.grad = gradient


@contextmanager
def capturing(capture: Capture) -> Iterator[Capture]:
    """Write down what is computed inside, and leave every Tensor as it was; raises GraphError inside of another."""
    if MODE.get().capture is not None:
        raise GraphError("a call is being traced already; trace the whole once, for functions inside belong to it")
    with ModeChange(capture=capture):
        try:
            yield capture
        finally:
            capture.finish()
