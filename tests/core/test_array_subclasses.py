"""Masked arrays, matrices and ragged lists: what a plain array would not say in full is refused, never dropped."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import ArgumentError, DetachError, ShapeError, TinygradLiteError, UnsupportedError

X = np.array([[1.0, 2.0], [3.0, 5.0]])
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul, operator.lt]


def leaf() -> tg.Tensor:
    return tg.Tensor(X, requires_grad=True)


def masked() -> Any:
    return np.ma.array(X, mask=X > 2)


def matrix() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy advises against matrices
        return np.matrix(X)


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
def test_no_operator_drops_a_mask_or_a_gradient(op: Callable[..., Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"masked values; give array\.filled\(value\)"):
        op(leaf(), masked())
    with pytest.raises(TinygradLiteError):
        op(masked(), leaf())


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
def test_a_matrix_is_refused_from_both_sides(op: Callable[..., Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"np\.asarray\(matrix\)"):
        op(leaf(), matrix())
    with pytest.raises(TypeError):  # matrix ** t asks for an integer before it asks the Tensor
        op(matrix(), leaf())


OF_MASKED: dict[str, Callable[[Any], Any]] = {
    "np.ma.exp": lambda t: np.ma.exp(t),
    "np.ma.add": lambda t: np.ma.add(t, X),
    "np.ma.add from the right": lambda t: np.ma.add(X, t),
    "np.ma.array": lambda t: np.ma.array(t),
    "np.ma.getdata": lambda t: np.ma.getdata(t),
    "np.ma.filled": lambda t: np.ma.filled(t),
    "np.ma.concatenate": lambda t: np.ma.concatenate([t, X]),
    "np.ma.where": lambda t: np.ma.where(X > 1, t, X),
    "np.ma.masked_where": lambda t: np.ma.masked_where(X > 1, t),
    "np.ma.median": lambda t: np.ma.median(t),
    "method of a masked array": lambda t: masked().dot(t),
    "item of a masked array": lambda t: masked().__setitem__(slice(None), t),
}


@pytest.mark.parametrize("name", OF_MASKED)
def test_numpys_functions_of_masked_arrays_take_no_tensor_that_carries_a_gradient(name: str) -> None:
    for t in (leaf(), leaf() * 2):
        with pytest.raises((DetachError, UnsupportedError)):
            OF_MASKED[name](t)


@pytest.mark.parametrize(
    "take",
    [tg.Tensor, lambda a: leaf().assign(a), tg.softmax, lambda a: np.where(leaf() > 1, leaf(), a),
     lambda a: np.concatenate([leaf(), a]), lambda a: np.maximum(leaf(), a), lambda a: tg.linear(leaf(), a, X[0])],
    ids=["Tensor", "assign", "softmax", "where", "concatenate", "maximum", "linear"],
)  # fmt: skip
def test_nothing_takes_a_masked_array_or_a_matrix_for_an_array(take: Callable[[Any], Any]) -> None:
    for wrong in (masked(), matrix()):
        with pytest.raises(UnsupportedError):
            take(wrong)


def test_an_array_on_a_file_is_an_array(tmp_path: Any) -> None:
    stored = np.memmap(tmp_path / "stored", np.float64, "w+", shape=(2, 2))
    stored[:] = X
    x = leaf()
    y = x * stored
    stored[:] = 0
    y.backward(X)
    assert np.array_equal(x.grad, X * X)


def test_a_ragged_list_is_refused_by_us() -> None:
    for take in (lambda a: leaf() + a, lambda a: a * leaf(), tg.Tensor, tg.softmax):
        with pytest.raises(ShapeError, match="does not make an array"):
            take([[1.0], [2.0, 3.0]])


def test_a_number_too_large_for_the_dtype_is_refused_by_us() -> None:
    with pytest.raises(ArgumentError, match=r"add\(int64\[2\]"):
        tg.Tensor([1, 2]) + 2**70


def test_numpys_spellings_of_transpose_and_size_are_taken() -> None:
    assert np.transpose(tg.Tensor(X), [1, 0]).shape == (2, 2)
    assert np.transpose(tg.Tensor(X[0]), 0).shape == (2,)
    assert np.size(tg.Tensor(X), 0) == 2
