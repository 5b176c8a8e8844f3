"""What a newcomer and a hostile reviewer found in the gradient check; each held by a test."""

from __future__ import annotations

import time

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.errors import ArgumentError, DetachError

RNG = np.random.default_rng(0)
V = RNG.normal(size=4)


def only_row(f, *args, **options):
    (row,) = tg.check_gradients(f, *args, **options).rows
    return row


# ----- The automatic gradient is wrong, not the derivation -----

AT_FAULT = {
    ".item() in the result": (lambda w: np.sum(w**2).item(), lambda w: 2 * w),
    ".item() on the way": (
        lambda w: np.sum(w * V) / np.sum(w**2).item(),
        lambda w: V / np.sum(w**2) - 2 * w * np.sum(w * V) / np.sum(w**2) ** 2,
    ),
}


@pytest.mark.parametrize("name", AT_FAULT)
def test_a_right_derivation_is_not_blamed_for_a_wrong_automatic_gradient(name):
    f, derived = AT_FAULT[name]
    row = only_row(f, V + 2, analytic=derived)
    assert (row.status, row.diagnosis) == ("differs", ())
    assert "the automatic gradient is not what the function does" in row.note
    by_hand, _, numeric = row.values
    assert by_hand == pytest.approx(numeric, rel=1e-6)


def test_a_small_penalty_that_is_cut_off_is_seen():
    net = nn.MLP([4, 5, 2], activation="tanh", rng=0, dtype=np.float64)
    x = RNG.normal(size=(6, 4))

    def f(net):
        return np.sum(net(x) ** 2) + 1e-5 * sum(np.sum(np.square(p.data)) for p in net.parameters())

    report = tg.check_gradients(f, net)
    assert not report
    assert report.rows[0].status == "differs"


def test_a_jump_is_no_kink():
    row = only_row(lambda w: np.sum(np.where(w >= 1, w**2, 3 * w)), np.array([1.0, 2.0]), analytic=lambda w: 2 * w)
    assert row.status == "differs"
    assert "jumps" in row.note


def test_a_kink_behind_a_python_branch_is_found_by_its_slopes():
    row = only_row(lambda w: w[0] ** 2 if w[0] >= 1 else 2.5 * w[0] - 1.5, np.array([1.0]), analytic=lambda w: 2 * w)
    assert row.status == "kink"


def test_entries_that_tie_are_judged_together():
    assert only_row(np.max, np.ones(3), analytic=lambda w: (w == w.max()) / 3).agrees
    row = only_row(np.max, np.ones(3), analytic=lambda w: (w == w.max()) * 1.0)
    assert row.status == "differs"


def test_a_unit_at_its_kink_for_many_examples_is_right_as_the_convention_has_it():
    x = RNG.normal(size=(6, 3))
    w = RNG.normal(size=(2, 3))
    w[0] = 0.0
    weights = RNG.normal(size=2)

    def derived(w):
        return ((x @ w.T > 0) * weights).T @ x

    row = only_row(lambda w: np.sum(tg.relu(x @ w.T) * weights), w, analytic=derived)
    assert row.status == "kink"


# ----- How much is rounding -----

ROWS = RNG.normal(size=(5000, 3))

ROUNDING = {
    "a mean square less a squared mean": (
        lambda x: np.mean(x * x) - np.mean(x) ** 2,
        RNG.normal(1e3, 1, size=50),
        lambda x: 2 * (x - x.mean()) / x.size,
    ),
    "a variance whose derivation cancels": (
        lambda x: np.mean((x - np.mean(x)) ** 2),
        RNG.normal(1e3, 1, size=50),
        lambda x: 2 * x / x.size - 2 * x.mean() / x.size,
    ),
    "1 − e⁻ʰ of a small h": (
        lambda x: np.sum(np.logaddexp(0, x)),
        -RNG.uniform(10, 20, size=20),
        lambda x: 1 - np.exp(-np.logaddexp(0, x)),
    ),
    "a sum in a loop": (
        lambda w: np.sum(np.sin(ROWS @ w)),
        RNG.normal(size=3),
        lambda w: sum((np.cos(row @ w) * row for row in ROWS), np.zeros(3)),
    ),
}


@pytest.mark.parametrize("name", ROUNDING)
def test_no_derivation_is_called_wrong_for_how_it_rounds(name):
    f, x, derived = ROUNDING[name]
    assert only_row(f, x, analytic=derived).agrees


