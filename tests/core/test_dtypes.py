"""Contract 5: dtypes are the user's."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import DtypeError

F32 = np.float32


def single(*values: float) -> tg.Tensor:
    return tg.Tensor(list(values), requires_grad=True, dtype=F32)


WEAK: dict[str, Any] = {
    "Python float": 2.0,
    "Python int": 2,
    "Python bool": True,
    "NumPy float64": np.float64(2),
    "NumPy int64": np.int64(2),
    "NumPy bool": np.bool_(True),
    "0-d array": np.array(2.0),
    "0-d integer array": np.array(2),
    "0-d constant Tensor": tg.Tensor(2.0),
    "0-d integer Tensor": tg.Tensor(2),
}

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": lambda a, b: a**b,
    "maximum": np.maximum,
    "minimum": tg.minimum,
    "logaddexp": np.logaddexp,
    "where": lambda a, b: np.where(np.array([True, False]), a, b),
    "clip": lambda a, b: np.clip(a, b, None),
    "np.multiply": np.multiply,
}


@pytest.mark.parametrize("operation", BINARY)
@pytest.mark.parametrize("scalar", WEAK)
def test_a_scalar_beside_a_float32_array_is_weak(operation: str, scalar: str) -> None:
    for swapped in (False, True):
        x, other = single(1.0, 3.0), WEAK[scalar]
        pair = (other, x) if swapped and operation != "clip" else (x, other)
        if pair[0] is other and operation == "power" and isinstance(other, bool | np.bool_):
            continue  # NumPy's power has no loop for booleans worth a rule
        y = BINARY[operation](*pair)
        assert y.dtype == F32
        y.backward(np.ones(2))
        assert x.grad.dtype == F32


def test_a_0_d_constant_tensor_is_weak_beside_a_0_d_result() -> None:
    x = tg.Tensor(1.0, requires_grad=True, dtype=F32)
    for y in (x * tg.Tensor(2.0), x * np.float64(2), tg.Tensor(2.0) + x, np.stack([x, tg.Tensor(2.0, dtype=F32)])):
        assert y.dtype == F32


def test_0_d_tensors_among_themselves_keep_their_dtypes() -> None:
    assert (tg.Tensor(1.0, dtype=F32) * tg.Tensor(2.0, dtype=F32)).dtype == F32
    assert (tg.Tensor(1) + tg.Tensor(2)).dtype == np.int64
    assert np.exp(tg.Tensor(1.0, dtype=F32)).dtype == F32


def test_arrays_promote_as_in_numpy_and_gradients_come_back_in_the_operands_dtype() -> None:
    x = single(1.0, 2.0)
    y = x * np.array([3.0, 4.0])
    assert y.dtype == np.float64
    y.backward([1.0, 1.0])
    assert x.grad.dtype == F32
    wide = tg.Tensor([3.0, 4.0], requires_grad=True)
    z = single(1.0, 2.0) @ wide
    assert z.dtype == np.float64
    z.backward()
    assert wide.grad.dtype == np.float64


def test_arrays_of_integers_promote_as_in_numpy() -> None:
    x = single(1.0, 2.0)
    for dtype in (np.int8, np.int16, np.int32, np.int64, np.uint8, bool):
        other = np.array([1, 0], dtype)
        assert (x * other).dtype == (x.data * other).dtype


def test_a_gradient_that_meets_float64_on_its_way_is_cast_and_accumulated_in_float32() -> None:
    x = single(1.0, 2.0)
    (x * np.array([3.0, 4.0]) + x.astype(np.float64) + x).backward([1.0, 1.0])
    assert x.grad.dtype == F32
    assert np.array_equal(x.grad, [5, 6])


def test_objectives_of_float32_terms_stay_float32() -> None:
    x = single(1.0, 2.0)
    for y in (
        tg.weighted_sum([np.sum(x), np.mean(x)], [1.0, 0.1]),
        tg.weighted_sum([np.sum(x), tg.Tensor(1.0, dtype=F32)], [1.0, 0.1]),
        tg.weighted_sum([np.sum(x), np.mean(x)], [np.float64(1), np.float64(0.1)]),
        tg.weighted_sum([np.sum(x), np.mean(x)], np.array([1.0, 0.1])),
        tg.sum_squares(x, x),
        tg.sum_squares(x, tg.Tensor(2.0, dtype=F32)),
        tg.softmax_cross_entropy(x.reshape(1, 2), [1]),
        tg.linear(x.reshape(1, 2), np.ones((3, 2), F32), np.zeros(3, F32)),
    ):
        assert y.dtype == F32


def test_grad_gives_the_dtype_of_its_argument() -> None:
    for dtype in (F32, np.float64):
        assert tg.grad(lambda x: np.sum(x**2))(np.ones(2, dtype)).dtype == dtype
        assert tg.grad(lambda x: x**2)(dtype(1)).dtype == dtype
        assert tg.grad(tg.grad(lambda x: x**3))(dtype(1)).dtype == dtype
        assert tg.grad(lambda _: 1.0)(np.ones(2, dtype)).dtype == dtype
    assert tg.grad(lambda x: x**2)(1.0).dtype == np.float64


def test_python_floats_become_float64_and_integers_stay_integers() -> None:
    assert tg.Tensor(1.0).dtype == np.float64
    assert tg.Tensor([1, 2]).dtype == np.int64
    assert tg.Tensor([True]).dtype == bool
    assert tg.Tensor([1, 2], dtype=np.float64, requires_grad=True).dtype == np.float64


@pytest.mark.parametrize("values", [[1, 2], [True, False], np.array([1], np.uint8)], ids=["int", "bool", "uint8"])
def test_integers_that_require_a_gradient_raise_with_the_remedy(values: Any) -> None:
    with pytest.raises(DtypeError, match=r"dtype=np\.float64"):
        tg.Tensor(values, requires_grad=True)
    t = tg.Tensor(values)
    with pytest.raises(DtypeError):
        t.requires_grad = True
    with pytest.raises(DtypeError, match="float64"):
        tg.grad(lambda x: np.sum(x))(np.asarray(values))


REFUSED: dict[str, Any] = {
    "float16": np.ones(2, np.float16),
    "longdouble": np.ones(2, np.longdouble),
    "complex": np.ones(2, np.complex128),
    "complex64": np.ones(2, np.complex64),
    "objects": np.array([None, 1.0]),
    "strings": np.array(["a", "b"]),
    "dates": np.array(["2020-01-01"], "datetime64[D]"),
    "a complex number": 1j,
    "a string": "1.0",
    "None": None,
    "a set": {1.0},
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_dtype_that_cannot_be_computed_with_is_refused(name: str) -> None:
    value = REFUSED[name]
    with pytest.raises(DtypeError):
        tg.Tensor(value)
    with pytest.raises(DtypeError):
        tg.Tensor([1.0, 2.0]) * value
    with pytest.raises(DtypeError):
        tg.Tensor([1.0, 2.0], requires_grad=True) + value
    with pytest.raises(DtypeError):
        tg.grad(lambda x: np.sum(x))(value)


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, np.complex128, object, str])
def test_a_cast_to_a_dtype_that_cannot_be_computed_with_is_refused(dtype: Any) -> None:
    with pytest.raises(DtypeError):
        tg.Tensor([1.0], dtype=dtype)
    with pytest.raises(DtypeError):
        tg.Tensor([1.0], requires_grad=True).astype(dtype)
    with pytest.raises(DtypeError):
        np.sum(tg.Tensor([1.0], requires_grad=True), dtype=dtype)


def test_a_cast_between_floats_carries_the_gradient() -> None:
    x = single(1.5, 2.5)
    y = x.astype(np.float64)
    assert y.dtype == np.float64
    (y * y).backward([1.0, 1.0])
    assert x.grad.dtype == F32
    assert np.array_equal(x.grad, [3, 5])


@pytest.mark.parametrize("dtype", [int, np.int8, bool])
def test_a_cast_to_integers_carries_no_gradient(dtype: Any) -> None:
    """Rounding down is flat, so passing the cotangent on would be silently wrong."""
    assert np.array_equal(tg.grad(lambda x: np.sum(x.astype(dtype) * x))(np.array([1.0])), [1.0])
    assert np.array_equal(tg.grad(lambda x: np.sum(tg.astype(x, dtype) * 1.0))(np.array([1.0])), [0.0])
    assert not tg.Tensor([1.0], requires_grad=True).astype(dtype).requires_grad


def test_big_endian_arrays_are_taken_in_native_order() -> None:
    big = np.array([1.0, 2.0], ">f8")
    assert tg.Tensor(big).dtype.isnative
    x = tg.Tensor(big, requires_grad=True)
    (x * big).backward([1.0, 1.0])
    assert x.grad.dtype.isnative
    assert np.array_equal(x.grad, [1, 2])
    assert np.array_equal(tg.grad(lambda x: np.sum(x * x))(big), [2, 4])
    assert np.array_equal(np.concatenate([x, big]).data, [1, 2, 1, 2])
    x.assign(big)
    assert x.dtype.isnative
    assert np.array_equal(tg.Tensor([10.0, 20.0])[np.array([1], ">i4")].data, [20])
    assert tg.softmax_cross_entropy(np.zeros((1, 2)), np.array([1], ">i8")) == np.log(2)


def test_read_only_arrays_memory_maps_and_stride_0_views_are_taken(tmp_path: pathlib.Path) -> None:
    np.save(tmp_path / "x.npy", np.array([1.0, 2.0]))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    frozen = np.array([1.0, 2.0])
    frozen.flags.writeable = False
    repeated = np.broadcast_to(np.float64(1.5), (2,))
    for values in (mapped, frozen, repeated, np.array([1.0, 0, 2.0, 0])[::2], np.array([2.0, 1.0])[::-1]):
        x = tg.Tensor(values, requires_grad=True)
        y = np.sum(x * values)
        y.backward()
        assert type(x.data) is np.ndarray
        assert np.array_equal(x.grad, values)
        assert np.array_equal(tg.grad(lambda x: np.sum(x**2))(values), 2 * values)
    del mapped


def test_masks_stay_boolean_and_labels_may_be_any_integers() -> None:
    x = tg.Tensor([1.0, -1.0], requires_grad=True)
    for comparison in (x > 0, x >= 0, x < 0, x <= 0, x == 1, x != 1, np.isfinite(x), np.logical_not(x > 0)):
        assert comparison.dtype == bool
        assert not comparison.requires_grad
    for dtype in (np.int8, np.uint8, np.int16, np.uint32, np.int64, np.uint64):
        assert tg.softmax_cross_entropy(np.zeros((2, 2)), np.array([0, 1], dtype)) == np.log(2)
        assert tg.one_hot(np.array([1], dtype), 2).tolist() == [[0, 1]]


def test_labels_that_are_no_class_are_refused() -> None:
    for wrong in ([2], [-1]):
        with pytest.raises(ValueError, match=r"0\.\.1"):
            tg.softmax_cross_entropy(tg.Tensor(np.zeros((1, 2))), wrong)
        with pytest.raises(ValueError, match=r"0\.\.1"):
            tg.one_hot(wrong, 2)
    with pytest.raises(DtypeError, match="integers"):
        tg.softmax_cross_entropy(tg.Tensor(np.zeros((1, 2))), [0.0])


@pytest.mark.parametrize("beside", [np.array([True, False]), np.array([1, 2])], ids=["a mask", "integers"])
def test_a_constant_without_axes_keeps_its_dtype_beside_what_is_no_float(beside: np.ndarray) -> None:
    if beside.dtype == bool:  # as NumPy has it: float32 and int64 meet in float64
        for scalar in (np.float32(2.0), tg.Tensor(np.float32(2.0)), tg.Tensor(np.float32(2.0), requires_grad=True)):
            assert (tg.Tensor(beside) * scalar).dtype == np.float32
            assert np.where(tg.Tensor(beside), -1, scalar).dtype == np.float32
        assert np.where(tg.Tensor(beside), tg.Tensor(np.float32(2.0)), np.float64(1.0)).dtype == np.float32
    assert (tg.Tensor(beside) * 2.5).dtype == np.float64
    assert (tg.Tensor(beside) * np.float64(2.5)).dtype == np.float64
    assert (tg.Tensor(beside.astype(np.int32)) * np.int64(2)).dtype == np.int32
