"""Graphs of 10,000 nodes: how long they take to be read, traced, swept and drawn without Graphviz, and how large.

    python -m benchmarks.large_graphs [--rounds N]

One graph is a deep network of equal layers, one the same without modules, one has no repetition at all.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.graphs import Graph

NODES = 10_000


class Layer(nn.Module):
    def __init__(self):
        self.weight = tg.Tensor(np.ones(4), requires_grad=True)

    def forward(self, x):
        for _ in range(3):
            x = np.tanh(x * self.weight)
        return x + 1.0


class Deep(nn.Module):
    def __init__(self, layers: int):
        self.layers = [Layer() for _ in range(layers)]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x.sum()


def deep(x):
    return Deep(NODES // 9)(x)


def flat(x):
    weight = tg.Tensor(np.ones(4), requires_grad=True, name="weight")
    for _ in range(NODES // 9):
        for _ in range(4):
            x = np.tanh(x * weight)
        x = x + 1.0
    return x.sum()


def irregular(x):
    rng = np.random.default_rng(0)
    values = [x * tg.Tensor(np.ones(4), requires_grad=True, name="weight")]
    operations = (np.tanh, np.sin, np.cos, np.negative, np.square, np.add, np.multiply, np.subtract)
    while len(values) < 1.6 * NODES:  # of which some lead nowhere
        operation = operations[rng.integers(len(operations))]
        values.append(operation(*(values[-1 - rng.integers(min(len(values), 20))] for _ in range(operation.nin))))
        values[-1] = values[-1] if len(values) % 5 else np.tanh(values[-1])
    return values[-1].sum()


def timed(work: Callable[[], object], rounds: int) -> tuple[float, object]:
    taken, result = [], None
    for _ in range(rounds):
        begin = time.perf_counter()
        result = work()
        taken.append(time.perf_counter() - begin)
    return float(np.median(taken)), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(
        "| graph | nodes | `tg.graph` | `tg.trace` | `.backward()` | folded SVG | size |\n|---|---|---|---|---|---|---|"
    )
    for function in (deep, flat, irregular):
        x = tg.Tensor(np.ones(4), requires_grad=True, name="x")
        with np.errstate(all="ignore"):
            result = function(x)
            reading, graph = timed(lambda result=result: tg.graph(result), rounds)
            tracing, _ = timed(lambda function=function, x=x: tg.trace(function, x), rounds)
            assert isinstance(graph, Graph)
            sweeping, _ = timed(graph.backward, rounds)
        drawing, svg = timed(lambda graph=graph: graph.to_svg(renderer="own"), rounds)
        print(
            f"| {function.__name__} | {len(graph):,} | {reading:.2f} s | {tracing:.2f} s | {sweeping:.2f} s "
            f"| {drawing:.2f} s | {len(str(svg)) / 1e3:,.0f} kB |"
        )


if __name__ == "__main__":
    main()
