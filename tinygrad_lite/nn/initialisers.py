"""Where weights start: each initialiser is declared, then called with a shape (out, in) and a generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from tinygrad_lite.tensor import Array


class Initialiser(ABC):
    """Makes the first values of a parameter of shape (out, in), or (out,) for a bias."""

    @abstractmethod
    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        """Return float64 values of `shape`, drawn from `rng` if they are random."""


@dataclass(frozen=True)
class Constant(Initialiser):
    """The same value everywhere.

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> nn.Constant(1.0)((2,), np.random.default_rng(0))
    array([1., 1.])
    """

    value: float

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        return np.full(shape, float(self.value))


@dataclass(frozen=True)
class Zeros(Initialiser):
    """Zero everywhere: for biases, or for an output layer as in document 000.

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> nn.Zeros()((2,), np.random.default_rng(0))
    array([0., 0.])
    """

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        return np.zeros(shape)


@dataclass(frozen=True)
class FanIn(Initialiser):
    """Normal with standard deviation 1/√(in + 1), the bias counted among the inputs: what document 000 starts from.

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> bool(nn.FanIn()((1000, 99), np.random.default_rng(0)).std().round(3) == 0.1)
    True
    """

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        return rng.normal(0.0, 1.0 / np.sqrt(shape[-1] + 1), shape)


@dataclass(frozen=True)
class Xavier(Initialiser):
    """Uniform on ±√(6/(in + out)), which keeps the variance of tanh-like layers (Glorot and Bengio, 2010).

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> bool(abs(nn.Xavier()((3, 3), np.random.default_rng(0))).max() <= 1)
    True
    """

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        bound = np.sqrt(6.0 / (shape[0] + shape[-1]))
        return rng.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class He(Initialiser):
    """Normal with standard deviation √(2/in), which keeps the variance of relu layers (He et al., 2015).

    >>> import numpy as np
    >>> from tinygrad_lite import nn
    >>> bool(nn.He()((1000, 200), np.random.default_rng(0)).std().round(3) == 0.1)
    True
    """

    def __call__(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        return rng.normal(0.0, np.sqrt(2.0 / shape[-1]), shape)
