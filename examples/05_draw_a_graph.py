"""Look at the computation of a loss and its gradients: drawn, explained, costed, and written out in NumPy."""

import pathlib
import tempfile

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite import nn

net = nn.MLP([4, 3, 2], activation="tanh", rng=0)
objective = nn.CrossEntropy() + 0.01 * nn.L2()
x, t = np.ones((5, 4), np.float32), np.array([0, 1, 0, 1, 1])

graph = tg.trace(objective, net, x, t)
print(graph.to_text())  # a line an operation, modules as branches
print(graph.explain())  # the chain rule for this network, step by step
print(graph.cost())  # FLOPs, bytes, parameters, memory

folder = pathlib.Path(tempfile.mkdtemp())
print("drawn in", graph.backward().save(folder / "net.svg"))  # each cotangent beside its value
print("written in", graph.save(folder / "net.py"))  # forward and gradient in NumPy alone
