"""`Optimizer`: a rule bound to parameters, with its state; applying and resuming are written once for all rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Protocol

import numpy as np

from tinygrad_lite.errors import ArgumentError, DefinitionError, GraphError
from tinygrad_lite.mode import MODE, ModeChange
from tinygrad_lite.optim.rules import Rule
from tinygrad_lite.primitives.definition import Value
from tinygrad_lite.states import load_state
from tinygrad_lite.tensor import Array, Tensor, wrap


class HasParameters(Protocol):
    """A module: anything that names its parameters."""

    def named_parameters(self) -> list[tuple[str, Tensor]]: ...


class HasSense(Protocol):
    """An objective: anything that knows whether it is to be minimised or maximised."""

    @property
    def sense(self) -> str: ...


class Optimizer:
    """A rule at work on parameters: `step()` after `backward()`, `zero_grad()` before the next.

    State, step count and learning rate are Tensors changed by `assign`: `optimizer.lr.assign(0.01)`, or for short
    `optimizer.lr = 0.01`, sets the rate of the steps to come. With a rule that maximises, the gradient changes its sign
    here, before the rule sees it.

    >>> import tinygrad_lite as tg
    >>> from tinygrad_lite import optim
    >>> w = tg.Tensor([4.0], requires_grad=True)
    >>> optimizer = optim.SGD(lr=0.25).bind([w])
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.numpy()
    array([2.])
    """

    def __init__(self, rule: Rule, parameters: HasParameters | Mapping[str, Tensor] | Sequence[Tensor]) -> None:
        self.rule = rule
        self.parameters = _named(parameters)
        self._lr = Tensor(rule.lr, name="lr")
        self.step_count = Tensor(0, name="step_count")
        self.state = {
            name: tuple(
                Tensor(np.zeros(parameter.shape, parameter.dtype), name=f"{part}.{name}") for part in rule.state
            )
            for name, parameter in self.parameters.items()
        }

    @property
    def lr(self) -> Tensor:
        """The learning rate of the steps to come."""
        return self._lr

    @lr.setter
    def lr(self, rate: float) -> None:
        self._lr.assign(rate)

    def step(self) -> None:
        """Update every parameter that has a gradient; all are computed before the first is changed.

        Raises GraphError if none has a gradient.
        """
        t, lr, values_of, updating = self._at_hand()
        maximize = self.rule.maximize
        changed: list[Tensor] = []
        values: list[Value] = []
        for name, parameter in self.parameters.items():
            gradient = parameter.grad
            if gradient is not None:
                state = self.state[name]
                if maximize:
                    gradient = -gradient
                changed += (parameter, *state)
                values += updating(name)(values_of(parameter), gradient, *map(values_of, state), lr=lr, t=t)
        if not changed:
            raise GraphError("step() without a gradient on any parameter; call backward() on the objective first")
        if not self.step_count._array and [tensor.shape for tensor in changed] != [np.shape(value) for value in values]:
            raise DefinitionError(f"{self.rule!r}: update() must return the new parameter and {self.rule.state}")
        for tensor, value in zip(changed, values):
            tensor.assign(value if type(value) is Tensor else wrap(np.asarray(value), None))
        self.step_count.assign(t)

    def _at_hand(self) -> tuple[Value, Value, Callable[[Tensor], Value], Callable[[str], Callable[..., Any]]]:
        """Return the number of the step, the learning rate, what reads a Tensor, and what updates a parameter by name.

        In a traced step all of them are Tensors, and each parameter has a scope of its own. Otherwise they are plain
        numbers and arrays, with which the equations are faster.
        """
        update = self.rule.update
        if MODE.get().capture is None:
            return self.step_count._array.item() + 1, self._lr._array.item(), attrgetter("_array"), lambda _name: update
        rule = type(self.rule).__name__
        return self.step_count + 1, self._lr, Tensor.detach, lambda name: ModeChange(scope=f"{rule}.{name}")(update)

    def zero_grad(self) -> None:
        """Forget the gradients that `backward` has left on the parameters."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of the learning rate, the step count and the state by name."""
        return {name: tensor.numpy() for name, tensor in self._named_state().items()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take over what `state_dict` gave, or raise StateError and change nothing if it does not fit."""
        load_state(self._named_state(), state, repr(self.rule))

    def _named_state(self) -> dict[str, Tensor]:
        parts = {tensor.name or "": tensor for tensors in self.state.values() for tensor in tensors}
        return {"lr": self.lr, "step_count": self.step_count, **parts}

    def __repr__(self) -> str:
        return f"Optimizer({self.rule!r}, {len(self.parameters)} parameters, step {self.step_count.item()})"


def _named(parameters: HasParameters | Mapping[str, Tensor] | Sequence[Tensor]) -> dict[str, Tensor]:
    """Return the parameters by name, checked to be leaves that require a gradient."""
    if isinstance(parameters, Mapping):
        named = dict(parameters)
    elif isinstance(parameters, Sequence):
        named = {getattr(tensor, "name", None) or str(i): tensor for i, tensor in enumerate(parameters)}
        if len(named) != len(parameters):
            raise ArgumentError("two of the parameters share a name; bind them as a dict with names of your choice")
    elif hasattr(parameters, "named_parameters"):
        named = dict(parameters.named_parameters())
    else:
        raise ArgumentError(f"bind takes a module, or Tensors in a dict or a list, got {type(parameters).__name__}")
    if not named:
        raise ArgumentError("there are no parameters to optimise; bind a module or Tensors with requires_grad=True")
    for name, tensor in named.items():
        if not isinstance(tensor, Tensor):
            raise ArgumentError(f"{name} cannot be optimised: it is a {type(tensor).__name__}, not a Tensor")
        if not tensor.requires_grad:
            raise ArgumentError(f"{name} does not require a gradient, so it cannot be optimised")
    if len(set(named.values())) != len(named):
        raise ArgumentError(f"one Tensor stands twice among the parameters {', '.join(named)}; bind it once")
    return named
