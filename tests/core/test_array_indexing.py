"""Indexing a Tensor in every way that NumPy knows: the same values, and a gradient that goes back where they were."""

from __future__ import annotations

import array
import collections
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import DetachError, IndexingError, ShapeError, TinygradLiteError, UnsupportedError

X = np.arange(24.0).reshape(2, 3, 4)
TWICE = np.array([0, 1, 1])


class Point(NamedTuple):
    first: int
    second: int


class Whole:
    def __index__(self) -> int:
        return 1


class Duck:
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return TWICE.copy()


INDICES: dict[str, Any] = {
    "integer": 1,
    "negative integer": -1,
    "NumPy integer": np.int8(1),
    "an object that is an integer": Whole(),
    "ellipsis": ...,
    "nothing": (),
    "new axis": None,
    "new axes around an ellipsis": (None, ..., None),
    "slice": slice(1, None),
    "slice of NumPy integers": slice(np.int64(0), np.uint8(1)),
    "negative step": np.s_[::-1, ..., ::-2],
    "empty slice": slice(2, 2),
    "array": TWICE,
    "array of small integers": TWICE.astype(np.uint8),
    "negative array": -1 - TWICE,
    "array without axes": np.array(1),
    "list": [0, 1, 1],
    "nested list": [[0, 1], [1, 1]],
    "empty list": [],
    "tuple in a tuple": ((0, 1, 1), (0, 0, 0)),
    "range": range(2),
    "deque": collections.deque([0, 1, 1]),
    "array.array": array.array("l", [0, 1, 1]),
    "UserList": collections.UserList([0, 1, 1]),
    "memoryview": memoryview(TWICE),
    "a duck array": Duck(),
    "a duck array among others": (slice(None), Duck()),
    "named tuple": Point(0, 1),
    "mask": X > 5,
    "mask of rows": np.array([True, False]),
    "mask of lists": [True, False],
    "mask without a hit": X > 99,
    "mask and array": (np.array([True, False]), slice(None), [0, 0]),
    "True": True,
    "False": False,
    "NumPy True": np.True_,
    "mask without axes": np.array(False),
    "array and slice": (slice(None), [0, 0], None, 1),
    "arrays apart": ([0, 1, 1], slice(None), [0, 0, 2]),
    "open mesh": np.ix_([0, 1], [0, 2]),
}


def by_numpy(index: Any) -> Any:
    """Return an index that NumPy certainly takes as it is meant."""
    if isinstance(index, tuple):
        return tuple(by_numpy(part) for part in index)
    return TWICE if isinstance(index, Duck) else index


