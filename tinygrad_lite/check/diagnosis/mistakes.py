"""The mistakes that a derivation is searched for, each a backward sweep that jumps where the mistake is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.check.capture import Capture
from tinygrad_lite.check.diagnosis.mutation import Cotangents, Jump, by_the_rules, without
from tinygrad_lite.check.diagnosis.segments import Segment, consumers_of, segments_of
from tinygrad_lite.check.diagnosis.softmaxes import softmax_mistakes
from tinygrad_lite.check.diagnosis.textbook import formulas
from tinygrad_lite.tape import AnyNode, Leaf, Node, sweep, tape

MOST_PATHS = 60
"""How many paths of a graph are left out in turn."""


class Mistake(NamedTuple):
    """One thing done wrong on the way back."""

    slug: str
    where: str
    correction: str
    cost: float
    """How far-fetched it is: of two mistakes that explain the same, the cheaper one is named."""
    jumps: tuple[Jump, ...]


def mistakes_in(capture: Capture, names: dict[Leaf, str], cotangents: Callable[[AnyNode], Any]) -> Iterator[Mistake]:
    """Yield every mistake that can be made in a recorded graph; `cotangents` gives the right one at a node."""
    segments = segments_of(capture)
    yield from _wrong_derivatives(capture, segments, names)
    yield from _transposed_products(capture, names)
    for slug, node, correction, cost, jump in softmax_mistakes(capture, cotangents):
        yield Mistake(slug, place_of(node, names), correction, cost, (jump,))
    yield from _wrong_columns(capture, names)
    yield from _left_out_paths(capture, names)


def place_of(node: AnyNode, names: dict[Leaf, str]) -> str:
    """Return how to find a step of the derivation: by the last parameter that it was computed from."""
    leaves = [leaf for leaf in tape(node) if isinstance(leaf, Leaf) and leaf in names]
    last = f"after {names[leaves[-1]]}" if leaves else ""
    position = {leaf: i for i, leaf in enumerate(names)}
    if leaves:
        last = f"after {names[max(leaves, key=lambda leaf: position[leaf])]}"
    what = node.primitive.name if isinstance(node, Node) else "the parameter"
    return f"{what} {last}".strip()


# ----- The derivative of an activation -----


def _wrong_derivatives(capture: Capture, segments: list[Segment], names: dict[Leaf, str]) -> Iterator[Mistake]:
    everywhere: dict[tuple[str, str, str], list[tuple[Jump, float, str]]] = {}
    for segment in segments:
        right = _derivative(capture, segment)
        if right is None:
            continue
        where = f"{segment.name} {place_of(segment.end, names).partition(' ')[2]}".strip()
        elsewhere = [other for other in segments if other is not segment and other.a.shape == segment.a.shape]
        for slug, correction, values, cost in _derivatives(segment, right, elsewhere):
            jump = Jump(segment.end, _times(segment.start, values))
            everywhere.setdefault((slug, segment.name, correction), []).append((jump, cost, where))
    for (slug, name, correction), found in everywhere.items():
        for jump, cost, where in found:
            yield Mistake(slug, where, correction, cost, (jump,))
        if len(found) > 1:
            yield Mistake(slug, f"every {name}", correction, found[0][1] + 0.01, tuple(jump for jump, _, _ in found))


def _times(start: AnyNode, derivative: np.ndarray) -> Callable[[Any], Cotangents]:
    return lambda g: {start: g * derivative}


def _derivative(capture: Capture, segment: Segment) -> np.ndarray | None:
    """Return the right derivative of a segment, None if a cotangent cannot get from its end to its start."""
    members = [node for node in capture.nodes if segment.start.serial <= node.serial <= segment.end.serial]
    ones = np.ones(segment.end.shape, segment.end.dtype)
    arrived = sweep(members, {segment.end: ones}, ends={segment.start})
    return arrived.get(segment.start)


def _derivatives(
    segment: Segment, right: np.ndarray, elsewhere: Sequence[Segment]
) -> Iterator[tuple[str, str, np.ndarray, float]]:
    """Yield what may stand for a derivative, each once: the slug, the correction, the values and the cost."""
    seen = {_print_of(right)}
    multiply = f"multiply the cotangent by the derivative of {segment.name}"
    with np.errstate(all="ignore"):
        candidates = [("activation-derivative-missing", f"{multiply}, which is left out", np.ones_like(right), 1.1)]
        candidates += [
            (WRONG, f"this is {formula.text}; {multiply}", formula.values, 1.2 + formula.cost)
            for formula in formulas(segment.name, segment.a, segment.h)
        ]
        candidates.append((WRONG, f"the derivative is multiplied twice; {multiply} once", right * right, 1.3))
        candidates.append((WRONG, f"it is divided by the derivative; {multiply}", 1 / right, 1.5))
        for other in elsewhere:
            for formula in formulas(segment.name, other.a, other.h):
                if formula.cost <= 0.2:
                    text = f"this is {formula.text} of the values of another layer; {multiply} at its own"
                    candidates.append((WRONG, text, formula.values, 1.5))
    for slug, correction, values, cost in candidates:
        if np.isfinite(values).all() and _print_of(values) not in seen:
            seen.add(_print_of(values))
            yield slug, correction, values, cost


def _print_of(values: np.ndarray) -> bytes:
    """Return what is the same for values that differ by rounding alone."""
    return bytes((np.round(values, 9) + 0.0).tobytes())


WRONG = "activation-derivative-wrong"

# ----- Products with the wrong matrix -----


def _transposed_products(capture: Capture, names: dict[Leaf, str]) -> Iterator[Mistake]:
    found = []
    for node in capture.nodes:
        if not isinstance(node, Node) or node.primitive.name not in ("matmul", "linear"):
            continue
        a, b = (np.asarray(operand) for operand in node.operands[:2])
        if node.inputs[0] is not None and b.ndim == 2 and b.shape[0] == b.shape[1]:
            found.append(Jump(node, _instead(node, 0, _times_matrix(b if node.primitive.name == "matmul" else b.T))))
        has_bias = node.primitive.name == "matmul" and b.ndim == 2 and b.shape[0] == b.shape[1] + 1
        if node.inputs[0] is not None and has_bias:
            for bias in (0, b.shape[0] - 1):  # the row of the bias, behind which no unit stands
                units = np.delete(np.arange(b.shape[0]), bias)
                found.append(Jump(node, _instead(node, 0, _times_square(b, units))))
        if node.inputs[1] is not None and a.ndim == 2 and a.shape[0] == a.shape[1]:
            found.append(Jump(node, _instead(node, 1, _matrix_times(a, turned=node.primitive.name == "linear"))))
    for jump in found:
        text = "the matrix is to be transposed on the way back: Wᵀ where W stands forward, W where Wᵀ does"
        yield Mistake("transposed", place_of(jump.at, names), text, 1.0, (jump,))
    if len(found) > 1:
        yield Mistake(
            "transposed", "every product", "the matrices are to be transposed on the way back", 1.1, tuple(found)
        )


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
            count += 1
            if count <= MOST_PATHS:
                what = names[node] if isinstance(node, Leaf) and node in names else place_of(node, names)
                text = (
                    f"{what} is used {len(uses)} times; add what comes back through this {consumer.primitive.name} too"
                )
                yield Mistake("term-missing", place_of(consumer, names), text, 1.4, (without(consumer, operand),))
