import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lite as tg
from tests.analytic.deep_network import complex_slopes
from tinygrad_lite import analytic

RNG = np.random.default_rng(0)
PROBABILITIES, TARGETS, LOGITS = RNG.uniform(0.1, 0.9, (4, 3)), RNG.random((4, 3)), RNG.normal(size=(4, 3))

COSTS = {
    "mean_squared_error": lambda a, y: np.sum((y - a) ** 2) / 2,
    "cross_entropy": lambda a, y: -np.sum(y * np.log(a)),
    "binary_cross_entropy": lambda a, y: -np.sum(y * np.log(a) + (1 - y) * np.log(1 - a)),
}
COSTS_OF_LOGITS = {
    "cross_entropy_over_softmax": lambda s, t: -np.sum(t * np.log(np.exp(s) / np.exp(s).sum(axis=-1, keepdims=True))),
    "binary_cross_entropy_over_sigmoid": lambda s, t: COSTS["binary_cross_entropy"](1 / (1 + np.exp(-s)), t),
}
AUTOMATIC = {
    "mean_squared_error": COSTS["mean_squared_error"],
    "cross_entropy": COSTS["cross_entropy"],
    "binary_cross_entropy": COSTS["binary_cross_entropy"],
    "cross_entropy_over_softmax": lambda s, t: tg.softmax_cross_entropy(s, t, reduction="sum"),
    "binary_cross_entropy_over_sigmoid": lambda s, t: np.sum(tg.softplus(s) - t * s),
}
ALL = COSTS | COSTS_OF_LOGITS


def by_hand(name):
    return getattr(analytic, name), getattr(analytic, f"{name}_gradient")


def point(name):
    return LOGITS if name in COSTS_OF_LOGITS else PROBABILITIES


on_each_cost = pytest.mark.parametrize("name", ALL)


@pytest.mark.parametrize("m", [1, 4])
@on_each_cost
def test_a_cost_has_the_value_of_its_formula(name, m):
    value, _ = by_hand(name)
    np.testing.assert_allclose(value(point(name), TARGETS, m=m), ALL[name](point(name), TARGETS) / m, rtol=1e-13)


@pytest.mark.parametrize("m", [1, 4])
@on_each_cost
def test_a_gradient_agrees_with_complex_steps_of_the_formula(name, m):
    _, gradient = by_hand(name)
    (slopes,) = complex_slopes(lambda a: ALL[name](a, TARGETS) / m, point(name))
    np.testing.assert_allclose(gradient(point(name), TARGETS, m=m), slopes, rtol=1e-12, atol=1e-14)


@on_each_cost
def test_a_gradient_agrees_with_central_differences_of_the_value_by_hand(name):
    value, gradient = by_hand(name)
    direction = np.random.default_rng(3).normal(size=(4, 3))
    h = 1e-5
    above, below = value(point(name) + h * direction, TARGETS), value(point(name) - h * direction, TARGETS)
    slope = np.sum(direction * gradient(point(name), TARGETS))
    np.testing.assert_allclose((above - below) / (2 * h), slope, rtol=1e-6)


@on_each_cost
def test_a_gradient_agrees_with_the_automatic_one(name):
    automatic = tg.grad(lambda a: AUTOMATIC[name](a, TARGETS))(point(name))
    np.testing.assert_allclose(by_hand(name)[1](point(name), TARGETS), automatic, rtol=1e-12, atol=1e-14)


@on_each_cost
def test_a_single_vector_is_the_row_of_a_batch(name):
    value, gradient = by_hand(name)
    rows = [gradient(a, t) for a, t in zip(point(name), TARGETS, strict=True)]
    np.testing.assert_array_equal(gradient(point(name), TARGETS), rows)
    summed = sum(value(a, t) for a, t in zip(point(name), TARGETS, strict=True))
    np.testing.assert_allclose(value(point(name), TARGETS), summed, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, int])
@on_each_cost
def test_float32_predictions_keep_their_dtype_whatever_that_of_the_targets(name, dtype):
    single = point(name).astype(np.float32)
    for function in by_hand(name):
        assert function(single, TARGETS.round().astype(dtype)).dtype == np.float32


@on_each_cost
def test_targets_of_another_shape_are_refused_rather_than_broadcast(name):
    for function in by_hand(name):
        with pytest.raises(ValueError, match=r"\(4, 3\).*\(3,\)"):
            function(point(name), TARGETS[0])


