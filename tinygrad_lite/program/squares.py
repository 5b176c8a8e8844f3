"""c g g, as averages of squares have it, as (√c g)²: a pass less where g is scaled anyway."""

from __future__ import annotations

import math
from dataclasses import replace

from tinygrad_lite import primitives as p
from tinygrad_lite.graphs.source.lowered import CoreValue
from tinygrad_lite.program.factors import Factor, factored, scaled
from tinygrad_lite.program.listing import Listing, Writer


def with_squares(listing: Listing) -> Listing:
    """Return a listing in which products of a value with a positive multiple of itself are squares."""
    writer, is_alone = Writer(listing), listing.needed_once()
    for value in listing.values:
        pair = _multiple_of_itself(value, listing, is_alone)
        if pair is None:
            writer.moved.append(writer.add(writer.copied(value)))
            continue
        source, factor = pair
        root = scaled(writer.moved[source], Factor(math.sqrt(factor)), writer, value)
        writer.moved.append(writer.add(replace(value, operation=p.square, inputs=(root,), weak=frozenset())))
    return writer.finished()


def _multiple_of_itself(value: CoreValue, listing: Listing, is_alone: list[bool]) -> tuple[int, float] | None:
    """Return g and c, if a value is (c g) g with a number c > 0 that is the same in every run."""
    if value.operation is not p.multiply:
        return None
    for multiple, source in (value.inputs, value.inputs[::-1]):
        found = factored(listing.values[multiple], listing) if is_alone[multiple] else None
        if found is not None and found.source == source and not found.factor.powers and found.factor.number > 0:
            return source, found.factor.number
    return None
