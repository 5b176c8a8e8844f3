"""What names and scopes cost an eager training step: the same network with and without them.

    python -m benchmarks.names_and_scopes [--rounds N]

Two nets of the same numbers alternate in one process in short blocks, each block right beside the other's; what is
printed is the median of the paired ratios and differences with the 10th and 90th percentile.
"""

import argparse
import time

import numpy as np

from benchmarks.eager_step import WORKLOADS, declared
from tinygrad_lite import nn


def without_names(net: nn.MLP) -> nn.MLP:
    """Take the names and scopes away that assigning parts to a module has given."""
    for layer in net.layers:
        object.__setattr__(layer, "_scope", "")
    for parameter in net.parameters():
        parameter.name = None
    return net


def compare(batch: int, widths: tuple[int, int, int], activation: str, rounds: int) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.random((batch, widths[0]), dtype=np.float32), rng.integers(0, widths[2], batch)
    steps = [
        declared(net, x, t)
        for net in (without_names(nn.MLP(widths, activation=activation, rng=0)), nn.MLP(widths, activation, rng=0))
    ]
    block = 10 if batch < 50 else 3
    times: list[list[float]] = [[], []]
    for step in steps * 20:
        step()
    for turn in range(rounds):
        for i in (0, 1) if turn % 2 else (1, 0):
            begin = time.perf_counter()
            for _ in range(block):
                steps[i]()
            times[i].append((time.perf_counter() - begin) / block)
    bare, named = map(np.array, times)
    ratios, differences = np.percentile(named / bare, [10, 50, 90]), np.percentile(named - bare, [10, 50, 90])
    print(f"  without {1e6 * np.median(bare):.1f} µs, with {1e6 * np.median(named):.1f} µs")
    print("  ratio {1:.3f}  [{0:.3f} … {2:.3f}]".format(*ratios))
    print("  difference {1:.2f} µs  [{0:.2f} … {2:.2f}]".format(*(1e6 * differences)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1000)
    options = parser.parse_args()
    for name, workload in WORKLOADS.items():
        print(name)
        compare(*workload, options.rounds)


if __name__ == "__main__":
    main()
