"""Numbers and small arrays as Python source that makes exactly them again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tinygrad_lite.graphs.source.spelling import ATOM, SIGN, Term, dtype_text

LONGEST = 60
"""How many characters the source of an array may have; a larger one is an argument of what is written."""


def number(value: Any) -> Term:
    """Return a Python number as an expression.

    >>> number(-0.1).text, number(float("inf")).text, number(True).text
    ('-0.1', 'np.inf', 'True')
    """
    text = _plain(value, np.dtype(np.float64))
    return Term(text, SIGN if text.startswith("-") else ATOM)


def literal(array: Any) -> Term | None:
    """Return an array as an expression that makes it, None for one that is large, not there, or not in C order.

    >>> import numpy as np
    >>> literal(np.zeros((100, 10), np.float32)).text, literal(np.array(0.1, np.float32)).text
    ('np.zeros((100, 10), np.float32)', 'np.float32(0.1)')
    """
    if not isinstance(array, np.ndarray) or not array.flags.c_contiguous:
        return None
    text = _text(array)
    return None if text is None or len(text) > LONGEST else Term(text, array=array)


def _text(array: np.ndarray) -> str | None:
    if not array.ndim:
        return f"{dtype_text(array.dtype)}({_plain(array.item(), array.dtype)})"
    if array.tobytes() == array.flat[:1].tobytes() * array.size:
        return _uniform(array)
    if array.dtype == np.intp and array.ndim == 1 and np.array_equal(array, np.arange(len(array))):
        return f"np.arange({len(array)})"
    if array.size > LONGEST:
        return None
    return f"np.array({_nested(array.tolist(), array.dtype)}{_dtype_argument(array.dtype)})"


def _uniform(array: np.ndarray) -> str:
    """Return the source of an array whose values are all the same, down to their bits."""
    shape = array.shape[0] if array.ndim == 1 else array.shape
    value = _plain(array.flat[0].item(), array.dtype) if array.size else "0"
    if value in ("0", "0.0", "False", "1", "1.0", "True"):
        maker = "np.zeros" if value in ("0", "0.0", "False") else "np.ones"
        usual = array.dtype == np.float64
        return f"{maker}({shape}{'' if usual else f', {dtype_text(array.dtype)}'})"
    return f"np.full({shape}, {value}{_dtype_argument(array.dtype)})"


def _dtype_argument(dtype: np.dtype[Any]) -> str:
    return "" if dtype in (np.float64, np.bool, np.int64) else f", dtype={dtype_text(dtype)}"


def _nested(values: Any, dtype: np.dtype[Any]) -> str:
    if isinstance(values, list):
        return f"[{', '.join(_nested(value, dtype) for value in values)}]"
    return _plain(values, dtype)


def _plain(value: Any, dtype: np.dtype[Any]) -> str:
    if isinstance(value, bool | int):
        return repr(value)
    value = float(value)
    if math.isnan(value):
        return "np.nan"
    if math.isinf(value):
        return "np.inf" if value > 0 else "-np.inf"
    short = str(dtype.type(value))  # the shortest text that is this number in its own dtype
    return short if dtype.type(float(short)) == value else repr(value)
