"""A training loop holds its memory flat with the garbage collector off: graphs die by reference count."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn, optim

STEPS, WARM_UP, BATCH = 200, 500, 32  # NumPy and the interpreter keep small blocks for reuse: they fill up first
ALLOWED = 5_000  # bytes in all 200 steps, 25 a step: less than any object that a graph is made of
HIDDEN_LAYER = BATCH * 64 * 8


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def held() -> int:
    """Return the bytes held, without the free lists of the interpreter; garbage in cycles stays and is counted."""
    gc.freeze()  # nothing that exists can be collected now, but a full collection empties the free lists
    gc.collect()
    gc.unfreeze()
    return tracemalloc.get_traced_memory()[0]


def growth(step: Callable[[], object]) -> int:
    """Return by how many bytes the memory held grows in `STEPS` steps after a warm-up."""
    tracemalloc.start()
    try:
        for _ in range(WARM_UP):
            step()
        before = held()
        for _ in range(STEPS):
            step()
        return held() - before
    finally:
        tracemalloc.stop()


def training_step(objective: nn.Objective, rule: optim.Rule) -> Callable[[], tg.Tensor]:
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.MLP([20, 64, 64], "tanh", "softplus", rng=0, dtype=np.float64), nn.Linear(64, 5, rng=1))
    x, t = rng.normal(size=(BATCH, 20)), rng.integers(5, size=BATCH)
    optimizer = rule.bind(net, objective)

    def step() -> tg.Tensor:
        optimizer.zero_grad()
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        return loss

    return step


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    ("objective", "rule"),
    [
        (nn.CrossEntropy() + 0.01 * nn.L2(), optim.SGD(lr=0.01)),
        (nn.CrossEntropy() + 0.01 * nn.L2() + 0.01 * nn.L1(), optim.Adam()),
        (nn.LogLikelihood() - 0.01 * nn.L2(biases=True), optim.AdamW(maximize=True)),
    ],
    ids=["sgd", "adam", "maximised"],
)
def test_training_holds_its_memory_flat(objective, rule):
    assert growth(training_step(objective, rule)) < ALLOWED


@pytest.mark.usefixtures("no_collector")
def test_gradients_of_gradients_hold_their_memory_flat():
    x = np.random.default_rng(0).normal(size=(BATCH, 64))
    second = tg.grad(lambda w: np.sum(tg.grad(lambda v: np.sum(np.tanh(x * v) ** 2))(w) ** 2))
    assert growth(lambda: second(x)) < ALLOWED


@pytest.mark.usefixtures("no_collector")
def test_the_measurement_sees_a_single_graph_that_is_kept_every_hundredth_step():
    step = training_step(nn.CrossEntropy(), optim.SGD())
    kept: list[tg.Tensor] = []
    count = iter(range(10**6))

    def leaking() -> None:
        loss = step()
        if next(count) % 100 == 0:
            kept.append(loss)

    assert growth(leaking) > 2 * HIDDEN_LAYER > ALLOWED


@pytest.mark.usefixtures("no_collector")
def test_the_measurement_sees_garbage_in_cycles():
    def cyclic() -> None:
        cycle: list[object] = [np.zeros(100)]
        cycle.append(cycle)

    assert growth(cyclic) > STEPS * 800 > ALLOWED
