import math

import numpy as np
import pytest

from tests.train.runs import clusters, train_classifier
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.train import History
from tinygrad_lite.train.plots import draw_curves, draw_gradient_norms, draw_terms
from tinygrad_lite.train.plots.columns import terms_of
from tinygrad_lite.train.plots.drawing import COLOURS


def history(**columns) -> History:
    """Return the history with these columns, and `epoch` before them."""
    count = len(next(iter(columns.values())))
    return History(
        [{"epoch": i + 1} | {name: values[i] for name, values in columns.items() if values[i] is not None}
         for i in range(count)]
    )  # fmt: skip


def lines(axes) -> dict[str, list[float]]:
    return {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}


def looks(axes) -> list[tuple]:
    return [(line.get_color(), line.get_linestyle(), line.get_marker()) for line in axes.get_lines()]


def names_in_legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


# ----- curves -----


def test_curves_show_the_columns_of_the_history_over_its_epochs():
    trained = train_classifier(validation=clusters(seed=1))
    loss, accuracy = draw_curves(trained).axes
    assert lines(loss) == {"training": trained["loss"], "held out": trained["validation_loss"]}
    assert lines(accuracy) == {"training": trained["accuracy"], "held out": trained["validation_accuracy"]}
    assert list(loss.get_lines()[0].get_xdata()) == [1, 2, 3]
    assert (loss.get_ylabel(), accuracy.get_ylabel(), loss.get_xlabel()) == ("loss", "accuracy", "epoch")


def test_curves_differ_in_colour_line_and_marker():
    training, held_out = looks(draw_curves(history(loss=[1.0, 0.5], validation_loss=[1.1, 0.9])).axes[0])
    assert all(a != b for a, b in zip(training, held_out, strict=True))


@pytest.mark.parametrize(
    ("loss", "held_out", "scale"),
    [
        ([1.0, 0.02], [1.0, 0.02], "linear"),
        ([1.0, 0.009], [1.0, 0.5], "log"),
        ([1.0, 0.5], [1.0, 0.009], "log"),
        ([1.0, 0.0], [1.0, 0.5], "linear"),
        ([-1.0, -300.0], [-1.0, -2.0], "linear"),
        ([1.0, math.nan], [1.0, 0.5], "linear"),
        ([math.nan, math.nan], [math.nan, math.nan], "linear"),
    ],
)
def test_a_loss_over_more_than_two_decades_has_a_logarithmic_scale(loss, held_out, scale):
    assert draw_curves(history(loss=loss, validation_loss=held_out)).axes[0].get_yscale() == scale


def test_accuracy_is_never_drawn_on_a_logarithmic_scale():
    assert draw_curves(history(loss=[1.0, 0.5], accuracy=[0.001, 1.0])).axes[1].get_yscale() == "linear"


def test_epochs_without_a_figure_leave_a_gap():
    values = lines(draw_curves(history(loss=[1.0, 0.5, 0.4], validation_loss=[None, 0.6, None])).axes[0])["held out"]
    np.testing.assert_array_equal(values, [math.nan, 0.6, math.nan])


def test_a_long_training_has_few_markers():
    line = draw_curves(history(loss=list(np.linspace(2, 1, 1000)))).axes[0].get_lines()[0]
    assert 10 <= 1000 / line.get_markevery() <= 30


def test_only_whole_epochs_are_marked_on_the_axis():
    axes = draw_curves(history(loss=[1.0, 0.5])).axes[0]
    assert all(tick == round(tick) for tick in axes.get_xticks())


def test_curves_of_a_history_without_loss_and_accuracy_are_refused():
    with pytest.raises(ArgumentError, match="no loss and no accuracy to draw, only epoch, learning_rate"):
        draw_curves(history(learning_rate=[0.1]))


# ----- terms -----


def test_the_terms_are_the_columns_between_the_loss_and_what_else_is_measured():
    columns = {"loss": [1.0], "mse": [0.9], "l2": [0.1]}
    for others in ({"accuracy": [1.0]}, {"validation_loss": [1.0]}, {"learning_rate": [0.1]}, {"gradient_norm.w": [1]}):
        assert terms_of(history(**columns, **others, seconds=[3.0])) == ["mse", "l2"]


