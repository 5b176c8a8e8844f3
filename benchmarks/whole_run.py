"""What a declared run costs beside its own training steps: `fit` with a history, norms and checkpoints, against steps.

    python -m benchmarks.whole_run [--rounds N] [--as-written]

A round times the epochs of one `fit` after the first, which compiles (batches drawn, figures counted; with norms of the
gradients, and with a checkpoint an epoch as well; no rows held out) and, right beside it, as many bare steps of the
same network, compiled too, on one batch that stays in the cache: objective, backward, step. What is printed is the
median of the paired ratios with the 10th and 90th percentile, and what a step takes.
"""

import argparse
import tempfile
import time
from collections.abc import Callable

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite import nn, optim

WORKLOADS = {
    "784-100-10 softplus, 100 rows, SGD": ((784, 100, 10), "softplus", 100, 60_000, optim.SGD(lr=0.01)),
    "784-100-10 softplus, 100 rows, Adam": ((784, 100, 10), "softplus", 100, 60_000, optim.Adam()),
    "784-300-10 relu, 100 rows, SGD": ((784, 300, 10), "relu", 100, 60_000, optim.SGD(lr=0.01)),
    "3072-100-10 softplus, 100 rows, SGD": ((3072, 100, 10), "softplus", 100, 30_000, optim.SGD(lr=0.01)),
    "784-128-64-10 relu, 32 rows, SGD": ((784, 128, 64, 10), "relu", 32, 32_000, optim.SGD(lr=0.01)),
}

VARIANTS = ("", False, False), (" + norms", True, False), (" + norms, checkpoints", True, True)

EPOCHS = 3
"""How many epochs are timed, after one that is not."""


def fit_and_steps(
    widths: tuple[int, ...], activation: str, batch_size: int, rows: int, rule: optim.Rule, compiled: bool
) -> tuple[Callable[[bool, bool], float], Callable[[], float]]:
    """Return what times `fit`, with norms and with checkpoints or without, and what times the bare steps."""
    rng = np.random.default_rng(0)
    x = rng.random((rows, widths[0]), dtype=np.float32)
    t = rng.integers(0, widths[-1], rows)
    objective = nn.CrossEntropy()
    bare = nn.MLP(widths, activation=activation, rng=0)
    optimizer = rule.bind(bare, objective)
    batch, labels = tg.Tensor(x[:batch_size]), tg.Tensor(t[:batch_size])

    def step(inputs: tg.Tensor, targets: tg.Tensor) -> tg.Tensor:
        loss = objective(bare, inputs, targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    run = tg.compile(step) if compiled else step

    def whole(norms: bool, keeps: bool) -> float:
        moments: list[float] = []
        with tempfile.TemporaryDirectory() as folder:
            tg.fit(
                nn.MLP(widths, activation=activation, rng=0),
                objective,
                rule,
                train=(x, t),
                epochs=1 + EPOCHS,
                batch_size=batch_size,
                gradient_norms=norms,
                callbacks=[lambda _: moments.append(time.perf_counter())],
                checkpoints=folder if keeps else None,
                progress=False,
                compiled=compiled,
            )
        return moments[-1] - moments[0]

    def steps() -> float:
        run(batch, labels)
        begin = time.perf_counter()
        for _ in range(EPOCHS * rows // batch_size):
            run(batch, labels)
        return time.perf_counter() - begin

    return whole, steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--as-written", action="store_true", help="compile neither side")
    given = parser.parse_args()
    print(f"{'fit / its own steps':<60} {'median':>7}   10 % … 90 %   step")
    for name, workload in WORKLOADS.items():
        whole, steps = fit_and_steps(*workload, not given.as_written)
        count = EPOCHS * workload[3] // workload[2]
        for what, norms, keeps in (
            ("", False, False),
            (" + norms", True, False),
            (" + norms, checkpoints", True, True),
        ):
            pairs = [(whole(norms, keeps), steps()) for _ in range(given.rounds)]
            low, median, high = np.quantile([fitted / bare for fitted, bare in pairs], [0.1, 0.5, 0.9])
            one = 1e6 * np.median([bare for _, bare in pairs]) / count
            print(f"{name + what:<60} {median:7.2f}   {low:.2f} … {high:.2f}   {one:.0f} µs", flush=True)


if __name__ == "__main__":
    main()
