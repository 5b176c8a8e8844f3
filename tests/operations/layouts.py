"""Memory layouts: every case again with operands that lie in memory by columns, with gaps, or backwards.

A Tensor copies what it is given in C order, so another order only arises inside a graph. Here each operand is stored
as a leaf in C order and seen through a recorded view, which gives its primitive the layout to be tested.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tests.operations.case import Case


class Layout(NamedTuple):
    """`seen(stored(x))` equals x."""

    stored: Callable[[np.ndarray], np.ndarray]
    seen: Callable[[Any], Any]


def _in_c_order(x: np.ndarray) -> np.ndarray:
    return np.array(x, order="C")


def _with_gaps(x: np.ndarray) -> np.ndarray:
    """Return an array of twice the last length that holds `x` at its even places."""
    if not x.ndim:
        return x
    wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), 7.0, x.dtype)
    wide[..., ::2] = x
    return wide


def _backwards(x: Any) -> Any:
    return x[(slice(None, None, -1),) * x.ndim]


LAYOUTS: dict[str, Layout] = {
    "in C order": Layout(_in_c_order, lambda x: x),
    "in Fortran order": Layout(lambda x: _in_c_order(x.T), lambda x: x.T),
    "with gaps": Layout(_with_gaps, lambda x: x[..., ::2] if x.ndim else x),
    "backwards": Layout(lambda x: _in_c_order(_backwards(x)), _backwards),
}


def laid_out(
    case: Case, layout: str, dtype: Any = np.float64
) -> tuple[Callable[..., Any], tuple[np.ndarray, ...], tuple[int, ...]]:
    """Return the case as a function of stored operands, those operands, and the positions to differentiate by."""
    stored, seen = LAYOUTS[layout]
    wanted = case.wanted()
    operands = case.operands(dtype)

    def function(*xs: Any) -> Any:
        return case(*(seen(x) if i in wanted else x for i, x in enumerate(xs)))

    constants = (np.asarray(seen(stored(x))) for x in operands)  # raw arrays in the layout themselves
    arrays = tuple(
        stored(x) if i in wanted else constant for i, (x, constant) in enumerate(zip(operands, constants, strict=True))
    )
    return function, arrays, wanted
