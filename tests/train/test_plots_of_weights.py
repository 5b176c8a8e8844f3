import numpy as np
import pytest

from tinygrad_lite import nn
from tinygrad_lite.errors import ArgumentError, ShapeError
from tinygrad_lite.train.plots import draw_first_layer
from tinygrad_lite.train.plots.first_layer import contact_sheet

WEIGHT = np.random.default_rng(0).normal(size=(5, 6))


def sheet(figure) -> np.ndarray:
    return np.asarray(figure.axes[0].get_images()[0].get_array())


def test_each_unit_is_an_image_in_its_place():
    shown = np.ma.filled(sheet(draw_first_layer(WEIGHT, (2, 3))), np.nan)
    assert shown.shape == (1 + 2 * 3, 1 + 3 * 4)
    for unit in range(5):
        row, column = divmod(unit, 3)
        top, left = 1 + 3 * row, 1 + 4 * column
        np.testing.assert_array_equal(shown[top : top + 2, left : left + 3], WEIGHT[unit].reshape(2, 3))
    assert np.isfinite(shown).sum() == WEIGHT.size


def test_the_colours_are_symmetric_around_zero_and_one_for_all_units():
    image = draw_first_layer(WEIGHT, (2, 3)).axes[0].get_images()[0]
    assert image.get_clim() == (-np.abs(WEIGHT).max(), np.abs(WEIGHT).max())
    below, zero, above = image.to_rgba(np.array([-1.0, 0.0, 1.0]))[:, :3]
    assert below[2] > below[0]
    assert above[0] > above[2]
    assert min(zero) > 0.95


def test_there_is_one_colour_bar():
    figure = draw_first_layer(WEIGHT, (2, 3))
    assert [axes.get_ylabel() for axes in figure.axes[0].child_axes] == ["weight"]


def test_colour_images_are_grey_at_zero_and_hold_one_colour_after_the_other():
    weight = np.zeros((1, 12))
    weight[0, 0], weight[0, 7], weight[0, 11] = 0.5, -0.25, -0.5  # red of the first, green and blue of the last
    shown = sheet(draw_first_layer(weight, (3, 2, 2)))[1:3, 1:3]
    np.testing.assert_allclose(shown, [[[1, 0.5, 0.5], [0.5, 0.5, 0.5]], [[0.5, 0.5, 0.5], [0.5, 0.25, 0]]])


def test_of_more_than_a_hundred_units_the_first_are_shown_and_the_title_says_so():
    weight = np.random.default_rng(1).normal(size=(130, 4))
    figure = draw_first_layer(weight, (2, 2))
    assert np.isfinite(np.ma.filled(sheet(figure), np.nan)).sum() == 400
    assert figure.axes[0].get_title(loc="left") == "the first 100 of 130 units of the first layer"
    assert draw_first_layer(weight[:100], (2, 2)).axes[0].get_title(loc="left") == "100 units of the first layer"


def test_the_units_are_numbered():
    axes = draw_first_layer(WEIGHT, (2, 3)).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["unit 0", "unit 3"]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["+1", "+2"]


def test_the_weight_of_a_layer_can_be_given_as_it_is():
    layer = nn.Linear(6, 5, rng=0)
    np.testing.assert_array_equal(
        sheet(draw_first_layer(layer.weight, (2, 3))), sheet(draw_first_layer(layer.weight.numpy(), (2, 3)))
    )


def test_one_channel_is_grey():
    np.testing.assert_array_equal(sheet(draw_first_layer(WEIGHT, (1, 2, 3))), sheet(draw_first_layer(WEIGHT, (2, 3))))


def test_weights_of_zero_can_be_drawn():
    assert draw_first_layer(np.zeros((2, 4)), (2, 2)).axes[0].get_images()[0].get_clim() == (-1, 1)


def test_what_lies_between_colour_images_is_white():
    assert (contact_sheet(np.zeros((1, 2, 2, 3)), 1)[0] == 1).all()


@pytest.mark.parametrize(
    ("weight", "shape", "error", "said"),
    [
        (WEIGHT, (2, 2), ShapeError, "4 numbers, but a row has 6"),
        (WEIGHT, (3, 2, 3), ShapeError, "18 numbers, but a row has 6"),
        (WEIGHT, (6,), ArgumentError, r"\(height, width\)"),
        (WEIGHT, (2, 1, 3), ArgumentError, r"\(3, height, width\)"),
        (WEIGHT, (), ArgumentError, "image_shape"),
        (WEIGHT[0], (2, 3), ShapeError, r"\(6,\)"),
        (WEIGHT[:0], (2, 3), ShapeError, r"\(0, 6\)"),
        (np.full((2, 4), np.inf), (2, 2), ArgumentError, "finite"),
    ],
)
def test_weights_that_are_no_images_are_refused(weight, shape, error, said):
    with pytest.raises(error, match=said):
        draw_first_layer(weight, shape)
