import numpy as np
import pytest

from tests.analytic.network import FUNCTIONS, objective, problem, relative_error, slopes, soft_targets
from tinygrad_lite import nn
from tinygrad_lite.analytic import mlp_gradients


def on_each_activation(test):
    return pytest.mark.parametrize("activation", FUNCTIONS)(test)


def automatic_gradients(parameters, x, t, activation, objective):
    net = nn.MLP([5, 4, 3], activation=activation, dtype=np.float64)
    for tensor, value in zip(net.parameters(), parameters, strict=True):
        tensor.assign(value)
    objective(net, x, t).backward()
    return [tensor.grad for tensor in net.parameters()]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("l2", "biases"), [(0.0, False), (0.3, False), (0.3, True)])
@on_each_activation
def test_the_gradients_agree_with_the_automatic_ones(activation, l2, biases, reduction):
    parameters, x, labels = problem()
    declared = nn.CrossEntropy(reduction) + l2 * nn.L2(biases=biases)
    by_hand = mlp_gradients(parameters, x, labels, activation, reduction=reduction, l2=l2, biases_regularised=biases)
    for mine, automatic in zip(by_hand, automatic_gradients(parameters, x, labels, activation, declared), strict=True):
        assert relative_error(mine, automatic) < 1e-10


@pytest.mark.parametrize("targets", [problem().one_hot, soft_targets()], ids=["one-hot", "soft"])
def test_the_gradients_for_targets_of_a_row_each_agree_with_the_automatic_ones(targets):
    parameters, x, _ = problem()
    by_hand = mlp_gradients(parameters, x, targets, "tanh")
    automatic = automatic_gradients(parameters, x, targets, "tanh", nn.CrossEntropy())
    for mine, expected in zip(by_hand, automatic, strict=True):
        assert relative_error(mine, expected) < 1e-10


@pytest.mark.parametrize(("l2", "biases"), [(0.0, False), (0.3, False), (0.3, True)])
@on_each_activation
def test_the_gradients_agree_with_central_differences(activation, l2, biases):
    parameters, x, _ = problem()
    t = soft_targets()
    w1, b1 = parameters[:2]
    assert np.abs(x @ w1.T + b1).min() > 1e-3, "a pre-activation at relu's kink would spoil the comparison"
    by_hand = mlp_gradients(parameters, x, t, activation, reduction="sum", l2=l2, biases_regularised=biases)
    for mine, w in zip(by_hand, parameters, strict=True):
        numeric = slopes(lambda: objective(parameters, x, t, activation, l2, biases), w)
        assert relative_error(mine, numeric) < 1e-8


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("biases", [False, True])
@on_each_activation
def test_the_form_with_bias_columns_agrees_column_by_column(activation, biases, reduction):
    given = problem()
    options = {"reduction": reduction, "l2": 0.3, "biases_regularised": biases}
    w1, b1, w2, b2 = mlp_gradients(given.parameters, given.x, given.labels, activation, **options)
    matrices, x = given.with_bias_columns
    first, second = mlp_gradients(matrices, x, given.labels, activation, **options)
    for mine, weight, bias in [(first, w1, b1), (second, w2, b2)]:
        np.testing.assert_allclose(mine[:, 0], bias, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(mine[:, 1:], weight, rtol=1e-12, atol=1e-14)


def in_both_forms(**options):
    given = problem()
    matrices, x = given.with_bias_columns
    return (
        *mlp_gradients(given.parameters, given.x, given.labels, **options),
        *mlp_gradients(matrices, x, given.labels, **options),
    )


def test_softplus_and_the_mean_without_a_penalty_are_the_defaults():
    expected = in_both_forms(activation="softplus", reduction="mean", l2=0.0, biases_regularised=False, maximize=False)
    for mine, same in zip(in_both_forms(), expected, strict=True):
        np.testing.assert_array_equal(mine, same)


def test_the_sum_is_the_mean_times_the_number_of_examples():
    for mean, summed in zip(in_both_forms(), in_both_forms(reduction="sum"), strict=True):
        np.testing.assert_allclose(summed, 6 * mean, rtol=1e-14)


def test_the_penalty_is_not_divided_by_the_number_of_examples():
    for reduction in "mean", "sum":
        with_penalty = in_both_forms(reduction=reduction, l2=0.5, biases_regularised=True)
        without = in_both_forms(reduction=reduction)
        weights = (*problem().parameters, *problem().with_bias_columns[0])
        for mine, plain, w in zip(with_penalty, without, weights, strict=True):
            np.testing.assert_allclose(mine - plain, 0.5 * w, atol=1e-13)


def test_biases_are_left_out_of_the_penalty_unless_asked_for():
    plain, l2 = in_both_forms(), in_both_forms(l2=0.5)
    changes = [mine - before for mine, before in zip(l2, plain, strict=True)]
    w1, b1, w2, b2, first, second = changes
    for bias in b1, b2, first[:, 0], second[:, 0]:
        np.testing.assert_array_equal(bias, 0)
    for weight, value in zip((w1, w2, first[:, 1:], second[:, 1:]), problem().parameters[::2] * 2, strict=True):
        np.testing.assert_allclose(weight, 0.5 * value, atol=1e-13)


def test_labels_are_the_same_as_their_one_hot_rows():
    parameters, x, labels = problem()
    for dtype in np.int64, np.uint8:
        from_labels = mlp_gradients(parameters, x, labels.astype(dtype))
        for mine, same in zip(from_labels, mlp_gradients(parameters, x, problem().one_hot), strict=True):
            np.testing.assert_array_equal(mine, same)


def test_the_gradients_to_maximise_are_the_negative_ones():
    options = {"reduction": "sum", "l2": 0.5, "biases_regularised": True}
    for up, down in zip(in_both_forms(maximize=True, **options), in_both_forms(**options), strict=True):
        assert np.abs(down).max() > 0.1
        np.testing.assert_array_equal(up, -down)


def test_parameters_and_data_are_left_as_they_were():
    given, untouched = problem(), problem()
    matrices, x = given.with_bias_columns
    mlp_gradients(given.parameters, given.x, given.labels, l2=0.5)
    mlp_gradients(matrices, x, given.labels, l2=0.5)
    for mine, before in zip((*given.parameters, *given[1:]), (*untouched.parameters, *untouched[1:]), strict=True):
        np.testing.assert_array_equal(mine, before)
    for mine, before in zip(matrices, untouched.with_bias_columns[0], strict=True):
        np.testing.assert_array_equal(mine, before)
