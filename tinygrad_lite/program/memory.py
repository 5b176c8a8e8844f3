"""Where the values of a program lie: views of others, buffers that are used again, the arrays of cells.

A value is needed until the last operation that reads it, or a view of it. A buffer goes to another value once nothing
needs what it holds, in place already to an elementwise result of what is needed no more. The new value of a cell is
computed in the array of that cell where the old one is needed no more by then.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinygrad_lite import primitives as p
from tinygrad_lite.graphs.source.lowered import CoreValue
from tinygrad_lite.program.kernels import KERNELS, kernel_of, overwritable
from tinygrad_lite.program.listing import CHECKING, Listing, is_scalar

VIEWS = frozenset({p.reshape, p.transpose, p.swapaxes, p.broadcast_to, p.getitem, p.contiguous})
"""Operations whose result may be a view of their operand."""


@dataclass
class Memory:
    """A place for each value of a listing."""

    views: frozenset[int]
    """The values that are views of their operand."""
    buffers: dict[int, int] = field(default_factory=dict)
    """The number of the buffer that a value lies in."""
    sizes: list[int] = field(default_factory=list)
    """The bytes of each buffer."""
    in_cells: dict[int, int] = field(default_factory=dict)
    """Each value that lies in the array of a cell, and that cell."""
    in_place: set[int] = field(default_factory=set)
    """The values that take the place of an operand."""
    roots: list[int] = field(default_factory=list)
    """The value in whose memory each value lies: a view's operand, or what that is a view of, otherwise itself."""

    def is_in_place(self, position: int, operand: int) -> bool:
        """Return whether a value lies where one of its operands does."""
        if position not in self.in_place:
            return False
        if position in self.buffers:
            return self.buffers[position] == self.buffers.get(operand)
        return self.in_cells[position] == self.in_cells.get(operand, operand)


def has_place(value: CoreValue, values: list[CoreValue]) -> bool:
    """Return whether a value is computed into memory that is planned, if it is no view."""
    return not is_scalar(value) and kernel_of(value, values) is not None


def planned(listing: Listing) -> Memory:
    """Return where each value of a listing is to lie."""
    planner = _Planner(listing)
    for position in range(len(listing.values)):
        planner.advance(position)
    return planner.memory


