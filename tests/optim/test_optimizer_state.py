"""`state_dict` and `load_state_dict` of an optimizer: training goes on bit for bit, or nothing changes."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from tinygrad_lite import nn, optim
from tinygrad_lite.errors import StateError

RULES = [
    optim.SGD(lr=0.1),
    optim.Momentum(lr=0.1),
    optim.HeavyBall(lr=0.1),
    optim.Nesterov(lr=0.1),
    optim.RMSprop(lr=0.01),
    optim.Adam(lr=0.01),
    optim.AdamW(lr=0.01, weight_decay=0.1),
]
RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(12, 3)).astype(np.float32), RNG.integers(2, size=12)


def network(seed: int = 0) -> nn.MLP:
    return nn.MLP([3, 4, 2], rng=seed)


def train(net: nn.MLP, optimizer: optim.Optimizer, steps: int) -> None:
    objective = nn.CrossEntropy() + 0.01 * nn.L2()
    for _ in range(steps):
        optimizer.zero_grad()
        objective(net, X, T).backward()
        optimizer.step()


def assert_same_bits(actual: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(actual) == list(expected)
    for name, value in expected.items():
        assert actual[name].dtype == value.dtype
        assert actual[name].tobytes() == value.tobytes(), name


def refused(optimizer: optim.Optimizer, state: dict) -> str:
    """Return the message with which `optimizer` refuses `state`, after checking that nothing has changed."""
    before = optimizer.state_dict()
    with pytest.raises(StateError) as problem:
        optimizer.load_state_dict(state)
    assert_same_bits(optimizer.state_dict(), before)
    return str(problem.value)


@pytest.fixture
def optimizer() -> optim.Optimizer:
    net = network()
    optimizer = optim.Adam().bind(net)
    train(net, optimizer, 2)
    return optimizer


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_training_goes_on_bit_for_bit_from_a_saved_state(rule):
    net = network()
    optimizer = rule.bind(net)
    train(net, optimizer, 3)
    optimizer.lr.assign(0.02)
    weights, state = net.state_dict(), optimizer.state_dict()
    train(net, optimizer, 3)

    resumed = network(seed=1)
    again = rule.bind(resumed)
    resumed.load_state_dict(weights)
    again.load_state_dict(state)
    assert again.step_count.item() == 3
    assert again.lr.item() == 0.02
    train(resumed, again, 3)

    assert_same_bits(resumed.state_dict(), net.state_dict())
    assert_same_bits(again.state_dict(), optimizer.state_dict())


def test_a_state_goes_round_through_a_file(optimizer, tmp_path):
    np.savez(tmp_path / "state.npz", **optimizer.state_dict())
    other = optim.Adam().bind(network(1))
    with np.load(tmp_path / "state.npz") as state:
        other.load_state_dict(dict(state))
    assert_same_bits(other.state_dict(), optimizer.state_dict())


def test_the_state_is_a_copy_going_out_and_coming_in(optimizer):
    state = optimizer.state_dict()
    before = copy.deepcopy(state)
    for value in state.values():
        value += 1
    assert_same_bits(optimizer.state_dict(), before)
    incoming = copy.deepcopy(before)
    optimizer.load_state_dict(incoming)
    for value in incoming.values():
        value += 1
    assert_same_bits(optimizer.state_dict(), before)


def test_a_state_that_does_not_fit_is_refused_with_everything_that_is_wrong_and_changes_nothing(optimizer):
    state = {name: value + 1 for name, value in optimizer.state_dict().items()}
    state["v.layers.0.weight"] = np.zeros((3, 4))
    del state["s.layers.1.bias"]
    state["momentum.layers.1.bias"] = np.zeros(2)
    message = refused(optimizer, state)
    assert message.startswith("the state does not fit Adam(")
    assert "missing: s.layers.1.bias" in message
    assert "unexpected: momentum.layers.1.bias" in message
    assert "shape of v.layers.0.weight: expected (4, 3), got (3, 4)" in message


def test_the_state_of_another_rule_is_refused(optimizer):
    message = refused(optimizer, optim.HeavyBall().bind(network()).state_dict())
    assert "missing: s.layers.0.bias" in message


@pytest.mark.parametrize("name", ["lr", "v.layers.0.bias", "s.layers.1.weight"])
@pytest.mark.parametrize("dtype", [complex, str, object])
def test_values_that_are_no_real_numbers_are_refused_and_change_nothing(optimizer, name, dtype):
    state = {key: value + 1 for key, value in optimizer.state_dict().items()}
    state[name] = np.asarray(state[name], dtype=dtype)
    assert name in refused(optimizer, state)


def test_a_step_count_that_is_no_integer_is_refused_and_changes_nothing(optimizer):
    state = optimizer.state_dict()
    state["step_count"] = np.array(1.5)
    assert "step_count" in refused(optimizer, state)


def test_a_state_in_double_precision_is_taken_over_in_the_precision_of_the_optimizer(optimizer):
    state = optimizer.state_dict()
    other = optim.Adam().bind(network(1))
    other.load_state_dict({key: value.astype(np.float64) if value.ndim else value for key, value in state.items()})
    assert_same_bits(other.state_dict(), state)
