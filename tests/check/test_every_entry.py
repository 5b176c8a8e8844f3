"""Entries moved one at a time, in batches, give what the function gives when it is called with that entry moved."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.fuzzing.generator import random_program
from tests.fuzzing.gradients import as_function, environment
from tests.operations.case import Case
from tests.operations.cases import CASES
from tinygrad_lite import nn
from tinygrad_lite.check import moving
from tinygrad_lite.check.capture import Capture, captured, operands_of
from tinygrad_lite.check.moving import Moved, moved_one_by_one
from tinygrad_lite.primitives import PRIMITIVES
from tinygrad_lite.tape import Node
from tinygrad_lite.transforms.recording import transient

Function = Callable[..., Any]

STEPS = (1e-5, 0.1)


def recorded(f: Function, arrays: Sequence[np.ndarray]) -> Capture:
    parameters = [transient(x) for x in arrays]
    with np.errstate(all="ignore"):
        capture = captured(lambda: f(*parameters), parameters)
    assert capture is not None
    return capture


def signatures(capture: Capture) -> list[np.ndarray]:
    """Return the signature of everything with a kink that was recorded, in order."""
    found = []
    with np.errstate(all="ignore"):
        for node in capture.nodes:
            if isinstance(node, Node) and node.primitive.kinks is not None:
                operands = operands_of(node, capture.values)
                found.append(np.asarray(node.primitive.kinks(node.output, *operands, **node.static)))
    return found


def alike(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(first, second, strict=True)
    )


def moved(capture: Capture, i: int, entries: Any, steps: Any) -> Moved:
    return moved_one_by_one(capture, [capture.root], capture.leaves[i], np.asarray(entries), np.asarray(steps))


def hold_against_calls(
    f: Function, arrays: Sequence[np.ndarray], step: float, entries: int = 12, tolerance: float = 1e-14
) -> set[str]:
    """Hold some entries of every array against calls of `f`; return what had to be run plainly."""
    capture, plainly = recorded(f, arrays), set()
    unmoved = signatures(capture)
    rng = np.random.default_rng(0)
    for i, x in enumerate(arrays):
        chosen = rng.permutation(x.size)[:entries]
        steps = step * rng.choice([-1.0, 1.0], size=len(chosen))
        result = moved(capture, i, chosen, steps)
        assert result.outputs.shape == (1, len(chosen))
        assert result.crosses.shape == (len(chosen),)
        plainly |= result.plainly
        for k, (entry, h) in enumerate(zip(chosen, steps, strict=True)):
            others = [y.copy() for y in arrays]
            others[i].reshape(-1)[entry] += h
            with np.errstate(all="ignore"):
                expected = np.asarray(f(*others), np.float64).reshape(())
            bound = tolerance * max(1.0, abs(float(expected))) if np.isfinite(expected) else 0.0
            np.testing.assert_allclose(result.outputs[0, k], expected, rtol=0, atol=bound, err_msg=f"{i}: {entry}")
            crosses = not alike(signatures(recorded(f, others)), unmoved)
            assert result.crosses[k] == crosses, f"parameter {i}, entry {entry}"
    return plainly


# ----- Every primitive -----


def mixed(rng: np.random.Generator) -> Function:
    """Return a function that makes an array depend on sums along some of its axes, and on other arrays.

    So what is moved is, behind it, one index of some axes and all of others.
    """
    coins, ways = rng.random(8), rng.integers(0, 3, 8)

    def mix(x: Any, others: Sequence[Any]) -> Any:
        for axis in range(np.ndim(x)):
            if coins[axis] < 0.4:
                x = x * (1 + 0.01 * np.sum(x, axis=axis, keepdims=True))
        for other, coin, way in zip(others, coins[4:], ways, strict=False):
            if coin < 0.4:
                reversed_too = (other, other[::-1] if other.ndim else other, other.T)[way]
                x = x * (1 + 0.02 * (reversed_too if reversed_too.shape == x.shape else np.sum(other)))
        return x

    return mix


def mixing(case: Case, seed: int) -> tuple[Function, list[np.ndarray]]:
    """Return a scalar function around a case, and what it depends on."""
    operands, rng = case.operands(), case.rng(f"every entry {seed}")
    floats = [i for i, x in enumerate(operands) if x.dtype.kind == "f"]
    mixes = [mixed(rng) if seed else (lambda x, _: x) for _ in operands]
    weights = rng.normal(size=np.shape(case(*operands)))

    def f(*parameters: Any) -> Any:
        given = dict(zip(floats, parameters, strict=True))
        with np.errstate(all="ignore"):
            y = case(
                *(
                    mixes[i](given[i], [z for j, z in given.items() if j != i]) if i in given else x
                    for i, x in enumerate(operands)
                )
            )
            return np.sum(y * weights if y.dtype.kind == "f" else np.where(y, weights, 0.0))

    return f, [operands[i] for i in floats]


BY_PRIMITIVE = {name: [case for case in CASES if case.primitive == name] for name in PRIMITIVES}


OF_FLOATS = [
    name
    for name, primitive in PRIMITIVES.items()
    if name not in ("class_labels", "one_hot", "logical_and", "logical_or", "logical_not", "stop_gradient")
    and not primitive.draws
]


@pytest.mark.parametrize("name", OF_FLOATS)
def test_every_primitive_gives_what_calls_with_one_entry_moved_give(name: str) -> None:
    for case in BY_PRIMITIVE[name]:
        for seed, step in enumerate(STEPS):
            f, arrays = mixing(case, seed)
            plainly = hold_against_calls(f, arrays, step, entries=6)
            assert not plainly, case.name


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_random_programs_give_what_calls_with_one_entry_moved_give(first: int) -> None:
    for seed in range(first, first + 50):
        program = random_program(seed)
        if "stop_gradient" in str(program):  # what it gave is held when entries move, and calls hold nothing
            continue
        f = as_function(program, environment(program, is_double=True))
        arrays = list(program.leaves.values())
        assert not hold_against_calls(f, arrays, STEPS[seed % 2], entries=5, tolerance=1e-12), seed


# ----- Networks -----


def weights(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [rng.normal(size=shape) / np.sqrt(shape[-1]) for shape in shapes]


DATA = np.random.default_rng(3).normal(size=(5, 6))
LABELS = np.array([0, 2, 1, 1, 0])
ONE_HOT = np.eye(3)[LABELS]
ONES = np.ones((5, 1))


def rows_with_bias_columns(w1: Any, w2: Any) -> Any:
    z = np.concatenate([ONES, np.tanh(np.concatenate([ONES, DATA], axis=1) @ w1.T)], axis=1)
    s = z @ w2.T
    shifted = s - np.max(s, axis=1, keepdims=True)
    logs = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return np.sum(ONE_HOT * logs) - 0.01 / 2 * (np.sum(w1[:, 1:] ** 2) + np.sum(w2[:, 1:] ** 2))


def columns_with_broadcast_biases(w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
    hidden = np.log(1 + np.exp(w1 @ DATA.T + b1[:, None]))
    return tg.softmax_cross_entropy((w2 @ hidden + np.expand_dims(b2, 1)).T, LABELS) + 0.1 * np.mean(w1**2)


def rows_with_relu(w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
    return np.sum((tg.linear(np.maximum(tg.linear(DATA, w1, b1), 0), w2, b2) - ONE_HOT) ** 2) / 10


def recurrent(w: Any, u: Any) -> Any:
    h = np.zeros((5, 4))
    for t in range(3):
        h = np.tanh(DATA[:, 2 * t : 2 * t + 2] @ u + h @ w)
    return np.sum(h[:, 0] * h[:, -1]) + np.sum(np.square(h))


def attention(q: Any, k: Any, v: Any) -> Any:
    x = np.stack([DATA, DATA[::-1]])
    shares = tg.softmax((x @ q) @ np.swapaxes(x @ k, -1, -2), axis=-1)
    y = shares @ (x @ v)
    return np.mean((y - np.mean(y, axis=-1, keepdims=True)) / np.sqrt(np.var(y, axis=-1, keepdims=True) + 1e-3) * x)


NETWORKS: dict[str, tuple[Function, list[tuple[int, ...]]]] = {
    "rows with bias columns": (rows_with_bias_columns, [(4, 7), (3, 5)]),
    "columns with broadcast biases": (columns_with_broadcast_biases, [(4, 6), (4,), (3, 4), (3,)]),
    "rows with relu": (rows_with_relu, [(4, 6), (4,), (3, 4), (3,)]),
    "recurrent": (recurrent, [(4, 4), (2, 4)]),
    "attention": (attention, [(6, 6), (6, 6), (6, 6)]),
}

USED_TWICE: dict[str, tuple[Function, list[tuple[int, ...]]]] = {
    "a product after a product": (lambda w: np.sum(np.tanh(DATA @ w @ w)), [(6, 6)]),
    "by its transpose, elementwise": (lambda w: np.sum(np.exp(w * w.T)), [(4, 4)]),
    "by its transpose, as a matrix": (lambda w: np.sum(np.sin(w @ w.T)), [(4, 6)]),
    "tied weights": (lambda w, b: np.sum((np.tanh(DATA @ w + b) @ w.T - DATA) ** 2), [(6, 4), (4,)]),
    "beside its sum": (lambda w: np.sum(w / np.sum(np.abs(w))) + np.max(w), [(3, 4)]),
    "a stack by its reverse": (lambda w: np.sum(np.sin(w @ w[::-1])), [(3, 3, 3)]),
    "joined with itself": (lambda w: np.prod(1 + np.concatenate([w, w[::-1]], axis=0) / 9), [(3, 4)]),
    "in every step": (lambda w, x: np.sum((w @ (w @ (w @ x))) ** 2), [(4, 4), (4,)]),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("step", STEPS)
def test_networks_give_what_calls_with_one_entry_moved_give(name: str, step: float) -> None:
    f, shapes = NETWORKS[name]
    assert not hold_against_calls(f, weights(*shapes), step, entries=40)


@pytest.mark.parametrize("name", USED_TWICE)
@pytest.mark.parametrize("step", STEPS)
def test_a_parameter_that_is_used_twice_is_moved_in_both_places(name: str, step: float) -> None:
    f, shapes = USED_TWICE[name]
    assert not hold_against_calls(f, weights(*shapes), step, entries=40)


@pytest.mark.parametrize("activation", ["relu", "tanh", "softplus"])
def test_modules_with_an_objective_give_what_calls_with_one_entry_moved_give(activation: str) -> None:
    net = nn.MLP((6, 5, 3), activation=activation, rng=0, dtype=np.float64)
    objective = nn.CrossEntropy() + 0.01 * nn.L2()
    parameters = list(net.parameters())
    arrays = [parameter.numpy() for parameter in parameters]
    capture = captured(lambda: objective(net, DATA, LABELS), parameters)
    assert capture is not None
    for i, (parameter, x) in enumerate(zip(parameters, arrays, strict=True)):
        result = moved(capture, i, np.arange(x.size), np.full(x.size, 1e-3))
        assert not result.plainly
        for entry in range(x.size):
            y = x.copy()
            y.reshape(-1)[entry] += 1e-3
            parameter.assign(y)
            np.testing.assert_allclose(result.outputs[0, entry], objective(net, DATA, LABELS).item(), rtol=1e-14)
        parameter.assign(x)


# ----- Shapes at the edge -----


def test_a_number_and_an_empty_array_are_parameters_too() -> None:
    def f(a: Any, nothing: Any) -> Any:
        return np.sum(a * DATA) ** 2 + np.sum(nothing * 2)

    assert not hold_against_calls(f, [np.array(0.3), np.zeros((0, 3))], 1e-3)


def test_a_value_that_does_not_depend_on_the_parameter_stays() -> None:
    parameters = [transient(np.ones(3)), transient(np.ones(2))]
    capture = captured(lambda: np.sum(parameters[0] ** 2), parameters)
    assert capture is not None
    result = moved(capture, 1, [0, 1], [0.5, 0.5])
    assert result.outputs.tolist() == [[3.0, 3.0]]
    assert not result.crosses.any()


def test_several_values_are_followed_at_once() -> None:
    x = transient(np.arange(4.0))
    parts: list[Any] = []

    def f() -> Any:
        first = np.sum(np.exp(x))
        parts[:] = [first, np.sum(x[:2]) * first, np.reshape(x[3:], (1, 1)), x[2] * x[1]]
        return sum(np.sum(part) for part in parts)

    capture = captured(f, [x])
    assert capture is not None
    nodes = [part._node for part in parts]
    found = moved_one_by_one(capture, nodes, capture.leaves[0], np.arange(4), np.full(4, 0.5)).outputs
    for k in range(4):
        y = np.arange(4.0)
        y[k] += 0.5
        first = np.exp(y).sum()
        np.testing.assert_allclose(found[:, k], [first, y[:2].sum() * first, y[3], y[2] * y[1]], rtol=1e-15)


def test_entries_come_in_any_order_and_more_than_once_each_with_its_step() -> None:
    x = np.arange(6.0).reshape(2, 3)
    capture = recorded(lambda x: np.sum(x**3), [x])
    found = moved(capture, 0, [5, 0, 5, 2], [1.0, 2.0, -1.0, 0.0]).outputs[0]
    assert found.tolist() == [225.0 + 91, 225.0 + 8, 225.0 - 61, 225.0]


def test_what_was_recorded_is_not_changed() -> None:
    capture = recorded(rows_with_bias_columns, weights((4, 7), (3, 5)))
    before = {node: np.copy(value) for node, value in capture.values.items()}
    moved(capture, 0, np.arange(28), np.full(28, 0.1))
    assert all(np.array_equal(before[node], value) for node, value in capture.values.items())


def test_a_cast_on_the_way_rounds_as_in_a_call() -> None:
    def f(w: Any) -> Any:
        return np.sum(np.tanh((DATA @ w).astype(np.float32)).astype(np.float64))

    assert not hold_against_calls(f, weights((6, 4)), 0.1, entries=24, tolerance=1e-6)


# ----- Kinks -----


def test_only_the_entries_that_cross_a_kink_are_marked() -> None:
    capture = recorded(lambda x: np.sum(tg.relu(x)) + np.sum(np.sin(x)), [np.array([-1.0, -0.05, 0.05, 1.0])])
    assert moved(capture, 0, np.arange(4), np.full(4, 0.1)).crosses.tolist() == [False, True, False, False]
    assert moved(capture, 0, np.arange(4), np.full(4, -0.1)).crosses.tolist() == [False, False, True, False]


def test_an_entry_that_overtakes_the_largest_is_marked() -> None:
    x = np.array([[1.0, 0.95, 0.0], [0.0, 0.0, 3.0]])
    capture = recorded(lambda x: np.sum(np.max(x, axis=1)), [x])
    crosses = moved(capture, 0, np.arange(6), np.full(6, 0.1)).crosses
    assert crosses.tolist() == [False, True, False, False, False, False]


def test_a_kink_behind_a_product_is_seen_whichever_unit_it_is_at() -> None:
    x, w = np.array([[1.0, 2.0]]), np.array([[0.5, -0.2], [1.0, 1.0]])
    capture = recorded(lambda w: np.sum(np.where(x @ w.T > 0, x @ w.T, 0.0)), [w])
    assert moved(capture, 0, np.arange(4), np.full(4, -0.06)).crosses.tolist() == [False, True, False, False]


def test_what_is_nan_with_and_without_the_move_is_no_kink() -> None:
    capture = recorded(lambda x: np.sum(np.where(x > 0, np.abs(np.log(x)), 0.0)), [np.array([-1.0, 2.0])])
    assert not moved(capture, 0, np.arange(2), np.full(2, 0.1)).crosses.any()


# ----- How much is computed, and how precisely -----


def seen_sizes() -> tuple[Function, list[int]]:
    """Return an elementwise function, and the list to which it writes how many values it is called with."""
    sizes: list[int] = []

    @tg.primitive(lambda g, y, _x: g * y, elementwise=True)
    def measured(x: Any) -> Any:
        sizes.append(x.size)
        return np.exp(x)

    return measured, sizes


OTHER = np.ones((5, 4))

SMALL_CHANGES: dict[str, tuple[Function, int]] = {
    "a product of rows": (lambda w: DATA @ w, 5),
    "a product of columns": (lambda w: w.T @ DATA.T, 5),
    "a stack of products": (lambda w: np.stack([DATA, DATA]) @ w, 10),
    "a product with a bias": (lambda w: tg.linear(DATA, w.T, np.ones(4)), 5),
    "transposed": (lambda w: (DATA @ w).T, 5),
    "swapped": (lambda w: np.swapaxes(DATA @ w, 0, 1), 5),
    "beside a column of ones": (lambda w: np.concatenate([ONES, DATA @ w], axis=1), 5),
    "stacked": (lambda w: np.stack([DATA @ w, OTHER]), 5),
    "sliced": (lambda w: (DATA @ w)[1:, ::-1], 4),
    "reshaped around an axis": (lambda w: np.reshape(DATA @ w, (5, 2, 2)), 5),
    "with an axis added": (lambda w: np.expand_dims(DATA @ w, 1), 5),
    "repeated": (lambda w: np.broadcast_to(w, (7, 6, 4)), 7),
    "flattened": (lambda w: np.reshape(w, (24,)), 1),
    "picked by an array": (lambda w: w[np.array([0, 0, 3, 5])], 4),
    "a sum over another axis": (lambda w: np.sum(w, axis=0), 1),
    "beside what depends on the same entry": (lambda w: w * np.cos(w) + w, 1),
    "beside the same entry by another way": (lambda w: w * np.concatenate([OTHER, w], axis=0)[5:], 1),
}


@pytest.mark.parametrize("name", SMALL_CHANGES)
def test_no_more_is_computed_than_what_an_entry_changes(name: str) -> None:
    before, per_entry = SMALL_CHANGES[name]
    measured, sizes = seen_sizes()
    capture = recorded(lambda w: np.sum(measured(before(w))), weights((6, 4)))
    sizes.clear()
    assert not moved(capture, 0, np.arange(10), np.full(10, 1e-3)).plainly
    assert sizes == [10 * per_entry]


def test_picking_rows_of_a_large_table_takes_no_memory_for_the_others() -> None:
    table = np.zeros((100_000, 2))
    capture = recorded(lambda w: np.sum(np.exp(w[np.array([7, 3, 7])])), [table])
    tracemalloc.start()
    found = moved(capture, 0, np.arange(16), np.full(16, 1.0)).outputs[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(found, 6 + (math.e - 1) * np.repeat([0, 0, 0, 1, 0, 0, 0, 2], 2))
    assert peak < 3 * table.nbytes < 16 * table.nbytes  # not one table for each entry


def test_long_sums_are_as_precise_as_in_a_call() -> None:
    x = np.random.default_rng(0).normal(size=100_000) - np.log(100_000) - 0.5
    capture = recorded(lambda c: tg.logsumexp(x + np.sum(c)), [np.zeros(4)])
    found = moved(capture, 0, np.arange(4), np.full(4, 1e-3)).outputs[0]
    assert np.max(np.abs(found - math.log(math.fsum(np.exp(x + 1e-3))))) < 2e-15


# ----- What has to be run one entry at a time -----


@tg.primitive(lambda g, _y, x: g * np.sign(x - 1), kinks=lambda _y, x: x > 1)
def distance_from_one(x: Any) -> Any:
    return np.absolute(x - 1)


def test_a_primitive_that_nothing_is_known_of_is_run_plainly_and_named() -> None:
    def f(w: Any) -> Any:
        return np.sum(distance_from_one(DATA @ w) ** 2)

    for step in STEPS:
        assert hold_against_calls(f, weights((6, 3)), step, entries=18) == {"distance_from_one"}


def test_infinities_are_where_they_are_in_a_call() -> None:
    def sums(x: Any) -> Any:
        return np.sum(np.sum(np.log(x), axis=1) * np.array([0.0, 1.0])) + np.sum(np.exp(x))

    def products(x: Any) -> Any:
        return np.sum(np.exp(-(np.log(x) @ np.ones((3, 2)))))

    x = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    for f in (sums, products):
        for step in STEPS:
            hold_against_calls(f, [x], step)
    capture = recorded(products, [x])
    assert moved(capture, 0, np.arange(6), np.full(6, 0.1)).plainly == {"matmul"}


# ----- Batches -----


def test_batches_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = recorded(attention, weights((6, 6), (6, 6), (6, 6)))
    entries, steps = np.arange(36), np.linspace(-0.1, 0.1, 36)
    whole = moved(capture, 0, entries, steps).outputs
    for size in (1, 10_000, 50_000):
        monkeypatch.setattr(moving, "WORKING_SET", size)
        np.testing.assert_allclose(moved(capture, 0, entries, steps).outputs, whole, rtol=1e-14)


def test_memory_stays_below_the_stated_bound_whatever_the_number_of_entries() -> None:
    x = np.random.default_rng(0).normal(size=(300, 100))
    capture = recorded(
        lambda w, v: np.sum(tg.log_softmax(np.tanh(x @ w) @ v, axis=1)[:, 0]), weights((100, 30), (30, 40))
    )
    tracemalloc.start()
    result = moved(capture, 0, np.arange(3000), np.full(3000, 1e-3))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.isfinite(result.outputs).all()
    assert peak < 200 * 10**6 < 3000 * 300 * 40 * 8  # all entries at once would not fit
