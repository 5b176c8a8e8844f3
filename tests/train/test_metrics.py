import json
import math

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.errors import ArgumentError, ShapeError
from tinygrad_lite.train import Metrics, classification_metrics, measure, predict

LOGITS = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 3.0], [0.0, 4.0, 0.0], [5.0, 0.0, 0.0]])
LABELS = np.array([0, 2, 1, 1])


def counted(predicted, labels, classes) -> list[list[int]]:
    """Count row by row, the slow and plain way."""
    confusion = [[0] * classes for _ in range(classes)]
    for true, given_class in zip(labels, predicted, strict=True):
        confusion[int(true)][int(given_class)] += 1
    return confusion


# ----- what is counted -----


def test_the_confusion_matrix_counts_rows_by_true_and_predicted_class():
    found = classification_metrics(LOGITS, LABELS)
    assert found.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert found.confusion.dtype == np.int64
    assert (found.rows, found.faults, found.accuracy) == (4, 1, 0.75)


def test_precision_recall_and_f1_are_those_of_each_class():
    found = classification_metrics(LOGITS, LABELS)
    np.testing.assert_allclose(found.precision, [1 / 2, 1, 1])
    np.testing.assert_allclose(found.recall, [1, 1 / 2, 1])
    np.testing.assert_allclose(found.f1, [2 / 3, 2 / 3, 1])


def test_a_class_that_is_never_predicted_or_never_present_has_zeros_without_a_warning():
    found = classification_metrics(np.eye(4)[[0, 0, 3]], np.array([0, 1, 0]))
    assert found.precision.tolist() == [0.5, 0.0, 0.0, 0.0]
    assert found.recall.tolist() == [0.5, 0.0, 0.0, 0.0]
    assert found.f1.tolist() == [0.5, 0.0, 0.0, 0.0]


def test_the_first_of_equal_columns_is_the_predicted_class():
    assert classification_metrics(np.zeros((2, 3)), np.array([0, 2])).confusion[:, 0].tolist() == [1, 0, 1]


def test_the_matrix_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        classification_metrics(LOGITS, LABELS).confusion[0, 0] = 9


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 40))
def test_every_figure_follows_from_a_count_row_by_row(seed, classes, rows):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(rows, classes)).astype(np.float32), rng.integers(classes, size=rows)
    found = classification_metrics(logits, labels)
    predicted = [max(range(classes), key=lambda k, row=row: row[k]) for row in logits]
    assert found.confusion.tolist() == counted(predicted, labels, classes)
    right = sum(a == b for a, b in zip(predicted, labels, strict=True))
    assert (found.faults, found.accuracy) == (rows - right, right / rows)
    for k in range(classes):
        true_positives = sum(a == b == k for a, b in zip(predicted, labels, strict=True))
        named, present = predicted.count(k), labels.tolist().count(k)
        precision = true_positives / named if named else 0.0
        recall = true_positives / present if present else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        np.testing.assert_allclose([found.precision[k], found.recall[k], found.f1[k]], [precision, recall, f1])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=50))
def test_the_sums_of_the_matrix_are_the_counts_and_micro_averages_are_the_accuracy(pairs):
    labels, predicted = np.array(pairs).T
    found = classification_metrics(np.eye(5)[predicted], labels)
    assert found.confusion.sum(axis=1).tolist() == np.bincount(labels, minlength=5).tolist()
    assert found.confusion.sum(axis=0).tolist() == np.bincount(predicted, minlength=5).tolist()
    assert found.accuracy == found.confusion.trace() / len(pairs) == np.mean(labels == predicted)
    true_positives = found.confusion.diagonal().sum()
    faults = found.faults  # each is a false positive of one class and a false negative of another
    assert math.isclose(2 * true_positives / (2 * true_positives + faults + faults), found.accuracy)
    assert math.isclose(found.recall @ np.bincount(labels, minlength=5) / len(pairs), found.accuracy)


@given(st.integers(0, 2**32 - 1), st.permutations(range(4)))
def test_renaming_the_classes_renames_the_figures(seed, order):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(30, 4)), rng.integers(4, size=30)
    found = classification_metrics(logits, labels)
    renamed = classification_metrics(logits[:, order], np.argsort(order)[labels])
    np.testing.assert_array_equal(renamed.confusion, found.confusion[np.ix_(order, order)])
    np.testing.assert_allclose(renamed.cross_entropy, found.cross_entropy, rtol=1e-12)


# ----- cross-entropy -----


def test_equal_logits_have_the_logarithm_of_the_number_of_classes_as_cross_entropy():
    assert math.isclose(classification_metrics(np.zeros((3, 10)), np.arange(3)).cross_entropy, math.log(10))


@given(st.integers(0, 2**32 - 1), st.sampled_from([np.float32, np.float64]), st.sampled_from([1.0, 30.0, 1e4]))
def test_the_cross_entropy_of_logits_is_that_of_scipys_log_softmax(seed, dtype, size):
    rng = np.random.default_rng(seed)
    logits, labels = rng.uniform(-size, size, (20, 5)).astype(dtype), rng.integers(5, size=20)
    expected = -scipy.special.log_softmax(logits.astype(np.float64), axis=1)[np.arange(20), labels].mean()
    np.testing.assert_allclose(classification_metrics(logits, labels).cross_entropy, expected, rtol=1e-12)


