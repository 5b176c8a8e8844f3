import math

import numpy as np
import pytest

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.train.plots import draw_sweep
from tinygrad_lite.train.plots.sweep import combinations

ROWS = [
    {"epochs": 5, "rule": rule, "lr": lr, "seed": seed, "accuracy": value + 0.01 * seed, "seconds": 2.0}
    for rule, lr, value in [("adam", 0.1, 0.5), ("adam", 0.01, 0.9), ("sgd", 0.1, 0.7), ("sgd", 0.01, 0.3)]
    for seed in (0, 1, 2)
]


def texts(axes) -> list[str]:
    """Return the labels of the rows from top to bottom, the heading first."""
    return [" ".join(text.get_text().split()) for text in axes.get_yticklabels()][::-1]


def dots(figure) -> list[tuple[float, float]]:
    """Return height and value of each dot, from top to bottom."""
    points = [line.get_xydata()[0] for line in figure.axes[0].get_lines() if line.get_xydata().shape == (1, 2)]
    return sorted(((float(place), float(value)) for value, place in points), reverse=True)


def ranges(figure) -> list[tuple[float, float]]:
    """Return the ends of each line, from top to bottom."""
    found = [line.get_xydata() for line in figure.axes[0].get_lines() if line.get_xydata().shape == (2, 2)]
    return [(line[0, 0], line[1, 0]) for line in sorted(found, key=lambda line: -line[0, 1])]


def test_each_combination_has_the_mean_over_seeds_as_a_dot_and_their_range_as_a_line():
    figure = draw_sweep(ROWS, "accuracy")
    places, values = zip(*dots(figure), strict=True)
    assert places == (3, 2, 1, 0)
    np.testing.assert_allclose(values, [0.91, 0.71, 0.51, 0.31])
    np.testing.assert_allclose(ranges(figure), [(0.9, 0.92), (0.7, 0.72), (0.5, 0.52), (0.3, 0.32)])
    assert figure.axes[0].get_xlabel().startswith("accuracy")


def test_the_settings_that_vary_stand_at_the_left_and_the_mean_at_the_right():
    left, right = draw_sweep(ROWS, "accuracy").axes
    assert texts(left) == ["rule lr", "adam 0.01", "sgd 0.1", "adam 0.1", "sgd 0.01"]
    assert texts(right) == ["mean", "0.9100", "0.7100", "0.5100", "0.3100"]


def test_settings_that_are_the_same_everywhere_are_told_once():
    assert draw_sweep(ROWS, "accuracy").axes[0].get_title(loc="left") == "epochs = 5"


def test_measures_behind_the_seed_are_no_settings():
    rows = [row | {"seconds": i} for i, row in enumerate(ROWS)]
    assert len(dots(draw_sweep(rows, "accuracy"))) == 4


def test_the_settings_can_be_named():
    figure = draw_sweep(ROWS, "accuracy", settings=["rule"])
    assert texts(figure.axes[0]) == ["rule", "adam", "sgd"]
    np.testing.assert_allclose([value for _, value in dots(figure)], [0.71, 0.51])


def test_the_setting_with_the_fewest_values_has_the_colours():
    rows = [{"lr": lr, "rule": rule, "seed": 0, "loss": lr + len(rule)} for lr in (1, 2, 3) for rule in ("sgd", "adam")]
    figure = draw_sweep(rows, "loss")
    legend = figure.legends[0]
    assert legend.get_title().get_text() == "rule"
    assert [text.get_text() for text in legend.get_texts()] == ["adam", "sgd"]
    looks = {
        (line.get_color(), line.get_marker())
        for line in figure.axes[0].get_lines()
        if line.get_xydata().shape == (1, 2)
    }
    assert len(looks) == len({colour for colour, _ in looks}) == len({marker for _, marker in looks}) == 2


