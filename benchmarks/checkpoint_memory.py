"""What `checkpoint` saves in memory and costs in time, on a deep network differentiated with and without it.

    python -m benchmarks.checkpoint_memory [--rounds N]

64 layers of 400 × 256 values, in segments of 8. Peaks are what tracemalloc counts beyond what was there before; times
are medians of interleaved rounds.
"""

import argparse
import statistics
import time
import tracemalloc

import numpy as np

import tinygrad_lite as tg

LAYERS, SEGMENT, BATCH, WIDTH = 64, 8, 400, 256


def differentiate(weights, x, wrapped):
    def segment(x, start):
        for w in weights[start : start + SEGMENT]:
            x = np.tanh(x @ w.T)
        return x

    h = x
    for start in range(0, LAYERS, SEGMENT):
        h = wrapped(segment)(h, start)
    np.sum(h**2).backward()
    for w in weights:
        w.grad = None


def peak_of(weights, x, wrapped):
    tracemalloc.start()
    differentiate(weights, x, wrapped)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak - sum(w.data.nbytes for w in weights)


def seconds_of(weights, x, wrapped):
    start = time.perf_counter()
    differentiate(weights, x, wrapped)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    rng = np.random.default_rng(0)
    weights = [tg.Tensor(rng.normal(size=(WIDTH, WIDTH)) / 16, requires_grad=True) for _ in range(LAYERS)]
    x = tg.Tensor(rng.normal(size=(BATCH, WIDTH)), requires_grad=True)
    plain, kept = peak_of(weights, x, lambda f: f), peak_of(weights, x, tg.checkpoint)
    pairs = [(seconds_of(weights, x, lambda f: f), seconds_of(weights, x, tg.checkpoint)) for _ in range(rounds)]
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"peak beyond the gradients: {plain / 2**20:.1f} MiB without, {kept / 2**20:.1f} MiB with checkpoint")
    print(f"ratio of memory {kept / plain:.2f}, of time {ratio:.2f} (median of {rounds} rounds)")


if __name__ == "__main__":
    main()
