"""The BLAS that NumPy itself computes with, for what of it NumPy does not offer: C ← A B + β C, and y ← α x + β y.

NumPy computes A B, or α x, into an array, and to add that to another is one more pass over both. BLAS does it at once.
The library that NumPy has loaded is found by threadpoolctl and called directly; another copy of BLAS, such as SciPy's,
has threads of its own that compete with NumPy's for the same cores, and is many times slower for it. What is found is
tried on a small product before it is trusted.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from tinygrad_lite.errors import MissingDependencyError

Function = Callable[..., None]

BY_ROWS, AS_IS, TRANSPOSED = 101, 111, 112
"""What CBLAS calls a matrix that lies in memory row by row, one taken as it is, and one taken transposed."""

LETTERS: Final[Mapping[np.dtype[Any], tuple[str, Any]]] = {
    np.dtype(np.float32): ("s", ctypes.c_float),
    np.dtype(np.float64): ("d", ctypes.c_double),
}

NAMES = (("scipy_cblas_{}64_", ctypes.c_int64), ("cblas_{}64_", ctypes.c_int64), ("cblas_{}", ctypes.c_int32))
"""What functions are called in the builds of OpenBLAS there are, and the integers that they take."""


@functools.cache
def product_added(dtype: np.dtype[Any]) -> Function | None:
    """Return ?gemm(order, transpose A, transpose B, m, n, k, α, A, lda, B, ldb, β, C, ldc) of NumPy's own BLAS.

    None if it is not there or does not do what it should.
    """

    def is_right(gemm: Function) -> bool:
        a, b, c = (np.arange(1, 1 + m * n, dtype=dtype).reshape(m, n) for m, n in ((2, 3), (3, 2), (2, 2)))
        expected = a @ b + 2 * c
        gemm(BY_ROWS, AS_IS, AS_IS, 2, 2, 3, 1.0, a.ctypes.data, 3, b.ctypes.data, 2, 2.0, c.ctypes.data, 2)
        return np.array_equal(c, expected)

    return _found("gemm", "eeeiiinpipinpi", dtype, is_right)


@functools.cache
def multiples_added(dtype: np.dtype[Any]) -> Function | None:
    """Return ?axpby(n, α, X, incx, β, Y, incy) of NumPy's own BLAS, None as for `product_added`."""

    def is_right(axpby: Function) -> bool:
        x, y = np.arange(3, dtype=dtype), np.ones(3, dtype)
        axpby(3, 2.0, x.ctypes.data, 1, 0.5, y.ctypes.data, 1)
        return np.array_equal(y, 2 * x + 0.5)

    return _found("axpby", "inpinpi", dtype, is_right)


def _found(name: str, kinds: str, dtype: np.dtype[Any], is_right: Callable[[Function], bool]) -> Function | None:
    """Return a function by its name without the letter, if it is there and right.

    `kinds` has a letter for each argument: e for the options, i for integers, n for numbers, p for addresses.
    """
    library = _library()
    if dtype not in LETTERS or library is None:
        return None
    letter, number = LETTERS[dtype]
    for pattern, integer in NAMES:
        function = getattr(library, pattern.format(letter + name), None)
        if function is not None:
            types = {"e": ctypes.c_int, "i": integer, "n": number, "p": ctypes.c_void_p}
            function.argtypes, function.restype = [types[kind] for kind in kinds], None
            return function if is_right(function) else None
    return None


@contextmanager
def limited_threads(count: int | None) -> Iterator[None]:
    """Let BLAS use `count` threads inside, and as many as before afterwards; None leaves it alone.

    Raises MissingDependencyError without threadpoolctl.
    """
    if count is None:
        yield
        return
    libraries = _controllers()
    if libraries is None:
        raise MissingDependencyError("threads= needs threadpoolctl: pip install 'tinygrad-lite[train]'")
    before = [library.get_num_threads() for library in libraries]
    for library in libraries:
        library.set_num_threads(count)
    try:
        yield
    finally:
        for library, threads in zip(libraries, before, strict=True):
            library.set_num_threads(threads)


@functools.cache
def _controllers() -> list[Any] | None:
    """Return what controls the BLAS libraries that are loaded, None without threadpoolctl."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]


def _library() -> Any:
    """Return the BLAS that NumPy has loaded, None if it is not known which one that is."""
    found = [library for library in _controllers() or () if library.internal_api == "openblas"]
    own = [library for library in found if "numpy" in library.filepath]
    chosen = own or found
    return chosen[0].dynlib if len(chosen) == 1 else None
