"""Document 002, second experiment: a network that learns random labels by heart, and nothing that helps it elsewhere.

    python examples/documents/002_random_labels/compare.py [--out DIR]

Trains what `experiment.toml` declares and changes of it, three seeds each, with the digits that come with the library.
"""

import argparse
import csv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from random_label_pictures import save_losses

import tinygrad_lite as tg
from tinygrad_lite import nn, train
from tinygrad_lite.errors import ObjectiveError
from tinygrad_lite.experiments import build_rule, build_schedule, read_experiment, with_settings
from tinygrad_lite.experiments.loading import load_rows

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
"""Each draws other weights and another order of the rows; the labels stay."""


class Case(NamedTuple):
    settings: dict[str, Any]
    """What differs from `experiment.toml`."""
    noise: bool = False
    """Whether the pixels are random as well."""
    softmax_twice: bool = False


STANDARD = {"data.pixels": "standard"}
FITS = {**STANDARD, "optimizer.name": "heavy_ball", "schedule.name": "cosine", "train.batch_size": 20}

CASES = {
    "as stated": Case({}),
    "100 rows, batches of 1": Case({"data.train_rows": 100, "train.batch_size": 1}),
    "60 epochs": Case({"train.epochs": 60}),
    "standardised pixels": Case(STANDARD),
    "standardised, momentum, cosine, batches of 20": Case(FITS),
    "random pixels": Case({}, noise=True),
    "softmax twice, random pixels": Case({}, noise=True, softmax_twice=True),
}
"""What the document leaves open, varied one by one and together; the rate is 0.01 in all of them."""


class SoftmaxTwice(nn.Term):
    name = "softmax_twice"

    def value(self, net, prediction, target):
        return tg.softmax_cross_entropy(prediction, target)  # applies softmax to what is a softmax already


def refusal():
    """Return what the library says to cross-entropy on a network that ends in a softmax."""
    net = nn.MLP([784, 128, 64, 2], activation="relu", output="softmax", rng=0)
    try:
        nn.CrossEntropy()(net, np.zeros((1, 784), np.float32), np.array([0]))
    except ObjectiveError as problem:
        return str(problem)


def rows_of(experiment, noise):
    """Return training and test rows; their labels are random, and with `noise` their pixels too."""
    rows = load_rows(experiment)
    if not noise:
        return rows.train, rows.test
    rng = np.random.default_rng(1)
    return tuple((rng.normal(size=x.shape).astype(np.float32), t) for x, t in (rows.train, rows.test))


def learn(experiment, case, seed):
    """Train one network; return a row for each epoch, its losses all measured at the end of the epoch."""
    experiment = with_settings(experiment, {**case.settings, "train.seed": seed})
    training, test = rows_of(experiment, case.noise)
    output, objective = ("softmax", SoftmaxTwice()) if case.softmax_twice else ("identity", nn.CrossEntropy())
    net = nn.MLP([784, *experiment.net.hidden, 2], experiment.net.activation, output, rng=seed)
    at_the_end = []
    history = tg.fit(
        net,
        objective,
        build_rule(experiment),
        train=training,
        validation=test,
        epochs=experiment.train.epochs,
        batch_size=experiment.train.batch_size,
        seed=seed,
        schedule=build_schedule(experiment),
        callbacks=[lambda _: at_the_end.append(train.measure(net, objective, *training))],
        progress=False,
    )
    return [
        {
            "seed": seed,
            "epoch": row["epoch"],
            "training_loss": measured["loss"],
            "training_accuracy": measured["accuracy"],
            "while_training": row["loss"],
            "test_loss": row["validation_loss"],
            "test_accuracy": row["validation_accuracy"],
        }
        for row, measured in zip(history.rows, at_the_end, strict=True)
    ]


COLUMNS = ("training_loss", "training_accuracy", "test_loss", "test_accuracy")


def spread(values):
    return f"{np.mean(values):.3f} ({min(values):.3f} … {max(values):.3f})"


def markdown(points):
    """Return a table of the last epoch of each case: the mean over the seeds, and least … most."""
    lines = ["| | training loss | training accuracy | test loss | test accuracy |", "|---|---|---|---|---|"]
    for name in dict.fromkeys(point["case"] for point in points):
        last = {point["seed"]: point for point in points if point["case"] == name}.values()
        cells = [spread([float(point[column]) for point in last]) for column in COLUMNS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_csv(path, points):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(points[0]), lineterminator="\n")
        writer.writeheader()
        for point in points:
            writer.writerow({key: f"{cell:.6g}" if isinstance(cell, float) else cell for key, cell in point.items()})


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def compare(out, experiment, cases=CASES, seeds=SEEDS):
    """Train every case with every seed, print a table, and write the losses and a picture of them into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    print(f"cross-entropy after a softmax is refused:\n  {refusal()}\n")
    points = []
    for name, case in cases.items():
        points += [{"case": name, **row} for seed in seeds for row in learn(experiment, case, seed)]
    write_csv(out / "losses.csv", points)
    points = read_csv(out / "losses.csv")  # so that what is told is what is kept, digit for digit
    save_losses(points, out / "losses.png", out / "losses.svg")
    print(markdown(points))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=HERE, help="where the table and the picture go (default: beside this file)"
    )
    compare(parser.parse_args().out, read_experiment(HERE / "experiment.toml"))
