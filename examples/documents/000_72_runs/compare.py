"""Document 000: the results of its 72 runs beside ours, three seeds each, and what today's practice makes of them.

    python examples/documents/000_72_runs/compare.py [--runs DIR] [--out DIR] [--no-runs]

Runs what `sweep.toml` and `practice.toml` declare, as far as it has not ended in DIR already, holds the results against
`document.csv`, and writes tables, pictures and the tables in README.md. Needs the whole of MNIST and of CIFAR-10.
"""

import argparse
import csv
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from explaining import edges, first_layers, stated_rate
from pictures import save_faults, save_first_layer
from tables import figures_of, fill, sections, seeds_of

from tinygrad_lite.errors import DataError
from tinygrad_lite.experiments import Experiment, read_experiment, run_sweep, runs_of
from tinygrad_lite.experiments.keeping import RunFolder
from tinygrad_lite.experiments.sweeping import SweepRun

HERE = Path(__file__).parent

STABLE = Fraction(15, 100)
"""A row is stable if the spread of its faults, (largest − smallest) / mean over the seeds, is less than this."""

ALLOWED = {"mnist": Fraction(15, 100), "cifar10": Fraction(8, 100)}
"""A stable row agrees if the mean of its faults lies at most this part of the document's faults away from them."""

SETTINGS = ("dataset", "activation", "hidden_units", "learning_rate", "l2")
"""The columns of `document.csv` in which its 72 rows differ."""

Cells = dict[str, str]
Kept = dict | None


def declared(name: str) -> Experiment:
    return read_experiment(HERE / name)


def document() -> list[Cells]:
    return read_csv(HERE / "document.csv")


def settings_of(experiment: Experiment) -> tuple[str, ...]:
    """Return the settings of a run as the document states them: its α is divided by the batch size for CIFAR-10."""
    hidden, l2 = experiment.net.hidden[0], experiment.objective.l2
    return experiment.data.name, str(experiment.net.activation), str(hidden), stated_rate(experiment), f"{l2:g}"


def kept_runs(experiment: Experiment, folder: Path) -> Iterator[tuple[SweepRun, Kept]]:
    """Yield each run of a sweep with its result or the record of its failure, None where it has not ended."""
    for run in runs_of(experiment):
        kept = RunFolder(folder / "runs" / run.name)
        yield run, (kept.failure or kept.result) if kept.kept() == run.experiment else None


def has_result(kept: Kept) -> bool:
    return kept is not None and "error" not in kept


def faults_of(kept: Kept) -> str:
    """Return the faults on the test rows, "diverged", "failed", or nothing where a run has not ended."""
    if kept is None:
        return ""
    if "error" in kept:
        return "diverged" if kept["is_final"] else "failed"
    return str(kept["test"]["faults"])


def loss_of(kept: dict, dataset: str) -> float:
    """Return the test loss in the document's unit: for MNIST the sum over the test rows / 60,000, else their mean."""
    mean = kept["test"]["cross_entropy"]
    return mean * kept["test"]["rows"] / 60_000 if dataset == "mnist" else mean


# ----- Theirs and ours -----


def compared(rows: Sequence[Cells], experiment: Experiment, folder: Path) -> list[Cells]:
    """Return a row of `results.csv` for each row of the document."""
    runs: dict[tuple[str, ...], list[tuple[int, Kept]]] = {}
    for run, kept in kept_runs(experiment, folder):
        runs.setdefault(settings_of(run.experiment), []).append((run.experiment.train.seed, kept))
    results = []
    for row in rows:
        settings = tuple(row[name] for name in SETTINGS)
        cells = dict(zip(SETTINGS, settings, strict=True)) | {
            "their_accuracy_percent": row["accuracy_percent"],
            "their_faults": row["faults_of_10000"],
            "their_loss": row["loss"],
        }
        cells |= measured(runs[settings], row["dataset"])
        cells |= judged(cells, ALLOWED[row["dataset"]])
        results.append(cells)
    return results


