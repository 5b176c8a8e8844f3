"""Each loss equals its formula written in plain NumPy, and its gradient the closed form."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.errors import ArgumentError, DtypeError, ObjectiveError, ShapeError

ROWS, CLASSES = 6, 4
SEEDS = [0, 1, 2]


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z)
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def logits_and_labels(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(ROWS, CLASSES)) * 2, rng.integers(CLASSES, size=ROWS)


def soft_targets(seed: int) -> np.ndarray:
    return np.random.default_rng(seed + 100).dirichlet(np.ones(CLASSES), size=ROWS)


def pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(ROWS, 3)) * 2, rng.random((ROWS, 3))


def value_and_gradient(loss: nn.Objective, prediction: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the loss of a network that gives `prediction`, and its gradient with respect to that."""
    z = tg.Tensor(prediction, requires_grad=True)
    total = loss(nn.Identity(), z, target)
    total.backward()
    return total.item(), z.grad


# ----- On logits -----


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("loss", "factor"),
    [
        (nn.CrossEntropy(), 1 / ROWS),
        (nn.CrossEntropy(reduction="mean"), 1 / ROWS),
        (nn.CrossEntropy(reduction="sum"), 1),
        (nn.LogLikelihood(), -1),
    ],
    ids=["default", "mean", "sum", "likelihood"],
)
def test_cross_entropy_and_log_likelihood_are_their_formulas_with_gradients_p_minus_t(loss, factor, seed):
    z, labels = logits_and_labels(seed)
    for t, given in [(np.eye(CLASSES)[labels], labels), (np.eye(CLASSES)[labels],) * 2, (soft_targets(seed),) * 2]:
        value, gradient = value_and_gradient(loss, z, given)
        np.testing.assert_allclose(value, -factor * np.sum(t * np.log(softmax(z))), rtol=1e-12)
        np.testing.assert_allclose(gradient, factor * (softmax(z) - t), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("loss", [nn.CrossEntropy(), nn.CrossEntropy("sum"), nn.LogLikelihood()], ids=repr)
def test_integer_and_one_hot_targets_agree(loss):
    z, labels = logits_and_labels(0)
    value, gradient = value_and_gradient(loss, z, labels)
    for one_hot in (np.eye(CLASSES)[labels], np.eye(CLASSES, dtype=np.int64)[labels], tg.one_hot(labels, CLASSES)):
        other_value, other_gradient = value_and_gradient(loss, z, one_hot)
        assert value == pytest.approx(other_value, rel=1e-15)
        np.testing.assert_array_equal(gradient, other_gradient)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_may_have_any_integer_dtype(dtype):
    z, labels = logits_and_labels(0)
    assert nn.CrossEntropy()(nn.Identity(), z, labels.astype(dtype)) == nn.CrossEntropy()(nn.Identity(), z, labels)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("reduction", "factor"), [("mean", 1 / (ROWS * 3)), ("sum", 1)])
def test_binary_cross_entropy_is_its_formula_with_gradient_sigmoid_minus_t(reduction, factor, seed):
    z, t = pair(seed)
    value, gradient = value_and_gradient(nn.BinaryCrossEntropy(reduction), z, t)
    expected = -np.sum(t * np.log(sigmoid(z)) + (1 - t) * np.log(1 - sigmoid(z)))
    np.testing.assert_allclose(value, factor * expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, factor * (sigmoid(z) - t), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("reduction", "factor"), [("mean", 1 / (ROWS * 3)), ("sum", 1), ("half_sum", 0.5)], ids=["mean", "sum", "half_sum"]
)
def test_mse_is_its_formula_with_gradient_proportional_to_the_difference(reduction, factor, seed):
    a, y = pair(seed)
    value, gradient = value_and_gradient(nn.MSE(reduction=reduction), a, y)
    np.testing.assert_allclose(value, factor * np.sum((y - a) ** 2), rtol=1e-12)
    np.testing.assert_allclose(gradient, 2 * factor * (a - y), rtol=1e-12)


def test_losses_average_unless_asked():
    assert nn.CrossEntropy() == nn.CrossEntropy(reduction="mean")
    assert nn.MSE() == nn.MSE(reduction="mean")
    assert nn.BinaryCrossEntropy() == nn.BinaryCrossEntropy(reduction="mean")


