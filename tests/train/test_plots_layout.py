"""Whether all that is written in a picture can be read: inside of it, and nothing over anything else."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from tinygrad_lite.train import History, Metrics
from tinygrad_lite.train.plots import (
    draw_confusion,
    draw_curves,
    draw_first_layer,
    draw_gradient_norms,
    draw_misclassified,
    draw_sweep,
    draw_terms,
)


def written(figure: Figure) -> list[tuple[str, Bbox]]:
    """Return all that is written in a picture and where; of the numbers on axes those that are seen."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    on_axes, seen = set(), set()
    for axes in figure.findobj(lambda artist: hasattr(artist, "get_xticklabels")):
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                labels = {tick.label1, tick.label2}
                on_axes |= labels
                if axes.axison and low <= tick.get_loc() <= high:
                    seen |= labels
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    shown = [text for text in shown if text not in on_axes or text in seen]
    return [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in shown]


def assert_readable(figure: Figure) -> None:
    names, boxes = zip(*written(figure), strict=True)
    left, bottom, right, top = np.array([box.extents for box in boxes]).T
    width, height = figure.bbox.size
    is_outside = (left < -1) | (bottom < -1) | (right > width + 1) | (top > height + 1)
    assert [name for name, outside in zip(names, is_outside, strict=True) if outside] == []
    share_columns = (left[:, None] < right - 1) & (left < right[:, None] - 1)
    share_lines = (bottom[:, None] < top - 1) & (bottom < top[:, None] - 1)
    pairs = np.argwhere(np.triu(share_columns & share_lines, 1))
    assert [(names[one], names[other]) for one, other in pairs] == []


def history(epochs: int, parameters: int = 4) -> History:
    rng = np.random.default_rng(0)
    kinds = ("weight", "bias")
    names = [f"layers.{i // 2}.{kinds[i % 2]}" for i in range(parameters)]
    rows = []
    for epoch in range(1, epochs + 1):
        figures = {"loss": 2 / epoch, "cross_entropy": 1.9 / epoch, "l2": 0.1 / epoch, "accuracy": 1 - 0.9 / epoch}
        held_out = {f"validation_{name}": 1.1 * value for name, value in figures.items()}
        norms = {f"gradient_norm.{name}": float(rng.lognormal()) for name in names}
        rows.append({"epoch": epoch} | figures | held_out | norms)
    return History(rows)


def confusion(classes: int, rows_of_each: int = 1000) -> Metrics:
    rng = np.random.default_rng(classes)
    counts = rng.poisson(0.02 * rows_of_each / classes, (classes, classes)) + rows_of_each * np.eye(classes, dtype=int)
    return Metrics(counts, cross_entropy=0.1)


LONG = "a class with a name that is longer than anyone needs"
CIFAR = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def sweep(rules: int, rates: int, widths: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(0)
    return [
        {"activation": "softplus", "rule": f"rule number {rule}", "lr": 10.0**-rate, "width": 50 * width, "seed": seed}
        | {"test_accuracy": None if rate == rules else float(rng.random())}
        for rule in range(rules) for rate in range(rates) for width in range(1, widths + 1) for seed in range(3)
    ]  # fmt: skip


PICTURES = {
    "curves of an epoch": lambda: draw_curves(history(1)),
    "curves of 20 epochs": lambda: draw_curves(history(20)),
    "curves of 1000 epochs": lambda: draw_curves(history(1000)),
    "terms": lambda: draw_terms(history(30)),
    "norms of 2 parameters": lambda: draw_gradient_norms(history(10, parameters=2)),
    "norms of 60 parameters": lambda: draw_gradient_norms(history(10, parameters=60)),
    "2 classes with long names": lambda: draw_confusion(confusion(2), [LONG, LONG]),
    "2 classes": lambda: draw_confusion(confusion(2)),
    "3 classes": lambda: draw_confusion(confusion(3), ["a", "b", "c"]),
    "10 classes": lambda: draw_confusion(confusion(10), CIFAR),
    "10 classes of many rows": lambda: draw_confusion(confusion(10, rows_of_each=100_000)),
    "30 classes with long names": lambda: draw_confusion(confusion(30), [LONG] * 30),
    "100 classes": lambda: draw_confusion(confusion(100), [f"class number {k}" for k in range(100)]),
    "1 unit": lambda: draw_first_layer(np.eye(4)[:1], (2, 2)),
    "7 units, wide": lambda: draw_first_layer(np.eye(7, 64), (2, 32)),
    "7 units, tall": lambda: draw_first_layer(np.eye(7, 64), (32, 2)),
    "130 units in colour": lambda: draw_first_layer(np.eye(130, 3072), (3, 32, 32)),
    "a mistake with long names": lambda: draw_misclassified(
        np.eye(4)[:1], np.array([0]), np.eye(2)[[1]], (2, 2), [LONG, LONG]
    ),
    "mistakes with long names": lambda: draw_misclassified(
        np.eye(40, 64), np.zeros(40, int), np.eye(2)[[1] * 40], (8, 8), [LONG, LONG]
    ),
    "7 mistakes of wide images": lambda: draw_misclassified(
        np.eye(7, 64), np.zeros(7, int), np.eye(2)[[1] * 7], (2, 32)
    ),
    "no mistake": lambda: draw_misclassified(np.eye(4), np.zeros(4, int), np.eye(2)[[0] * 4], (2, 2)),
    "a sweep of 2": lambda: draw_sweep(sweep(2, 1, 1), "test_accuracy"),
    "a sweep of 100": lambda: draw_sweep(sweep(4, 5, 5), "test_accuracy"),
    "a sweep of a setting with many values": lambda: draw_sweep(sweep(1, 1, 30), "test_accuracy"),
    "a sweep of 7 rules": lambda: draw_sweep(sweep(7, 8, 1), "test_accuracy"),
}


@pytest.mark.parametrize("picture", PICTURES)
def test_all_that_is_written_can_be_read(picture):
    assert_readable(PICTURES[picture]())


def test_what_lies_over_something_else_or_outside_is_noticed():
    figure = Figure()
    for text in ("one", "other"):
        figure.text(0.5, 0.5, text)
    with pytest.raises(AssertionError, match="other"):
        assert_readable(figure)
    figure = Figure()
    figure.text(0.99, 0.5, "too far to the right")
    with pytest.raises(AssertionError, match="too far"):
        assert_readable(figure)
