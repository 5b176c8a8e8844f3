"""Mistakes that people make in a derivation are named, the very mistake first."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.check.catalogue import PAIRS, SINGLE, Network, network
from tinygrad_lite import nn

CASES = 12
"""Random networks a mistake."""


def arrays_of(gradients):
    return gradients if isinstance(gradients, tuple) else (gradients,)


def is_same(a, b):
    return a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-12 * max(1.0, float(np.abs(b).max())))


def slugs_of(fault: str) -> set[str]:
    return {part.partition(" at ")[0] for part in fault.split("+")}


def names_that_fit(net: Network, i: int, wrong: np.ndarray) -> list[set[str]]:
    """Return the mistakes of the catalogue that give the same array, made in whatever layer."""
    found = []
    for fault in (*SINGLE, *PAIRS):
        for layer in range(net.layers):
            if is_same(arrays_of(net.derivation(fault, layer)(*net.parameters))[i], wrong):
                found.append(slugs_of(fault))
    return found


@pytest.mark.parametrize("fault", [*SINGLE, *PAIRS])
def test_a_planted_mistake_is_caught_and_named(fault: str) -> None:
    planted = 0
    for seed in range(1000):
        if planted >= CASES:
            break
        net = network(seed)
        layer = seed % net.layers
        right = arrays_of(net.derivation("", layer)(*net.parameters))
        wrong = arrays_of(net.derivation(fault, layer)(*net.parameters))
        touched = [i for i, pair in enumerate(zip(wrong, right, strict=True)) if not is_same(*pair)]
        if not touched:
            continue
        report = tg.check_gradients(
            net.objective, *net.parameters, analytic=net.derivation(fault, layer), names=net.names
        )
        for i, row in enumerate(report.rows):
            if i not in touched:
                assert row.agrees, f"seed {seed}: {row}"
                continue
            planted += 1
            assert row.status == "differs", f"seed {seed}: {row}"
            named = {cause.slug for cause in row.diagnosis[:2]}
            fits = [
                slugs <= named if len(slugs) > 1 else row.diagnosis[0].slug in slugs
                for slugs in names_that_fit(net, i, wrong[i])
            ]
            assert any(fits), f"seed {seed}, {row.name}: {[str(cause) for cause in row.diagnosis]}"
            assert str(row.diagnosis[0]).startswith(row.diagnosis[0].slug)
            assert row.diagnosis[0].residual < 1e-9
    assert planted >= CASES


def test_derivations_without_a_mistake_raise_no_alarm() -> None:
    for seed in range(100):
        net = network(seed)
        report = tg.check_gradients(net.objective, *net.parameters, analytic=net.derivation("", 0), names=net.names)
        assert all(row.status in ("agrees", "vacuous") for row in report.rows), f"seed {seed}\n{report}"
        assert all(row.diagnosis == () for row in report.rows)


# ----- Outside of the catalogue -----

RNG = np.random.default_rng(4)
X, T = RNG.normal(size=(9, 5)), np.eye(4)[RNG.integers(4, size=9)]
W1, W2 = RNG.normal(size=(6, 5)), RNG.normal(size=(4, 6))


def loss(w1, w2):
    return tg.softmax_cross_entropy(np.tanh(X @ w1.T) @ w2.T, T)


def by_hand(w1, w2, *, x=X, t=T, squash=np.tanh):
    h = squash(x @ w1.T)
    delta = (tg.softmax(h @ w2.T) - t) / len(x)
    return (delta @ w2 * (1 - h * h)).T @ x, delta.T @ h


def noisy(w1, w2):
    g1, g2 = by_hand(w1, w2)
    return g1 + 0.01 * np.random.default_rng(0).normal(size=g1.shape), g2 + 0.01


OUTSIDE = {
    "noise": noisy,
    "a clipped gradient": lambda *w: tuple(np.clip(g, -0.02, 0.02) for g in by_hand(*w)),
    "a squared gradient": lambda *w: tuple(g * g for g in by_hand(*w)),
    "labels of other rows": lambda *w: by_hand(*w, t=np.roll(T, 1, axis=0)),
    "another activation forward": lambda *w: by_hand(*w, squash=np.sin),
    "rows in another order": lambda *w: tuple(g[::-1] for g in by_hand(*w)),
    "the gradient of half the batch": lambda *w: by_hand(*w, x=X[:4], t=T[:4]),
    "an absolute value": lambda *w: tuple(np.abs(g) for g in by_hand(*w)),
}


@pytest.mark.parametrize("mistake", OUTSIDE)
def test_a_mistake_outside_of_the_list_is_called_unknown(mistake: str) -> None:
    report = tg.check_gradients(loss, W1, W2, analytic=OUTSIDE[mistake])
    for row in report.rows:
        assert [cause.slug for cause in row.diagnosis] == ["unknown"]
        assert "none of the known mistakes" in row.diagnosis[0].correction


def test_values_that_are_not_finite_are_counted() -> None:
    def broken(w1, w2):
        g1, g2 = by_hand(w1, w2)
        g1[0, :2] = np.nan
        return g1, g2

    row = tg.check_gradients(loss, W1, W2, analytic=broken).rows[0]
    assert str(row.diagnosis[0]) == "unknown in w1: 2 of 30 entries are not finite"


# ----- What a cause says -----


def test_a_factor_is_told_and_what_to_do_about_it() -> None:
    report = tg.check_gradients(loss, W1, W2, analytic=lambda *w: tuple(1.7 * g for g in by_hand(*w)))
    (cause,) = report.rows[0].diagnosis
    assert cause.slug == "scale"
    assert cause.factor == pytest.approx(1.7)
    assert str(cause) == "scale (× 1.7) in w1: divide the gradient by 1.7"


def test_a_forgotten_mean_names_the_number_of_examples() -> None:
    report = tg.check_gradients(loss, W1, W2, analytic=lambda *w: tuple(9 * g for g in by_hand(*w)))
    assert str(report.rows[1].diagnosis[0]) == "batch-mean (× 9) in w2: divide the gradient by 9"
    report = tg.check_gradients(loss, W1, W2, analytic=lambda *w: tuple(g / 9 for g in by_hand(*w)))
    assert "do not divide the gradient by 9 again" in str(report.rows[1].diagnosis[0])


def test_a_wrong_derivative_is_named_for_what_it_is() -> None:
    def with_the_derivative_of_sigmoid(w1, w2):
        h = np.tanh(X @ w1.T)
        delta = (tg.softmax(h @ w2.T) - T) / len(X)
        return (delta @ w2 * h * (1 - h)).T @ X, delta.T @ h

    report = tg.check_gradients(loss, W1, W2, analytic=with_the_derivative_of_sigmoid)
    (cause,) = report.rows[0].diagnosis
    assert cause.slug == "activation-derivative-wrong"
    assert "the derivative of sigmoid, h(1 − h);" in cause.correction
    assert cause.where == "tanh after w1"


def test_a_path_that_was_left_out_is_named() -> None:
    x = RNG.normal(size=(4, 4))

    def residual(x):  # y = x + tanh(x): the path around is left out
        return np.sum((x + np.tanh(x)) ** 2)

    def without_the_way_around(x):
        return 2 * (x + np.tanh(x)) * (1 - np.tanh(x) ** 2)

    (row,) = tg.check_gradients(residual, x, analytic=without_the_way_around).rows
    assert row.diagnosis[0].slug == "term-missing"


def test_a_forgotten_term_of_the_data_is_named() -> None:
    def two_losses(w1, w2):
        return loss(w1, w2) + np.sum(np.sin(w1 @ X[0]) ** 2)

    report = tg.check_gradients(two_losses, W1, W2, analytic=by_hand)
    assert report.rows[0].diagnosis[0].slug == "term-missing"
    assert report.rows[1].agrees


# ----- Modules -----


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mistake_in_a_module_is_named_by_its_layer(dtype) -> None:
    net = nn.MLP([5, 6, 4], activation="tanh", rng=0, dtype=dtype)
    objective = nn.CrossEntropy() + 0.1 * nn.L2()

    def forgot_the_penalty(net):
        w1, b1, w2, b2 = (parameter.numpy() for parameter in net.parameters())
        h = np.tanh(X @ w1.T + b1)
        delta = (tg.softmax(h @ w2.T + b2) - T) / len(X)
        back = delta @ w2 * (1 - h * h)
        arrays = back.T @ X, back.sum(axis=0), delta.T @ h, delta.sum(axis=0)
        return dict(zip((name for name, _ in net.named_parameters()), arrays, strict=True))

    report = tg.check_gradients(lambda net: objective(net, X, T), net, analytic=forgot_the_penalty)
    assert [row.name for row in report.rows if not row.agrees] == ["layers.0.weight", "layers.1.weight"]
    assert {row.diagnosis[0].slug for row in report.rows if not row.agrees} == {"regulariser-missing"}
    assert "0.1 · layers.0.weight" in report.rows[0].diagnosis[0].correction


def test_a_forgotten_penalty_on_absolute_values_is_named_with_the_signs() -> None:
    def f(w1, w2):
        return loss(w1, w2) + 0.3 * np.sum(np.abs(w1))

    report = tg.check_gradients(f, W1, W2, analytic=by_hand)
    assert str(report.rows[0].diagnosis[0]) == (
        "regulariser-missing in w1: add the gradient of the penalty, 0.3 · sign(w1)"
    )
