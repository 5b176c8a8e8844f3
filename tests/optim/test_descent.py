"""Every rule goes down a quadratic bowl and along the Rosenbrock valley, and up as well as down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn, optim


class Course(NamedTuple):
    """The settings a rule runs a landscape with, and the value that it has to get below."""

    rule: optim.Rule
    goal: float


# the settings of every rule: found by trying a few learning rates; goals ten times and more above what is reached
BOWL_STEPS = 300
BOWL = {
    "sgd": Course(optim.SGD(lr=0.05), 1e-20),
    "momentum": Course(optim.Momentum(lr=0.1, beta=0.9), 1e-10),
    "heavy ball": Course(optim.HeavyBall(lr=0.01, momentum=0.9), 1e-10),
    "nesterov": Course(optim.Nesterov(lr=0.02, momentum=0.9), 1e-15),
    "rmsprop": Course(optim.RMSprop(lr=0.02, beta=0.9), 1e-10),
    "adam": Course(optim.Adam(lr=0.1), 1e-10),
    "adamw": Course(optim.AdamW(lr=0.1, weight_decay=1e-6), 1e-10),
}
ROSENBROCK_STEPS = 2000
ROSENBROCK = {
    "sgd": Course(optim.SGD(lr=0.002), 0.02),
    "momentum": Course(optim.Momentum(lr=0.01, beta=0.9), 1e-6),
    "heavy ball": Course(optim.HeavyBall(lr=0.001, momentum=0.9), 1e-6),
    "nesterov": Course(optim.Nesterov(lr=0.001, momentum=0.9), 1e-6),
    "rmsprop": Course(optim.RMSprop(lr=0.002, beta=0.9), 0.02),
    "adam": Course(optim.Adam(lr=0.05), 1e-6),
    "adamw": Course(optim.AdamW(lr=0.05, weight_decay=1e-6), 1e-6),
}


def bowl(w):
    """Ten times as steep along one axis as along the other, with its minimum of 0 at (1, −2)."""
    away = w - np.array([1.0, -2.0])
    return np.sum(np.array([1.0, 10.0]) * away * away)


def rosenbrock(w):
    """A curved valley with its minimum of 0 at (1, 1)."""
    x, y = w[0], w[1]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def run(rule: optim.Rule, landscape: Callable, start: list[float], steps: int) -> np.ndarray:
    """Return where `rule` gets from `start` in `steps` steps."""
    w = tg.Tensor(start, requires_grad=True)
    optimizer = rule.bind([w])
    for _ in range(steps):
        optimizer.zero_grad()
        landscape(w).backward()
        optimizer.step()
    return w.numpy()


@pytest.mark.parametrize("name", BOWL)
def test_every_rule_reaches_the_bottom_of_a_bowl(name):
    rule, goal = BOWL[name]
    end = run(rule, bowl, [0.0, 0.0], BOWL_STEPS)
    assert bowl(end) < goal
    np.testing.assert_allclose(end, [1.0, -2.0], atol=2 * np.sqrt(goal))


@pytest.mark.parametrize("name", ROSENBROCK)
def test_every_rule_follows_the_rosenbrock_valley(name):
    rule, goal = ROSENBROCK[name]
    start = [-1.2, 1.0]
    end = run(rule, rosenbrock, start, ROSENBROCK_STEPS)
    assert rosenbrock(np.array(start)) > 20
    assert rosenbrock(end) < goal


def test_every_rule_runs_both_courses():
    declared = [getattr(optim, name) for name in optim.__all__]
    rules = {rule for rule in declared if isinstance(rule, type) and issubclass(rule, optim.Rule)} - {optim.Rule}
    for courses in (BOWL, ROSENBROCK):
        assert {type(course.rule) for course in courses.values()} == rules


# ----- Up as well as down -----


@pytest.mark.parametrize("name", ROSENBROCK)
def test_maximising_equals_minimising_the_negated_objective_to_the_bit(name):
    rule = ROSENBROCK[name].rule
    if isinstance(rule, optim.AdamW):
        rule = replace(rule, weight_decay=0.5)  # so that decay in the wrong direction would show
    up = run(replace(rule, maximize=True), lambda w: -rosenbrock(w), [-1.2, 1.0], 50)
    np.testing.assert_array_equal(up, run(rule, rosenbrock, [-1.2, 1.0], 50))


@pytest.mark.parametrize("name", BOWL)
def test_training_for_the_likelihood_equals_training_for_the_summed_cross_entropy(name):
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(20, 4)), rng.integers(3, size=20)

    def trained(objective: nn.Objective, rule: optim.Rule) -> dict[str, np.ndarray]:
        net = nn.MLP([4, 5, 3], activation="tanh", rng=1)
        optimizer = rule.bind(net, objective)
        for _ in range(10):
            optimizer.zero_grad()
            objective(net, x, t).backward()
            optimizer.step()
        return net.state_dict()

    rule = replace(BOWL[name].rule, lr=0.01)
    down = trained(nn.CrossEntropy(reduction="sum") + 0.1 * nn.L2(), rule)
    up = trained(nn.LogLikelihood() - 0.1 * nn.L2(), replace(rule, maximize=True))
    for key, value in down.items():
        np.testing.assert_array_equal(up[key], value)
    assert not np.array_equal(down["layers.0.weight"], nn.MLP([4, 5, 3], "tanh", rng=1).layers[0].weight.data)
