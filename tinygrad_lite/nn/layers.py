"""Layers and the networks made of them: `Linear`, activations, `Sequential`, `MLP`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lite import primitives as p
from tinygrad_lite.errors import ArgumentError, DefinitionError, ShapeError
from tinygrad_lite.functional import softmax
from tinygrad_lite.nn.initialisers import He, Initialiser, Xavier, Zeros
from tinygrad_lite.nn.module import Module, float_dtype
from tinygrad_lite.tensor import Operand, Tensor, record

Rng = np.random.Generator | np.random.SeedSequence | int | None


class Linear(Module):
    """An affine layer on rows of examples: x Wᵀ + b, with `weight` (out, in) and `bias` (out,).

    `rng` seeds the initialisers; the parameters are float32 unless `dtype` says float64.

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> layer = nn.Linear(3, 2, rng=0)
    >>> layer(np.ones((5, 3))).shape
    (5, 2)
    >>> layer
    Linear(3 → 2) weight (2, 3), bias (2,): 8 parameters
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        weight: Initialiser | None = None,
        bias: Initialiser | None = None,
        rng: Rng = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        if min(inputs, outputs) < 1:
            raise ArgumentError(f"Linear({inputs}, {outputs}): both widths must be at least 1")
        dtype = float_dtype(dtype)
        generator = np.random.default_rng(rng)
        self.weight = Tensor((weight or Xavier())((outputs, inputs), generator), requires_grad=True, dtype=dtype)
        self.bias = Tensor((bias or Zeros())((outputs,), generator), requires_grad=True, dtype=dtype)

    def forward(self, x: Operand) -> Tensor:
        """Return x Wᵀ + b; raises ShapeError unless the last axis of `x` is as wide as the layer expects."""
        weight = self.weight
        shape = x._array.shape if type(x) is Tensor else np.shape(x)
        if not shape or shape[-1] != weight._array.shape[1]:
            raise ShapeError(
                f"{weight.name}: this layer takes rows of {weight.shape[1]} values, got an input of shape {shape}"
            )
        return record(p.linear, (x, weight, self.bias), {})

    def _facts(self) -> str:
        return f"{self.weight.shape[1]} → {self.weight.shape[0]}"


# ----- Activations: as modules, and by name -----


def _as_it_is(x: Any) -> Any:
    return x


class Activation(Module):
    """A module without parameters that applies one function elementwise, or to each row."""

    function: ClassVar[staticmethod[..., Any]]  # Any: arrays in, arrays out; Tensors in, Tensors out

    def forward(self, x: Operand) -> Tensor:
        """Apply the function."""
        return type(self).function(x)  # type: ignore[no-any-return]  # a Tensor inside a network


class Softplus(Activation):
    """log(1 + eᵃ), with derivative σ(a) (000.12)."""

    function = staticmethod(p.softplus)


class Tanh(Activation):
    """tanh(a), with derivative 1 − tanh²(a) (000.12)."""

    function = staticmethod(p.tanh)


class Cos(Activation):
    """cos(a), with derivative −sin(a) (000.12)."""

    function = staticmethod(p.cos)


class ReLU(Activation):
    """max(a, 0), with derivative 1 for a > 0 and 0 elsewhere."""

    function = staticmethod(p.relu)


class Sigmoid(Activation):
    """1/(1 + e⁻ᵃ), with derivative σ(1 − σ) (001.7b)."""

    function = staticmethod(p.sigmoid)


class Identity(Activation):
    """The values as they are: the output layer of a network that gives logits."""

    function = staticmethod(_as_it_is)


class Softmax(Activation):
    """Softmax of each row: for a loss on probabilities, never before a loss on logits."""

    function = staticmethod(softmax)


ACTIVATIONS: dict[str, type[Activation]] = {
    "softplus": Softplus,
    "tanh": Tanh,
    "cos": Cos,
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "identity": Identity,
    "softmax": Softmax,
}
"""What an activation is called when it is declared by name."""


