"""The numeric side: along directions, entry by entry, in the complex plane, and where the recording will not do."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.check.numeric.moves import PlainMoves
from tinygrad_lite.check.numeric.slopes import LARGEST_STEP, slope_along, slopes_of_entries
from tinygrad_lite.check.problem import Problem

RNG = np.random.default_rng(0)


def moves_of(f, x):
    return PlainMoves(Problem(f, [x]))


def along(f, x, direction):
    direction = np.asarray(direction, float) / np.linalg.norm(direction)
    nothing = np.zeros(1)
    noise = 2e-16 * np.abs(f(x)) * np.ones(1)
    return slope_along(moves_of(f, x), 0, x, direction, noise, nothing + np.nan, nothing), direction


# ----- Slopes -----

FUNCTIONS = {
    "sin": (lambda x: np.sum(np.sin(x)), np.cos),
    "exp": (lambda x: np.sum(np.exp(3 * x)), lambda x: 3 * np.exp(3 * x)),
    "a pole nearby": (lambda x: np.sum(1 / (x + 2.05)), lambda x: -1 / (x + 2.05) ** 2),
    "quick waves": (lambda x: np.sum(np.sin(1e4 * x)), lambda x: 1e4 * np.cos(1e4 * x)),
    "large values": (lambda x: 1e8 + np.sum(x**2), lambda x: 2 * x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_slope_along_a_direction_is_right_within_the_error_that_it_tells(name):
    f, derivative = FUNCTIONS[name]
    x = RNG.uniform(-2, 2, size=7)
    slope, direction = along(f, x, RNG.normal(size=7))
    expected = derivative(x) @ direction
    assert abs(slope.value[0] - expected) <= 10 * slope.error[0]
    assert slope.error[0] <= 1e-5 * max(1.0, abs(expected))


def test_the_slope_of_a_large_parameter_moves_it_at_all():
    slope, _ = along(lambda x: np.sum(2 * x), np.array([1e15, 3e15]), [1.0, 0.0])
    assert slope.value[0] == pytest.approx(2, rel=1e-6)


def test_no_smaller_steps_are_taken_once_the_slope_is_as_expected():
    calls = []

    def f(x):
        calls.append(x)
        return np.sum(np.sin(x))

    x = np.array([0.3, 0.4])
    direction = np.array([1.0, 0.0])
    moves, one = moves_of(f, x), np.ones(1)
    del calls[:]
    slope_along(moves, 0, x, direction, 1e-16 * one, np.cos(0.3) * one, one)
    assert len(calls) <= 6
    assert max(abs(x[0] - 0.3) for x in calls) == pytest.approx(LARGEST_STEP)


def test_each_entry_asked_for_has_its_central_difference():
    x = RNG.normal(size=(3, 4))
    entries = slopes_of_entries(
        moves_of(lambda x: np.sum(np.sin(x)), x), 0, x, np.array([5, 0, 11]), 1e-16 * np.ones(1)
    )
    np.testing.assert_allclose(entries.left[0], np.cos(x.reshape(-1)[[5, 0, 11]]), atol=1e-9)
    assert not entries.on_kink.any()


# ----- Many entries, few looks -----


def sparse_mistake(entries):
    """Return a function whose automatic gradient is wrong at some entries of ten thousand."""
    factors = np.ones(10_000)
    factors[entries] = 1.5

    @tg.primitive(lambda g, _y, x: 2 * g * x * factors, elementwise=True)
    def almost_square(x):
        return x * x

    return lambda w: np.sum(almost_square(w))


@pytest.mark.parametrize("entries", [[7], [9_999], [0, 5_000], list(range(200, 230))])
def test_a_wrong_rule_at_a_few_entries_of_many_is_found_and_narrowed_down(entries):
    (row,) = tg.check_gradients(sparse_mistake(entries), np.linspace(1, 2, 10_000)).rows
    assert row.status == "differs"
    assert row.worst_index[0] in entries
    by_hand, automatic, numeric = row.values
    assert by_hand is None
    assert automatic == pytest.approx(1.5 * numeric, rel=1e-6)
    assert row.entries_checked < 1000


def test_every_element_looks_at_every_element():
    (row,) = tg.check_gradients(sparse_mistake([7]), np.linspace(1, 2, 10_000), every_element=True).rows
    assert (row.entries_checked, row.worst_index) == (10_000, (7,))


def test_what_is_run_again_as_a_whole_for_every_entry_is_told():
    @tg.primitive(lambda g, _y, _x: g[::-1])
    def turned_around(x):
        return x[::-1] * 1.0

    report = tg.check_gradients(lambda w: np.sum(turned_around(w) ** 2), RNG.normal(size=5), every_element=True)
    assert report
    assert report.notes == ("run again for every entry as a whole: turned_around",)


# ----- In the complex plane -----


def test_where_all_is_analytic_one_complex_step_is_as_precise_as_the_automatic_gradient():
    x = RNG.normal(size=(30, 40))
    w = RNG.normal(size=(40, 60)) / 6
    (row,) = tg.check_gradients(lambda w: np.sum(np.exp(np.sin(x @ w)) / 3), w).rows
    assert row.agrees
    assert row.entries_checked < w.size


# ----- Without the recording -----


def test_a_function_that_takes_values_out_is_called_anew_and_caught():
    def cut(w):
        held = w.numpy() if isinstance(w, tg.Tensor) else w
        return np.sum(w * held)

    report = tg.check_gradients(cut, np.array([1.0, 2.0]), analytic=lambda w: 2 * w)
    assert not report
    assert "called anew" in report.notes[0]
    by_hand, automatic, numeric = report.rows[0].values
    assert (by_hand, automatic) == (4.0, 2.0)
    assert numeric == pytest.approx(4.0)


def test_a_function_that_branches_by_a_value_can_be_checked():
    def f(w):
        return np.sum(w**3) if np.sum(w) > 0 else np.sum(w)

    assert tg.check_gradients(f, np.array([1.0, 2.0]), analytic=lambda w: 3 * w**2)
    assert tg.check_gradients(f, np.array([-1.0, -2.0]), analytic=np.ones_like)


def test_a_function_that_asks_for_a_mask_on_its_way_can_be_checked():
    def f(w):
        chosen = np.asarray(w > 0) if isinstance(w, np.ndarray) else (w > 0).numpy()
        return np.sum(w[chosen] ** 2)

    w = np.array([1.0, -2.0, 3.0])
    assert tg.check_gradients(f, w, analytic=lambda w: 2 * w * (w > 0))


def test_a_function_of_a_closed_over_module_can_be_checked():
    net = tg.nn.Linear(3, 2, rng=0, dtype=np.float64)
    x = RNG.normal(size=(4, 3))
    assert tg.check_gradients(
        lambda x: np.sum(net(x) ** 2), x, analytic=lambda x: 2 * net(x).numpy() @ net.weight.numpy()
    )
    assert net.weight.grad is None


# ----- Terms -----


def test_terms_are_checked_one_by_one_so_that_a_large_one_hides_nothing_of_a_small_one():
    @tg.primitive(lambda g, _y, x: 2.001 * g * x, elementwise=True)
    def wrong_square(x):
        return x * x

    w = RNG.normal(size=6)

    def f(w):
        return 1e6 * np.sum(np.exp(w)) + 1e-4 * np.sum(wrong_square(w))

    (row,) = tg.check_gradients(f, w).rows
    assert row.status == "differs"
    (row,) = tg.check_gradients(lambda w: 1e6 * np.sum(np.exp(w)) + 1e-4 * np.sum(w * w), w).rows
    assert row.agrees


def test_the_factor_of_a_term_counts():
    """The rule ignores its cotangent, which only a factor other than 1 shows."""

    @tg.primitive(lambda _g, _y, x: 2 * x, elementwise=True)
    def careless(x):
        return x * x

    assert not tg.check_gradients(lambda w: 3 * np.sum(careless(w)), RNG.normal(size=4))


def test_a_function_whose_result_has_lost_its_history_is_caught_though_its_derivation_is_right():
    def lost(w):
        return float((w * w).sum().item())

    report = tg.check_gradients(lost, np.array([1.0, 2.0]), analytic=lambda w: 2 * w)
    assert report.rows[0].status == "differs"
    assert report.rows[0].values == pytest.approx((4.0, 0.0, 4.0))


def test_numpy_warns_of_nothing_that_is_met_beside_the_parameters():
    w = np.array([1e-9, 1.0])
    report = tg.check_gradients(lambda w: np.sum(np.sqrt(w)), w, analytic=lambda w: 0.5 / np.sqrt(w))
    assert report.rows[0].name == "w"


def test_a_sole_term_is_no_penalty_even_if_it_looks_like_one():
    (row,) = tg.check_gradients(lambda w: np.sum(w * w) / 2, np.arange(1.0, 5.0), analytic=lambda w: -w).rows
    assert [cause.slug for cause in row.diagnosis] == ["sign"]
