"""What an optimizer does with gradients, dtypes and its learning rate, the same for every rule."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import GraphError

RULES = [
    optim.SGD(lr=0.1),
    optim.Momentum(lr=0.1),
    optim.HeavyBall(lr=0.1),
    optim.Nesterov(lr=0.1),
    optim.RMSprop(lr=0.1),
    optim.Adam(lr=0.1),
    optim.AdamW(lr=0.1, weight_decay=0.1),
]
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)


def weight(value: object = (1.0, 2.0), dtype: type = np.float64) -> tg.Tensor:
    return tg.Tensor(value, requires_grad=True, dtype=dtype)


# ----- Dtypes -----


@every_rule
def test_float32_parameters_and_state_stay_float32(rule):
    net = nn.MLP([3, 4, 2], rng=0)
    objective = nn.CrossEntropy() + 0.01 * nn.L2()
    optimizer = rule.bind(net)
    for _ in range(3):
        optimizer.zero_grad()
        objective(net, np.ones((5, 3), np.float32), np.zeros(5, int)).backward()
        optimizer.step()
    assert {parameter.dtype for parameter in net.parameters()} == {np.dtype(np.float32)}
    own = {name: value.dtype for name, value in optimizer.state_dict().items() if name not in ("lr", "step_count")}
    assert set(own.values()) <= {np.dtype(np.float32)}
    assert len(own) == len(rule.state) * 4


@pytest.mark.parametrize("lr", [0.1, np.float64(0.1), np.array(0.1)], ids=lambda lr: type(lr).__name__)
@pytest.mark.parametrize("rule", [type(rule) for rule in RULES])
def test_a_learning_rate_of_numpy_gives_the_bits_of_a_python_one(rule, lr):
    def stepped(lr: object) -> np.ndarray:
        w = weight([0.3, 0.7], np.float32)
        optimizer = rule(lr=lr).bind([w])
        for g in ([1.1, -0.3], [0.2, 0.9]):
            w.grad = g
            optimizer.step()
        return w.numpy()

    assert stepped(lr).dtype == np.float32
    np.testing.assert_array_equal(stepped(lr), stepped(0.1))


@pytest.mark.parametrize(
    ("rule", "settings"),
    [
        (optim.Momentum, {"beta": 0.9}),
        (optim.HeavyBall, {"momentum": 0.9}),
        (optim.Nesterov, {"momentum": 0.9}),
        (optim.RMSprop, {"beta": 0.9, "epsilon": 1e-8}),
        (optim.Adam, {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8}),
        (optim.AdamW, {"beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "weight_decay": 0.1}),
    ],
)
def test_settings_that_are_numpy_scalars_do_not_promote_float32(rule, settings):
    w, g, *state = np.ones((2 + len(rule.state), 3), np.float32)
    values = rule(**{name: np.float64(value) for name, value in settings.items()}).update(w, g, *state, lr=0.1, t=2)
    assert [value.dtype for value in values] == [np.dtype(np.float32)] * len(values)


@every_rule
def test_a_parameter_without_axes_is_updated_like_one_with(rule):
    single, row = weight(1.5), weight([1.5])
    for w in (single, row):
        optimizer = rule.bind([w])
        for _ in range(3):
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()
    assert single.shape == ()
    assert single.item() == row.item()


# ----- The learning rate -----


def test_a_learning_rate_changed_with_assign_takes_effect_at_the_next_step():
    w = weight([1.0])
    optimizer = optim.SGD(lr=0.5).bind([w])
    places = []
    for lr in (0.5, 0.25, 2.0):
        optimizer.lr.assign(lr)
        w.grad = [1.0]
        optimizer.step()
        places.append(w.item())
    assert places == [0.5, 0.25, -1.75]
    assert optimizer.rule.lr == 0.5


def test_a_learning_rate_declared_as_an_integer_can_be_changed_to_a_fraction():
    w = weight([1.0])
    optimizer = optim.SGD(lr=1).bind([w])
    optimizer.lr.assign(0.25)
    w.grad = [1.0]
    optimizer.step()
    assert w.item() == 0.75


def test_optimizers_of_one_rule_share_nothing():
    rule = optim.HeavyBall(lr=0.5)
    first, second = rule.bind({"w": weight()}), rule.bind({"w": weight()})
    first.lr.assign(0.1)
    first.parameters["w"].grad = [1.0, 1.0]
    first.step()
    assert second.lr.item() == 0.5
    assert second.step_count.item() == 0
    assert second.state_dict()["v.w"].tolist() == [0.0, 0.0]


# ----- Gradients -----


@every_rule
def test_parameters_without_a_gradient_are_left_alone(rule):
    a, b = weight(), weight()
    optimizer = rule.bind({"a": a, "b": b})
    a.grad = [1.0, -1.0]
    optimizer.step()
    assert np.all(a.data != [1.0, 2.0])
    assert b.data.tolist() == [1.0, 2.0]
    state = optimizer.state_dict()
    for part in rule.state:
        assert np.all(state[f"{part}.a"] != 0)
        assert np.all(state[f"{part}.b"] == 0)


@every_rule
def test_a_step_without_any_gradient_is_refused_and_does_not_count(rule):
    w = weight()
    optimizer = rule.bind([w])
    with pytest.raises(GraphError, match=r"call backward\(\)"):
        optimizer.step()
    assert optimizer.step_count.item() == 0
    assert w.data.tolist() == [1.0, 2.0]


@every_rule
def test_a_step_counts_and_leaves_the_gradient_and_zero_grad_forgets_it(rule):
    w = weight()
    optimizer = rule.bind([w])
    for count in (1, 2, 3):
        w.grad = [1.0, -1.0]
        optimizer.step()
        assert optimizer.step_count.item() == count
        assert w.grad.tolist() == [1.0, -1.0]
    optimizer.zero_grad()
    assert w.grad is None


def test_gradients_of_two_backward_sweeps_add_up_before_a_step():
    w = weight([1.0])
    optimizer = optim.SGD(lr=0.25).bind([w])
    (2 * w).sum().backward()
    (w * w).sum().backward()
    optimizer.step()
    assert w.item() == 0.0


def test_a_parameter_frozen_after_binding_is_left_alone():
    a, b = weight(), weight()
    optimizer = optim.SGD(lr=0.5).bind([a, b])
    a.requires_grad = False
    (a * b).sum().backward()
    optimizer.step()
    assert a.data.tolist() == [1.0, 2.0]
    assert b.data.tolist() == [0.5, 1.0]


def test_an_update_that_fails_changes_no_parameter():
    class Fragile(optim.Rule):
        def update(self, w, g, *, lr, t):
            if w.shape == (1,):
                raise FloatingPointError("no")
            return (w - lr * g,)

    a, b = weight(), weight([1.0])
    optimizer = Fragile().bind([a, b])
    (a.sum() * b).sum().backward()
    with pytest.raises(FloatingPointError):
        optimizer.step()
    assert a.data.tolist() == [1.0, 2.0]
    assert optimizer.step_count.item() == 0


# ----- What was recorded before -----


@every_rule
def test_a_step_leaves_a_recorded_graph_with_the_old_values(rule):
    w = weight([0.5, -1.5])
    optimizer = rule.bind([w])
    cotangent = np.random.default_rng(0).normal(size=2)
    recorded = np.tanh(w) * w
    recorded.sum().backward()
    optimizer.step()
    assert np.all(w.data != [0.5, -1.5])
    optimizer.zero_grad()
    recorded.backward(cotangent)
    old = np.array([0.5, -1.5])
    expected = cotangent * (np.tanh(old) + old * (1 - np.tanh(old) ** 2))
    np.testing.assert_allclose(w.grad, expected, rtol=1e-13)


def test_an_array_taken_before_a_step_keeps_the_old_values():
    w = weight()
    before = w.data
    w.grad = [1.0, 1.0]
    optim.SGD(lr=1.0).bind([w]).step()
    assert before.tolist() == [1.0, 2.0]
    assert w.data.tolist() == [0.0, 1.0]


def test_the_repr_says_what_is_optimised_and_how_far_it_is():
    w = weight()
    optimizer = optim.SGD(lr=0.1).bind([w])
    w.grad = [1.0, 1.0]
    optimizer.step()
    assert repr(optimizer) == "Optimizer(SGD(lr=0.1, maximize=False), 1 parameters, step 1)"
