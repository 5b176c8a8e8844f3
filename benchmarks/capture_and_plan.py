"""What the first call of a compiled function costs, capturing, rewriting, planning and writing, by its size.

python -m benchmarks.capture_and_plan [--parts]
"""

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable

import numpy as np

import tinygrad_lite as tg

X = np.ones((2, 3))

Step = Callable[[tg.Tensor], object]


def chain(nodes: int) -> Step:
    """Return a forward computation of one operation after the other."""

    def function(x: tg.Tensor) -> tg.Tensor:
        for i in range(nodes):
            x = np.sin(x) if i % 2 else x * 1.5
        return x

    return function


def training_step(nodes: int) -> Step:
    """Return a step of that many nodes: layers forward, backward, and an update of each of their weights."""
    weights = [tg.Tensor(np.eye(3), requires_grad=True, name=f"w{i}") for i in range(nodes // 9)]
    lr = tg.Tensor(np.array(0.01), name="lr")

    def function(x: tg.Tensor) -> tg.Tensor:
        for w in weights:
            x = np.tanh(x @ w)
        loss = np.sum(x * x)
        loss.backward()
        with tg.no_grad():
            for w in weights:
                w.assign(w - lr * w.grad)
                w.grad = None
        return loss.detach()

    return function


STEPS = {"chain": chain, "training step": training_step}


def first_call(function: Step, exact: bool) -> tuple[float, float, int]:
    """Return the seconds of the first call of a function compiled, those of the next, and the number of its nodes."""
    program, x = tg.compile(function, exact=exact), tg.Tensor(X)
    begin = time.perf_counter()
    program(x)
    middle = time.perf_counter()
    program(x)
    return middle - begin, time.perf_counter() - middle, len(program.graph)


def show_parts(function: Step) -> None:
    """Print where the time of a first call goes."""
    profile = cProfile.Profile()
    profile.runcall(tg.compile(function), tg.Tensor(X))
    pstats.Stats(profile).sort_stats("tottime").print_stats(15)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", action="store_true", help="profile the largest of each")
    options = parser.parse_args()
    for name, make in STEPS.items():
        for exact in (True, False):
            seconds = []
            for size in (1_000, 10_000):
                first, later, nodes = min(first_call(make(size), exact) for _ in range(3))
                seconds.append(first / nodes)
                print(
                    f"{name}{', exact' if exact else ''}: {nodes:,} nodes, first call {first:.3f} s, "
                    f"{1e6 * first / nodes:.0f} µs a node; later {1e3 * later:.2f} ms"
                )
            print(f"  a node costs {seconds[1] / seconds[0]:.2f} times as much among ten times as many")
        if options.parts:
            show_parts(make(10_000))


if __name__ == "__main__":
    main()
