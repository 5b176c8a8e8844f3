"""Softmax regression on digits, in plain NumPy with tg.value_and_grad: arrays in, arrays out."""

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite import data

x, t = data.mnist_subset("train")
test_x, test_t = data.mnist_subset("test")


def loss(parameters, x, t):
    logits = x @ parameters["weight"].T + parameters["bias"]
    return tg.softmax_cross_entropy(logits, t) + 1e-4 / 2 * np.sum(parameters["weight"] ** 2)


parameters = {"weight": np.zeros((10, 784), np.float32), "bias": np.zeros(10, np.float32)}
step = tg.value_and_grad(loss)  # with respect to the first argument, in its structure

for epoch in range(5):
    for x_batch, t_batch in data.mini_batches(x, t, 100, seed=0, epoch=epoch):
        value, gradient = step(parameters, x_batch, t_batch)
        parameters = {name: parameters[name] - 0.3 * gradient[name] for name in parameters}
    predicted = np.argmax(test_x @ parameters["weight"].T + parameters["bias"], axis=1)
    print(f"epoch {epoch + 1}  loss {value:.4f}  test accuracy {np.mean(predicted == test_t):.3f}")
