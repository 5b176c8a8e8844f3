"""The picture of `compare.py`: test and training accuracy by epoch."""

from tinygrad_lite.train.plots.drawing import BLUE, GREEN, PURPLE, VERMILLION, by_epoch, new_figure, save_picture

PANELS = {
    "summed: relu at three rates": {
        ("sum", "relu", 0.01): "α = 0.01",
        ("sum", "relu", 0.05): "α = 0.05",
        ("sum", "relu", 0.1): "α = 0.1",
    },
    "summed, α = 0.01": {
        ("sum", "relu", 0.01): "relu",
        ("sum", "sigmoid", 0.01): "sigmoid",
    },
    "summed, softmax at the second hidden layer": {
        ("sum", "relu, softmax", 0.01): "relu, α = 0.01",
        ("sum", "relu, softmax", 0.05): "relu, α = 0.05",
        ("sum", "relu, softmax", 0.1): "relu, α = 0.1",
        ("sum", "sigmoid, softmax", 0.01): "sigmoid, α = 0.01",
    },
    "averaged over the rows": {
        ("mean", "relu", 0.1): "relu, α = 0.01",
        ("mean", "relu", 1.0): "relu, α = 0.1",
        ("mean", "sigmoid", 0.1): "sigmoid, α = 0.01",
        ("mean", "sigmoid", 1.0): "sigmoid, α = 0.1",
    },
    "averaged over all values": {
        ("mean", "relu", 0.01): "relu, α = 0.01",
        ("mean", "relu", 0.05): "relu, α = 0.05",
        ("mean", "relu", 0.1): "relu, α = 0.1",
        ("mean", "sigmoid", 0.01): "sigmoid, α = 0.01",
    },
}
"""What is drawn beside one another: runs by reduction, activation and rate, and what each is called there."""

STYLES = ((BLUE, "o"), (VERMILLION, "s"), (GREEN, "^"), (PURPLE, "D"))
DOCUMENT = 0.89


def save_accuracies(curves, *files):
    """Draw a panel for each comparison, from the curves by reduction, activation and rate that there are."""
    for file in files:
        save_picture(lambda: accuracies(curves), file)


def accuracies(curves):
    figure = new_figure(14, 7.6)
    *grid, empty = figure.subplots(2, 3).ravel()
    empty.set_axis_off()
    for axes, (title, runs) in zip(grid, PANELS.items(), strict=True):
        for (colour, marker), (run, label) in zip(STYLES, runs.items(), strict=False):
            curve = curves.get(run, [])
            epochs = [point["epoch"] for point in curve]
            whole = [point for point in curve if point["training_accuracy"] is not None]
            axes.plot(
                epochs,
                [point["test_accuracy"] for point in curve],
                color=colour,
                marker=marker,
                markersize=5,
                markevery=[number for number, epoch in enumerate(epochs) if epoch == int(epoch)],
                label=label if curve else f"{label}: diverged",
            )
            axes.plot(
                [point["epoch"] for point in whole],
                [point["training_accuracy"] for point in whole],
                color=colour,
                linestyle="--",
                linewidth=1,
            )
        axes.axhline(DOCUMENT, color="black", linewidth=0.8, linestyle=":")
        by_epoch(axes, [0, 1], "accuracy")
        axes.set_title(title, fontsize="medium")
        axes.set_ylim(0, 1.02)
        axes.legend(loc="best", fontsize="small")
    grid[1].set_ylim(0.8, 1.0)
    figure.supxlabel(
        "with marks: test; dashed: training, while it goes on; dotted: the document's 89 %", fontsize="medium"
    )
    return figure
