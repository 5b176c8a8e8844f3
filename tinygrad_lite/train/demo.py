"""The main job in one call: train a declared network, check its gradients three ways, draw it, save and reload it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinygrad_lite.analytic import mlp_gradients
from tinygrad_lite.check import GradientReport, check_gradients
from tinygrad_lite.data import mnist_subset
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.graphs import trace
from tinygrad_lite.nn import L2, MLP, CrossEntropy
from tinygrad_lite.optim import Adam
from tinygrad_lite.train.fitting import fit
from tinygrad_lite.train.measuring import predict
from tinygrad_lite.train.plots import save_curves
from tinygrad_lite.train.weights import load_weights, save_weights

WIDTHS, ACTIVATION, PENALTY, BATCH = (784, 100, 10), "softplus", 3e-4, 100


class DemoResult(NamedTuple):
    """What the demo found, and where its files are."""

    test_accuracy: float
    report: GradientReport
    reloaded_alike: bool
    files: tuple[Path, ...]


def run_demo(epochs: int, seed: int, out: str | os.PathLike[str]) -> DemoResult:
    """Train a 784-100-10 softplus network on the embedded MNIST subset, check its gradients, and write its pictures.

    Writes `graph.svg`, `curves.png` and `model.safetensors` into the folder `out`, which is made if need be.
    Raises ArgumentError for epochs below 1, a negative seed, or an `out` that is no folder.
    """
    folder = _folder(out)
    if epochs < 1 or seed < 0:
        raise ArgumentError(f"epochs must be at least 1 and the seed at least 0, got {epochs} and {seed}")
    train, test = mnist_subset("train"), mnist_subset("test")
    net = MLP(WIDTHS, activation=ACTIVATION, rng=seed)
    objective = CrossEntropy() + PENALTY * L2()
    history = fit(
        net, objective, Adam(lr=0.003), train=train, validation=test, epochs=epochs, batch_size=BATCH, seed=seed
    )
    x, t = train[0][:BATCH], train[1][:BATCH]
    report = check_gradients(lambda net: objective(net, x, t), net, analytic=lambda net: by_hand(net, x, t))
    files = (
        trace(objective, net, x, t).backward().save(folder / "graph.svg", report=report),
        save_curves(history, folder / "curves.png"),
        save_weights(net, folder / "model.safetensors"),
    )
    reloaded = MLP(WIDTHS, activation=ACTIVATION, rng=seed + 1)
    load_weights(reloaded, folder / "model.safetensors")
    alike = bool(np.array_equal(predict(net, test[0]), predict(reloaded, test[0])))
    return DemoResult(history.last["validation_accuracy"], report, alike, files)


def by_hand(net: MLP, x: np.ndarray, t: np.ndarray) -> dict[str, np.ndarray]:
    """Return the handwritten gradient of the demo's objective for each parameter of `net`, by name."""
    named = net.named_parameters()
    values = [parameter.numpy() for _, parameter in named]
    gradients = mlp_gradients(values, x.astype(np.float64), t, ACTIVATION, l2=PENALTY)
    return {name: gradient for (name, _), gradient in zip(named, gradients, strict=True)}


def _folder(out: str | os.PathLike[str]) -> Path:
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # known before anything is trained
            pass
    except OSError as problem:
        raise ArgumentError(
            f"cannot write into {os.fspath(out)!r}: {problem}; choose another folder with --out"
        ) from problem
    return folder
