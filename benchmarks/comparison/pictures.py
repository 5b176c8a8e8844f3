"""The results as pictures: cost by batch, width, depth and parameters, and memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

from benchmarks.comparison.conductor import Measurement
from benchmarks.comparison.contenders import CONTENDERS
from benchmarks.comparison.results import Results
from benchmarks.comparison.statistics import figure
from benchmarks.comparison.workloads import Workload

ABSCISSAE: dict[str, Callable[[Workload], int]] = {
    "batch": lambda workload: workload.batch,
    "width": lambda workload: workload.widths[1],
    "depth": lambda workload: len(workload.widths) - 2,
}
AXES = {
    "batch": "rows in a batch of 784-100-10",
    "width": "units in the hidden layer of 784-…-10, batches of 100",
    "depth": "hidden layers of 128 units, of 256 inputs in batches of 64",
}
MARKERS = "osD^v<>phXP*"
COLOURS = {
    "handwritten": "black", "eager": "#f4a261", "compiled": "#d62728",
    "torch": "#1f77b4", "torch_lean": "#6baed6", "torch_compile": "#08306b",
    "jax": "#2ca02c", "jax_queued": "#98df8a", "autograd": "#9467bd", "mygrad": "#8c564b",
    "tinygrad": "#e377c2", "micrograd": "#7f7f7f",
}  # fmt: skip
OURS = ("eager", "compiled")


def draw(results: Results, folder: Path) -> None:
    """Write the pictures of what was measured as SVG."""
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 9})
    for name, series in results.series.items():
        points = [(ABSCISSAE[name](found.workload), found) for found in series]
        _lines(points, AXES[name], folder / f"cost_by_{name}.svg")
    if results.series:
        growing = [found for name, series in results.series.items() if name != "batch" for found in series]
        points = [(found.workload.parameters, found) for found in growing]
        _lines(
            points,
            "parameters, of the networks of all widths and depths",
            folder / "cost_by_parameters.svg",
            joined=False,
        )
    if results.measurements:
        _memory(results.measurements, folder / "memory.svg")


def _figure(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    picture = Figure(figsize=(7.5, height), layout="constrained")
    return picture, picture.add_subplot()


def _lines(points: list[tuple[int, Measurement]], label: str, path: Path, joined: bool = True) -> None:
    picture, axes = _figure(4.5)
    present = [name for name in CONTENDERS if any(name in found.step for _, found in points)]
    for number, name in enumerate(present):
        of = [(x, figure([1e6 * time for time in found.step[name]])) for x, found in points if name in found.step]
        x, medians = [x for x, _ in of], [f.median for _, f in of]
        ends = [[f.median - f.low for _, f in of], [f.high - f.median for _, f in of]]
        axes.errorbar(
            x, medians, yerr=ends, label=CONTENDERS[name].title, marker=MARKERS[number], markersize=4, elinewidth=0.8,
            linestyle="-" if joined else "none", linewidth=2.2 if name in OURS else 1, color=COLOURS[name],
        )  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel=label, ylabel="µs a step, median and 10 % … 90 %")
    axes.grid(visible=True, which="both", alpha=0.2)
    picture.legend(loc="outside right upper", frameon=False)
    picture.savefig(path, metadata={"Date": None})


def _memory(measurements: list[Measurement], path: Path) -> None:
    names = [name for name in CONTENDERS if any(name in found.step for found in measurements)]
    training = [found for found in measurements if found.workload.kind == "training"]
    picture, axes = _figure(1 + 0.16 * len(names) * len(training))
    for row, found in enumerate(training):
        for number, name in enumerate(names):
            if name in found.step:
                height = row + 0.8 * number / len(names)
                axes.barh(height, found.prepared[name]["peak_growth"] / 2**20, 0.8 / len(names), color=COLOURS[name],
                          label=CONTENDERS[name].title if row == 0 else None)  # fmt: skip
    axes.set(yticks=[row + 0.4 for row in range(len(training))], xscale="symlog",
             xlabel="MiB that the process grows by over its first 50 steps, compilation included")  # fmt: skip
    axes.set_yticklabels([found.workload.name.replace(" ", "\n", 1) for found in training])
    axes.invert_yaxis()
    picture.legend(loc="outside right upper", frameon=False)
    picture.savefig(path, metadata={"Date": None})
