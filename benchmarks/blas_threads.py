"""The compiled training step with one thread of BLAS beside as many as there are.

    python -m benchmarks.blas_threads [--rounds N]

Both run in one process in alternating blocks; what is printed is the median of the paired ratios, the 10th and the 90th
percentile. Above 1 one thread is slower.
"""

import argparse
import time

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite import nn, optim

WORKLOADS = ((16, (8, 16, 4)), (100, (784, 100, 10)), (64, (784, 256, 256, 256, 10)), (100, (3072, 200, 10)))


def step(batch: int, widths: tuple[int, ...], threads: int | None):
    rng = np.random.default_rng(0)
    x, t = tg.Tensor(rng.random((batch, widths[0]), dtype=np.float32)), tg.Tensor(rng.integers(0, widths[-1], batch))
    net, objective = nn.MLP(widths, activation="relu", rng=0), nn.CrossEntropy() + 0.01 * nn.L2()
    optimizer = optim.SGD(lr=0.01).bind(net)

    def train(x, t):
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    compiled = tg.compile(train, threads=threads)
    return lambda: compiled(x, t)


def seconds(run) -> float:
    run()
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < 0.02:
        run()
        count += 1
    return (time.perf_counter() - begin) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    for batch, widths in WORKLOADS:
        one, all_threads = (step(batch, widths, threads) for threads in (1, None))
        ratios = [seconds(one) / seconds(all_threads) for _ in range(options.rounds)]
        low, middle, high = np.percentile(ratios, [10, 50, 90])
        name = f"{batch}-{'-'.join(map(str, widths))}"
        print(f"  {name:<28} one thread / all {middle:5.2f}  [{low:.2f} … {high:.2f}]")


if __name__ == "__main__":
    main()
