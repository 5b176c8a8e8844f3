import math

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from tinygrad_lite.errors import ArgumentError, ShapeError
from tinygrad_lite.train import Metrics
from tinygrad_lite.train.plots import draw_confusion, draw_misclassified
from tinygrad_lite.train.plots.drawing import plain

# ----- the confusion matrix -----


def nearly_right(classes: int = 10, rows_of_each: int = 1000) -> Metrics:
    """Return an accuracy of about 98 %, the faults of each class spread over the next two."""
    counts = np.zeros((classes, classes), np.int64)
    for true in range(classes):
        counts[true, true] = 0.98 * rows_of_each
        counts[true, (true + 1) % classes] += 0.019 * rows_of_each
        counts[true, (true + 2) % classes] += 0.001 * rows_of_each
    return Metrics(counts, cross_entropy=0.1)


def cells(figure: Figure) -> dict[tuple[int, int], str]:
    """Return what is written at each true and predicted class."""
    return {
        (int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in figure.axes[0].texts
    }


def colour_of(figure: Figure, true: int, predicted: int) -> tuple[float, ...]:
    """Return the colour that is seen in a cell: of two images, what one leaves out the other shows."""
    for image in figure.axes[0].get_images():
        if not np.ma.getmaskarray(image.get_array())[true, predicted]:
            return image.to_rgba(image.get_array())[true, predicted][:3]
    return (1.0, 1.0, 1.0)


def brightness(colour: tuple[float, ...]) -> float:
    return float(np.dot(colour, (0.299, 0.587, 0.114)))


def test_the_counts_are_written_into_the_cells_and_zeros_left_out():
    metrics = Metrics(np.array([[5, 1, 0], [0, 4, 2], [0, 0, 7]]), cross_entropy=0.1)
    expected = {(0, 0): "5", (0, 1): "1", (1, 1): "4", (1, 2): "2", (2, 2): "7"}
    assert cells(draw_confusion(metrics)) == expected


def test_true_classes_go_down_and_predicted_ones_to_the_right_under_their_names():
    axes = draw_confusion(Metrics(np.eye(2, dtype=int), 0.1), ["cat", "dog"]).axes[0]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true class", "predicted class")
    assert [text.get_text() for text in axes.get_xticklabels()] == ["cat", "dog"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["cat", "dog"]
    assert axes.get_ylim() == (1.5, -0.5)


def test_the_title_tells_accuracy_and_faults():
    assert draw_confusion(nearly_right()).axes[0].get_title(loc="left") == "accuracy 98.00 %: 200 of 10,000 rows wrong"


def test_few_faults_beside_many_hits_are_seen_and_so_is_which_are_more():
    figure = draw_confusion(nearly_right())
    none, single, many, right = (brightness(colour_of(figure, 0, k)) for k in (5, 2, 1, 0))
    assert none > 0.99
    assert single < 0.9
    assert many < single - 0.2
    assert right < 0.3


def test_right_and_wrong_differ_in_hue():
    figure = draw_confusion(nearly_right())
    red, _, blue = colour_of(figure, 0, 0)
    assert blue > red
    red, _, blue = colour_of(figure, 0, 1)
    assert red > blue


def test_the_colour_is_the_share_of_the_true_class():
    metrics = Metrics(np.array([[8, 2], [200, 800]]), cross_entropy=0.1)
    figure = draw_confusion(metrics)
    np.testing.assert_allclose(colour_of(figure, 0, 0), colour_of(figure, 1, 1))
    np.testing.assert_allclose(colour_of(figure, 0, 1), colour_of(figure, 1, 0))


def test_every_number_stands_out_from_its_cell():
    rng = np.random.default_rng(0)
    figure = draw_confusion(Metrics(rng.integers(1, 500, (12, 12)) + 2000 * np.eye(12, dtype=int), 0.1))
    for text in figure.axes[0].texts:
        predicted, true = (int(place) for place in text.get_position())
        cell = brightness(colour_of(figure, true, predicted))
        assert abs(cell - brightness(to_rgb(text.get_color()))) > 0.39


@pytest.mark.parametrize("classes", [2, 10, 37, 100])
def test_every_class_has_its_name_however_many_there_are(classes):
    axes = draw_confusion(nearly_right(classes)).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [str(k) for k in range(classes)]
    assert min(text.get_fontsize() for text in axes.texts) >= 4.5


def test_a_matrix_without_faults_and_one_of_faults_alone_are_drawn():
    assert cells(draw_confusion(Metrics(3 * np.eye(2, dtype=int), 0.0))) == {(0, 0): "3", (1, 1): "3"}
    assert cells(draw_confusion(Metrics(np.array([[0, 3], [0, 0]]), 9.0))) == {(0, 1): "3"}


def test_names_that_are_not_one_for_each_class_are_refused():
    with pytest.raises(ArgumentError, match="10 classes, but 2 class names"):
        draw_confusion(nearly_right(), ["cat", "dog"])


def test_a_matrix_that_counts_nothing_is_refused():
    with pytest.raises(ArgumentError, match="counts no rows"):
        draw_confusion(Metrics(np.zeros((2, 2), int), 0.0))


def test_names_are_written_as_they_are_even_with_dollars_in_them():
    assert plain("$x$ and $y") == r"\$x\$ and \$y"
    assert plain("two\nlines") == "two lines"
    assert plain("a" * 30) == "a" * 23 + "…"


# ----- misclassified rows -----

LABELS = np.array([0, 1, 2, 0, 1, 2])
LOGITS = np.array(
    [[9.0, 0, 0], [3, 1, 0], [0, 0, 8], [0, 5, 0], [0, 6, 1], [1, 2, 1.5]]
)  # rows 1, 3 and 5 are wrong, 3 the surest
PIXELS = np.arange(24, dtype=float).reshape(6, 4) / 24


def titles(figure: Figure) -> list[str]:
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def heading(figure: Figure) -> str:
    return figure.get_suptitle()


def images(figure: Figure) -> list[np.ndarray]:
    return [axes.get_images()[0].get_array() for axes in figure.axes if axes.get_images()]


def test_the_wrong_rows_are_shown_the_surest_first_with_what_they_are_and_what_they_were_taken_for():
    figure = draw_misclassified(PIXELS, LABELS, LOGITS, (2, 2))
    shares = [1 / sum(math.exp(z - max(row)) for z in row) for row in LOGITS[[3, 1, 5]]]
    expected = ["0 → 1", "1 → 0", "2 → 1"]
    assert titles(figure) == [f"{a}\n{100 * share:.1f} %" for a, share in zip(expected, shares, strict=True)]
    np.testing.assert_array_equal(images(figure), PIXELS[[3, 1, 5]].reshape(3, 2, 2))
    assert heading(figure) == "3 wrong of 6 rows: true → predicted"


def test_the_classes_are_called_by_their_names():
    assert titles(draw_misclassified(PIXELS, LABELS, LOGITS, (2, 2), ["cat", "dog", "ship"]))[0][:9] == "cat → dog"


def test_of_many_mistakes_the_25_most_confident_are_shown():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(200, 5)), rng.integers(5, size=200)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wrong = [row for row in range(200) if logits[row].argmax() != labels[row]]
    surest = sorted(wrong, key=lambda row: -shares[row].max())[:25]
    pixels = rng.random((200, 6))
    figure = draw_misclassified(pixels, labels, logits, (2, 3))
    np.testing.assert_array_equal(images(figure), pixels[surest].reshape(25, 2, 3))
    assert heading(figure) == f"the 25 most confident of {len(wrong)} wrong of 200 rows: true → predicted"


def test_of_mistakes_that_are_all_sure_the_one_furthest_from_the_truth_comes_first():
    logits = np.array([[100.0, 0, 0], [200.0, 0, 0], [150.0, 0, 0]])
    figure = draw_misclassified(PIXELS[:3], np.array([1, 1, 2]), logits, (2, 2))
    np.testing.assert_array_equal(images(figure), PIXELS[[1, 2, 0]].reshape(3, 2, 2))


def test_probabilities_and_one_column_are_judged_as_by_the_metrics():
    one_column = np.array([[0.9], [0.2], [0.7]])
    figure = draw_misclassified(PIXELS[:3], np.array([[0.0], [1.0], [1.0]]), one_column, (2, 2), output="sigmoid")
    assert titles(figure) == ["0 → 1\n90.0 %", "1 → 0\n80.0 %"]


def test_where_nothing_is_wrong_the_picture_says_so():
    figure = draw_misclassified(PIXELS, LOGITS.argmax(axis=1), LOGITS, (2, 2))
    assert [text.get_text() for text in figure.texts] == ["all 6 rows are classified right"]


def test_colour_images_are_held_one_colour_after_the_other():
    pixels = np.random.default_rng(0).random((2, 3 * 4 * 5))
    (shown,) = images(draw_misclassified(pixels, np.array([0, 1]), np.eye(2)[[1, 1]], (3, 4, 5)))
    assert shown.shape == (4, 5, 3)
    for row, column, colour in np.ndindex(4, 5, 3):
        assert shown[row, column, colour] == pixels[0, colour * 20 + row * 5 + column]


@pytest.mark.parametrize(
    ("pixels", "shown"),
    [
        ([0.0, 0.2, 0.4, 0.8], [0.0, 0.2, 0.4, 0.8]),
        ([0.0, 51.0, 102.0, 255.0], [0.0, 0.2, 0.4, 1.0]),
        ([-1.0, 0.0, 1.0, 3.0], [0.0, 0.25, 0.5, 1.0]),
        ([-2.0, -2.0, -2.0, -2.0], [0.0, 0.0, 0.0, 0.0]),
    ],
    ids=["unit", "bytes", "standardised", "constant"],
)
def test_pixels_of_any_scale_are_brought_between_black_and_white(pixels, shown):
    figure = draw_misclassified(np.array([pixels]), np.array([0]), np.array([[0.0, 1.0]]), (2, 2))
    np.testing.assert_allclose(np.ravel(images(figure)), shown)
    assert figure.axes[0].get_images()[0].get_clim() == (0, 1)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"image_shape": (3, 3)}, ShapeError, "9 numbers, but a row has 4"),
        ({"image_shape": (4,)}, ArgumentError, r"\(height, width\)"),
        ({"image_shape": (4, 1, 1)}, ArgumentError, r"\(3, height, width\)"),
        ({"image_shape": (0, 4)}, ArgumentError, "image_shape"),
        ({"x": PIXELS.reshape(6, 2, 2)}, ShapeError, "an image each"),
        ({"x": PIXELS[:5]}, ShapeError, "5 images, but 6 rows"),
        ({"x": PIXELS * np.nan}, ArgumentError, "finite"),
        ({"t": LABELS[:5]}, ShapeError, "6 rows"),
        ({"class_names": ["cat"]}, ArgumentError, "3 classes, but 1 class names"),
        ({"output": "softmax"}, ArgumentError, 'output="identity"'),
    ],
)
def test_what_does_not_fit_is_refused(change, error, said):
    arguments = {"x": PIXELS, "t": LABELS, "prediction": LOGITS, "image_shape": (2, 2)} | change
    with pytest.raises(error, match=said):
        draw_misclassified(**arguments)
