"""The remedies that refusals name: each computes what NumPy's function computes, and has its derivative."""

from __future__ import annotations

import functools
import itertools
import math
import re
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.array_interface import NUMPY_FUNCTIONS
from tinygrad_lite.errors import UnsupportedError
from tinygrad_lite.remedies import ATTRIBUTES, INSTEAD, NEAREST, ON_VALUES

RNG = np.random.default_rng(0)
VECTORS = {"x": RNG.uniform(0.1, 0.9, 4), "y": RNG.uniform(0.1, 0.9, 4)}
MATRICES = {"x": RNG.uniform(0.1, 0.9, (4, 4)), "y": RNG.uniform(0.1, 0.9, (4, 4))}


def after(function: Any, x: Any, *others: Any, **options: Any) -> Any:
    """Return the copy of `x` that a function which works in place has written into."""
    written = np.array(x)
    function(written, *others, **options)
    return written


SURROUNDINGS: dict[str, Any] = {
    "np": np, "tg": tg, "math": math, "functools": functools, "itertools": itertools, "after": after,
    "n": 4, "k": 1, "f": np.sum, "axes": (1, 0), "shape": (2, 4), "repeats": 2, "bounds": [(0, 2), (2, 4)],
    "index": np.array([2, 0]), "mask": np.array([True, False, True, True]), "weights": np.array([0.1, 0.2, 0.3, 0.4]),
}  # fmt: skip
"""What the remedies leave to the reader to name."""

BY_NUMPY: dict[str, str] = {
    "append": "np.append(x, y)",
    "apply_along_axis": "np.apply_along_axis(f, 1, x)",
    "array_split": "np.array_split(x, [k])",
    "average": "np.average(x, weights=weights)",
    "block": "np.block([x, y])",
    "broadcast_arrays": "np.broadcast_arrays(x, y)",
    "choose": "np.choose(x, [y, z])",
    "column_stack": "np.column_stack([x, y])",
    "compress": "np.compress(mask, x)",
    "copyto": "after(np.copyto, x, y, where=mask)",
    "delete": "np.delete(x, k)",
    "dot": "np.dot(x, y)",
    "dstack": "np.dstack([x, y])",
    "empty_like": "np.zeros_like(x)",
    "expit": "1 / (1 + np.exp(-x))",
    "extract": "np.extract(mask, x)",
    "fill_diagonal": "after(np.fill_diagonal, x, y)",
    "full_like": "np.full_like(x, y)",
    "geomspace": "np.geomspace(x, y, n)",
    "hsplit": "np.hsplit(x, [k])",
    "hstack": "np.hstack([x, y])",
    "inner": "np.inner(x, y)",
    "insert": "np.insert(x, k, y)",
    "kron": "np.kron(x, y)",
    "linspace": "np.linspace(x, y, n)",
    "log_expit": "-np.log(1 + np.exp(-x))",
    "logit": "np.log(x / (1 - x))",
    "logspace": "np.logspace(x, y, n)",
    "matrix_norm": "np.linalg.matrix_norm(x)",
    "matrix_transpose": "np.linalg.matrix_transpose(x)",
    "matvec": "np.stack([x @ row for row in y])",
    "meshgrid": "np.meshgrid(x, y)",
    "moveaxis": "np.moveaxis(x, 0, 1)",
    "multi_dot": "np.linalg.multi_dot([x, y])",
    "outer": "np.outer(x, y)",
    "pad": "np.pad(x, k)",
    "partition": "np.partition(x, k)",
    "piecewise": "np.where(mask, x, y)",
    "place": "after(np.place, x, mask, y[mask])",
    "polyval": "np.polyval(x, y)",
    "put": "after(np.put, x, index, y)",
    "put_along_axis": "after(np.put_along_axis, x, index, y, 0)",
    "putmask": "after(np.putmask, x, mask, y)",
    "repeat": "np.repeat(x, repeats)",
    "resize": "np.resize(x, shape)",
    "result_type": "np.result_type(x, y)",
    "roll": "np.roll(x, k)",
    "rollaxis": "np.rollaxis(x, 1)",
    "select": "np.select([mask], [x], y)",
    "split": "np.split(x, [k])",
    "take": "np.take(x, index)",
    "take_along_axis": "np.take_along_axis(x, index, 1)",
    "tile": "np.tile(x, k)",
    "unstack": "np.stack(x)",
    "vdot": "np.vdot(x, y)",
    "vecdot": "np.sum(x * y, axis=-1)",
    "vecmat": "np.stack([row @ y for row in x])",
    "vector_norm": "np.linalg.vector_norm(x)",
    "vsplit": "np.vsplit(x, [k])",
    "vstack": "np.vstack([x, y])",
}
"""NumPy's own words, where they are not `np.name(x)`, or for a ufunc of two operands `np.name(x, y)`."""

OF_MATRICES = (
    "apply_along_axis block diagonal diff dot dstack fill_diagonal fliplr flipud hsplit hstack inner kron matrix_norm "
    "matrix_transpose matvec moveaxis multi_dot ravel rollaxis rot90 squeeze take_along_axis trace tril triu vecdot "
    "vecmat vsplit vstack"
)

