"""Python's operators on Tensors, with whatever stands on the other side: a Tensor, or an error of ours."""

from __future__ import annotations

import decimal
import fractions
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import DetachError, DtypeError, TinygradLiteError, UnsupportedError

X = np.array([[1.0, 2.0], [3.0, 5.0]])


def leaf() -> tg.Tensor:
    return tg.Tensor(X, requires_grad=True)


ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
UNRECORDED = [operator.floordiv, operator.mod, divmod, operator.lshift, operator.rshift]
BITWISE = [operator.and_, operator.or_, operator.xor]

OTHERS: dict[str, Any] = {
    "array": X + 1,
    "Fortran array": np.asfortranarray(X + 1),
    "float32 array": (X + 1).astype(np.float32),
    "integer array": (X + 1).astype(int),
    "mask": X > 0,
    "array without axes": np.array(2.0),
    "list": (X + 1).tolist(),
    "tuple": tuple((X + 1).tolist()),
    "list of arrays": [X[0], X[1]],
    "range": range(1, 3),
    "NumPy float": np.float64(2),
    "NumPy float32": np.float32(2),
    "NumPy integer": np.int8(2),
    "NumPy bool": np.True_,
    "float": 2.0,
    "int": 2,
    "bool": True,
    "constant Tensor": tg.Tensor(X + 1),
    "Tensor without axes": tg.Tensor(2.0),
}


def plain(value: Any) -> np.ndarray:
    return value.data if isinstance(value, tg.Tensor) else np.asarray(value)


@pytest.mark.parametrize("op", ARITHMETIC, ids=lambda op: op.__name__)
@pytest.mark.parametrize("name", OTHERS)
def test_operators_record_from_both_sides_and_never_yield_an_object_array(op: Callable[..., Any], name: str) -> None:
    other = OTHERS[name]
    if op is operator.matmul and not plain(other).ndim:
        pytest.skip("NumPy has no matrix product with a scalar")
    for left, right in ((leaf(), other), (other, leaf())):
        result = op(left, right)
        assert isinstance(result, tg.Tensor)
        assert result.requires_grad
        assert result.dtype == np.float64
        assert np.allclose(result.data, op(plain(left), plain(right)), rtol=1e-15)


@pytest.mark.parametrize("op", COMPARISONS, ids=lambda op: op.__name__)
@pytest.mark.parametrize("name", OTHERS)
def test_comparisons_are_elementwise_from_both_sides(op: Callable[..., Any], name: str) -> None:
    other = OTHERS[name]
    for left, right in ((leaf(), other), (other, leaf())):
        result = op(left, right)
        assert isinstance(result, tg.Tensor)
        assert result.dtype == bool
        assert np.array_equal(result.data, op(plain(left), plain(right)))


FOREIGN: dict[str, Any] = {
    "None": None,
    "str": "2",
    "bytes": b"2",
    "list of str": ["1", "2"],
    "complex": 1j,
    "complex array": X + 1j,
    "Fraction": fractions.Fraction(1, 2),
    "Decimal": decimal.Decimal(2),
    "object array": X.astype(object),
    "object array with None": np.array([[1.0, None], [2.0, 3.0]]),
    "float16 array": X.astype(np.float16),
    "long double": np.longdouble(2),
    "datetime": np.datetime64("2020-01-01"),
    "string array": np.array(["a", "b"]),
    "dict": {"a": 1.0},
    "set": {1.0},
    "object": object(),
    "function": math.sin,
    "type": float,
}


@pytest.mark.parametrize("op", [*ARITHMETIC, *COMPARISONS, *UNRECORDED, *BITWISE], ids=lambda op: op.__name__)
@pytest.mark.parametrize("name", FOREIGN)
def test_what_a_tensor_cannot_compute_with_is_refused_from_both_sides(op: Callable[..., Any], name: str) -> None:
    for left, right in ((leaf(), FOREIGN[name]), (FOREIGN[name], leaf())):
        if isinstance(left, str | bytes) and op is operator.mod:
            continue  # this writes the Tensor into a text
        if isinstance(left, fractions.Fraction) and op is operator.pow:
            continue  # this asks for float(left) ** right, which records
        with pytest.raises((DtypeError, UnsupportedError)):
            op(left, right)


