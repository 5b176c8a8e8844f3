"""Document 004: SGD, momentum, RMSprop and Adam from the same start, down three valleys and on MNIST.

    python examples/documents/004_optimizers/compare.py [--out DIR]

Every update is the library's, held against the document's formula first. Each rule gets the learning rate of one grid
that serves it best, for "α needs to be tuned". The whole of MNIST is used where it is found, else the embedded digits.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pictures import save_curves, save_paths

import tinygrad_lite as tg
from tinygrad_lite import data, nn, optim, train
from tinygrad_lite.errors import DataError

HERE = Path(__file__).parent

RATES = [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
"""The learning rates that every rule is tried with."""

# The document names one β for momentum and for RMSprop, and for Adam β1 = 0.9, β2 = 0.999, ε = 1e-8.
β, β1, β2, ε = 0.9, 0.9, 0.999, 1e-8

RULES = {
    "SGD": lambda α: optim.SGD(lr=α),
    "Momentum": lambda α: optim.Momentum(lr=α, beta=β),
    "RMSprop": lambda α: optim.RMSprop(lr=α, beta=β, epsilon=ε),
    "Adam": lambda α: optim.Adam(lr=α, beta1=β1, beta2=β2, epsilon=ε),
}

# ----- The formulas as the document writes them; V and S start at 0 -----


def sgd(W, δW, V, S, α, t):
    return W - α * δW, V, S


def momentum(W, δW, V, S, α, t):  # 004.11
    V = β * V + (1 - β) * δW
    return W - α * V, V, S


def rmsprop(W, δW, V, S, α, t):  # 004.12
    S = β * S + (1 - β) * δW**2
    return W - α * δW / (np.sqrt(S) + ε), V, S


def adam(W, δW, V, S, α, t):  # 004.13
    V = β1 * V + (1 - β1) * δW
    S = β2 * S + (1 - β2) * δW**2
    V_hat, S_hat = V / (1 - β1**t), S / (1 - β2**t)
    return W - α * V_hat / (np.sqrt(S_hat) + ε), V, S


BY_HAND = {"SGD": sgd, "Momentum": momentum, "RMSprop": rmsprop, "Adam": adam}

# ----- Valleys: functions of two numbers that fall steeply to a floor and gently along it -----


class Valley(NamedTuple):
    f: Callable
    gradient: Callable  # by hand
    start: tuple[float, float]
    minimum: tuple[float, float]
    view: tuple[float, float, float, float]  # left, right, bottom, top


def bowl(w):
    return (w[0] ** 2 + 50 * w[1] ** 2) / 2


def bowl_gradient(w):
    return np.array([w[0], 50 * w[1]])


TURN = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)  # by 45°


def turned_bowl(w):
    return bowl(TURN @ w)


def turned_bowl_gradient(w):
    return TURN.T @ bowl_gradient(TURN @ w)


def rosenbrock(w):
    return (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2


def rosenbrock_gradient(w):
    return np.array([-2 * (1 - w[0]) - 400 * w[0] * (w[1] - w[0] ** 2), 200 * (w[1] - w[0] ** 2)])


START = np.array([-9.0, 2.0])
VALLEYS = {
    "straight": Valley(bowl, bowl_gradient, tuple(START), (0, 0), (-10, 4, -4, 4)),
    "turned": Valley(turned_bowl, turned_bowl_gradient, tuple(TURN.T @ START), (0, 0), (-10, 4, -10, 4)),
    "rosenbrock": Valley(rosenbrock, rosenbrock_gradient, (-1.2, 1.0), (1, 1), (-2, 2, -1.4, 3)),
}


def walk(f, start, rule, steps):
    """Return the points that a rule visits, its start first; the gradients are automatic."""
    w = tg.Tensor(start, requires_grad=True)
    optimizer = rule.bind([w])
    path = [w.numpy()]
    with np.errstate(all="ignore"):  # a rate that is too high goes to infinity, which is its result
        for _ in range(steps):
            f(w).backward()
            optimizer.step()
            optimizer.zero_grad()
            path.append(w.numpy())
    return np.array(path)


def walk_by_hand(gradient, start, formula, α, steps):
    """Return the same by the document's formula and a gradient derived by hand."""
    W, V, S = np.array(start), np.zeros(2), np.zeros(2)
    path = [W]
    for t in range(1, steps + 1):
        W, V, S = formula(W, gradient(W), V, S, α, t)
        path.append(W)
    return np.array(path)


