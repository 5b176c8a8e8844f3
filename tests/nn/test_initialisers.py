"""Initialisers have the distribution they name, and draw from nothing but the generator they are given."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_lite import nn

OUT, IN = 400, 300
DRAWN = [nn.FanIn(), nn.Xavier(), nn.He()]


def draw(initialiser: nn.Initialiser, seed: int = 0) -> np.ndarray:
    return initialiser((OUT, IN), np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("initialiser", "deviation"),
    [
        (nn.FanIn(), 1 / np.sqrt(IN + 1)),
        (nn.Xavier(), np.sqrt(2 / (IN + OUT))),
        (nn.He(), np.sqrt(2 / IN)),
    ],
    ids=repr,
)
def test_the_deviation_is_the_one_named_and_the_mean_is_zero(initialiser, deviation):
    values = draw(initialiser)
    assert abs(values.mean()) < 4 * deviation / np.sqrt(values.size)
    # a relative standard error of 1/√(2n) for a normal sample, less for a uniform one
    assert abs(values.std() / deviation - 1) < 4 / np.sqrt(2 * values.size)


def test_the_start_of_document_000_counts_the_bias_among_the_inputs():
    values = nn.FanIn()((100_000, 3), np.random.default_rng(0))
    assert abs(values.std() - 1 / np.sqrt(3 + 1)) < 0.005


@pytest.mark.parametrize("initialiser", [nn.FanIn(), nn.He()], ids=repr)
def test_a_normal_initialiser_is_normal(initialiser):
    values = draw(initialiser)
    inside = [np.mean(np.abs(values) < k * values.std()) for k in (1, 2, 3)]
    np.testing.assert_allclose(inside, [0.6827, 0.9545, 0.9973], atol=0.005)


def test_xavier_is_uniform_up_to_its_bound():
    values, bound = draw(nn.Xavier()), np.sqrt(6 / (IN + OUT))
    assert 0.999 * bound < np.abs(values).max() <= bound
    shares, _ = np.histogram(values, bins=10, range=(-bound, bound))
    np.testing.assert_allclose(shares / values.size, 0.1, atol=0.005)


@pytest.mark.parametrize(
    ("initialiser", "value"), [(nn.Zeros(), 0.0), (nn.Constant(1), 1.0), (nn.Constant(-2.5), -2.5)], ids=repr
)
def test_a_constant_is_the_same_everywhere_and_draws_nothing(initialiser, value):
    rng = np.random.default_rng(0)
    values = initialiser((3, 2), rng)
    np.testing.assert_array_equal(values, np.full((3, 2), value))
    assert values.dtype == np.float64
    assert rng.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("initialiser", DRAWN, ids=repr)
def test_the_same_generator_gives_the_same_values_and_another_gives_others(initialiser):
    np.testing.assert_array_equal(draw(initialiser, 3), draw(initialiser, 3))
    assert not np.array_equal(draw(initialiser, 3), draw(initialiser, 4))


@pytest.mark.parametrize("initialiser", DRAWN, ids=repr)
def test_a_layer_holds_what_its_initialiser_gives(initialiser):
    layer = nn.Linear(IN, OUT, weight=initialiser, bias=nn.Constant(1.0), rng=5)
    np.testing.assert_array_equal(layer.weight.data, draw(initialiser, 5).astype(np.float32))
    np.testing.assert_array_equal(layer.bias.data, np.ones(OUT, np.float32))


@pytest.mark.parametrize("make", [lambda **o: nn.Linear(IN, OUT, **o), lambda **o: nn.MLP([IN, OUT], "tanh", **o)])
def test_layers_start_from_xavier_and_zero_biases_unless_asked(make):
    weight, bias = make(rng=5, dtype=np.float64).parameters()
    np.testing.assert_array_equal(weight.data, draw(nn.Xavier(), 5))
    np.testing.assert_array_equal(bias.data, np.zeros(OUT))


def test_a_relu_network_starts_from_he_unless_asked():
    by_default = nn.MLP([IN, OUT], activation="relu", rng=5, dtype=np.float64)
    asked = nn.MLP([IN, OUT], activation="relu", weight=nn.Zeros(), bias=nn.Constant(2.0), rng=5)
    np.testing.assert_array_equal(by_default.layers[0].weight.data, draw(nn.He(), 5))
    np.testing.assert_array_equal(asked.layers[0].weight.data, np.zeros((OUT, IN)))
    np.testing.assert_array_equal(asked.layers[0].bias.data, np.full(OUT, 2.0))


def test_the_start_of_document_000_can_be_declared():
    """W1 ~ N(0, 1/√(D+1)), W2 = 0, both with the bias column set to 1."""
    hidden = nn.Linear(IN, OUT, weight=nn.FanIn(), bias=nn.Constant(1.0), rng=0)
    output = nn.Linear(OUT, 10, weight=nn.Zeros(), bias=nn.Constant(1.0))
    net = nn.Sequential(hidden, nn.Softplus(), output)
    np.testing.assert_array_equal(net(np.zeros((2, IN), np.float32)).data, np.ones((2, 10), np.float32))
    assert abs(hidden.weight.data.std() * np.sqrt(IN + 1) - 1) < 0.01
