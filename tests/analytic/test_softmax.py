import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lite as tg
from tests.analytic.deep_network import complex_slopes
from tinygrad_lite.analytic import softmax_jacobian, softmax_vjp

far_vectors = hnp.arrays(np.float64, st.integers(1, 6), elements=st.floats(-1e4, 1e4))


def logits(*shape):
    return np.random.default_rng(shape).normal(size=shape)


def test_the_jacobian_has_its_known_values():
    """For y = (1/8, 1/4, 5/8): yᵢ(1 − yᵢ) on the diagonal, −yᵢ yⱼ beside it, all in 64ths."""
    expected = np.array([[7, -2, -5], [-2, 12, -10], [-5, -10, 15]]) / 64
    np.testing.assert_allclose(softmax_jacobian(np.log([1.0, 2.0, 5.0])), expected, rtol=1e-14)


def test_the_jacobian_agrees_with_complex_steps_row_by_row():
    s = logits(4)
    for i, row in enumerate(softmax_jacobian(s)):
        (slopes,) = complex_slopes(lambda s, i=i: np.exp(s[i]) / np.exp(s).sum(), s)
        np.testing.assert_allclose(row, slopes, rtol=1e-13)


def test_the_jacobian_agrees_with_the_automatic_one():
    np.testing.assert_allclose(softmax_jacobian(logits(5)), tg.jacobian(tg.softmax)(logits(5)), rtol=1e-12)


def test_the_jacobians_of_rows_are_stacked():
    s = logits(2, 3, 4)
    stacked = softmax_jacobian(s)
    assert stacked.shape == (2, 3, 4, 4)
    for index in np.ndindex(2, 3):
        np.testing.assert_array_equal(stacked[index], softmax_jacobian(s[index]))


@given(far_vectors)
def test_rows_and_columns_of_the_jacobian_sum_to_zero_however_far_out(s):
    jacobian = softmax_jacobian(s)
    np.testing.assert_allclose(jacobian.sum(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(jacobian.sum(axis=1), 0, atol=1e-15)
    np.testing.assert_allclose(jacobian, jacobian.T, atol=1e-16)


@given(far_vectors, st.integers(0, 99))
def test_the_vjp_is_the_cotangent_times_the_jacobian(s, seed):
    cotangent = np.random.default_rng(seed).normal(size=s.shape)
    np.testing.assert_allclose(softmax_vjp(cotangent, s), cotangent @ softmax_jacobian(s), atol=1e-14)


def test_the_vjp_agrees_with_the_automatic_one_for_rows():
    s, cotangent = logits(6, 4), logits(4, 6).T
    _, pull_back = tg.vjp(tg.softmax, s)
    np.testing.assert_allclose(softmax_vjp(cotangent, s), pull_back(cotangent)[0], rtol=1e-11, atol=1e-16)


def test_a_cotangent_of_ones_is_pulled_back_to_zero():
    np.testing.assert_allclose(softmax_vjp(np.ones((3, 4)), logits(3, 4)), 0, atol=1e-16)


def test_a_cotangent_of_another_shape_is_refused_rather_than_broadcast():
    with pytest.raises(ValueError, match=r"\(3, 4\) of s, got \(4,\)"):
        softmax_vjp(np.ones(4), logits(3, 4))


def test_float32_stays_float32():
    s = logits(3, 4).astype(np.float32)
    for found, exact in [
        (softmax_jacobian(s), softmax_jacobian(s.astype(float))),
        (softmax_vjp(s, s), softmax_vjp(s.astype(float), s.astype(float))),
    ]:
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, exact, atol=1e-6)
