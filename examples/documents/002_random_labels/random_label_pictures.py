"""The picture of `compare.py`: training and test loss by epoch, side by side for each case."""

import numpy as np

from tinygrad_lite.train.plots.drawing import BLUE, VERMILLION, by_epoch, new_figure, save_picture

GUESSING = np.log(2)
"""The loss of an even guess between two classes."""
FLOOR = np.log(1 + np.exp(-1))
"""The least cross-entropy of two classes whose logits are themselves probabilities, at best 1 and 0."""

LINES = {
    "training_loss": {"color": BLUE, "linestyle": "-", "marker": "o", "label": "training"},
    "test_loss": {"color": VERMILLION, "linestyle": "--", "marker": "s", "label": "test"},
}


def save_losses(points, *files):
    """Draw a panel for each case: a thick line for the mean over the seeds, a thin one for each of them."""
    for file in files:
        save_picture(lambda: losses(points), file)


def losses(points):
    names = list(dict.fromkeys(point["case"] for point in points))
    figure = new_figure(13, 6.2)
    grid = figure.subplots(2, -(-len(names) // 2), sharey=True, squeeze=False).ravel()
    for axes, name in zip(grid, names, strict=False):
        of_case = [point for point in points if point["case"] == name]
        epochs = sorted({int(point["epoch"]) for point in of_case})
        for column, style in LINES.items():
            by_seed = [
                [float(point[column]) for point in of_case if point["seed"] == seed]
                for seed in dict.fromkeys(point["seed"] for point in of_case)
            ]
            for values in by_seed:
                axes.plot(epochs, values, color=style["color"], linestyle=style["linestyle"], linewidth=0.6, alpha=0.6)
            axes.plot(epochs, np.mean(by_seed, axis=0), **style, markersize=4, markevery=max(1, len(epochs) // 10))
        axes.axhline(GUESSING, color="black", linewidth=0.8, linestyle=":", label="a guess, log 2")
        if "twice" in name:
            axes.axhline(FLOOR, color="black", linewidth=0.8, linestyle="-.", label="the least there is, log(1 + 1/e)")
        by_epoch(axes, epochs, "")
        axes.set_title(name, fontsize="small")
        axes.set_ylim(0, 2)
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    figure.supylabel("cross-entropy at the end of the epoch", fontsize="medium")
    grid[0].legend(loc="upper left", fontsize="small")
    handles, labels = grid[len(names) - 1].get_legend_handles_labels()
    if len(labels) > 3:
        grid[len(names) - 1].legend(handles[3:], labels[3:], loc="upper left", fontsize="small")
    return figure
