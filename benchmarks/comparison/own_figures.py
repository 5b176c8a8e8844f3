"""What has no peer: the cost of a node, the first call of a program, Adam beside SGD, an epoch of `fit`.

    python -m benchmarks.comparison.own_figures [--rounds N]

prints them as JSON.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tinygrad_lite as tg
from benchmarks.comparison.contenders.ours import training
from benchmarks.comparison.statistics import Figure, figure, paired
from benchmarks.comparison.workloads import L2, MIDDLE, Problem, Workload
from benchmarks.long_chain import cost
from tinygrad_lite import data, errors, nn, optim

EPOCH_STEPS_IN_BLOCK = 100
NODES = 1_000


class OwnFigure(NamedTuple):
    """A figure, what it is of, and the goal for it."""

    label: str
    figure: Figure
    goal: float | None = None
    unit: str = ""


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def cost_of_a_node(rounds: int) -> list[OwnFigure]:
    """Return what a node costs to build, sweep and free in a short chain, and how much more in a long one."""
    short = [float(np.median([cost(10_000).sum() for _ in range(5)])) for _ in range(rounds)]
    long = [float(cost(1_000_000).sum()) for _ in range(rounds)]
    return [
        OwnFigure("eager: build, sweep and free a node of 10,000", figure([1e6 * s for s in short]), unit="µs"),
        OwnFigure("the same of 1,000,000 nodes", figure([1e6 * s for s in long]), unit="µs"),
        OwnFigure("the second over the first", paired(long, short)),
    ]


def deep_step() -> Callable[..., Any]:
    """Return a step whose capture, with its sweep and its update, comes to about a thousand nodes."""
    net = nn.MLP([4] * (NODES // 16 + 1), activation="tanh", rng=0)
    objective, optimizer = nn.MSE() + L2 * nn.L2(), optim.SGD(lr=0.01).bind(net)

    def step(x: tg.Tensor, t: tg.Tensor) -> tg.Tensor:
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def first_call(function: Callable[..., object], *arguments: object) -> float:
    return seconds(lambda: function(*arguments))


def first_calls(rounds: int) -> list[OwnFigure]:
    """Return what capturing, planning and running a step for the first time takes."""
    x, t = tg.Tensor(np.ones((8, 4), np.float32)), tg.Tensor(np.zeros((8, 4), np.float32))
    nodes = len(tg.trace(deep_step(), x, t))
    deep = [first_call(tg.compile(deep_step()), x, t) for _ in range(rounds)]
    middle = [first_call(training(Problem(MIDDLE), tg.compile).run) for _ in range(rounds)]
    return [
        OwnFigure(f"compiled: the first call of a step of {nodes:,} nodes", figure(deep), 0.5, "s"),
        OwnFigure(f"compiled: the first call of {MIDDLE.name}", figure(middle), unit="s"),
    ]


def adam_beside_sgd(rounds: int) -> OwnFigure:
    """Return the compiled step of Adam over that of SGD, of the same network."""
    adam = training(Problem(Workload(MIDDLE.batch, MIDDLE.widths, rule="adam")), tg.compile).run
    sgd = training(Problem(MIDDLE), tg.compile).run
    pairs = [(block(adam), block(sgd)) for _ in range(rounds + 1)][1:]  # the first compiles
    return OwnFigure(f"compiled: Adam over SGD, {MIDDLE.name}", paired(*zip(*pairs, strict=True)), 1.35)


def block(step: Callable[[], object]) -> float:
    return seconds(lambda: [step() for _ in range(EPOCH_STEPS_IN_BLOCK)])


def epoch_of_fit(rounds: int) -> OwnFigure:
    """Return an epoch of `fit`, no rows held out, over as many compiled steps on one batch that stays in the cache."""
    try:
        images, labels = data.mnist("train")
        source = "MNIST"
    except errors.DataError:
        images, labels = data.mnist_subset("train")
        source = "the embedded digits"
    net = nn.MLP(MIDDLE.widths, activation=MIDDLE.activation, rng=0)
    objective, rule = nn.CrossEntropy() + 1e-4 * nn.L2(), optim.SGD(lr=0.01)
    step = training(Problem(MIDDLE), tg.compile).run
    block(step)

    def epoch() -> None:
        tg.fit(net, objective, rule, train=(images, labels), epochs=1, batch_size=MIDDLE.batch, progress=False)

    blocks = len(images) / MIDDLE.batch / EPOCH_STEPS_IN_BLOCK
    pairs = [(seconds(epoch), blocks * np.mean([block(step) for _ in range(round(blocks))])) for _ in range(rounds)]
    label = f"an epoch of `fit` on {source} ({len(images):,} rows) over its compiled steps"
    return OwnFigure(label, paired(*zip(*pairs, strict=True)), 1.2)


def own_figures(rounds: int) -> list[OwnFigure]:
    """Return all of them; `rounds` of what is short, a third of what is long."""
    few = max(1, rounds // 3)
    return [*cost_of_a_node(few), *first_calls(rounds), adam_beside_sgd(rounds), epoch_of_fit(few)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    print(
        json.dumps(
            [own._asdict() | {"figure": own.figure._asdict()} for own in own_figures(parser.parse_args().rounds)]
        )
    )


if __name__ == "__main__":
    main()
