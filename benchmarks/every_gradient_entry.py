"""A gradient check of two layers on images of 3072 values, at every one of 616,610 parameters, and the default check.

    python -m benchmarks.every_gradient_entry [--rounds N]

Five rows, 200 hidden units, 10 classes, a softmax cross-entropy written out, and weight decay; the bias columns are
joined on with np.concatenate. Weights are scaled so that no unit is saturated. Each line is the fastest of N rounds.
"""

import argparse
import resource
import sys
import time

import numpy as np

import tinygrad_lite as tg

ROWS, INPUTS, HIDDEN, CLASSES, DECAY = 5, 3072, 200, 10, 0.01

ACTIVATIONS = {
    "tanh": np.tanh,
    "softplus": lambda a: np.logaddexp(0, a),
    "log(1 + exp)": lambda a: np.log(1 + np.exp(a)),
}


def problem(activation):
    rng = np.random.default_rng(0)
    X = np.concatenate([np.ones((ROWS, 1)), rng.random((ROWS, INPUTS))], axis=1)
    T = np.eye(CLASSES)[rng.integers(0, CLASSES, ROWS)]
    W1 = rng.normal(size=(HIDDEN, INPUTS + 1)) / np.sqrt(INPUTS + 1)
    W2 = rng.normal(size=(CLASSES, HIDDEN + 1)) / np.sqrt(HIDDEN + 1)

    def objective(W1, W2):
        S1 = X @ W1.T
        Z = np.concatenate([np.ones((ROWS, 1)), activation(S1)], axis=1)
        S2 = Z @ W2.T
        S = S2 - np.max(S2, axis=1, keepdims=True)
        logs = S - np.log(np.sum(np.exp(S), axis=1, keepdims=True))
        return np.sum(T * logs) - DECAY / 2 * (np.sum(W1**2) + np.sum(W2**2))

    return objective, W1, W2


def peak_memory() -> float:
    """Return the largest memory of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    print(f"NumPy {np.__version__}, {peak_memory():.0f} MiB before anything is checked")
    for name, activation in ACTIVATIONS.items():
        f, W1, W2 = problem(activation)
        for every_element in (False, True):
            seconds = []
            for _ in range(rounds):
                start = time.perf_counter()
                report = tg.check_gradients(f, W1, W2, every_element=every_element)
                seconds.append(time.perf_counter() - start)
            assert report, report
            checked = sum(row.entries_checked for row in report.rows)
            error = max(row.numeric_abs_error for row in report.rows)
            print(
                f"{name:<13} {checked:7,} entries one by one: {min(seconds):6.2f} s, "
                f"|automatic − numeric| ≤ {error:.1e}, peak {peak_memory():4.0f} MiB"
            )


if __name__ == "__main__":
    main()
