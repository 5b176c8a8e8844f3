"""The backward sweep: what arrives at the leaves, and what it shares with whom."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import GraphError, ShapeError
from tinygrad_lite.primitives import Primitive


def leaf(*values: float) -> tg.Tensor:
    return tg.Tensor(list(values), requires_grad=True)


def test_a_second_backward_accumulates_exactly_twice() -> None:
    x = leaf(1.0, 2.0)
    y = np.sum(np.exp(x) * x)
    y.backward()
    once = x.grad.copy()
    y.backward()
    assert np.array_equal(x.grad, 2 * once)


def test_interior_nodes_do_not_accumulate_between_sweeps() -> None:
    """The chain on which micrograd gives 36 where 24 is right."""
    x = tg.Tensor(2.0, requires_grad=True)
    y = (x * 3) * 4
    y.backward()
    y.backward()
    assert x.grad == 24


def test_the_gradient_of_a_0_d_leaf_stays_an_array_when_it_accumulates() -> None:
    x = tg.Tensor(2.0, requires_grad=True)
    for total in (1, 2, 3):
        (x * 1).backward()
        assert type(x.grad) is np.ndarray
        assert x.grad == total


def test_an_operand_that_is_used_twice_in_one_operation_counts_twice() -> None:
    x = leaf(3.0)
    (x * x).backward()
    assert x.grad == 6


def test_a_diamond_adds_both_paths() -> None:
    x = leaf(2.0)
    left, right = x * 3, np.exp(x)
    (left * right + left).backward()
    assert np.allclose(x.grad, 3 * np.exp(2) * (1 + 2) + 3)


def test_sixty_stacked_diamonds_cost_what_sixty_nodes_cost() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = 0.5 * y + 0.5 * y
    y.backward()
    assert x.grad == 1


def test_one_leaf_reached_along_many_paths_collects_them_all() -> None:
    x = leaf(1.0, 2.0)
    total = x[0] + x[1] + np.sum(x) + x.reshape(2, 1).T.sum() + np.concatenate([x, x]).sum()
    total.backward()
    assert np.array_equal(x.grad, [5, 5])


def test_two_leaves_that_receive_the_same_cotangent_do_not_share_it() -> None:
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    cotangent = np.array([5.0, 6.0])
    (a + b).backward(cotangent)
    a.grad[0] = 100
    assert np.array_equal(b.grad, [5, 6])
    assert np.array_equal(cotangent, [5, 6])


def test_the_gradient_of_a_leaf_does_not_change_when_another_goes_on_accumulating() -> None:
    a, b = leaf(1.0), leaf(1.0)
    (a + b).backward()
    kept = a.grad
    (a + b).backward()
    assert kept == 1
    assert a.grad == 2


def test_a_cotangent_passed_through_two_views_is_accumulated_without_touching_it() -> None:
    x = leaf(1.0, 2.0)
    h = x + 0
    cotangent = np.array([1.0, 10.0])
    (h + h.reshape(2) + h[::-1][::-1] + h * 2).backward(cotangent)
    assert np.array_equal(x.grad, [5, 50])
    assert np.array_equal(cotangent, [1, 10])


def test_a_leaf_can_be_its_own_root() -> None:
    x = leaf(1.0, 2.0)
    x.backward([3.0, 4.0])
    assert np.array_equal(x.grad, [3, 4])
    assert x.grad.flags.owndata


def test_a_cotangent_takes_the_dtype_of_the_result() -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True, dtype=np.float32)
    for cotangent in ([3, 4], np.array([3.0, 4.0]), tg.Tensor([3.0, 4.0]), tg.Tensor([3, 4])):
        for y in (x, x * 1):
            x.grad = None
            y.backward(cotangent)
            assert x.grad.dtype == np.float32
            assert np.array_equal(x.grad, [3, 4])


def test_backward_from_a_non_scalar_without_a_cotangent_raises() -> None:
    with pytest.raises(GraphError, match=r"shape \(2,\) needs a cotangent"):
        (leaf(1.0, 2.0) * 2).backward()


def test_backward_from_one_value_in_any_shape_needs_no_cotangent() -> None:
    x = tg.Tensor([[3.0]], requires_grad=True)
    (x * x).backward()
    assert np.array_equal(x.grad, [[6]])


def test_a_cotangent_of_another_shape_raises_even_if_it_would_broadcast() -> None:
    y = leaf(1.0, 2.0) * 2
    for wrong in (1.0, [1.0], [[1.0, 2.0]], [1.0, 2.0, 3.0]):
        with pytest.raises(ShapeError, match="cotangent of shape"):
            y.backward(wrong)


@pytest.mark.parametrize("cut", ["constant", "no_grad", "detach", "numpy", "comparison"])
def test_backward_from_a_root_without_history_raises(cut: str) -> None:
    x = leaf(1.0)
    if cut == "no_grad":
        with tg.no_grad():
            root = x * 2
    else:
        root = {
            "constant": tg.Tensor([1.0]) * 2,
            "detach": x.detach() * 2,
            "numpy": tg.Tensor(x.numpy()) * 2,
            "comparison": x > 0,
        }[cut]
    with pytest.raises(GraphError, match="without history"):
        root.backward()


def test_only_leaves_have_a_grad() -> None:
    x = leaf(1.0)
    y = x * 2
    y.backward()
    assert y.grad is None
    with pytest.raises(GraphError):
        y.grad = [1.0]


def test_a_gradient_can_be_set_and_must_fit() -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True, dtype=np.float32)
    mine = np.array([3.0, 4.0])
    x.grad = mine
    mine[0] = 100
    assert x.grad.dtype == np.float32
    assert np.array_equal(x.grad, [3, 4])
    with pytest.raises(ShapeError):
        x.grad = [1.0]


def test_the_gradient_of_an_operand_that_needs_none_is_not_computed() -> None:
    """The rule of the constant operand would raise if it were called."""
    called = []
    product = Primitive(
        "watched product", np.multiply, lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: called.append(1) or g * a
    )
    product(leaf(1.0), tg.Tensor([2.0])).backward()
    product(leaf(1.0), np.array([2.0])).backward()
    assert not called
    product(leaf(1.0), leaf(2.0)).backward()
    assert called


def test_the_gradient_of_a_transposed_weight_lies_in_memory_as_the_weight_does() -> None:
    x = np.ones((5, 3))
    w = tg.Tensor(np.ones((2, 3)), requires_grad=True)
    np.sum(x @ w.T).backward()
    assert w.grad.flags.c_contiguous


def test_backward_goes_through_a_result_with_a_gradient_of_zero_size() -> None:
    x = tg.Tensor(np.zeros((0, 3)), requires_grad=True)
    np.sum(x * 2).backward()
    assert x.grad.shape == (0, 3)
