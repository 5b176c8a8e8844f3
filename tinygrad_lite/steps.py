"""What a captured call is written down as: steps, each the value of an operation or where a computation begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from tinygrad_lite.primitives import Primitive

Kind: TypeAlias = Literal["operation", "parameter", "input", "state", "constant"]


@dataclass(slots=True)
class Step:
    """One value of a captured call: the result of an operation, or where a computation begins."""

    kind: Kind
    array: Any
    """Its values; a stand-in with shape, dtype and strides for what a tape did not keep; the number of a constant."""
    operation: Primitive | None = None
    inputs: tuple[int, ...] = ()
    """The position of each operand."""
    static: Mapping[str, Any] = field(default_factory=dict)
    weak: frozenset[int] = frozenset()
    """Which operands count as Python numbers, that do not widen the dtype."""
    carries: frozenset[int] = frozenset()
    """Which operands a gradient flows back to: not to what was detached, nor where nothing was recorded."""
    scope: str = ""
    name: str | None = None
    place: str = ""
    back_through: int | None = None
    """In a sweep: the position of the operation whose rule computed this."""
    value_of: int | None = None
    """The position of the parameter that this was assigned to, where the gradients of what is computed from it go."""
    drawn_from: np.random.Generator | None = None
    """Of random numbers: a copy of their generator in the state before the draw."""


class Update(NamedTuple):
    """An effect: `target`, a parameter or state, takes the value of `source`, or gets it as its gradient."""

    target: int
    source: int
    what: Literal["value", "gradient"]