def test_a_mistake_is_as_visible_in_a_small_loss_as_in_a_large_one():
    for scale in (1.0, 1e-3, 1e-9, 1e9):
        off = 1 + 1e-10 * np.array([1, -1, 1, 1])
        row = only_row(lambda w, s=scale: s * np.sum(w**2), V, analytic=lambda w, s=scale, off=off: 2 * s * w * off)
        assert row.status == "differs", scale


def test_a_gradient_that_cancels_to_nothing_is_vacuous():
    x = RNG.normal(size=(5, 3))

    def f(w, c):
        return tg.softmax_cross_entropy(x @ w + c, [0, 1, 0, 1, 0])

    report = tg.check_gradients(f, RNG.normal(size=(3, 2)), 0.3)
    assert [row.status for row in report.rows] == ["agrees", "vacuous"]


def test_where_rounding_may_be_more_than_the_gradient_nothing_can_be_told():
    x = RNG.normal(size=(5, 3))
    w = 3 * RNG.normal(size=(3, 2))

    def f(w):
        return np.sum(np.tanh(9 * np.sign(x @ w) + 0.1 * (x @ w)))

    def derived(w):
        y = np.tanh(9 * np.sign(x @ w) + 0.1 * (x @ w))
        return (-3 * x.T @ (0.1 * (1 - y * y))).astype(np.float32)

    assert only_row(f, w, analytic=derived).status == "undetectable"


def test_a_confident_classifier_is_no_false_alarm():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, t = 5 * rng.normal(size=(6, 4)), np.eye(3)[rng.integers(3, size=6)]
        w = 4 * rng.normal(size=(3, 4))

        def f(w, x=x, t=t):
            return tg.softmax_cross_entropy(x @ w.T, t, reduction="sum")

        row = only_row(f, w, analytic=lambda w, x=x, t=t: (tg.softmax(x @ w.T) - t).T @ x)
        assert row.status in ("agrees", "vacuous"), seed


@pytest.mark.parametrize("options", [{}, {"every_element": True}])
def test_a_function_that_bends_sharply_everywhere_is_differentiated_with_care(options):
    w = 10 ** RNG.uniform(-4, 0, size=300)
    assert tg.check_gradients(lambda w: np.sum(np.log(w) * tg.sigmoid(w)), w, **options)


def test_a_function_may_refuse_what_lies_beside_its_parameters():
    def f(w):
        assert np.min(w) > 0
        return np.sum(np.sqrt(w))

    assert tg.check_gradients(f, np.array([1e-4, 1.0]), analytic=lambda w: 0.5 / np.sqrt(w))


def test_entries_too_small_to_be_judged_beside_the_others_are_told_of():
    s = np.array([1e6, 1e-6, 1.0])
    row = only_row(lambda w: np.sum((s * w) ** 2), np.ones(3), analytic=lambda w: 2 * s * s * w * [1, -1, 1])
    assert row.agrees
    assert "1 of 3 entries are not alike, but differ by less than rounding" in row.note
    assert only_row(lambda w: np.sum((s * w) ** 2), np.ones(3), analytic=lambda w: 2 * s * s * w).note == ""


# ----- Names -----


@pytest.mark.parametrize("noise", [1e-8, 1e-11])
def test_noise_has_no_name(noise):
    x, t = RNG.normal(size=(8, 4)), np.eye(3)[RNG.integers(3, size=8)]
    w, b = RNG.normal(size=(3, 4)), RNG.normal(size=3)

    def noisy(w, b):
        delta = (tg.softmax(x @ w.T + b) - t) / len(x)
        return tuple(g * (1 + noise * RNG.normal(size=g.shape)) for g in (delta.T @ x + 0.01 * w, delta.sum(axis=0)))

    def f(w, b):
        return tg.softmax_cross_entropy(x @ w.T + b, t) + 0.005 * np.sum(w * w)

    for row in tg.check_gradients(f, w, b, analytic=noisy).rows:
        assert [cause.slug for cause in row.diagnosis] == ["unknown"]


def test_a_gradient_of_zeros_is_called_what_is_left_out():
    row = only_row(lambda w: np.sum(np.sin(w)), V, analytic=np.zeros_like)
    assert [cause.slug for cause in row.diagnosis] == ["term-missing"]
    assert "all of it is 0" in row.diagnosis[0].correction


def test_a_parameter_that_is_not_used_is_told_to_be_so():
    row = only_row(lambda w: np.sum(V), V, analytic=lambda w: 2 * w)
    assert "does not depend on it" in row.diagnosis[0].correction