# ----- Stable by construction -----


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", SEEDS)
def test_cross_entropy_holds_at_extreme_logits(seed, dtype):
    rng = np.random.default_rng(seed)
    z = rng.choice(np.array([-1e4, 1e4], dtype), size=(ROWS, CLASSES))
    z[0], z[1] = 1e4, -1e4
    labels = rng.integers(CLASSES, size=ROWS)
    highest = z == z.max(axis=1, keepdims=True)
    p = highest / highest.sum(axis=1, keepdims=True)
    losses = np.log(highest.sum(axis=1)) + np.where(highest[np.arange(ROWS), labels], 0, 2e4)
    value, gradient = value_and_gradient(nn.CrossEntropy("sum"), z, labels)
    np.testing.assert_allclose(value, losses.sum(), rtol=1e-6)
    np.testing.assert_allclose(gradient, p - np.eye(CLASSES)[labels], rtol=1e-6)
    value, gradient = value_and_gradient(nn.LogLikelihood(), z, labels)
    np.testing.assert_allclose(value, -losses.sum(), rtol=1e-6)
    np.testing.assert_allclose(gradient, np.eye(CLASSES)[labels] - p, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_binary_cross_entropy_holds_at_extreme_logits(dtype):
    z, t = np.array([-1e4, -1e4, 1e4, 1e4], dtype), np.array([0, 1, 0, 1], dtype)
    value, gradient = value_and_gradient(nn.BinaryCrossEntropy("sum"), z, t)
    assert value == 2e4
    np.testing.assert_array_equal(gradient, np.array([0, -1, 1, 0], dtype))


# ----- Dtypes -----


@pytest.mark.parametrize(
    "loss", [nn.CrossEntropy(), nn.LogLikelihood(), nn.MSE(), nn.MSE("half_sum"), nn.BinaryCrossEntropy()], ids=repr
)
def test_float32_stays_float32_through_a_loss_and_back(loss):
    z = tg.Tensor(np.ones((ROWS, CLASSES)), requires_grad=True, dtype=np.float32)
    total = loss(nn.Identity(), z, soft_targets(0).astype(np.float32))
    total.backward()
    assert total.dtype == z.grad.dtype == np.float32
    assert total.shape == ()


# ----- What is refused -----


@pytest.mark.parametrize("loss", [nn.MSE(), nn.MSE("half_sum"), nn.BinaryCrossEntropy()], ids=repr)
@pytest.mark.parametrize(("prediction", "target"), [((5,), (5, 1)), ((5, 1), (5,)), ((5, 1), (5, 2)), ((5,), ())])
def test_shapes_that_would_broadcast_silently_are_refused(loss, prediction, target):
    with pytest.raises(ShapeError, match="must be equal"):
        loss(nn.Identity(), np.zeros(prediction), np.zeros(target))


@pytest.mark.parametrize("loss", [nn.CrossEntropy(), nn.LogLikelihood()], ids=repr)
@pytest.mark.parametrize("target", [(5, 1), (5, 2), (4,), (1,), (3, 5)])
def test_targets_of_another_shape_are_refused_by_the_losses_on_classes(loss, target):
    with pytest.raises(ShapeError, match="do not fit logits"):
        loss(nn.Identity(), np.zeros((5, 3)), np.zeros(target, int))


@pytest.mark.parametrize("loss", [nn.CrossEntropy(), nn.LogLikelihood()], ids=repr)
@pytest.mark.parametrize("label", [-1, CLASSES, 1000])
def test_a_label_out_of_range_is_refused(loss, label):
    z, labels = logits_and_labels(0)
    labels[2] = label
    with pytest.raises(ArgumentError, match=r"0\.\.3"):
        loss(nn.Identity(), z, labels)


@pytest.mark.parametrize("loss", [nn.CrossEntropy(), nn.LogLikelihood()], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, bool])
def test_labels_that_are_no_integers_are_refused(loss, dtype):
    z, labels = logits_and_labels(0)
    with pytest.raises(DtypeError, match="must be integers"):
        loss(nn.Identity(), z, labels.astype(dtype))


@pytest.mark.parametrize(
    ("loss", "output"),
    [
        (nn.CrossEntropy(), "softmax"),
        (nn.LogLikelihood(), "softmax"),
        (nn.BinaryCrossEntropy(), "sigmoid"),
        (nn.BinaryCrossEntropy(), "softmax"),
    ],
    ids=lambda part: part if isinstance(part, str) else repr(part),
)
def test_a_loss_on_logits_refuses_an_output_that_is_activated_already(loss, output):
    x, t = np.ones((ROWS, 3)), soft_targets(0)
    for net in (
        nn.MLP([3, CLASSES], output=output, rng=0),
        nn.Sequential(nn.Linear(3, CLASSES, rng=0), nn.activation(output)),
    ):
        with pytest.raises(ObjectiveError, match=rf"takes logits .* {output} .*\n?.*identity"):
            loss(net, x, t)


def test_a_log_softmax_output_is_refused_too():
    layer = nn.Linear(3, CLASSES, rng=0)
    with pytest.raises(ObjectiveError, match="log_softmax"):
        nn.CrossEntropy()(lambda x: tg.log_softmax(layer(x)), np.ones((ROWS, 3)), soft_targets(0))


def test_a_sigmoid_output_may_go_into_a_softmax_as_in_document_001():
    net = nn.MLP([3, CLASSES], output="sigmoid", rng=0, dtype=np.float64)
    x, t = np.ones((ROWS, 3)), soft_targets(0)
    np.testing.assert_allclose(
        nn.CrossEntropy()(net, x, t).item(), -np.sum(t * np.log(softmax(net(x).data))) / ROWS, rtol=1e-12
    )


def test_a_softmax_output_may_go_into_a_squared_error_as_in_document_002():
    net = nn.MLP([3, CLASSES], output="softmax", rng=0)
    assert nn.MSE()(net, np.ones((ROWS, 3)), soft_targets(0)).item() > 0


@pytest.mark.parametrize(
    ("loss", "reduction"),
    [(nn.CrossEntropy, "half_sum"), (nn.BinaryCrossEntropy, "none"), (nn.MSE, "average"), (nn.MSE, None)],
)
def test_an_unknown_reduction_is_refused_when_it_is_declared(loss, reduction):
    with pytest.raises(ArgumentError, match="reduction must be one of 'mean', 'sum'"):
        loss(reduction=reduction)
