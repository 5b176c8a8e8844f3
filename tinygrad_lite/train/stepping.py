"""`Step`: what a training does with a batch, from the network's prediction to the new parameters.

It is a function of the batch, so that it can be compiled whole; what it reads besides stands in its attributes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.nn import Module, Objective
from tinygrad_lite.optim import Optimizer, clip_by_norm, clip_by_value
from tinygrad_lite.optim.clipping import norm_of
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.tensor import Tensor


class Measured(NamedTuple):
    """What a step finds out about its batch, before it changes anything."""

    total: Tensor
    """The objective."""
    terms: dict[str, Tensor]
    """The value of each term by name, if there are several."""
    prediction: Tensor | None
    """What the network gave, if that is wanted."""


class Step:
    """A step of a training, called with a batch; returns what was measured, and the norms of gradients by name."""

    def __init__(
        self,
        net: Module,
        objective: Objective,
        optimizer: Optimizer,
        *,
        keeps_prediction: bool = False,
        gradient_norms: bool = False,
        clip_value: float | None = None,
        clip_norm: float | None = None,
    ) -> None:
        self.net, self.objective, self.optimizer = net, objective, optimizer
        self.keeps_prediction, self.gradient_norms = keeps_prediction, gradient_norms
        self.clip_value, self.clip_norm = clip_value, clip_norm
        self.parameters = tuple(net.named_parameters())

    def __call__(self, x: Tensor, t: Tensor) -> tuple[Measured, dict[str, Any]]:
        total, measured = self.evaluate(x, t)
        total.backward()
        return measured, self.improve(norm_without_branches)

    def evaluate(self, x: Tensor, t: Tensor) -> tuple[Tensor, Measured]:
        """Return the objective, to call `backward()` on, and what is measured."""
        total, terms, prediction = self.objective.evaluate(self.net, x, t)
        values = {name: value.detach() for name, value in terms.items()} if len(terms) > 1 else {}
        return total, Measured(total.detach(), values, prediction.detach() if self.keeps_prediction else None)

    def improve(self, norm: Callable[[list[Value]], Value] = norm_of) -> dict[str, Any]:
        """Change the parameters by the gradients that are there; return the norms of these, if they are wanted."""
        norms = {}
        if self.gradient_norms:
            norms = {
                f"gradient_norm.{name}": norm([parameter.grad])
                for name, parameter in self.parameters
                if parameter.grad is not None
            }
        if self.clip_value is not None:
            clip_by_value([parameter for _, parameter in self.parameters], self.clip_value)
        if self.clip_norm is not None:
            clip_by_norm([parameter for _, parameter in self.parameters], self.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return norms


def norm_without_branches(gradients: list[Value]) -> Value:
    """Return the norm of one gradient in its dtype, as `norm_of` does: also where squares overflow or vanish.

    >>> f"{norm_without_branches([np.array([3e200, 4e200])]):.3g}"
    '5e+200'
    """
    (gradient,) = gradients
    if gradient.dtype == np.float32 or not gradient.size:
        return np.sqrt(np.sum(np.square(gradient.astype(np.float64)))).astype(gradient.dtype)
    largest = np.max(np.abs(gradient))
    scale = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    return scale * np.sqrt(np.sum(np.square(gradient / scale)))