class _Planner:
    def __init__(self, listing: Listing) -> None:
        self.listing, self.values = listing, listing.values
        self.memory = Memory(frozenset(i for i, value in enumerate(self.values) if is_view(value, self.values)))
        self.memory.roots = self._roots()
        self.holds = self._holds()
        """The values in whose memory each value may lie."""
        self.last_use = self._last_uses()
        self.dying = self._dying()
        self.destinies = self._destinies()
        """The values that are to be computed in the array of a cell, and which."""
        self.occupants = {target: target for target, _ in listing.assignments}
        """What lies in the array of each cell that is assigned to."""
        self.last_risk = max((i for i, value in enumerate(self.values) if may_raise(value)), default=-1)
        """The last value whose computation may raise: no cell is changed before."""
        self.free: list[tuple[int, int]] = []
        """The buffers that nothing needs, by their sizes."""

    def _roots(self) -> list[int]:
        found: list[int] = []
        for position, value in enumerate(self.values):
            found.append(found[value.inputs[0]] if position in self.memory.views else position)
        return found

    def _holds(self) -> list[frozenset[int]]:
        found: list[frozenset[int]] = []
        for position, value in enumerate(self.values):
            own = frozenset((position,))
            if position in self.memory.views:
                found.append(found[value.inputs[0]])
            elif value.operation is None or is_scalar(value) or kernel_of(value, self.values):
                found.append(own)
            else:  # what computes it may hand out its operands
                found.append(own.union(*(found[i] for i in value.inputs)))
        return found

    def _last_uses(self) -> list[int]:
        ends = list(range(len(self.values)))
        for position, value in enumerate(self.values):
            for source in value.inputs:
                for held in self.holds[source]:
                    ends[held] = position
        for result in self.listing.results:
            for held in self.holds[result]:
                ends[held] = len(self.values)
        return ends

    def _dying(self) -> list[list[int]]:
        found: list[list[int]] = [[] for _ in range(len(self.values) + 1)]
        for position, end in enumerate(self.last_use):
            found[end].append(position)
        return found

    def _destinies(self) -> dict[int, int]:
        found: dict[int, int] = {}
        for target, source in self.listing.assignments:
            if source not in found and self._is_own(source) and self._are_alike(source, target):
                found[source] = target
        for position in reversed(range(len(self.values))):
            if position in found:
                operand = next((i for i in self._overwritten(position) if self._is_own(i) and i not in found), None)
                if operand is not None:
                    found[operand] = found[position]
        return found

    def _is_own(self, position: int) -> bool:
        """Return whether a value is computed into memory of its own."""
        return position not in self.memory.views and has_place(self.values[position], self.values)

    def _are_alike(self, a: int, b: int) -> bool:
        x, y = self.values[a].array, self.values[b].array
        return hasattr(x, "shape") and bool((x.shape, x.dtype, x.strides) == (y.shape, y.dtype, y.strides))

    def _overwritten(self, position: int) -> Iterator[int]:
        """Yield the operands in whose place a value can be computed, because nothing else needs them."""
        value = self.values[position]
        is_by_element = value.operation is not None and value.operation.is_elementwise
        for operand in overwritable(value):
            is_last = self.last_use[operand] <= position
            others = [i for i in value.inputs if i != operand]
            if value.inputs.count(operand) > 1 and not is_by_element:
                continue  # it is still read elsewhere when its place is written to
            if is_last and self._are_alike(operand, position) and all(operand not in self.holds[i] for i in others):
                yield operand

    # ----- The walk -----

    def advance(self, position: int) -> None:
        """Find a place for a value, and let go of those that it was the last to need."""
        inherited = self._placed(position) if self._is_own(position) else None
        for gone in self.dying[position]:
            number = self.memory.buffers.get(gone)
            if number is not None and number != inherited:
                bisect.insort(self.free, (self.memory.sizes[number], number))

    def _placed(self, position: int) -> int | None:
        """Give a value a place; return the number of the buffer that it took over from an operand."""
        memory = self.memory
        if position in self.destinies and self._moves_in(position, self.destinies[position]):
            return None
        for operand in self._overwritten(position):
            if operand in memory.buffers:
                memory.in_place.add(position)
                memory.buffers[position] = memory.buffers[operand]
                return memory.buffers[operand]
        memory.buffers[position] = self._buffer(self.values[position].array.nbytes)
        return None

    def _moves_in(self, position: int, cell: int) -> bool:
        """Place a value in the array of a cell, if what is there is needed no more."""
        occupant = self.occupants[cell]
        end = self.last_use[occupant]
        if position < self.last_risk or end > position:
            return False
        if end == position and occupant not in self._overwritten(position):
            return False
        if end == position:
            self.memory.in_place.add(position)
        self.memory.in_cells[position] = cell
        self.occupants[cell] = position
        return True

    def _buffer(self, size: int) -> int:
        """Return a buffer of at least `size` bytes: the smallest free one, or the largest made larger, or one more."""
        sizes = self.memory.sizes
        if not self.free:
            sizes.append(size)
            return len(sizes) - 1
        place = bisect.bisect_left(self.free, (size, -1))
        _, number = self.free.pop(min(place, len(self.free) - 1))
        sizes[number] = max(sizes[number], size)
        return number


def may_raise(value: CoreValue) -> bool:
    """Return whether the computation of a value may raise: it is a check, or somebody else's code."""
    if value.operation is None or value.operation in CHECKING:
        return value.operation is not None
    return value.operation.ufunc is None and value.operation not in VIEWS and value.operation not in KERNELS


def is_view(value: CoreValue, values: list[CoreValue]) -> bool:
    """Return whether a value lies in the memory of its operand."""
    if value.operation not in VIEWS or is_scalar(value):
        return False
    source = values[value.inputs[0]].array
    found = value.operation.forward(source, **value.static)
    return found.base is not None and np.may_share_memory(found, source)


def without_values(array: Any) -> Any:
    """Return what has the shape, dtype and strides of an array and none of its memory, never to be read."""
    if not isinstance(array, np.ndarray):
        return array
    return np.lib.stride_tricks.as_strided(np.empty(1, array.dtype), array.shape, array.strides, writeable=False)
