"""Train with a compiled step, and look at what it became: its plan, the NumPy that runs, and how long it takes."""

import time

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite import data, nn, optim

images, labels = data.mnist_subset("train")


def step_of_training():
    """Return one step of the training of a network of its own."""
    net, objective = nn.MLP([784, 100, 10], activation="softplus", rng=0), nn.CrossEntropy() + 0.01 * nn.L2()
    optimizer = optim.SGD(lr=0.02).bind(net, objective)

    def step(x, t):
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


compiled = tg.compile(step_of_training())
for name, step in (("eager", step_of_training()), ("compiled", compiled)):
    seconds, losses = [], []
    for i in range(0, len(images) - 99, 100):
        begin = time.perf_counter()
        losses.append(step(images[i : i + 100], labels[i : i + 100]).item())
        seconds.append(time.perf_counter() - begin)
    first, median = 1e3 * seconds[0], 1e3 * np.median(seconds)
    print(f"{name}: first step {first:.1f} ms, median {median:.2f} ms, loss {losses[0]:.4f} → {losses[-1]:.4f}")
print(compiled.plan())
print(compiled.source())
