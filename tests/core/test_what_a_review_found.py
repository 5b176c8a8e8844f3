"""Mistakes that a review of the first version found, each held by a test so that none comes back."""

import threading

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import ArgumentError, DefinitionError, DetachError, ObjectiveError, ShapeError, StateError


def test_a_function_may_put_other_things_into_the_containers_it_was_given():
    def f(parameters):
        parameters["w"] = parameters["w"] * 2
        return (parameters["w"] ** 2).sum()

    given = {"w": np.array([1.0, 2.0])}
    assert np.array_equal(tg.grad(f)(given)["w"], [8, 16])
    assert np.array_equal(given["w"], [1, 2])


@pytest.mark.parametrize("start", [[], {}], ids=["list", "dict"])
def test_modules_put_into_a_container_after_it_was_assigned_are_refused(start):
    class Net(nn.Module):
        def __init__(self):
            self.blocks = start

    net = Net()
    layer = nn.Linear(2, 2, rng=0)
    if isinstance(net.blocks, list):
        net.blocks.append(layer)
    else:
        net.blocks["a"] = layer
    with pytest.raises(DefinitionError, match="blocks"):
        net.parameters()


def test_an_array_in_the_place_of_a_parameter_is_refused():
    layer = nn.Linear(2, 2, rng=0)
    before = layer.weight
    with pytest.raises(DefinitionError, match=r"weight\.assign"):
        layer.weight = np.ones((2, 2))
    assert layer.weight is before


@pytest.mark.parametrize("bad", [np.ones((2, 2), np.float16), np.full((2, 2), 1e300)], ids=["float16", "too large"])
def test_loading_a_state_changes_all_or_nothing(bad):
    net = nn.Linear(2, 2, rng=0)
    before = net.state_dict()
    state = {"weight": bad, "bias": np.full(2, 7.0)}
    if bad.dtype == np.float16:
        net.load_state_dict(state)
        assert np.array_equal(net.weight.data, np.ones((2, 2)))
        assert net.weight.dtype == np.float32
        return
    with pytest.raises(StateError, match="range of weight"):
        net.load_state_dict(state)
    assert all(np.array_equal(before[name], value) for name, value in net.state_dict().items())


def test_an_optimizer_loads_all_or_nothing():
    optimizer = optim.Momentum(lr=0.5).bind(nn.Linear(2, 2, rng=0))
    state = optimizer.state_dict() | {"lr": np.array(9.0), "v.weight": np.ones((2, 2), complex)}
    with pytest.raises(StateError, match=r"dtype of v\.weight"):
        optimizer.load_state_dict(state)
    assert optimizer.lr.item() == 0.5


def test_a_wrong_gradient_is_told_even_where_units_are_saturated():
    def loss(w):
        return np.sum(tg.sigmoid(w))

    w = np.array([30.0, 31.0])
    (wrong,) = tg.check_gradients(loss, w, analytic=lambda w: 2 * tg.sigmoid(w)).rows
    (right,) = tg.check_gradients(loss, w, analytic=lambda w: tg.sigmoid(w) * (1 - tg.sigmoid(w))).rows
    assert (wrong.status, right.status) == ("differs", "vacuous")


def test_no_operation_behind_a_where_that_chose_the_other_side_makes_nan():
    def f(x):
        return np.where(x != 0, np.square(1 / x), 0.0).sum()

    with np.errstate(divide="ignore"):
        assert np.array_equal(tg.grad(f)(np.array([0.0, 2.0])), [0, -0.25])


def test_threads_that_share_a_leaf_lose_no_gradient():
    w = tg.Tensor(np.zeros(1), requires_grad=True)

    def work():
        for _ in range(500):
            (w * 1.0).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.grad == 2000


@pytest.mark.parametrize("net", [nn.MLP([3, 2], output="softmax"), nn.Sequential(nn.Linear(3, 2), nn.Softmax())])
def test_a_softmax_output_is_refused_without_recording_too(net):
    with tg.no_grad(), pytest.raises(ObjectiveError, match="softmax"):
        nn.CrossEntropy()(net, np.ones((4, 3)), np.array([0, 1, 0, 1]))


def test_no_grad_holds_inside_a_decorated_generator_and_only_there():
    w = tg.Tensor([1.0], requires_grad=True)

    @tg.no_grad()
    def doubled():
        while True:
            yield (w * 2).requires_grad

    steps = doubled()
    assert next(steps) is False
    assert (w * 2).requires_grad
    assert next(steps) is False


def test_a_network_whose_prediction_lost_its_history_is_refused():
    class Cut(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(3, 2, rng=0)

        def forward(self, x):
            return self.layer(x).numpy()

    with pytest.raises(DetachError, match=r"\.numpy\(\)"):
        (nn.CrossEntropy() + 0.1 * nn.L2())(Cut(), np.ones((4, 3)), np.array([0, 1, 0, 1]))


def test_numpy_two_names_of_the_bounds_of_clip_are_taken():
    x = tg.Tensor([-1.0, 0.5, 2.0], requires_grad=True)
    tg.clip(x, min=0, max=1).backward(np.array([1.0, 2.0, 3.0]))
    assert np.array_equal(x.grad, [0, 2, 0])


def test_integer_logits_count_as_floats():
    logits = np.array([[1, 2], [3, 4]])
    assert np.allclose(tg.softmax(logits), tg.softmax(logits.astype(float)))
    assert np.isfinite(tg.softmax_cross_entropy(logits, [0, 1]))


def test_a_linear_layer_without_outputs_passes_gradients_of_three_axes_back():
    x, w, b = (tg.Tensor(np.ones(shape), requires_grad=True) for shape in ((2, 3, 4), (0, 4), (0,)))
    tg.linear(x, w, b).backward(np.ones((2, 3, 0)))
    assert x.grad.shape == (2, 3, 4)
    assert w.grad.shape == (0, 4)


def test_a_weight_that_is_no_matrix_is_refused_at_once():
    with pytest.raises(ShapeError, match=r"\(out, in\)"):
        tg.linear(tg.Tensor(np.ones((2, 3)), requires_grad=True), np.ones(3), np.ones(1))


@pytest.mark.parametrize("argnums", [(0, 0), (0, -2), 2, -3])
def test_arguments_named_twice_or_not_there_are_refused(argnums):
    with pytest.raises(ArgumentError, match="argument"):
        tg.grad(lambda a, b: (a * b).sum(), argnums=argnums)(np.ones(2), np.ones(2))


def test_lists_of_many_lengths_do_not_fill_the_memory():
    x = tg.Tensor(np.ones(1), requires_grad=True)
    for length in range(1, 300):
        np.concatenate([x] * length).backward(np.ones(length))
    assert len(tg.functional.shaping.p.concatenate.plans) <= 100
    assert x.grad == sum(range(1, 300))


def test_a_matrix_product_behind_a_where_is_not_taken_for_elementwise():
    def f(a, b):
        return np.where(a > 0, a, 0.0).sum() + np.where(a @ b > 0, a @ b, 0.0).sum()

    a, b = np.ones((3, 4)), np.ones((4, 2))
    first, second = tg.grad(f, argnums=(0, 1))(a, b)
    assert np.array_equal(first, np.full((3, 4), 3.0))
    assert np.array_equal(second, np.full((4, 2), 3.0))
