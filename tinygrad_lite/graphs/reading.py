"""Where a Graph comes from: the tape behind a Tensor, or the captured call of a function."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.array_interface import supported_dtype
from tinygrad_lite.capture import Capture, capturing
from tinygrad_lite.errors import ArgumentError, GraphError
from tinygrad_lite.graphs.labels import settings
from tinygrad_lite.graphs.recorded import Graph, GraphNode
from tinygrad_lite.graphs.scopes import path_to
from tinygrad_lite.nested import leaves_of, map_leaves, paths_of
from tinygrad_lite.primitives import named
from tinygrad_lite.steps import Step, Update
from tinygrad_lite.tape import Absent, AnyNode, Leaf, tape
from tinygrad_lite.tensor import Tensor, plain_array, wrap


def graph(tensor: Tensor) -> Graph:
    """Return the computation recorded behind `tensor`; without a history it is a single constant.

    Raises ArgumentError for anything but a Tensor.

    >>> import tinygrad_lite as tg
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> print(tg.graph((2 * w).sum()))
    %0 = parameter w  2 float64
    %1 = constant 2
    %2 = multiply(%1, %0)  2 float64
    %3 = sum(%2)  scalar float64
    """
    if not isinstance(tensor, Tensor):
        remedy = "; trace a function with tg.trace(f, *arguments)" if callable(tensor) else ""
        raise ArgumentError(f"graph() reads what is recorded behind a Tensor, got {type(tensor).__name__}{remedy}")
    if tensor._node is None:
        return graph_of([Step("constant", tensor._array, name=tensor.name)], (0,))
    reader = _TapeReader()
    for node in tape(tensor._node):
        reader.read(node)
    return graph_of(reader.steps, (len(reader.steps) - 1,))


def trace(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Graph:
    """Return the whole computation of `f(*args, **kwargs)`: also what needs no gradient, its sweeps, its effects.

    Arrays and Tensors among the arguments, nested ones too, are its inputs, under the names of the parameters of `f`;
    everything else, numbers too, is handed over as it is. Tensors that were there before, such as the parameters of a
    network or the state of an optimizer, are parameters and state, and what is assigned to them is an update. When the
    call has returned, all of them hold again what they held before: to trace a training step does not train. Every node
    knows the line of the user's code. Raises DetachError where the computation would depend on the numbers, as in a
    branch, and GraphError for Tensors with a history of before the call. What other threads do is not seen, and random
    numbers are constants, unless `tg.uniform` or `tg.normal` draw them.

    >>> import numpy as np, tinygrad_lite as tg
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> print(tg.trace(lambda x: np.tanh(x @ w), np.ones((3, 2))))
    %0 = input x  3×2 float64
    %1 = parameter w  2 float64
    %2 = matmul(%0, %1)  3 float64
    %3 = tanh(%2)  3 float64
    """
    if not callable(f):
        remedy = "; tg.graph(tensor) reads what led to a Tensor" if isinstance(f, Tensor) else ""
        raise ArgumentError(f"trace() takes a function and its arguments, got {type(f).__name__}{remedy}")
    capture = Capture()
    with capturing(capture):
        given = [_inputs(argument, name, capture) for argument, name in zip(args, _names(f, args), strict=True)]
        named_ones = {name: _inputs(argument, name, capture) for name, argument in kwargs.items()}
        result = f(*given, **named_ones)
        outputs = [capture.position_of(leaf) for leaf in leaves_of(result) if _is_value(leaf)]
        effects = capture.effects()
    if not outputs and not effects:
        raise ArgumentError(
            f"{getattr(f, '__name__', f)} returned {result!r} and assigned nothing, so there is nothing to look at; "
            "return the Tensors that it computes"
        )
    return graph_of(capture.steps, tuple(outputs), effects, capture.cotangents)


def graph_of(
    steps: Sequence[Step],
    outputs: tuple[int, ...],
    updates: Sequence[Update] = (),
    cotangents: Sequence[tuple[int, int]] = (),
) -> Graph:
    """Return steps as a Graph, each parameter and constant in the scope it belongs to."""
    users: list[dict[str, None]] = [{} for _ in steps]
    for step in steps:
        for source in step.inputs:
            users[source][step.scope] = None
    nodes = (_node(i, step, list(scopes)) for i, (step, scopes) in enumerate(zip(steps, users, strict=True)))
    return Graph(tuple(nodes), outputs, tuple(updates), tuple(cotangents))


def _node(position: int, step: Step, users: list[str]) -> GraphNode:
    is_array = hasattr(step.array, "shape")
    number = step.array if not is_array else step.array.item() if _is_known_number(step) else None
    if number != number:
        number = math.nan  # the one that is equal to itself in a tuple, so that graphs are
    return GraphNode(
        id=position,
        kind=step.kind,
        shape=step.array.shape if is_array else (),
        dtype=step.array.dtype if is_array else None,
        scope=step.scope if step.kind == "operation" else _home(step.name, users),
        primitive=None if step.operation is None else step.operation.name,
        name=step.static["name"] if step.operation is named else step.name,
        value=number,
        inputs=step.inputs,
        settings=settings(step.static),
        place=step.place,
        back_through=step.back_through,
        value_of=step.value_of,
        drawn_from=step.drawn_from,
        static=step.static,
        operation=step.operation,
        array=step.array,
        weak=step.weak,
        carries=step.carries,
    )


def _is_known_number(step: Step) -> bool:
    return step.kind == "constant" and isinstance(step.array, np.ndarray) and not step.array.ndim


def _home(name: str | None, scopes: list[str]) -> str:
    """Return the scope of a parameter or constant that is used in `scopes`: the one its dotted name says.

    `layers.0.weight` stays in `layers.0` although the penalty outside reads it too, and `x` stays outside. What has no
    name, or whose name speaks of other scopes, goes to the innermost scope that holds every use.
    """
    owner = (name or "").rpartition(".")[0]
    if name and (not owner or any(f"{scope}.".startswith(f"{owner}.") for scope in scopes)):
        return owner
    common = path_to(scopes[0]) if scopes else []
    for scope in scopes[1:]:
        around = set(path_to(scope))
        common = [outer for outer in common if outer in around]
    return common[-1] if common else ""


# ----- The tape -----


class _TapeReader:
    """Collects the steps behind the nodes of a tape, each array that they share once."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.positions: dict[AnyNode, int] = {}
        # Keyed by identity, which never leaves this object; the tape keeps the arrays alive meanwhile.
        self.arrays: dict[int, int] = {}

    def add(self, step: Step) -> int:
        self.steps.append(step)
        return len(self.steps) - 1

    def read(self, node: AnyNode) -> None:
        if isinstance(node, Leaf):
            self.positions[node] = self.add(Step("parameter", _stand_in(node), name=node.name))
            return
        inputs = tuple(map(self.operand, node.operands, node.inputs))
        array = _stand_in(node) if node.output is None else node.output
        self.positions[node] = self.add(
            Step(
                "operation",
                array,
                node.primitive,
                inputs,
                node.static,
                carries=frozenset(i for i, source in enumerate(node.inputs) if source is not None),
                scope=node.scope,
                place=getattr(node, "place", ""),
            )
        )

    def operand(self, operand: Any, source: AnyNode | None) -> int:
        if source is not None:
            step = self.steps[self.positions[source]]
            if isinstance(operand, np.ndarray):
                if isinstance(step.array, np.ndarray) and step.array is not operand:
                    raise GraphError(
                        f"{step.name or 'a parameter'} was assigned to between the operations of this graph; read the "
                        "graph of one step, or trace the steps with tg.trace, which knows of assignments"
                    )
                step.array = operand
            return self.positions[source]
        if not isinstance(operand, np.ndarray):
            return self.add(Step("constant", operand))
        if id(operand) not in self.arrays:
            self.arrays[id(operand)] = self.add(Step("constant", operand))
        return self.arrays[id(operand)]


