"""A single wrong entry in a parameter of ten thousand is found, though few of its entries are checked numerically."""

import numpy as np
import pytest

import tinygrad_lite as tg

SHAPE = (100, 100)
FACTORS = np.random.default_rng(3).normal(size=SHAPE)


def weighted_sum(w):
    return np.sum(w * FACTORS)


def with_one_wrong(index, error):
    def analytic(w):
        gradient = FACTORS.copy()
        gradient[index] += error
        return gradient

    return analytic


@pytest.mark.parametrize("index", [(0, 0), (17, 93), (99, 99)])
@pytest.mark.parametrize("error", [1.0, -1e-4, np.nan])
def test_the_wrong_entry_is_found_and_its_three_values_are_shown(index, error):
    report = tg.check_gradients(weighted_sum, np.ones(SHAPE), analytic=with_one_wrong(index, error))
    (row,) = report.rows
    assert not report
    assert (row.status, row.worst_index) == ("differs", index)
    assert (row.entries, row.entries_checked) == (10_000, 50)
    by_hand, automatic, numeric = row.values
    np.testing.assert_allclose(by_hand, FACTORS[index] + error)
    np.testing.assert_allclose([automatic, numeric], FACTORS[index], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(row.max_abs_error, abs(error))
    assert f"w differs most at [{index[0]}, {index[1]}]" in str(report)


def test_the_relative_error_is_relative_to_the_largest_entry():
    report = tg.check_gradients(weighted_sum, np.ones(SHAPE), analytic=with_one_wrong((4, 5), 1e-3))
    np.testing.assert_allclose(report.rows[0].max_rel_error, 1e-3 / np.abs(FACTORS).max(), rtol=1e-9)


def test_an_error_of_a_rounding_is_forgiven_and_a_larger_one_is_not():
    for error, agrees in [(1e-16, True), (1e-12, False)]:
        report = tg.check_gradients(weighted_sum, np.ones(SHAPE), analytic=with_one_wrong((4, 5), error))
        assert bool(report) is agrees


@pytest.mark.parametrize("tolerance", [{"rtol": 1e-7}, {"atol": 1e-7}, {"rtol": 5e-8, "atol": 5e-8}])
def test_a_tolerance_that_is_asked_for_takes_the_place_of_rounding(tolerance):
    for error, agrees in [(1e-9, True), (1e-5, False)]:
        analytic = with_one_wrong((4, 5), error)
        assert bool(tg.check_gradients(weighted_sum, np.ones(SHAPE), analytic=analytic, **tolerance)) is agrees


@pytest.mark.parametrize(("tolerance", "agrees"), [({"atol": 2e-3}, True), ({"rtol": 1e-3}, True), ({}, False)])
def test_the_tolerance_can_be_chosen(tolerance, agrees):
    report = tg.check_gradients(weighted_sum, np.ones(SHAPE), analytic=with_one_wrong((4, 5), 1e-3), **tolerance)
    assert bool(report) is agrees


def test_the_tolerance_can_be_tightened():
    analytic = with_one_wrong((4, 5), 1e-9)
    assert not tg.check_gradients(weighted_sum, np.ones(SHAPE), analytic=analytic, rtol=0, atol=1e-12)


def test_without_a_request_for_more_fifty_entries_are_checked_and_small_parameters_whole():
    def total(large, small, tiny):
        return np.sum(large) + np.sum(small) + np.sum(tiny)

    arguments = np.ones(51), np.ones((5, 10)), np.ones(3)
    assert [row.entries_checked for row in tg.check_gradients(total, *arguments).rows] == [50, 50, 3]
    checked = [row.entries_checked for row in tg.check_gradients(total, *arguments, every_element=True).rows]
    assert checked == [51, 50, 3]
