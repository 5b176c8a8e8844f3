"""From a captured graph to a program that is written: lowered, rewritten, its memory planned."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tinygrad_lite.program.accumulating import with_added_products
from tinygrad_lite.program.captured import Captured
from tinygrad_lite.program.entries import program_lowering_of
from tinygrad_lite.program.layouts import laid_out
from tinygrad_lite.program.listing import Listing, listing_of, scalars_first
from tinygrad_lite.program.memory import Memory, planned, without_values
from tinygrad_lite.program.simplifying import simplified
from tinygrad_lite.program.sinking import with_sunk_factors
from tinygrad_lite.program.squares import with_squares
from tinygrad_lite.program.updates import with_folded_updates
from tinygrad_lite.program.writing import Written, written
from tinygrad_lite.tape import Leaf

REWRITES: tuple[Callable[[Listing], Listing], ...] = (
    scalars_first,
    with_folded_updates,
    scalars_first,
    with_squares,
    scalars_first,
    with_sunk_factors,
    laid_out,
    simplified,
    laid_out,
    with_added_products,
)
"""What changes the rounding, in this order."""


class Optimized(NamedTuple):
    """A program, from what was captured to what is run."""

    listing: Listing
    memory: Memory
    written: Written
    gradients: dict[Leaf, int | None]
    """Which output of the program each gradient is that it leaves, None where it takes one away."""


def optimized(captured: Captured, is_exact: bool) -> Optimized:
    """Return the program of a captured call; one that is exact keeps the bits of eager execution."""
    left = {leaf: node for leaf, node in captured.gradients.items() if node is not None}
    listing = simplified(listing_of(captured.graph, left.values(), program_lowering_of))
    if not is_exact:
        for rewrite in REWRITES:
            listing = rewrite(listing)
    memory = planned(listing)
    numbers = dict(zip(left, range(len(captured.graph.outputs), len(listing.outputs)), strict=True))
    gradients = {leaf: numbers.get(leaf) for leaf in captured.gradients}
    program = written(listing, memory, is_exact)
    for position, value in enumerate(listing.values):  # a program is not to hold what was computed to capture it
        if not listing.is_constant(position):
            value.array = without_values(value.array)
    return Optimized(listing, memory, program, gradients)
