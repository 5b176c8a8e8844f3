"""The mistakes that a derivation is searched for, each a backward sweep that jumps where the mistake is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_lite.check.capture import Capture
from tinygrad_lite.check.diagnosis.derivatives import wrong_derivatives
from tinygrad_lite.check.diagnosis.mistake import Mistake, place_of
from tinygrad_lite.check.diagnosis.mutation import Cotangents, Jump, by_the_rules, without
from tinygrad_lite.check.diagnosis.segments import consumers_of
from tinygrad_lite.check.diagnosis.softmaxes import softmax_mistakes
from tinygrad_lite.tape import AnyNode, Leaf, Node

MOST_PATHS = 60
"""How many paths of a graph are left out in turn."""


def mistakes_in(capture: Capture, names: dict[Leaf, str], cotangents: Callable[[AnyNode], Any]) -> Iterator[Mistake]:
    """Yield every mistake that can be made in a recorded graph; `cotangents` gives the right one at a node."""
    yield from wrong_derivatives(capture, names)
    yield from _transposed_products(capture, names)
    yield from softmax_mistakes(capture, names, cotangents)
    yield from _wrong_columns(capture, names)
    yield from _left_out_paths(capture, names)


# ----- Products with the wrong matrix -----


def _transposed_products(capture: Capture, names: dict[Leaf, str]) -> Iterator[Mistake]:
    """Yield products on the way back with W for Wᵀ where the shapes allow it: one, and all that there are."""
    squares = [jump for node in capture.nodes if isinstance(node, Node) for jump in _with_squares(node)]
    text = "the matrix is to be transposed on the way back: Wᵀ where W stands forward, W where Wᵀ does"
    for jump in squares:
        yield Mistake("transposed", place_of(jump.at, names), text, 1.0, (jump,))
    for bias in (0, -1):  # the row of the bias, behind which no unit stands
        bordered = [jump for node in capture.nodes if isinstance(node, Node) for jump in _with_a_bias(node, bias)]
        for jump in bordered:
            yield Mistake("transposed", place_of(jump.at, names), text, 1.0, (jump,))
        if len(squares + bordered) > 1:
            jumps = tuple(squares + bordered)
            yield Mistake("transposed", f"products, {len(jumps)} of them", text, 1.1, jumps)


def _with_squares(node: Node) -> Iterator[Jump]:
    if node.primitive.name not in ("matmul", "linear"):
        return
    a, b = (np.asarray(operand) for operand in node.operands[:2])
    is_linear = node.primitive.name == "linear"
    if node.inputs[0] is not None and b.ndim == 2 and b.shape[0] == b.shape[1]:
        yield Jump(node, _instead(node, 0, _times_matrix(b.T if is_linear else b)))
    if node.inputs[1] is not None and a.ndim == 2 and a.shape[0] == a.shape[1]:
        yield Jump(node, _instead(node, 1, _matrix_times(a, turned=is_linear)))


def _with_a_bias(node: Node, bias: int) -> Iterator[Jump]:
    if node.primitive.name != "matmul" or node.inputs[0] is None:
        return
    b = np.asarray(node.operands[1])
    if b.ndim == 2 and b.shape[0] == b.shape[1] + 1:
        yield Jump(node, _instead(node, 0, _times_square(b, np.delete(np.arange(b.shape[0]), bias))))


def _times_matrix(b: np.ndarray) -> Callable[[Any], Any]:
    return lambda g: g @ b


def _times_square(b: np.ndarray, units: np.ndarray) -> Callable[[Any], Any]:
    def rule(g: Any) -> Any:
        wrong = np.zeros((*g.shape[:-1], b.shape[0]))
        wrong[..., units] = g @ b[units]
        return wrong

    return rule


def _matrix_times(a: np.ndarray, turned: bool) -> Callable[[Any], Any]:
    return lambda g: g.T @ a.T if turned else a @ g


def _instead(node: Node, operand: int, rule: Callable[[Any], Any]) -> Callable[[Any], Cotangents]:
    def all_cotangents(g: Any) -> Cotangents:
        found = by_the_rules(node, g)
        parent = node.inputs[operand]
        assert parent is not None
        wrong = rule(g)
        return {**found, parent: wrong} if wrong.shape == parent.shape else found

    return all_cotangents


# ----- The column of the bias -----


def _wrong_columns(capture: Capture, names: dict[Leaf, str]) -> Iterator[Mistake]:
    """Yield the mistake of dropping the wrong column where a column of ones was put beside the units."""
    for node in capture.nodes:
        if not isinstance(node, Node) or node.primitive.name != "concatenate" or len(node.inputs) != 2:
            continue
        axis = node.static["axis"]
        kept = next((i for i in (0, 1) if node.inputs[i] is not None and node.inputs[1 - i] is None), None)
        if kept is None or np.asarray(node.operands[1 - kept]).shape[axis] != 1:
            continue
        parent = node.inputs[kept]
        assert parent is not None
        part = slice(0, -1) if kept == 1 else slice(1, None)
        index = [slice(None)] * node.ndim
        index[axis] = part
        jump = Jump(node, _part(parent, tuple(index)))
        text = f"drop the {'first' if kept == 1 else 'last'} column, that of the bias, on the way back through it"
        yield Mistake("bias-column", place_of(node, names), text, 1.2, (jump,))


def _part(parent: AnyNode, index: tuple[slice, ...]) -> Callable[[Any], Cotangents]:
    return lambda g: {parent: g[index]}


# ----- A path left out -----


def _left_out_paths(capture: Capture, names: dict[Leaf, str]) -> Iterator[Mistake]:
    count = 0
    for node, uses in consumers_of(capture.nodes).items():
        if len(uses) < 2 or not node.shape:
            continue
        for consumer, operand in uses:
            if _is_inside_a_softmax(node, consumer) or consumer.inputs.count(node) > 1:
                continue  # of h · h nobody leaves one half out; it is a factor that is missing
            count += 1
            if count <= MOST_PATHS:
                what = names[node] if isinstance(node, Leaf) and node in names else place_of(node, names)
                text = (
                    f"{what} is used {len(uses)} times; add what comes back through this {consumer.primitive.name} too"
                )
                yield Mistake("term-missing", place_of(consumer, names), text, 1.4, (without(consumer, operand),))


def _is_inside_a_softmax(node: AnyNode, consumer: Node) -> bool:
    """Return whether a path belongs to a softmax written out, whose mistakes are looked for as such."""
    return consumer.primitive.name == "max" or (isinstance(node, Node) and node.primitive.name == "exp")
