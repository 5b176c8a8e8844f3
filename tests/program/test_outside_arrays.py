"""An array that a compiled function finds outside of itself is written to: the next call sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg

X = np.array([1.0, 2.0, 3.0])
SCALE: Any = 2.0
TABLE: Any = np.array([1.0, 10.0, 100.0])


def same_as_eager(f: Callable[..., Any], change: Callable[[], None], *given: Any) -> None:
    """Hold that a program agrees with its function before and after a change, and after one more call."""
    program = tg.compile(f)
    given = given or (X,)
    for _ in range(2):
        np.testing.assert_array_equal(np.asarray(program(*given)), np.asarray(f(*given)))
    before = np.asarray(f(*given))
    change()
    assert not np.array_equal(before, np.asarray(f(*given))), "the change changes nothing"
    for _ in range(3):
        np.testing.assert_array_equal(np.asarray(program(*given)), np.asarray(f(*given)))


WRITTEN: dict[str, Callable[[Any, np.ndarray], Any]] = {
    "an operand": lambda x, table: x * table,
    "an operand twice": lambda x, table: x * table + table,
    "computed by NumPy first": lambda x, table: x * (table + table),
    "reduced by NumPy first": lambda x, table: x * table.sum(),
    "a number of it": lambda x, table: x * float(table[1]),
    "a view of it": lambda x, table: x * table[::-1],
    "made a Tensor": lambda x, table: x * tg.Tensor(table),
    "made a Tensor by as few copies as can be": lambda x, table: np.add(tg.Tensor(table), x),
    "an index": lambda x, table: x[(table[:2] > 5).astype(int)],
    "a mask": lambda x, table: np.where(table > 5, x, 0.0),
    "a branch": lambda x, table: x if table[0] < 5 else -x,
    "returned": lambda x, table: x * 0 + table,
    "a list of it": lambda x, table: x * tg.Tensor(list(table)),
    "assigned to a new Tensor": lambda x, table: _into_a_new_one(x, table),
}


def _into_a_new_one(x: Any, table: np.ndarray) -> Any:
    made = tg.Tensor(np.zeros(3))
    made.assign(table)
    return x * made


@pytest.mark.parametrize("use", WRITTEN)
def test_an_outside_array_that_is_written_to_is_seen(use: str) -> None:
    table = TABLE.copy()

    def change() -> None:
        table[:] = [9.0, 3.0, 7.0]

    same_as_eager(lambda x: WRITTEN[use](tg.Tensor(x), table), change)


IRRELEVANT: dict[str, list[list[float]]] = {
    "computed by NumPy first": [[1.0, 10.0, 100.0], [2.0, 10.0, 100.0]],
    "reduced by NumPy first": [[100.0, 1.0, 10.0], [2.0, 3.0, 4.0]],
    "a number of it": [[5.0, 10.0, 7.0], [5.0, 3.0, 7.0]],
    "an index": [[2.0, 11.0, 0.0], [9.0, 1.0, 0.0]],
    "a mask": [[2.0, 11.0, 101.0], [9.0, 3.0, 7.0]],
    "a branch": [[2.0, 3.0, 4.0], [9.0, 3.0, 4.0]],
    "an operand": [[1.0, 10.0, 100.0], [3.0, 4.0, 5.0]],
}
"""Values one after the other; the first change nothing that a program was made of."""


@pytest.mark.parametrize("use", IRRELEVANT)
def test_a_change_that_does_not_matter_does_not_hide_the_next(use: str) -> None:
    table = TABLE.copy()

    def f(x: Any) -> Any:
        return WRITTEN[use](tg.Tensor(x), table)

    program = tg.compile(f)
    for values in ([*TABLE], *IRRELEVANT[use], [*TABLE], *IRRELEVANT[use]):
        table[:] = values
        for _ in range(2):
            np.testing.assert_array_equal(np.asarray(program(X)), np.asarray(f(X)))


@pytest.mark.parametrize("size", [10, 10_000, 1_000_000])
def test_arrays_of_all_sizes_are_operands_with_the_values_they_have(size: int) -> None:
    table, w = np.arange(float(size)), tg.Tensor(np.zeros(size))

    def f() -> Any:
        w.assign(w * 0.5 + table)
        return np.sum(table * w)

    program = tg.compile(f, exact=True)
    for factor in (1.0, 2.0, 0.5, 3.0):
        table *= factor
        before = w.numpy()
        expected = before * 0.5 + table
        found = program()
        np.testing.assert_array_equal(w.numpy(), expected)
        assert found.item() == np.sum(table * expected)


def test_an_outside_array_that_is_assigned_and_then_written_to_is_seen() -> None:
    table, w = TABLE.copy(), tg.Tensor(np.zeros(3))
    program = tg.compile(lambda: w.assign(table))
    for factor in (1.0, 2.0, 0.5):
        table *= factor
        program()
        assert w.numpy().tolist() == table.tolist()
