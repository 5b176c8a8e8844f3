"""Small trainings that take milliseconds: points in three clusters, and a line."""

from __future__ import annotations

import numpy as np

from tinygrad_lite import fit, nn, optim
from tinygrad_lite.train import History

CENTRES = np.array([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])


def clusters(rows: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return points around three centres, and which centre each belongs to."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=rows)
    return (CENTRES[labels] + 0.3 * rng.normal(size=(rows, 2))).astype(np.float32), labels


def line(rows: int = 40) -> tuple[np.ndarray, np.ndarray]:
    x = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    return x, 2 * x + 0.5


def classifier(seed: int = 0, dtype: type = np.float32) -> nn.MLP:
    return nn.MLP([2, 6, 3], activation="tanh", rng=seed, dtype=dtype)


def train_classifier(net: nn.MLP | None = None, **options) -> History:
    settings = {"train": clusters(), "epochs": 3, "batch_size": 7, "progress": False} | options
    return fit(net or classifier(), nn.CrossEntropy() + 0.01 * nn.L2(), optim.SGD(lr=0.1), **settings)


def same_bits(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in pairs)