WITH_NAN = {"x": np.array([0.2, np.nan, 0.4, 0.6])}
OPERANDS: dict[str, dict[str, Any]] = {
    "arccosh": {"x": np.array([1.2, 2.0, 3.0, 5.0])},
    "angle": {"x": np.array([1.0, -2.0, 3.0, -4.0])},
    "choose": {"x": np.array([0, 1, 1, 0]), "z": RNG.uniform(0.1, 0.9, 4)},
    "copysign": {"y": np.array([1.0, -2.0, 3.0, -4.0])},
    "fill_diagonal": {"y": 5.0},
    "geomspace": {"x": np.array(0.2), "y": np.array(0.9)},
    "insert": {"y": np.array(0.7)},
    "isneginf": {"x": np.array([1.0, np.inf, -np.inf, 0.0])},
    "isposinf": {"x": np.array([1.0, np.inf, -np.inf, 0.0])},
    "isinf": {"x": np.array([1.0, np.inf, -np.inf, np.nan])},
    "isnan": WITH_NAN,
    "ldexp": {"y": np.array([3, 0, 1, -2])},
    "linspace": {"x": np.array(0.2), "y": np.array(0.9)},
    "logical_xor": {"x": np.array([0.0, 0.0, 1.0, 2.0]), "y": np.array([0.0, 3.0, 0.0, 1.0])},
    "logspace": {"x": np.array(0.2), "y": np.array(0.9)},
    "modf": {"x": np.array([1.2, -2.3, 3.7, 0.1])},
    "nan_to_num": WITH_NAN,
    "nanmax": WITH_NAN,
    "nanmean": WITH_NAN,
    "nanmin": WITH_NAN,
    "nanprod": WITH_NAN,
    "nansum": WITH_NAN,
    "put": {"y": np.array([0.3, 0.6])},
    "put_along_axis": {"y": np.array([0.3, 0.6])},
    "signbit": {"x": np.array([1.0, -2.0, 3.0, -4.0])},
    "take_along_axis": {"index": np.array([[2], [0], [3], [1]])},
}
"""Operands other than the usual ones, positive and below 1."""


def numpys_own(name: str) -> str:
    two = isinstance(getattr(np, name, None), np.ufunc) and getattr(np, name).nin == 2
    return BY_NUMPY.get(name, f"np.{name}(x, y)" if two else f"np.{name}(x)")


def operands_of(name: str) -> dict[str, Any]:
    return {**(MATRICES if name in OF_MATRICES.split() else VECTORS), **OPERANDS.get(name, {})}


def without_after(expression: str) -> str:
    """Return an expression that works in place on `x` itself."""
    return re.sub(r"after\(([\w.]+), ", r"\1(", expression)


def flat(result: Any) -> Any:
    """Return the values of a result, which may be a list, one after the other."""
    results = result if isinstance(result, tuple | list) else [result]
    return np.concatenate([np.reshape(part, -1) for part in results])


def hold_against_numpy(remedy: str, numpys: str, operands: dict[str, Any]) -> None:
    """Compare values, and the gradient for each operand of floats with central differences of NumPy's function."""
    wanted = eval(numpys, {**SURROUNDINGS, **operands})
    if isinstance(wanted, np.dtype):
        assert eval(remedy, {**SURROUNDINGS, **{key: tg.Tensor(value) for key, value in operands.items()}}) == wanted
        return
    expected = flat(wanted)
    floats = {k: v for k, v in operands.items() if isinstance(v, np.ndarray) and v.dtype.kind == "f"}
    tensors = {key: tg.Tensor(value, requires_grad=True) for key, value in floats.items()}
    result = flat(eval(remedy, {**SURROUNDINGS, **operands, **tensors}))
    assert np.allclose(result.data if isinstance(result, tg.Tensor) else result, expected, rtol=1e-12, equal_nan=True)
    if expected.dtype.kind != "f":
        return
    cotangent = np.random.default_rng(1).normal(size=expected.shape)
    if isinstance(result, tg.Tensor) and result.requires_grad:
        result.backward(cotangent)
    for key, tensor in tensors.items():
        for place in np.ndindex(tensor.shape):
            step = np.zeros(tensor.shape)
            step[place] = 1e-6
            ends = [eval(numpys, {**SURROUNDINGS, **operands, key: floats[key] + sign * step}) for sign in (1, -1)]
            slope = np.nansum(cotangent * (flat(ends[0]) - flat(ends[1]))) / 2e-6
            assert np.isclose(0.0 if tensor.grad is None else tensor.grad[place], slope, rtol=1e-6, atol=1e-8)


AVAILABLE = [name for name in INSTEAD if name in BY_NUMPY or hasattr(np, name)]


@pytest.mark.parametrize("name", AVAILABLE)
def test_a_remedy_computes_and_differentiates_what_numpys_function_does(name: str) -> None:
    hold_against_numpy(INSTEAD[name], numpys_own(name), operands_of(name))


