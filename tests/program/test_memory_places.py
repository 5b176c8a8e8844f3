"""Where values lie: in place of what is needed no more, in the arrays of cells, never in what somebody else holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.rewriting import held, held_function, places

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(4, 5)), RNG.normal(size=(4, 5))

# ----- Buffers -----


def test_a_chain_takes_one_buffer():
    program = held_function(lambda x: np.exp(np.sin(np.tanh(-x))), X, exact=True)
    assert places(program) == ["buffer 0", *["buffer 0, in place"] * 3]
    assert program.plan().peak_bytes == X.nbytes


def test_what_is_read_later_keeps_its_buffer():
    def function(x):
        first = np.sin(x)
        second = np.exp(first)
        return second * first

    assert places(held_function(function, X, exact=True)) == ["buffer 0", "buffer 1", "buffer 1, in place"]


def test_a_view_keeps_the_buffer_of_what_it_shows():
    def function(x):
        shown = np.sin(x).T
        other = np.exp(x)
        return np.cos(other), shown + 1.0

    assert places(held_function(function, X, exact=True))[:4] == ["buffer 0", "view", "buffer 1", "buffer 1, in place"]


def test_a_buffer_that_is_needed_no_more_goes_to_a_value_of_another_shape():
    def function(x):
        return np.concatenate([np.sum(np.sin(x), axis=0), np.sum(np.cos(x), axis=0)])

    program = held_function(function, X, exact=True)
    assert len(program.plan().buffers) < program.plan().buffer_values


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: np.matmul(np.sin(x), np.sin(x).T),
        lambda x, y: np.sin(x)[::-1] - np.sin(x),  # a view of itself the other way round
        lambda x, y: np.sum(np.sin(x), axis=1, keepdims=True) + np.sin(x),
        lambda x, y: np.where(np.sin(x) > 0, np.sin(x), y),
        lambda x, y: np.sin(x).reshape(5, 4).T * np.sin(x),
        lambda x, y: tg.set_at(np.sin(x), (0, slice(None)), np.sin(x)[1]),
        lambda x, y: np.stack([np.sin(x), np.sin(x) * 2.0, y]),
        lambda x, y: np.broadcast_to(np.sin(x)[:1], (4, 5)) * np.sin(x),
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_nothing_is_overwritten_before_it_is_read(function, exact):
    held_function(function, X, Y, exact=exact)


def test_results_and_arguments_lie_in_no_buffer():
    program = tg.compile(lambda x, y: (np.sin(x), x * y), exact=True)
    x, y = tg.Tensor(X), tg.Tensor(Y)
    first = [result.numpy() for result in program(x, y)]
    kept = [array.copy() for array in first]
    program(tg.Tensor(Y), tg.Tensor(X))
    assert all(np.array_equal(array, copy) for array, copy in zip(first, kept, strict=True))
    assert np.array_equal(x.numpy(), X)
    assert np.array_equal(y.numpy(), Y)


# ----- Cells -----


def cell(name: str, values: Any = X) -> tg.Tensor:
    return tg.Tensor(values, name=name)


def test_the_new_value_of_a_cell_is_computed_in_it():
    def make():
        w = cell("w")
        return lambda x: w.assign(np.sin(w * 0.5) + x), [w]

    assert places(held(make, Y, exact=True)) == ["in w"] * 3


def test_where_the_old_value_is_read_later_the_new_one_lies_elsewhere():
    def make():
        w = cell("w")

        def function(x):
            old = w.detach()
            w.assign(np.sin(w))
            return np.sum(old * x)

        return function, [w]

    assert "in w" not in places(held(make, Y, exact=True))[:1]


def test_cells_that_exchange_their_values_do():
    def make():
        a, b = cell("a"), cell("b", Y)

        def function():
            old = a.detach()
            a.assign(b)
            b.assign(old)

        return function, [a, b]

    held(make, exact=True)


def test_cells_that_move_in_a_circle_and_change_on_the_way_do():
    def make():
        cells = [cell("a"), cell("b", Y), cell("c", X - Y)]

        def function(x):
            first, second, third = (c.detach() for c in cells)
            cells[0].assign(np.sin(second))
            cells[1].assign(third + first)
            cells[2].assign(first * x)

        return function, cells

    held(make, Y, exact=True)


def test_a_cell_that_is_assigned_to_twice_holds_the_last_value():
    def make():
        w = cell("w")

        def function(x):
            w.assign(w + x)
            between = w.detach() * 2.0
            w.assign(np.sin(w))
            return between

        return function, [w]

    held(make, Y, exact=True)


def test_the_value_of_a_cell_that_is_handed_out_is_a_copy():
    w = cell("w")
    program = tg.compile(lambda x: (w.assign(w + x), w.detach())[1], exact=True)
    first = program(tg.Tensor(Y))
    program(tg.Tensor(Y))
    assert np.array_equal(first.numpy(), X + Y)
    assert np.array_equal(w.data, X + Y + Y)


@pytest.mark.parametrize("values", [1.0, np.arange(3), np.array([True, False]), np.zeros((0, 2))])
def test_scalars_integers_and_empty_cells_are_assigned_to(values):
    def make():
        w = cell("w", np.asarray(values))
        return lambda x: w.assign(np.where(w == w, w, w) if w.dtype == np.bool else w * 1 + w), [w]

    held(make, Y, exact=True)


def test_a_cell_that_takes_a_value_of_another_memory_order_takes_its_numbers():
    def make():
        w = cell("w", np.ones((4, 5)))
        return lambda x: w.assign(np.sin(x).T * w), [w]

    held(make, np.asfortranarray(X).T.copy())
