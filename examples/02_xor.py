"""XOR: a network of two layers learns what no single neuron can."""

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite import nn, optim

x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
t = np.array([[0], [1], [1], [0]], dtype=np.float32)

net = nn.MLP([2, 8, 1], activation="tanh", rng=1)
objective = nn.BinaryCrossEntropy()
optimizer = optim.Adam(lr=0.05).bind(net, objective)

for step in range(301):
    loss = objective(net, x, t)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    if step % 100 == 0:
        print(f"step {step:3d}  loss {loss.item():.4f}")

with tg.no_grad():
    probabilities = tg.sigmoid(net(x)).numpy()
for inputs, probability in zip(x, probabilities, strict=True):
    print(f"{inputs[0]:.0f} xor {inputs[1]:.0f} = {probability[0]:.3f}")
