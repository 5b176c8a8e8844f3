"""Update rules: each is its hyper-parameters, the names of its state, and its equation.

In every `update`, `w` is a parameter, `g` its gradient, `lr` the learning rate and `t` the number of the step, counted
from 1. It returns the new parameter and the new state, and changes nothing; `Optimizer` does the rest for all rules.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from tinygrad_lite.errors import ArgumentError, ObjectiveError
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_lite.optim.optimizer import HasParameters, HasSense, Optimizer


@dataclass(frozen=True)
class Rule(ABC):
    """An update rule: an equation with its hyper-parameters, no state yet; `bind` gives it parameters to act on."""

    lr: float = 0.01
    maximize: bool = False
    state: ClassVar[tuple[str, ...]] = ()
    """The names of what the rule remembers of each parameter; all start at zero."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "maximize":  # a NumPy scalar would promote float32 parameters
                object.__setattr__(self, field.name, self._number(field.name))
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise ArgumentError(f"{type(self).__name__}: the learning rate must be positive and finite, got {self.lr}")
        for name in ("beta", "beta1", "beta2", "momentum"):
            if not 0 <= getattr(self, name, 0) < 1:
                raise ArgumentError(f"{type(self).__name__}: {name} must lie in [0, 1), got {getattr(self, name)}")
        for name in ("epsilon", "weight_decay"):
            if not 0 <= getattr(self, name, 0) < math.inf:
                raise ArgumentError(
                    f"{type(self).__name__}: {name} must not be negative or infinite, got {getattr(self, name)}"
                )

    def _number(self, name: str) -> float:
        try:
            return float(getattr(self, name))
        except (TypeError, ValueError):
            own = type(self).__name__
            raise ArgumentError(
                f"{own}: {name} must be a number, got {getattr(self, name)!r}; "
                f"a rule is declared without parameters, as in {own}(lr=0.1).bind(net)"
            ) from None

    @abstractmethod
    def update(self, w: Value, g: Value, *state: Value, lr: Value, t: Value) -> tuple[Value, ...]:
        """Return the new parameter, then the new state in the order of `state`."""

    def bind(
        self,
        parameters: HasParameters | Mapping[str, Tensor] | Sequence[Tensor],
        objective: HasSense | None = None,
    ) -> Optimizer:
        """Return an optimizer of this rule for a module, or for Tensors by name or in a sequence.

        With `objective` given, raises ObjectiveError if it is maximised and the rule minimises, or the other way round.
        """
        from tinygrad_lite.optim.optimizer import Optimizer

        if objective is not None:
            self.check_sense(objective)
        return Optimizer(self, parameters)

    def check_sense(self, objective: HasSense) -> None:
        """Raise ObjectiveError unless the rule goes the way that the objective wants to go."""
        own = "maximise" if self.maximize else "minimise"
        if objective.sense != own:
            raise ObjectiveError(
                f"{objective!r} is to be {objective.sense}d, but {self!r} {own}s; "
                f"declare the rule with maximize={not self.maximize}, or negate the objective"
            )


