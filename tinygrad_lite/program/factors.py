"""Factors: products of numbers and scalars that a program knows before its first array."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tinygrad_lite import primitives as p
from tinygrad_lite.graphs.source.lowered import CoreValue
from tinygrad_lite.program.listing import Listing, Writer, is_scalar

LARGEST = 1e15
"""How large a number may be that is moved about, and one divided by it how small: twice that overflows nothing."""


class Factor(NamedTuple):
    """A number times powers of scalars, by their positions; powers are multiples of ½."""

    number: float = 1.0
    powers: tuple[tuple[int, float], ...] = ()

    def __mul__(self, other: object) -> Factor:
        """Return the product of two factors."""
        if not isinstance(other, Factor):
            return NotImplemented
        powers = dict(self.powers)
        for position, power in other.powers:
            powers[position] = powers.get(position, 0) + power
        return Factor(self.number * other.number, tuple(sorted((i, n) for i, n in powers.items() if n)))

    def __invert__(self) -> Factor:
        """Return one divided by the factor."""
        return Factor(1 / self.number, tuple((i, -n) for i, n in self.powers))

    @property
    def is_moderate(self) -> bool:
        """Return whether the number is far from what overflows or vanishes in float32."""
        return 1 / LARGEST < abs(self.number) < LARGEST

    def root(self) -> Factor:
        """Return the square root of a factor whose number is positive."""
        return Factor(math.sqrt(self.number), tuple((i, n / 2) for i, n in self.powers))


class Factored(NamedTuple):
    """An operation as a factor times one of its operands."""

    factor: Factor
    source: int


def factored(value: CoreValue, listing: Listing) -> Factored | None:
    """Return s · x, x / s and −x as a factor times x, None for anything else.

    x must have the shape and dtype of the value, and the scalars must be there before all arrays (`scalars_first`).
    """
    values, inputs = listing.values, value.inputs
    if is_scalar(value) or value.array.dtype.kind != "f":
        return None
    if value.operation is p.negative:
        return Factored(Factor(-1.0), inputs[0])
    if value.operation not in (p.multiply, p.divide):
        return None
    pairs = [(inputs[1], inputs[0]), (inputs[0], inputs[1])][: 2 if value.operation is p.multiply else 1]
    for scalar, source in pairs:
        array = values[source].array
        if is_scalar(values[scalar]) and not is_scalar(values[source]) and array.dtype == value.array.dtype:
            factor = factor_of(scalar, listing)
            if factor is not None:
                return Factored(factor if value.operation is p.multiply else ~factor, source)
    return None


def factor_of(position: int, listing: Listing) -> Factor | None:
    """Return a scalar as a factor; None if it is computed from an array, or is extreme or 0 in every run."""
    value = listing.values[position]
    if listing.is_constant(position):
        factor = Factor(float(value.array))
        return factor if factor.is_moderate else None
    return Factor(1.0, ((position, 1),)) if is_early(position, listing) else None


def is_early(position: int, listing: Listing) -> bool:
    """Return whether a scalar is computed from scalars alone, so that it is there before any array."""
    value = listing.values[position]
    array = value.array
    return value.is_number or (is_scalar(value) and array.dtype.kind == "f" and position < listing.early)


def written_factor(factor: Factor, writer: Writer, like: CoreValue) -> int:
    """Add the operations that compute a factor, given by positions in the old listing; return its position."""
    result: int | None = None
    for position, power in factor.powers:
        for part in (*[1.0] * int(abs(power)), *([0.5] if power % 1 else [])):
            scalar = writer.moved[position]
            if part == 0.5:
                scalar = _computed(p.sqrt, (scalar,), writer, like)
            if result is None and power > 0:
                result = scalar
            else:
                left = _number(1.0, writer, like) if result is None else result
                result = _computed(p.multiply if power > 0 else p.divide, (left, scalar), writer, like)
    if result is None:
        return _number(factor.number, writer, like)
    if factor.number == 1.0:
        return result
    return _computed(p.multiply, (result, _number(factor.number, writer, like)), writer, like)


def _number(number: float, writer: Writer, like: CoreValue) -> int:
    return writer.add(CoreValue(like.node, number))


def _computed(operation: p.Primitive, operands: tuple[int, ...], writer: Writer, like: CoreValue) -> int:
    return writer.computed(operation, operands, like, np.zeros(()))


def scaled(position: int, factor: Factor, writer: Writer, like: CoreValue) -> int:
    """Return where `factor` times an array of the new listing is, computed if it is not there."""
    value = writer.values[position]
    if factor == Factor():
        return position
    if factor == Factor(-1.0):
        return writer.computed(p.negative, (position,), like, value.array)
    scalar = written_factor(factor, writer, like)
    found = CoreValue(like.node, value.array, p.multiply, (scalar, position), weak=frozenset((0,)))
    return writer.add(found)