def test_logits_as_large_as_floats_go_are_computed():
    found = classification_metrics(np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32), np.array([0, 0]))
    assert found.cross_entropy == 1e4
    assert classification_metrics(np.array([[0.0, -np.inf]]), np.array([0])).cross_entropy == 0.0
    assert classification_metrics(np.array([[0.0, -np.inf]]), np.array([1])).cross_entropy == math.inf


def test_probabilities_are_judged_by_their_logarithm():
    found = classification_metrics(np.array([[0.5, 0.5], [0.75, 0.25]]), np.array([1, 0]), output="softmax")
    assert math.isclose(found.cross_entropy, -(math.log(0.5) + math.log(0.75)) / 2)
    assert found.confusion.tolist() == [[1, 0], [1, 0]]


def test_a_true_class_of_probability_zero_has_an_infinite_cross_entropy_without_a_warning():
    found = classification_metrics(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]), output="softmax")
    assert found.cross_entropy == math.inf
    assert found.accuracy == 0.5


def test_sure_and_right_is_a_cross_entropy_of_plain_zero():
    found = classification_metrics(np.array([[1.0, 0.0]]), np.array([0]), output="softmax")
    assert str(found.cross_entropy) == "0.0"


def test_logits_and_their_softmax_have_the_same_figures():
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(size=(50, 7)), rng.integers(7, size=50)
    of_logits = classification_metrics(logits, labels)
    of_shares = classification_metrics(scipy.special.softmax(logits, axis=1), labels, output="softmax")
    np.testing.assert_array_equal(of_logits.confusion, of_shares.confusion)
    np.testing.assert_allclose(of_logits.cross_entropy, of_shares.cross_entropy, rtol=1e-12)


def test_sigmoids_of_several_classes_are_divided_by_their_sum():
    found = classification_metrics(np.array([[0.6, 0.2], [0.9, 0.9]]), np.array([0, 1]), output="sigmoid")
    assert math.isclose(found.cross_entropy, -(math.log(0.75) + math.log(0.5)) / 2)


def test_other_activations_at_the_end_give_logits():
    values = np.array([[0.5, -0.5], [0.1, 0.9]])
    labels = np.array([0, 0])
    assert (
        classification_metrics(values, labels, output="tanh").cross_entropy
        == classification_metrics(values, labels).cross_entropy
    )


def test_the_figures_of_a_network_are_those_that_are_measured_in_training():
    rng = np.random.default_rng(0)
    net, x, t = nn.MLP([4, 6, 3], rng=0, dtype=np.float64), rng.normal(size=(40, 4)), rng.integers(3, size=40)
    measured, found = measure(net, nn.CrossEntropy(), x, t), classification_metrics(predict(net, x), t)
    assert found.accuracy == measured["accuracy"]
    np.testing.assert_allclose(found.cross_entropy, measured["loss"], rtol=1e-12)


# ----- two classes from one column -----


def test_one_column_of_logits_tells_two_classes_apart():
    logits = np.array([[-2.0], [3.0], [0.5], [1e4]])
    for labels in (np.array([0, 1, 0, 1]), np.array([[0.0], [1.0], [0.0], [1.0]]), np.eye(2)[[0, 1, 0, 1]]):
        found = classification_metrics(logits, labels)
        assert found.confusion.tolist() == [[1, 1], [0, 2]]
        signed = np.array([2.0, 3.0, -0.5, 1e4])  # the logit of the true class
        np.testing.assert_allclose(found.cross_entropy, np.logaddexp(0, -signed).mean(), rtol=1e-12)


def test_one_column_after_a_sigmoid_is_the_probability_of_class_one():
    found = classification_metrics(np.array([[0.25], [0.75], [0.5]]), np.array([0, 0, 0]), output="sigmoid")
    assert found.confusion.tolist() == [[2, 1], [0, 0]]
    assert math.isclose(found.cross_entropy, -(math.log(0.75) + math.log(0.25) + math.log(0.5)) / 3)


def test_one_column_and_its_sigmoid_have_the_same_figures():
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(30, 1)), rng.integers(2, size=(30, 1)).astype(np.float64)
    of_logits = classification_metrics(logits, labels)
    of_shares = classification_metrics(scipy.special.expit(logits), labels, output="sigmoid")
    np.testing.assert_array_equal(of_logits.confusion, of_shares.confusion)
    np.testing.assert_allclose(of_logits.cross_entropy, of_shares.cross_entropy, rtol=1e-12)


