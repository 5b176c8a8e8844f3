"""The fuzzer finds what it is for: each of these faults is found within a few hundred graphs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.fuzzing.checking import check
from tests.fuzzing.program import Program
from tinygrad_lite import array_interface, functional, primitives, tape, tensor
from tinygrad_lite.primitives import PRIMITIVES, Primitive, each, reductions, shaping
from tinygrad_lite.transforms import recording

GRAPHS = 300

Patch = pytest.MonkeyPatch


@functools.cache
def sound() -> list[tuple[Program, frozenset[str]]]:
    """Return the programs in which nothing is found before a fault is planted, and what each of them runs."""
    programs = []
    for seed in range(GRAPHS):
        outcome, _ = check(seed)
        if outcome.program is not None and not outcome.failure:
            programs.append((outcome.program, frozenset(outcome.primitives)))
    assert len(programs) > 0.95 * GRAPHS
    return programs


@pytest.fixture(scope="module", autouse=True)
def _sound_first() -> None:
    """Look at the programs before anything is planted."""
    sound()


def found(*names: str) -> str:
    """Return the first failure among the graphs that run the primitives named."""
    for program, run in sound():
        if run.issuperset(names):
            outcome, _ = check(program.seed, program)
            if outcome.failure:
                return outcome.failure
    raise AssertionError(f"not found in {GRAPHS} graphs")


def plant(patch: Patch, primitive: Primitive, position: int, wrong: Any) -> None:
    """Put a rule in the place of one; a variadic operation gets it for every operand."""
    rules = list(primitive._rules)
    rules[position] = wrong
    patch.setattr(primitive, "_rules", tuple(rules))
    patch.setattr(primitive, "plans", {})


# ----- A rule that is 0.1 % off -----


def _scaled(rule: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(rule)  # with its signature, which says what it reads
    def scaled(g: Any, *rest: Any, **static: Any) -> Any:
        return rule(g, *rest, **static) * 1.001

    return scaled


ZERO = {("sign", 0)}
"""Rules that give zero, which cannot be scaled."""
CAPTURED = {"contiguous", "shares"}
"""Primitives that stand in captured calls alone."""
ONLY_IN_RULES_OF = {"prod_of_others": "prod", "zero_kept_zero": "log"}
"""Primitives that no forward runs, and so stand on a tape only where a gradient is differentiated."""

DIFFERENTIABLE = [
    (name, position)
    for name, primitive in PRIMITIVES.items()
    for position, rule in enumerate(primitive._rules)
    if rule is not None and (name, position) not in ZERO and name not in CAPTURED
]


@pytest.mark.parametrize(("name", "position"), DIFFERENTIABLE)
def test_a_rule_scaled_by_a_thousandth_is_found(name: str, position: int, monkeypatch: Patch) -> None:
    primitive = PRIMITIVES[name]
    rule = primitive._rules[position]
    if isinstance(rule, primitives.definition.Variadic):
        plant(monkeypatch, primitive, position, each(lambda i: _scaled(rule.factory(i))))
    else:
        assert rule is not None
        plant(monkeypatch, primitive, position, _scaled(rule))
    assert "derivative" in found(ONLY_IN_RULES_OF.get(name, name))


# ----- Rules that are wrong in a way that someone may write them -----

WRONG: dict[str, tuple[str, int, Callable[..., Any]]] = {
    "a softmax without the term of the others": ("softmax", 0, lambda g, y, _x, *, axis: g * y * (1 - y)),
    "a log-softmax that takes the last axis": (
        "log_softmax", 0, lambda g, y, _x, *, axis: g - np.exp(y) * np.sum(g, axis=-1, keepdims=True)),
    "a transpose back by the same axes": ("transpose", 0, lambda g, _y, _x, *, axes: g.transpose(axes)),
    "a set_at that lets through what was overwritten": ("set_at", 0, lambda g, _y, _x, _values, *, index: g),
    "a quotient whose second rule forgets the square": ("divide", 1, lambda g, _y, a, b: -g * a / b),
    "a power that forgets to lower the exponent": ("power", 0, lambda g, _y, x, p: g * p * x**p),
    "a maximum of ties that all take everything": (
        "max", 0, lambda g, y, x, *, axis, keepdims: reductions.with_axes_kept(g, x.shape, axis)
        * (x == reductions.with_axes_kept(y, x.shape, axis))),
    "a product with the order of its factors changed": (
        "matmul", 1, lambda g, _y, a, _b: (g.swapaxes(-1, -2) @ a if g.ndim > 1 and a.ndim > 1 else g * 0)
        .reshape(_b.shape) if g.size == _b.size else np.zeros(_b.shape)),
    "a cross-entropy for targets that sum to 1": (
        "softmax_cross_entropy", 0, lambda g, _y, logits, targets, *, reduction: primitives.neural._per_row(
            g, logits, reduction) * (primitives.softmax(logits, axis=-1) - (
                targets if targets.ndim == logits.ndim
                else primitives.one_hot(targets, width=logits.shape[-1], dtype=logits.dtype)))),
    "a variance about zero": ("var", 0, lambda g, _y, x, *, axis, ddof, keepdims: (
        reductions.with_axes_kept(g, x.shape, axis) * 2 * x / (reductions.reduced_count(x.shape, axis) - ddof))),
    "a product divided by the value itself and its neighbour": ("prod", 0, lambda g, y, x, *, axis, keepdims: (
        reductions.spread(g * y, x.shape, axis) / np.where(x > 0, x, 1))),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_rule_is_found(fault: str, monkeypatch: Patch) -> None:
    name, position, rule = WRONG[fault]
    plant(monkeypatch, PRIMITIVES[name], position, rule)
    assert found(name)


def test_a_gradient_through_stop_gradient_is_found(monkeypatch: Patch) -> None:
    plant(monkeypatch, PRIMITIVES["stop_gradient"], 0, lambda g, _y, _x: g)
    assert "first derivative" in found("stop_gradient")


def test_a_negative_axis_counted_wrongly_is_found(monkeypatch: Patch) -> None:
    def wrong(axis: Any, ndim: int) -> tuple[int, ...]:
        if axis is None:
            return tuple(range(ndim))
        return tuple(min(abs(i), ndim - 1) for i in (axis if isinstance(axis, tuple) else (axis,)))

    monkeypatch.setattr(reductions, "reduced_axes", wrong)
    assert found()


def test_repeated_places_that_do_not_add_up_are_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(shaping, "may_repeat", lambda index: False)
    assert found("getitem")


# ----- The engine -----


def added(earlier: Any, gx: Any) -> Any:
    return earlier + gx


def kept_zero(g: Any, gx: Any) -> Any:
    return np.where((g == 0) & ~np.isfinite(gx), 0, gx) if g.shape == gx.shape else gx


def summed(gx: Any, shape: tuple[int, ...]) -> Any:
    gx = np.sum(gx, axis=tuple(range(gx.ndim - len(shape))))
    return np.sum(gx, axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True).reshape(shape)


def cast(gx: Any, dtype: Any) -> Any:
    return gx.astype(dtype)


def sweep_with(
    add: Callable[..., Any] = added,
    keep_zero: Callable[..., Any] = kept_zero,
    sum_to: Callable[..., Any] = summed,
    cast_to: Callable[..., Any] = cast,
    hand_out: Callable[..., Any] = np.array,
) -> Callable[..., Any]:
    """Return the backward sweep in its plainest form, in which each part can be replaced by a wrong one."""

    def sweep(nodes: Any, cotangents: Any, *, ends: Any = None, lift: Any = None, **others: Any) -> dict[Any, Any]:
        if lift is not None:
            return tape.sweep(nodes, cotangents, ends=ends, lift=lift, **others)
        pending, members = dict(cotangents), set(nodes)
        with np.errstate(all="ignore"):
            for node in reversed(nodes):
                if isinstance(node, tape.Leaf) or node not in pending or (ends is not None and node in ends):
                    continue
                g = pending.pop(node)
                for i, rule in node.plan.rules:
                    parent = node.inputs[i]
                    gx = rule(g, node.output, *node.operands, **node.static)
                    if gx is not None and parent in members:
                        gx = keep_zero(g, gx)
                        gx = cast_to(gx if gx.shape == parent.shape else sum_to(gx, parent.shape), parent.dtype)
                        pending[parent] = add(pending[parent], gx) if parent in pending else gx
        return {end: hand_out(g) for end, g in pending.items()}

    return sweep


def added_in_place(earlier: Any, gx: Any) -> Any:
    """Write the sum to an array that something else may refer to."""
    if isinstance(earlier, np.ndarray) and earlier.flags.writeable:
        earlier += gx
        return earlier
    return earlier + gx


SWEEPS: dict[str, Callable[..., Any]] = {
    "a use overwrites the one before": sweep_with(add=lambda _earlier, gx: gx),
    "the first use is all that counts": sweep_with(add=lambda earlier, _gx: earlier),
    "what two nodes share is added to in place": sweep_with(add=added_in_place, cast_to=lambda gx, _dtype: gx),
    "broadcasting is summed over the wrong axes": sweep_with(sum_to=lambda gx, shape: np.resize(np.sum(gx), shape)),
    "broadcasting takes the first instead of the sum": sweep_with(sum_to=lambda gx, shape: np.resize(gx, shape)),
    "the gradient keeps the dtype it is computed in": sweep_with(cast_to=lambda gx, _dtype: gx),
    "poles reach through": sweep_with(keep_zero=lambda _g, gx: gx),
    "gradients are handed out as they are": sweep_with(cast_to=lambda gx, _dtype: gx, hand_out=np.asarray),
}


def use(patch: Patch, sweep: Callable[..., Any]) -> None:
    patch.setattr(tensor, "sweep", sweep)
    patch.setattr(recording, "sweep", sweep)


def test_the_plain_sweep_is_right(monkeypatch: Patch) -> None:
    use(monkeypatch, sweep_with())
    for program, _ in sound():
        assert not check(program.seed, program)[0].failure


@pytest.mark.parametrize("fault", SWEEPS)
def test_a_wrong_sweep_is_found(fault: str, monkeypatch: Patch) -> None:
    use(monkeypatch, SWEEPS[fault])
    assert found()


def test_a_second_backward_that_overwrites_is_found(monkeypatch: Patch) -> None:
    right = tensor.Tensor.backward

    def overwriting(self: Any, cotangent: Any = None) -> None:
        for node in tape.tape(self._node):
            if isinstance(node, tape.Leaf):
                node.grad = None
        right(self, cotangent)

    monkeypatch.setattr(tensor.Tensor, "backward", overwriting)
    assert found()


def test_a_constant_that_is_not_copied_is_found_when_its_owner_writes_to_it(monkeypatch: Patch) -> None:
    monkeypatch.setattr(tensor, "_own", lambda value, operand: value)
    assert found()


def test_an_index_that_is_not_copied_is_found_when_its_owner_writes_to_it(monkeypatch: Patch) -> None:
    monkeypatch.setattr(array_interface, "fixed_index", lambda index: index)
    monkeypatch.setattr(functional.shaping, "fixed_index", lambda index: index)
    assert found("getitem")


def test_a_float32_value_computed_in_float64_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(PRIMITIVES["tanh"], "forward", lambda x: np.tanh(x, dtype=np.float64))
    assert "float64 where everything is float32" in found("tanh")


def test_a_warning_is_found(monkeypatch: Patch) -> None:
    monkeypatch.setattr(PRIMITIVES["log"], "forward", np.log)
    monkeypatch.setattr(PRIMITIVES["sqrt"], "forward", np.sqrt)
    assert "RuntimeWarning" in found("where", "log")
