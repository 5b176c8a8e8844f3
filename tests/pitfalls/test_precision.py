"""What decides the dtype of a result and of a gradient, and which dtypes are not taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import DtypeError

SCALARS = [np.float16(2), np.longdouble(2), np.complex64(2), np.complex128(2), 2j]


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda scalar: type(scalar).__name__)
def test_a_scalar_that_cannot_be_computed_with_is_refused_on_either_side(scalar: Any) -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    for operation in (
        lambda: x * scalar,
        lambda: scalar * x,
        lambda: x**scalar,
        lambda: np.maximum(x, scalar),
        lambda: np.where([True, False], x, scalar),
        lambda: tg.Tensor(scalar),
    ):
        with pytest.raises(DtypeError, match="float32, float64"):
            operation()


@pytest.mark.parametrize("cotangent", [[1j, 1.0], ["1", "2"]], ids=["complex", "strings"])
def test_a_cotangent_that_is_not_real_is_refused_and_not_cut_to_its_real_part(cotangent: Any) -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(DtypeError):
        (x * 2).backward(np.array(cotangent))


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.int64, np.uint64])
def test_an_index_of_any_integer_dtype_picks_and_gets_no_gradient(dtype: Any) -> None:
    x, index = tg.Tensor([1.0, 2.0, 4.0], requires_grad=True, dtype=np.float32), tg.Tensor(np.array([2, 0, 2], dtype))
    y = x[index]
    y.backward([1.0, 10.0, 100.0])
    assert np.array_equal(y.data, [4, 1, 4])
    assert np.array_equal(x.grad, [10, 0, 101])
    assert y.dtype == x.grad.dtype == np.float32
    assert index.grad is None
    assert index.dtype == dtype


@pytest.mark.parametrize("labels", [[True, False], [1.0, 0.0]], ids=["bool", "float"])
def test_labels_that_are_no_integers_are_refused(labels: Any) -> None:
    with pytest.raises(DtypeError, match="integers"):
        tg.softmax_cross_entropy(tg.Tensor(np.zeros((2, 2)), requires_grad=True), labels)


def test_a_comparison_stays_boolean_and_counts_like_one() -> None:
    x = tg.Tensor([-1.0, 2.0, 3.0], requires_grad=True, dtype=np.float32)
    mask = x > 0
    assert mask.dtype == bool
    assert np.sum(mask).item() == 2
    y = x * mask
    assert y.dtype == np.float32
    y.backward(np.array([5.0, 7.0, 11.0]))
    assert np.array_equal(x.grad, [0, 7, 11])


WIDENING: dict[str, Any] = {
    "a learning rate of NumPy": lambda w, x, g: np.float64(0.1) * np.sum(x @ w.T * g),
    "a weight of NumPy in a sum": lambda w, x, g: tg.weighted_sum([np.sum(x @ w.T * g)], [np.float64(0.1)]),
    "a norm of NumPy": lambda w, x, g: np.sum(x @ w.T * g) / np.linalg.norm([6.0, 8.0]),
    "a 0-d array": lambda w, x, g: np.sum(x @ w.T * g) * np.array(0.1),
    "a constant Tensor": lambda w, x, g: np.sum(x @ w.T * g) * tg.Tensor(0.1),
    "a bound of NumPy": lambda w, x, g: np.sum(np.clip(x @ w.T, np.float64(-100), np.float64(100)) * g) * 0.1,
}


@pytest.mark.parametrize("name", WIDENING)
def test_no_scalar_on_the_way_makes_a_double_of_a_single(name: str) -> None:
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=(4, 2)).astype(np.float32)
    w = tg.Tensor(rng.normal(size=(2, 3)), requires_grad=True, dtype=np.float32)
    y = WIDENING[name](w, x, g)
    y.backward()
    assert y.dtype == w.grad.dtype == np.float32
    np.testing.assert_allclose(w.grad, 0.1 * g.T @ x, rtol=1e-5, atol=1e-6)


def test_a_leaf_of_single_precision_takes_back_from_double_what_it_can_hold() -> None:
    w = tg.Tensor([1.0, 2.0], requires_grad=True, dtype=np.float32)
    data, g = np.array([1 / 3, 2 / 3]), np.array([0.1, 0.7])
    y = (w * data) @ g
    y.backward()
    assert y.dtype == np.float64
    assert w.grad.dtype == np.float32
    assert np.array_equal(w.grad, (data * g).astype(np.float32))


@pytest.mark.parametrize(
    "lr", [np.float64(0.01), np.float32(0.01), np.array(0.01), 0.01], ids=lambda lr: type(lr).__name__
)
@pytest.mark.parametrize("rule", [optim.SGD, optim.Adam], ids=lambda rule: rule.__name__)
def test_a_learning_rate_of_any_kind_leaves_parameters_gradients_and_state_single(rule: Any, lr: Any) -> None:
    net = nn.MLP([3, 4, 2], rng=0)
    optimizer = rule(lr=lr).bind(net)
    for _ in range(2):
        optimizer.zero_grad()
        (nn.CrossEntropy() + np.float64(0.1) * nn.L2())(net, np.ones((5, 3)), np.zeros(5, np.uint8)).backward()
        optimizer.step()
    for parameter in net.parameters():
        assert parameter.dtype == parameter.grad.dtype == np.float32
    kept = {name: value for name, value in optimizer.state_dict().items() if value.ndim}
    assert all(value.dtype == np.float32 for value in kept.values())
    assert bool(kept) == (rule is optim.Adam)
