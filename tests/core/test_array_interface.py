"""How a Tensor stands in for an array: NumPy's functions and an array's methods record."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import DtypeError, ShapeError, TinygradLiteError

X = np.array([[1.0, 2.0], [3.0, 5.0]])


def leaf() -> tg.Tensor:
    return tg.Tensor(X, requires_grad=True)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "np.sum": lambda x: np.sum(x, axis=0),
    "np.sum with keepdims": lambda x: np.sum(x, -1, keepdims=True),
    "np.mean": lambda x: np.mean(x, axis=(0, 1)),
    "np.max": lambda x: np.max(x, axis=1),
    "np.min": lambda x: np.min(x),
    "np.add.reduce": np.add.reduce,
    "np.add.reduce with an axis": lambda x: np.add.reduce(x, axis=None),
    "np.add.reduce with a positional axis": lambda x: np.add.reduce(x, 1),
    "np.maximum.reduce": lambda x: np.maximum.reduce(x, axis=1, keepdims=True),
    "np.minimum.reduce": np.minimum.reduce,
    "np.where": lambda x: np.where(x > 1, x, 0.0),
    "np.where of a raw mask": lambda x: np.where(X > 1, x, X),
    "np.clip": lambda x: np.clip(x, 0.5, 2.5),
    "np.concatenate": lambda x: np.concatenate([x, X]),
    "np.concatenate flat": lambda x: np.concatenate((X, x), axis=None),
    "np.concatenate by a positional axis": lambda x: np.concatenate([x, x], 1),
    "np.stack": lambda x: np.stack([X, x], axis=-1),
    "np.reshape": lambda x: np.reshape(x, -1),
    "np.reshape to a list": lambda x: np.reshape(x, [4, 1]),
    "np.transpose": np.transpose,
    "np.transpose with axes": lambda x: np.transpose(x, (1, 0)),
    "np.swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "np.expand_dims": lambda x: np.expand_dims(x, -1),
    "np.broadcast_to": lambda x: np.broadcast_to(x, (3, 2, 2)),
    "np.broadcast_to a list": lambda x: np.broadcast_to(x, [3, 2, 2]),
    "np.matmul": lambda x: np.matmul(X, x),
    "np.power": lambda x: np.power(x, 2),
    "method sum": lambda x: x.sum(0),
    "method mean": lambda x: x.mean(axis=-1, keepdims=True),
    "np.multiply.reduce": lambda x: np.multiply.reduce(x, axis=1),
    "method prod": lambda x: x.prod(axis=0),
    "method var": lambda x: x.var(0, ddof=1),
    "method std": lambda x: x.std(axis=1, keepdims=True),
    "method max": lambda x: x.max(),
    "method min": lambda x: x.min(1),
    "method clip": lambda x: x.clip(1.5, 4.0),
    "method clip below": lambda x: x.clip(max=2.5),
    "method ravel": lambda x: x.ravel(),
    "method flatten": lambda x: x.flatten(),
    "method reshape": lambda x: x.reshape(4),
    "method reshape by numbers": lambda x: x.reshape(1, -1),
    "method reshape by a tuple": lambda x: x.reshape((4, 1)),
    "method transpose": lambda x: x.transpose(),
    "method transpose by numbers": lambda x: x.transpose(1, 0),
    "method transpose by a tuple": lambda x: x.transpose((0, 1)),
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "method swapaxes": lambda x: x.swapaxes(0, -1),
    "method astype": lambda x: x.astype(np.float64),
    "abs": abs,
    "minus": operator.neg,
    "plus": operator.pos,
    "index": lambda x: x[0, 1],
    "unpacking": lambda x: next(iter(x)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpys_functions_and_methods_record_and_give_numpys_values(name: str) -> None:
    f = FUNCTIONS[name]
    result, expected = f(leaf()), f(X)
    assert isinstance(result, tg.Tensor)
    assert result.requires_grad
    assert result.shape == np.shape(expected)
    assert result.dtype == expected.dtype
    assert np.array_equal(result.data, expected)


def test_a_shape_mismatch_names_the_operation_and_the_shapes() -> None:
    attempts = {
        r"add\(float64\[2, 2\], float64\[3\]\)": lambda: leaf() + np.ones(3),
        r"matmul\(float64\[2, 2\], float64\[3, 2\]\)": lambda: leaf() @ np.ones((3, 2)),
        r"reshape\(float64\[2, 2\], shape=\(3,\)\)": lambda: leaf().reshape(3),
        r"concatenate\(float64\[2, 2\], float64\[2, 3\], axis=0\)": lambda: np.concatenate([leaf(), np.ones((2, 3))]),
        r"targets of shape \(3,\) do not fit": lambda: tg.softmax_cross_entropy(leaf(), [0, 1, 0]),
        r"sum\(float64\[2, 2\], axis=2": lambda: leaf().sum(2),
    }
    for message, attempt in attempts.items():
        for expected in (ShapeError, ValueError, TinygradLiteError):
            with pytest.raises(expected, match=message):
                attempt()


def test_shape_ndim_size_and_likes_answer_without_recording() -> None:
    x = leaf()
    assert (x.shape, x.ndim, x.size, x.dtype) == ((2, 2), 2, 4, np.float64)
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((2, 2), 2, 4)
    for like in (np.zeros_like(x), np.ones_like(x)):
        assert like.shape == (2, 2)
        assert like.dtype == np.float64


def test_a_raw_array_beside_a_constant_tensor_gives_a_constant_tensor() -> None:
    for result in (X + tg.Tensor(X), tg.Tensor(X) @ X, np.concatenate([X, tg.Tensor(X)])):
        assert isinstance(result, tg.Tensor)
        assert not result.requires_grad


def test_functions_of_arrays_alone_give_arrays() -> None:
    for result in (tg.softmax(X), tg.exp(X), tg.sum(X, axis=0), tg.clip(X, 0, 1), tg.where(X > 1, X, 0)):
        assert type(result) is np.ndarray


def test_an_array_that_clips_by_tensors_records() -> None:
    low = tg.Tensor(2.0, requires_grad=True)
    for result in (np.clip(X, low, None), X.clip(low)):
        assert isinstance(result, tg.Tensor)
        assert np.array_equal(result.data, [[2, 2], [3, 5]])
    np.clip(X, low, None).backward(np.array([[3.0, 7.0], [11.0, 13.0]]))
    assert low.grad == 3


def test_functions_and_methods_are_differentiated_alike() -> None:
    cotangent = np.array([[0.3, -1.2], [2.0, 0.7]])
    for f in (lambda x: np.clip(x, 1.5, 4.0), lambda x: x.clip(1.5, 4.0)):
        x = leaf()
        f(x).backward(cotangent)
        assert np.array_equal(x.grad, cotangent * ((X > 1.5) & (X < 4)))
    for f in (lambda x: x.ravel(), lambda x: x.flatten(), lambda x: np.reshape(x, -1)):
        x = leaf()
        f(x).backward(cotangent.ravel())
        assert np.array_equal(x.grad, cotangent)


def test_a_dtype_that_tensors_do_not_hold_is_named() -> None:
    for wrong, message in ((np.float16, "not float16"), (complex, "not complex128"), (object, "not object, as None")):
        with pytest.raises(DtypeError, match=message):
            leaf().astype(wrong)
