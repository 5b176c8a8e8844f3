"""Values never change under a graph, nothing leaves a graph unnoticed, and a sweep that makes no sense raises."""

from __future__ import annotations

import array
import io
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import DetachError, GraphError, TinygradLiteError


def leaf(*values: float) -> tg.Tensor:
    return tg.Tensor(list(values), requires_grad=True)


# ----- A Tensor copies what it is given -----


@pytest.mark.parametrize("requires_grad", [True, False])
def test_a_tensor_copies_arrays_of_every_kind(requires_grad: bool) -> None:
    base = np.arange(8.0)
    for given in (base, base[::2], base.reshape(2, 4), base.reshape(2, 4).T, base[3:4].reshape(()), base.view()):
        before = given.copy()
        t = tg.Tensor(given, requires_grad=requires_grad)
        base += 100
        assert np.array_equal(t.data, before)
        assert not np.shares_memory(t.data, base)
        base -= 100


def test_an_array_given_to_a_transform_a_gradient_or_assign_is_copied_too() -> None:
    mine, x = np.array([1.0, 2.0]), leaf(1.0, 2.0)

    def f(t: Any) -> Any:
        y = np.sum(t**3)
        mine[:] = 100
        return y

    assert np.array_equal(tg.grad(f)(mine), [3, 12])
    mine[:] = 5
    x.grad = mine
    x.assign(mine)
    mine[:] = 7
    assert np.array_equal(x.grad, [5, 5])
    assert np.array_equal(x.data, [5, 5])


# ----- A raw operand that a rule reads is copied on recording -----


def test_a_raw_operand_that_no_rule_reads_is_neither_copied_nor_kept() -> None:
    x, c = leaf(1.0, 2.0), np.array([3.0, 4.0])
    reference = weakref.ref(c)
    y = x + c
    c[:] = 100
    y.backward([2.0, 5.0])
    del c
    assert reference() is None
    assert np.array_equal(y.data, [4, 6])
    assert np.array_equal(x.grad, [2, 5])


def test_a_raw_operand_may_be_used_again_with_other_values() -> None:
    x, buffer = leaf(1.0, 2.0), np.empty(2)
    total, g = 0.0, np.array([1.0, -1.0])
    for step in range(3):
        buffer[:] = step
        total = total + x * buffer
    total.backward(g)
    assert np.array_equal(x.grad, 3 * g)