@dataclass(frozen=True)
class SGD(Rule):
    """Gradient descent: w ← w − α g.

    >>> from tinygrad_lite import optim
    >>> optim.SGD(lr=0.1).update(1.0, 2.0, lr=0.1, t=1)
    (0.8,)
    """

    def update(self, w: Value, g: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:  # type: ignore[override]  # the equation names its state
        return (w - lr * g,)


@dataclass(frozen=True)
class Momentum(Rule):
    """Momentum as an average of gradients: v ← β v + (1 − β) g, w ← w − α v (004.11).

    >>> from tinygrad_lite import optim
    >>> optim.Momentum(beta=0.5).update(1.0, 2.0, 0.0, lr=0.1, t=1)
    (0.9, 1.0)
    """

    beta: float = 0.9
    state: ClassVar[tuple[str, ...]] = ("v",)

    def update(self, w: Value, g: Value, v: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:  # type: ignore[override]  # as above
        v = self.beta * v + (1 - self.beta) * g
        return w - lr * v, v


@dataclass(frozen=True)
class HeavyBall(Rule):
    """The heavy ball: v ← μ v + g, w ← w − α v (Polyak, 1964; what PyTorch calls SGD with momentum).

    >>> from tinygrad_lite import optim
    >>> optim.HeavyBall(momentum=0.5).update(1.0, 2.0, 4.0, lr=0.1, t=1)
    (0.6, 4.0)
    """

    momentum: float = 0.9
    state: ClassVar[tuple[str, ...]] = ("v",)

    def update(self, w: Value, g: Value, v: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:  # type: ignore[override]  # as above
        v = self.momentum * v + g
        return w - lr * v, v


@dataclass(frozen=True)
class Nesterov(Rule):
    """Nesterov's momentum: v ← μ v + g, w ← w − α (g + μ v) (Nesterov, 1983; in the form of Sutskever et al., 2013).

    >>> from tinygrad_lite import optim
    >>> optim.Nesterov(momentum=0.5).update(1.0, 2.0, 4.0, lr=0.1, t=1)
    (0.6, 4.0)
    """

    momentum: float = 0.9
    state: ClassVar[tuple[str, ...]] = ("v",)

    def update(self, w: Value, g: Value, v: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:  # type: ignore[override]  # as above
        v = self.momentum * v + g
        return w - lr * (g + self.momentum * v), v


@dataclass(frozen=True)
class RMSprop(Rule):
    """RMSprop: s ← β s + (1 − β) g², w ← w − α g/(√s + ε) (004.12).

    >>> from tinygrad_lite import optim
    >>> optim.RMSprop(beta=0.75, epsilon=0.0).update(1.0, 2.0, 0.0, lr=0.5, t=1)
    (np.float64(0.0), 1.0)
    """

    beta: float = 0.99
    epsilon: float = 1e-8
    state: ClassVar[tuple[str, ...]] = ("s",)

    def update(self, w: Value, g: Value, s: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:  # type: ignore[override]  # as above
        s = self.beta * s + (1 - self.beta) * g * g
        return w - lr * g / (np.sqrt(s) + self.epsilon), s


@dataclass(frozen=True)
class Adam(Rule):
    """Adam: v and s average g and g², v̂ = v/(1 − β₁ᵗ), ŝ = s/(1 − β₂ᵗ), w ← w − α v̂/(√ŝ + ε) (004.13).

    >>> from tinygrad_lite import optim
    >>> w, v, s = optim.Adam(epsilon=0.0).update(1.0, 2.0, 0.0, 0.0, lr=0.5, t=1)
    >>> float(w)
    0.5
    """

    lr: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    state: ClassVar[tuple[str, ...]] = ("v", "s")

    def update(self, w: Value, g: Value, v: Value, s: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:  # type: ignore[override]  # as above
        v = self.beta1 * v + (1 - self.beta1) * g
        s = self.beta2 * s + (1 - self.beta2) * g * g
        v_hat = v / (1 - self.beta1**t)
        s_hat = s / (1 - self.beta2**t)
        return w - lr * v_hat / (np.sqrt(s_hat) + self.epsilon), v, s


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: w ← (1 − α λ) w first, then Adam's step (Loshchilov and Hutter, 2019).

    >>> from tinygrad_lite import optim
    >>> w, v, s = optim.AdamW(weight_decay=0.1, epsilon=0.0).update(1.0, 2.0, 0.0, 0.0, lr=0.5, t=1)
    >>> round(float(w), 6)
    0.45
    """

    weight_decay: float = 0.01

    def update(self, w: Value, g: Value, v: Value, s: Value, *, lr: Value, t: Value) -> tuple[Value, ...]:  # type: ignore[override]  # as above
        return super().update((1 - lr * self.weight_decay) * w, g, v, s, lr=lr, t=t)
