"""Three steps of every rule against numbers worked out by hand.

One weight w = 1 meets the gradients 2, −1, 3; the comments carry the calculation.
"""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import optim

GRADIENTS = [2.0, -1.0, 3.0]

STEPS = {
    # w − 0.1 g
    "sgd": (optim.SGD(lr=0.1), [0.8, 0.9, 0.6]),
    # v = 1, 0, 1.5 as ½v + ½g; w − 0.1 v
    "momentum": (optim.Momentum(lr=0.1, beta=0.5), [0.9, 0.9, 0.75]),
    # v = 2, 0, 3 as ½v + g; w − 0.1 v
    "heavy ball": (optim.HeavyBall(lr=0.1, momentum=0.5), [0.8, 0.8, 0.5]),
    # v = 2, 0, 3; g + ½v = 3, −1, 4.5; w − 0.1 (g + ½v)
    "nesterov": (optim.Nesterov(lr=0.1, momentum=0.5), [0.7, 0.8, 0.35]),
    # s = 1, 1, 3 as ¾s + ¼g²; w − ½ g/(√s + 1): 1 − ½·2/2, + ½·1/2, − ½·3/(√3 + 1) = −0.5490381056766580
    "rmsprop": (optim.RMSprop(lr=0.5, beta=0.75, epsilon=1.0), [0.5, 0.75, 0.2009618943233420]),
    # v = 1, 0, 1.5 over 1 − ½ᵗ = ½, ¾, ⅞: v̂ = 2, 0, 12/7; s = 1, 1, 3 over 1 − ¾ᵗ = ¼, 7/16, 37/64:
    # ŝ = 4, 16/7, 192/37; w − ½ v̂/(√ŝ + 1): 1 − ½·2/3, − 0, − (6/7)/(√(192/37) + 1) = −0.2614851429833470
    "adam": (
        optim.Adam(lr=0.5, beta1=0.5, beta2=0.75, epsilon=1.0),
        [0.6666666666666667, 0.6666666666666667, 0.4051815236833197],
    ),
    # as Adam, but w shrinks by 1 − ½·0.2 = 0.9 first: 0.9 − ⅓, then times 0.9, then times 0.9 and − 0.2614851429833470
    "adamw": (
        optim.AdamW(lr=0.5, beta1=0.5, beta2=0.75, epsilon=1.0, weight_decay=0.2),
        [0.5666666666666667, 0.51, 0.1975148570166530],
    ),
}


def path(rule: optim.Rule, gradients: list[float], dtype: type = np.float64) -> list[float]:
    """Return where w = 1 goes when it meets `gradients`, one a step, each as the gradient of g w."""
    w = tg.Tensor([1.0], requires_grad=True, dtype=dtype)
    optimizer = rule.bind([w])
    places = []
    for g in gradients:
        optimizer.zero_grad()
        (g * w).sum().backward()
        optimizer.step()
        places.append(w.item())
    return places


@pytest.mark.parametrize("name", STEPS)
def test_three_steps_are_those_worked_out_by_hand(name):
    rule, places = STEPS[name]
    np.testing.assert_allclose(path(rule, GRADIENTS), places, rtol=1e-14)


@pytest.mark.parametrize("name", STEPS)
def test_three_steps_in_float32_are_those_worked_out_by_hand(name):
    rule, places = STEPS[name]
    np.testing.assert_allclose(path(rule, GRADIENTS, np.float32), places, rtol=1e-6)


def test_every_rule_has_its_steps_worked_out():
    declared = [getattr(optim, name) for name in optim.__all__]
    rules = {rule for rule in declared if isinstance(rule, type) and issubclass(rule, optim.Rule)} - {optim.Rule}
    assert rules == {type(rule) for rule, _ in STEPS.values()}


def test_the_state_has_the_names_and_values_of_the_equation():
    w = tg.Tensor([1.0], requires_grad=True, name="w")
    optimizer = optim.Adam(lr=0.5, beta1=0.5, beta2=0.75, epsilon=1.0).bind([w])
    for g, v, s in [(2.0, 1.0, 1.0), (-1.0, 0.0, 1.0), (3.0, 1.5, 3.0)]:
        w.grad = [g]
        optimizer.step()
        state = optimizer.state_dict()
        assert list(state) == ["lr", "step_count", "v.w", "s.w"]
        assert state["v.w"].tolist() == [v]
        assert state["s.w"].tolist() == [s]
    assert state["step_count"] == 3


@pytest.mark.parametrize(
    ("rule", "settings"),
    [
        (optim.Adam(), {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}),
        (optim.AdamW(), {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01}),
    ],
    ids=["adam", "adamw"],
)
def test_the_settings_that_document_004_advises_are_the_defaults(rule, settings):
    assert {name: getattr(rule, name) for name in settings} == settings
    assert not rule.maximize


@pytest.mark.parametrize("name", STEPS)
def test_an_update_is_pure(name):
    rule, _ = STEPS[name]
    rng = np.random.default_rng(0)
    operands = [rng.random(5) for _ in range(2 + len(rule.state))]
    before = [x.copy() for x in operands]
    first = rule.update(*operands, lr=0.1, t=3)
    second = rule.update(*operands, lr=0.1, t=3)
    assert len(first) == 1 + len(rule.state)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not any(np.shares_memory(a, x) for x in operands)
    for x, old in zip(operands, before, strict=True):
        np.testing.assert_array_equal(x, old)
