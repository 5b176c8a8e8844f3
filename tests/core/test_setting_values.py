"""set_at and add_at: what x[index] = values and x[index] += values do to an array, out of place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import ArgumentError, IndexingError, ShapeError

X = np.random.default_rng(0).normal(size=(3, 4))
INDICES: list[Any] = [1, (slice(None), 2), np.array([0, 2]), X > 0, (..., [3, 0]), (None, 1), slice(None, None, -2)]


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_they_give_what_assignment_gives_and_leave_the_array_alone(index: Any) -> None:
    before, values = X.copy(), np.random.default_rng(1).normal(size=X[index].shape)
    assigned, added = X.copy(), X.copy()
    assigned[index] = values
    added[index] += values
    for x in (X, tg.Tensor(X, requires_grad=True)):
        for ours, expected in ((tg.set_at(x, index, values), assigned), (tg.add_at(x, index, values), added)):
            assert np.array_equal(ours.numpy() if isinstance(ours, tg.Tensor) else ours, expected)
    assert np.array_equal(X, before)


@pytest.mark.parametrize("index", INDICES, ids=repr)
def test_the_cotangent_goes_to_the_values_at_the_index_and_to_the_array_elsewhere(index: Any) -> None:
    values, g = np.random.default_rng(1).normal(size=X[index].shape), np.random.default_rng(2).normal(size=X.shape)
    by_x, by_values = tg.grad(lambda x, v: np.sum(tg.set_at(x, index, v) * g), argnums=(0, 1))(X, values)
    elsewhere = g.copy()
    elsewhere[index] = 0
    assert np.array_equal(by_x, elsewhere)
    assert np.array_equal(by_values, g[index])
    by_x, by_values = tg.grad(lambda x, v: np.sum(tg.add_at(x, index, v) * g), argnums=(0, 1))(X, values)
    assert np.array_equal(by_x, g)
    assert np.array_equal(by_values, g[index])


def test_places_named_twice_are_refused_by_one_and_added_up_by_the_other() -> None:
    with pytest.raises(ArgumentError, match="add_at adds them up"):
        tg.set_at(X, [0, 2, 0], 1.0)
    with pytest.raises(ArgumentError, match="names a place twice"):
        tg.set_at(X, (np.array([0, -3]), np.array([1, 1])), 1.0)
    assert np.array_equal(tg.add_at(np.zeros(3), [0, 2, 0], np.array([1.0, 2.0, 3.0])), [4, 0, 2])
    assert tg.grad(lambda v: np.sum(tg.add_at(np.zeros(3), [0, 2, 0], v)))(5.0) == 3


@pytest.mark.parametrize("number", [2, 2.0, np.float64(2.0), tg.Tensor(2.0)], ids=type)
def test_a_number_does_not_widen_float32_and_an_array_promotes_as_in_numpy(number: Any) -> None:
    x = X.astype(np.float32)
    for f in (tg.set_at, tg.add_at):
        assert f(x, 0, number).dtype == np.float32
        assert f(tg.Tensor(x), 0, number).dtype == np.float32
        assert f(x, 0, np.ones(4)).dtype == np.float64
        assert f(np.arange(3), 0, 1.5).dtype == np.float64


def test_what_does_not_fit_is_refused() -> None:
    x = tg.Tensor(X, requires_grad=True)
    with pytest.raises(ShapeError, match="set_at"):
        tg.set_at(x, 0, np.ones(3))
    with pytest.raises(ShapeError, match=r"\(1, 4\) do not fit the shape \(4,\)"):
        tg.set_at(x, 0, np.ones((1, 4)))
    with pytest.raises(IndexingError, match="set_at"):
        tg.set_at(x, 9, 1.0)


def test_a_recurrence_written_into_an_array_is_differentiated() -> None:
    """The most frequent question of those who come from NumPy: filling an array step by step."""

    def last(rate: Any) -> Any:
        state = np.zeros(5)
        for i in range(1, 5):
            state = tg.set_at(state, i, rate * state[i - 1] + 1)
        return state[-1]

    assert tg.grad(last)(0.5) == pytest.approx(1 + 2 * 0.5 + 3 * 0.25)
