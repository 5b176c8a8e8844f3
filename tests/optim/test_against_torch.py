"""Twenty steps on a random quadratic against PyTorch, where it is installed and the conventions coincide."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import optim

STEPS, SIZE = 20, 6

PAIRS = {
    "sgd": (optim.SGD(lr=0.05), "SGD", {"lr": 0.05}),
    "heavy ball": (optim.HeavyBall(lr=0.05, momentum=0.8), "SGD", {"lr": 0.05, "momentum": 0.8}),
    "nesterov": (
        optim.Nesterov(lr=0.05, momentum=0.8),
        "SGD",
        {"lr": 0.05, "momentum": 0.8, "nesterov": True},
    ),
    "rmsprop": (
        optim.RMSprop(lr=0.05, beta=0.95, epsilon=1e-6),
        "RMSprop",
        {"lr": 0.05, "alpha": 0.95, "eps": 1e-6},
    ),
    "rmsprop by default": (optim.RMSprop(), "RMSprop", {}),
    "adam": (
        optim.Adam(lr=0.05, beta1=0.8, beta2=0.95, epsilon=1e-6),
        "Adam",
        {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6},
    ),
    "adam by default": (optim.Adam(), "Adam", {}),
    "adamw": (
        optim.AdamW(lr=0.05, beta1=0.8, beta2=0.95, epsilon=1e-6, weight_decay=0.3),
        "AdamW",
        {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.3},
    ),
    "adamw by default": (optim.AdamW(), "AdamW", {}),
}
MAXIMISED = {
    "sgd": (optim.SGD(lr=0.05, maximize=True), "SGD", {"lr": 0.05}),
    "adamw": (optim.AdamW(lr=0.05, weight_decay=0.3, maximize=True), "AdamW", {"lr": 0.05, "weight_decay": 0.3}),
}


@pytest.fixture(scope="module")
def torch() -> Any:
    """Give PyTorch, or skip."""
    return pytest.importorskip("torch", reason="torch is not installed")


@pytest.fixture
def quadratic() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A, b and a start of ½ wᵀ A w − b w, A positive definite."""
    rng = np.random.default_rng(11)
    root = rng.normal(size=(SIZE, SIZE))
    return root @ root.T / SIZE + 0.1 * np.eye(SIZE), rng.normal(size=SIZE), rng.normal(size=SIZE)


def our_path(rule: optim.Rule, quadratic: tuple[np.ndarray, ...], sign: float = 1.0) -> np.ndarray:
    a, b, start = quadratic
    w = tg.Tensor(start, requires_grad=True)
    optimizer = rule.bind([w])
    places = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        (sign * (0.5 * (w @ a @ w) - b @ w)).backward()
        optimizer.step()
        places.append(w.numpy())
    return np.array(places)


def their_path(torch: Any, name: str, settings: dict[str, Any], quadratic: tuple[np.ndarray, ...], sign=1.0) -> Any:
    a, b, start = map(torch.tensor, quadratic)
    w = start.clone().requires_grad_()
    optimizer = getattr(torch.optim, name)([w], **settings)
    places = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        (sign * (0.5 * (w @ a @ w) - b @ w)).backward()
        optimizer.step()
        places.append(w.detach().numpy().copy())
    return np.array(places)


def assert_same_path(ours: np.ndarray, theirs: np.ndarray, start: np.ndarray) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10)
    assert np.abs(ours[-1] - start).max() > 1e-3  # both have gone somewhere


@pytest.mark.parametrize("name", PAIRS)
def test_twenty_steps_are_those_of_torch(name, torch, quadratic):
    rule, theirs, settings = PAIRS[name]
    assert_same_path(our_path(rule, quadratic), their_path(torch, theirs, settings, quadratic), quadratic[-1])


@pytest.mark.parametrize("name", MAXIMISED)
def test_twenty_steps_uphill_are_those_of_torch(name, torch, quadratic):
    rule, theirs, settings = MAXIMISED[name]
    expected = their_path(torch, theirs, {**settings, "maximize": True}, quadratic, sign=-1.0)
    assert_same_path(our_path(rule, quadratic, sign=-1.0), expected, quadratic[-1])
