"""The ways in which a primitive is called when it is held against what the engine expects of it.

A Tensor copies what it is given in C order, so another memory order only arises inside a graph: there an operand is
stored as a leaf in C order and seen through a recorded view, which gives the primitive the layout to be tested.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.primitives import Primitive


def _as_they_are(*operands: Any) -> tuple[Any, ...]:
    return operands


@dataclass(frozen=True)
class Call:
    """`primitive(*arguments(*operands), **static)`, differentiated by those operands that are wanted."""

    primitive: Primitive
    operands: tuple[np.ndarray, ...]
    static: Mapping[str, Any] = field(default_factory=dict)
    arguments: Callable[..., tuple[Any, ...]] = _as_they_are
    """From the operands to the arguments of the primitive: repeated ones, views, Python numbers."""
    spelled: Callable[..., Any] | None = None
    """How a user writes the call, where that is not the primitive's name."""
    constants: tuple[int, ...] = ()
    """Operands with respect to which nothing is differentiated."""
    variant: str = "as given"
    twin: Call | None = None
    """Another call that must give the same values."""
    may_be_refused: bool = False
    """Whether the primitive need not take operands of such shapes."""

    def __call__(self, *operands: Any) -> Any:
        return (self.spelled or self.primitive)(*self.arguments(*operands), **self.static)

    @cached_property
    def wanted(self) -> tuple[int, ...]:
        """The positions of the operands to differentiate by: floats that reach an operand with a rule."""
        floats = [i for i, x in enumerate(self.operands) if x.dtype.kind == "f" and i not in self.constants]
        arguments = self.arguments(*self.operands)
        rules = self.primitive.rules_for(len(arguments))
        if len(arguments) == len(self.operands):
            return tuple(i for i in floats if rules[i] is not None)
        return tuple(floats) if any(rule is not None for rule in rules) else ()

    def as_dtype(self, dtype: Any) -> Call:
        """Return the same call with its floats rounded to `dtype`."""
        operands = tuple(x.astype(dtype) if x.dtype.kind == "f" else x for x in self.operands)
        return replace(self, operands=operands, variant=str(np.dtype(dtype)))

    def of(self, variant: str, *operands: np.ndarray) -> Call:
        return replace(self, operands=tuple(np.asarray(x) for x in operands), variant=variant)


# ----- Memory layouts -----


class Layout(NamedTuple):
    """`seen(stored(x))` equals x."""

    stored: Callable[[np.ndarray], np.ndarray]
    seen: Callable[[Any], Any]


def _in_c_order(x: np.ndarray) -> np.ndarray:
    return np.array(x, order="C")


def _with_gaps(x: np.ndarray) -> np.ndarray:
    """Return an array of twice the last length that holds `x` at its even places, and its largest value between."""
    if not x.ndim:
        return x
    wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), np.max(np.abs(x), initial=0), x.dtype)
    wide[..., ::2] = x
    return wide


def _backwards(x: Any) -> Any:
    return x[(slice(None, None, -1),) * x.ndim]


LAYOUTS: dict[str, Layout] = {
    "in Fortran order": Layout(lambda x: _in_c_order(x.T), lambda x: x.T),
    "with gaps": Layout(_with_gaps, lambda x: x[..., ::2] if x.ndim else x),
    "backwards": Layout(lambda x: _in_c_order(_backwards(x)), _backwards),
}


def laid_out(call: Call, layout: str) -> Call:
    """Return the call with its operands in another memory layout."""
    stored, seen = LAYOUTS[layout]
    wanted = call.wanted

    def arguments(*xs: Any) -> tuple[Any, ...]:
        return call.arguments(*(seen(x) if i in wanted else x for i, x in enumerate(xs)))

    raw = (stored(x) if i in wanted else np.asarray(seen(stored(x))) for i, x in enumerate(call.operands))
    constants = tuple({*range(len(call.operands))} - {*wanted})
    return replace(call, operands=tuple(raw), arguments=arguments, constants=constants, variant=layout, twin=call)


# ----- Shapes and repetitions -----


def reshaped(call: Call) -> Iterator[Call]:
    """Yield the call on empty operands and, if it is elementwise, on 0-d ones and each broadcast to the others."""
    operands = call.operands
    elementwise = call.primitive.is_elementwise
    if not all(x.size for x in operands) or (elementwise and len({x.shape for x in operands}) != 1):
        return
    if any(x.ndim for x in operands):
        yield replace(call.of("empty", *(x[:0] if x.ndim else x for x in operands)), may_be_refused=True)
    if not elementwise:
        return
    yield _elementwise(call, "0-d", *(x.flat[0] for x in operands))
    if not operands[0].ndim or len(operands) == 1:
        return
    for i in range(len(operands)):
        rest = [(x, x[..., :1], x[0]) for x in operands]
        yield _elementwise(call, f"operand {i} stretched", *(x[j == i] for j, x in enumerate(rest)))
        yield _elementwise(call, f"operand {i} with an axis added", *(x[2 * (j == i)] for j, x in enumerate(rest)))


