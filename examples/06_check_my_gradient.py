"""Check a gradient derived by hand: a sigmoid layer under a squared error, first with a mistake, then without."""

import numpy as np

import tinygrad_lite as tg

rng = np.random.default_rng(0)
x, t = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
w, b = rng.normal(size=(2, 3)), rng.normal(size=2)


def loss(w, b):
    return 0.5 * np.sum((tg.sigmoid(x @ w.T + b) - t) ** 2)


def forgot_the_derivative(w, b):
    delta = tg.sigmoid(x @ w.T + b) - t
    return delta.T @ x, delta.sum(axis=0)


def derived_with_care(w, b):
    y = tg.sigmoid(x @ w.T + b)
    delta = (y - t) * y * (1 - y)  # σ' = σ (1 − σ)
    return delta.T @ x, delta.sum(axis=0)


print(tg.check_gradients(loss, w, b, analytic=forgot_the_derivative))
print()
print(tg.check_gradients(loss, w, b, analytic=derived_with_care))
