"""Objectives add up, know their sense, and keep their terms apart."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.errors import ObjectiveError
from tinygrad_lite.tape import Node, tape

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(5, 4)), RNG.integers(3, size=5)
LOSS, LIKELIHOOD, L2, L1 = nn.CrossEntropy(), nn.LogLikelihood(), nn.L2(), nn.L1()


def network(dtype: type = np.float64) -> nn.MLP:
    return nn.MLP([4, 6, 3], rng=1, dtype=dtype)


def value(objective: nn.Objective) -> float:
    return objective(network(), X, LABELS).item()


# ----- Senses -----


@pytest.mark.parametrize(
    ("objective", "sense"),
    [
        (LOSS, "minimise"),
        (nn.MSE(), "minimise"),
        (nn.BinaryCrossEntropy(), "minimise"),
        (L2, "minimise"),
        (L1, "minimise"),
        (LIKELIHOOD, "maximise"),
        (LOSS + 0.01 * L2, "minimise"),
        (LIKELIHOOD - 0.01 * L2, "maximise"),
        (LIKELIHOOD - 0.01 * L2 - 0.1 * L1, "maximise"),
        (LOSS - LIKELIHOOD, "minimise"),
        (-LOSS, "maximise"),
        (-LIKELIHOOD, "minimise"),
        (-(LIKELIHOOD - 0.01 * L2), "minimise"),
        (-(LOSS + 0.01 * L2), "maximise"),
        (-LIKELIHOOD + 0.01 * L2, "minimise"),
        (LIKELIHOOD + -L2, "maximise"),
        (-2 * LOSS, "maximise"),
        (LOSS * 3, "minimise"),
        (2 * (LIKELIHOOD - L2), "maximise"),
        (-(-1 * LOSS), "minimise"),
    ],
    ids=repr,
)
def test_an_objective_knows_its_sense(objective, sense):
    assert objective.sense == sense


@pytest.mark.parametrize(
    "mixed",
    [
        lambda: LOSS + LIKELIHOOD,
        lambda: LIKELIHOOD + 0.01 * L2,
        lambda: LIKELIHOOD + L2,
        lambda: LOSS + -L2,
        lambda: -LOSS + L2,
        lambda: (LIKELIHOOD - L2) + L1,
        lambda: LOSS + -1e-300 * L2,
    ],
)
def test_adding_what_goes_the_other_way_is_refused(mixed):
    with pytest.raises(ObjectiveError, match="their sum has no sense; subtract"):
        mixed()


@pytest.mark.parametrize(
    "mixed",
    [lambda: LOSS - 0.01 * L2, lambda: LIKELIHOOD - -L2, lambda: -LOSS - LIKELIHOOD, lambda: LOSS - LOSS],
)
def test_subtracting_what_goes_the_same_way_is_refused(mixed):
    with pytest.raises(ObjectiveError, match="their difference has no sense; add"):
        mixed()


@pytest.mark.parametrize("zero", [0, 0.0])
def test_a_penalty_of_weight_zero_keeps_the_sense_it_is_written_with(zero):
    assert (LOSS + zero * L2).sense == "minimise"
    assert (LIKELIHOOD - zero * L2).sense == "maximise"
    assert value(LIKELIHOOD - zero * L2) == value(LIKELIHOOD)


@pytest.mark.parametrize(
    "repeated",
    [
        lambda: LOSS + LOSS,
        lambda: LOSS + L2 + 0.5 * L2,
        lambda: (LOSS + L2) + (L1 + L2),
        lambda: nn.MSE() + nn.MSE("sum"),
        lambda: LIKELIHOOD - L2 - nn.L2(biases=True),
    ],
)
def test_a_term_that_stands_twice_is_refused(repeated):
    with pytest.raises(ObjectiveError, match="stands twice"):
        repeated()


@pytest.mark.parametrize(
    "wrong", [lambda: LOSS + 1, lambda: 1 + LOSS, lambda: LOSS - 1.0, lambda: LOSS * LOSS, lambda: "2" * LOSS]
)
def test_only_objectives_are_added_and_only_numbers_multiplied(wrong):
    with pytest.raises(TypeError):
        wrong()


# ----- Values -----


def test_the_total_is_the_weighted_sum_of_the_terms():
    loss, l2, l1 = value(LOSS), value(L2), value(L1)
    assert value(2 * LOSS) == pytest.approx(2 * loss, rel=1e-14)
    assert value(LOSS * 2) == pytest.approx(2 * loss, rel=1e-14)
    assert value(-LOSS) == pytest.approx(-loss, rel=1e-14)
    assert value(LOSS + 0.1 * L2) == pytest.approx(loss + 0.1 * l2, rel=1e-14)
    assert value(LOSS + 0.1 * L2 + 0.3 * L1) == pytest.approx(loss + 0.1 * l2 + 0.3 * l1, rel=1e-14)
    assert value(0.5 * (LOSS + 0.1 * L2)) == pytest.approx(0.5 * loss + 0.05 * l2, rel=1e-14)
    assert value(LIKELIHOOD - 0.1 * L2) == pytest.approx(-5 * loss - 0.1 * l2, rel=1e-14)
    assert value(-(LIKELIHOOD - 0.1 * L2)) == pytest.approx(5 * loss + 0.1 * l2, rel=1e-14)


def test_the_gradient_of_the_total_is_the_weighted_sum_of_the_gradients():
    def gradients(objective: nn.Objective) -> list[np.ndarray]:
        net = network()
        objective(net, X, LABELS).backward()
        return [np.zeros(p.shape) if p.grad is None else p.grad for p in net.parameters()]

    for both, loss, penalty in zip(gradients(LOSS + 0.1 * L2), gradients(LOSS), gradients(L2), strict=True):
        np.testing.assert_allclose(both, loss + 0.1 * penalty, rtol=1e-12, atol=1e-16)
    for negated, loss in zip(gradients(-LOSS), gradients(LOSS), strict=True):
        np.testing.assert_array_equal(negated, -loss)


def test_evaluate_keeps_the_terms_apart_without_their_weights():
    net = network()
    evaluation = (LOSS + 0.1 * L2 + 0.3 * L1).evaluate(net, X, LABELS)
    assert list(evaluation.terms) == ["cross_entropy", "l2", "l1"]
    for name, term in [("cross_entropy", LOSS), ("l2", L2), ("l1", L1)]:
        assert evaluation.terms[name].item() == value(term)
    assert evaluation.total.item() == value(LOSS + 0.1 * L2 + 0.3 * L1)
    np.testing.assert_array_equal(evaluation.prediction.data, net(X).data)


def test_each_term_can_be_differentiated_alone():
    net = network()
    (LOSS + 0.1 * L2).evaluate(net, X, LABELS).terms["l2"].backward()
    np.testing.assert_array_equal(net.layers[0].weight.grad, net.layers[0].weight.data)


def test_the_weighted_sum_is_one_operation():
    total = (LOSS + 0.1 * L2 + 0.3 * L1)(network(), X, LABELS)
    operations = [node.primitive.name for node in tape(total._node) if isinstance(node, Node)]
    assert operations[-1] == "weighted_sum"
    assert [parent.primitive.name for parent in total._node.inputs] == [
        "softmax_cross_entropy",
        "sum_squares",
        "weighted_sum",  # the L1 norms of both weights
    ]


def test_the_network_is_called_once():
    calls = []

    class Counted(nn.MLP):
        def forward(self, x):
            calls.append(x)
            return super().forward(x)

    (LOSS + 0.1 * L2 + 0.3 * L1)(Counted([4, 3], rng=0), X, LABELS)
    assert len(calls) == 1


def test_a_loss_alone_takes_any_function_as_its_network():
    w = tg.Tensor(np.ones((4, 3)), requires_grad=True)
    assert LOSS(lambda x: x @ w, X, LABELS).item() == pytest.approx(np.log(3))


@pytest.mark.parametrize(
    "weight", [0.1, np.float64(0.1), np.float32(0.1), 1, np.int64(1)], ids=lambda weight: type(weight).__name__
)
@pytest.mark.parametrize("scaled", [lambda w: LOSS + w * L2, lambda w: LOSS + L2 * w])
def test_the_weight_of_a_term_does_not_promote_float32(scaled, weight):
    net = network(np.float32)
    total = scaled(weight)(net, X.astype(np.float32), LABELS)
    assert total.dtype == np.float32
    assert total.item() == pytest.approx(float(value(LOSS)) + float(weight) * value(L2), rel=1e-5)


# ----- How it reads -----


@pytest.mark.parametrize(
    ("objective", "text"),
    [
        (LOSS + 0.01 * L2, "CrossEntropy(reduction='mean') + 0.01 * L2(biases=False)"),
        (LIKELIHOOD - 0.01 * L2, "LogLikelihood() - 0.01 * L2(biases=False)"),
        (-(LIKELIHOOD - 2 * L2), "-LogLikelihood() + 2 * L2(biases=False)"),
        (3 * LIKELIHOOD, "3 * LogLikelihood()"),
    ],
)
def test_an_objective_reads_as_it_was_written(objective, text):
    assert repr(objective) == text


def test_objectives_declared_alike_are_equal():
    assert nn.CrossEntropy() + 0.01 * nn.L2() == LOSS + 0.01 * L2
    assert LOSS + 0.01 * L2 != LOSS + 0.02 * L2
    assert hash(LOSS + 0.01 * L2) == hash(nn.CrossEntropy() + 0.01 * nn.L2())
