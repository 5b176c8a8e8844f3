"""How a Tensor stands in for an array: NumPy's functions and operators record or refuse with a remedy."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import IndexingError, ShapeError, TinygradLiteError, UnsupportedError

X = np.array([[1.0, 2.0], [3.0, 5.0]])


def leaf() -> tg.Tensor:
    return tg.Tensor(X, requires_grad=True)


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul]
OTHERS: dict[str, Any] = {
    "array": X + 1,
    "list": (X + 1).tolist(),
    "NumPy scalar": np.float64(2),
    "float": 2.0,
    "int": 2,
}


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
@pytest.mark.parametrize("name", OTHERS)
def test_operators_record_from_both_sides_and_never_yield_an_object_array(op: Callable[..., Any], name: str) -> None:
    other = OTHERS[name]
    if op is operator.matmul and np.ndim(other) == 0:
        pytest.skip("NumPy has no matrix product with a scalar")
    for left, right in ((leaf(), other), (other, leaf())):
        result = op(left, right)
        plain = [x.data if isinstance(x, tg.Tensor) else np.asarray(x) for x in (left, right)]
        assert isinstance(result, tg.Tensor)
        assert result.requires_grad
        assert result.dtype == np.float64
        assert np.array_equal(result.data, op(*plain))


COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


@pytest.mark.parametrize("op", COMPARISONS, ids=lambda op: op.__name__)
def test_comparisons_are_elementwise_from_both_sides(op: Callable[..., Any]) -> None:
    for other in (np.full((2, 2), 2.0), 2.0, np.float64(2), tg.Tensor(2.0)):
        plain = other.data if isinstance(other, tg.Tensor) else other
        for result, expected in ((op(leaf(), other), op(X, plain)), (op(other, leaf()), op(plain, X))):
            assert isinstance(result, tg.Tensor)
            assert result.dtype == bool
            assert np.array_equal(result.data, expected)


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
    "method max": lambda x: x.max(),
    "method min": lambda x: x.min(1),
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


UNSUPPORTED: dict[str, tuple[Callable[..., Any], str]] = {
    "ufunc": (lambda x: np.arctan2(x, x), r"np.arctan2 .*\.numpy\(\)"),
    "ufunc that others can say": (np.cosh, r"np\.cosh .* np\.exp"),
    "function": (np.median, r"np\.median .*\.numpy\(\)"),
    "linear algebra": (np.linalg.svd, "np.svd"),
    "sorting": (np.sort, "np.sort"),
    "accumulate": (np.add.accumulate, "add.accumulate"),
    "outer": (lambda x: np.multiply.outer(x, x), "multiply.outer"),
    "at": (lambda x: np.add.at(x, 0, 1), "add.at"),
    "reduce of another ufunc": (np.logaddexp.reduce, "logaddexp.reduce"),
    "floor_divide": (lambda x: np.floor_divide(X, x), "floor_divide"),
    "isclose": (lambda x: np.isclose(x, X), "isclose"),
    "copyto": (lambda x: np.copyto(np.zeros((2, 2)), x), "copyto"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_does_not_record_raises_and_names_the_nearest(name: str) -> None:
    f, message = UNSUPPORTED[name]
    with pytest.raises(UnsupportedError, match=message):
        f(leaf())


REFUSED_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "out of a ufunc": lambda x: np.add(x, 1, out=np.zeros((2, 2))),
    "in place on an array": lambda x: operator.iadd(np.zeros((2, 2)), x),
    "where of a ufunc": lambda x: np.exp(x, where=X > 1),
    "dtype of a ufunc": lambda x: np.exp(x, dtype=np.float32),
    "out of a function": lambda x: np.sum(x, out=np.zeros(())),
    "where of a function": lambda x: np.sum(x, where=X > 1),
    "where of a reduce": lambda x: np.add.reduce(x, where=X > 1),
    "initial of a reduce": lambda x: np.add.reduce(x, initial=3.0),
    "order of reshape": lambda x: np.reshape(x, 4, order="F"),
    "casting of concatenate": lambda x: np.concatenate([x, x], casting="unsafe"),
}


@pytest.mark.parametrize("name", REFUSED_OPTIONS)
def test_an_option_that_tensors_have_no_answer_for_raises_by_name(name: str) -> None:
    with pytest.raises(UnsupportedError, match=r"(out|where|dtype|initial|order|casting)="):
        REFUSED_OPTIONS[name](leaf())


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


def test_an_index_out_of_bounds_is_both_ours_and_an_index_error() -> None:
    for index in (2, (0, -3), [0, 2], (0, 0, 0), 1.0, "a"):
        for expected in (IndexingError, IndexError, TinygradLiteError):
            with pytest.raises(expected, match="getitem"):
                leaf()[index]


def test_hashes_are_identities_although_equality_is_elementwise() -> None:
    a, b = tg.Tensor([1.0]), tg.Tensor([1.0])
    assert hash(a) != hash(b)
    assert len({a, b, a}) == 2
    assert {a: 1, b: 2}[a] == 1
    assert (a == b).data.all()


def test_a_tensor_is_true_as_its_only_value_is_and_ambiguous_otherwise() -> None:
    assert tg.Tensor(1.0)
    assert not tg.Tensor([0.0])
    assert tg.Tensor(2.0, requires_grad=True) > 1
    with pytest.raises(ValueError, match="ambiguous"):
        bool(tg.Tensor([1.0, 2.0]))


def test_iteration_goes_over_the_first_axis_and_carries_the_gradient() -> None:
    x = leaf()
    first, second = x
    np.sum(first * 2 + second * 3).backward()
    assert np.array_equal(x.grad, [[2, 2], [3, 3]])
    assert len(x) == 2
    assert [row.shape for row in x] == [(2,), (2,)]
    assert sum(x[0]).item() == 3


def test_a_tensor_without_axes_has_no_length_and_no_items() -> None:
    scalar = tg.Tensor(1.0)
    with pytest.raises(TypeError):
        len(scalar)
    with pytest.raises(TypeError):
        iter(scalar)
    with pytest.raises(IndexError):
        scalar[0]


def test_the_repr_shows_value_shape_dtype_origin_and_name() -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    assert repr(x) == "Tensor([1., 2.], shape=(2,), dtype=float64, requires_grad=True, name='w')"
    assert "from=exp" in repr(np.exp(x))
    assert "dtype=float32" in repr(tg.Tensor([1], dtype=np.float32))
    assert len(repr(tg.Tensor(np.zeros((1000, 1000))))) < 500


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
