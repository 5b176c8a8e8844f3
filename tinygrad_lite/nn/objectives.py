"""What training aims for: losses and penalties, declared, that add up to an objective which knows its sense.

    objective = nn.CrossEntropy() + 0.01 * nn.L2()          # minimised
    objective = nn.LogLikelihood() - 0.01 * nn.L2()         # maximised, as document 000 writes it

The terms stay apart, in the history and in checks; their weighted sum is one node of the graph.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

from tinygrad_lite import primitives as p
from tinygrad_lite.errors import ArgumentError, DetachError, ObjectiveError
from tinygrad_lite.mode import MODE
from tinygrad_lite.nn.module import Module
from tinygrad_lite.tape import Node
from tinygrad_lite.tensor import Array, Operand, Tensor, as_operand, carries_gradient

Sense: TypeAlias = Literal["minimise", "maximise"]
Values: TypeAlias = "Tensor | Array"
Network: TypeAlias = Callable[[Any], Any]
"""A Module, or, where no penalty asks for parameters, any function of the inputs."""


class Evaluation(NamedTuple):
    """An objective evaluated on a batch."""

    total: Tensor
    """The weighted sum, to call `backward()` on."""
    terms: dict[str, Tensor]
    """The value of each term, without its weight, by name."""
    prediction: Tensor
    """What the network gave for the batch."""


class Objective(ABC):
    """A weighted sum of terms, minimised or maximised."""

    @abstractmethod
    def weighted_terms(self) -> tuple[tuple[float, Term], ...]:
        """Return the terms, each with the factor that it counts with."""

    @property
    def sense(self) -> Sense:
        """Whether this objective is minimised or maximised."""
        return _sense(*self.weighted_terms()[0])

    def __call__(self, net: Network, x: Operand, target: Operand) -> Tensor:
        """Return the objective for inputs `x` and their targets, a scalar Tensor."""
        return self.evaluate(net, x, target).total

    def evaluate(self, net: Network, x: Operand, target: Operand) -> Evaluation:
        """Return the objective with the value of each of its terms and the prediction.

        Raises DetachError if the network has parameters but its prediction has lost its history on the way.
        """
        if not callable(net):
            raise ObjectiveError(
                f"an objective is called with the network itself, then inputs and targets; got {net!r}"
            )
        prediction = net(x)
        if not carries_gradient(prediction) and MODE.get().record and _parameters(net):
            raise DetachError(
                "the prediction of the network carries no gradient, so nothing but penalties would be trained; "
                "keep .numpy(), .item(), .data, .detach() and no_grad() out of forward()"
            )
        return self.evaluate_prediction(net, prediction, target)

    def evaluate_prediction(self, net: Network, prediction: Operand, target: Operand) -> Evaluation:
        """Return what `evaluate` does for a prediction that `net` has already made."""
        prediction = prediction if isinstance(prediction, Tensor) else Tensor(prediction)
        target = as_operand(target)
        weights, terms = zip(*self.weighted_terms())
        values = [term.value(net, prediction, target) for term in terms]
        total = values[0] if weights == (1.0,) else p.weighted_sum(*values, weights=weights)
        return Evaluation(total, {term.name: value for term, value in zip(terms, values)}, prediction)

    # ----- Adding up -----

    def __add__(self, other: Objective) -> Objective:
        if not isinstance(other, Objective):
            return NotImplemented
        if self.sense != other.sense:
            raise ObjectiveError(
                f"{self!r} is to be {self.sense}d and {other!r} {other.sense}d: their sum has no sense; "
                f"subtract the second instead"
            )
        return Combination(self.weighted_terms() + other.weighted_terms())

    def __sub__(self, other: Objective) -> Objective:
        if not isinstance(other, Objective):
            return NotImplemented
        if self.sense == other.sense:
            raise ObjectiveError(
                f"{self!r} and {other!r} are both to be {self.sense}d: their difference has no sense; add them instead"
            )
        return self + -1.0 * other

    def __mul__(self, factor: float) -> Objective:
        if not isinstance(factor, int | float):
            return NotImplemented
        if not math.isfinite(factor):
            raise ObjectiveError(f"the weight of a term must be a finite number, got {factor}")
        return Combination(tuple((float(factor) * weight, term) for weight, term in self.weighted_terms()))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return -1.0 * self


def _parameters(net: Network) -> list[Tensor]:
    return net.parameters() if isinstance(net, Module) else []


def _sense(weight: float, term: Term) -> Sense:
    if math.copysign(1.0, weight) > 0:  # a weight of −0 is still subtracted: sweeps over λ pass through 0
        return term.own_sense
    return "maximise" if term.own_sense == "minimise" else "minimise"


@dataclass(frozen=True, repr=False)
class Combination(Objective):
    """Several terms with their weights."""

    terms: tuple[tuple[float, Term], ...]

    def __post_init__(self) -> None:
        names = [term.name for _, term in self.terms]
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise ObjectiveError(f"{', '.join(sorted(repeated))} stands twice in one objective; give it one weight")

    def weighted_terms(self) -> tuple[tuple[float, Term], ...]:
        """Return the terms with their factors."""
        return self.terms

    def __repr__(self) -> str:
        text = ""
        for weight, term in self.terms:
            sign = "-" if weight < 0 else "+" if text else ""
            factor = "" if abs(weight) == 1 else f"{abs(weight):g} * "
            text += (f" {sign} " if text else sign) + factor + repr(term)
        return text


class Term(Objective):
    """One loss or penalty; by itself an objective of weight 1. Subclasses give it a `name` and say its `value`.

    >>> from tinygrad_lite import nn
    >>> class LargestLogit(nn.Term):
    ...     name = "largest_logit"
    ...     def value(self, net, prediction, target):
    ...         return prediction.max()
    >>> objective = nn.CrossEntropy() + 0.1 * LargestLogit()
    >>> round(objective(nn.Identity(), [[0.0, 0.0]], [1]).item(), 4)
    0.6931
    """

    own_sense: ClassVar[Sense] = "minimise"
    name: ClassVar[str]

    def weighted_terms(self) -> tuple[tuple[float, Term], ...]:
        """Return the term alone."""
        return ((1.0, self),)

    @abstractmethod
    def value(self, net: Network, prediction: Tensor, target: Values) -> Tensor:
        """Return this term, without a weight, as a scalar Tensor."""


def refuse_activated(net: Network, prediction: Tensor, loss: str, *activations: str) -> None:
    """Raise ObjectiveError if `prediction` is the output of an activation that the loss applies itself.

    What was recorded tells, and where nothing was, the `output` that a network declares.
    """
    node = prediction._node
    last = node.primitive.name if isinstance(node, Node) else getattr(net, "output", None)
    if last in activations:
        raise ObjectiveError(
            f"{loss} takes logits and applies {last} itself, but the network ends in one; "
            'declare the network with output="identity", or use a loss on probabilities such as MSE'
        )


def checked_reduction(reduction: str, choices: tuple[str, ...]) -> None:
    """Raise ArgumentError unless `reduction` is one of `choices`."""
    if reduction not in choices:
        raise ArgumentError(f"reduction must be one of {', '.join(map(repr, choices))}, got {reduction!r}")
