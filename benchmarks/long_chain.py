"""A chain of operations built, swept backward and freed: the cost of one operation must not grow with the chain.

python -m benchmarks.long_chain
"""

import gc
import sys
import time

import numpy as np

import tinygrad_lite as tg


def cost(length: int) -> np.ndarray:
    """Return seconds per operation to build, to sweep and to free a chain of `length` additions."""
    x = tg.Tensor(np.ones(1), requires_grad=True)
    begin = time.perf_counter()
    y = x
    for _ in range(length):
        y = y + x
    built = time.perf_counter()
    y.backward()
    swept = time.perf_counter()
    del y
    freed = time.perf_counter()
    assert x.grad == length + 1
    return np.diff([begin, built, swept, freed]) / length


def main() -> None:
    gc.disable()  # nothing here is cyclic; collections would only add noise
    print(f"recursion limit {sys.getrecursionlimit()}, µs per operation")
    ratios = []
    for repetition in range(3):
        short = np.median([cost(10_000) for _ in range(20)], axis=0)
        long = cost(1_000_000)
        ratios.append(long.sum() / short.sum())
        for label, figures in (("10,000", short), ("1,000,000", long)):
            build, sweep, free = 1e6 * figures
            print(f"  {label:>9}: build {build:.2f}, sweep {sweep:.2f}, free {free:.2f}")
        print(f"  ratio {ratios[-1]:.2f}  (repetition {repetition + 1})")
    print(f"median ratio {np.median(ratios):.2f}")


if __name__ == "__main__":
    main()