def test_a_jacobian_turned_around_is_named():
    a = RNG.normal(size=(3, 4))
    row = only_row(lambda x: a @ x, RNG.normal(size=4), jacobian=lambda x: a.T)
    assert row.diagnosis[0].slug == "transposed"


def test_what_is_zero_hides_penalties_and_that_is_said():
    report = tg.check_gradients(
        lambda w, b: np.sum((V * w + b) ** 2) + 0.1 * np.sum(w * w),
        np.zeros(4),
        np.zeros(()),
        analytic=lambda w, b: (2 * (V * w + b) * V, 2 * np.sum(V * w + b)),
    )
    assert [row.status for row in report.rows] == ["vacuous", "vacuous"]
    report = tg.check_gradients(
        lambda w, b: np.sum((V * w + b) ** 2) + 0.1 * np.sum(w * w),
        np.zeros(4),
        0.5,
        analytic=lambda w, b: (2 * (V * w + b) * V, 2 * np.sum(V * w + b)),
    )
    assert report.rows[0].status == "undetectable"


def test_sign_and_scale_say_whether_they_are_of_the_data_alone():
    x = RNG.normal(size=(8, 4))

    def f(w):
        return np.sum(np.sin(x @ w)) + 0.1 * np.sum(w * w)

    row = only_row(f, V, analytic=lambda w: -x.T @ np.cos(x @ w) + 0.2 * w)
    assert str(row.diagnosis[0]) == "sign (× -1) in w: turn the sign of the gradient of the data around"
    row = only_row(f, V, analytic=lambda w: -x.T @ np.cos(x @ w) - 0.2 * w)
    assert str(row.diagnosis[0]) == "sign (× -1) in w: turn the sign of the gradient around"


# ----- Bad arguments -----

BAD = {
    "an array for a derivation": ({"analytic": V}, "is the function that computes"),
    "a negative tolerance": ({"rtol": -1}, "rtol is a number of at least 0"),
    "a tolerance that is text": ({"atol": "1e-3"}, "atol is a number of at least 0"),
    "a seed that is text": ({"rng": "a"}, "rng is a numpy.random.Generator or a seed"),
    "a name that is a number": ({"names": [1]}, "names are texts"),
    "a ragged claim": ({"analytic": lambda w: [[1.0], [1.0, 2.0]]}, "analytic must return arrays"),
    "a complex claim": ({"analytic": lambda w: w * 1j}, "real numbers, got complex128 values"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_refused_with_what_was_given(name):
    options, message = BAD[name]
    with pytest.raises(ArgumentError, match=message):
        tg.check_gradients(lambda w: np.sum(w * w), V, **options)


@pytest.mark.parametrize("f", [3, None])
def test_what_is_no_function_is_refused(f):
    with pytest.raises(ArgumentError, match="is the function to be checked"):
        tg.check_gradients(f, V)


def test_a_list_for_a_result_is_refused():
    with pytest.raises(ArgumentError, match="one number or array"):
        tg.check_gradients(lambda w: [w[0]], V)


def test_writing_tensors_into_an_array_is_told_with_its_remedy():
    def f(w):
        kept = np.zeros(4)
        kept[0] = w[0] ** 2
        return np.sum(kept)

    with pytest.raises(DetachError, match=r"tg\.set_at"):
        tg.check_gradients(f, V)


def test_parameters_that_are_not_finite_are_refused():
    with pytest.raises(ArgumentError, match="w holds 1 values that are not finite"):
        tg.check_gradients(lambda w: np.sum(w), np.array([1.0, np.inf]))


def test_the_smallest_numbers_break_nothing():
    row = only_row(lambda w: 1e-300 * np.sum(w**2), V, analytic=lambda w: 3e-300 * w)
    assert row.diagnosis[0].slug == "scale"


# ----- Time -----


def test_shared_terms_are_not_counted_path_by_path():
    def f(w):
        s = np.sum(w**2)
        for _ in range(60):
            s = s - 0.1 * s
        return s

    start = time.perf_counter()
    assert tg.check_gradients(f, V)
    assert time.perf_counter() - start < 10, "it took 2⁶⁰ steps"


def test_a_loop_over_rows_is_one_term():
    x, y = RNG.normal(size=(200, 4)), RNG.normal(size=200)

    def f(w):
        total = 0.0
        for i in range(200):
            total = total + (x[i] @ w - y[i]) ** 2
        return total + 0.01 * np.sum(w * w)

    row = only_row(f, V, analytic=lambda w: 2 * x.T @ (x @ w - y))
    assert [cause.slug for cause in row.diagnosis] == ["regulariser-missing"]
