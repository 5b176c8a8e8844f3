"""The graphs that these tests look at, and how to put operations into a scope."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

import tinygrad_lite as tg
from tinygrad_lite.graphs import Graph, graph
from tinygrad_lite.mode import MODE
from tinygrad_lite.tensor import Tensor

HOSTILE = '</script><img src=x onerror=alert(1)>"&'
HOSTILE_NAMES = [HOSTILE, r"back\slash\N\G\l\\", "<b>", "<b>bold</b>", "two\nlines", "&lt;&amp;#38;", "]]>", "'; DROP"]


@contextmanager
def scope(path: str) -> Iterator[None]:
    token = MODE.set(MODE.get()._replace(scope=path))
    try:
        yield
    finally:
        MODE.reset(token)


def parameter(shape: int | tuple[int, ...], name: str | None = None) -> Tensor:
    return Tensor(np.zeros(shape, np.float32), requires_grad=True, name=name)


def neuron() -> Tensor:
    w, b = parameter(3, "w"), parameter((), "b")
    return tg.sigmoid(np.ones(3, np.float32) @ w + b)


def two_layer_loss() -> Tensor:
    x, labels = np.zeros((100, 784), np.float32), np.zeros(100, int)
    weights = [parameter((100, 784), "layers.0.weight"), parameter((10, 100), "layers.1.weight")]
    biases = [parameter(100, "layers.0.bias"), parameter(10, "layers.1.bias")]
    with scope("layers.0"):
        hidden = tg.softplus(tg.linear(x, weights[0], biases[0]))
    with scope("layers.1"):
        logits = tg.linear(hidden, weights[1], biases[1])
    loss = tg.softmax_cross_entropy(logits, labels)
    return tg.weighted_sum([loss, tg.sum_squares(*weights)], weights=[1.0, 0.01])


def residual_blocks(count: int = 2) -> Tensor:
    h = parameter((32, 64), "x")
    for block in range(count):
        inside = h
        for layer in range(2):
            name = f"blocks.{block}.layers.{layer}"
            with scope(name):
                inside = tg.relu(inside @ parameter((64, 64), f"{name}.weight").T)
        with scope(f"blocks.{block}"):
            h = h + inside
    return (h * h).sum(axis=1, keepdims=True).mean()


def many_heads() -> Tensor:
    x = parameter((8, 16), "x")
    heads = []
    for i in range(8):
        with scope(f"heads.{i}"):
            heads.append(tg.softmax(x @ parameter((16, 4), f"heads.{i}.weight")) * 2.0)
    return (tg.concatenate(heads, axis=1) - x[0, 0]).sum()


def recurrent() -> Tensor:
    weight, h = parameter((4, 4), "cell.weight"), parameter((2, 4), "h")
    for _ in range(5):
        with scope("cell"):
            h = np.tanh(h @ weight)
        h = h + np.ones((2, 4), np.float32)
    return h.sum()


def crossed_scopes() -> Tensor:
    """Two scopes that use each other in turn, so that neither can stand wholly below the other."""
    a = b = parameter(3, "a")
    for _ in range(3):
        with scope("left.with a long title"):
            a = np.tanh(a) + b
        with scope("right"):
            b = np.exp(b) * a
    return a + b


def hostile() -> Tensor:
    total = parameter(2, "plain")
    for name in HOSTILE_NAMES:
        with scope(name.replace(".", "")):
            total = total + parameter(2, name)
    return total


PICTURES = {
    function.__name__: function
    for function in (neuron, two_layer_loss, residual_blocks, many_heads, recurrent, crossed_scopes, hostile)
}


def with_sweep(make: Callable[[], Tensor]) -> Graph:
    """The graph of one of these with its backward sweep."""
    g = graph(make())
    result = g.nodes[g.outputs[0]]
    return g.backward(np.ones(result.shape, result.dtype) if result.shape else None)
