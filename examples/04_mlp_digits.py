"""A multi-layer perceptron on digits: network, objective and optimizer are declared, `fit` does the rest."""

import tinygrad_lite as tg
from tinygrad_lite import data, nn, optim

net = nn.MLP([784, 100, 10], activation="softplus", rng=0)
print(net)

history = tg.fit(
    net,
    objective=nn.CrossEntropy() + 3e-4 * nn.L2(),
    rule=optim.Adam(lr=0.003),
    train=data.mnist_subset("train"),
    validation=data.mnist_subset("test"),
    epochs=5,
    batch_size=100,
    seed=0,
)
print(f"test accuracy after {len(history)} epochs: {history.last['validation_accuracy']:.3f}")
