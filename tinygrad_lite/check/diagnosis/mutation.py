"""A backward sweep with a mistake in it: at some nodes another rule than the right one is followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_lite.tape import AnyNode, Node, sweep

Cotangents: TypeAlias = dict[AnyNode, Any]


class Jump(NamedTuple):
    """What is done at one node in the place of its rules."""

    at: AnyNode
    rule: Callable[[Any], Cotangents]
    """Takes the cotangent that arrived at the node and gives those of the nodes where the sweep goes on."""


def mutated_sweep(
    nodes: list[AnyNode], seeds: Mapping[AnyNode, Any], ends: Iterable[AnyNode], jumps: Iterable[Jump]
) -> Cotangents:
    """Return what arrives at the ends if the sweep jumps: it runs from one jump to the next, the latest node first."""
    ends = set(ends)
    waiting = sorted(jumps, key=lambda jump: jump.at.serial)
    arrived = sweep(nodes, seeds, ends=ends | {jump.at for jump in waiting})
    while waiting:
        jump = waiting.pop()
        g = arrived.pop(jump.at, None)
        if g is None:
            continue
        for node, cotangent in sweep(nodes, jump.rule(g), ends=ends | {other.at for other in waiting}).items():
            arrived[node] = arrived[node] + cotangent if node in arrived else cotangent
    return {node: cotangent for node, cotangent in arrived.items() if node in ends}


def by_the_rules(node: Node, g: Any) -> Cotangents:
    """Return what the node's own rules give for the cotangent `g`, summed to the shapes of its operands."""
    parents = {parent for parent in node.inputs if parent is not None}
    return sweep([*sorted(parents, key=lambda parent: parent.serial), node], {node: g}, ends=set(parents))


def without(node: Node, operand: int) -> Jump:
    """Return the jump that leaves out the path through one operand of a node."""
    left_out = node.inputs[operand]

    def rule(g: Any) -> Cotangents:
        others = tuple((i, r) for i, r in node.plan.rules if i != operand)
        if not any(node.inputs[i] is left_out for i, _ in others):
            return {parent: c for parent, c in by_the_rules(node, g).items() if parent is not left_out}
        return by_the_rules(_following(node, others), g)

    return Jump(node, rule)


def _following(node: Node, rules: tuple[tuple[int, Any], ...]) -> Node:
    """Return a node alike that has some of the rules only."""
    plan = node.plan._replace(rules=rules)
    result = np.broadcast_to(np.zeros((), node.dtype), node.shape) if node.output is None else node.output
    return Node(node.primitive, node.static, plan, node.inputs, node.operands, result, node.scope)


def times(start: AnyNode, derivative: np.ndarray) -> Callable[[Any], Cotangents]:
    """Return the rule that goes on at `start` with the cotangent times a derivative."""
    return lambda g: {start: g * derivative}
