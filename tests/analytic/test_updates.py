import numpy as np
import pytest

from tinygrad_lite import optim
from tinygrad_lite.analytic import adam_update, momentum_update, rmsprop_update, sgd_update

RULES = {
    "sgd": (sgd_update, optim.SGD(lr=0.3), {"lr": 0.3}),
    "momentum": (momentum_update, optim.Momentum(lr=0.3, beta=0.8), {"lr": 0.3, "beta": 0.8}),
    "rmsprop": (
        rmsprop_update,
        optim.RMSprop(lr=0.3, beta=0.9, epsilon=1e-3),
        {"lr": 0.3, "beta": 0.9, "epsilon": 1e-3},
    ),
    "rmsprop's epsilon": (rmsprop_update, optim.RMSprop(lr=0.3, beta=0.9), {"lr": 0.3, "beta": 0.9}),
    "adam": (
        adam_update,
        optim.Adam(lr=0.3, beta1=0.7, beta2=0.9, epsilon=1e-3),
        {"lr": 0.3, "beta1": 0.7, "beta2": 0.9, "epsilon": 1e-3},
    ),
    "adam's advice": (adam_update, optim.Adam(lr=0.3), {"lr": 0.3}),
}
on_each_rule = pytest.mark.parametrize("name", RULES)


def path(name, gradients, dtype):
    """Return the parameter and the state after each step by hand, from w = 1 and a state of zeros."""
    update, rule, options = RULES[name]
    values = [np.ones(gradients.shape[1:], dtype), *(np.zeros(gradients.shape[1:], dtype) for _ in rule.state)]
    for t, g in enumerate(gradients.astype(dtype), start=1):
        count = (t,) if update is adam_update else ()
        found = update(values[0], g, *values[1:], *count, **options)
        values = list(found) if isinstance(found, tuple) else [found]
        yield values


@on_each_rule
def test_twenty_steps_agree_with_the_declared_rule(name):
    _, rule, _ = RULES[name]
    gradients = np.random.default_rng(0).normal(size=(20, 3, 2))
    values = [np.ones((3, 2)), *(np.zeros((3, 2)) for _ in rule.state)]
    for t, (g, mine) in enumerate(zip(gradients, path(name, gradients, np.float64), strict=True), start=1):
        values = rule.update(values[0], g, *values[1:], lr=rule.lr, t=t)
        for found, expected in zip(mine, values, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sgd", [0.4, 0.7, -0.2]),  # w − 0.3 g
        # v = 0.4, 0.12, 0.696 as 0.8 v + 0.2 g; w − 0.3 v
        ("momentum", [0.88, 0.844, 0.6352]),
    ],
)
def test_three_steps_are_those_worked_out_on_paper(name, expected):
    places = [values[0].item() for values in path(name, np.array([[2.0], [-1.0], [3.0]]), np.float64)]
    np.testing.assert_allclose(places, expected, rtol=1e-14)


def test_the_first_step_of_adam_has_the_length_of_its_rate_whatever_the_gradient():
    g = np.array([1e-3, -50.0, 1e6])
    w, _, _ = adam_update(np.zeros(3), g, np.zeros(3), np.zeros(3), 1, lr=0.3, epsilon=0.0)
    np.testing.assert_allclose(w, -0.3 * np.sign(g), rtol=1e-12)


def test_adam_corrects_the_zero_start_so_that_a_constant_gradient_is_its_own_average():
    v = s = w = np.zeros(1)
    g = np.array([2.0])
    for t in range(1, 6):
        w, v, s = adam_update(w, g, v, s, t, lr=0.3)
        np.testing.assert_allclose(v / (1 - 0.9**t), g, rtol=1e-12)
        np.testing.assert_allclose(s / (1 - 0.999**t), g**2, rtol=1e-10)


@pytest.mark.parametrize("t", [0, -1])
def test_adam_refuses_a_step_before_the_first(t):
    zeros = np.zeros(1)
    with pytest.raises(ValueError, match=f"from 1, got {t}"):
        adam_update(zeros, zeros, zeros, zeros, t, lr=0.1)


@on_each_rule
def test_float32_stays_float32_and_nothing_is_changed_in_place(name):
    gradients = np.random.default_rng(0).normal(size=(3, 4))
    before = gradients.copy()
    seen = [[value.copy() for value in values] for values in path(name, gradients, np.float32)]
    kept = list(path(name, gradients, np.float32))
    for values, copies in zip(kept, seen, strict=True):
        for value, copy in zip(values, copies, strict=True):
            assert value.dtype == np.float32
            np.testing.assert_array_equal(value, copy)
    np.testing.assert_array_equal(gradients, before)
