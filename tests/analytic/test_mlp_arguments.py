import numpy as np
import pytest

from tests.analytic.network import FUNCTIONS, problem, relative_error, soft_targets
from tinygrad_lite.analytic import mlp_gradients


@pytest.mark.parametrize("count", [0, 3, 5])
def test_another_number_of_parameters_is_refused(count):
    parameters, x, labels = problem()
    with pytest.raises(ValueError, match=f"got {count}"):
        mlp_gradients((*parameters, parameters[0])[:count], x, labels)


def test_shapes_that_do_not_fit_are_refused_by_layer():
    (w1, b1, w2, b2), x, labels = problem()
    for wrong, message in [
        ((w1.T, b1, w2, b2), r"layer 1 has 5 inputs, but W1 has the shape \(5, 4\)"),
        ((w1, b1, w2.T, b2), r"layer 2 has 4 inputs, but W2 has the shape \(4, 3\)"),
        ((w1, b2, w2, b2), r"layer 1 has 4 units, but b1 has the shape \(3,\)"),
        ((w1, np.ones((3, 7))), r"layer 2 has 4 inputs, but W2 has the shape \(3, 7\)"),
        ((w1, b1[:, None], w2, b2[:, None]), r"layer 2 has 4 inputs, but W2 has the shape \(4, 1\)"),
        ((b1, w1, b2, w2), r"got 4 of shapes \[\(4,\), \(4, 5\), \(3,\), \(3, 4\)\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            mlp_gradients(wrong, x, labels)


@pytest.mark.parametrize("shape", [(0, 5), (5,)])
def test_anything_but_rows_of_examples_is_refused(shape):
    parameters, _, labels = problem()
    with pytest.raises(ValueError, match="at least one example, each a row"):
        mlp_gradients(parameters, np.zeros(shape), labels[: shape[0]])


def test_a_cost_that_does_not_go_with_the_output_is_refused_with_those_that_do():
    parameters, x, labels = problem()
    with pytest.raises(ValueError, match=r"no 'cross_entropy' over 'sigmoid', only cross_entropy over softmax, "):
        mlp_gradients(parameters, x, labels, output="sigmoid")


def test_labels_are_refused_where_a_cost_wants_a_target_for_every_output():
    parameters, x, labels = problem()
    with pytest.raises(ValueError, match=r"\(6, 3\) of the predictions, got \(6,\)"):
        mlp_gradients(parameters, x, labels, output="identity", cost="mean_squared_error")


def test_an_unknown_activation_is_refused_by_name():
    parameters, x, labels = problem()
    with pytest.raises(KeyError, match="swish"):
        mlp_gradients(parameters, x, labels, "swish")


def test_an_unknown_reduction_is_refused_rather_than_taken_for_a_sum():
    parameters, x, labels = problem()
    with pytest.raises(ValueError, match="average"):
        mlp_gradients(parameters, x, labels, reduction="average")


def test_a_column_of_labels_is_refused_rather_than_broadcast_over_the_classes():
    parameters, x, labels = problem()
    with pytest.raises(ValueError, match=r"\(6, 1\)"):
        mlp_gradients(parameters, x, labels[:, None])


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_outside_the_classes_is_refused_rather_than_counted_from_the_end(label):
    parameters, x, labels = problem()
    with pytest.raises((ValueError, IndexError)):
        mlp_gradients(parameters, x, np.where(labels == 2, label, labels))


@pytest.mark.parametrize("form", ["with biases", "with bias columns"])
@pytest.mark.parametrize("activation", FUNCTIONS)
def test_float32_parameters_and_data_give_float32_gradients(activation, form):
    given = problem()
    parameters, x = (given.parameters, given.x) if form == "with biases" else given.with_bias_columns
    exact = mlp_gradients(parameters, x, given.labels, activation, l2=0.3)
    single = mlp_gradients(
        tuple(w.astype(np.float32) for w in parameters), x.astype(np.float32), given.labels, activation, l2=0.3
    )
    for mine, expected in zip(single, exact, strict=True):
        assert mine.dtype == np.float32
        assert relative_error(mine, expected) < 1e-5


def test_float32_soft_targets_keep_the_gradients_in_float32():
    parameters, x, _ = problem()
    single = tuple(w.astype(np.float32) for w in parameters)
    for gradient in mlp_gradients(single, x.astype(np.float32), soft_targets().astype(np.float32)):
        assert gradient.dtype == np.float32


def test_raw_pixels_of_whole_numbers_give_the_gradients_of_the_same_floats():
    parameters, _, labels = problem()
    pixels = np.random.default_rng(0).integers(0, 256, size=(6, 5), dtype=np.uint8)
    small = tuple(w / 100 for w in parameters)
    for mine, expected in zip(
        mlp_gradients(small, pixels, labels), mlp_gradients(small, pixels.astype(float), labels), strict=True
    ):
        np.testing.assert_array_equal(mine, expected)


def test_saturated_logits_give_finite_gradients():
    parameters, x, labels = problem()
    far = tuple(1e4 * w for w in parameters)
    for activation in FUNCTIONS:
        for gradient in mlp_gradients(far, x, labels, activation, l2=0.3):
            assert np.isfinite(gradient).all()
