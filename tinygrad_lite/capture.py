"""Capture: every operation of a call written down, so that the whole computation can be drawn, priced and run again.

    with capturing(Capture()) as capture:
        loss = f(capture.given(x, "x"))
    capture.steps                            # in order of creation; operands are positions of earlier steps

While a call is captured, a value is known by its array: whatever a Tensor wraps, detaches or hands on, the array says
which step computed it. So every result is an array of its own, and all of them are kept to the end. A Tensor that was
there before is a *cell*: a parameter if it requires a gradient, otherwise state. What is assigned to it is an effect,
and its value from then on; where gradients arrive stays the cell. Random generators are cells too, moved on by draws.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.anomaly import user_place
from tinygrad_lite.errors import GraphError
from tinygrad_lite.mode import MODE, ModeChange
from tinygrad_lite.primitives import Primitive, contiguous, stop_gradient
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.steps import Kind, Step, Update
from tinygrad_lite.tape import AnyNode, Leaf, Node, sweep
from tinygrad_lite.tensor import Array, Tensor, wrap


class _Cell(NamedTuple):
    """A Tensor as it was before the call."""

    position: int
    array: Array
    node: AnyNode | None


class Capture:
    """What happens in a call, as it happens. `Mode.capture` makes recording, assigning and sweeping tell it."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.steps: list[Step] = list(steps)
        self.positions: dict[int, int] = {}
        """Which step an array is the value of, by its identity; `steps` and `_kept` keep the arrays alive."""
        self.nodes: dict[AnyNode, int] = {}
        """Which step a node of the tape belongs to."""
        self.cotangents: list[tuple[int, int]] = []
        """Pairs of a value and its whole cotangent, in the order in which sweeps came by."""
        self._cells: dict[Tensor, _Cell] = {}
        self._local: dict[Tensor, int] = {}
        self._gradients: dict[Leaf, Array | None] = {}
        self._own: dict[int, tuple[Array, Array]] = {}
        self._assigned: dict[int, int] = {}
        """Which step the array of a parameter is the value of that was assigned to it, by the array's identity."""
        self._kept: list[Array] = []
        self._plain: set[int] = set()
        """The values that are no Tensors in eager execution, but gradients and what is made of them alone."""
        self.refusal: str | None = None
        """What was refused last, for it would make a constant of what is captured; the call may go on all the same."""
        self._through: int | None = None
        self._generators: dict[np.random.BitGenerator, Any] = {}
        """The states that generators had before they were drawn from."""
        for position, step in enumerate(self.steps):
            if isinstance(step.array, np.ndarray):
                self.positions.setdefault(id(step.array), position)

    # ----- Where computations begin -----

    def given(self, tensor: Tensor, name: str | None) -> Tensor:
        """Take `tensor` for an argument of the call."""
        if tensor not in self._cells:
            kind: Kind = "parameter" if isinstance(tensor._node, Leaf) else "input"
            self._add_cell(tensor, kind, tensor.name or name, tensor._node)
        return tensor

    def made(self, tensor: Tensor) -> None:
        """Take a Tensor that the call makes for its own, a constant if its array is not known yet."""
        position = self.positions.get(id(tensor._array))
        self._local[tensor] = self._add(Step("constant", tensor._array)) if position is None else position
        if tensor._node is not None:
            self.nodes[tensor._node] = self._local[tensor]

    def begins(self, tensor: Tensor) -> None:
        """Note that `tensor` has become a leaf: a parameter, unless it stands for a value that is known otherwise."""
        position = self._local.get(tensor)
        if position is None:
            known = self._cells.get(tensor)
            position = self.positions.get(id(tensor._array)) if known is None else known.position
            if position is None or (known is None and self.steps[position].kind != "operation"):
                position = self._add_cell(tensor, "parameter", tensor.name, None)
        if self.steps[position].kind in ("constant", "state"):
            self.steps[position].kind = "parameter"
        self.nodes[tensor._node] = position  # type: ignore[index]  # it has just got one

    def knows(self, array: Array) -> bool:
        """Return whether an array is a value of the call."""
        return id(array) in self.positions

    def copied(self, data: Tensor | Array, dtype: np.dtype[Any] | None) -> Array:
        """Return an array of its own, of `dtype` if one is given, for a Tensor that is made of another's values."""
        position = self.position_of(data)
        tensor = data if isinstance(data, Tensor) else wrap(self.steps[position].array, None)
        wanted = (tensor.dtype if dtype is None else dtype).newbyteorder("=")
        if tensor.dtype != wanted:
            tensor = tensor.astype(wanted)
        if not tensor._array.flags.c_contiguous:
            tensor = contiguous(tensor.detach())
        position = self.position_of(tensor)
        if position in self._plain or self.steps[position].kind in ("parameter", "operation"):
            copy: Tensor = stop_gradient(tensor.detach())  # for gradients of the copy do not flow on
            self._plain.discard(self.position_of(copy))
            return copy._array
        view = tensor._array.view()
        self._kept.append(view)
        self.positions[id(view)] = position
        return view

    def detached(self, tensor: Tensor, result: Tensor) -> None:
        """Note that `result` stands for the value of `tensor`, a constant if that was computed before the call."""
        if isinstance(tensor._node, Node) and tensor._node not in self.nodes:
            self.made(result)
        else:
            self._local[result] = self.position_of(tensor)

    def position_of(self, value: Any) -> int:
        """Return the position of a Tensor, an array or a number; what is not known yet becomes a cell or a constant."""
        if type(value) is Tensor:
            return self._position_of_tensor(value)
        if isinstance(value, np.ndarray | np.generic):
            known = self.positions.get(id(value), self._assigned.get(id(value)))
            return self.positions[id(self._owned(np.asarray(value)))] if known is None else known
        return self._add(Step("constant", value))

    def _position_of_tensor(self, tensor: Tensor) -> int:
        node, position = tensor._node, self.positions.get(id(tensor._array))
        if node is None:
            return self._add_cell(tensor, "state", tensor.name, None) if position is None else position
        if node not in self.nodes:
            if isinstance(node, Node):
                raise GraphError(
                    f"a Tensor of shape {tensor.shape}, made by {node.primitive.name} before the traced call or in "
                    "another thread, is used in it, and gradients would end there; compute it inside, or .detach() it"
                )
            return self._add_cell(tensor, "parameter", tensor.name, node)
        if position is None:  # it was assigned to, and is read for the first time since
            source = self._assigned[id(tensor._array)]
            position = self._add(Step("operation", tensor._array, stop_gradient, (source,), value_of=self.nodes[node]))
        return position

    def _add_cell(self, tensor: Tensor, kind: Kind, name: str | None, node: AnyNode | None) -> int:
        """Add a Tensor that was there before, with an array of its own, which others may share with it."""
        before = tensor._array
        if id(before) in self.positions:
            tensor._array = before.view()
        position = self._add(Step(kind, tensor._array, name=name))
        self._cells[tensor] = _Cell(position, before, node)
        if node is not None:
            self.nodes[node] = position
        return position

    def _owned(self, array: Array) -> Array:
        """Return the copy that stands for an array of the user's own, a new one if that has been written to."""
        known = self._own.get(id(array))
        if known is None or not same_numbers(known[1], array):
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
        sources = [
            x if type(x) is Tensor or id(x) in self.positions else v for x, v in zip(operands, values, strict=True)
        ]
        inputs = tuple(map(self.position_of, sources))
        weak = frozenset(i for i, x in enumerate(sources) if x is not values[i] and type(values[i]) is not np.ndarray)
        carries = frozenset(i for i, x in enumerate(sources) if recording and type(x) is Tensor and x._node is not None)
        if id(result) in self.positions:
            result = result.view()
        position = self._add_operation(Step("operation", result, primitive, inputs, static, weak, carries))
        if all(type(x) is not Tensor or i in self._plain for x, i in zip(sources, inputs, strict=True)):
            self._plain.add(position)
        kept = [self.steps[i].array for i in inputs]
        return kept, result

    def drawn(self, primitive: Primitive, static: dict[str, Any]) -> Tensor:
        """Draw random numbers, and write down that they are drawn."""
        rng: np.random.Generator = static["rng"]
        self._generators.setdefault(rng.bit_generator, rng.bit_generator.state)
        step = Step("operation", None, primitive, static=static, drawn_from=deepcopy(rng))
        step.array = primitive.forward(**static)
        self._add_operation(step)
        return wrap(step.array, None)

    def _add_operation(self, step: Step) -> int:
        """Add an operation as a step of the user's code, or of the way back through another operation."""
        if self._through is None:
            step.scope, step.place = MODE.get().scope, user_place()
        else:
            step.back_through, through = self._through, self.steps[self._through]
            step.scope, step.place = through.scope, through.place
        return self._add(step)

    def as_plain(self, tensor: Tensor) -> Tensor:
        """Return a Tensor that stands for what eager execution gives out as an array or a number of NumPy's."""
        self._plain.add(self.position_of(tensor))
        return tensor

    def is_plain(self, position: int) -> bool:
        """Return whether eager execution gives out a value as an array or a number of NumPy's."""
        return position in self._plain

    def beside_tensors(self, operands: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Return operands with plain values as NumPy's, as they are beside a Tensor; None if there is no Tensor."""
        plain = [type(x) is not Tensor or self.positions.get(id(x._array)) in self._plain for x in operands]
        if all(plain):
            return None
        return tuple(
            x._array[()] if is_plain and type(x) is Tensor else x for x, is_plain in zip(operands, plain, strict=True)
        )

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
        return self.tensor_of(self.position_of(value), is_strong=node is not None)

    def tensor_of(self, position: int, is_strong: bool) -> Tensor:
        """Return a Tensor for a value; one that is strong counts as an array of its dtype even without axes."""
        array = self.steps[position].array
        if not is_strong:
            return wrap(array, None)
        leaf = Leaf(array, None)
        self.nodes[leaf] = position
        return wrap(array, leaf)

    def sweeping(self, node: AnyNode | None) -> None:
        """Take what is computed from here on for the way back through `node`; through nothing, once a sweep ended."""
        if node is not None and node not in self.nodes:
            raise GraphError(
                "a backward sweep in a traced call reached what was computed before the call or in another thread; "
                "compute it inside, or .detach() it"
            )
        self._through = None if node is None else self.nodes[node]

    def arrived(self, node: AnyNode, cotangent: Value) -> None:
        """Note that all of the cotangent of `node` is there."""
        if node in self.nodes:
            self.cotangents.append((self.nodes[node], self.position_of(cotangent)))

    # ----- Effects -----

    def assigned(self, tensor: Tensor, value: Tensor | Array) -> Array:
        """Note, before it happens, that `value` is assigned to `tensor`; return the array that it then has."""
        source = self.position_of(value)
        view: Array = self.steps[source].array.view()
        is_leaf = isinstance(tensor._node, Leaf)
        if tensor not in self._local and tensor not in self._cells and (is_leaf or self._is_alias(tensor)):
            self._add_cell(tensor, "parameter" if is_leaf else "state", tensor.name, tensor._node)
        self._kept.append(view)
        (self._assigned if is_leaf else self.positions)[id(view)] = source
        return view

    def _is_alias(self, tensor: Tensor) -> bool:
        """Return whether a Tensor was there before: unknown, or sharing the array of a cell."""
        position = self.positions.get(id(tensor._array))
        return position is None or self.steps[position].kind in ("parameter", "state", "input")

    def gradient_of(self, leaf: Leaf) -> Tensor | None:
        """Return the gradient of a leaf as a Tensor; one that was there before the call is state."""
        if leaf.grad is None:
            return None
        gradient = wrap(leaf.grad, None)
        if id(leaf.grad) not in self.positions:
            gradient.name = f"{leaf.name}.grad" if leaf.name else None
        return self.as_plain(gradient)

    def leave(self, leaf: Leaf, gradient: Tensor | Array | None) -> None:
        """Set the gradient of a leaf."""
        self._gradients.setdefault(leaf, leaf.grad)
        leaf.grad = None if gradient is None else self.steps[self.position_of(gradient)].array

    def add_gradient(self, leaf: Leaf, gradient: Array) -> None:
        """Add to the gradient of a leaf what a sweep has brought."""
        before = self.gradient_of(leaf)
        self.leave(leaf, gradient if before is None else before + wrap(gradient, None))

    def effects(self) -> list[Update]:
        """Return what the call has changed: gradients left, then cells assigned to, each in the order of its steps."""
        found = [
            Update(self.nodes[leaf], self.positions[id(leaf.grad)], "gradient")
            for leaf, before in self._gradients.items()
            if leaf.grad is not None and leaf.grad is not before and not leaf.is_transient
        ]
        for tensor, cell in self._cells.items():
            if tensor._array is not self.steps[cell.position].array:
                now = id(tensor._array)
                source = self._assigned[now] if now in self._assigned else self.positions[now]
                found.append(Update(cell.position, source, "value"))
        return found

    def cells(self) -> dict[Tensor, int]:
        """Return the Tensors that were there before and were used, each with the position of its value."""
        return {tensor: cell.position for tensor, cell in self._cells.items()}

    def arrays_met(self) -> list[tuple[weakref.ref[Array], int]]:
        """Let go of the user's own arrays that were computed with; return each with the position of the copy of it.

        Those that are still there outlive the call, the others were made in it.
        """
        met = [(weakref.ref(array), self.positions[id(copy)]) for array, copy in self._own.values()]
        self._own.clear()
        return met

    def changed_leaves(self) -> list[Tensor]:
        """Return the Tensors of before the call that it made to require a gradient, or not to."""
        return [tensor for tensor, cell in self._cells.items() if tensor._node is not cell.node]

    def gradients_left(self) -> dict[Leaf, int | None]:
        """Return the position of each gradient that the call has left, None where it has taken one away."""
        return {
            leaf: None if leaf.grad is None else self.positions[id(leaf.grad)]
            for leaf, before in self._gradients.items()
            if leaf.grad is not before and not leaf.is_transient
        }

    def finish(self) -> None:
        """Take over the names that were given meanwhile, and give all that was there before back what it held."""
        for tensor, position in self._local.items():
            if self.steps[position].kind != "operation":
                self.steps[position].name = self.steps[position].name or tensor.name
        for tensor, cell in self._cells.items():
            tensor._array, tensor._node = cell.array, cell.node
        for leaf, gradient in self._gradients.items():
            leaf.grad = gradient
        for generator, state in self._generators.items():
            generator.state = state


def same_numbers(a: Array, b: Array) -> bool:
    """Return whether two arrays of one shape hold the same numbers, signs of zero included."""
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    return np.array_equal(a, b, equal_nan=True) and np.array_equal(np.signbit(a), np.signbit(b))


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
