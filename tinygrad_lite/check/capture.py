"""A function's call recorded whole, so that it can be run again on other values: what a gradient check reads.

Every operation that depends on a parameter is there with all its operands, also where it has no derivative, such as the
comparison that a `where` chooses by. Running the recording again shows what the function does beside the point where
it was called, as long as the function does nothing that is not recorded: take values out, or branch by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_lite.errors import DetachError
from tinygrad_lite.mode import ModeChange
from tinygrad_lite.primitives import stop_gradient
from tinygrad_lite.primitives.definition import Rule
from tinygrad_lite.primitives.primitive import Plan
from tinygrad_lite.tape import AnyNode, Leaf, Node, leading_to, sweep, tape
from tinygrad_lite.tensor import Tensor

Values: TypeAlias = dict[AnyNode, Any]
"""The value of each node in one run."""


class Capture(NamedTuple):
    """What was recorded: nodes in the order of their creation, the parameters among them, and the result."""

    nodes: list[AnyNode]
    leaves: list[Leaf]
    """The parameters, also those that the result does not depend on."""
    root: AnyNode
    values: Values
    """The value of every node as it was recorded; none but the leaves' if the recording is not whole."""
    is_whole: bool
    """Whether the recording can be run again."""

    @classmethod
    def of(cls, result: Tensor, parameters: Sequence[Tensor], whole: bool) -> Capture:
        """Return what led from the parameters, which are leaves, to a result that carries a gradient."""
        assert result._node is not None
        nodes = tape(result._node)
        leaves = [parameter._node for parameter in parameters]
        values: Values = {leaf: parameter._array for leaf, parameter in zip(leaves, parameters, strict=True) if leaf}
        if whole:
            values |= {node: node.output for node in nodes if isinstance(node, Node)}
        return cls(nodes, [leaf for leaf in leaves if isinstance(leaf, Leaf)], result._node, values, whole)

    def run(self, moved: Mapping[AnyNode, np.ndarray], *, holding: bool = True) -> Values:
        """Run everything that depends on the nodes in `moved` again, on these values, and return all values.

        What `stop_gradient` gave is held, for no derivative is taken through it, unless `holding` is false. Whatever
        NumPy warns of on the way is silent.
        """
        values = dict(self.values)
        values.update(moved)
        with np.errstate(all="ignore"):
            for node in leading_to(moved, self.nodes):
                if isinstance(node, Node) and node not in moved and not (holding and node.primitive is stop_gradient):
                    values[node] = node.primitive.forward(*operands_of(node, values), **node.static)
        return values

    def again(
        self,
        moved: Mapping[AnyNode, np.ndarray],
        result: Callable[[Node, np.ndarray], np.ndarray] = lambda _node, found: found,
        rule: Callable[[Node, Rule], Rule] = lambda _node, rule: rule,
    ) -> tuple[Capture, dict[AnyNode, AnyNode]]:
        """Return the whole recorded again with leaves moved, to be differentiated there, and the new node of each.

        `result` changes what each operation gives, and `rule` each derivative rule.
        """
        values: Values = {node: moved.get(node, value) for node, value in self.values.items() if node in self.leaves}
        fresh = dict(values)
        new: dict[AnyNode, AnyNode] = {}
        for node in self.nodes:
            if not isinstance(node, Node):
                new[node] = node
                continue
            operands = operands_of(node, values)
            found = result(node, np.asarray(node.primitive.forward(*operands, **node.static)))
            plan = Plan(tuple((i, rule(node, own)) for i, own in node.plan.rules), (), True)
            inputs = tuple(None if parent is None else new[parent] for parent in node.inputs)
            new[node] = Node(node.primitive, node.static, plan, inputs, tuple(operands), found, node.scope)
            values[node] = fresh[new[node]] = found
        return Capture(list(new.values()), self.leaves, new[self.root], fresh, True), new

    def gradients(self, seeds: Mapping[AnyNode, float]) -> list[np.ndarray | None]:
        """Return ∂(Σ seed · node)/∂leaf for each parameter, None where nothing arrives."""
        arrived = self.pulled_back({node: np.full(node.shape, seed, node.dtype) for node, seed in seeds.items()})
        return [arrived.get(leaf) for leaf in self.leaves]

    def pulled_back(self, cotangents: Mapping[AnyNode, Any], ends: Iterable[AnyNode] = ()) -> dict[AnyNode, Any]:
        """Return what arrives at the parameters, and at `ends`, where the sweep stops."""
        return sweep(self.nodes, cotangents, ends={*self.leaves, *ends})


def cotangent_at(capture: Capture, node: AnyNode) -> np.ndarray:
    """Return the derivative of the result by a value on the way, zeros where nothing arrives."""
    found = capture.pulled_back({capture.root: np.ones(capture.root.shape, capture.root.dtype)}, [node]).get(node)
    return np.zeros(node.shape) if found is None else np.asarray(found, np.float64)


def operands_of(node: Node, values: Mapping[AnyNode, Any]) -> list[Any]:
    """Return what a node is computed from: the values of the nodes before it, and its constants."""
    return [
        operand if parent is None else values.get(parent, operand)
        for operand, parent in zip(node.operands, node.inputs, strict=True)
    ]


def captured(call: Callable[[], Any], parameters: Sequence[Tensor]) -> Capture | None:
    """Return the whole recording of a call.

    It is None if the result is no Tensor that depends on a parameter, or if the function asks for the values of what is
    recorded on its way, as making an array of a mask does.
    """
    try:
        with ModeChange(record=True, whole=True):
            result = call()
    except (DetachError, ValueError) as problem:
        if isinstance(problem, DetachError) or isinstance(problem.__cause__, DetachError):
            return None
        raise
    if not isinstance(result, Tensor) or result._node is None:
        return None
    return Capture.of(result, parameters, whole=True)
