import numpy as np
import pytest

import tinygrad_lite as tg
from tests.train.runs import classifier, clusters, line
from tinygrad_lite import nn
from tinygrad_lite.train import measure, measuring, predict
from tinygrad_lite.train.measuring import hits, labels_of

# ----- predict -----


def test_a_prediction_is_what_the_net_gives_as_a_plain_array():
    net, (x, _) = classifier(), clusters()
    prediction = predict(net, x)
    assert type(prediction) is np.ndarray
    np.testing.assert_array_equal(prediction, net(x).data)


def test_many_rows_are_predicted_in_parts_with_the_same_result(monkeypatch):
    net, (x, _) = classifier(dtype=np.float64), clusters(50)
    whole = predict(net, x)
    seen = []
    monkeypatch.setattr(measuring, "ROWS_AT_ONCE", 20)
    parts = predict(lambda part: seen.append(len(part)) or net(part), x)
    assert seen == [20, 20, 10]
    np.testing.assert_allclose(parts, whole, rtol=1e-13)


def test_no_rows_give_an_empty_prediction_of_the_right_width():
    assert predict(classifier(), np.zeros((0, 2), np.float32)).shape == (0, 3)


def test_predicting_records_nothing():
    seen = []

    class Watching(nn.Module):
        def __init__(self):
            self.weight = tg.Tensor([1.0, 2.0], requires_grad=True)

        def forward(self, x):
            seen.append(x * self.weight)
            return seen[-1]

    net = Watching()
    predict(net, np.ones((3, 2)))
    assert [result.requires_grad for result in seen] == [False]


# ----- hits and labels -----


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_integer_labels_are_classes(dtype):
    assert labels_of(np.array([2, 0, 1], dtype)).tolist() == [2, 0, 1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
def test_one_hot_rows_are_classes(dtype):
    assert labels_of(np.eye(3, dtype=dtype)[[2, 0, 1]]).tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    "targets",
    [
        np.array([0.0, 1.0]),
        np.array([[0.0], [1.0]]),
        np.ones((2, 1)),
        np.array([[0.5, 0.5], [1.0, 0.0]]),
        np.array([[1.0, 1.0], [1.0, 0.0]]),
        np.array([[0.0, 0.0], [1.0, 0.0]]),
        np.array([[2.0, -1.0], [1.0, 0.0]]),
        np.eye(2)[None],
    ],
    ids=["floats", "one column", "a column of ones", "soft", "two ones", "no one", "sums to one", "three axes"],
)
def test_other_targets_are_no_classes(targets):
    assert labels_of(targets) is None
    assert hits(np.zeros(targets.shape), targets) is None


def test_hits_are_the_rows_whose_largest_prediction_is_their_class():
    prediction = np.array([[3.0, 1.0, 2.0], [0.0, -1.0, -2.0], [0.0, 0.1, 0.2], [5.0, 9.0, 7.0]])
    assert hits(prediction, np.array([0, 0, 2, 1])) == 4
    assert hits(prediction, np.array([0, 1, 2, 2])) == 2
    assert hits(prediction, np.eye(3)[[1, 1, 1, 1]]) == 1
    assert hits(prediction, np.array([2, 2, 1, 0])) == 0


@pytest.mark.parametrize("shape", [(4,), (4, 1), (2, 2, 2)])
def test_predictions_without_a_column_for_each_class_have_no_hits(shape):
    assert hits(np.zeros(shape), np.zeros(shape[0], int)) is None


# ----- measure -----


def test_the_figures_are_those_of_the_objective_on_all_rows():
    net, (x, labels) = classifier(dtype=np.float64), clusters()
    objective = nn.CrossEntropy() + 0.5 * nn.L2()
    figures = measure(net, objective, x, labels)
    assert list(figures) == ["loss", "cross_entropy", "l2", "accuracy"]
    logits = net(x).numpy()
    log_y = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    cross_entropy = -np.mean(log_y[np.arange(60), labels])
    l2 = 0.5 * sum(np.sum(layer.weight.numpy() ** 2) for layer in net.layers)
    np.testing.assert_allclose(figures["cross_entropy"], cross_entropy, rtol=1e-10)
    np.testing.assert_allclose(figures["l2"], l2, rtol=1e-10)
    np.testing.assert_allclose(figures["loss"], cross_entropy + 0.5 * l2, rtol=1e-10)
    assert figures["accuracy"] == np.mean(logits.argmax(axis=1) == labels)
    assert {type(value) for value in figures.values()} == {float}


def test_a_regression_has_no_accuracy():
    assert list(measure(nn.Linear(1, 1, rng=0), nn.MSE(), *line())) == ["loss"]


def test_measuring_leaves_the_net_as_it_was():
    net = classifier()
    measure(net, nn.CrossEntropy(), *clusters())
    assert [tensor.grad for tensor in net.parameters()] == [None] * 4
