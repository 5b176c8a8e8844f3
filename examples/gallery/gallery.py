"""Five graphs to look at: `python examples/gallery/gallery.py` draws them all into `examples/gallery/drawn`.

Each function computes something that everybody has drawn on a blackboard; its defaults are its inputs, so the command
line draws it too: `python -m tinygrad_lite graph examples/gallery/gallery.py:neuron -o neuron.svg --backward --values`.
"""

import argparse
from pathlib import Path

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite import data, nn, optim
from tinygrad_lite.graphs import Graph

ONE = np.array(1.0)
X3, T3 = np.array([1.0, 2.0, 0.5]), np.array([0.0, 1.0, 0.0])
IMAGES, LABELS = data.mnist_subset("train")
X8 = np.linspace(-1, 1, 8 * 16, dtype=np.float32).reshape(8, 16)
T8 = np.linspace(0, 1, 8, dtype=np.float32)[:, None]
W = tg.Tensor([1.0, -2.0], requires_grad=True, name="w")
ADAM = optim.Adam(lr=0.1).bind({"w": W})


def neuron(x=X3, t=ONE):
    """One neuron and its squared error: σ(w·x + b), and how far it is from t."""
    w = tg.Tensor([0.5, -1.0, 2.0], requires_grad=True, name="w")
    b = tg.Tensor(-0.25, requires_grad=True, name="b")
    return (tg.sigmoid(w @ x + b) - t) ** 2


def softmax_cross_entropy(t=T3):
    """Softmax and cross-entropy from single operations, where ∂E/∂z comes out as y − t (004.9)."""
    z = tg.Tensor([2.0, 1.0, -1.0], requires_grad=True, name="z")
    e = np.exp(z)
    y = tg.named(e / np.sum(e), "y")
    return -np.sum(t * np.log(y))


def document_000(x=IMAGES[:100], t=LABELS[:100]):
    """The network of document 000, 784-100-10 with softplus, its log-likelihood less weight decay (000.1)."""
    net = nn.MLP([784, 100, 10], activation="softplus", rng=0)
    objective = nn.LogLikelihood() - 0.01 * nn.L2()
    return objective(net, x, t)


class ResidualBlock(nn.Module):
    """y = x + W₂ relu(W₁ x + b₁) + b₂: the gradient has a way around the layers."""

    def __init__(self, width, rng):
        self.first = nn.Linear(width, width, rng=rng)
        self.second = nn.Linear(width, width, rng=rng)

    def forward(self, x):
        return x + self.second(tg.relu(self.first(x)))


class ResidualNet(nn.Module):
    """Two blocks and a readout."""

    def __init__(self, width, rng):
        self.blocks = [ResidualBlock(width, rng), ResidualBlock(width, rng)]
        self.readout = nn.Linear(width, 1, rng=rng)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.readout(x)


def residual_block(x=X8, target=T8):
    """Two residual blocks and a readout, on eight examples."""
    return nn.MSE()(ResidualNet(16, np.random.default_rng(0)), x, target)


def adam_step():
    """One step of Adam on ½‖w‖²: the moments v and s, their corrected forms, and what becomes of w (004.13)."""
    ADAM.zero_grad()
    loss = 0.5 * np.sum(W**2)
    loss.backward()
    ADAM.step()
    return loss


def graphs() -> dict[str, Graph]:
    """Return every graph of the gallery by name, with its gradients."""
    drawn = (neuron, softmax_cross_entropy, document_000, residual_block)
    return {f.__name__: tg.trace(f, *f.__defaults__).backward() for f in drawn} | {"adam_step": tg.trace(adam_step)}


SHOWN = {"neuron": ("value",), "softmax_cross_entropy": ("value",), "adam_step": ("value",)}
"""What nodes tell; elsewhere it is shape and dtype."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "drawn", help="the folder to draw into")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, graph in graphs().items():
        # our own layout gives the same picture on every machine, whether Graphviz is there or not
        print("wrote", graph.save(out / f"{name}.svg", renderer="own", show=SHOWN.get(name, ("shape",))))
    for suffix in (".py", ".txt"):
        print("wrote", tg.trace(document_000, IMAGES[:100], LABELS[:100]).save(out / f"document_000{suffix}"))


if __name__ == "__main__":
    main()