METHODS = {
    ("add", "accumulate"): "np.add.accumulate(x)",
    ("multiply", "accumulate"): "np.multiply.accumulate(x)",
    ("logaddexp", "accumulate"): "np.logaddexp.accumulate(x)",
    ("subtract", "reduce"): "np.subtract.reduce(x)",
    ("logaddexp", "reduce"): "np.logaddexp.reduce(x)",
    ("add", "reduceat"): "np.add.reduceat(x, [0, 2])",
    ("maximum", "reduceat"): "np.maximum.reduceat(x, [0, 2])",
    ("multiply", "outer"): "np.multiply.outer(x, y)",
    ("maximum", "outer"): "np.maximum.outer(x, y)",
    ("add", "at"): "after(np.add.at, x, index, y)",
    ("subtract", "at"): "after(np.subtract.at, x, index, y)",
    ("multiply", "at"): "after(np.multiply.at, x, index, y)",
    ("exp", "at"): "after(np.exp.at, x, index)",
}


@pytest.mark.parametrize(("ufunc", "method"), METHODS)
def test_the_remedy_for_a_ufuncs_method_computes_and_differentiates_the_same(ufunc: str, method: str) -> None:
    operands = {**VECTORS, **({"y": np.array([0.3, 0.6])} if method == "at" else {})}
    with pytest.raises(UnsupportedError) as refused:
        eval(
            without_after(METHODS[ufunc, method]),
            {**SURROUNDINGS, **operands, "x": tg.Tensor(operands["x"], requires_grad=True)},
        )
    remedy = re.search(r"; write (.*?)(, or .*)?; where no gradient", str(refused.value))
    assert remedy
    hold_against_numpy(remedy[1], METHODS[ufunc, method], operands)


@pytest.mark.parametrize("name", [name for name in AVAILABLE if f"{name}(" in numpys_own(name) and name != "conj"])
def test_the_error_of_a_function_shows_its_remedy(name: str) -> None:
    operands = operands_of(name)
    tensors = {key: tg.Tensor(value) for key, value in operands.items() if key != "index"}
    with pytest.raises(UnsupportedError, match=rf"np\.(linalg\.)?{name}\b.* write {re.escape(INSTEAD[name])};"):
        eval(without_after(numpys_own(name)), {**SURROUNDINGS, **operands, **tensors})


def test_no_remedy_stands_for_a_function_that_records() -> None:
    recorded = {function.__name__ for function in NUMPY_FUNCTIONS}
    listed = [*INSTEAD, *ON_VALUES.split(), *(name for names in NEAREST.values() for name in names.split())]
    assert recorded & set(listed) == set()
    assert len(listed) == len(set(listed))


def test_every_remedy_stands_for_a_function_there_is() -> None:
    of_scipy = {"expit", "log_expit", "logit"}
    of_a_later_numpy = {"cumulative_prod", "cumulative_sum", "matvec", "unstack", "vecmat"}
    listed = {*INSTEAD, *ON_VALUES.split(), *(name for names in NEAREST.values() for name in names.split())}
    unknown = {name for name in listed if not any(hasattr(module, name) for module in (np, np.linalg, np.fft))}
    assert unknown <= of_scipy | of_a_later_numpy
    assert set(ATTRIBUTES) <= {*dir(np.ndarray), "itemset", "newbyteorder"}


@pytest.mark.parametrize("function", [np.median, np.linalg.svd, np.fft.fft, np.einsum, np.arctan2, np.polyfit])
def test_a_function_without_an_equivalent_names_the_nearest_and_how_to_define_it(function: Any) -> None:
    x = tg.Tensor(MATRICES["x"], requires_grad=True)
    call = {np.einsum: lambda: np.einsum("ij", x), np.arctan2: lambda: np.arctan2(x, x),
            np.polyfit: lambda: np.polyfit(x, x, 1)}.get(function, lambda: function(x))  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"nearest that does is np\.\w+.*tg\.primitive.*\.numpy\(\)"):
        call()


@pytest.mark.parametrize("function", [np.argmax, np.any, np.floor, np.argsort, np.allclose])
def test_a_function_without_derivative_is_given_the_values(function: Any) -> None:
    x = tg.Tensor(MATRICES["x"], requires_grad=True)
    with pytest.raises(UnsupportedError, match=rf"np\.{function.__name__} .*x\.numpy\(\), through which no gradient"):
        function(x, x) if function is np.allclose else function(x)


def test_a_ufunc_that_is_not_numpys_is_called_by_its_own_name() -> None:
    special = pytest.importorskip("scipy.special")
    x = tg.Tensor(VECTORS["x"], requires_grad=True)
    for name in ("expit", "log_expit", "logit"):
        with pytest.raises(UnsupportedError, match=rf"^{name} does not record .*write {re.escape(INSTEAD[name])}"):
            getattr(special, name)(x)
    with pytest.raises(UnsupportedError, match=r"^erf does not record .*tg\.primitive"):
        special.erf(x)
    with pytest.raises(UnsupportedError, match=r"tg\.primitive"):
        np.frompyfunc(lambda value: value, 1, 1)(x)
