"""One call of a function, captured: its graph, where a replay gets its values from, what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from tinygrad_lite.capture import Capture, capturing
from tinygrad_lite.errors import CompilationError, DetachError, GraphError
from tinygrad_lite.graphs.reading import graph_of
from tinygrad_lite.graphs.recorded import Graph, GraphNode
from tinygrad_lite.nested import has_parameters, leaves_of, map_leaves
from tinygrad_lite.primitives import Primitive, each
from tinygrad_lite.primitives.primitive import Plan
from tinygrad_lite.program.arguments import Arguments
from tinygrad_lite.program.contents import same_constants, same_facts
from tinygrad_lite.program.listing import CELLS
from tinygrad_lite.tape import Absent, Leaf, Node
from tinygrad_lite.tensor import Tensor


class Given(NamedTuple):
    """Where the array of a value comes from at each call."""

    what: Literal["argument", "tensor", "gradient", "array"]
    source: Any
    """The number of the argument, or the Tensor, the leaf or the array itself."""


@dataclass(frozen=True, slots=True)
class Result:
    """A value that the function returned."""

    output: int
    """Which output of the graph it is."""
    is_tensor: bool
    """Whether it is a Tensor in eager execution, not an array or a number of NumPy's."""
    node: Node | None
    """What refuses a sweep from it, where eager execution would record one."""


@dataclass
class Captured:
    """A captured call."""

    graph: Graph
    given: dict[int, Given]
    """For each node that a replay reads or assigns to: where its array comes from."""
    returned: Any
    """What the function returned, with a `Result` in the place of each value."""
    gradients: dict[Leaf, int | None]
    """Which node each gradient that the call left is, None where it took one away."""
    had_gradient: dict[Leaf, bool]
    """Whether the leaves that were used had a gradient before."""
    as_themselves: dict[int, Tensor]
    """The arguments, by their numbers, that a replay must be given again: what the call did, it did to them."""

    def without_values(self) -> Graph:
        """Keep of the graph what its values looked like, not the values, but for constants; return it."""
        self.graph = replace(self.graph, nodes=tuple(map(_without_values, self.graph.nodes)))
        return self.graph

    def differs_only_in_values(self, other: Captured) -> bool:
        """Return whether another call was the same computation with the same constants."""
        mine, others = ([leaf for leaf in leaves_of(c.returned) if type(leaf) is not Result] for c in (self, other))
        return (
            len(mine) == len(others) and all(map(same_facts, mine, others)) and same_constants(self.graph, other.graph)
        )


def captured(
    function: Callable[..., Any], arguments: Arguments, as_themselves: frozenset[int] = frozenset()
) -> Captured:
    """Call `function` once, writing everything down, and leave all Tensors as they were.

    Raises CompilationError for what a replay could not do again.
    """
    capture = Capture()
    with capturing(capture):
        args, kwargs = arguments.handed_over(capture, as_themselves)
        result = function(*args, **kwargs)
        returned, outputs = _Results(capture, arguments).of(result)
        effects, gradients, cells = capture.effects(), capture.gradients_left(), capture.cells()
        _refuse_changes(capture, arguments)
        del args, kwargs, result
    given = {position: Given("tensor", tensor) for tensor, position in cells.items()}
    numbers = {cells[t]: n for n, t in arguments.stand_ins.items() if t is not arguments.leaves[n]}
    given |= {position: Given("argument", number) for position, number in numbers.items()}
    themselves = {numbers[effect.target] for effect in effects if effect.target in numbers}
    themselves |= {
        n
        for n, t in arguments.stand_ins.items()
        if t is not arguments.leaves[n] and _is_cell(arguments.leaves[n], cells)
    }
    if themselves:
        return captured(function, arguments, as_themselves | themselves)
    leaves = [tensor._node for tensor in cells if isinstance(tensor._node, Leaf)]
    before = {id(leaf.grad): leaf for leaf in leaves if leaf.grad is not None}
    given |= {cells[t]: Given("gradient", before[id(t._array)]) for t in cells if id(t._array) in before}
    for reference, position in capture.arrays_met():
        array = reference()
        if array is not None:
            given[position] = Given("array", array)
            capture.steps[position].kind = "state"
    for position, step in enumerate(capture.steps):
        if step.kind in CELLS and position not in given:  # the call made it, and a replay is given nothing for it
            step.kind = "constant"
    return Captured(
        graph_of(capture.steps, tuple(outputs), effects, capture.cotangents),
        given,
        returned,
        {leaf: position for leaf, position in gradients.items() if leaf in leaves},
        {leaf: leaf.grad is not None for leaf in leaves},
        {number: t for number, t in arguments.stand_ins.items() if t is arguments.leaves[number]},
    )


