"""What can be checked: arrays, nested structures, modules, several at once; and all of it is left as it was."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.check.regression import NAMES, by_hand, loss, parameters
from tinygrad_lite import nn

RNG = np.random.default_rng(1)
X, LABELS = RNG.normal(size=(7, 5)), RNG.integers(3, size=7)
OBJECTIVE = nn.CrossEntropy() + 0.1 * nn.L2()


class Layer(NamedTuple):
    weight: np.ndarray
    bias: np.ndarray


def names_of(report):
    return [row.name for row in report.rows]


def squares(tree):
    """Sum the squares of all arrays in a nested structure, each weighted by its place."""
    if isinstance(tree, dict):
        return squares(list(tree.values()))
    if isinstance(tree, list | tuple):
        return sum((i + 1) * squares(branch) for i, branch in enumerate(tree))
    return np.sum(tree * tree)


def small_net(dtype=np.float64):
    return nn.MLP([5, 4, 3], activation="tanh", rng=0, dtype=dtype)


# ----- Structures -----


def test_arguments_are_called_what_the_function_calls_them():
    assert names_of(tg.check_gradients(loss, *parameters())) == list(NAMES)


def test_arguments_without_a_name_are_called_by_their_number():
    report = tg.check_gradients(lambda first, *rest: squares((first, *rest)), *parameters())
    assert names_of(report) == ["first", "argument 1", "argument 2", "argument 3"]


def test_parameters_can_be_given_names():
    assert names_of(tg.check_gradients(loss, *parameters(), names="pqrs")) == ["p", "q", "r", "s"]


def test_the_values_of_nested_structures_are_called_by_the_way_to_them():
    tree = {"layers": [Layer(np.ones((2, 3)), np.ones(2)), (np.ones(1),)], "scale": np.array(2.0)}
    analytic = {
        "scale": 2 * 2 * tree["scale"],
        "layers": [(2 * tree["layers"][0][0], 4 * np.ones(2)), [4 * np.ones(1)]],
    }
    report = tg.check_gradients(squares, tree, analytic=lambda tree: analytic)
    assert report
    assert names_of(report) == [
        "tree['layers'][0][0]",
        "tree['layers'][0][1]",
        "tree['layers'][1][0]",
        "tree['scale']",
    ]


@pytest.mark.parametrize("place", range(3))
def test_a_wrong_gradient_deep_in_a_structure_is_caught_in_its_row_alone(place):
    tree = {"b": [np.array([1.0, 2.0]), np.array([3.0, 4.0])], "a": np.array([5.0])}
    factors = [2.0, 4.0, 4.0]
    factors[place] *= -1
    report = tg.check_gradients(
        squares,
        tree,
        analytic=lambda tree: {"a": factors[2] * tree["a"], "b": [f * w for f, w in zip(factors, tree["b"])]},
    )
    assert [row.agrees for row in report.rows] == [i != place for i in range(3)]


def test_a_namedtuple_stays_one_inside_the_function():
    report = tg.check_gradients(
        lambda layer: np.sum(layer.weight * 3) + np.sum(layer.bias**2),
        Layer(np.ones((2, 2)), np.array([1.0, 2.0])),
        analytic=lambda layer: Layer(3 * np.ones((2, 2)), 2 * layer.bias),
    )
    assert report


def test_python_floats_and_tensors_and_arrays_without_axes_can_be_checked():
    def f(a, b, c):
        return a * a * b + c * c * c

    arguments = 1.5, tg.Tensor(2.0, requires_grad=True), np.array(0.5)
    report = tg.check_gradients(f, *arguments, analytic=lambda a, b, c: (2 * a * b, a * a, 3 * c * c))
    assert report
    assert [row.worst_index for row in report.rows] == [(), (), ()]
    assert arguments[1].grad is None


# ----- Modules -----


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_module_is_checked_parameter_by_parameter_in_float64(dtype):
    net = small_net(dtype)
    report = tg.check_gradients(lambda net: OBJECTIVE(net, X, LABELS), net, every_element=True)
    assert report
    assert names_of(report) == [name for name, _ in net.named_parameters()]
    assert max(row.numeric_abs_error for row in report.rows) < 1e-8, "float32 would be six digits coarser"


def test_the_function_sees_a_module_of_float64():
    seen = []

    def f(net):
        seen.append(net.layers[0].weight.dtype)
        return OBJECTIVE(net, X, LABELS)

    tg.check_gradients(f, small_net(np.float32))
    assert set(seen) == {np.dtype(np.float64)}


def by_name(net):
    """Return gradients of OBJECTIVE by name, through a second network, in another order than the first's."""
    copied = net.astype(np.float64)
    with_gradients = nn.MLP([5, 4, 3], activation="tanh", dtype=np.float64)
    with_gradients.load_state_dict(copied.state_dict())
    w1, b1, w2, b2 = (tensor.numpy() for tensor in with_gradients.parameters())
    gradients = tg.analytic.mlp_gradients((w1, b1, w2, b2), X, LABELS, "tanh", l2=0.1)
    return dict(reversed(list(zip((name for name, _ in net.named_parameters()), gradients, strict=True))))


