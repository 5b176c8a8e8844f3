"""Draw the computation of a loss: every operation, every parameter, every shape."""

import pathlib
import tempfile

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite import nn

net = nn.MLP([4, 3, 2], activation="tanh", rng=0)
objective = nn.CrossEntropy() + 0.01 * nn.L2()
loss = objective(net, np.ones((5, 4), np.float32), np.array([0, 1, 0, 1, 1]))

graph = tg.graph(loss)
print(graph)  # one line an operation

path = graph.save(pathlib.Path(tempfile.gettempdir()) / "net.svg")  # by `dot` if it is installed, else by ourselves
print("drawn in", path)
