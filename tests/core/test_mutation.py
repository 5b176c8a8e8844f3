"""Contract 4: values never change under a recorded graph, and nothing leaves the graph unnoticed."""

from __future__ import annotations

import array
import cmath
import copy
import decimal
import fractions
import json
import math
import operator
import pickle
import statistics
import struct
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import ArgumentError, DetachError, DtypeError, GraphError, ShapeError, UnsupportedError


def leaf(*values: float) -> tg.Tensor:
    return tg.Tensor(list(values), requires_grad=True)


def test_a_tensor_copies_what_it_is_given() -> None:
    mine = np.array([1.0, 2.0])
    t = tg.Tensor(mine)
    mine[0] = 100
    assert np.array_equal(t.data, [1, 2])


def test_a_tensor_made_of_a_tensor_is_a_leaf_of_its_own() -> None:
    x = leaf(1.0, 2.0)
    y = tg.Tensor(x.detach())
    assert not y.requires_grad
    x.assign([5.0, 6.0])
    assert np.array_equal(y.data, [1, 2])


def test_a_tensor_made_of_one_that_carries_a_gradient_is_refused() -> None:
    with pytest.raises(DetachError, match=r"\.detach\(\)"):
        tg.Tensor(leaf(1.0, 2.0) * 2)


def test_data_is_a_read_only_view() -> None:
    x = leaf(1.0, 2.0)
    for t in (x, x * 2, x.detach(), x.T, np.broadcast_to(x, (3, 2))):
        with pytest.raises(ValueError, match="read-only"):
            t.data[0] = 5


def test_numpy_gives_an_array_of_ones_own() -> None:
    x = leaf(1.0, 2.0)
    mine = x.numpy()
    mine[0] = 100
    assert np.array_equal(x.data, [1, 2])


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "multiply": lambda x, c: x * c,
    "multiply from the left": lambda x, c: c * x,
    "matmul": lambda x, c: x @ c,
    "matmul from the left": lambda x, c: c @ x,
    "divide": lambda x, c: x / c,
    "divide from the left": lambda x, c: c / x,
    "power": lambda x, c: x**c,
    "maximum": np.maximum,
    "clip": lambda x, c: np.clip(x, c, None),
    "where": lambda x, c: np.where(c > 2, x, 0 * x),
    "where with the mask itself": lambda x, c: np.where(c, x, 2 * x),
    "logaddexp": np.logaddexp,
    "linear": lambda x, c: tg.linear(x, c, np.zeros(2)),
    "cross-entropy with distributions": lambda x, c: tg.softmax_cross_entropy(x, c),
    "sum_squares": lambda x, c: tg.sum_squares(x * c, x),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_writing_to_a_raw_array_after_it_was_recorded_does_not_matter(name: str) -> None:
    c = np.array([[3.0, 1.0], [0.0, 4.0]])
    if "divide" in name or "power" in name:
        c += 1
    f, start = OPERATIONS[name], np.array([[1.0, 2.0], [3.0, 5.0]])
    expected = tg.grad(lambda x: np.sum(f(x, c) ** 2))(start)
    for write in (lambda c: c.fill(7), lambda c: c[::-1].fill(7), lambda c: np.copyto(c, c[::-1] - 5)):
        constant, x = c.copy(), tg.Tensor(start, requires_grad=True)
        y = np.sum(f(x, constant) ** 2)
        write(constant)
        y.backward()
        assert np.array_equal(x.grad, expected)


def test_writing_to_a_mask_a_label_or_an_index_after_it_was_recorded_does_not_matter() -> None:
    start = np.array([[1.0, 2.0], [3.0, 5.0]])
    cases: list[tuple[np.ndarray, Callable[[Any, Any], Any]]] = [
        (np.array([True, False]), lambda x, c: x[c]),
        (np.array([1, 0]), lambda x, c: tg.softmax_cross_entropy(x, c)),
        (np.array([1, 1]), lambda x, c: x[c]),
        (np.array([1, 1]), lambda x, c: x[:, c]),
        (np.array([1, 1]), lambda x, c: tg.scatter_add(x, c, (3, 2))),
        (np.array([[True], [False]]), lambda x, c: np.where(c, x, 0)),
    ]
    for c, f in cases:
        expected = tg.grad(lambda x, c=c, f=f: np.sum(f(x, c) ** 2))(start)
        x, constant = tg.Tensor(start, requires_grad=True), c.copy()
        y = np.sum(f(x, constant) ** 2)
        constant[...] = ~constant if c.dtype == bool else 0
        y.backward()
        assert np.array_equal(x.grad, expected)


def test_a_list_used_as_an_index_may_change_afterwards() -> None:
    x, index = leaf(1.0, 2.0), [0, 0]
    y = np.sum(x[index])
    index[0] = 1
    y.backward()
    assert np.array_equal(x.grad, [2, 0])