def _stand_in(node: AnyNode) -> Absent:
    return Absent(node.shape, node.dtype, node.strides)


# ----- Arguments and results -----


def _names(f: Callable[..., Any], args: tuple[Any, ...]) -> list[str]:
    """Return what `f` calls each of its arguments, its position where it has no name for it."""
    try:
        bound = inspect.signature(f).bind_partial(*args)
    except (TypeError, ValueError):  # it has no signature, or the call itself will say what is wrong with it
        return [f"argument{i}" for i in range(len(args))]
    names: list[str] = []
    for name, value in bound.arguments.items():
        is_rest = bound.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
        names += [f"{name}{i}" for i in range(len(value))] if is_rest else [name]
    return names


def _inputs(argument: Any, name: str, capture: Capture) -> Any:
    """Return an argument with Tensors that the capture knows as inputs in the place of its arrays."""
    names = iter(paths_of(argument, name))

    def given(leaf: Any) -> Any:
        called = next(names)
        if isinstance(leaf, Tensor):
            return capture.given(leaf, called)
        if isinstance(leaf, np.ndarray):
            tensor = wrap(np.array(plain_array(leaf), order="K"), None)
            supported_dtype(tensor.dtype)
            return capture.given(tensor, called)
        return leaf

    return map_leaves(given, argument)


def _is_value(leaf: Any) -> bool:
    return isinstance(leaf, Tensor | np.ndarray | np.generic | int | float) and not isinstance(leaf, bool)
