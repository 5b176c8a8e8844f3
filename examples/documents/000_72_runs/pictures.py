"""The pictures of `compare.py`: their faults and ours, and what raw pixels do to the hidden units."""

from fractions import Fraction
from pathlib import Path

import numpy as np
from explaining import SLOPES, before_activation
from tables import NAMES, figures_of

from tinygrad_lite import data
from tinygrad_lite.experiments import Experiment, build_net, runs_of
from tinygrad_lite.train.plots.drawing import BLUE, VERMILLION, new_figure, save_picture


def save_faults(rows: list[dict[str, str]], allowed: dict[str, Fraction], *files: Path) -> None:
    """Draw a line for each row: theirs with what is allowed around it, our mean, and our seeds as a bar."""
    for file in files:
        save_picture(lambda: draw_faults(rows, allowed), file)


def draw_faults(rows, allowed):
    figure = new_figure(13, 9.5)
    told = ", ".join(f"{float(part):.0%} on {NAMES[name]}" for name, part in allowed.items()).replace("%", " %")
    for axes, (dataset, name) in zip(figure.subplots(1, 2), NAMES.items(), strict=True):
        of_data = [row for row in rows if row["dataset"] == dataset]
        theirs, lines = np.array([int(row["their_faults"]) for row in of_data]), np.arange(len(of_data))
        part = float(allowed[dataset])
        left, width = (1 - part) * theirs, 2 * part * theirs
        axes.barh(lines, width, left=left, height=0.8, color="#dddddd", label=f"as far as agrees: {told}")
        axes.plot(theirs, lines, "D", color="white", markeredgecolor="black", label="the document")
        draw_ours(axes, of_data)
        axes.set_yticks(lines, [label(row) for row in of_data], fontsize=8, family="monospace")
        axes.set(title=name, xlabel="faults on 10,000 test images", ylim=(len(of_data) - 0.4, -0.6))
        if dataset == "mnist":
            axes.set_xscale("log")
            axes.set_xticks([200, 300, 500, 1000, 2000, 5000])
            axes.minorticks_off()
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def draw_ours(axes, rows):
    """Draw the mean of our seeds with a bar from the least to the most; what is not stable is told apart."""
    looks = {
        "ours: mean, least … most": {"marker": "o", "color": BLUE, "markersize": 5},
        "ours, not stable": {"marker": "s", "color": VERMILLION, "markersize": 8, "fillstyle": "none"},
    }
    for (name, look), is_stable in zip(looks.items(), (True, False), strict=True):
        shown = {
            line: figures_of(row)
            for line, row in enumerate(rows)
            if figures_of(row) and (row["verdict"] not in ("unstable", "diverged")) == is_stable
        }
        means = [np.mean(seeds) for seeds in shown.values()]
        bars = [(mean - min(seeds), max(seeds) - mean) for mean, seeds in zip(means, shown.values(), strict=True)]
        xerr = np.reshape(bars, (-1, 2)).T
        axes.errorbar(means, list(shown), xerr=xerr, linestyle="none", capsize=3, label=name, **look)


def label(row):
    """Return the settings of a row, aligned."""
    return f"{row['activation']:8} {row['hidden_units']} α={row['learning_rate']:5} λ={row['l2']:4}"


def save_first_layer(sweep: Experiment, *files: Path) -> None:
    """Draw what the hidden units are given before training, for pixels within 0 … 1 and 0 … 255, and their slopes."""
    settings = ("cifar10", (300,))
    run = next(run for run in runs_of(sweep) if (run.experiment.data.name, run.experiment.net.hidden) == settings)
    x = data.cifar10("test", pixels="raw")[0][:1000]
    net = build_net(run.experiment, x.shape[1], 10)
    given = {"pixels within 0 … 1": before_activation(net, x / 255), "pixels as they are": before_activation(net, x)}
    for file in files:
        save_picture(lambda: draw_first_layer(given), file)


def draw_first_layer(given):
    figure = new_figure(11, 4)
    for axes, (title, a) in zip(figure.subplots(1, 2), given.items(), strict=True):
        reach = float(np.ceil(np.quantile(np.abs(a), 0.999)))
        counts, edges = np.histogram(a, np.linspace(-reach, reach, 81))
        axes.stairs(counts / counts.max(), edges, fill=True, color="#cccccc", label="how often a unit is given a")
        at = np.linspace(-reach, reach, 4001)
        axes.plot(at, SLOPES["tanh"](at), color=BLUE, label="tanh′(a)")
        axes.plot(at, SLOPES["softplus"](at), color=VERMILLION, linestyle="--", label="softplus′(a)")
        axes.set(title=f"{title}: a spreads by {a.std():.3g}", xlabel="a = x W1ᵀ + b1, before training")
        axes.set_yticks([0, 0.5, 1])
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure
