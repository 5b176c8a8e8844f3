"""`state_dict` copies; `load_state_dict` takes over everything or nothing."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.errors import StateError


def network(seed: int = 0) -> nn.MLP:
    return nn.MLP([3, 4, 2], rng=seed)


def assert_same_state(actual: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(actual) == list(expected)
    for name, value in expected.items():
        assert actual[name].dtype == value.dtype
        np.testing.assert_array_equal(actual[name], value)


def refused(net: nn.Module, state: dict, **options: bool) -> str:
    """Return the message with which `net` refuses `state`, after checking that nothing has changed."""
    before = net.state_dict()
    with pytest.raises(StateError) as problem:
        net.load_state_dict(state, **options)
    assert_same_state(net.state_dict(), before)
    return str(problem.value)


def test_a_state_goes_round():
    source, target = network(0), network(1)
    target.load_state_dict(source.state_dict())
    assert_same_state(target.state_dict(), source.state_dict())
    x = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_array_equal(target(x).data, source(x).data)


def test_state_dict_copies():
    net = network()
    state = net.state_dict()
    before = copy.deepcopy(state)
    for value in state.values():
        value += 1
    assert_same_state(net.state_dict(), before)


def test_load_state_dict_copies():
    net, state = network(), network(1).state_dict()
    before = copy.deepcopy(state)
    net.load_state_dict(state)
    for value in state.values():
        value += 1
    assert_same_state(net.state_dict(), before)


def test_buffers_go_round_too():
    class Centred(nn.Module):
        def __init__(self, mean: float) -> None:
            self.mean = tg.Tensor([mean])

    net = Centred(1.0)
    net.load_state_dict(Centred(2.0).state_dict())
    assert net.mean.item() == 2.0
    assert not net.mean.requires_grad


def test_a_missing_name_is_listed_with_its_shape():
    net, state = network(), network(1).state_dict()
    del state["layers.1.weight"]
    assert "missing: layers.1.weight (2, 4)" in refused(net, state)


def test_an_unexpected_name_is_listed_with_the_nearest_known_one():
    net, state = network(), network(1).state_dict()
    state["layers.0.wieght"] = state["layers.0.weight"]
    state["zzz"] = np.zeros(1)
    message = refused(net, state)
    assert "unexpected: layers.0.wieght (did you mean layers.0.weight?)" in message
    assert "unexpected: zzz\n" in message + "\n"


@pytest.mark.parametrize("strict", [True, False])
def test_a_wrong_shape_is_listed_strict_or_not(strict):
    net, state = network(), network(1).state_dict()
    state["layers.1.bias"] = np.zeros((1, 2), np.float32)
    assert "shape of layers.1.bias: expected (2,), got (1, 2)" in refused(net, state, strict=strict)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("wrong", [np.zeros(2, complex), np.array(["a", "b"]), np.array([None, None])])
def test_a_wrong_dtype_is_listed_strict_or_not(wrong, strict):
    net, state = network(), network(1).state_dict()
    state["layers.1.bias"] = wrong
    message = refused(net, state, strict=strict)
    assert f"dtype of layers.1.bias: expected float32, got {wrong.dtype}" in message


def test_everything_that_does_not_fit_is_listed_at_once():
    net, state = network(), network(1).state_dict()
    del state["layers.0.bias"]
    state["layers.0.weight"] = np.zeros((4, 4))
    state["layers.1.weight"] = np.zeros((2, 4), complex)
    state["extra"] = np.zeros(1)
    message = refused(net, state)
    assert message.startswith("the state does not fit MLP:")
    assert [line.split(":")[0].strip() for line in message.splitlines()[1:]] == [
        "dtype of layers.1.weight",
        "missing",
        "shape of layers.0.weight",
        "unexpected",
    ]


def test_not_strict_takes_what_is_there_and_forgives_the_rest():
    net, other = network(), network(1).state_dict()
    before = net.state_dict()
    net.load_state_dict({"layers.0.weight": other["layers.0.weight"], "extra": np.zeros(1)}, strict=False)
    after = net.state_dict()
    np.testing.assert_array_equal(after.pop("layers.0.weight"), other["layers.0.weight"])
    del before["layers.0.weight"]
    assert_same_state(after, before)


def test_loading_keeps_the_dtype_of_the_network():
    net = network()
    net.load_state_dict({name: value.astype(np.float64) for name, value in network(1).state_dict().items()})
    assert_same_state(net.state_dict(), network(1).state_dict())


def test_loading_keeps_the_tensors_and_leaves_a_recorded_graph_with_the_old_values():
    net = network()
    tensors = net.parameters()
    x = np.random.default_rng(0).normal(size=(5, 3))
    expected = network()
    expected(x).sum().backward()
    output = net(x).sum()
    net.load_state_dict(network(1).state_dict())
    output.backward()
    assert all(mine is same for mine, same in zip(net.parameters(), tensors, strict=True))
    for mine, right in zip(net.parameters(), expected.parameters(), strict=True):
        np.testing.assert_array_equal(mine.grad, right.grad)