def _elementwise(call: Call, variant: str, *operands: Any) -> Call:
    """Return the call on other operands, which must give what their values give where each has its own place."""
    spread_out = (np.array(np.atleast_1d(x)) for x in np.broadcast_arrays(*operands))
    return replace(call.of(variant, *operands), twin=call.of("", *spread_out), may_be_refused=True)


def repeated(call: Call) -> Iterator[Call]:
    """Yield the call with one operand in the place of another."""
    for i, j in itertools.combinations(call.wanted, 2):
        x, y = call.operands[i], call.operands[j]
        if x.shape == y.shape:
            rest = tuple(k for k in range(len(call.operands)) if k != j)

            def arguments(*xs: Any, i: int = i, j: int = j, rest: tuple[int, ...] = rest) -> tuple[Any, ...]:
                given = dict(zip(rest, xs, strict=True))
                return call.arguments(*(given[i if k == j else k] for k in range(len(rest) + 1)))

            operands = tuple(call.operands[k] for k in rest)
            twin = call.of("", *(x.copy() if k == j else y for k, y in enumerate(call.operands)))
            yield replace(
                call,
                operands=operands,
                arguments=arguments,
                variant=f"operand {i} for operand {j}",
                twin=twin,
                may_be_refused=True,
            )


def with_axes_from_the_end(call: Call) -> Iterator[Call]:
    """Yield the call with its axes counted from the other end, of the operands or of a result with more axes."""
    named = {name: value for name, value in call.static.items() if name.startswith(("axis", "axes"))}
    if not named:
        return
    ndim = max(
        x.ndim for x in (*call.operands, np.asarray(call.primitive(*call.arguments(*call.operands), **call.static)))
    )
    turned = {name: _turned(value, ndim) for name, value in named.items()}
    if ndim and turned != named:
        static = {**call.static, **turned}
        yield replace(call, static=static, variant="axes from the other end", twin=call, may_be_refused=True)


def _turned(axis: Any, ndim: int) -> Any:
    if isinstance(axis, tuple):
        return tuple(_turned(i, ndim) for i in axis)
    return (axis - ndim if axis >= 0 else axis + ndim) if isinstance(axis, int) else axis


def alone(call: Call) -> Iterator[Call]:
    """Yield the call with each of several wanted operands as the only one that a gradient is wanted for."""
    if len(call.wanted) > 1:
        for wanted in call.wanted:
            others = tuple(i for i in range(len(call.operands)) if i != wanted)
            yield replace(call, constants=others, variant=f"operand {wanted} alone")


def variants_of(call: Call) -> list[Call]:
    """Return the call as given and in every other way that it can be called."""
    layouts = (laid_out(call, layout) for layout in LAYOUTS)
    return [call, *layouts, *reshaped(call), *repeated(call), *alone(call), *with_axes_from_the_end(call)]


def refusal_of(call: Call) -> str:
    """Return why the primitive does not take such operands, nothing if it does or has to."""
    if call.may_be_refused:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                call(*call.operands)
        except Exception as problem:  # whatever its author raises is a refusal
            return summary_of(problem)
    return ""


def summary_of(problem: Exception) -> str:
    """Return the first line of an error, with the name that says what it is."""
    return f"{type(problem).__name__}: {problem}".splitlines()[0]


# ----- Extreme values -----

EXTREMES = (0.0, -0.0, 1e4, -1e4, 1e-30, -1e-30, np.nan)
INFINITE = (*EXTREMES, np.inf, -np.inf)


def at_extremes(call: Call) -> Iterator[Call]:
    """Yield the call with large, tiny and undefined values in the place of its floats, and infinite ones at poles.

    An elementwise operation gets a row of all their combinations; another gets them in turn, in the shapes it knows.
    """
    values = INFINITE if call.primitive.poles else EXTREMES
    for number, operands in enumerate(_combined(call, values) or _in_turn(call, values), 1):
        for dtype in (np.float64, np.float32):
            variant = f"extreme values {number} in {np.dtype(dtype)}"
            yield replace(call.of("", *operands).as_dtype(dtype), variant=variant)


def _combined(call: Call, values: tuple[float, ...]) -> list[list[np.ndarray]]:
    """Return a row of all combinations, or nothing if such a row is not what the primitive takes."""
    floats = [i for i, x in enumerate(call.operands) if x.dtype.kind == "f"]
    combinations = np.array([*itertools.product(values, repeat=len(floats))])
    row = [np.resize(x, len(combinations)) for x in call.operands]
    if not call.primitive.is_elementwise or refusal_of(replace(call.of("", *row), may_be_refused=True)):
        return []
    return [[combinations[:, floats.index(i)] if i in floats else x for i, x in enumerate(row)]]


def _in_turn(call: Call, values: tuple[float, ...]) -> Iterator[list[np.ndarray]]:
    sizes = [x.size for x in call.operands if x.dtype.kind == "f" and x.size]
    smallest = min(sizes, default=len(values))
    for turn in range(max(len(sizes), math.ceil(len(values) / smallest))):
        rolled = (np.roll(values, -turn * smallest - 2 * i) for i in range(len(call.operands)))
        yield [np.resize(v, x.shape) if x.dtype.kind == "f" else x for v, x in zip(rolled, call.operands, strict=True)]
