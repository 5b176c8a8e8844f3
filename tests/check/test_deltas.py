"""Intermediate gradients: where, walking back from the loss, a derivation departs."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import ArgumentError

RNG = np.random.default_rng(1)
X, T = RNG.normal(size=(8, 5)), np.eye(4)[RNG.integers(4, size=8)]
WEIGHTS = [RNG.normal(size=shape) / 2 for shape in [(6, 5), (6, 6), (4, 6)]]


def loss(w1, w2, w3):
    h1 = np.tanh(tg.named(X @ w1.T, "delta1"))
    h2 = tg.sigmoid(tg.named(h1 @ w2.T, "delta2"))
    return tg.softmax_cross_entropy(tg.named(h2 @ w3.T, "delta3"), T)


def chain(w1, w2, w3, mistake=""):
    h1 = np.tanh(X @ w1.T)
    h2 = 1 / (1 + np.exp(-(h1 @ w2.T)))
    delta3 = (tg.softmax(h2 @ w3.T) - T) / (1 if mistake == "batch-mean" else len(X))
    delta2 = delta3 @ w3 * (1 if mistake == "activation-derivative-missing" else h2 * (1 - h2))
    delta1 = delta2 @ (w2.T if mistake == "transposed" else w2) * (1 - h1 * h1)
    return {"delta1": delta1, "delta2": delta2, "delta3": delta3}, (delta1.T @ X, delta2.T @ h1, delta3.T @ h2)


def checked(mistake=""):
    deltas, gradients = chain(*WEIGHTS, mistake=mistake)
    return tg.check_gradients(loss, *WEIGHTS, analytic=lambda *_: gradients, deltas=deltas)


def test_right_deltas_agree_and_stand_in_the_order_of_the_way_back():
    report = checked()
    assert report
    assert [row.name for row in report.deltas] == ["delta3", "delta2", "delta1"]
    assert report.departs_at is None
    for row in report.deltas:
        by_hand, automatic, numeric = row.values
        np.testing.assert_allclose(by_hand, automatic, rtol=1e-12)
        np.testing.assert_allclose(numeric, automatic, rtol=1e-6)


@pytest.mark.parametrize(
    ("mistake", "departs_at"),
    [("batch-mean", "delta3"), ("activation-derivative-missing", "delta2"), ("transposed", "delta1")],
)
def test_the_first_delta_that_departs_is_named_with_the_mistake(mistake, departs_at):
    report = checked(mistake)
    assert report.departs_at == departs_at
    assert f"walking back from the loss, the derivation departs at {departs_at}" in str(report)
    (first,) = [row for row in report.deltas if row.name == departs_at]
    assert first.diagnosis[0].slug == mistake
    assert not report


def test_a_wrong_delta_beside_right_gradients_fails_the_report():
    deltas, gradients = chain(*WEIGHTS)
    deltas["delta2"] = -deltas["delta2"]
    report = tg.check_gradients(loss, *WEIGHTS, analytic=lambda *_: gradients, deltas=deltas)
    assert all(row.agrees for row in report.rows)
    assert not report
    assert report.departs_at == "delta2"
    assert report.deltas[1].diagnosis[0].slug == "sign"


def test_deltas_alone_can_be_checked():
    deltas, _ = chain(*WEIGHTS)
    assert tg.check_gradients(loss, *WEIGHTS, deltas={"delta2": deltas["delta2"]})


def test_a_delta_of_another_shape_differs():
    deltas, _ = chain(*WEIGHTS)
    report = tg.check_gradients(loss, *WEIGHTS, deltas={"delta2": deltas["delta2"][:3]})
    assert "the delta by hand has shape (3, 6), the value (8, 6)" in str(report)


@pytest.mark.parametrize("name", ["delta4", "", "w1"])
def test_a_name_that_the_function_does_not_give_is_refused_with_those_that_it_gives(name):
    with pytest.raises(ArgumentError, match=r"delta1.*delta2.*delta3"):
        tg.check_gradients(loss, *WEIGHTS, deltas={name: np.zeros((8, 6))})


def test_a_name_given_twice_is_refused():
    def twice(w):
        return np.sum(tg.named(tg.named(w, "a") * 2, "a"))

    with pytest.raises(ArgumentError, match="names more than one value"):
        tg.check_gradients(twice, np.ones(3), deltas={"a": np.ones(3)})


def test_named_changes_neither_values_nor_gradients():
    w = np.array([1.0, 2.0])
    assert tg.named(w, "w") is w
    np.testing.assert_array_equal(tg.grad(lambda w: np.sum(tg.named(w, "w") ** 2))(w), 2 * w)


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_name_is_a_text(name):
    with pytest.raises(ArgumentError, match="text that is not empty"):
        tg.named(np.ones(2), name)
