"""`graph.backward()`: the backward sweep through a graph, written down as further nodes of it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tinygrad_lite.capture import Capture, capturing
from tinygrad_lite.errors import GraphError, ShapeError
from tinygrad_lite.graphs.reading import graph_of
from tinygrad_lite.graphs.recorded import Graph, GraphNode
from tinygrad_lite.primitives.primitive import Plan
from tinygrad_lite.steps import Step
from tinygrad_lite.tape import AnyNode, Leaf, Node


def with_backward(graph: Graph, cotangent: ArrayLike | None = None) -> Graph:
    """Return `graph` with the sweep from its only result back to its parameters added."""
    if graph.gradients:
        raise GraphError("this graph has the gradients of its result already, see graph.gradients")
    if len(graph.outputs) != 1:
        raise GraphError(
            f"backward() starts from one result, this graph has {len(graph.outputs)}; trace a function that returns one"
        )
    output = graph.nodes[graph.outputs[0]]
    tape = _tape(graph)
    root = tape[output.id]
    if root is None:
        raise GraphError(
            "no gradient flows from the result to a parameter; parameters are Tensors with requires_grad=True, "
            "and .detach(), no_grad() and operations without a derivative let none through"
        )
    seed = _seed(output, cotangent)
    capture = Capture(map(_step, graph.nodes))
    for position, node in enumerate(tape):
        if node is not None:
            capture.nodes.setdefault(node, position)
    with capturing(capture):
        nodes = list(capture.nodes)
        capture.swept(nodes, {root: seed}, ends={node for node in nodes if isinstance(node, Leaf)}, selected=())
    return graph_of(capture.steps, graph.outputs, graph.updates, [*graph.cotangents, *capture.cotangents])


def _seed(output: GraphNode, cotangent: ArrayLike | None) -> np.ndarray:
    if cotangent is not None:
        seed = np.array(cotangent, dtype=output.dtype)
        if seed.shape != output.shape:
            raise ShapeError(f"a cotangent of shape {seed.shape} does not fit a result of shape {output.shape}")
        return seed
    if np.prod(output.shape) != 1:
        raise GraphError(
            f"backward() from a result of shape {output.shape} needs a cotangent of that shape; "
            "reduce it to a scalar first, for example with .sum()"
        )
    return np.ones(output.shape, output.dtype)


def _tape(graph: Graph) -> list[AnyNode | None]:
    """Return the tape that a sweep through `graph` goes back over: None for what carries no gradient."""
    made: list[AnyNode | None] = []
    for node in graph.nodes:
        if node.kind == "parameter":
            made.append(Leaf(node.array, node.name))
        elif node.value_of is not None:
            made.append(made[node.value_of])
        else:
            made.append(_recorded(node, graph, made))
    return made


def _recorded(node: GraphNode, graph: Graph, made: list[AnyNode | None]) -> Node | None:
    """Return an operation as it stands on a tape, None if no rule of its is wanted."""
    if node.operation is None:
        return None
    inputs = tuple(made[source] if i in node.carries else None for i, source in enumerate(node.inputs))
    wanted = sum(1 << i for i, parent in enumerate(inputs) if parent is not None)
    plan: Plan | None = node.operation.make_plan(wanted | 1 << len(inputs)) if wanted else None
    if plan is None:
        return None
    operands: list[Any] = [graph.nodes[source].array for source in node.inputs]
    for i in plan.unread:
        operands[i] = inputs[i] or operands[i]
    return Node(node.operation, dict(node.static), plan, inputs, tuple(operands), node.array, node.scope)


def _step(node: GraphNode) -> Step:
    return Step(**{field.name: getattr(node, field.name) for field in fields(Step)})