def _without_values(node: GraphNode) -> GraphNode:
    array = node.array
    if node.kind == "constant" or not isinstance(array, np.ndarray):
        return node
    return replace(node, array=Absent(array.shape, array.dtype, array.strides))


def _is_cell(leaf: Any, cells: dict[Tensor, int]) -> bool:
    """Return whether an argument is also a Tensor that the call knows from elsewhere."""
    return isinstance(leaf, Tensor) and leaf in cells


def _refuse_changes(capture: Capture, arguments: Arguments) -> None:
    if capture.refusal is not None:
        raise DetachError(f"the call went on after a refusal, which eager execution does not meet: {capture.refusal}")
    if not arguments.are_unchanged():
        raise CompilationError(
            "the call changes a list or dict among its arguments, which a replay would not do; return what is new"
        )
    for tensor in capture.changed_leaves():
        raise CompilationError(
            f"the call changes whether {tensor.name or 'a Tensor'} requires a gradient, which a replay does not do; "
            "set requires_grad before"
        )


class _Results:
    """Makes of what a captured call returned what a replay is to return."""

    def __init__(self, capture: Capture, arguments: Arguments) -> None:
        self._capture = capture
        self._stand_ins = {t for number, t in arguments.stand_ins.items() if t is not arguments.leaves[number]}
        self._outputs: list[int] = []
        self._leaves = tuple(t._node for t in capture.cells() if isinstance(t._node, Leaf))

    def of(self, result: Any) -> tuple[Any, list[int]]:
        """Return `result` with a `Result` in the place of each value, and the positions of these values."""
        return map_leaves(self._returned, result), self._outputs

    def _returned(self, leaf: Any) -> Any:
        if isinstance(leaf, Tensor):
            self._capture.position_of(leaf)
            if leaf in self._capture.cells() and leaf not in self._stand_ins:
                return leaf  # the Tensor itself, whatever it then holds
        elif not isinstance(leaf, np.ndarray | np.generic):
            if leaf is None or isinstance(leaf, bool | int | float | complex | str | bytes) or has_parameters(leaf):
                return leaf
            raise CompilationError(
                f"the call returns a {type(leaf).__name__}, which a replay would not make anew; "
                "return Tensors, arrays and numbers, in tuples, lists or dicts"
            )
        position = self._capture.position_of(leaf)
        self._outputs.append(position)
        is_tensor = isinstance(leaf, Tensor) and not self._capture.is_plain(position)
        node = _refusing(leaf, self._leaves) if isinstance(leaf, Tensor) and leaf._node is not None else None
        return Result(len(self._outputs) - 1, is_tensor, node if is_tensor else None)


# ----- What refuses a sweep that a program has not recorded -----


def _refuse(*_: Any) -> None:
    raise GraphError(
        "this Tensor was computed by a compiled function, which records nothing to go back through; "
        "take the gradient inside of that function, or call the function itself where you need one"
    )


compiled_result = Primitive("compiled_result", lambda *xs: xs[0], each(lambda _i: lambda _g, _y, *_xs: _refuse()))


def _refusing(result: Tensor, leaves: tuple[Leaf, ...]) -> Node:
    """Return the node of a result that carries a gradient in eager execution: to go back through it is an error."""
    rules = compiled_result.rules_for(len(leaves))
    plan = Plan(tuple((i, rule) for i, rule in enumerate(rules) if rule is not None), (), False)
    return Node(compiled_result, {}, plan, leaves, (None,) * len(leaves), result._array, "")
