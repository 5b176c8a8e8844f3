"""What the trained networks show of why some rows fail and others jump about: saturated units, and curvature."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite import data, nn
from tinygrad_lite.experiments import Experiment, build_net, build_objective, build_rule
from tinygrad_lite.experiments.keeping import RunFolder
from tinygrad_lite.experiments.sweeping import SweepRun
from tinygrad_lite.train import load_weights, predict
from tinygrad_lite.train.checkpoints import LAST

FLAT = 0.01
"""A unit passes nothing on to the weights before it where its |h'(a)| is smaller than this."""

SLOPES = {
    "softplus": lambda a: 1 / (1 + np.exp(-a)),
    "tanh": lambda a: 1 - np.tanh(a) ** 2,
    "cos": lambda a: -np.sin(a),
}

BATCH, BATCHES, POWER_STEPS, MORE_STEPS = 100, 10, 20, 50


def stated_rate(experiment: Experiment) -> str:
    """Return α as the document states it, which it divides by the batch size for CIFAR-10."""
    is_divided = experiment.data.name == "cifar10"
    return f"{experiment.optimizer.lr * (experiment.train.batch_size if is_divided else 1):g}"


def looked_into(runs: Sequence[SweepRun], dataset: str, hidden: int) -> Iterator[tuple[SweepRun, str]]:
    """Yield the runs of the first seed with so many hidden units, and the activation of each."""
    for run in runs:
        one = run.experiment
        if (one.data.name, one.net.hidden, one.train.seed) == (dataset, (hidden,), 0):
            yield run, str(one.net.activation)


def trained(run: SweepRun, folder: Path, inputs: int) -> nn.MLP:
    net = build_net(run.experiment, inputs, 10)
    load_weights(net, RunFolder(folder / "runs" / run.name).checkpoints / LAST)
    return net


def before_activation(net: nn.MLP, x: np.ndarray) -> np.ndarray:
    """Return a = x W1ᵀ + b1, a row an image and a column a hidden unit."""
    return np.asarray(x @ net.layers[0].weight.data.T + net.layers[0].bias.data, np.float64)


def first_layers(runs: Sequence[SweepRun], folder: Path, images: int = 1000) -> list[dict[str, str]]:
    """Return how far the hidden units are driven before and after training, on test images of both data sets."""
    rows = []
    for dataset in ("mnist", "cifar10"):
        for run, activation in looked_into(runs, dataset, 300):
            if run.experiment.objective.l2 > 0.01:
                continue
            x = getattr(data, dataset)("test", pixels=run.experiment.data.pixels)[0][:images]
            row = {"dataset": dataset, "activation": activation, "learning_rate": stated_rate(run.experiment)}
            nets = {"before": build_net(run.experiment, x.shape[1], 10), "after": trained(run, folder, x.shape[1])}
            for when, net in nets.items():
                a = before_activation(net, x)
                with np.errstate(over="ignore"):
                    is_flat = np.abs(SLOPES[activation](a)) < FLAT
                row |= {
                    f"spread_of_a_{when}": f"{a.std():.3g}",
                    f"flat_{when}": f"{is_flat.mean():.4f}",
                    f"units_flat_everywhere_{when}": str(int(is_flat.all(axis=0).sum())),
                }
            confusion = np.array(RunFolder(folder / "runs" / run.name).result["test"]["confusion"])
            rows.append(row | {"largest_share_of_one_class": f"{confusion.sum(axis=0).max() / confusion.sum():.4f}"})
    return rows


def edges(runs: Sequence[SweepRun], folder: Path) -> list[dict[str, str]]:
    """Return how curved −E is for trained networks on MNIST, batch by batch, and how far more steps throw them."""
    rows = []
    x, t = (part[: BATCH * MORE_STEPS] for part in data.mnist("train"))
    test = data.mnist("test")
    batches = [(x[i : i + BATCH], t[i : i + BATCH]) for i in range(0, len(x), BATCH)]
    for run, activation in looked_into(runs, "mnist", 100):
        net, objective = trained(run, folder, x.shape[1]), build_objective(run.experiment)
        found = [largest_curvature(net, objective, *batch) for batch in batches[:BATCHES]]
        faults = faults_on_the_way(run, net, batches, *test)
        edge = 2 / run.experiment.optimizer.lr
        rows.append(
            {
                "activation": activation,
                "learning_rate": stated_rate(run.experiment),
                "l2": f"{run.experiment.objective.l2:g}",
                "edge": f"{edge:.6g}",
                "curvature_median": f"{np.median(found):.4g}",
                "curvature_largest": f"{max(found):.4g}",
                "batches": str(BATCHES),
                "batches_beyond": str(sum(curvature > edge for curvature in found)),
                "faults_least": str(min(faults)),
                "faults_most": str(max(faults)),
            }
        )
    return rows


def faults_on_the_way(
    run: SweepRun, net: nn.MLP, batches: Sequence[tuple[np.ndarray, np.ndarray]], x: np.ndarray, t: np.ndarray
) -> list[int]:
    """Train on, a step for each batch, and return the faults on the test rows after each."""
    objective, faults = build_objective(run.experiment), []
    optimizer = build_rule(run.experiment).bind(net, objective)
    for batch in batches:
        objective(net, *batch).backward()
        optimizer.step()
        optimizer.zero_grad()
        faults.append(int(np.sum(predict(net, x).argmax(axis=1) != t)))
    return faults


def largest_curvature(net: nn.MLP, objective: nn.Objective, x: np.ndarray, t: np.ndarray) -> float:
    """Return the eigenvalue of largest size of the Hessian of −E, by the power method: products with it are enough."""
    rng = np.random.default_rng(0)
    vector = {name: rng.normal(size=p.shape).astype(p.dtype) for name, p in net.named_parameters()}
    curvature = 0.0
    with tg.no_grad():
        for _ in range(POWER_STEPS):
            length = np.sqrt(sum(np.sum(part**2) for part in vector.values()))
            vector = {name: (part / length).astype(part.dtype) for name, part in vector.items()}
            (product,) = tg.hvp(lambda net: -objective(net, x, t), (net,), (vector,))
            curvature = float(sum(np.sum(vector[name] * product[name]) for name in vector))
            vector = product
    return curvature
