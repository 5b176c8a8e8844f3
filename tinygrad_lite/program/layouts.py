"""Memory orders of a program: narrow matrices by columns, where what is made of them is reduced row by row.

NumPy reduces the rows of a narrow matrix several times faster when it lies column by column, and forwards lay it out so
first. A program lets the matrix product before leave its result so, and everything elementwise in between.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_lite import primitives as p
from tinygrad_lite.graphs.source.lowered import CoreValue
from tinygrad_lite.program.entries import lies_by_columns, minus_one_at
from tinygrad_lite.program.listing import Listing, is_scalar
from tinygrad_lite.program.memory import VIEWS


def laid_out(listing: Listing) -> Listing:
    """Return a listing whose values are laid out alike where they are computed from one another."""
    wanted = _wanted_by_columns(listing)
    values: list[CoreValue] = []
    for position, value in enumerate(listing.values):
        values.append(replace(value, array=_array(position in wanted, value, values)))
    return replace(listing, values=values)


def _wanted_by_columns(listing: Listing) -> set[int]:
    """Return the matrices of which a copy by columns is taken, and what they are computed from elementwise."""
    values, wanted = listing.values, set[int]()
    for position in reversed(range(len(values))):
        value = values[position]
        if value.operation is p.contiguous and _is_transposed(values[value.inputs[0]]):
            wanted.add(values[value.inputs[0]].inputs[0])
        elif position in wanted and _is_elementwise(value):
            wanted.update(i for i in value.inputs if getattr(values[i].array, "shape", None) == value.array.shape)
    return {i for i in wanted if values[i].operation is p.matmul or _is_elementwise(values[i])}


def _is_transposed(value: CoreValue) -> bool:
    return value.operation is p.transpose and value.array.ndim == 2


def _is_elementwise(value: CoreValue) -> bool:
    return value.operation is minus_one_at or (value.operation is not None and value.operation.is_elementwise)


def _array(is_wanted: bool, value: CoreValue, values: list[CoreValue]) -> Any:
    """Return what has the shape, dtype and memory order that a value is to have."""
    array = value.array
    if value.operation is None or is_scalar(value):
        return array
    if value.operation in VIEWS and array.base is not None:
        view: np.ndarray = value.operation.forward(values[value.inputs[0]].array, **value.static)
        return view
    if array.ndim == 2 and (is_wanted or (_is_elementwise(value) and _is_by_columns(value, values))):
        return np.empty(array.shape[::-1], array.dtype).T
    return array


def _is_by_columns(value: CoreValue, values: list[CoreValue]) -> bool:
    """Return whether all operands of the shape of a value lie by columns."""
    arrays = [values[i].array for i in value.inputs if not is_scalar(values[i])]
    whole = [array for array in arrays if array.shape == value.array.shape]
    return bool(whole) and all(map(lies_by_columns, whole))
