"""What importing the package costs beside importing NumPy, in whole processes that alternate.

python -m benchmarks.import_time [--rounds N]
"""

import argparse
import subprocess
import sys
import time

import numpy as np


def seconds(module: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    pairs = np.array([(seconds("numpy"), seconds("tinygrad_lite")) for _ in range(parser.parse_args().rounds)])
    numpy, ours = np.median(pairs, axis=0)
    ratio = np.median(pairs[:, 1] / pairs[:, 0])
    print(f"numpy {1e3 * numpy:.0f} ms, tinygrad_lite {1e3 * ours:.0f} ms, median of the paired ratios {ratio:.2f}")


if __name__ == "__main__":
    main()