def random_cotangent(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


def hold_against_numpy(index: Any, plain: Any) -> None:
    """Compare the values with NumPy's, and the gradient with a cotangent that is added up where the values were."""
    x = tg.Tensor(X, requires_grad=True)
    y = x[index]
    assert isinstance(y, tg.Tensor)
    assert y.shape == X[plain].shape
    assert np.array_equal(y.data, X[plain])
    cotangent = random_cotangent(y.shape)
    y.backward(cotangent)
    expected = np.zeros_like(X)
    np.add.at(expected, plain, cotangent)
    assert np.allclose(x.grad, expected, rtol=1e-14)


@pytest.mark.parametrize("name", INDICES)
def test_every_kind_of_index_picks_and_gives_back(name: str) -> None:
    hold_against_numpy(INDICES[name], by_numpy(INDICES[name]))


TENSORS: dict[str, tuple[Any, Any]] = {
    "integers": (tg.Tensor(TWICE), TWICE),
    "integer without axes": (tg.Tensor(1), 1),
    "mask": (tg.Tensor(X) > 5, X > 5),
    "mask that a computation made": ((tg.Tensor(X, requires_grad=True) > 5) & (tg.Tensor(X) < 9), (X > 5) & (X < 9)),
    "mask without axes": (tg.Tensor(True), True),
    "among others": ((slice(None), tg.Tensor([0, 0])), (slice(None), [0, 0])),
    "in a list": ([tg.Tensor(1), tg.Tensor(1)], [1, 1]),
    "bounds of a slice": (slice(tg.Tensor(0), tg.Tensor(2), tg.Tensor(1)), slice(0, 2, 1)),
    "converted from floats": (tg.Tensor([1.0, 0.0], requires_grad=True).astype(int), [1, 0]),
}


@pytest.mark.parametrize("name", TENSORS)
def test_constant_tensors_are_indices_like_arrays(name: str) -> None:
    hold_against_numpy(*TENSORS[name])


@pytest.mark.parametrize("name", INDICES)
def test_values_are_set_and_added_at_every_kind_of_index(name: str) -> None:
    index, plain = INDICES[name], by_numpy(INDICES[name])
    values = random_cotangent(X[plain].shape)
    added = X.copy()
    np.add.at(added, plain, values)
    assert np.allclose(tg.add_at(X, index, values), added, rtol=1e-14)


WRONG: dict[str, tuple[Any, str]] = {
    "out of range": (2, "index 2 is out of bounds"),
    "out of range below": (-3, "index -3 is out of bounds"),
    "out of range in an array": ([0, 2], "index 2 is out of bounds"),
    "out of range for every computer": (2**70, "getitem"),
    "too many": ((0, 0, 0, 0), "too many indices"),
    "two ellipses": ((..., ...), "single ellipsis"),
    "mask of another shape": (np.array([True]), "boolean index did not match"),
    "arrays of different lengths": (([0, 1], [0, 1, 2]), "could not be broadcast"),
    "float": (1.0, "integer"),
    "NumPy float": (np.float64(1), "integer"),
    "array of floats": (np.array([0.0, 1.0]), "integer"),
    "empty array of floats": (np.array([]), "integer"),
    "complex": (1j, "integer"),
    "text": ("a", "integer"),
    "list of texts": (["a"], "integer"),
    "objects": (np.array([0, 1], dtype=object), "integer"),
    "object": (object(), "integer"),
    "dict": ({}, "integer"),
    "set": ({0}, "integer"),
    "ragged list": ([0, [1, 2]], "is not an index: .*inhomogeneous"),
    "list of slices": ([slice(0, 1)], "integer"),
    "slice from a float": (slice(1.0, None), "made of integers, not of 1.0"),
    "slice to a text": (slice("a"), "made of integers, not of 'a'"),
    "constant Tensor of floats": (tg.Tensor([0.0]), r"not of a Tensor of float64; convert it with \.astype\(int\)"),
    "Tensor with a gradient": (tg.Tensor([0.0], requires_grad=True), r"not of a Tensor of float64.*no gradient flows"),
    "Tensor with a gradient, among others": ((0, tg.Tensor(0.0, requires_grad=True)), "not of a Tensor of float64"),
    "slice from a Tensor with a gradient": (
        slice(tg.Tensor(0.0, requires_grad=True)),
        r"made of integers, not of Tensor\(",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_index_is_both_ours_and_an_index_error(name: str) -> None:
    index, message = WRONG[name]
    for expected in (IndexingError, IndexError, TinygradLiteError):
        with pytest.raises(expected, match=message):
            tg.Tensor(X, requires_grad=True)[index]


def test_a_list_of_tensors_with_gradients_is_no_index() -> None:
    with pytest.raises(DetachError):
        tg.Tensor(X)[[tg.Tensor(0.0, requires_grad=True)]]


def test_a_step_of_zero_is_refused() -> None:
    with pytest.raises(ShapeError, match="step cannot be zero"):
        tg.Tensor(X)[::0]


def test_an_index_of_a_tensor_without_axes() -> None:
    t = tg.Tensor(2.0, requires_grad=True)
    assert t[()].shape == t[...].shape == ()
    assert t[None].shape == (1,)
    with pytest.raises(IndexingError, match="too many indices"):
        t[0]


CHANGING: dict[str, tuple[Any, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "array": (np.array([1, 1]), lambda c: c, lambda c: c.fill(0)),
    "array in a tuple": (np.array([1, 1]), lambda c: (slice(None), c), lambda c: c.fill(0)),
    "list": ([1, 1], lambda c: c, lambda c: c.__setitem__(0, 0)),
    "list in a tuple": ([1, 1], lambda c: (0, c), lambda c: c.__setitem__(0, 0)),
    "array.array": (array.array("l", [1, 1]), lambda c: c, lambda c: c.__setitem__(0, 0)),
    "Tensor": (tg.Tensor([1, 1]), lambda c: c, lambda c: c.assign([0, 0])),
    "bound of a slice": (tg.Tensor(1), lambda c: slice(c, None), lambda c: c.assign(0)),
    "array that bounds a slice": (np.array(1), lambda c: slice(c, None), lambda c: c.fill(0)),
}


@pytest.mark.parametrize("name", CHANGING)
def test_what_was_an_index_may_change_afterwards(name: str) -> None:
    changing, index, change = CHANGING[name]
    plain = index(np.asarray(changing).tolist() if not isinstance(changing, list) else list(changing))
    x = tg.Tensor(X, requires_grad=True)
    y = x[index(changing)]
    change(changing)
    cotangent = random_cotangent(y.shape)
    y.backward(cotangent)
    expected = np.zeros_like(X)
    np.add.at(expected, plain, cotangent)
    assert np.allclose(x.grad, expected, rtol=1e-14)


def test_nothing_is_written_or_deleted_at_an_index() -> None:
    t = tg.Tensor(X)
    with pytest.raises(UnsupportedError, match=r"tg\.set_at\(t, index, values\)"):
        t[0] = 1.0
    with pytest.raises(UnsupportedError, match=r"t\[np\.arange\(len\(t\)\) != i\]"):
        del t[0]
    assert np.array_equal(t.data, X)
