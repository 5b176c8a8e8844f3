"""Gradients that are right are never called wrong."""

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.analytic import mlp_gradients

ACTIVATIONS = ["softplus", "tanh", "cos", "sigmoid", "relu"]


def random_case(seed):
    """Return a small network with a batch, an objective and its gradient by hand, all drawn from the seed."""
    rng = np.random.default_rng(seed)
    inputs, hidden, classes, rows = rng.integers([1, 1, 2, 1], 9)
    activation = ACTIVATIONS[seed % len(ACTIVATIONS)]
    scale, l2 = 10.0 ** rng.uniform(-2, 1), float(rng.choice([0.0, 1e-4, 0.1, 3.0]))
    net = nn.MLP([inputs, hidden, classes], activation=activation, rng=rng, bias=nn.FanIn())
    x, t = scale * rng.normal(size=(rows, inputs)), rng.integers(classes, size=rows)
    reduction = str(rng.choice(["mean", "sum"]))
    objective = nn.CrossEntropy(reduction) + l2 * nn.L2()

    def by_hand(net):
        values = [tensor.numpy() for tensor in net.parameters()]
        gradients = mlp_gradients(values, x, t, activation, reduction=reduction, l2=l2)
        return dict(zip((name for name, _ in net.named_parameters()), gradients, strict=True))

    return net, lambda net: objective(net, x, t), by_hand


def test_a_hundred_random_networks_raise_no_alarm():
    alarms = {}
    for seed in range(100):
        net, f, by_hand = random_case(seed)
        report = tg.check_gradients(f, net, analytic=by_hand, every_element=True)
        if any(row.status == "differs" for row in report.rows):
            alarms[seed] = str(report)
    assert alarms == {}


def test_each_of_a_hundred_random_networks_raises_an_alarm_when_its_gradient_is_off_by_a_thousandth():
    for seed in range(100):
        net, f, by_hand = random_case(seed)
        report = tg.check_gradients(
            f, net, analytic=lambda net, by_hand=by_hand: {name: 1.001 * g for name, g in by_hand(net).items()}
        )
        assert not report, f"seed {seed}"


def test_relu_beside_its_kink_agrees():
    w = np.array([-1.0, -1e-3, 1e-3, 2.0])
    assert tg.check_gradients(lambda w: np.sum(tg.relu(w)), w, analytic=lambda w: (w > 0) * 1.0)


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0, 1e3, 1e8])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_functions_small_and_large_of_values_small_and_large_agree(scale, size):
    w = size * np.linspace(0.5, 1.5, 7)
    report = tg.check_gradients(lambda w: scale * np.sum(w * w), w, analytic=lambda w: 2 * scale * w)
    assert report


@pytest.mark.parametrize("target", [0.1, 1.0, 1 / 3, 1e3])
def test_at_a_minimum_nothing_is_tested_and_nothing_differs(target):
    """Gradient and value are zero there, and what rounding leaves of the numeric gradient is not."""
    w = np.full(3, target)
    (row,) = tg.check_gradients(lambda w: np.sum((w - target) ** 2), w, analytic=lambda w: 2 * (w - target)).rows
    assert row.status == "vacuous"


def test_at_a_flat_point_nothing_is_tested_and_nothing_differs():
    """The central difference of w³ at 0 is h², about 4e-11, with nothing beside it to be small against."""
    (row,) = tg.check_gradients(lambda w: np.sum(w**3), np.zeros(3), analytic=lambda w: 3 * w**2).rows
    assert row.status == "vacuous"


def test_a_large_constant_beside_small_gradients_agrees():
    w = np.linspace(1, 2, 5)
    assert tg.check_gradients(lambda w: 1e6 + np.sum(w * w), w, analytic=lambda w: 2 * w)


def test_an_argument_that_the_function_ignores_has_the_gradient_zero():
    def f(used, ignored):
        return np.sum(used * used)

    arguments = np.ones(3), np.ones(4)
    report = tg.check_gradients(f, *arguments, analytic=lambda used, ignored: (2 * used, np.zeros(4)))
    assert report
    assert report.rows[1].values == (0, 0, 0)
    assert not tg.check_gradients(f, *arguments, analytic=lambda used, ignored: (2 * used, np.ones(4)))


def test_a_constant_function_has_the_gradient_zero():
    assert tg.check_gradients(lambda w: 3.0, np.ones(2), analytic=np.zeros_like)
    assert not tg.check_gradients(lambda w: 3.0, np.ones(2), analytic=np.ones_like)


@pytest.mark.parametrize("shape", [(0,), (3, 0)])
def test_an_empty_parameter_agrees_and_the_others_are_still_checked(shape):
    def f(empty, w):
        return np.sum(empty) + np.sum(w * w)

    arguments = np.ones(shape), np.ones(2)
    assert tg.check_gradients(f, *arguments)
    report = tg.check_gradients(f, *arguments, analytic=lambda empty, w: (np.ones(shape), -2 * w))
    assert [(row.agrees, row.entries, row.entries_checked) for row in report.rows] == [(True, 0, 0), (False, 2, 2)]
    assert "empty" in str(report)


def test_float32_parameters_and_data_agree():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(20, 30)).astype(np.float32), rng.normal(size=30).astype(np.float32)
    seen = set()

    def f(w):
        seen.add(np.dtype(w.dtype))
        return np.sum(np.tanh(x @ w) ** 2)

    def by_hand(w):
        y = np.tanh(x @ w)
        return (2 * y * (1 - y**2)) @ x

    report = tg.check_gradients(f, w, analytic=by_hand)
    assert report
    assert report.rows[0].max_rel_error < 1e-12
    assert seen == {np.dtype(np.float64)}
    assert w.dtype == np.float32


def test_a_network_saturated_at_ten_thousand_agrees():
    net = nn.MLP([3, 4, 2], activation="softplus", rng=0)
    x, t = 1e4 * np.random.default_rng(0).normal(size=(5, 3)), np.array([0, 1, 0, 1, 1])
    assert tg.check_gradients(lambda net: nn.CrossEntropy()(net, x, t), net)