def test_labels_are_one_hot_targets_of_a_softmax():
    labels = np.array([2, 0, 1, 2])
    for function in by_hand("cross_entropy_over_softmax"):
        np.testing.assert_array_equal(function(LOGITS, labels), function(LOGITS, np.eye(3)[labels]))
        np.testing.assert_array_equal(function(LOGITS[0], np.array(2)), function(LOGITS[0], np.eye(3)[2]))


def test_labels_that_are_no_classes_are_refused():
    for wrong, message in [([0, 1, 2, 3], "0..2, got 0..3"), ([-1, 0, 0, 0], "got -1..0"), ([0.0, 1, 2, 0], "float64")]:
        with pytest.raises(ValueError, match=message):
            analytic.cross_entropy_over_softmax_gradient(LOGITS, np.array(wrong))


@given(hnp.arrays(np.float64, (3, 4), elements=st.floats(-1e4, 1e4)), st.integers(0, 99))
def test_the_gradient_over_a_softmax_sums_to_zero_along_each_row(s, seed):
    t = np.random.default_rng(seed).random((3, 4))
    np.testing.assert_allclose(analytic.cross_entropy_over_softmax_gradient(s, t).sum(axis=1), 0, atol=1e-14)


@given(st.floats(-1e4, 1e4), st.floats(0, 1))
def test_a_sigmoid_is_a_softmax_over_two_classes(s, t):
    logits, targets = np.array([s, 0.0]), np.array([t, 1 - t])
    over_sigmoid, over_softmax = by_hand("binary_cross_entropy_over_sigmoid"), by_hand("cross_entropy_over_softmax")
    args = np.array([s]), np.array([t])
    np.testing.assert_allclose(over_sigmoid[0](*args), over_softmax[0](logits, targets), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(over_sigmoid[1](*args)[0], over_softmax[1](logits, targets)[0], rtol=1e-12, atol=1e-15)


def test_costs_of_logits_are_exact_far_out():
    s = np.array([1e4, -1e4])
    assert analytic.cross_entropy_over_softmax(s, np.array([1.0, 0.0])) == 0
    assert analytic.cross_entropy_over_softmax(s, np.array([0.0, 1.0])) == 2e4
    assert analytic.binary_cross_entropy_over_sigmoid(s, np.array([0.0, 1.0])) == 2e4
    np.testing.assert_array_equal(analytic.cross_entropy_over_softmax_gradient(s, np.array([0.0, 1.0])), [1, -1])
    np.testing.assert_array_equal(analytic.binary_cross_entropy_over_sigmoid_gradient(s, np.array([0.0, 1.0])), [1, -1])


def test_a_certain_prediction_that_is_right_costs_nothing():
    certain = np.array([0.0, 1.0])
    assert analytic.binary_cross_entropy(certain, certain) == 0
    assert analytic.cross_entropy(certain, certain) == 0
    np.testing.assert_array_equal(analytic.cross_entropy_gradient(certain, certain), [0, -1])
    np.testing.assert_array_equal(analytic.binary_cross_entropy_gradient(certain, certain), [1, -1])


@pytest.mark.parametrize("name", ["cross_entropy", "binary_cross_entropy"])
def test_a_certain_prediction_that_is_wrong_is_refused_rather_than_infinite(name):
    for function in by_hand(name):
        with pytest.raises(ValueError, match="infinitely"):
            function(np.array([0.0, 0.5]), np.array([1.0, 0.0]))
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            function(np.array([1.5, 0.5]), np.array([1.0, 0.0]))


def test_the_cost_of_document_004_6_needs_its_minus():
    """As stated it is largest where the prediction is right; the gradient stated beside it is that of its negative."""
    (as_stated,) = complex_slopes(lambda a: -COSTS["binary_cross_entropy"](a, TARGETS), PROBABILITIES)
    np.testing.assert_allclose(analytic.binary_cross_entropy_gradient(PROBABILITIES, TARGETS), -as_stated, rtol=1e-12)


def test_the_gradient_of_the_penalty_agrees_with_complex_steps():
    w = np.random.default_rng(4).normal(size=(3, 2))
    (slopes,) = complex_slopes(lambda w: 0.3 / 2 * np.sum(w * w), w)
    np.testing.assert_allclose(analytic.l2_gradient(w, 0.3), slopes, rtol=1e-14)
    np.testing.assert_allclose(analytic.l2_penalty(w, 0.3), 0.15 * np.sum(w**2), rtol=1e-14)


def test_the_penalty_of_float32_weights_stays_float32_even_for_a_numpy_strength():
    w = np.ones((3, 2), np.float32)
    assert analytic.l2_gradient(w, np.float64(0.3)).dtype == np.float32
    assert analytic.l2_penalty(w, np.float64(0.3)).dtype == np.float32