def test_batches_read_into_one_buffer_train_as_batches_of_their_own() -> None:
    rng = np.random.default_rng(0)
    data, labels = rng.normal(size=(3, 8, 4)), rng.integers(0, 2, (3, 8))

    def gradients(batches: Callable[[int], tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        net = nn.MLP([4, 3, 2], rng=0, dtype=np.float64)
        losses = [nn.CrossEntropy()(net, *batches(i)) for i in range(3)]
        for loss in losses:
            loss.backward()
        return [parameter.grad for parameter in net.parameters()]

    x, t = np.empty((8, 4)), np.empty(8, int)

    def refilled(i: int) -> tuple[np.ndarray, np.ndarray]:
        x[...], t[...] = data[i], labels[i]
        return x, t

    for reused, fresh in zip(gradients(refilled), gradients(lambda i: (data[i], labels[i])), strict=True):
        assert np.array_equal(reused, fresh)


# ----- .data is a read-only view, assign is the only mutation -----

WRITES: dict[str, Callable[[tg.Tensor], Any]] = {
    "an item": lambda t: t.__setitem__(0, 5.0),
    "a slice": lambda t: t.__setitem__(slice(None), 5.0),
    "an item taken away": lambda t: t.__delitem__(0),
    "an item of data": lambda t: t.data.__setitem__(0, 5.0),
    "data in place": lambda t: np.add(t.data, 1, out=t.data),
    "data sorted": lambda t: t.data.sort(),
    "data itself": lambda t: setattr(t, "data", np.array([5.0, 5.0])),
    "the shape": lambda t: setattr(t, "shape", (2, 1)),
    "the dtype": lambda t: setattr(t, "dtype", np.float32),
    "the strides": lambda t: setattr(t, "strides", (0,)),
    "something new": lambda t: setattr(t, "values", np.array([5.0, 5.0])),
    "out of a ufunc": lambda t: np.add([1.0, 2.0], 1, out=t),
    "out of a function": lambda t: np.sum(np.ones((2, 2)), axis=0, out=t),
    "copyto": lambda t: np.copyto(t, 5.0),
    "put": lambda t: np.put(t, [0], 5.0),
    "putmask": lambda t: np.putmask(t, [True, False], 5.0),
    "at": lambda t: np.add.at(t, 0, 5.0),
    "fill_diagonal": lambda t: np.fill_diagonal(t, 5.0),
    **{name: lambda t, name=name: getattr(t, name)(5) for name in ("fill", "put", "resize", "itemset", "setflags")},
    **{name: lambda t, name=name: getattr(t, name)() for name in ("sort", "partition", "byteswap")},
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("requires_grad", [True, False], ids=["leaf", "constant"])
def test_assign_is_the_only_way_to_change_a_tensor(name: str, requires_grad: bool) -> None:
    t = tg.Tensor([2.0, 1.0], requires_grad=requires_grad)
    y = t * leaf(3.0, 4.0)
    with pytest.raises((TypeError, ValueError, AttributeError)):
        WRITES[name](t)
    assert np.array_equal(t.data, [2, 1])
    assert (t.shape, t.dtype) == ((2,), np.float64)
    t.assign([7.0, 8.0])
    assert np.array_equal(t.data, [7, 8])
    assert np.array_equal(y.data, [6, 4])


def test_a_view_of_the_values_taken_before_assign_keeps_the_old_ones() -> None:
    t = leaf(1.0, 2.0)
    before, row = t.data, t[:1]
    t.assign([7.0, 8.0])
    assert np.array_equal(before, [1, 2])
    assert np.array_equal(row.data, [1])


def test_a_buffer_an_optimizer_and_a_loaded_state_leave_a_recorded_graph_with_the_old_values() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.scale = tg.Tensor([2.0, 3.0])
            self.weight = tg.Tensor([1.0, 1.0], requires_grad=True)

        def forward(self, x: Any) -> Any:
            return x * self.weight * self.weight * self.scale

    def by_buffer(net: Scaled) -> None:
        net.scale.assign([50.0, 50.0])

    def by_optimizer(net: Scaled) -> None:
        optimizer = optim.SGD(lr=10.0).bind(net)
        net.weight.grad = np.ones(2)
        optimizer.step()
        optimizer.zero_grad()

    def by_state(net: Scaled) -> None:
        net.load_state_dict({"scale": np.full(2, 50.0), "weight": np.full(2, 50.0)})

    for change in (by_buffer, by_optimizer, by_state):
        net, x = Scaled(), leaf(5.0, 7.0)
        y = net(x)
        change(net)
        y.backward([1.0, 10.0])
        assert np.array_equal(net.weight.grad, [20, 420])
        assert np.array_equal(x.grad, [2, 30])


# ----- What would cut a graph raises with the remedy -----

LEAVING: dict[str, Callable[[tg.Tensor], Any]] = {
    "np.full": lambda t: np.full(2, t),
    "np.ascontiguousarray": np.ascontiguousarray,
    "np.asanyarray": np.asanyarray,
    "np.require": np.require,
    "np.vectorize": lambda t: np.vectorize(lambda v: v)(t),
    "np.fromiter": lambda t: np.fromiter([t], np.float64),
    "np.fill_diagonal": lambda t: np.fill_diagonal(np.zeros((2, 2)), t),
    "an array of nested lists": lambda t: np.array([[t], [t]]),
    "array.fill": lambda t: np.zeros(2).fill(t),
    "array.put": lambda t: np.zeros(2).put([0], t),
    "array[mask] =": lambda t: np.zeros(2).__setitem__([True, False], t),
    "array[t]": lambda t: np.zeros(2)[t],
    "a list by a Tensor": lambda t: [1, 2][t],
    "np.add.at": lambda t: np.add.at(np.zeros(2), 0, t),
    "np.put": lambda t: np.put(np.zeros(2), [0], t),
    "np.insert": lambda t: np.insert(np.zeros(2), 0, t),
    "np.random": lambda t: np.random.default_rng(0).normal(t),
    "np.save": lambda t: np.save(io.BytesIO(), t),
    "array.array": lambda t: array.array("d", [t]),
    "math.fsum": lambda t: math.fsum([t]),
    "math.isclose": lambda t: math.isclose(t, 1.0),
    "range": lambda t: range(t),
    "a masked array made of it": np.ma.array,
}


@pytest.mark.parametrize("name", LEAVING)
@pytest.mark.parametrize("shape", [(), (1,)], ids=["0-d", "one value"])
def test_what_would_take_the_values_out_of_a_graph_raises_an_error_that_begins_with_ours(
    name: str, shape: tuple[int, ...]
) -> None:
    t = tg.Tensor(np.ones(shape), requires_grad=True) * 2
    with pytest.raises((TypeError, ValueError)) as caught:
        LEAVING[name](t)
    assert isinstance(caught.value, TinygradLiteError) or isinstance(caught.value.__cause__, TinygradLiteError)


@pytest.mark.parametrize("operation", [np.multiply, lambda a, b: a * b, lambda a, b: a + b, lambda a, b: b - a])
def test_a_masked_array_neither_takes_the_values_out_of_a_graph_nor_loses_its_mask(operation: Any) -> None:
    masked, x = np.ma.array([1.0, 2.0], mask=[True, False]), leaf(3.0, 5.0)
    with pytest.raises(TinygradLiteError):
        operation(masked, x)


def test_scipy_cannot_take_the_values_out_of_a_graph() -> None:
    special = pytest.importorskip("scipy.special", reason="scipy is not installed")
    linalg = pytest.importorskip("scipy.linalg", reason="scipy is not installed")
    optimize = pytest.importorskip("scipy.optimize", reason="scipy is not installed")
    t = leaf(1.0, 2.0) * 2
    for f in (special.expit, special.logsumexp, special.softmax, linalg.norm, lambda t: special.xlogy(t, 2.0)):
        with pytest.raises(TinygradLiteError):
            f(t)
    weight = tg.Tensor(2.0, requires_grad=True)
    with pytest.raises((TypeError, ValueError)) as caught:
        optimize.minimize(lambda v: (weight * v[0]) ** 2, [1.0])
    assert isinstance(caught.value, DetachError) or isinstance(caught.value.__cause__, DetachError)
    found = optimize.minimize(lambda v: float(np.sum((v - 3) ** 2)), [1.0], jac=tg.grad(lambda v: np.sum((v - 3) ** 2)))
    assert found.x == pytest.approx([3.0])


def test_looking_at_a_tensor_takes_nothing_out_of_a_graph() -> None:
    x = tg.Tensor(2.0, requires_grad=True)
    y = x * x
    assert (str(y), f"{y:.1f}", y.item(), bool(y > 3), y.shape) == (repr(y), "4.0", 4.0, True, ())
    y.backward()
    assert x.grad == 4


# ----- Sweeps that make no sense raise -----


@pytest.mark.parametrize("shape", [(2,), (1, 2), (2, 2), (0,), (3, 0)])
def test_a_sweep_from_several_values_or_from_none_needs_a_cotangent(shape: tuple[int, ...]) -> None:
    x = tg.Tensor(np.ones(shape), requires_grad=True)
    for root in (x, x * 2):
        with pytest.raises(GraphError, match="needs a cotangent"):
            root.backward()
    assert x.grad is None
    g = np.random.default_rng(0).normal(size=shape)
    (x * 2).backward(g)
    assert np.array_equal(x.grad, 2 * g)


def test_a_sweep_through_operations_without_any_derivative_raises() -> None:
    x = leaf(1.0)
    for root in (x > 0, np.isfinite(x), tg.stop_gradient(x), x.astype(int), tg.one_hot(x.astype(int), 3)[0, 0]):
        with pytest.raises(GraphError, match="without history"):
            root.backward()
    assert x.grad is None


def test_a_gradient_by_what_does_not_matter_is_zeros_of_its_own() -> None:
    x = np.array([1.0, 2.0], np.float32)
    for f in (lambda x: 3.0, lambda x: np.float64(3), lambda x: np.sum(np.sign(x) + (x > 0)), lambda x: x.detach()[0]):
        zeros = tg.grad(f)(x)
        assert np.array_equal(zeros, [0, 0])
        assert zeros.dtype == np.float32
        zeros[0] = 7  # an array of one's own
        assert np.array_equal(tg.grad(f)(x), [0, 0])
    tree = tg.grad(lambda tree: np.sum(tree["used"] ** 2))({"used": np.ones(2), "unused": [np.ones((2, 2)), 5.0]})
    assert np.array_equal(tree["used"], [2, 2])
    assert np.array_equal(tree["unused"][0], np.zeros((2, 2)))
    assert tree["unused"][1] == 0


def test_an_axis_given_as_an_array_may_change_afterwards() -> None:
    axis, x, g = np.array(0), leaf(*(1.0,) * 4), np.array([1.0, 2.0])
    y = np.sum(x.reshape(2, 2), axis=axis)
    axis[...] = 1
    y.backward(g)
    assert np.array_equal(x.grad, [1, 2, 1, 2])
