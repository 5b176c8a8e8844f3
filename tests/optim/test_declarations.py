"""A rule is declared with settings that make sense, and bound to what it can improve."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import ArgumentError, ObjectiveError, TinygradLiteError

RULES = [optim.SGD, optim.Momentum, optim.HeavyBall, optim.Nesterov, optim.RMSprop, optim.Adam, optim.AdamW]
MINIMISED = [nn.CrossEntropy(), nn.CrossEntropy() + 0.01 * nn.L2(), -nn.LogLikelihood()]
MAXIMISED = [nn.LogLikelihood(), nn.LogLikelihood() - 0.01 * nn.L2(), -nn.CrossEntropy()]


def weight(name: str | None = None, **options: object) -> tg.Tensor:
    return tg.Tensor([1.0, 2.0], **{"requires_grad": True, "name": name, **options})


# ----- Settings -----


@pytest.mark.parametrize("lr", [0, 0.0, -0.1, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rule", RULES)
def test_a_learning_rate_that_is_not_positive_and_finite_is_refused(rule, lr):
    with pytest.raises(ArgumentError, match=f"{rule.__name__}: the learning rate must be positive and finite"):
        rule(lr=lr)


@pytest.mark.parametrize("value", [-0.1, 1.0, 1.5, np.nan])
@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (optim.Momentum, "beta"),
        (optim.HeavyBall, "momentum"),
        (optim.Nesterov, "momentum"),
        (optim.RMSprop, "beta"),
        (optim.Adam, "beta1"),
        (optim.Adam, "beta2"),
        (optim.AdamW, "beta1"),
        (optim.AdamW, "beta2"),
    ],
)
def test_a_memory_outside_zero_to_one_is_refused(rule, name, value):
    with pytest.raises(ArgumentError, match=rf"{rule.__name__}: {name} must lie in \[0, 1\)"):
        rule(**{name: value})


@pytest.mark.parametrize("value", [-1e-8, np.nan])
@pytest.mark.parametrize(
    ("rule", "name"),
    [(optim.RMSprop, "epsilon"), (optim.Adam, "epsilon"), (optim.AdamW, "epsilon"), (optim.AdamW, "weight_decay")],
)
def test_a_negative_epsilon_or_decay_is_refused(rule, name, value):
    with pytest.raises(ArgumentError, match=f"{rule.__name__}: {name} must not be negative"):
        rule(**{name: value})


@pytest.mark.parametrize(
    "rule", [optim.Momentum(beta=0), optim.Nesterov(momentum=0), optim.Adam(beta1=0, beta2=0), optim.RMSprop(epsilon=0)]
)
def test_settings_of_zero_where_they_make_sense_are_accepted(rule):
    w = weight()
    w.grad = [1.0, -1.0]
    rule.bind([w]).step()
    assert np.sign(w.data - [1.0, 2.0]).tolist() == [-1, 1]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_a_value(rule):
    assert rule(lr=0.1) == rule(lr=0.1) != rule(lr=0.2)
    assert hash(rule(lr=0.1)) == hash(rule(lr=0.1))
    assert repr(rule(lr=0.1)).startswith(f"{rule.__name__}(lr=0.1, maximize=False")
    with pytest.raises(AttributeError):
        rule().lr = 0.5


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_states_its_equation(rule):
    assert "w ← " in rule.__doc__


# ----- Senses -----


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_takes_the_objectives_of_its_sense(rule):
    for objective in MINIMISED:
        rule().bind([weight()], objective)
    for objective in MAXIMISED:
        rule(maximize=True).bind([weight()], objective)


@pytest.mark.parametrize("rule", RULES)
def test_binding_a_maximised_objective_to_a_minimising_rule_is_refused_and_the_other_way_round(rule):
    for objective in MAXIMISED:
        with pytest.raises(ObjectiveError, match=r"is to be maximised, but .* minimises; .* maximize=True"):
            rule().bind([weight()], objective)
    for objective in MINIMISED:
        with pytest.raises(ObjectiveError, match=r"is to be minimised, but .* maximises; .* maximize=False"):
            rule(maximize=True).bind([weight()], objective)


# ----- Binding -----


def test_a_module_is_bound_by_the_names_of_its_parameters():
    net = nn.MLP([2, 3, 1], rng=0)
    optimizer = optim.HeavyBall().bind(net)
    assert list(optimizer.parameters) == [name for name, _ in net.named_parameters()]
    assert all(mine is theirs for mine, theirs in zip(optimizer.parameters.values(), net.parameters(), strict=True))
    assert "v.layers.0.weight" in optimizer.state_dict()


def test_a_mapping_is_bound_by_its_keys():
    a, b = weight(), weight()
    assert list(optim.HeavyBall().bind({"x": a, "y": b}).state_dict()) == ["lr", "step_count", "v.x", "v.y"]


def test_a_sequence_is_bound_by_the_names_of_its_tensors_or_by_position():
    sequence = [weight("theta"), weight(), weight()]
    for bound in (sequence, tuple(sequence)):
        state = optim.HeavyBall().bind(bound).state_dict()
        assert list(state) == ["lr", "step_count", "v.theta", "v.1", "v.2"]


def test_the_list_of_parameters_of_a_network_binds_like_the_network():
    net = nn.MLP([2, 3, 1], rng=0)
    assert list(optim.SGD().bind(net.parameters()).parameters) == list(optim.SGD().bind(net).parameters)


def test_two_tensors_of_one_name_are_refused_in_a_sequence_and_accepted_in_a_mapping():
    a, b = weight("w"), weight("w")
    with pytest.raises(ArgumentError, match="share a name"):
        optim.SGD().bind([a, b])
    assert list(optim.SGD().bind({"first": a, "second": b}).parameters) == ["first", "second"]


@pytest.mark.parametrize("nothing", [[], {}, nn.Tanh()])
def test_binding_nothing_is_refused(nothing):
    with pytest.raises(ArgumentError, match="no parameters to optimise"):
        optim.SGD().bind(nothing)


@pytest.mark.parametrize("bind", [lambda w: [w], lambda w: {"w": w}])
def test_a_tensor_that_requires_no_gradient_is_refused_by_its_name(bind):
    with pytest.raises(ArgumentError, match="w does not require a gradient"):
        optim.SGD().bind(bind(weight("w", requires_grad=False)))


@pytest.mark.parametrize("bind", [lambda w: [w, w], lambda w: {"a": w, "b": w}])
def test_one_tensor_bound_twice_is_refused(bind):
    with pytest.raises(ArgumentError):
        optim.HeavyBall().bind(bind(weight()))


@pytest.mark.parametrize("wrong", [weight(), [np.ones(2)], None], ids=lambda wrong: type(wrong).__name__)
def test_what_cannot_be_bound_is_refused_with_an_error_of_ours(wrong):
    with pytest.raises(TinygradLiteError):
        optim.SGD().bind(wrong)


def test_a_user_defined_rule_is_its_equation():
    class SignDescent(optim.Rule):
        """w ← w − α sign(g)."""

        def update(self, w, g, *, lr, t):
            return (w - lr * np.sign(g),)

    w = weight()
    w.grad = [5.0, -0.1]
    SignDescent(lr=0.5).bind([w]).step()
    assert w.data.tolist() == [0.5, 2.5]
