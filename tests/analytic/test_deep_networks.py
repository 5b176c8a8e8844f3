import numpy as np
import pytest

import tinygrad_lite as tg
from tests.analytic.deep_network import (
    DEPTHS,
    HEADS,
    Deep,
    assert_close,
    complex_slopes,
    cost_of,
    deep,
    deep_objective,
    pre_activations,
)
from tests.analytic.network import FUNCTIONS
from tinygrad_lite.analytic import mlp_backward, mlp_gradients, output_delta, softmax

on_each_activation = pytest.mark.parametrize("activation", FUNCTIONS)
on_each_depth = pytest.mark.parametrize("depth", DEPTHS)
on_each_head = pytest.mark.parametrize(("output", "cost"), HEADS)


@pytest.mark.parametrize("m", [1, 32])
@on_each_depth
@on_each_activation
def test_gradients_agree_with_complex_steps(activation, depth, m):
    parameters, x, t = deep(depth, m)
    by_hand = mlp_gradients(parameters, x, t, activation, reduction="sum", l2=0.1)
    assert_close(by_hand, complex_slopes(lambda *p: deep_objective(p, x, t, activation, l2=0.1), *parameters))


@pytest.mark.parametrize("m", [1, 32])
@on_each_head
def test_gradients_of_every_output_and_cost_agree_with_complex_steps(output, cost, m):
    parameters, x, t = deep(3, m)
    by_hand = mlp_gradients(parameters, x, t, "tanh", output=output, cost=cost)
    mean = complex_slopes(lambda *p: deep_objective(p, x, t, "tanh", output=output, cost=cost) / m, *parameters)
    assert_close(by_hand, mean)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@on_each_depth
@on_each_activation
def test_gradients_agree_with_the_automatic_ones(activation, depth, reduction):
    parameters, x, t = deep(depth, 5)
    functions = {"softplus": tg.softplus, "tanh": np.tanh, "cos": np.cos, "relu": tg.relu, "sigmoid": tg.sigmoid}

    def objective(parameters):
        z = x
        for w, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            z = functions[activation](z @ w.T + b)
        logits = z @ parameters[-2].T + parameters[-1]
        penalty = sum(np.sum(w**2) for w in parameters)
        return tg.softmax_cross_entropy(logits, t, reduction=reduction) + 0.3 / 2 * penalty

    by_hand = mlp_gradients(parameters, x, t, activation, reduction=reduction, l2=0.3, biases_regularised=True)
    assert_close(by_hand, tg.grad(objective)(parameters), rtol=1e-12)


@on_each_head
@on_each_depth
def test_a_delta_is_the_derivative_for_what_is_added_to_a_pre_activation(depth, output, cost):
    parameters, x, t = deep(depth, 4)
    deltas = mlp_backward(parameters, x, t, "softplus", output=output, cost=cost, reduction="sum", l2=0.5).deltas
    places = [np.zeros_like(s) for s in pre_activations(parameters, x, "softplus", [0.0] * depth)]
    slopes = complex_slopes(
        lambda *moves: deep_objective(parameters, x, t, "softplus", output=output, cost=cost, moves=moves), *places
    )
    assert_close(deltas, slopes)


def test_deltas_share_the_mean_and_the_sense_of_the_objective():
    parameters, x, t = deep(3, 8)
    summed = mlp_backward(parameters, x, t, reduction="sum").deltas
    for mean, up, delta in zip(
        mlp_backward(parameters, x, t).deltas,
        mlp_backward(parameters, x, t, reduction="sum", maximize=True).deltas,
        summed,
        strict=True,
    ):
        np.testing.assert_allclose(mean, delta / 8, rtol=1e-13)
        np.testing.assert_array_equal(up, -delta)


def test_the_gradients_are_those_of_the_backward_pass():
    parameters, x, t = deep(2)
    options = {"reduction": "sum", "l2": 0.2, "biases_regularised": True, "maximize": True}
    options |= {"output": "sigmoid", "cost": "binary_cross_entropy"}
    for mine, same in zip(
        mlp_gradients(parameters, x, t, "cos", **options),
        mlp_backward(parameters, x, t, "cos", **options).gradients,
        strict=True,
    ):
        np.testing.assert_array_equal(mine, same)


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("m", [1, 32])
@on_each_depth
@on_each_activation
def test_bias_columns_and_separate_biases_agree(activation, depth, m, biases):
    given = deep(depth, m)
    matrices, x = given.with_bias_columns
    options = {"l2": 0.1, "biases_regularised": biases}
    apart = mlp_backward(given.parameters, given.x, given.t, activation, **options)
    beside = mlp_backward(matrices, x, given.t, activation, **options)
    assert_close(beside.deltas, apart.deltas, rtol=1e-12)
    columns = [np.column_stack([b, w]) for w, b in zip(apart.gradients[::2], apart.gradients[1::2], strict=True)]
    assert_close(beside.gradients, columns, rtol=1e-12)


@pytest.mark.parametrize("depth", [2, 3, 4])
@on_each_activation
def test_weights_without_biases_have_the_gradients_of_biases_that_are_zero(activation, depth):
    parameters, x, t = deep(depth)
    weights = parameters[::2]
    with_zeros = tuple(w if w.ndim == 2 else np.zeros_like(w) for w in parameters)
    assert_close(
        mlp_gradients(weights, x, t, activation, l2=0.1),
        mlp_gradients(with_zeros, x, t, activation, l2=0.1)[::2],
        rtol=1e-13,
    )