# ----- targets -----


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int8])
def test_labels_of_any_integers_and_one_hot_rows_are_alike(dtype):
    expected = classification_metrics(LOGITS, LABELS)
    for targets in (LABELS.astype(dtype), np.eye(3, dtype=dtype)[LABELS], np.eye(3, dtype=np.float32)[LABELS]):
        found = classification_metrics(LOGITS, targets)
        np.testing.assert_array_equal(found.confusion, expected.confusion)
        assert found.cross_entropy == expected.cross_entropy


def test_labels_of_many_classes_do_not_overflow_their_dtype():
    labels = np.arange(200, dtype=np.uint8)
    found = classification_metrics(np.eye(200), labels)
    assert found.accuracy == 1.0


def test_tensors_are_taken_as_their_values():
    found = classification_metrics(tg.Tensor(LOGITS, requires_grad=True), tg.Tensor(np.eye(3)[LABELS]))
    assert found.confusion.tolist() == classification_metrics(LOGITS, LABELS).confusion.tolist()


# ----- what is refused -----

NAN = np.array([[0.0, 1.0], [np.nan, 0.0]])


@pytest.mark.parametrize(
    ("prediction", "t", "output", "error", "said"),
    [
        (LOGITS, np.array([0, 1, 2, 3]), "identity", ArgumentError, "row 3 has the label 3.*0 to 2"),
        (LOGITS, np.array([0, -1, 2, 0]), "identity", ArgumentError, "row 1 has the label -1"),
        (LOGITS, np.array([0, 1, 2]), "identity", ShapeError, "4 rows.*(3,)"),
        (LOGITS, LABELS.astype(float), "identity", ArgumentError, r"t\.astype\(int\)"),
        (LOGITS, LABELS[:, None], "identity", ShapeError, r"t\.ravel\(\)"),
        (LOGITS, np.eye(4)[LABELS], "identity", ShapeError, "3 classes"),
        (LOGITS, np.full((4, 3), 1 / 3), "identity", ArgumentError, "one 1 and zeros"),
        (LOGITS, np.ones((4, 3)), "identity", ArgumentError, "one 1 and zeros"),
        (LOGITS[:, :1], np.full((4, 1), 0.5), "identity", ArgumentError, "a column zeros and ones"),
        (LOGITS[:, 0], LABELS, "identity", ShapeError, r"prediction\[:, None\]"),
        (np.zeros((0, 3)), np.zeros(0, int), "identity", ArgumentError, "no rows"),
        (np.zeros((4, 0)), LABELS, "identity", ShapeError, "a column for each class"),
        (np.ones((4, 1)), LABELS > 1, "softmax", ShapeError, "does not follow a softmax"),
        (LOGITS, LABELS, "softmax", ArgumentError, 'output="identity"'),
        (LOGITS, LABELS, "sigmoid", ArgumentError, 'output="identity"'),
        (np.full((2, 2), 0.4), np.array([0, 1]), "softmax", ArgumentError, "add up to 1, but row 0 to 0.8"),
        (NAN, np.array([0, 1]), "identity", ArgumentError, "row 1 of the prediction.*1 of 2"),
        (NAN, np.array([0, 1]), "softmax", ArgumentError, "row 1 of the prediction"),
        (np.array([[np.inf, 0.0]]), np.array([0]), "identity", ArgumentError, "gives no probabilities"),
        (np.array([[-np.inf, -np.inf]]), np.array([0]), "identity", ArgumentError, "gives no probabilities"),
        (LOGITS, LABELS, "sofmax", ArgumentError, "there is no activation 'sofmax'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_the_remedy(prediction, t, output, error, said):
    with pytest.raises(error, match=said):
        classification_metrics(prediction, t, output=output)


# ----- what is shown and kept -----


def test_as_a_string_the_figures_are_a_table_with_a_line_for_each_class():
    lines = str(classification_metrics(LOGITS, LABELS)).splitlines()
    assert lines[0].split() == ["class", "rows", "precision", "recall", "f1"]
    assert lines[2].split() == ["1", "2", "1.0000", "0.5000", "0.6667"]
    assert lines[4] == "accuracy 0.7500: 1 of 4 rows wrong"
    assert lines[5].startswith("cross-entropy 1.3")
    assert len({len(line) for line in lines[:4]}) == 1


def test_everything_goes_through_json_and_comes_back():
    found = classification_metrics(LOGITS, LABELS)
    read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert read == found.to_dict()
    assert read["confusion"] == found.confusion.tolist()
    assert (read["rows"], read["faults"], read["accuracy"]) == (4, 1, 0.75)
    assert read["cross_entropy"] == found.cross_entropy
    assert read["recall"] == [1.0, 0.5, 1.0]


def test_an_infinite_cross_entropy_is_null_in_json():
    assert Metrics(np.eye(2, dtype=int), cross_entropy=math.inf).to_dict()["cross_entropy"] is None


def test_sigmoids_that_have_all_underflowed_say_nothing_of_the_class():
    found = classification_metrics(np.zeros((2, 4)), np.array([0, 1]), output="sigmoid")
    assert (found.faults, found.confusion[:, 0].tolist()) == (1, [1, 1, 0, 0])
    assert found.cross_entropy == pytest.approx(np.log(4))
