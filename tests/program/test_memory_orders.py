"""What a program lays out otherwise; and what it is given may lie in memory in any order, another at each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.comparing import assert_near
from tests.program.rewriting import held_function, operations

RNG = np.random.default_rng(7)

# ----- Narrow matrices by columns -----


def test_the_product_before_a_softmax_is_laid_out_by_columns():
    def function(x, w):
        return tg.softmax(x @ w.T, axis=-1).sum(axis=0)

    x, w = RNG.normal(size=(50, 8)), RNG.normal(size=(4, 8))
    assert "contiguous" not in operations(held_function(function, x, w))
    assert operations(held_function(function, x, w, exact=True))["contiguous"] == 1


def test_what_was_there_before_is_laid_out_anew_by_a_copy():
    program = held_function(lambda x: tg.softmax(x, axis=-1), RNG.normal(size=(50, 4)))
    assert operations(program)["contiguous"] == 1


# ----- Wide ones -----

LABELS = np.array([0, 7, 2, 2])


def lies_by_columns(program: Any, operation: str) -> list[bool]:
    """Return of each value of an operation whether it lies by columns."""
    found = [value.array for value in program._last().optimized.listing.values if value.operation is not None
             and value.operation.name == operation]  # fmt: skip
    return [array.flags.f_contiguous and not array.flags.c_contiguous for array in found]


def test_a_hidden_layer_wider_than_the_batch_is_laid_out_by_columns_with_what_it_is_made_into():
    def gradient(x, w, v):
        return tg.grad(lambda w, v: tg.softmax_cross_entropy(np.tanh(np.tanh(x @ w.T) @ v.T), LABELS))(w, v)

    x, w, v = RNG.normal(size=(4, 6)), RNG.normal(size=(9, 6)), RNG.normal(size=(8, 9))
    program = held_function(gradient, x, w, v)
    assert lies_by_columns(program, "tanh") == [True, True]
    exact = held_function(gradient, x, w, v, exact=True)
    assert not any(lies_by_columns(exact, "tanh"))


@pytest.mark.parametrize(
    ("reason", "function"),
    {
        "higher than wide": lambda x, w: np.tanh(x.T @ w[:, :4].T[:, :3]).sum(axis=0),
        "added to what is given": lambda x, w: (np.tanh(x @ w.T) + np.arange(36.0).reshape(4, 9)).sum(axis=0),
        "summed row by row": lambda x, w: np.tanh(x @ w.T).sum(axis=1),
        "given out": lambda x, w: np.tanh(x @ w.T),
    }.items(),
)
def test_other_matrices_stay_by_rows(reason: str, function: Callable[..., Any]) -> None:
    program = held_function(function, RNG.normal(size=(4, 6)), RNG.normal(size=(9, 6)))
    assert lies_by_columns(program, "tanh") == [False], reason


# ----- What is given -----

ORDERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "by rows": lambda x: x,
    "by columns": np.asfortranarray,
    "every second": lambda x: np.repeat(np.repeat(x, 2, axis=0), 2, axis=1)[::2, ::2],
    "every second, by columns": lambda x: np.asfortranarray(np.repeat(np.repeat(x, 2, axis=0), 2, axis=1))[::2, ::2],
    "backwards": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "rows backwards, by columns": lambda x: np.asfortranarray(x[::-1])[::-1],
    "a part of a larger matrix": lambda x: np.pad(x, 3)[3:-3, 3:-3],
}
"""The same numbers, laid out otherwise."""

ASSIGNED: dict[str, Callable[[np.ndarray], Any]] = {
    **ORDERS,
    "a Tensor that is transposed": lambda x: tg.Tensor(x.T).T,
    "a part of a Tensor": lambda x: tg.Tensor(np.repeat(x, 2, axis=1))[:, ::2],
}
"""What a cell may be assigned."""

STEPS: dict[str, Callable[[tg.Tensor, Any], Any]] = {
    "a product that is added": lambda w, a: w.assign(0.5 * w + a @ np.eye(120)),
    "a product from the left": lambda w, a: w.assign(0.5 * w + np.eye(100) @ a),
    "a transposed product": lambda w, a: w.assign((0.5 * w.T + a.T @ np.eye(100)).T * 1.0),
    "a multiple that is added": lambda w, a: w.assign(0.9 * w + 0.1 * a),
    "a transposed multiple": lambda w, a: w.assign((0.9 * w.T + 0.1 * a.T).T * 1.0),
    "a loss on labels": lambda w, a: w.assign(tg.softmax_cross_entropy(a, np.arange(100)) * w),
    "sums": lambda w, a: w.assign(w * np.sum(a, axis=0) + np.sum(a, axis=1, keepdims=True)),
    "a flat copy": lambda w, a: w.assign(w + a.reshape(-1)[::-1].reshape(100, 120)),
    "a softmax": lambda w, a: w.assign(w + tg.softmax(a, axis=-1)),
}


def values() -> np.ndarray:
    return RNG.normal(size=(100, 120))


def cell() -> tg.Tensor:
    return tg.Tensor(np.linspace(-1, 1, 12_000).reshape(100, 120), name="w")


@pytest.mark.parametrize("first", ORDERS)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_arguments_may_lie_in_any_order(step, first):
    w, twin = cell(), cell()
    program = tg.compile(lambda a: step(w, a))
    for order in (first, *ORDERS):
        a = ORDERS[order](values())
        program(a)
        step(twin, tg.Tensor(a))
        assert_near(w.data, twin.data, order)


@pytest.mark.parametrize("first", ASSIGNED)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_cells_that_are_read_may_lie_in_any_order(step, first):
    (w, read), (twin, other) = ((cell(), tg.Tensor(np.zeros((100, 120)))) for _ in range(2))
    program = tg.compile(lambda: step(w, read))
    for order in (first, *ASSIGNED):
        a = values()
        for tensor in (read, other):
            tensor.assign(ASSIGNED[order](a))
        program()
        step(twin, other)
        assert_near(w.data, twin.data, order)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_arrays_and_tensors_that_are_exchanged_may_lie_in_any_order(step):
    w, twin, held = cell(), cell(), {}
    programs = {name: tg.compile(lambda name=name: step(w, held[name])) for name in ("array", "tensor")}
    for order in ORDERS:
        held["array"] = ORDERS[order](values())
        programs["array"]()
        step(twin, tg.Tensor(held["array"]))
        assert_near(w.data, twin.data, order)
        held["tensor"] = tg.Tensor(np.ones((1, 1))) + ORDERS[order](values())
        programs["tensor"]()
        step(twin, held["tensor"])
        assert_near(w.data, twin.data, order)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_the_cell_that_is_assigned_to_may_lie_in_any_order(step):
    w, twin = cell(), cell()
    program = tg.compile(lambda a: step(w, a))
    for order in ASSIGNED:
        a, b = values(), values()
        for tensor in (w, twin):
            tensor.assign(ASSIGNED[order](b))
        program(a)
        step(twin, tg.Tensor(a))
        assert_near(w.data, twin.data, order)