def test_a_graph_recorded_before_assign_keeps_the_old_values() -> None:
    x = leaf(3.0)
    y = x * x
    x.assign([100.0])
    y.backward()
    assert x.grad == 6
    assert np.array_equal(x.data, [100])


def test_a_graph_recorded_before_assign_keeps_the_old_values_in_second_order() -> None:
    w = leaf(3.0)
    slope = tg.grad(lambda x: np.sum(x * w**3))(np.array([2.0]))
    w.assign([100.0])
    slope.backward([1.0])
    assert w.grad == 27


def test_assign_copies_and_keeps_dtype_and_name() -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True, dtype=np.float32, name="w")
    mine = np.array([3.0, 4.0])
    x.assign(mine)
    mine[0] = 100
    assert (x.dtype, x.name, x.requires_grad) == (np.float32, "w", True)
    assert np.array_equal(x.data, [3, 4])


def test_assign_of_a_tensor_does_not_tie_the_two_together() -> None:
    a, b = leaf(1.0), leaf(2.0)
    a.assign(b)
    b.assign([7.0])
    assert np.array_equal(a.data, [2])


def test_assign_of_what_does_not_fit_raises_and_changes_nothing() -> None:
    x = leaf(1.0, 2.0)
    for wrong in (1.0, [1.0], [[1.0, 2.0]], []):
        with pytest.raises(ShapeError, match="assign"):
            x.assign(wrong)
    with pytest.raises(GraphError, match="multiply"):
        (x * 2).assign([1.0, 2.0])
    assert np.array_equal(x.data, [1, 2])


@pytest.mark.parametrize("wrong", [[1j, 2j], ["1", "2"], [None, None]], ids=["complex", "strings", "objects"])
def test_assign_refuses_what_a_tensor_cannot_hold(wrong: list[Any]) -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(DtypeError):
        x.assign(wrong)


def test_values_do_not_change_in_place() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(UnsupportedError, match=r"tg\.set_at\(t, index, values\).*np\.where.*\.assign\(\)"):
        x[0] = 5.0
    with pytest.raises(UnsupportedError):
        del x[0]
    with pytest.raises(UnsupportedError):
        np.add(np.ones(2), 1, out=x)


def test_an_in_place_operator_rebinds_the_name_and_leaves_the_tensor() -> None:
    x = leaf(1.0, 2.0)
    y = x
    y += 1
    y *= x
    assert np.array_equal(x.data, [1, 2])
    y.backward([1.0, 1.0])
    assert np.array_equal(x.grad, [3, 5])


CONVERSIONS: dict[str, Callable[[tg.Tensor], Any]] = {
    "float": float,
    "int": int,
    "complex": complex,
    "np.asarray": np.asarray,
    "np.array": np.array,
    "np.array with a dtype": lambda t: np.array(t, dtype=np.float32),
    "np.array of a list": lambda t: np.array([t, t]),
    "np.array of a list of lists": lambda t: np.array([[t, 1.0], [1.0, t]]),
    "np.array without a copy": lambda t: np.array(t, copy=None),
    "np.asanyarray": np.asanyarray,
    "np.ascontiguousarray": np.ascontiguousarray,
    "np.float64": np.float64,
    "np.float32": np.float32,
    "np.bool": np.bool,
    "np.asarray of the object dtype": lambda t: np.asarray(t, dtype=object),
    "np.array of a list of the object dtype": lambda t: np.array([t, t], dtype=object),
    "a slice of an object array": lambda t: np.empty(1, dtype=object).__setitem__(slice(None), t),
    "np.array of texts": lambda t: np.array([t], dtype="U9"),
    "np.full": lambda t: np.full(2, t),
    "ndarray.dot": lambda t: np.ones(1).dot(t),
    "ndarray.put": lambda t: np.ones(2).put([0], t),
    "ndarray.searchsorted": lambda t: np.ones(2).searchsorted(t),
    "ndarray.flat": lambda t: np.ones(2).flat.__setitem__(slice(None), t),
    "math.exp": math.exp,
    "math.floor": math.floor,
    "math.fsum": lambda t: math.fsum([t]),
    "math.isclose": lambda t: math.isclose(t, 1.0),
    "cmath.exp": cmath.exp,
    "operator.index": operator.index,
    "range": range,
    "an index of a list": lambda t: [10, 20][t],
    "percent f": lambda t: "%f" % t,  # noqa: UP031 - it is what is tested
    "array.array": lambda t: array.array("d", [t]),
    "statistics.fmean": lambda t: statistics.fmean([t, t]),
    "Tensor": tg.Tensor,
    "Tensor of a list": lambda t: tg.Tensor([t, t]),
}


