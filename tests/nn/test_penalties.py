"""Penalties count the weights, and the biases only if asked."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.errors import ObjectiveError

X, T = np.ones((3, 4)), np.array([0, 1, 0])


def network() -> nn.MLP:
    rng = np.random.default_rng(0)
    net = nn.MLP([4, 3, 2], dtype=np.float64)
    for parameter in net.parameters():
        parameter.assign(rng.normal(size=parameter.shape))
    return net


def gradients_of(penalty: nn.Objective, net: nn.Module) -> dict[str, np.ndarray | None]:
    penalty(net, X, T).backward()
    return {name: parameter.grad for name, parameter in net.named_parameters()}


def value_of(penalty: nn.Objective, net: nn.Module) -> float:
    return penalty(net, X, T).item()


def test_l2_is_half_the_sum_of_squared_weights_with_gradient_w():
    net = network()
    w1, _, w2, _ = (parameter.data for parameter in net.parameters())
    expected = 0.5 * (np.sum(w1**2) + np.sum(w2**2))
    np.testing.assert_allclose(value_of(nn.L2(), net), expected, rtol=1e-14)
    gradients = gradients_of(nn.L2(), net)
    np.testing.assert_array_equal(gradients["layers.0.weight"], w1)
    np.testing.assert_array_equal(gradients["layers.1.weight"], w2)
    assert gradients["layers.0.bias"] is gradients["layers.1.bias"] is None


def test_l2_with_biases_counts_them():
    net = network()
    expected = 0.5 * sum(np.sum(parameter.data**2) for parameter in net.parameters())
    np.testing.assert_allclose(value_of(nn.L2(biases=True), net), expected, rtol=1e-14)
    for name, gradient in gradients_of(nn.L2(biases=True), net).items():
        np.testing.assert_array_equal(gradient, dict(net.named_parameters())[name].data)


def test_l1_is_the_sum_of_absolute_weights_with_gradient_sign_w():
    net = network()
    w1, _, w2, _ = (parameter.data for parameter in net.parameters())
    np.testing.assert_allclose(value_of(nn.L1(), net), np.abs(w1).sum() + np.abs(w2).sum(), rtol=1e-14)
    gradients = gradients_of(nn.L1(), net)
    np.testing.assert_array_equal(gradients["layers.0.weight"], np.sign(w1))
    np.testing.assert_array_equal(gradients["layers.1.weight"], np.sign(w2))
    assert gradients["layers.0.bias"] is gradients["layers.1.bias"] is None


def test_l1_with_biases_counts_them():
    net = network()
    expected = sum(np.abs(parameter.data).sum() for parameter in net.parameters())
    np.testing.assert_allclose(value_of(nn.L1(biases=True), net), expected, rtol=1e-14)
    for name, gradient in gradients_of(nn.L1(biases=True), net).items():
        np.testing.assert_array_equal(gradient, np.sign(dict(net.named_parameters())[name].data))


def test_l1_of_a_zero_weight_has_no_slope():
    net = nn.Linear(4, 2, weight=nn.Zeros())
    np.testing.assert_array_equal(gradients_of(nn.L1(), net)["weight"], np.zeros((2, 4)))


def test_the_weight_of_a_penalty_scales_its_gradient():
    net = network()
    w = net.layers[0].weight.data
    np.testing.assert_allclose(gradients_of(0.25 * nn.L2(), net)["layers.0.weight"], 0.25 * w, rtol=1e-15)


def test_a_shared_weight_is_counted_once():
    layer = nn.Linear(4, 4, rng=0, dtype=np.float64)
    expected = 0.5 * np.sum(layer.weight.data**2)
    np.testing.assert_allclose(value_of(nn.L2(), nn.Sequential(layer, layer)), expected, rtol=1e-14)


def test_buffers_and_frozen_weights_are_not_counted():
    net = network()
    net.layers[0].weight.requires_grad = False
    net.mean = tg.Tensor(np.ones(5))
    np.testing.assert_allclose(value_of(nn.L2(), net), 0.5 * np.sum(net.layers[1].weight.data ** 2), rtol=1e-14)


@pytest.mark.parametrize("penalty", [nn.L1(), nn.L2()], ids=repr)
def test_a_result_kept_on_the_module_is_not_penalised(penalty):
    class Remembers(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(4, 2, rng=0)

        def forward(self, x):
            self.hidden = self.layer(x)
            return self.hidden

    net = Remembers()
    assert value_of(penalty, net) == value_of(penalty, net.layer)


@pytest.mark.parametrize("penalty", [nn.L1(), nn.L2(), nn.CrossEntropy() + 0.1 * nn.L2(biases=True)], ids=repr)
def test_a_penalty_on_a_plain_function_is_refused(penalty):
    layer = nn.Linear(4, 2, rng=0)
    with pytest.raises(ObjectiveError, match=r"needs the parameters of an nn\.Module, got function"):
        penalty(lambda x: layer(x), X, T)


@pytest.mark.parametrize("penalty", [nn.L1(), nn.L2(biases=True)], ids=repr)
def test_a_penalty_on_a_network_without_parameters_is_refused(penalty):
    with pytest.raises(ObjectiveError, match="found no parameters to count in Tanh"):
        penalty(nn.Tanh(), X, T)
