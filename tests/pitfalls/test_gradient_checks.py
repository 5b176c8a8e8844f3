"""What a gradient check can overlook: small penalties, rare rows, and parameters that few values stand beside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg

ROWS, INPUTS, CLASSES = 200, 5, 3
_RNG = np.random.default_rng(3)
X, LABELS = _RNG.normal(size=(ROWS, INPUTS)), _RNG.integers(0, CLASSES, ROWS)
W, B = _RNG.normal(size=(CLASSES, INPUTS)), _RNG.normal(size=CLASSES)
SMALL = 5e-6


def loss(w: Any, b: Any) -> Any:
    return tg.softmax_cross_entropy(X @ w.T + b, LABELS) + SMALL / 2 * np.sum(w**2)


def delta(w: np.ndarray, b: np.ndarray) -> np.ndarray:
    logits = X @ w.T + b
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (p / p.sum(axis=1, keepdims=True) - np.eye(CLASSES)[LABELS]) / ROWS


def by_hand(w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    d = delta(w, b)
    return d.T @ X + SMALL * w, d.sum(axis=0)


def without_the_penalty(w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return delta(w, b).T @ X, delta(w, b).sum(axis=0)


def with_twice_the_penalty(w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return delta(w, b).T @ X + 2 * SMALL * w, delta(w, b).sum(axis=0)


def without_the_last_row(w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    d = delta(w, b)
    d[-1] = 0
    return d.T @ X + SMALL * w, d.sum(axis=0)


def with_a_penalty_on_the_bias(w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return by_hand(w, b)[0], by_hand(w, b)[1] + SMALL * b


MISTAKES: dict[Callable[..., Any], list[str]] = {
    without_the_penalty: ["w"],
    with_twice_the_penalty: ["w"],
    without_the_last_row: ["w", "b"],
    with_a_penalty_on_the_bias: ["b"],
}


def test_the_right_derivation_agrees() -> None:
    assert tg.check_gradients(loss, W, B, analytic=by_hand)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_of_a_millionth_is_found_in_the_parameters_it_touches(mistake: Callable[..., Any]) -> None:
    report = tg.check_gradients(loss, W, B, analytic=mistake)
    assert [row.name for row in report.rows if not row.agrees] == MISTAKES[mistake]


def test_the_few_biases_are_checked_one_and_all_beside_weights_by_the_thousand() -> None:
    x, w, b = np.ones((2, 400)), np.zeros((50, 400)), np.zeros(50)

    def f(w: Any, b: Any) -> Any:
        return np.sum(np.tanh(x @ w.T + b))

    for wrong in (0, 49):

        def mistaken(w: np.ndarray, b: np.ndarray, wrong: int = wrong) -> tuple[np.ndarray, np.ndarray]:
            slope = 1 - np.tanh(x @ w.T + b) ** 2
            gradient = slope.sum(axis=0)
            gradient[wrong] *= 1.001
            return slope.T @ x, gradient

        report = tg.check_gradients(f, w, b, analytic=mistaken)
        assert f"b differs most at [{wrong}]" in str(report)
        assert "w differs" not in str(report)


def test_gradients_that_are_zero_on_both_sides_agree() -> None:
    flat = np.array([1.0, -2.0])
    assert tg.check_gradients(lambda x: np.sum(np.sign(x)), flat, analytic=np.zeros_like)


def test_single_precision_is_checked_in_double_and_so_at_the_accuracy_of_double() -> None:
    w = W.astype(np.float32)
    assert tg.check_gradients(loss, w, B.astype(np.float32))
    report = tg.check_gradients(loss, w, B.astype(np.float32), analytic=without_the_penalty)
    assert not report