def test_a_list_of_tensors_is_no_operand() -> None:
    for op in (operator.add, operator.matmul, operator.lt):
        for left, right in ((leaf(), [leaf()[0], leaf()[1]]), ([leaf()[0], leaf()[1]], leaf())):
            with pytest.raises(DetachError, match=r"np\.stack"):
                op(left, right)


@pytest.mark.parametrize("op", UNRECORDED, ids=lambda op: op.__name__)
@pytest.mark.parametrize("name", OTHERS)
def test_operators_that_do_not_record_say_so_from_both_sides(op: Callable[..., Any], name: str) -> None:
    for left, right in ((leaf(), OTHERS[name]), (OTHERS[name], leaf())):
        with pytest.raises(UnsupportedError, match=r"np\.\w+ \((//|%|divmod|<<|>>)\) does not record"):
            op(left, right)


MASKS: dict[str, Any] = {
    "constant Tensor": tg.Tensor([[True, False], [False, True]]),
    "array": np.array([[True, False], [False, True]]),
    "list": [[True, False], [False, True]],
    "bool": True,
    "NumPy bool": np.False_,
}


@pytest.mark.parametrize("op", BITWISE, ids=lambda op: op.__name__)
@pytest.mark.parametrize("name", MASKS)
def test_masks_are_combined_from_both_sides(op: Callable[..., Any], name: str) -> None:
    mask = leaf() > 1.5
    for left, right in ((mask, MASKS[name]), (MASKS[name], mask)):
        result = op(left, right)
        assert isinstance(result, tg.Tensor)
        assert result.dtype == bool
        assert np.array_equal(result.data, op(plain(left), plain(right)))
    assert np.array_equal((~mask).data, X <= 1.5)


def test_a_combined_mask_chooses() -> None:
    x, cotangent = leaf(), np.array([[0.3, -1.2], [2.0, 0.7]])
    np.where((x > 1) & ~(x > 4), x**2, 0.0).backward(cotangent)
    assert np.array_equal(x.grad, np.where((X > 1) & (X <= 4), 2 * X * cotangent, 0))


@pytest.mark.parametrize("op", BITWISE, ids=lambda op: op.__name__)
@pytest.mark.parametrize("other", [X, 1, tg.Tensor([[1, 2], [3, 4]]), X.astype(int)], ids=lambda o: type(o).__name__)
def test_bits_of_numbers_are_not_combined(op: Callable[..., Any], other: Any) -> None:
    for left, right in ((leaf() > 1, other), (other, leaf() > 1), (leaf(), X > 1)):
        with pytest.raises(UnsupportedError, match=r"is for masks, got dtype (float64|int64)"):
            op(left, right)
    with pytest.raises(UnsupportedError, match=r"np\.invert \(~\) on Tensors is for masks"):
        ~leaf()


@pytest.mark.parametrize("f", [round, lambda t: round(t, 2), math.trunc], ids=["round", "round to digits", "trunc"])
def test_rounding_is_refused_with_the_values_to_give(f: Callable[[Any], Any]) -> None:
    with pytest.raises(UnsupportedError, match=r"x\.numpy\(\), through which no gradient flows"):
        f(tg.Tensor(1.5, requires_grad=True))


def test_plus_and_minus_and_abs_of_integers_stay_integers() -> None:
    t = tg.Tensor([1, -2])
    for result, expected in ((+t, [1, -2]), (-t, [-1, 2]), (abs(t), [1, 2])):
        assert result.dtype == np.int64
        assert np.array_equal(result.data, expected)


def test_every_operator_of_an_array_is_there() -> None:
    unary = {"__neg__", "__pos__", "__abs__", "__invert__"}
    names = {name for name in dir(np.ndarray) if name.startswith("__") and callable(getattr(np.ndarray, name))}
    arithmetic = {name for name in names if name in unary or f"__r{name[2:]}" in names or f"__i{name[2:]}" in names}
    missing = {name for name in arithmetic - {"__init__"} if not hasattr(tg.Tensor, name)}
    assert {name for name in missing if not name.startswith("__i")} == set()
    with pytest.raises(TinygradLiteError):
        divmod(1.0, leaf())
