"""What a declared run costs beside its own training steps: `fit` with a history, norms and checkpoints, against steps.

    python -m benchmarks.whole_run [--rounds N]

A round times `fit` over a few epochs (rows hashed once, batches drawn, figures counted, gradient norms, a checkpoint an
epoch, no rows held out) and, right beside it, as many bare training steps of the same network on one batch: objective,
backward, step. What is printed is the median of the paired ratios with the 10th and 90th percentile.
"""

import argparse
import tempfile
import time
from collections.abc import Callable

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite import nn, optim

WORKLOADS = {
    "784-100-10 softplus, batches of 100": ((784, 100, 10), "softplus", 100, 60_000),
    "784-300-10 relu, batches of 100": ((784, 300, 10), "relu", 100, 60_000),
    "3072-100-10 softplus, batches of 100": ((3072, 100, 10), "softplus", 100, 30_000),
    "784-128-64-10 relu, batches of 32": ((784, 128, 64, 10), "relu", 32, 32_000),
}


EPOCHS = 5


def fit_and_steps(
    widths: tuple[int, ...], activation: str, batch_size: int, rows: int, norms: bool
) -> tuple[Callable[[], float], Callable[[], float]]:
    rng = np.random.default_rng(0)
    x = rng.random((rows, widths[0]), dtype=np.float32)
    t = rng.integers(0, widths[-1], rows)
    objective, rule = nn.CrossEntropy() + 1e-4 * nn.L2(), optim.SGD(lr=0.01)
    net = nn.MLP(widths, activation=activation, rng=0)
    bare = nn.MLP(widths, activation=activation, rng=0)
    optimizer = rule.bind(bare, objective)
    batch, labels = tg.Tensor(x[:batch_size]), tg.Tensor(t[:batch_size])

    def whole() -> float:
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            tg.fit(
                net,
                objective,
                rule,
                train=(x, t),
                epochs=EPOCHS,
                batch_size=batch_size,
                gradient_norms=norms,
                checkpoints=folder,
                progress=False,
            )
            return time.perf_counter() - begin

    def steps() -> float:
        begin = time.perf_counter()
        for _ in range(EPOCHS * rows // batch_size):
            objective(bare, batch, labels).backward()
            optimizer.step()
            optimizer.zero_grad()
        return time.perf_counter() - begin

    return whole, steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{'fit / its own steps':<40} {'median':>7}   10 % … 90 %")
    for name, workload in WORKLOADS.items():
        for norms in (False, True):
            whole, steps = fit_and_steps(*workload, norms)
            ratios = [whole() / steps() for _ in range(rounds)]
            low, median, high = np.quantile(ratios, [0.1, 0.5, 0.9])
            print(f"{name + (' + norms' if norms else ''):<46} {median:7.2f}   {low:.2f} … {high:.2f}", flush=True)


if __name__ == "__main__":
    main()
