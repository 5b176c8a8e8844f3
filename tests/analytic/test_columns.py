import numpy as np
import pytest

import tinygrad_lite as tg
from tests.analytic.deep_network import DEPTHS, assert_close, complex_slopes, deep
from tests.analytic.network import FUNCTIONS
from tinygrad_lite.analytic import mlp_backward, mlp_backward_in_columns

HEADS = [("sigmoid", "mean_squared_error"), ("sigmoid", "binary_cross_entropy"), ("softmax", "cross_entropy")]

on_each_activation = pytest.mark.parametrize("activation", FUNCTIONS)
on_each_depth = pytest.mark.parametrize("depth", DEPTHS)
on_each_head = pytest.mark.parametrize(("output", "cost"), HEADS)


def cost_in_columns(parameters, x, y, activation, output, cost):
    """The cost summed over the columns, as document 004 builds it up and with 004.6 in its right sign."""
    a = x
    for w, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        a = FUNCTIONS[activation](w @ a + b)
    z = parameters[-2] @ a + parameters[-1]
    a = 1 / (1 + np.exp(-z)) if output == "sigmoid" else np.exp(z) / np.exp(z).sum(axis=0)
    if cost == "mean_squared_error":
        return np.sum((y - a) ** 2) / 2
    if cost == "binary_cross_entropy":
        return -np.sum(y * np.log(a) + (1 - y) * np.log(1 - a))
    return -np.sum(y * np.log(a))


@pytest.mark.parametrize("m", [1, 32])
@on_each_head
@on_each_depth
def test_gradients_agree_with_complex_steps(depth, output, cost, m):
    parameters, x, y = deep(depth, m).in_columns
    found = mlp_backward_in_columns(parameters, x, y, "tanh", output=output, cost=cost, reduction="sum")
    slopes = complex_slopes(lambda *p: cost_in_columns(p, x, y, "tanh", output, cost), *parameters)
    assert_close(found.gradients, slopes)


@on_each_activation
def test_gradients_for_every_activation_agree_with_complex_steps(activation):
    parameters, x, y = deep(3, 5).in_columns
    head = "softmax", "cross_entropy"
    found = mlp_backward_in_columns(parameters, x, y, activation, output=head[0], cost=head[1])
    slopes = complex_slopes(lambda *p: cost_in_columns(p, x, y, activation, *head) / 5, *parameters)
    assert_close(found.gradients, slopes)


