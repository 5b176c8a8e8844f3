import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lite as tg
from tests.analytic.deep_network import complex_slopes
from tests.analytic.network import FUNCTIONS
from tinygrad_lite import analytic
from tinygrad_lite.analytic import ACTIVATIONS, sigmoid, sigmoid_derivative, softmax

POINTS = np.concatenate([np.linspace(-8, -0.01, 40), np.linspace(0.01, 8, 40)])  # beside relu's kink, not on it


def test_the_activations_of_the_documents_are_there():
    assert set(ACTIVATIONS) == {"softplus", "tanh", "cos", "relu", "sigmoid", "identity"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_activation_has_the_values_of_its_formula(name):
    np.testing.assert_allclose(ACTIVATIONS[name].function(POINTS), FUNCTIONS[name](POINTS), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_derivative_agrees_with_central_differences(name):
    function, derivative = ACTIVATIONS[name]
    h = 1e-5
    numeric = (function(POINTS + h) - function(POINTS - h)) / (2 * h)
    np.testing.assert_allclose(derivative(POINTS), numeric, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_derivative_agrees_with_complex_steps(name):
    (slopes,) = complex_slopes(lambda a: np.sum(FUNCTIONS[name](a)), POINTS)
    np.testing.assert_allclose(ACTIVATIONS[name].derivative(POINTS), slopes, rtol=1e-11)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_derivative_times_a_cotangent_agrees_with_the_automatic_product(name):
    functions = {"softplus": tg.softplus, "tanh": np.tanh, "cos": np.cos, "relu": tg.relu, "sigmoid": tg.sigmoid}
    cotangent = np.random.default_rng(0).normal(size=POINTS.shape)
    _, pull_back = tg.vjp(functions[name], POINTS)
    np.testing.assert_allclose(cotangent * ACTIVATIONS[name].derivative(POINTS), pull_back(cotangent)[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "a", "expected"),
    [
        ("sigmoid", 50.0, np.exp(-50.0)),
        ("sigmoid", -50.0, np.exp(-50.0)),
        ("tanh", 25.0, 4 * np.exp(-50.0)),
        ("tanh", -25.0, 4 * np.exp(-50.0)),
        ("softplus", -50.0, np.exp(-50.0)),
    ],
)
def test_a_derivative_keeps_its_digits_where_the_activation_is_flat(name, a, expected):
    """As 1 − σ or 1 − tanh² it would be 0 there or all rounding; the terms left out of `expected` are below 1e-20."""
    np.testing.assert_allclose(ACTIVATIONS[name].derivative(np.array([a])), expected, rtol=1e-14)


@given(hnp.arrays(np.float64, 5, elements=st.floats(-1e4, 1e4)))
def test_derivatives_as_formulas_in_the_output_are_the_same(a):
    """σ(1 − σ), 1 − tanh² and 1 − e⁻ʰ for softplus."""
    for name, of_output in {
        "sigmoid": lambda h: h * (1 - h),
        "tanh": lambda h: 1 - h**2,
        "softplus": lambda h: -np.expm1(-h),
    }.items():
        function, derivative = ACTIVATIONS[name]
        np.testing.assert_allclose(derivative(a), of_output(function(a)), atol=1e-15)


def test_the_functions_by_name_are_those_of_the_table():
    for name in FUNCTIONS:
        assert ACTIVATIONS[name] == (getattr(analytic, name), getattr(analytic, f"{name}_derivative"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_finite_far_out_and_keeps_the_dtype(name, dtype):
    far = np.array([-1e4, -100, 0, 100, 1e4], dtype)
    for function in ACTIVATIONS[name]:
        result = function(far)
        assert np.isfinite(result).all()
        assert result.dtype == dtype
        assert result.shape == far.shape


FAR_OUT = {  # what function and derivative tend to at −1e4 and at 1e4
    "softplus": ([0, 1e4], [0, 1]),
    "tanh": ([-1, 1], [0, 0]),
    "relu": ([0, 1e4], [0, 1]),
    "sigmoid": ([0, 1], [0, 0]),
    "identity": ([-1e4, 1e4], [1, 1]),
}


@pytest.mark.parametrize("name", FAR_OUT)
def test_an_activation_reaches_its_limits_far_out(name):
    values, slopes = FAR_OUT[name]
    far = np.array([-1e4, 1e4])
    np.testing.assert_array_equal(ACTIVATIONS[name].function(far), values)
    np.testing.assert_array_equal(ACTIVATIONS[name].derivative(far), slopes)


def test_the_derivative_of_relu_at_its_kink_is_zero():
    assert ACTIVATIONS["relu"].derivative(np.array([0.0, -0.0])).tolist() == [0, 0]


def test_the_derivative_of_the_sigmoid_is_its_known_value_and_even():
    np.testing.assert_allclose(sigmoid_derivative(np.array([np.log(3)])), 3 / 16, rtol=1e-14)
    np.testing.assert_allclose(sigmoid_derivative(POINTS), sigmoid_derivative(-POINTS), rtol=1e-12)


def test_sigmoids_of_opposite_numbers_add_up_to_one():
    np.testing.assert_allclose(sigmoid(POINTS) + sigmoid(-POINTS), 1, rtol=1e-15)


def test_a_softmax_has_its_known_values():
    np.testing.assert_allclose(softmax(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]], rtol=1e-14)


def test_a_softmax_works_row_by_row_and_ignores_a_shift():
    s = np.random.default_rng(0).normal(size=(3, 4))
    y = softmax(s)
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-15)
    np.testing.assert_allclose(softmax(s + np.array([[1.0], [20.0], [-300.0]])), y, rtol=1e-11)
    np.testing.assert_array_equal(softmax(s[1:2]), y[1:2])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_softmax_is_exact_far_out_and_keeps_the_dtype(dtype):
    y = softmax(np.array([[1e4, -1e4, 1e4], [-1e4, -1e4, -2e4]], dtype))
    assert y.dtype == dtype
    assert y.tolist() == [[0.5, 0, 0.5], [0.5, 0.5, 0]]
