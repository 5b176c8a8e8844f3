"""Reading the tape behind a Tensor: `graph(tensor)` gives the recorded computation as a `Graph`."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.graphs.labels import settings
from tinygrad_lite.graphs.recorded import Graph, GraphNode
from tinygrad_lite.graphs.scopes import path_to
from tinygrad_lite.tape import Absent, AnyNode, Leaf, Node, tape
from tinygrad_lite.tensor import Tensor


def graph(tensor: Tensor) -> Graph:
    """Return the computation recorded behind `tensor`; without a history it is a single constant.

    Raises ArgumentError for anything but a Tensor.

    >>> import tinygrad_lite as tg
    >>> from tinygrad_lite.graphs import graph
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    >>> print(graph((2 * w).sum()))
    %0 = parameter w  2 float64
    %1 = constant 2
    %2 = multiply(%1, %0)  2 float64
    %3 = sum(%2)  scalar float64
    """
    if not isinstance(tensor, Tensor):
        raise ArgumentError(f"graph() reads what is recorded behind a Tensor, got {type(tensor).__name__}")
    reader = _Reader()
    if tensor._node is None:
        value = None if tensor.ndim else tensor.item()
        reader.add(kind="constant", shape=tensor.shape, dtype=tensor.dtype, name=tensor.name, value=value)
    else:
        for node in tape(tensor._node):
            reader.read(node)
    return Graph(tuple(GraphNode(**facts) for facts in reader.placed()), (len(reader.found) - 1,))


class _Reader:
    """Collects the facts of each node, then gives what was not computed the scope of what uses it."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []
        self.ids: dict[AnyNode, int] = {}
        # Keyed by identity, which never leaves this object; the tape keeps the arrays alive meanwhile.
        self.arrays: dict[int, int] = {}

    def add(self, **facts: Any) -> int:
        facts["id"] = len(self.found)
        self.found.append(facts)
        return len(self.found) - 1

    def read(self, node: AnyNode) -> None:
        if isinstance(node, Leaf):
            self.ids[node] = self.add(kind="parameter", name=node.name, shape=node.shape, dtype=node.dtype)
            return
        inputs = tuple(
            self.constant(operand) if source is None else self.ids[source]
            for operand, source in zip(node.operands, node.inputs, strict=True)
        )
        self.ids[node] = self.operation(node, inputs)

    def operation(self, node: Node, inputs: tuple[int, ...]) -> int:
        return self.add(
            kind="operation",
            primitive=node.primitive.name,
            shape=node.shape,
            dtype=node.dtype,
            scope=node.scope,
            inputs=inputs,
            settings=settings(node.static),
            static=MappingProxyType(dict(node.static)),
        )

    def constant(self, operand: Any) -> int:
        if isinstance(operand, np.ndarray):
            if id(operand) not in self.arrays:
                self.arrays[id(operand)] = self.add(kind="constant", shape=operand.shape, dtype=operand.dtype)
            return self.arrays[id(operand)]
        if isinstance(operand, Absent):
            return self.add(kind="constant", shape=operand.shape, dtype=operand.dtype)
        return self.add(kind="constant", shape=(), dtype=None, value=operand)

    def placed(self) -> list[dict[str, Any]]:
        """Return the facts, each parameter and constant in the scope it belongs to."""
        users: list[dict[str, None]] = [{} for _ in self.found]
        for facts in self.found:
            for source in facts.get("inputs", ()):
                users[source][facts["scope"]] = None
        for facts, scopes in zip(self.found, users, strict=True):
            if facts["kind"] != "operation":
                facts["scope"] = _home(facts.get("name"), list(scopes))
        return self.found


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
