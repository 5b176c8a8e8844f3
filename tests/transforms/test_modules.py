"""Modules as arguments of transforms, and what a function returns beside its value."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.errors import ArgumentError, ShapeError

RNG = np.random.default_rng(2)
ROWS, LABELS = RNG.normal(size=(5, 3)), RNG.integers(0, 2, 5)
OBJECTIVE = nn.CrossEntropy() + 0.1 * nn.L2()


def network() -> nn.MLP:
    return nn.MLP([3, 4, 2], activation="tanh", dtype=np.float64, rng=0)


def loss(net: nn.Module) -> Any:
    return OBJECTIVE(net, ROWS, LABELS)


def flat(gradient: dict[str, Any]) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in gradient.values()])


def test_the_gradient_by_a_module_is_a_dict_by_name_that_backward_agrees_with() -> None:
    net = network()
    with tg.no_grad():
        value, gradient = tg.value_and_grad(loss)(net)
    assert value == loss(net).item()
    assert all(parameter.grad is None for parameter in net.parameters())
    loss(net).backward()
    assert list(gradient) == [name for name, _ in net.named_parameters()]
    for name, parameter in net.named_parameters():
        assert np.array_equal(gradient[name], parameter.grad)


def test_parameters_require_gradients_so_what_is_made_of_them_can_be_differentiated_again() -> None:
    net = network()
    gradient = tg.grad(loss)(net)
    sum(np.sum(part**2) for part in gradient.values()).backward()
    with tg.no_grad():
        (expected,) = tg.hvp(loss, (net,), ({name: 2 * part.detach() for name, part in gradient.items()},))
    for name, parameter in net.named_parameters():
        assert np.allclose(parameter.grad, expected[name], rtol=1e-12)


def test_a_hessian_by_a_module_agrees_with_differences_of_its_gradient() -> None:
    net = network()
    with tg.no_grad():
        second = tg.hessian(loss)(net)
        name, h = "layers.0.weight", 1e-6
        weight = net.layers[0].weight
        start, slopes = weight.numpy(), []
        for sign in (1, -1):
            moved = start.copy()
            moved[1, 2] += sign * h
            weight.assign(moved)
            slopes.append(flat(tg.grad(loss)(net)))
    row = np.concatenate([second[other][name][..., 1, 2].ravel() for other in second])
    assert np.allclose(row, (slopes[0] - slopes[1]) / (2 * h), atol=1e-7)


def test_one_module_given_twice_is_two_arguments() -> None:
    net = network()
    with tg.no_grad():
        first, second = tg.grad(lambda a, b: np.sum(a(ROWS)) + 10 * np.sum(b(ROWS)), argnums=(0, 1))(net, net)
        alone = tg.grad(lambda a: np.sum(a(ROWS)))(net)
    assert np.allclose(flat(first), flat(alone))
    assert np.allclose(flat(second), 10 * flat(alone))


def test_a_module_in_the_closure_is_not_the_argument() -> None:
    """The product rule would count both factors if the two were confused."""
    net = network()
    with tg.no_grad():
        value = np.sum(net(ROWS)).item()
        gradient = tg.grad(lambda inner: np.sum(inner(ROWS)) * np.sum(net(ROWS)))(net)
        alone = tg.grad(lambda inner: np.sum(inner(ROWS)))(net)
    assert np.allclose(flat(gradient), value * flat(alone))


def test_modules_stand_in_nested_arguments() -> None:
    net, scale = network(), np.array([1.0, 2.0])
    f = lambda tree: np.sum(tree["net"](ROWS) * tree["scale"][0])
    with tg.no_grad():
        gradient = tg.grad(f)({"net": net, "scale": [scale]})
    assert set(gradient) == {"net", "scale"}
    assert gradient["net"]["layers.1.bias"].shape == (2,)
    assert gradient["scale"][0].shape == (2,)


def test_with_parameters_computes_with_others_and_leaves_the_module_alone() -> None:
    net = network()
    before = net.state_dict()
    doubled = net.with_parameters([tg.Tensor(2 * p.data) for p in net.parameters()])
    assert not doubled.layers[0].weight.requires_grad
    assert np.array_equal(doubled.layers[0].weight.data, 2 * before["layers.0.weight"])
    assert all(np.array_equal(before[name], value) for name, value in net.state_dict().items())
    assert net.parameters()[0].requires_grad
    assert "Linear" in repr(doubled)


def test_a_part_that_stands_twice_in_a_module_is_exchanged_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            self.first = nn.Linear(3, 3, dtype=np.float64, rng=0)
            self.second = self.first

        def forward(self, x: Any) -> Any:
            return self.second(self.first(x))

    net = Twice()
    changed = net.with_parameters([tg.Tensor(2 * p.data) for p in net.parameters()])
    assert changed.first is changed.second
    with tg.no_grad():
        gradient = tg.grad(lambda net: np.sum(net(ROWS) ** 2))(net)
    np.sum(net(ROWS) ** 2).backward()
    assert np.allclose(gradient["first.weight"], net.first.weight.grad)


def test_parameters_that_do_not_fit_are_refused() -> None:
    net = network()
    with pytest.raises(ArgumentError, match="1 Tensors for 4 parameters"):
        net.with_parameters([tg.Tensor(1.0)])
    with pytest.raises(ShapeError, match=r"shape \(1,\) for layers.0.weight of shape \(4, 3\)"):
        net.with_parameters([tg.Tensor([1.0])] * 4)


# ----- Something beside the value -----


def test_what_is_returned_beside_the_value_comes_out_as_arrays() -> None:
    def f(x: Any) -> Any:
        hidden = np.tanh(x)
        return np.sum(hidden), {"hidden": hidden, "label": "tanh", "count": 3}

    x = np.array([0.5, -0.5])
    gradient, beside = tg.grad(f, has_aux=True)(x)
    (value, again), same = tg.value_and_grad(f, has_aux=True)(x)
    assert type(beside["hidden"]) is np.ndarray
    assert np.array_equal(beside["hidden"], np.tanh(x))
    assert (beside["label"], beside["count"]) == ("tanh", 3)
    assert value == np.sum(np.tanh(x))
    assert np.array_equal(again["hidden"], beside["hidden"])
    assert np.array_equal(gradient, same)


def test_what_is_returned_beside_the_value_still_depends_on_an_outer_argument() -> None:
    def outer(x: Any) -> Any:
        gradient, square = tg.grad(lambda x: (x**3, x**2), has_aux=True)(x)
        return gradient + square

    assert tg.grad(outer)(2.0) == 6 * 2 + 2 * 2


@pytest.mark.parametrize("result", [1.0, (1.0,), (1.0, 2.0, 3.0), [1.0, 2.0]])
def test_a_function_that_returns_nothing_beside_is_refused(result: Any) -> None:
    with pytest.raises(ArgumentError, match=r"must return \(value, beside\)"):
        tg.grad(lambda x: result, has_aux=True)(1.0)


# ----- Every example of a batch -----


def test_gradients_per_example_are_those_of_batches_of_one_and_average_to_that_of_the_batch() -> None:
    net = network()
    batch_loss = lambda net, x, t: OBJECTIVE(net, x, t)
    with tg.no_grad():
        each = tg.per_example_grad(batch_loss)(net, ROWS, LABELS)
        whole = tg.grad(batch_loss)(net, ROWS, LABELS)
        third = tg.grad(batch_loss)(net, ROWS[2:3], LABELS[2:3])
    for name in whole:
        assert each[name].shape == (5, *whole[name].shape)
        assert np.allclose(each[name][2], third[name])
        assert np.allclose(each[name].mean(axis=0), whole[name])


def test_gradients_per_example_take_nested_batches_and_several_arguments() -> None:
    f = lambda w, batch, b: np.sum((batch["x"] @ w + b - batch["t"]) ** 2)
    w, b, batch = np.ones(3), 0.5, {"x": ROWS, "t": LABELS}
    by_w, by_b = tg.per_example_grad(f, argnums=(0, 2))(w, batch, b)
    residual = ROWS @ w + b - LABELS
    assert np.allclose(by_w, 2 * residual[:, None] * ROWS)
    assert np.allclose(by_b, 2 * residual)


@pytest.mark.parametrize("batch", [(), (np.ones(3), np.ones(4)), (np.ones(()),), (np.ones((0, 2)),)])
def test_a_batch_that_is_none_is_refused(batch: tuple[np.ndarray, ...]) -> None:
    with pytest.raises(ArgumentError, match="are the batch"):
        tg.per_example_grad(lambda w, *rest: np.sum(w))(np.ones(2), *batch)


def test_stop_gradient_is_a_constant_to_every_order() -> None:
    assert tg.grad(lambda x: x * tg.stop_gradient(x))(3.0) == 3
    assert tg.grad(tg.grad(lambda x: x * tg.stop_gradient(x) ** 2))(3.0) == 0
    assert tg.jvp(lambda x: x * tg.stop_gradient(x), (3.0,), (1.0,))[1] == 3
    x = tg.Tensor([1.0], requires_grad=True)
    assert not tg.stop_gradient(x).requires_grad
    assert np.array_equal(tg.stop_gradient([1, 2]), [1, 2])


# ----- What a review found -----


class Bound(nn.Module):
    """Keeps a method of its own, a computed value and a cached one in attributes."""

    def __init__(self) -> None:
        self.w = tg.Tensor(2.0, requires_grad=True)
        self.step = self.scaled
        self.settings = Settings(3.0)

    def scaled(self, x: Any) -> Any:
        return self.w * x

    @functools.cached_property
    def square(self) -> Any:
        return self.w * self.w

    def forward(self, x: Any) -> Any:
        return self.step(x) * self.settings.factor + self.square


class Settings(NamedTuple):
    factor: float


def test_methods_caches_and_named_tuples_of_a_module_follow_its_parameters() -> None:
    net = Bound()
    net.square  # fills the cache with what was computed from the parameter itself  # noqa: B018
    with tg.no_grad():
        assert tg.grad(lambda net: net(5.0))(net) == {"w": 3 * 5 + 2 * 2}
        assert tg.hessian(lambda net: net(5.0))(net) == {"w": {"w": 2}}


def test_with_parameters_takes_a_dict_by_name() -> None:
    net = network()
    halved = net.with_parameters({name: tg.Tensor(p.data / 2) for name, p in reversed(net.named_parameters())})
    assert np.array_equal(halved.layers[1].weight.data, net.layers[1].weight.data / 2)
    with pytest.raises(ArgumentError, match="with_parameters"):
        net.with_parameters({"layers.0.weight": tg.Tensor(1.0)})
