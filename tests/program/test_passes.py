"""How many times a step goes over the largest weight: 784 → 100 → 10, a hundred rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.comparing import assert_near
from tests.program.rewriting import passes, written
from tinygrad_lite import nn, optim
from tinygrad_lite.program import blas

RNG = np.random.default_rng(4)
X, T = RNG.normal(size=(100, 784)).astype(np.float32), RNG.integers(0, 10, 100)

needs_blas = pytest.mark.skipif(
    blas.product_added(np.dtype(np.float32)) is None, reason="the BLAS of NumPy is not known here"
)


def training(rule: optim.Rule, penalty: float) -> tuple[Any, nn.Module]:
    net = nn.MLP([784, 100, 10], activation="softplus", rng=0)
    objective = nn.CrossEntropy() + penalty * nn.L2() if penalty else nn.CrossEntropy()
    optimizer = rule.bind(net, objective)

    def step(x: Any, t: Any) -> Any:
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step, net


def compiled(rule: optim.Rule, penalty: float, exact: bool = False) -> tg.Program:
    """Return the program of a step that was taken twice beside eager ones."""
    (step, net), (eager, twin) = training(rule, penalty), training(rule, penalty)
    program = tg.compile(step, exact=exact)
    for _ in range(2):
        assert_near(program(tg.Tensor(X), T), eager(tg.Tensor(X), T))
    for found, expected in zip(net.parameters(), twin.parameters(), strict=True):
        assert_near(found, expected, tolerance=1e-4)
    return program


WEIGHT = (100, 784)


@needs_blas
@pytest.mark.parametrize("penalty", [0.0, 0.01])
def test_sgd_goes_over_the_weight_once(penalty):
    program = compiled(optim.SGD(lr=0.1), penalty)
    operation = "plus_decayed_product" if penalty else "plus_product"
    assert [(s.operation, s.place) for s in passes(program, WEIGHT)] == [(operation, "in layers.0.weight")]
    assert len(passes(compiled(optim.SGD(lr=0.1), penalty, exact=True), WEIGHT)) == (5 if penalty else 3)


@needs_blas
@pytest.mark.parametrize(
    ("rule", "most"), [(optim.Momentum, 3), (optim.HeavyBall, 3), (optim.Nesterov, 4), (optim.RMSprop, 8)]
)
def test_the_other_rules_go_over_the_weight_and_its_state_few_times(rule, most):
    program = compiled(rule(lr=0.003), 0.01)
    assert len(passes(program, WEIGHT)) <= most
    assert len(passes(compiled(rule(lr=0.003), 0.01, exact=True), WEIGHT)) >= 7


@needs_blas
def test_adam_goes_over_the_weight_and_its_moments_eight_times():
    program = compiled(optim.Adam(lr=0.003), 0.01)
    assert written(program, WEIGHT) == [
        "plus_product",  # the gradient
        "plus_multiple",  # the first moment
        "square",
        "plus_multiple",  # the second
        "sqrt",
        "add",
        "divide",
        "plus_multiple",  # the weight
    ]
    assert len(passes(compiled(optim.Adam(lr=0.003), 0.01, exact=True), WEIGHT)) == 17


def test_the_forward_and_backward_of_a_step_go_over_its_hidden_layer_as_often_as_by_hand():
    program = compiled(optim.SGD(lr=0.1), 0.01)
    assert written(program, (100, 100)) == [
        *("matmul", "add", "maximum", "absolute", "negative", "exp", "log1p", "add"),
        *("matmul", "negative", "expm1", "negative", "multiply"),
    ]


def test_biases_are_sums_of_columns_added_at_once():
    program = compiled(optim.SGD(lr=0.1), 0.01)
    assert written(program, (100,))[-2:] == ["sum", "add"]
    assert written(program, (10,)) == ["sum", "add"]