def value_at_the_end(f, path):
    """Return the largest f in the last tenth of the steps: where a rule still hops about, its last value is luck."""
    with np.errstate(all="ignore"):
        largest = np.max([f(w) for w in path[-max(1, len(path) // 10) :]])
    return float(largest) if np.isfinite(largest) else np.inf


# ----- A network on MNIST -----


def digits():
    """Return training and test rows: the whole of MNIST where it is found."""
    try:
        return data.mnist("train"), data.mnist("test")
    except DataError as missing:
        print(f"{missing}\nthe embedded digits take its place\n")
        return data.mnist_subset("train"), data.mnist_subset("test")


SEEDS = (0, 1, 2)
"""Rates are chosen with the first; the others show how much of a difference is luck."""


def network(seed=SEEDS[0], dtype=np.float32):
    """Return the network to start from: a seed gives every rule the same weights."""
    return nn.MLP([784, 100, 10], activation="relu", rng=seed, dtype=dtype)


def batches(rows, epochs, seed=SEEDS[0]):
    """Yield the mini-batches of all epochs: a seed gives every rule the same ones in the same order."""
    for epoch in range(epochs):
        yield from data.mini_batches(*rows, 100, seed=seed, epoch=epoch)


class Run(NamedTuple):
    rate: float
    seed: int
    batch_losses: list[float]
    training_loss: float  # of the trained network, on all training rows
    test_accuracy: float


def train_network(rule, training, test, epochs, seed=SEEDS[0]):
    net, objective, losses = network(seed), nn.CrossEntropy(), []
    optimizer = rule.bind(net, objective)
    with np.errstate(all="ignore"):  # as in `walk`
        for x, t in batches(training, epochs, seed):
            loss = objective(net, x, t)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        training_loss = train.measure(net, objective, *training)["loss"]
        accuracy = train.measure(net, objective, *test)["accuracy"]
    return Run(rule.lr, seed, losses, training_loss if np.isfinite(training_loss) else np.inf, accuracy)


def first_steps_apart(rule, formula, training, steps=5):
    """Return how far the library's first steps on the network lie from the document's formula at most."""
    net, objective, apart = network(dtype=np.float64), nn.CrossEntropy(), 0.0
    optimizer = rule.bind(net, objective)
    by_hand = {name: (p.numpy(), np.zeros(p.shape), np.zeros(p.shape)) for name, p in net.named_parameters()}
    for t, (x, labels) in zip(range(1, steps + 1), batches(training, 1)):
        objective(net, x.astype(np.float64), labels).backward()
        for name, p in net.named_parameters():
            W, V, S = by_hand[name]
            by_hand[name] = formula(W, p.grad, V, S, rule.lr, t)
        optimizer.step()
        optimizer.zero_grad()
        apart = max(apart, *(np.max(np.abs(by_hand[name][0] - p.data)) for name, p in net.named_parameters()))
    return apart


# ----- All of it -----


def check_formulas(training):
    """Print how far the library's steps lie from the document's formulas; raise if that is more than rounding."""
    print("largest difference between the library's steps and the document's formulas, α = 0.001:")
    for name, rule in RULES.items():
        apart = first_steps_apart(rule(0.001), BY_HAND[name], training)
        print(f"  {name:9} 5 steps of the network {apart:.1e}", end="")
        for valley_name, valley in VALLEYS.items():
            path = walk(valley.f, valley.start, rule(0.001), 25)
            on_valley = np.max(np.abs(path - walk_by_hand(valley.gradient, valley.start, BY_HAND[name], 0.001, 25)))
            print(f", 25 steps on {valley_name} {on_valley:.1e}", end="")
            apart = max(apart, on_valley)
        print()
        assert apart < 1e-12, name


def compare_on_valleys(steps):
    """Return the best rate and its path by valley and rule, and a row for each rate that was tried."""
    best, tried = {}, []
    for valley_name, valley in VALLEYS.items():
        for name, rule in RULES.items():
            paths = {α: walk(valley.f, valley.start, rule(α), steps) for α in RATES}
            ends = {α: value_at_the_end(valley.f, path) for α, path in paths.items()}
            α = min(ends, key=ends.get)
            best[valley_name, name] = α, paths[α]
            tried += [(valley_name, name, rate, end, "best" if rate == α else "") for rate, end in ends.items()]
    return best, tried


def compare_on_digits(training, test, epochs):
    """Return the runs at the best rate by rule, one a seed, and a row for each rate that was tried."""
    best, tried = {}, []
    for name, rule in RULES.items():
        runs = [train_network(rule(α), training, test, epochs) for α in RATES]
        chosen = min(runs, key=lambda run: run.training_loss)
        tried += [("digits", name, run.rate, run.training_loss, "best" if run is chosen else "") for run in runs]
        others = [train_network(rule(chosen.rate), training, test, epochs, seed) for seed in SEEDS[1:]]
        best[name] = [chosen, *others]
    return best, tried


def write_csv(path, head, table):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in table)


def smoothed(losses, epochs):
    """Return the mean loss of each tenth of an epoch and where it ends, in epochs: single batches are too noisy."""
    parts = np.array_split(losses, min(10 * epochs, len(losses)))
    return np.cumsum([len(part) for part in parts]) * epochs / len(losses), np.array([part.mean() for part in parts])


def report_valleys(out, steps):
    """Compare on the valleys, print the distances, write tables and a picture; return the rates that were tried."""
    paths, tried = compare_on_valleys(steps)
    distances = {key: np.linalg.norm(path - VALLEYS[key[0]].minimum, axis=1) for key, (_, path) in paths.items()}
    points = [
        (*key, α, step, *map(float, w), float(distances[key][step]))
        for key, (α, path) in paths.items()
        for step, w in enumerate(path)
    ]
    write_csv(out / "paths.csv", ("valley", "rule", "rate", "step", "w1", "w2", "distance"), points)
    save_paths(VALLEYS, paths, out / "paths.png", out / "paths.svg")
    print(f"\ndistance to the minimum after {steps} steps, each rule at its best rate:")
    for (valley, name), (α, _) in paths.items():
        print(f"  {valley:10} {name:9} α = {α:<6g} {distances[valley, name][-1]:.2g}")
    return tried


def report_digits(out, training, test, epochs):
    """Compare on the digits, print the losses, write tables and a picture; return the rates that were tried."""
    best, tried = compare_on_digits(training, test, epochs)
    curves = {name: smoothed(runs[0].batch_losses, epochs) for name, runs in best.items()}
    points = [(name, best[name][0].rate, *map(float, at)) for name in best for at in zip(*curves[name], strict=True)]
    write_csv(out / "curves.csv", ("rule", "rate", "epoch", "loss"), points)
    trained = [(name, r.rate, r.seed, r.training_loss, r.test_accuracy) for name, runs in best.items() for r in runs]
    write_csv(out / "trained.csv", ("rule", "rate", "seed", "training_loss", "test_accuracy"), trained)
    rates = {name: [row[2:4] for row in tried if row[1] == name] for name in RULES}
    save_curves(
        curves, rates, {name: runs[0].rate for name, runs in best.items()}, out / "curves.png", out / "curves.svg"
    )
    print(f"\nafter {epochs} epochs on {len(training[0]):,} digits, each rule at its best rate, seeds {SEEDS}:")
    for name, runs in best.items():
        losses = "  ".join(f"{run.training_loss:.4f}" for run in runs)
        accuracies = "  ".join(f"{run.test_accuracy:.4f}" for run in runs)
        print(f"  {name:9} α = {runs[0].rate:<6g} training loss {losses}   test accuracy {accuracies}")
    return tried


def compare(out, training, test, steps=200, epochs=5):
    """Check the formulas, compare the rules, print what came out, and write tables and pictures into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    check_formulas(training)
    tried = report_valleys(out, steps) + report_digits(out, training, test, epochs)
    write_csv(out / "rates.csv", ("problem", "rule", "rate", "end", "best"), tried)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=HERE, help="where tables and pictures go (default: beside this file)"
    )
    compare(parser.parse_args().out, *digits())