def test_every_term_of_a_training_has_a_line_and_the_loss_another():
    trained = train_classifier(validation=clusters(seed=1))
    training, held_out = draw_terms(trained).axes
    names = ("cross_entropy", "l2", "loss")
    assert lines(training) == {name: trained[name] for name in names}
    assert lines(held_out) == {name: trained[f"validation_{name}"] for name in names}
    assert (training.get_title(), held_out.get_title()) == ("training", "held out")
    assert training.get_ylim() == held_out.get_ylim()
    assert names_in_legend(draw_terms(trained)) == list(names)


def test_without_rows_held_out_the_terms_have_one_panel():
    assert len(draw_terms(train_classifier()).axes) == 1


def test_terms_far_apart_have_a_logarithmic_scale_unless_one_is_zero():
    far = draw_terms(history(loss=[1.0, 0.5], mse=[1.0, 0.5], l2=[1e-3, 1e-3]))
    assert far.axes[0].get_yscale() == "log"
    zero = draw_terms(history(loss=[1.0, 0.5], mse=[1.0, 0.5], l2=[0.0, 1e-3]))
    assert zero.axes[0].get_yscale() == "linear"
    below = draw_terms(history(loss=[-1.0, 0.5], mse=[1.0, 0.5], l2=[1e-3, 1e-3]))
    assert below.axes[0].get_yscale() == "linear"


def test_terms_of_an_objective_of_one_term_are_refused_with_what_to_draw_instead():
    with pytest.raises(ArgumentError, match="save_curves draws it"):
        draw_terms(history(loss=[1.0], accuracy=[0.5]))


# ----- gradient norms -----

NORMS = {
    "gradient_norm.layers.0.weight": [1.0, 0.1],
    "gradient_norm.layers.0.bias": [0.1, 0.0],
    "gradient_norm.layers.1.weight": [2.0, 0.5],
    "gradient_norm.layers.1.bias": [0.0, 0.0],
}


def test_each_parameter_has_a_line_on_a_logarithmic_scale():
    figure = draw_gradient_norms(history(loss=[1.0, 0.5], **NORMS))
    drawn = lines(figure.axes[0])
    assert list(drawn.values()) == list(NORMS.values())
    assert list(drawn)[:3] == ["layers.0.weight", "layers.0.bias", "layers.1.weight"]
    assert figure.axes[0].get_yscale() == "log"
    assert names_in_legend(figure) == list(drawn)


def test_a_gradient_that_is_zero_throughout_is_told_in_the_legend():
    assert names_in_legend(draw_gradient_norms(history(**NORMS)))[3] == "layers.1.bias (zero)"


def test_parameters_of_one_layer_share_a_colour_and_differ_in_their_line():
    weight, bias, other_weight, other_bias = looks(draw_gradient_norms(history(**NORMS)).axes[0])
    assert weight[0] == bias[0] != other_weight[0] == other_bias[0]
    assert weight[1] == other_weight[1] != bias[1] == other_bias[1]


def test_thirty_parameters_each_look_different():
    names = [f"gradient_norm.layers.{i}.{kind}" for i in range(15) for kind in ("weight", "bias")]
    found = looks(draw_gradient_norms(history(**{name: [1.0, 0.5] for name in names})).axes[0])
    assert len(set(found)) == 30


def test_parameters_without_layers_have_a_colour_each():
    found = looks(draw_gradient_norms(history(**{f"gradient_norm.w{i}": [1.0] for i in range(7)})).axes[0])
    assert [colour for colour, *_ in found] == list(COLOURS)


def test_gradients_that_are_all_zero_are_drawn_on_a_linear_scale():
    figure = draw_gradient_norms(history(**{"gradient_norm.w": [0.0, 0.0]}))
    assert figure.axes[0].get_yscale() == "linear"
    assert names_in_legend(figure) == ["w (zero)"]


def test_gradient_norms_that_were_not_measured_are_refused_with_the_column_that_is_missing():
    with pytest.raises(ArgumentError, match=r"gradient_norm\.<parameter>, only epoch, loss"):
        draw_gradient_norms(history(loss=[1.0]))


@pytest.mark.parametrize("draw", [draw_curves, draw_terms, draw_gradient_norms])
def test_a_history_without_epochs_is_refused_by_every_picture(draw):
    with pytest.raises(ArgumentError, match="no epochs"):
        draw(History())
