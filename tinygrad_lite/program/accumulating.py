"""Products and multiples added to what is there already, w ← β w + A B and w ← β w + α g: each one call of BLAS."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tinygrad_lite import primitives as p
from tinygrad_lite.graphs.source.lowered import CoreValue
from tinygrad_lite.program.blas import multiples_added, product_added
from tinygrad_lite.program.entries import plus_decayed_product, plus_multiple, plus_product
from tinygrad_lite.program.listing import Listing, Writer, is_scalar

SMALLEST = 10_000
"""How many values a matrix must have for a pass over it to cost more than the way to BLAS."""


def with_added_products(listing: Listing) -> Listing:
    """Return a listing in which large matrix products are added to what they are added to while they are computed."""
    writer, is_alone = Writer(listing), listing.needed_once()
    for value in listing.values:
        decayed = _sum_with_decay(value, writer, is_alone)
        if decayed is not None:
            writer.moved.append(writer.add(decayed))
            continue
        pair = _sum_with_product(value, listing)
        if pair is None or not is_alone[pair[1]]:
            found = _sum_of_multiples(value, listing, is_alone)
            writer.moved.append(writer.add(writer.copied(value) if found is None else _written(found, value, writer)))
            continue
        summand, factors = pair[0], listing.values[pair[1]].inputs
        scalar = _scalar_of(summand, listing) if is_alone[summand] else None
        if scalar is not None:
            summand = next(i for i in listing.values[summand].inputs if i != scalar)
        beta = writer.add(CoreValue(value.node, 1.0)) if scalar is None else writer.moved[scalar]
        inputs = (writer.moved[summand], beta, *(writer.moved[i] for i in factors))
        listing.noted("products added by BLAS")
        writer.moved.append(
            writer.add(replace(value, operation=plus_product, inputs=inputs, static={}, weak=frozenset()))
        )
    return writer.finished()


def _sum_with_decay(value: CoreValue, writer: Writer, is_alone: list[bool]) -> CoreValue | None:
    """Return w + (β w + A B), whose bracket is written already, as one operation; None for anything else."""
    if value.operation is not p.add or not is_alone[value.inputs[1]]:
        return None
    w, change = (writer.moved[i] for i in value.inputs)
    made = writer.values[change]
    if made.operation is not plus_product or made.inputs[0] != w:
        return None
    return replace(value, operation=plus_decayed_product, inputs=made.inputs, static={}, weak=frozenset())


def _sum_with_product(value: CoreValue, listing: Listing) -> tuple[int, int] | None:
    """Return the operands of a sum of a matrix and a large product, the product last; None for anything else."""
    if value.operation is not p.add or value.array.size < SMALLEST or not value.array.flags.c_contiguous:
        return None
    if product_added(value.array.dtype) is None:
        return None
    for summand, other in (value.inputs, value.inputs[::-1]):
        made = listing.values[other]
        if made.operation is p.matmul and not is_scalar(listing.values[summand]):
            arrays = [listing.values[i].array for i in (summand, *made.inputs)]
            if arrays[0].shape == value.array.shape and all(_is_dense_matrix(x, value.array.dtype) for x in arrays):
                return summand, other
    return None


def _is_dense_matrix(x: np.ndarray, dtype: np.dtype[np.generic]) -> bool:
    return x.ndim == 2 and x.dtype == dtype and (x.flags.c_contiguous or x.flags.f_contiguous)


def _scalar_of(position: int, listing: Listing) -> int | None:
    """Return the scalar that a value is a multiple of."""
    value = listing.values[position]
    if value.operation is not p.multiply:
        return None
    return next((i for i in value.inputs if is_scalar(listing.values[i])), None)


class Multiples(NamedTuple):
    """β x + α y, each factor the position of a scalar, or None for 1."""

    x: int
    beta: int | None
    y: int
    alpha: int | None


def _sum_of_multiples(value: CoreValue, listing: Listing, is_alone: list[bool]) -> Multiples | None:
    """Return a sum of two large arrays, of which at least one is a multiple, as that; None for anything else."""
    if value.operation is not p.add or value.array.size < SMALLEST or multiples_added(value.array.dtype) is None:
        return None
    found: list[tuple[int, int | None]] = []
    for operand in value.inputs:
        scalar = _scalar_of(operand, listing) if is_alone[operand] else None
        source = operand if scalar is None else next(i for i in listing.values[operand].inputs if i != scalar)
        if is_scalar(listing.values[source]):
            return None
        array = listing.values[source].array
        if (array.shape, array.dtype, array.strides) != (value.array.shape, value.array.dtype, value.array.strides):
            return None
        found.append((source, scalar))
    (x, beta), (y, alpha) = found
    return None if beta is None and alpha is None else Multiples(x, beta, y, alpha)


def _written(found: Multiples, value: CoreValue, writer: Writer) -> CoreValue:
    one = CoreValue(value.node, 1.0)
    beta, alpha = (writer.add(one) if i is None else writer.moved[i] for i in (found.beta, found.alpha))
    inputs = (writer.moved[found.x], beta, writer.moved[found.y], alpha)
    writer.old.noted("multiples added by BLAS")
    return replace(value, operation=plus_multiple, inputs=inputs, static={}, weak=frozenset())