@pytest.mark.parametrize("name", CONVERSIONS)
@pytest.mark.parametrize("shape", [(), (1,)], ids=["0-d", "one value"])
def test_a_conversion_that_would_cut_the_graph_raises_with_the_remedy(name: str, shape: tuple[int, ...]) -> None:
    x = tg.Tensor(np.ones(shape), requires_grad=True)
    for t in (x, x * 2):
        with pytest.raises(DetachError, match=r"\.detach\(\)"):
            CONVERSIONS[name](t)


@pytest.mark.parametrize("shape", [(), (1,), (2,)])
def test_writing_into_an_array_raises_with_the_remedy(shape: tuple[int, ...]) -> None:
    """NumPy may put an error of its own on top, which shows ours as its cause."""
    t = tg.Tensor(np.ones(shape), requires_grad=True)
    for dtype in (np.float64, np.float32, np.float16, np.longdouble, np.complex128, np.int64):
        written = np.zeros(2, dtype)
        for place in (0, slice(None), [0], np.array([True, True]), ...):
            with pytest.raises((DetachError, ValueError)) as caught:
                written[place] = t
            error = caught.value if isinstance(caught.value, DetachError) else caught.value.__cause__
            assert isinstance(error, DetachError)
            assert "tg.set_at writes into an array" in str(error)
        assert np.array_equal(written, [0, 0])


OF_PYTHON: dict[str, Callable[[tg.Tensor], Any]] = {
    "struct.pack": lambda t: struct.pack("d", t),
    "percent d": lambda t: "%d" % t,  # noqa: UP031 - it is what is tested
    "Decimal": decimal.Decimal,
    "Fraction": fractions.Fraction,
    "statistics.mean": lambda t: statistics.mean([t, t]),
    "json": json.dumps,
    "memoryview": memoryview,
    "bytes": bytes,
    "time.sleep": lambda t: time.sleep(t * 0),
    "an item of an array of texts": lambda t: np.zeros(1, "U9").__setitem__(0, t),
    "an item of the flat array": lambda t: np.zeros(1).flat.__setitem__(0, t),
    "ndarray.fill": lambda t: np.zeros(1).fill(t),
    "np.fromiter": lambda t: np.fromiter([t], float),
}


@pytest.mark.parametrize("name", OF_PYTHON)
def test_nothing_else_takes_a_tensor_for_a_number(name: str) -> None:
    """Here Python and NumPy raise an error of their own instead of ours."""
    with pytest.raises((TypeError, ValueError, struct.error)):
        OF_PYTHON[name](tg.Tensor(1.0, requires_grad=True))


def test_an_object_array_that_someone_asks_for_holds_tensors_that_stay_on_their_graphs() -> None:
    x = leaf(2.0, 3.0)
    for held in (np.fromiter(x, dtype=object), np.frompyfunc(lambda i: x[int(i)], 1, 1)(np.arange(2))):
        x.grad = None
        (held[0] * 5 + held[1] * 7).backward(0.5)
        assert np.array_equal(x.grad, [2.5, 3.5])


def test_conversions_of_constants_are_free() -> None:
    t = tg.Tensor(2.0)
    assert float(t) == 2.0
    assert int(t) == 2
    assert np.asarray(t) == 2.0
    assert tg.Tensor([3]).item() == 3
    written = np.zeros(2)
    written[0] = t
    assert np.array_equal(written, [2, 0])
    written[:] = tg.Tensor([4.0, 5.0])
    assert np.array_equal(written, [4, 5])
    assert [10, 20, 30][tg.Tensor(1)] == 20
    assert np.asarray(tg.Tensor([1.0, 2.0]), dtype=np.float32).dtype == np.float32
    assert not np.asarray(tg.Tensor([1.0])).flags.writeable
    assert np.array(tg.Tensor([1.0])).flags.writeable


def test_a_copy_is_made_only_where_it_is_allowed() -> None:
    t = tg.Tensor([1.0, 2.0])
    assert np.shares_memory(np.asarray(t), t.data)
    assert np.shares_memory(np.array(t, copy=False), t.data)
    assert not np.shares_memory(np.array(t, copy=True), t.data)
    with pytest.raises(ArgumentError, match="without a copy"):
        np.array(t, dtype=np.float32, copy=False)


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, pickle.dumps], ids=["copy", "deepcopy", "pickle"])
def test_a_computed_tensor_is_not_copied_without_its_graph(make: Callable[[Any], Any]) -> None:
    with pytest.raises(GraphError, match=r"\.detach\(\)"):
        make(leaf(1.0) * 2)
    make((leaf(1.0) * 2).detach())


def test_item_numpy_and_detach_are_the_ways_out() -> None:
    x = leaf(2.0)
    assert (x * 2).item() == 4
    assert np.array_equal((x * 2).numpy(), [4])
    assert not (x * 2).detach().requires_grad
    with pytest.raises(ShapeError):
        leaf(1.0, 2.0).item()
