"""Document 002, first experiment: squared error on a softmax, learning rates, and sigmoid against relu.

    python examples/documents/002_mse_classifier/compare.py [--runs DIR] [--out DIR] [--jobs N]

Runs `sweep.toml`, which goes on where it was when it is called again, and tells how many epochs lead to which accuracy.
MNIST must be there; `python -m tinygrad_lite data` says how to have it.
"""

import argparse
import csv
from itertools import pairwise
from pathlib import Path

from accuracy_pictures import save_accuracies

from tinygrad_lite import train
from tinygrad_lite.data import mini_batches
from tinygrad_lite.experiments import (
    build_net,
    build_objective,
    build_rule,
    read_experiment,
    run_sweep,
    runs_of,
    with_settings,
)
from tinygrad_lite.experiments.loading import load_rows

HERE = Path(__file__).parent

LEVELS = (0.89, 0.93, 0.95, 0.96, 0.97)
"""The test accuracies that are waited for; the first is the document's."""

PARTS = 20
"""How often the test accuracy is measured in the first epoch of a run that is past the first level after it."""

# ----- Training -----


def curve_of(run, folder):
    """Return the accuracies of a run, a row an epoch; none if it failed or has not ended."""
    file = folder / "runs" / run.name / "history.csv"
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as lines:
        return [
            point_of(run, int(row["epoch"]), float(row["accuracy"]), float(row["validation_accuracy"]))
            for row in csv.DictReader(lines)
        ]


def point_of(run, epoch, training_accuracy, test_accuracy):
    activation = run.experiment.net.activation
    return {
        "reduction": run.experiment.objective.reduction,
        "activation": activation if isinstance(activation, str) else ", ".join(activation),
        "rate": run.experiment.optimizer.lr,
        "epoch": epoch,
        "training_accuracy": training_accuracy,
        "test_accuracy": test_accuracy,
    }


def first_epoch(run, rows, parts=PARTS):
    """Return the test accuracy after each part of the first epoch: the same training once more, measured on the way."""
    experiment = run.experiment
    net, objective = build_net(experiment, rows.inputs, rows.outputs), build_objective(experiment)
    optimizer = build_rule(experiment).bind(net, objective)
    size, seed = experiment.train.batch_size, experiment.train.seed
    batches = -(-len(rows.train[0]) // size)
    stops = {round(part * batches / parts): part / parts for part in range(1, parts + 1)}
    found = []
    for done, (x, t) in enumerate(mini_batches(*rows.train, size, seed=seed, epoch=0), 1):
        objective(net, x, t).backward()
        optimizer.step()
        optimizer.zero_grad()
        if done in stops:
            measured = train.measure(net, objective, *rows.test)
            found.append(point_of(run, stops[done], None, measured["accuracy"]))
    return found


def all_curves(experiment, folder, rows):
    """Return the points of all runs in the order of the sweep, with the first epoch of the fast ones in parts."""
    points = []
    for run in runs_of(experiment):
        curve = curve_of(run, folder)
        if curve and curve[0]["test_accuracy"] > LEVELS[0]:
            points += first_epoch(run, rows)[:-1]  # its end stands in the curve
        points += curve
    return points


# ----- What came out -----


def reading(reduction, rate, batch_size=32, classes=10):
    """Return the document's rate under each reading that a run stands for: the factors by which the rates differ."""
    if reduction == "sum":
        return {"summed": rate}
    found = {"over all values": rate} if rate <= 0.1 else {}
    return found | ({"over the rows": rate / classes} if rate >= 0.1 else {})


def epochs_until(curve, level):
    """Return when the test accuracy first reaches a level, on straight lines between measurements; None if never."""
    first = curve[0]
    if first["test_accuracy"] >= level:
        return first["epoch"]
    for before, after in pairwise(curve):
        if after["test_accuracy"] >= level:
            rise = after["test_accuracy"] - before["test_accuracy"]
            part = (level - before["test_accuracy"]) / rise
            return before["epoch"] + part * (after["epoch"] - before["epoch"])
    return None


def by_run(points):
    """Return the points of each run by its reduction, activation and rate."""
    curves = {}
    for point in points:
        curves.setdefault((point["reduction"], point["activation"], point["rate"]), []).append(point)
    return curves


def told(epochs):
    return "–" if epochs is None else f"{epochs:.2f}"


def markdown(points):
    """Return a table with a line a run: the epochs until each level, and the last and the best test accuracy."""
    heads = ["squared errors", "rate", "activation", *(f"{level:.0%}" for level in LEVELS), "last", "best"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for (reduction, activation, rate), curve in by_run(points).items():
        for name, its_rate in reading(reduction, rate).items():
            accuracies = [point["test_accuracy"] for point in curve]
            levels = [told(epochs_until(curve, level)) for level in LEVELS]
            cells = [name, f"{its_rate:g}", activation, *levels, f"{accuracies[-1]:.4f}", f"{max(accuracies):.4f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def ratios(points):
    """Return a table of how many times as many epochs sigmoid needs in the place of relu, where both were run."""
    heads = ["squared errors", "rate", "activation", *(f"{level:.0%}" for level in LEVELS)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    curves = by_run(points)
    for (reduction, activation, rate), curve in curves.items():
        other = curves.get((reduction, activation.replace("relu", "sigmoid"), rate))
        if "relu" not in activation or other is None:
            continue
        cells = []
        for level in LEVELS:
            of_relu, of_sigmoid = epochs_until(curve, level), epochs_until(other, level)
            if of_relu is None:
                cells.append("–")
            elif of_sigmoid is None:
                cells.append(f"> {other[-1]['epoch'] / of_relu:.1f}")
            else:
                cells.append(f"{of_sigmoid / of_relu:.1f}")
        if set(cells) != {"–"}:
            for name, its_rate in reading(reduction, rate).items():
                lines.append(f"| {name} | {its_rate:g} | {activation} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_csv(path, points):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(points[0]), lineterminator="\n")
        writer.writeheader()
        for point in points:
            writer.writerow({key: f"{cell:.6g}" if isinstance(cell, float) else cell for key, cell in point.items()})


def read_csv(path):
    """Return the points that `write_csv` has written."""
    texts = ("reduction", "activation")
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {key: cell if key in texts else float(cell) if cell else None for key, cell in row.items()}
            for row in csv.DictReader(file)
        ]


def compare(experiment, runs, out, jobs=None):
    """Run the sweep as far as it has not ended, print the tables, and write curves and pictures into `out`."""
    rows = load_rows(with_settings(experiment, {"sweep": None}))  # at once, so that data that is missing is told once
    results = run_sweep(experiment, runs, jobs=jobs)
    for row in results.failed:
        settings = ", ".join(f"{path} = {row[path]}" for path in results.settings if row[path] is not None)
        print(f"{settings}: {row['status']}")
    points = all_curves(experiment, runs, rows)
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / "curves.csv", points)
    points = read_csv(out / "curves.csv")  # so that what is told is what is kept, digit for digit
    save_accuracies(by_run(points), out / "accuracy.png", out / "accuracy.svg")
    print(f"epochs until a test accuracy was first reached:\n{markdown(points)}\n")
    print(f"epochs with sigmoid over epochs with relu:\n{ratios(points)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path("runs/002_mse_classifier"),
        help="the folder that keeps the runs of the sweep (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, default=HERE, help="where tables and pictures go (default: beside this file)"
    )
    parser.add_argument("--jobs", type=int, help="how many processes (default: one a core)")
    options = parser.parse_args()
    compare(read_experiment(HERE / "sweep.toml"), options.runs, options.out, options.jobs)
