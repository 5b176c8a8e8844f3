"""The training step of SGD with L2, eager and compiled, beside the bare matrix products and handwritten NumPy.

    python -m benchmarks.eager_step [--rounds N]

All contenders run in one process in interleaved rounds; each round pairs a contender with the bare products timed
right beside it, and what is printed is the median of the paired ratios with the 10th and 90th percentile.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite import nn, optim

WORKLOADS = {
    "100-784-100-10 float32 softplus": (100, (784, 100, 10), "softplus"),
    "16-8-16-4 float32 relu": (16, (8, 16, 4), "relu"),
}
LEARNING_RATE, L2 = 0.1, 0.01


def contenders(batch: int, widths: tuple[int, int, int], activation: str) -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    x = rng.random((batch, widths[0]), dtype=np.float32)
    t = rng.integers(0, widths[2], batch)
    net = nn.MLP(widths, activation=activation, rng=0)
    start = [parameter.numpy() for parameter in net.parameters()]
    return {
        "bare products": bare_products(start, x, rng),
        "handwritten NumPy": handwritten([w.copy() for w in start], x, t, activation),
        "declared": declared(net, x, t),
        "declared, compiled": tg.compile(declared(nn.MLP(widths, activation=activation, rng=0), x, t)),
        "declared, compiled, exact": tg.compile(
            declared(nn.MLP(widths, activation=activation, rng=0), x, t), exact=True
        ),
        "written by hand on Tensors": on_tensors([tg.Tensor(w, requires_grad=True) for w in start], x, t, activation),
    }


def bare_products(start, x, rng):
    w1, _, w2, _ = start
    h = rng.random((len(x), len(w1)), dtype=np.float32)
    d1, d2 = rng.random(h.shape, dtype=np.float32), rng.random((len(x), len(w2)), dtype=np.float32)

    def step():
        return x @ w1.T, h @ w2.T, d2.T @ h, d2 @ w2, d1.T @ x

    return step


def handwritten(parameters, x, t, activation):
    w1, b1, w2, b2 = parameters
    one_hot = np.eye(len(w2), dtype=np.float32)[t]
    rows = np.arange(len(x))

    def step():
        s1 = x @ w1.T
        s1 += b1
        z = np.maximum(s1, 0) if activation == "relu" else np.maximum(s1, 0) + np.log1p(np.exp(-np.abs(s1)))
        s2 = z @ w2.T
        s2 += b2
        s2 -= s2.max(axis=1, keepdims=True)
        e = np.exp(s2)
        total = e.sum(axis=1, keepdims=True)
        loss = (np.log(total[:, 0]) - s2[rows, t]).mean() + L2 / 2 * (np.vdot(w1, w1) + np.vdot(w2, w2))
        d2 = (e / total - one_hot) / len(x)
        d1 = d2 @ w2
        d1 *= (z > 0) if activation == "relu" else -np.expm1(-z)
        for w, b, d, inputs in ((w1, b1, d1, x), (w2, b2, d2, z)):
            gradient = d.T @ inputs
            gradient += L2 * w
            gradient *= LEARNING_RATE
            w -= gradient
            b -= LEARNING_RATE * d.sum(axis=0)
        return loss

    return step


def declared(net, x, t):
    objective = nn.CrossEntropy() + L2 * nn.L2()
    optimizer = optim.SGD(lr=LEARNING_RATE).bind(net)
    x, t = tg.Tensor(x), tg.Tensor(t)  # as `fit` hands its batches over: without a copy at every step

    def step():
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def on_tensors(parameters, x, t, activation):
    w1, b1, w2, b2 = parameters
    optimizer = optim.SGD(lr=LEARNING_RATE).bind(parameters)
    x, t = tg.Tensor(x), tg.Tensor(t)

    def step():
        s1 = x @ w1.T + b1
        z = np.maximum(s1, 0) if activation == "relu" else tg.softplus(s1)
        loss = tg.softmax_cross_entropy(z @ w2.T + b2, t) + L2 / 2 * (np.sum(w1 * w1) + np.sum(w2 * w2))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def compare(steps: dict[str, Callable[[], object]], rounds: int, block: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        for _ in range(20):
            step()
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.perf_counter()
            for _ in range(block):
                step()
            times[name].append((time.perf_counter() - begin) / block)
    bare = np.array(times["bare products"])
    for name, taken in times.items():
        low, middle, high = np.percentile(np.array(taken) / bare, [10, 50, 90])
        print(f"  {name:<28} {1e6 * np.median(taken):8.1f} µs   × products {middle:5.2f}  [{low:.2f} … {high:.2f}]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=400)
    options = parser.parse_args()
    print(f"NumPy {np.__version__}, {options.rounds} rounds of paired blocks")
    for name, workload in WORKLOADS.items():
        steps = contenders(*workload)
        losses = [step().item() for label, step in steps.items() if label != "bare products"]
        assert np.ptp(losses) < 1e-5, f"the contenders do not compute the same loss: {losses}"
        print(name)
        compare(steps, options.rounds, block=10 if workload[0] < 50 else 3)


if __name__ == "__main__":
    main()
