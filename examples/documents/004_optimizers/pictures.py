"""The pictures of `compare.py`: paths down the valleys, and curves of training."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

# Colours that the colour-blind tell apart (Okabe and Ito); dashes and marks tell them apart in grey.
STYLES = {
    "SGD": {"color": "#000000", "linestyle": "-", "marker": "o"},
    "Momentum": {"color": "#0072b2", "linestyle": "--", "marker": "s"},
    "RMSprop": {"color": "#d55e00", "linestyle": "-.", "marker": "^"},
    "Adam": {"color": "#009e73", "linestyle": (0, (4, 1, 1, 1, 1, 1)), "marker": "D"},
}

MARKED_STEPS = 40
"""How many steps of a path are marked: later ones lie on top of one another."""


def save_paths(valleys, paths, *files):
    """Draw a row for each valley: the path of each rule on its contours, and all distances to the minimum."""
    figure = Figure(figsize=(15, 9), layout="constrained")
    grid = figure.subplots(len(valleys), len(STYLES) + 1, width_ratios=[1] * len(STYLES) + [1.25])
    for row, (valley_name, valley) in zip(grid, valleys.items(), strict=True):
        for number, (axes, (name, style)) in enumerate(zip(row, STYLES.items(), strict=False)):
            rate, path = paths[valley_name, name]
            contours(axes, valley)
            axes.plot(*path.T, **style, markersize=2.5, linewidth=1, markevery=slice(MARKED_STEPS))
            axes.plot(*valley.start, "o", color="white", markeredgecolor="black", markersize=7)
            axes.plot(*valley.minimum, "*", color="white", markeredgecolor="black", markersize=13)
            axes.set_title(f"{name}, α = {rate:g}")
            distances = np.linalg.norm(path - valley.minimum, axis=1)
            row[-1].semilogy(distances, label=name, **style, markevery=(5 * number, 20), markersize=4)
        row[0].set_ylabel(valley_name, fontsize="large")
        row[-1].set(title="distance to the minimum", xlabel="step")
        row[-1].grid(alpha=0.3)
    grid[0, -1].legend()
    save(figure, files)


def contours(axes, valley):
    left, right, bottom, top = valley.view
    w = np.array(np.meshgrid(np.linspace(left, right, 80), np.linspace(bottom, top, 80)))
    values = np.array([valley.f(at) for at in w.reshape(2, -1).T]).reshape(80, 80)
    levels = np.quantile(values, [0.05, 0.12, 0.22, 0.36, 0.52, 0.7, 0.88])  # so that none crowd anywhere
    axes.contour(*w, values, levels=levels, colors="#b0b0b0", linewidths=0.7)
    axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[])


def save_curves(curves, rates, best, *files):
    """Draw the loss while training at the best rate, and the loss after training by rate."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    while_training, by_rate = figure.subplots(1, 2)
    for number, (name, style) in enumerate(STYLES.items()):
        epochs, losses = curves[name]
        marks = {"markevery": (number, 5), "markersize": 5}  # marks of curves that coincide stand beside one another
        while_training.semilogy(epochs, losses, label=f"{name}, α = {best[name]:g}", **style, **marks)
        finite = [(rate, loss) for rate, loss in rates[name] if np.isfinite(loss)]
        by_rate.loglog(*zip(*finite, strict=True), label=name, **style, markersize=5)
    while_training.set(xlabel="epoch", ylabel="training loss, mean of a tenth of an epoch", title="at the best rate")
    by_rate.set(xlabel="learning rate α", ylabel="training loss at the end", title="at every rate that was tried")
    for axes in (while_training, by_rate):
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
        axes.legend()
    save(figure, files)


def save(figure, files):
    """Write the figure to each file, the same bytes every time: no date, and ids in the SVG from a fixed salt."""
    with matplotlib.rc_context({"svg.hashsalt": "tinygrad_lite"}):
        for file in files:
            figure.savefig(file, dpi=100, metadata={"Date": None} if file.suffix == ".svg" else None)