def activation(name: str) -> Activation:
    """Return the activation called `name`; raises ArgumentError that lists the names there are.

    >>> from tinygrad_lite import nn
    >>> nn.activation("tanh")
    Tanh(): 0 parameters
    """
    if name not in ACTIVATIONS:
        raise ArgumentError(f"there is no activation {name!r}; choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()


# ----- Networks -----


class Sequential(Module):
    """Modules applied one after the other; `net.layers[i]` is the i-th.

    >>> from tinygrad_lite import nn
    >>> nn.Sequential(nn.Linear(2, 8, rng=0), nn.Tanh(), nn.Linear(8, 1, rng=1))
    Sequential(): 33 parameters
      layers.0: Linear(2 → 8) weight (8, 2), bias (8,)
      layers.1: Tanh()
      layers.2: Linear(8 → 1) weight (1, 8), bias (1,)
    """

    def __init__(self, *layers: Module) -> None:
        for layer in layers:
            if not isinstance(layer, Module):
                raise DefinitionError(f"Sequential takes modules, got {layer!r}; wrap a function in a Module")
        self.layers = layers

    @property
    def output(self) -> str:
        """The name of the activation that comes last, "identity" if the last module is none."""
        last = type(self.layers[-1]) if self.layers else Identity
        return next((name for name, kind in ACTIVATIONS.items() if kind is last), "identity")

    def forward(self, x: Operand) -> Operand:
        """Apply the modules in order."""
        for layer in self.layers:
            x = layer(x)
        return x


class MLP(Module):
    """A multi-layer perceptron: affine layers of the given widths, an activation after each but the last.

    `MLP([784, 100, 10], activation="softplus")` has two layers; `output` is the activation of the last, "identity"
    for logits. Weights start from He's initialiser if there is a relu and from Xavier's otherwise, biases from zero.
    `activation` may also name one for each hidden layer, and `weight` and `bias` hold an initialiser for each layer.

    >>> from tinygrad_lite import nn
    >>> nn.MLP([784, 100, 10], activation="softplus", rng=0)
    MLP(784 → 100 → 10, softplus): 79,510 parameters
      layers.0: Linear(784 → 100) weight (100, 784), bias (100,)
      layers.1: Linear(100 → 10) weight (10, 100), bias (10,)
    >>> nn.MLP([784, 128, 64, 10], activation=["relu", "softmax"], weight=[nn.He(), nn.Xavier(), nn.Zeros()]).widths
    (784, 128, 64, 10)
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: str | Sequence[str] = "relu",
        output: str = "identity",
        *,
        weight: Initialiser | Sequence[Initialiser] | None = None,
        bias: Initialiser | Sequence[Initialiser] | None = None,
        rng: Rng = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        if not isinstance(widths, Sequence) or len(widths) < 2:
            raise ArgumentError(
                f"MLP takes the widths of at least input and output, such as [784, 100, 10], got {widths!r}"
            )
        generator = np.random.default_rng(rng)
        between = _one_each("activation", activation, len(widths) - 2, "hidden layer")
        has_relu = activation == "relu" or "relu" in between
        weight = (He() if has_relu else Xavier()) if weight is None else weight
        weights = _one_each("weight", weight, len(widths) - 1, "layer")
        biases = _one_each("bias", bias, len(widths) - 1, "layer")
        self.layers = tuple(
            Linear(inputs, outputs, weight=weights[i], bias=biases[i], rng=generator, dtype=dtype)
            for i, (inputs, outputs) in enumerate(itertools.pairwise(widths))
        )
        self.widths = tuple(widths)
        self.activation = activation if isinstance(activation, str) else tuple(activation)
        self.output = output
        self._between = tuple(_function(name) for name in between)
        self._last = _function(output)

    def forward(self, x: Operand) -> Tensor:
        """Return the outputs for rows of inputs: logits, if the output activation is the identity."""
        for layer, function in zip(self.layers, self._between):
            x = function(layer(x))
        return self._last(self.layers[-1](x))  # type: ignore[no-any-return]  # a Tensor, for the layers are

    def _facts(self) -> str:
        activation = self.activation if isinstance(self.activation, str) else ", ".join(self.activation)
        output = "" if self.output == "identity" else f", output {self.output}"
        return f"{' → '.join(map(str, self.widths))}, {activation}{output}"


def _one_each(name: str, given: Any, count: int, place: str) -> list[Any]:
    """Return what was given for each of `count` places: the same for all, or a sequence with one for each."""
    if given is None or isinstance(given, str | Initialiser):
        return [given] * count
    if not isinstance(given, Sequence) or len(given) != count:
        raise ArgumentError(f"{name}: MLP takes one, or one for each {place}, which are {count}; got {given!r}")
    return list(given)


def _function(name: str) -> Callable[[Any], Any]:
    return type(activation(name)).function
