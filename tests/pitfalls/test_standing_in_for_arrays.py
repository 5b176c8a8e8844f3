"""Where Python and NumPy ask a Tensor what they would ask an array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg


def leaf(*values: float) -> tg.Tensor:
    return tg.Tensor(list(values), requires_grad=True)


def test_an_array_made_of_a_constant_is_a_copy_if_one_is_asked_for_and_else_a_view_that_cannot_be_written_to() -> None:
    t = tg.Tensor([1.0, 2.0])
    mine = np.array(t, copy=True)
    mine[0] = 100
    for view in (np.asarray(t), np.array(t, copy=None), np.array(t, copy=False), np.asarray(t, dtype=np.float64)):
        assert np.shares_memory(view, t.data)
        assert not view.flags.writeable
    assert np.array_equal(t.data, [1, 2])


@pytest.mark.parametrize("copy", [True, None])
def test_an_array_of_another_dtype_is_a_copy_that_may_be_written_to(copy: bool | None) -> None:
    t = tg.Tensor([1.0, 2.0])
    mine = np.array(t, dtype=np.float32, copy=copy)
    mine[0] = 100
    assert mine.dtype == np.float32
    assert np.array_equal(t.data, [1, 2])


def test_an_array_of_another_dtype_without_a_copy_is_refused_as_numpy_refuses_it() -> None:
    for source in (np.array([1.0, 2.0]), tg.Tensor([1.0, 2.0])):
        with pytest.raises(ValueError, match="copy"):
            np.array(source, dtype=np.float32, copy=False)


def test_a_tensor_is_found_among_others_by_what_it_is_and_not_by_what_it_holds() -> None:
    a, b = leaf(1.0, 2.0), leaf(1.0, 2.0)
    assert {a: "a", b: "b"}[b] == "b"
    assert a in {a}
    assert b not in {a}
    assert a in [a, b]
    assert len({a, b, a, a.detach()}) == 3
    gradients = dict.fromkeys([a, b])
    np.sum(a * 3 + b * 5).backward()
    for t in gradients:
        gradients[t] = t.grad
    assert np.array_equal(gradients[b], [5, 5])


def test_what_has_to_compare_several_values_raises_and_never_takes_the_first_for_all() -> None:
    a, b = leaf(1.0, 2.0), leaf(1.0, 7.0)
    for attempt in (lambda: b in [a], lambda: [a, b].index(b), lambda: [a, b].remove(b), lambda: sorted([a, b])):
        with pytest.raises(ValueError, match="ambiguous"):
            attempt()
    for attempt in (lambda: a and b, lambda: not a, lambda: 0 < a < 2, lambda: max(a, b), lambda: a == [1, 2] or b):
        with pytest.raises(ValueError, match="ambiguous"):
            attempt()


def test_a_branch_on_one_value_is_taken_and_the_gradient_is_that_of_the_branch() -> None:
    def f(x: Any) -> Any:
        return x * x if x > 1 and x != 3 else max(5 * x, x)

    assert [tg.grad(f)(x) for x in (2.0, 3.0, 0.5)] == [4, 5, 5]


def test_rows_columns_and_values_come_out_with_their_gradient_by_every_kind_of_loop() -> None:
    x, g = tg.Tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True), np.array([[0.5, -1.0], [2.0, 0.25]])
    (top, right), bottom = x
    total = top * g[0, 0] + right * g[0, 1]
    for i, value in enumerate(bottom):
        total = total + value * g[1, i]
    total = total + sum(
        value * weight for row, weights in zip(x, g, strict=True) for value, weight in zip(row, weights)
    )
    total = total + sum(np.sum(row * weights) for row, weights in zip(reversed(x), g[::-1], strict=True))
    total.backward()
    np.testing.assert_allclose(x.grad, 3 * g, rtol=1e-15)


def test_a_mask_without_hits_gives_nothing_and_a_gradient_of_zeros() -> None:
    x = leaf(1.0, 2.0, 3.0)
    nothing = x[x > 10]
    assert nothing.shape == (0,)
    (np.sum(nothing) + np.sum(x[x > 2] * 5.0)).backward()
    assert np.array_equal(x.grad, [0, 0, 5])
    assert np.array_equal(tg.grad(lambda x: np.sum(x[np.zeros(3, bool)] ** 2))(x.data), [0, 0, 0])


def test_what_is_done_to_a_slice_reaches_neither_the_whole_nor_its_gradient() -> None:
    x, g = tg.Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True), np.array([2.0, -1.0])
    column = x[:, 1]
    column += 10.0
    column *= 3.0
    column.backward(g)
    assert np.array_equal(x.data, np.arange(6.0).reshape(2, 3))
    assert np.array_equal(column.data, [33, 42])
    assert np.array_equal(x.grad, 3 * g[:, None] * [0, 1, 0])
    x.grad[0, 1] = 100
    assert np.array_equal(g, [2, -1])


INDICES: dict[str, Any] = {
    "newaxis between": (slice(None), None, 1),
    "ellipsis and newaxis": (..., None),
    "pairs on both sides of a slice": ([0, 1, 0], slice(None), [3, 3, 3]),
    "an array beside an integer": (1, slice(None), np.array([0, 0, 3])),
    "a mask of two axes and a slice": (np.array([[True, False, True], [False, False, True]]), slice(1, None)),
    "one place five times": (np.zeros(5, int), np.zeros(5, int), np.zeros(5, int)),
    "a negative and a positive name of one place": ([-1, 1], [0, 0]),
    "a step backwards over every axis": (slice(None, None, -1), slice(None, None, -2), slice(2, 0, -1)),
}


@pytest.mark.parametrize("name", INDICES)
def test_an_index_hands_each_cotangent_to_the_place_it_was_read_from(name: str) -> None:
    index, values = INDICES[name], np.random.default_rng(0).normal(size=(2, 3, 4))
    x = tg.Tensor(values, requires_grad=True)
    y = x[index]
    g = np.random.default_rng(1).normal(size=y.shape)
    y.backward(g)
    expected, places = np.zeros(24), np.arange(24).reshape(2, 3, 4)[index]
    for place, part in zip(places.ravel().tolist(), g.ravel().tolist(), strict=True):
        expected[place] += part
    assert np.array_equal(y.data, values[index])
    np.testing.assert_allclose(x.grad, expected.reshape(2, 3, 4), rtol=1e-15)
