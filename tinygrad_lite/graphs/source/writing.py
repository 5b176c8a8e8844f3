"""`graph.to_numpy()`: the computation, and its gradient, as Python that needs nothing but NumPy.

    source = numpy_source(graph)                     # a module with one function, `forward_and_gradient`
    exec(source, module := {})
    result, gradients = module["forward_and_gradient"](**arguments_of(graph))

Every line computes what the graph computed, in the same order and with the same bits.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_lite.errors import GraphError
from tinygrad_lite.graphs.backward import with_backward
from tinygrad_lite.graphs.labels import extent, type_of
from tinygrad_lite.graphs.recorded import Graph
from tinygrad_lite.graphs.source.identifiers import comment
from tinygrad_lite.graphs.source.remarks import LONGEST_LINE
from tinygrad_lite.graphs.source.spelling import SUPPORT
from tinygrad_lite.graphs.source.statements import Argument, Statements

RETURNED = {
    "gradients": "the derivative of the result by each parameter,",
    "updates": "the new value of everything that is assigned to,",
}
"""The dicts that may be returned beside the results, and what is in them."""


def numpy_source(graph: Graph) -> str:
    """Return a module with one function that computes in NumPy alone what `graph` computed, and its gradient.

    A graph without a sweep gets one if it has a single scalar result that depends on parameters. The arguments are
    inputs, parameters, state and large constants, under names made of theirs, and random generators, which are drawn
    from; it returns the result, then, where there are any, a dict of gradients and one of updates, by the names of the
    arguments. Raises UnsupportedError for a primitive of one's own that has no lowering.

    >>> import numpy as np, tinygrad_lite as tg
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> graph = tg.trace(lambda x: np.sum(w * x), np.array([3.0, 5.0]))
    >>> exec(numpy_source(graph), module := {})
    >>> module["forward_and_gradient"](**arguments_of(graph))
    (np.float64(13.0), {'w': array([3., 5.])})
    """
    return "\n".join(_Module(graph).lines()) + "\n"


def arguments_of(graph: Graph) -> dict[str, Any]:
    """Return the recorded value of every argument of the function that `numpy_source` writes, by its name there.

    A random generator is a copy in the state before it was drawn from. Raises GraphError for values that the tape did
    not keep.

    >>> import numpy as np, tinygrad_lite as tg
    >>> arguments_of(tg.trace(np.tanh, np.ones(2)))
    {'x': array([1., 1.])}
    """
    found: dict[str, Any] = {}
    for name, argument in _Module(graph).body.arguments.items():
        if isinstance(argument.value, np.random.Generator):
            found[name] = copy.deepcopy(argument.value)
            continue
        if not isinstance(argument.value, np.ndarray):
            raise GraphError(
                f"the values of {name} were not kept, for no derivative reads them; give them yourself, "
                "or trace the computation with tg.trace, which keeps all"
            )
        found[name] = argument.value.copy("K")
    return found


class _Module:
    """What is written of a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph = _differentiated(graph)
        gradients = graph.gradients
        gradients |= {update.target: update.source for update in graph.updates if update.what == "gradient"}
        updates = {update.target: update.source for update in graph.updates if update.what == "value"}
        self.returned = {name: found for name, found in (("gradients", gradients), ("updates", updates)) if found}
        results = [*graph.outputs, *gradients.values(), *updates.values()]
        self.body = Statements(graph, results, [*gradients, *updates])
        self.name = "step" if updates else "forward_and_gradient" if gradients else "forward"

    def lines(self) -> Iterator[str]:
        results = [*map(self.body.text_of, self.graph.outputs), *self.returned]
        yield from self._docstring(results)
        yield ""
        yield "import numpy as np"
        for name, source in SUPPORT.items():
            if any(f"{name}(" in line for line in self.body.lines):
                yield from ("", *source.rstrip().split("\n"))
        yield from ("", "")
        if self.graph.cotangents or any(value.operation and value.operation.poles for value in self.body.values):
            yield '@np.errstate(all="ignore")  # infinities are values at a pole, and a cotangent of 0 stays 0 there'
        yield f"def {self.name}("
        for name, argument in self.body.arguments.items():
            yield f"    {name},  # {_said_of(name, argument)}"
        yield "):"
        for line in self._body(results):
            yield f"    {line}" if line else ""

    def _docstring(self, results: list[str]) -> Iterator[str]:
        what = {"step": "A step", "forward": "A computation", "forward_and_gradient": "A computation and its gradient"}
        yield f'"""{what[self.name]} in NumPy, for arguments of the shapes and dtypes given below.'
        yield ""
        left = f"    {_listed(results, 40)} = {self.name}(" if results else f"    {self.name}("
        yield f"{left}{_listed(list(self.body.arguments), LONGEST_LINE - len(left))})"
        yield ""
        for name in self.returned:
            yield f"`{name}` has {RETURNED[name]} by the name of its argument."
        if self.graph.cotangents:
            yield "In the code d_x is the cotangent of x, the derivative of the result by x."
        yield '"""'

    def _body(self, results: list[str]) -> Iterator[str]:
        lines, order = self.body.lines, list(self.body.arguments)
        yield from lines[1:] if lines and not lines[0] else lines
        yield ""
        given = {
            id(_root(argument.value))
            for argument in self.body.arguments.values()
            if isinstance(argument.value, np.ndarray)
        }
        for name, entries in self.returned.items():
            yield f"{name} = {{"
            for target, source in sorted(entries.items(), key=lambda entry: order.index(self.body.text_of(entry[0]))):
                yield f'    "{self.body.text_of(target)}": {self._own(source, given)},'
            yield "}"
        yield f"return {', '.join(results)}"

    def _own(self, node: int, given: set[int]) -> str:
        """Return the expression for a value as an array of its own, in the order in which the library gives it out."""
        array, text = self.graph.nodes[node].array, self.body.text_of(node)
        root = id(_root(array))
        is_taken = root in given
        given.add(root)
        return f'np.array({text}, order="C")' if is_taken or not array.flags.c_contiguous else text


def _root(array: np.ndarray) -> np.ndarray:
    """Return the array in whose memory `array` lies."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _listed(names: list[str], room: int) -> str:
    """Return names with commas, as many as there is room for."""
    kept = list(names)
    while len(", ".join(kept)) > room:
        kept = [*kept[: -2 if kept[-1] == "..." else -1], "..."]
        if len(kept) == 1:
            break
    return ", ".join(kept)


def _said_of(name: str, argument: Argument) -> str:
    value, node = argument
    if isinstance(value, np.random.Generator):
        return "random generator"
    if node is None:
        return f"index, {extent(value.shape)} {value.dtype}"
    original = "" if node.name in (None, name) else f" {comment(node.name or '')}"
    return f"{node.kind}{original}, {type_of(node)}"


def _differentiated(graph: Graph) -> Graph:
    """Return the graph with its backward sweep, if it has none but can have one."""
    has_one_scalar = len(graph.outputs) == 1 and math.prod(graph.nodes[graph.outputs[0]].shape) == 1
    if graph.gradients or graph.updates or not has_one_scalar:
        return graph
    try:
        return with_backward(graph)
    except GraphError:  # nothing that the result depends on is a parameter
        return graph
