"""Layers and networks compute what plain NumPy computes, and say what they are."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.errors import ArgumentError, DefinitionError, DtypeError, ObjectiveError, ShapeError


def softmax(a: np.ndarray) -> np.ndarray:
    e = np.exp(a - a.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


FORMULAS = {
    "softplus": lambda a: np.log(1 + np.exp(a)),
    "tanh": lambda a: (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a)),
    "cos": np.cos,
    "relu": lambda a: np.where(a > 0, a, 0),
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "identity": lambda a: a,
    "softmax": softmax,
}
MODULES = {
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "cos": nn.Cos,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
    "softmax": nn.Softmax,
}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2024)


def randomised(net: nn.Module, rng: np.random.Generator) -> nn.Module:
    """Give every parameter random values, so that no bias hides by being zero."""
    for parameter in net.parameters():
        parameter.assign(rng.normal(size=parameter.shape))
    return net


# ----- Values -----


def test_linear_is_x_times_the_transposed_weight_plus_bias(rng):
    layer = randomised(nn.Linear(4, 3, dtype=np.float64), rng)
    x = rng.normal(size=(5, 4))
    np.testing.assert_allclose(layer(x).data, x @ layer.weight.data.T + layer.bias.data, rtol=1e-14)


@pytest.mark.parametrize("shape", [(4,), (0, 4), (1, 4), (2, 3, 4)])
def test_linear_takes_any_number_of_leading_axes(shape, rng):
    layer = randomised(nn.Linear(4, 3, dtype=np.float64), rng)
    x, g = rng.normal(size=shape), rng.normal(size=(*shape[:-1], 3))
    y = layer(x)
    y.backward(g)
    np.testing.assert_allclose(y.data, x @ layer.weight.data.T + layer.bias.data, rtol=1e-13)
    np.testing.assert_allclose(layer.weight.grad, g.reshape(-1, 3).T @ x.reshape(-1, 4), rtol=1e-13)
    np.testing.assert_allclose(layer.bias.grad, g.reshape(-1, 3).sum(axis=0), rtol=1e-13)


@pytest.mark.parametrize("name", FORMULAS)
def test_an_activation_is_its_formula_by_name_and_as_a_module(name, rng):
    a = rng.normal(size=(4, 5))
    assert type(nn.activation(name)) is MODULES[name]
    for module in (nn.activation(name), MODULES[name]()):
        np.testing.assert_allclose(module(tg.Tensor(a)).data, FORMULAS[name](a), rtol=1e-12)


@pytest.mark.parametrize("output", ["identity", "softmax", "sigmoid"])
@pytest.mark.parametrize("name", FORMULAS)
def test_a_perceptron_is_affine_layers_with_an_activation_after_each_but_the_last(name, output, rng):
    net = randomised(nn.MLP([4, 6, 5, 3], activation=name, output=output, dtype=np.float64), rng)
    x = rng.normal(size=(7, 4))
    w1, b1, w2, b2, w3, b3 = (parameter.data for parameter in net.parameters())
    hidden = FORMULAS[name](FORMULAS[name](x @ w1.T + b1) @ w2.T + b2)
    np.testing.assert_allclose(net(x).data, FORMULAS[output](hidden @ w3.T + b3), rtol=1e-11, atol=1e-13)


def test_sequential_applies_its_modules_in_order(rng):
    net = randomised(nn.Sequential(nn.Linear(4, 3, dtype=np.float64), nn.Tanh(), nn.Cos()), rng)
    x = rng.normal(size=(5, 4))
    w, b = (parameter.data for parameter in net.parameters())
    np.testing.assert_allclose(net(x).data, np.cos(np.tanh(x @ w.T + b)), rtol=1e-13)


def test_a_perceptron_equals_the_same_layers_in_sequence(rng):
    net = nn.MLP([4, 6, 3], activation="softplus", rng=0)
    first, second = net.layers
    x = rng.normal(size=(5, 4))
    np.testing.assert_array_equal(nn.Sequential(first, nn.Softplus(), second)(x).data, net(x).data)


# ----- Dtypes and randomness -----


def test_parameters_are_float32_unless_asked():
    for net in (nn.Linear(2, 3, rng=0), nn.MLP([2, 3, 1], rng=0)):
        assert {parameter.dtype for parameter in net.parameters()} == {np.dtype(np.float32)}
    for net in (nn.Linear(2, 3, rng=0, dtype=np.float64), nn.MLP([2, 3, 1], rng=0, dtype="float64")):
        assert {parameter.dtype for parameter in net.parameters()} == {np.dtype(np.float64)}


@pytest.mark.parametrize("name", FORMULAS)
def test_float32_stays_float32_through_a_network_and_back(name, rng):
    net = nn.MLP([4, 6, 3], activation=name, output=name, rng=0)
    y = net(rng.normal(size=(5, 4)).astype(np.float32))
    assert y.dtype == np.float32
    y.backward(rng.normal(size=y.shape))
    assert {parameter.grad.dtype for parameter in net.parameters()} == {np.dtype(np.float32)}


def test_the_same_seed_gives_the_same_bits():
    def bits(rng) -> list[bytes]:
        return [parameter.data.tobytes() for parameter in nn.MLP([5, 4, 3], rng=rng).parameters()]

    assert bits(7) == bits(7) == bits(np.random.default_rng(7)) == bits(np.random.SeedSequence(7))
    assert bits(7) != bits(8)
    assert nn.Linear(5, 4, rng=7).weight.data.tobytes() == nn.Linear(5, 4, rng=7).weight.data.tobytes()


def test_without_a_seed_no_two_networks_are_the_same():
    assert nn.Linear(5, 4).weight.data.tobytes() != nn.Linear(5, 4).weight.data.tobytes()


def test_the_layers_of_one_network_draw_from_one_stream():
    net = nn.MLP([4, 4, 4], rng=0)
    assert not np.array_equal(net.layers[0].weight.data, net.layers[1].weight.data)


def test_the_global_state_of_numpy_is_neither_read_nor_moved():
    before = np.random.get_state()  # this is the state that must not move
    nn.MLP([5, 4, 3])
    net = nn.MLP([5, 4, 3], rng=0)
    after = np.random.get_state()
    assert before[0] == after[0]
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
    np.random.seed(1)
    try:
        np.testing.assert_array_equal(nn.MLP([5, 4, 3], rng=0).layers[0].weight.data, net.layers[0].weight.data)
    finally:
        np.random.set_state(before)


# ----- What it looks like -----


def test_the_repr_shows_layers_shapes_and_the_number_of_parameters():
    assert repr(nn.MLP([784, 100, 10], activation="tanh", output="softmax")).splitlines() == [
        "MLP(784 → 100 → 10, tanh, output softmax): 79,510 parameters",
        "  layers.0: Linear(784 → 100) weight (100, 784), bias (100,)",
        "  layers.1: Linear(100 → 10) weight (10, 100), bias (10,)",
    ]


def test_the_repr_counts_a_shared_layer_once():
    layer = nn.Linear(3, 3)
    assert repr(nn.Sequential(layer, nn.Tanh(), layer)).startswith("Sequential(): 12 parameters\n")


def test_the_repr_of_an_own_module_shows_the_shapes_of_its_own_tensors():
    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.gain = tg.Tensor(np.ones((7, 5)), requires_grad=True)
            self.inner = nn.Linear(5, 7)

    text = repr(Scaled())
    assert "77 parameters" in text
    assert "weight (7, 5)" in text
    assert "gain (7, 5)" in text


# ----- What is refused -----


@pytest.mark.parametrize("shape", [(), (3,), (5, 3), (4, 5), (5, 4, 1)])
def test_an_input_of_the_wrong_width_is_refused_with_the_name_of_the_layer(shape):
    net = nn.MLP([4, 6, 3], rng=0)
    with pytest.raises(ShapeError, match=r"layers\.0\.weight: .* rows of 4 values"):
        net(np.zeros(shape))


def test_an_inner_width_that_does_not_fit_is_refused_with_the_name_of_the_layer():
    net = nn.Sequential(nn.Linear(4, 3, rng=0), nn.Linear(4, 2, rng=0))
    with pytest.raises(ShapeError, match=r"layers\.1\.weight: .* rows of 4 values, got an input of shape \(5, 3\)"):
        net(np.zeros((5, 4)))


@pytest.mark.parametrize("widths", [(0, 3), (3, 0), (-1, 2)])
def test_a_layer_without_inputs_or_outputs_is_refused(widths):
    with pytest.raises(ArgumentError, match="at least 1"):
        nn.Linear(*widths)


@pytest.mark.parametrize("dtype", [np.float16, np.int64, complex, bool])
def test_a_dtype_that_does_not_learn_is_refused(dtype):
    with pytest.raises(DtypeError, match="float32 or float64"):
        nn.Linear(2, 3, dtype=dtype)


@pytest.mark.parametrize("widths", [[], [3]])
def test_a_perceptron_without_layers_is_refused(widths):
    with pytest.raises(ArgumentError, match="at least input and output"):
        nn.MLP(widths)


@pytest.mark.parametrize("options", [{"activation": "softmx"}, {"output": "logits"}])
def test_an_unknown_activation_is_refused_with_the_names_there_are(options):
    with pytest.raises(ArgumentError) as problem:
        nn.MLP([2, 3, 1], **options)
    assert all(name in str(problem.value) for name in FORMULAS)


def test_sequential_refuses_what_is_no_module():
    with pytest.raises(DefinitionError, match="takes modules"):
        nn.Sequential(nn.Linear(2, 2), np.tanh)


# ----- Copies -----


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_a_copied_network_is_still_known_to_end_in_its_activation(output):
    net = copy.deepcopy(nn.MLP([2, 1], output=output, rng=0))
    with pytest.raises(ObjectiveError, match=output):
        nn.BinaryCrossEntropy()(net, np.ones((3, 2)), np.ones((3, 1)))