def test_a_single_matrix_is_softmax_regression_with_a_bias_column():
    """Document 000.3 in its own words: (T − Y)ᵀ X − λ W, to be maximised."""
    given = deep(1)
    (matrix,), x = given.with_bias_columns
    (gradient,) = mlp_gradients([matrix], x, given.t, reduction="sum", l2=0.2, biases_regularised=True, maximize=True)
    np.testing.assert_allclose(gradient, (given.t - softmax(x @ matrix.T)).T @ x - 0.2 * matrix, rtol=1e-12)
    (unpenalised,) = mlp_gradients([matrix], x, given.t, reduction="sum", l2=0.2, maximize=True)
    np.testing.assert_allclose(unpenalised[:, 0], gradient[:, 0] + 0.2 * matrix[:, 0], rtol=1e-12)
    np.testing.assert_allclose(unpenalised[:, 1:], gradient[:, 1:], rtol=1e-12)


def test_the_steps_of_document_003_are_the_gradients_of_its_network():
    """One example, z1 = W1 x, y1 = σ(z1), z2 = W2 y1, y2 = softmax(z2); 003.3 to 003.7 written as they stand there."""
    (w1, _, w2, _), x, t = deep(2, 1)
    y1 = 1 / (1 + np.exp(-(w1 @ x[0])))
    y2 = np.exp(w2 @ y1) / np.exp(w2 @ y1).sum()
    delta1 = (y2 - t[0]) @ w2 @ np.diag(y1 * (1 - y1))
    gradients, deltas = mlp_backward((w1, w2), x, t, "sigmoid")
    assert_close(deltas, [delta1[None], (y2 - t[0])[None]], rtol=1e-14)
    assert_close(gradients, [np.outer(delta1, x[0]), np.outer(y2 - t[0], y1)], rtol=1e-14)


def test_targets_that_do_not_sum_to_one_are_weighted_by_their_sum():
    parameters, x, t = deep(2)
    weighted = t * np.arange(1, 8)[:, None]
    by_hand = mlp_gradients(parameters, x, weighted, reduction="sum")
    assert_close(by_hand, complex_slopes(lambda *p: deep_objective(p, x, weighted, "softplus"), *parameters))


@on_each_head
@on_each_activation
def test_float32_stays_float32_within_its_precision(activation, output, cost):
    given = deep(4, 32)
    exact = mlp_backward(*given, activation, output=output, cost=cost, l2=0.1)
    single = Deep(tuple(w.astype(np.float32) for w in given.parameters), *(a.astype(np.float32) for a in given[1:]))
    found = mlp_backward(*single, activation, output=output, cost=cost, l2=np.float64(0.1))
    assert {array.dtype for arrays in found for array in arrays} == {np.dtype(np.float32)}
    for mine, right in zip(found, exact, strict=True):
        assert_close(mine, right, rtol=1e-4)


@pytest.mark.parametrize("targets", ["float64", "whole numbers"])
@on_each_head
def test_the_dtype_of_the_targets_does_not_change_that_of_the_gradients(output, cost, targets):
    given = deep(2, 3)
    t = given.t if targets == "float64" else np.eye(3, dtype=int)
    single = [w.astype(np.float32) for w in given.parameters]
    for gradient in mlp_gradients(single, given.x.astype(np.float32), t, output=output, cost=cost):
        assert gradient.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@on_each_head
@on_each_depth
@on_each_activation
def test_pre_activations_of_ten_thousand_give_finite_gradients(activation, depth, output, cost, dtype):
    """Warnings are errors in these tests, so none escapes either."""
    parameters, x, t = deep(depth, 6)
    far = [(1e4 * w).astype(dtype) for w in parameters]
    found = mlp_backward(far, x.astype(dtype), t.astype(dtype), activation, output=output, cost=cost, l2=0.1)
    assert all(np.isfinite(array).all() for arrays in found for array in arrays)


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_far_off_logit_has_the_exact_delta_of_its_limit(sign):
    s = np.array([[sign * 1e4, 0.0]])
    certain = [[1.0, 0.0]] if sign > 0 else [[0.0, 1.0]]
    t = np.array([[0.25, 0.75]])
    np.testing.assert_array_equal(output_delta(s, t), certain - t)
    np.testing.assert_array_equal(output_delta(s, t, "softmax", "mean_squared_error"), [[0, 0]])
    np.testing.assert_array_equal(
        output_delta(s[:, :1], t[:, :1], "sigmoid", "binary_cross_entropy"), [[certain[0][0] - 0.25]]
    )
    np.testing.assert_array_equal(output_delta(s[:, :1], t[:, :1], "sigmoid", "mean_squared_error"), [[0]])


@on_each_head
def test_an_output_delta_agrees_with_complex_steps(output, cost):
    given = deep(1)
    s = 3 * np.random.default_rng(1).normal(size=given.t.shape)
    slopes = complex_slopes(lambda s: cost_of(s, given.t, output, cost), s)
    assert_close([output_delta(s, given.t, output, cost)], slopes)
