"""Training steps compiled, beside their eager twins: parameters, state, losses and step counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.comparing import assert_near, assert_same, distance
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import ArgumentError

STEPS = 12
ROWS, INPUTS, CLASSES = 6, 4, 3

RULES: dict[str, Callable[..., optim.Rule]] = {
    "SGD": lambda **k: optim.SGD(lr=0.1, **k),
    "Momentum": lambda **k: optim.Momentum(lr=0.1, **k),
    "HeavyBall": lambda **k: optim.HeavyBall(lr=0.05, **k),
    "Nesterov": lambda **k: optim.Nesterov(lr=0.05, **k),
    "RMSprop": lambda **k: optim.RMSprop(lr=0.01, **k),
    "Adam": lambda **k: optim.Adam(lr=0.01, **k),
    "AdamW": lambda **k: optim.AdamW(lr=0.01, weight_decay=0.1, **k),
}
ACTIVATIONS = ("relu", "sigmoid", "tanh", "softplus", "cos", "identity")


def labels(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, CLASSES, ROWS)


def one_hot(rng: np.random.Generator) -> np.ndarray:
    return np.eye(CLASSES, dtype=np.float32)[labels(rng)]


def numbers(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(ROWS, CLASSES)).astype(np.float32)


def shares(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(size=(ROWS, CLASSES)).astype(np.float32)


OBJECTIVES: dict[str, tuple[nn.Objective, Callable[[np.random.Generator], np.ndarray]]] = {
    "cross-entropy of labels": (nn.CrossEntropy() + 0.01 * nn.L2(), labels),
    "cross-entropy of labels, summed": (nn.CrossEntropy(reduction="sum"), labels),
    "cross-entropy of one-hot rows": (nn.CrossEntropy(), one_hot),
    "cross-entropy of one-hot rows, summed": (nn.CrossEntropy(reduction="sum") + 0.1 * nn.L1(), one_hot),
    "squared error": (nn.MSE(), numbers),
    "squared error, summed": (0.1 * nn.MSE(reduction="sum") + 0.01 * nn.L2(biases=True), numbers),
    "squared error, half the sum": (nn.MSE(reduction="half_sum"), numbers),
    "log-likelihood of labels": (nn.LogLikelihood() - 0.01 * nn.L2(), labels),
    "log-likelihood of one-hot rows": (nn.LogLikelihood() - 0.01 * nn.L2(), one_hot),
}
"""Objectives with what makes their targets. Binary cross-entropy looks at the targets, and has a test of its own."""

each_rule = pytest.mark.parametrize("rule", RULES)


class Run:
    """A network in training; two of the same arguments are twins."""

    def __init__(
        self,
        rule: str,
        activation: str,
        objective: str,
        dtype: Any = np.float32,
        clip: Callable[..., Any] | None = None,
    ) -> None:
        self.objective, self.target = OBJECTIVES[objective]
        self.net = nn.MLP([INPUTS, 5, CLASSES], activation=activation, rng=0, dtype=dtype)
        self.optimizer = RULES[rule](maximize=self.objective.sense == "maximise").bind(self.net)
        self.clip, self.dtype = clip, dtype

    def step(self, x: Any, t: Any) -> Any:
        """Make one step and return the loss."""
        self.optimizer.zero_grad()
        loss = self.objective(self.net, x, t)
        loss.backward()
        if self.clip is not None:
            self.clip(self.net.parameters())
        self.optimizer.step()
        return loss.detach()

    def batch(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the inputs and targets of a step."""
        rng = np.random.default_rng(count)
        return rng.normal(size=(ROWS, INPUTS)).astype(self.dtype), self.target(rng)

    @property
    def state(self) -> dict[str, Any]:
        """All that a step changes: parameters, gradients, state, learning rate, step count."""
        gradients = {name: parameter.grad for name, parameter in self.net.named_parameters()}
        return {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict(), "gradients": gradients}


def train_beside(ours: Run, theirs: Run, step: Callable[..., Any], compare: Callable[..., None], steps: int) -> None:
    """Make steps in both, the learning rate changing on the way, and compare all that they leave."""
    for count in range(steps):
        if count in (5, 9):
            ours.optimizer.lr = theirs.optimizer.lr = 0.02 / count
        batch = ours.batch(count)
        expected, found = theirs.step(*batch), step(*batch)
        compare(found, expected, f"loss of step {count + 1}")
        compare(ours.state, theirs.state, f"after step {count + 1}")


