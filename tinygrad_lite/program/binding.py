"""A program that is written, bound to memory: its buffers are made once, its cells are those it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinygrad_lite.graphs.source.lowered import CoreValue
from tinygrad_lite.program.listing import Listing
from tinygrad_lite.program.memory import Memory
from tinygrad_lite.program.writing import Written

ALIGNMENT = 64
"""The bytes that a buffer begins at a multiple of: a line of the cache."""


class Binding:
    """The buffers of a program, and what it takes to bind it."""

    def __init__(self, listing: Listing, memory: Memory, written: Written) -> None:
        self._listing, self._memory, self._written = listing, memory, written
        self._buffers = [_aligned(size) for size in memory.sizes]

    def to(self, cells: Mapping[int, np.ndarray]) -> Callable[..., Any]:
        """Return the function that runs on these arrays of cells, by the positions of their values."""
        return self._written.bind(self._arrays(cells))

    def _arrays(self, cells: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
        """Return the arrays of all values that have one before the program runs."""
        memory, values = self._memory, self._listing.values
        arrays = dict(cells)
        for position, value in enumerate(values):
            if position in memory.buffers:
                arrays[position] = _like(value.array, self._buffers[memory.buffers[position]])
            elif position in memory.in_cells:
                arrays[position] = arrays[memory.in_cells[position]]
            elif position in memory.views and value.inputs[0] in arrays:
                arrays[position] = _view(value, arrays[value.inputs[0]])
            elif self._listing.is_constant(position):
                arrays[position] = np.asarray(value.array)
        return arrays


def _view(value: CoreValue, source: np.ndarray) -> np.ndarray:
    assert value.operation is not None
    view: np.ndarray = value.operation.forward(source, **value.static)
    return view


def _aligned(size: int) -> np.ndarray:
    """Return a buffer of bytes that begins with a line of the cache."""
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


def _like(array: np.ndarray, buffer: np.ndarray) -> np.ndarray:
    """Return an array in a buffer with the shape, dtype and memory order of `array`."""
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    shape = [array.shape[axis] for axis in order]
    dense = np.ndarray(shape, array.dtype, buffer=buffer.data if array.size else None)
    return dense.transpose([order.index(axis) for axis in range(array.ndim)])