def test_numbers_in_the_legend_are_sorted_as_numbers():
    rows = [{"width": width, "seed": 0, "loss": 1.0} for width in (100, 20, 3)]
    assert [text.get_text() for text in draw_sweep(rows, "loss").legends[0].get_texts()] == ["3", "20", "100"]


def test_a_setting_of_many_values_has_no_colours():
    assert draw_sweep([{"lr": lr, "seed": 0, "loss": 1.0} for lr in range(8)], "loss").legends == []


@pytest.mark.parametrize("failed", [None, math.nan, math.inf])
def test_runs_that_failed_are_counted_and_a_combination_of_them_alone_is_crossed_at_the_bottom(failed):
    rows = [dict(row) for row in ROWS]
    for row in rows:
        if row["rule"] == "sgd" and (row["lr"] == 0.1 or row["seed"] == 0):
            row["accuracy"] = failed
    figure = draw_sweep(rows, "accuracy")
    assert texts(figure.axes[1])[-2:] == ["0.3150 (1 of 3 failed)", "all 3 failed"]
    assert texts(figure.axes[0])[-1] == "sgd 0.1"
    assert [line.get_ydata()[0] for line in figure.axes[0].get_lines() if line.get_marker() == "x"] == [0]
    assert len(ranges(figure)) == 3


def test_a_failed_run_may_lack_its_measures():
    rows = [{"lr": 0.1, "seed": 0, "loss": 1.0}, {"lr": 0.2, "seed": 0}]
    assert texts(draw_sweep(rows, "loss").axes[1]) == ["mean", "1.000", "failed"]


def test_values_over_more_than_two_decades_have_a_logarithmic_scale():
    rows = [{"lr": lr, "seed": 0, "loss": lr} for lr in (1e-4, 1e-2, 1.0)]
    assert draw_sweep(rows, "loss").axes[0].get_xscale() == "log"
    assert draw_sweep(ROWS, "accuracy").axes[0].get_xscale() == "linear"


def test_settings_of_any_kind_are_told_apart():
    settings = [0.1, 0.10000001, 1, "1.0", True, None, (784, 10)]
    rows = [{"setting": value, "seed": 0, "loss": 1.0} for value in settings]
    found = {combination.settings for combination in combinations(rows, "loss", ["setting"])}
    assert found == {("0.1",), ("0.10000001",), ("1",), ("1.0",), ("True",), ("None",), ("(784, 10)",)}


def test_a_single_run_can_be_drawn():
    figure = draw_sweep([{"lr": 0.1, "seed": 0, "loss": 0.5}], "loss")
    assert dots(figure) == [(0, 0.5)]
    assert figure.axes[0].get_title(loc="left") == "lr = 0.1"


def test_a_hundred_combinations_have_a_line_each():
    rows = [{"lr": lr, "width": width, "seed": 0, "loss": lr * width} for lr in range(1, 11) for width in range(1, 11)]
    figure = draw_sweep(rows, "loss")
    assert len(texts(figure.axes[0])) == 101
    assert figure.get_figheight() / 100 > 0.2


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        ([], {}, "no rows"),
        (ROWS, {"measure": "loss"}, "no column 'loss'; they have epochs, rule, lr, seed, accuracy, seconds"),
        (ROWS, {"settings": ["width"]}, "no column 'width'; they have"),
        ([{"lr": 0.1, "accuracy": 0.5}], {}, "no column 'seed'.*settings="),
        ([{"lr": 0.1, "seed": 0, "accuracy": None}], {}, "no run gave a 'accuracy'"),
        ([{"lr": 0.1, "seed": 0, "accuracy": "good"}], {}, "must be numbers.*'good'"),
        ([{"lr": i, "seed": 0, "accuracy": 0.5} for i in range(401)], {}, "401 combinations do not fit"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_drawn_are_refused(rows, options, said):
    with pytest.raises(ArgumentError, match=said):
        draw_sweep(rows, **({"measure": "accuracy"} | options))
