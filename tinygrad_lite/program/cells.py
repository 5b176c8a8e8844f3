"""The arrays of cells: changed in place while programs alone hold them, given up to whoever else does.

Nothing that holds an array, be it a tape, a view, or a Tensor that shares it, may see it change. All of them count as
references to it, and so a program that is about to change an array compares their number with that of the references
that programs have: if there are more, the cell gets a new array, and the others keep the old one.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Sequence

import numpy as np

from tinygrad_lite.tensor import Tensor


class CellArray:
    """An array that programs may change, as long as `references` is the number of references to it."""

    __slots__ = ("array", "references")

    def __init__(self, tensor: Tensor, like: np.ndarray) -> None:
        """Give `tensor` a new array of the same values, laid out like another."""
        self.array = np.empty_like(like)
        np.copyto(self.array, tensor._array)
        tensor._array = self.array
        self.references = sys.getrefcount(self.array)

    @property
    def is_alone(self) -> bool:
        """Return whether nothing but programs, and the Tensor itself, holds the array."""
        return sys.getrefcount(self.array) <= self.references


_ARRAYS: dict[int, CellArray] = {}
"""The array of each Tensor that programs assign to, by the identity of the Tensor, as long as that is there."""


def cell_array(tensor: Tensor, like: np.ndarray) -> CellArray:
    """Return the array of a cell that a program may change: the one it has, if that is possible, or a new one."""
    known = _ARRAYS.get(id(tensor))
    if known is None:
        weakref.finalize(tensor, _ARRAYS.pop, id(tensor), None)
    elif tensor._array is known.array and known.is_alone and known.array.strides == like.strides:
        return known
    _ARRAYS[id(tensor)] = CellArray(tensor, like)
    return _ARRAYS[id(tensor)]


class Hold:
    """The references of one bound program to the arrays of its cells, taken back when it is gone."""

    def __init__(self, cells: Sequence[CellArray]) -> None:
        self._cells = cells
        self._before = [sys.getrefcount(cell.array) for cell in cells]
        self._own: list[int] = []

    def count(self) -> None:
        """Count the references that have come since this was made as a program's."""
        now = [sys.getrefcount(cell.array) for cell in self._cells]
        self._own = [after - before for after, before in zip(now, self._before, strict=True)]
        for cell, own in zip(self._cells, self._own, strict=True):
            cell.references += own

    def release(self) -> None:
        """Count them no more."""
        for cell, own in zip(self._cells, self._own, strict=True):
            cell.references -= own
        self._own = [0] * len(self._cells)