def test_the_gradient_by_hand_of_a_module_is_matched_by_name():
    assert tg.check_gradients(lambda net: OBJECTIVE(net, X, LABELS), small_net(), analytic=by_name)


@pytest.mark.parametrize("name", ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"])
def test_a_wrong_gradient_of_a_modules_parameter_is_caught_in_its_row_alone(name):
    def wrong(net):
        gradients = by_name(net)
        return gradients | {name: gradients[name] + 0.01}

    report = tg.check_gradients(lambda net: OBJECTIVE(net, X, LABELS), small_net(), analytic=wrong)
    assert [row.name for row in report.rows if not row.agrees] == [name]


def test_a_module_and_an_array_are_checked_together():
    net = nn.Linear(2, 1, rng=0)
    report = tg.check_gradients(
        lambda net, x: np.sum(net(x) ** 2),
        net,
        np.ones((3, 2)),
        analytic=lambda net, x: (
            {
                "weight": 2 * net(x).numpy().T @ x,
                "bias": 2 * net(x).numpy().sum(axis=0),
            },
            2 * net(x).numpy() @ net.weight.numpy(),
        ),
    )
    assert report
    assert names_of(report) == ["net.weight", "net.bias", "x"]


# ----- Left as they were -----


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_module_is_left_as_it_was(dtype):
    net = small_net(dtype)
    before = net.state_dict()
    OBJECTIVE(net, X, LABELS).backward()
    gradient = net.layers[0].weight.grad.copy()
    tg.check_gradients(lambda net: OBJECTIVE(net, X, LABELS), net, analytic=by_name)
    for name, value in net.state_dict().items():
        assert value.dtype == dtype
        np.testing.assert_array_equal(value, before[name])
    np.testing.assert_array_equal(net.layers[0].weight.grad, gradient)
    assert all(tensor.requires_grad for tensor in net.parameters())


def test_arrays_are_left_as_they_were_whatever_the_gradient_by_hand_does_to_its_own():
    arrays = parameters()

    def vandal(*values):
        gradients = by_hand(*values)
        for value in values:
            value[...] = 7.0
        return gradients

    assert tg.check_gradients(loss, *arrays, analytic=vandal)
    for mine, before in zip(arrays, parameters(), strict=True):
        np.testing.assert_array_equal(mine, before)


def test_arrays_that_cannot_be_written_to_can_be_checked():
    w = np.arange(6.0).reshape(2, 3)
    w.flags.writeable = False
    assert tg.check_gradients(lambda w: np.sum(w * w), w[:, ::-1].T, analytic=lambda w: 2 * w)


# ----- The sample -----


def numeric_errors(**options):
    arguments = np.linspace(0, 1, 1000), np.linspace(1, 2, 1000)
    report = tg.check_gradients(lambda a, b: np.sum(np.exp(np.maximum(a, -9)) * b), *arguments, **options)
    return [row.numeric_abs_error for row in report.rows]


def test_the_same_rng_draws_the_same_entries_and_another_draws_others():
    assert numeric_errors() == numeric_errors(rng=0) == numeric_errors(rng=np.random.default_rng(0))
    assert numeric_errors(rng=1) != numeric_errors(rng=0)


def test_the_global_random_state_is_left_alone():
    np.random.seed(0)  # the global state is what this test is about
    before = np.random.get_state()[1].tolist()
    numeric_errors()
    assert np.random.get_state()[1].tolist() == before
