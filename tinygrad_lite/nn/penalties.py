"""The penalties: what large weights cost, whatever the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinygrad_lite import primitives as p
from tinygrad_lite.errors import ObjectiveError
from tinygrad_lite.nn.module import Module
from tinygrad_lite.nn.objectives import Network, Term, Values
from tinygrad_lite.tensor import Tensor, record


def penalised(net: Network, biases: bool, penalty: str) -> list[Tensor]:
    """Return the parameters of `net` that a penalty counts: all, or all but those called `bias`."""
    if not isinstance(net, Module):
        raise ObjectiveError(f"{penalty} needs the parameters of an nn.Module, got {type(net).__name__}")
    counted = [
        tensor for name, tensor in net.named_parameters() if biases or not (name == "bias" or name.endswith(".bias"))
    ]
    if not counted:
        raise ObjectiveError(f"{penalty} found no parameters to count in {type(net).__name__}")
    return counted


@dataclass(frozen=True)
class L2(Term):
    """Half the sum of the squared weights, ½‖W‖², with gradient W (000.1, 003.9); biases too with `biases=True`.

    >>> from tinygrad_lite import nn
    >>> net = nn.Linear(2, 1, weight=nn.Constant(3.0))
    >>> nn.L2().value(net, None, None).item()
    9.0
    """

    biases: bool = False
    name: ClassVar[str] = "l2"

    def value(self, net: Network, prediction: Tensor, target: Values) -> Tensor:
        """Return ½‖W‖² over all weights of `net`, which must be a Module."""
        return record(p.sum_squares, tuple(penalised(net, self.biases, "L2")), {"factor": 0.5})


@dataclass(frozen=True)
class L1(Term):
    """The sum of the absolute weights, Σ|W|, with gradient sign(W); biases too with `biases=True`.

    >>> from tinygrad_lite import nn
    >>> net = nn.Linear(2, 1, weight=nn.Constant(-3.0))
    >>> nn.L1().value(net, None, None).item()
    6.0
    """

    biases: bool = False
    name: ClassVar[str] = "l1"

    def value(self, net: Network, prediction: Tensor, target: Values) -> Tensor:
        """Return Σ|W| over all weights of `net`, which must be a Module."""
        sums = [np.sum(np.abs(weight)) for weight in penalised(net, self.biases, "L1")]
        penalty: Tensor = p.weighted_sum(*sums, weights=(1.0,) * len(sums))
        return penalty
