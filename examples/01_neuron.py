"""One neuron: y = tanh(w·x + b), its gradient by the chain rule and by the library."""

import numpy as np

import tinygrad_lite as tg

x = np.array([0.5, -1.0, 2.0])
w = tg.Tensor([0.1, 0.2, 0.3], requires_grad=True, name="w")
b = tg.Tensor(0.05, requires_grad=True, name="b")

y = np.tanh(np.sum(w * x) + b)  # NumPy's own functions record
y.backward()

print("output          ", y.item())
print("by the chain rule", (1 - y.item() ** 2) * x)  # ∂y/∂w = (1 − y²) x
print("by backward()    ", w.grad)
print("and for the bias ", b.grad, "=", 1 - y.item() ** 2)