def measured(runs: Sequence[tuple[int, Kept]], dataset: str) -> Cells:
    """Return the faults of each seed, and mean, spread and loss over those that have ended well."""
    ended = [kept for _, kept in runs if has_result(kept)]
    faults = [kept["test"]["faults"] for kept in ended]
    cells = {f"faults_{seed}": faults_of(kept) for seed, kept in runs}
    if not ended:
        return cells | dict.fromkeys(("faults_mean", "spread", "loss_mean"), "")
    loss = math.fsum(loss_of(kept, dataset) for kept in ended) / len(ended)
    return cells | {
        "faults_mean": f"{float(mean(faults)):.6g}",
        "spread": f"{float(spread(faults)):.4f}" if len(faults) > 1 else "",
        "loss_mean": f"{loss:.6g}",
    }


def judged(cells: Cells, allowed: Fraction) -> Cells:
    """Return ours/theirs and the verdict on a row: agrees, differs, unstable, diverged, or unfinished."""
    faults, theirs = figures_of(cells), int(cells["their_faults"])
    ratio = f"{float(mean(faults) / theirs):.4f}" if faults else ""
    return {"ratio": ratio, "verdict": verdict(seeds_of(cells), faults, theirs, allowed)}


def verdict(seeds: Sequence[str], faults: Sequence[int], theirs: int, allowed: Fraction) -> str:
    if "diverged" in seeds:
        return "diverged"
    if len(faults) < len(seeds):
        return "unfinished"
    if spread(faults) >= STABLE:
        return "unstable"
    return "agrees" if abs(mean(faults) / theirs - 1) <= allowed else "differs"


def mean(faults: Sequence[int]) -> Fraction:
    """Return the mean as a fraction, so that exactly 15 % is exactly 15 %."""
    return Fraction(sum(faults), len(faults))


def spread(faults: Sequence[int]) -> Fraction:
    return (max(faults) - min(faults)) / mean(faults)


def practised(experiment: Experiment, folder: Path) -> list[Cells]:
    """Return a row of `practice.csv` for each data set; its loss is the mean over the test rows for both."""
    runs: dict[str, list[tuple[int, Kept]]] = {}
    for run, kept in kept_runs(experiment, folder):
        runs.setdefault(run.experiment.data.name, []).append((run.experiment.train.seed, kept))
    return [{"dataset": name} | measured(of_data, "cifar10") for name, of_data in runs.items()]


# ----- Files -----


def read_csv(path: Path) -> list[Cells]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_csv(path: Path, rows: Sequence[Cells]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def compare(runs: Path, out: Path) -> None:
    """Hold what has ended in `runs` against the document, and write all that is kept of it into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    sweep = declared("sweep.toml")
    tables = {
        "results": compared(document(), sweep, runs),
        "practice": practised(declared("practice.toml"), runs / "practice"),
    }
    ended = [run for run, kept in kept_runs(sweep, runs) if has_result(kept)]
    try:
        tables |= {"first_layer": first_layers(ended, runs), "edge": edges(ended, runs)}
        save_first_layer(sweep, out / "first_layer.png", out / "first_layer.svg")
    except DataError as missing:
        print(f"{missing}\nthe networks were not looked into\n")
    for name, rows in tables.items():
        if rows:
            write_csv(out / f"{name}.csv", rows)
    save_faults(tables["results"], ALLOWED, out / "faults.png", out / "faults.svg")
    written = sections({name: rows for name, rows in tables.items() if rows})
    readme = fill((HERE / "README.md").read_text(encoding="utf-8"), written)
    (out / "README.md").write_text(readme, encoding="utf-8", newline="\n")
    print(written["summary"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("72_runs"), help="the folder of the runs (default: 72_runs)")
    parser.add_argument("--out", type=Path, default=HERE, help="where tables and pictures go (default: beside this)")
    parser.add_argument("--no-runs", action="store_true", help="compare what has ended, and run nothing")
    arguments = parser.parse_args()
    if not arguments.no_runs:
        run_sweep(declared("sweep.toml"), arguments.runs)
        run_sweep(declared("practice.toml"), arguments.runs / "practice")
    compare(arguments.runs, arguments.out)
