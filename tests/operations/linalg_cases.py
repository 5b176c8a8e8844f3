"""Cases of the matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.operations.case import Case, drawn

PRODUCTS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "vector by vector": ((3,), (3,)),
    "vector by matrix": ((3,), (3, 4)),
    "matrix by vector": ((2, 3), (3,)),
    "matrix by matrix": ((2, 3), (3, 4)),
    "row by column": ((1, 3), (3, 1)),
    "column by row": ((3, 1), (1, 3)),
    "stack by stack": ((2, 2, 3), (2, 3, 2)),
    "stack by matrix": ((2, 2, 3), (3, 2)),
    "matrix by stack": ((2, 3), (2, 3, 2)),
    "stacks stretched both ways": ((3, 1, 2, 2), (2, 2, 2)),
    "stack of one by stack": ((1, 2, 3), (2, 3, 2)),
    "vector by stack": ((3,), (2, 3, 2)),
    "stack by vector": ((2, 2, 3), (3,)),
    "deep stack by vector": ((2, 1, 2, 3), (3,)),
    "no rows": ((0, 3), (3, 2)),
    "nothing summed": ((2, 0), (0, 3)),
    "empty vectors": ((0,), (0,)),
    "empty stack": ((0, 2, 3), (3, 2)),
}


def _matmul() -> Iterator[Case]:
    for label, shapes in PRODUCTS.items():
        yield Case("matmul", label, drawn(*shapes))
    yield Case("matmul", "by the operator", drawn((2, 3), (3, 4)), spelled=lambda a, b: a @ b)
    yield Case("matmul", "repeated operand", drawn((3, 3)), arguments=lambda x: (x, x))
    yield Case("matmul", "repeated vector", drawn((3,)), arguments=lambda x: (x, x))
    yield Case("matmul", "operand by its transpose", drawn((2, 3)), arguments=lambda x: (x, x.T))
    yield Case("matmul", "transpose by its operand", drawn((2, 3)), arguments=lambda x: (x.T, x))
    yield Case("matmul", "both transposed", drawn((3, 2), (4, 3)), arguments=lambda a, b: (a.T, b.T))


def _affine(_: Any, x: Any, w: Any, b: Any) -> Any:
    return x @ w.T + b


def _linear() -> Iterator[Case]:
    shapes = {
        "rows": ((4, 3), (2, 3), (2,)),
        "one row": ((1, 3), (2, 3), (2,)),
        "one example without a row": ((3,), (2, 3), (2,)),
        "rows in a stack": ((2, 2, 3), (2, 3), (2,)),
        "one bias for all": ((4, 3), (2, 3), (1,)),
        "no rows": ((0, 3), (2, 3), (2,)),
    }
    for label, each in shapes.items():
        yield Case("linear", label, drawn(*each), reference=_affine)
    yield Case("linear", "repeated operand", drawn((3, 3), (3,)), arguments=lambda x, b: (x, x, b), reference=_affine)


LINALG = (*_matmul(), *_linear())