@on_each_activation
@on_each_head
def test_gradients_agree_with_the_automatic_ones(activation, output, cost):
    parameters, x, y = deep(3, 5).in_columns
    functions = {"softplus": tg.softplus, "tanh": np.tanh, "cos": np.cos, "relu": tg.relu, "sigmoid": tg.sigmoid}

    def objective(parameters):
        a = x
        for w, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
            a = functions[activation](w @ a + b)
        z = parameters[-2] @ a + parameters[-1]
        if cost == "mean_squared_error":
            return np.sum((y - tg.sigmoid(z)) ** 2) / 2
        if cost == "binary_cross_entropy":
            return np.sum(tg.softplus(z) - y * z)
        return tg.softmax_cross_entropy(z.T, y.T, reduction="sum")

    found = mlp_backward_in_columns(parameters, x, y, activation, output=output, cost=cost, reduction="sum")
    assert_close(found.gradients, tg.grad(objective)(parameters), rtol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("m", [1, 32])
@on_each_head
@on_each_depth
@on_each_activation
def test_rows_and_columns_agree_transposed(activation, depth, output, cost, m, reduction):
    given = deep(depth, m)
    parameters, x, y = given.in_columns
    options = {"output": output, "cost": cost, "reduction": reduction}
    rows = mlp_backward(*given, activation, **options)
    columns = mlp_backward_in_columns(parameters, x, y, activation, **options)
    assert_close([delta.T for delta in columns.deltas], rows.deltas, rtol=1e-12)
    as_columns = [g if g.ndim == 2 else g[:, None] for g in rows.gradients]
    assert_close(columns.gradients, as_columns, rtol=1e-12)


def test_the_four_equations_hold_entry_by_entry_for_one_example():
    """Document 004 in indices: C = ½ Σ (y − a)², two layers of sigmoids, loops in place of matrix products."""
    (w1, b1, w2, b2), x, y = deep(2, 1).in_columns
    z1 = w1 @ x + b1
    a1 = 1 / (1 + np.exp(-z1))
    a2 = 1 / (1 + np.exp(-(w2 @ a1 + b2)))
    delta2 = (a2 - y) * a2 * (1 - a2)
    delta1 = np.array([[sum(w2[j, k] * delta2[j, 0] for j in range(3)) * a1[k, 0] * (1 - a1[k, 0])] for k in range(4)])
    expected_w2 = np.array([[a1[k, 0] * delta2[j, 0] for k in range(4)] for j in range(3)])
    expected_w1 = np.array([[x[k, 0] * delta1[j, 0] for k in range(5)] for j in range(4)])
    gradients, deltas = mlp_backward_in_columns((w1, b1, w2, b2), x, y)
    assert_close(deltas, [delta1, delta2], rtol=1e-14)
    assert_close(gradients, [expected_w1, delta1, expected_w2, delta2], rtol=1e-14)


def test_a_batch_is_the_sum_or_the_mean_of_its_examples():
    parameters, x, y = deep(2, 4).in_columns
    alone = [mlp_backward_in_columns(parameters, x[:, [n]], y[:, [n]]).gradients for n in range(4)]
    summed = [sum(gradients) for gradients in zip(*alone, strict=True)]
    assert_close(mlp_backward_in_columns(parameters, x, y, reduction="sum").gradients, summed, rtol=1e-13)
    mean = [gradient / 4 for gradient in summed]
    assert_close(mlp_backward_in_columns(parameters, x, y).gradients, mean, rtol=1e-13)


@on_each_head
def test_float32_stays_float32(output, cost):
    parameters, x, y = deep(3, 32).in_columns
    exact = mlp_backward_in_columns(parameters, x, y, "relu", output=output, cost=cost)
    single = [w.astype(np.float32) for w in parameters]
    for targets in y, y.astype(np.float32):
        found = mlp_backward_in_columns(single, x.astype(np.float32), targets, "relu", output=output, cost=cost)
        assert {array.dtype for arrays in found for array in arrays} == {np.dtype(np.float32)}
        for mine, right in zip(found, exact, strict=True):
            assert_close(mine, right, rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@on_each_head
@on_each_activation
def test_pre_activations_of_ten_thousand_give_finite_gradients(activation, output, cost, dtype):
    parameters, x, y = deep(4).in_columns
    far = [(1e4 * w).astype(dtype) for w in parameters]
    found = mlp_backward_in_columns(far, x.astype(dtype), y.astype(dtype), activation, output=output, cost=cost)
    assert all(np.isfinite(array).all() for arrays in found for array in arrays)


def test_targets_of_the_shape_that_004_10_states_are_refused():
    parameters, x, _ = deep(2).in_columns
    with pytest.raises(ValueError, match=r"\(3, 7\).*got \(5, 7\)"):
        mlp_backward_in_columns(parameters, x, np.zeros_like(x))


def test_shapes_that_do_not_fit_are_refused_by_layer():
    parameters, x, y = deep(3).in_columns
    w1, b1, w2, b2, w3, b3 = parameters
    for wrong, message in [
        ((w1, b1, w2.T, b2, w3, b3), r"layer 2 has 4 inputs, but W2 has the shape \(4, 6\)"),
        ((w1, b1[:, 0], w2, b2, w3, b3), r"b1 must be a column \(4, 1\), got the shape \(4,\)"),
        (parameters[:-1], "got 5"),
        ((), "got 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            mlp_backward_in_columns(wrong, x, y)
    with pytest.raises(ValueError, match="at least one example"):
        mlp_backward_in_columns(parameters, x[:, :0], y[:, :0])


def test_unknown_names_are_refused():
    parameters, x, y = deep(2).in_columns
    with pytest.raises(KeyError, match="swish"):
        mlp_backward_in_columns(parameters, x, y, "swish")
    with pytest.raises(ValueError, match="average"):
        mlp_backward_in_columns(parameters, x, y, reduction="average")
    with pytest.raises(ValueError, match="'cross_entropy' over 'sigmoid'"):
        mlp_backward_in_columns(parameters, x, y, cost="cross_entropy")


def test_targets_that_do_not_sum_to_one_are_weighted_by_their_sum():
    parameters, x, y = deep(2).in_columns
    weighted = y * np.arange(1, 8)
    head = "softmax", "cross_entropy"
    found = mlp_backward_in_columns(parameters, x, weighted, output=head[0], cost=head[1], reduction="sum")
    slopes = complex_slopes(lambda *p: cost_in_columns(p, x, weighted, "sigmoid", *head), *parameters)
    assert_close(found.gradients, slopes)