COMBINATIONS = [
    (rule, ACTIVATIONS[(i + j) % len(ACTIVATIONS)], objective)
    for i, rule in enumerate(RULES)
    for j, objective in enumerate(OBJECTIVES)
]
"""Every rule with every objective and every activation, all three together in turn."""


@pytest.mark.parametrize(("rule", "activation", "objective"), COMBINATIONS)
def test_exact_steps_keep_every_bit(rule: str, activation: str, objective: str) -> None:
    ours, theirs = Run(rule, activation, objective), Run(rule, activation, objective)
    train_beside(ours, theirs, tg.compile(ours.step, exact=True), assert_same, STEPS)


@pytest.mark.parametrize(("rule", "activation", "objective"), COMBINATIONS)
def test_one_step_agrees_to_the_rounding(rule: str, activation: str, objective: str) -> None:
    ours, theirs = Run(rule, activation, objective), Run(rule, activation, objective)
    train_beside(ours, theirs, tg.compile(ours.step), assert_near, 1)


@each_rule
def test_steps_of_float64_agree_to_the_rounding(rule: str) -> None:
    objective = "cross-entropy of labels"
    ours, theirs = (Run(rule, "softplus", objective, np.float64) for _ in range(2))

    def nearly(found: Any, expected: Any, told: str) -> None:
        assert_near(found, expected, told, 1e-9)

    train_beside(ours, theirs, tg.compile(ours.step), nearly, STEPS)


CLIPPING: dict[str, Callable[..., Any]] = {
    "by norm": lambda parameters: optim.clip_by_norm(parameters, 0.05),
    "by a norm that is not reached": lambda parameters: optim.clip_by_norm(parameters, 1e3),
    "by value": lambda parameters: optim.clip_by_value(parameters, 0.01),
}


@each_rule
@pytest.mark.parametrize("clip", CLIPPING)
def test_gradients_are_clipped_inside_of_a_step(rule: str, clip: str) -> None:
    ours, theirs = (Run(rule, "tanh", "cross-entropy of labels, summed", clip=CLIPPING[clip]) for _ in range(2))

    def nearly(found: Any, expected: Any, told: str) -> None:
        assert_near(found, expected, told, 1e-5)  # a traced norm is summed in another order

    train_beside(ours, theirs, tg.compile(ours.step), nearly, STEPS)


@each_rule
def test_six_hundred_steps_stay_beside_eager_ones(rule: str) -> None:
    ours, theirs = (Run(rule, "softplus", "cross-entropy of labels") for _ in range(2))
    step = tg.compile(ours.step)
    for count in range(600):
        batch = ours.batch(count % 10)
        loss, expected = step(*batch).item(), theirs.step(*batch).item()
        assert abs(loss - expected) <= 1e-5 * max(1.0, abs(expected)), f"step {count + 1}"
    for name, values in theirs.net.state_dict().items():
        assert distance(ours.net.state_dict()[name], values) <= 1e-4, name
    assert ours.optimizer.step_count.item() == 600


def test_compiled_and_eager_steps_take_turns() -> None:
    ours, theirs = (Run("Adam", "relu", "cross-entropy of labels") for _ in range(2))
    program = tg.compile(ours.step, exact=True)
    for count in range(STEPS):
        step = program if count % 3 else ours.step
        batch = ours.batch(count)
        assert_same(step(*batch), theirs.step(*batch))
        assert_same(ours.state, theirs.state, f"after step {count + 1}")


def test_binary_cross_entropy_that_looks_at_its_targets_is_trained_or_refused_with_the_remedy() -> None:
    net, twin = (nn.MLP([INPUTS, 5, CLASSES], activation="tanh", rng=0) for _ in range(2))
    objective = nn.BinaryCrossEntropy()

    def step(net: nn.MLP, x: Any, t: Any) -> Any:
        net.zero_grad()
        loss = objective(net, x, t)
        loss.backward()
        return loss.detach()

    program = tg.compile(lambda x, t: step(net, x, t), exact=True)
    for count in range(3):
        rng = np.random.default_rng(count)
        x, t = rng.normal(size=(ROWS, INPUTS)).astype(np.float32), shares(rng)
        assert_same(program(x, t), step(twin, x, t))
        assert_same([p.grad for p in net.parameters()], [p.grad for p in twin.parameters()])
    with pytest.raises(ArgumentError, match=r"\[0, 1\]"):
        program(x, t + 1)
