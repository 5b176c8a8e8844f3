"""Every public function of NumPy, given Tensors: it records, it is refused, or it says something without derivative."""

from __future__ import annotations

import contextlib
import inspect
import io
import pathlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import TinygradLiteError

MODULES = {
    "np": np,
    "np.linalg": np.linalg,
    "np.fft": np.fft,
    "np.emath": np.emath,
    "np.lib.stride_tricks": np.lib.stride_tricks,
    "np.polynomial.polynomial": np.polynomial.polynomial,
}

OF_THE_SESSION = (
    "errstate get_include geterr geterrcall get_printoptions getbufsize info printoptions set_printoptions setbufsize "
    "seterr seterrcall show_config show_runtime test"
)
"""Functions that print, or change how NumPy behaves."""

NOT_ASKED = {
    "bmat": "it gives None for what is neither a list nor an ndarray",
    "from_dlpack": "it looks for a protocol that Tensors do not have",
    "frombuffer": "it looks for memory, which Tensors do not hand out",
    "fromstring": "it looks for text, or for memory",
    "nditer": "it wants an operand to write into",
    "poly": "it looks for items, which a Tensor without axes has not",
    "poly1d": "it looks for items, which a Tensor without axes has not",
    "roots": "it looks for items, which a Tensor without axes has not",
}
"""Functions that refuse a Tensor on their own, without asking it."""

TOLD_APART = {
    (f"np.polynomial.polynomial.{name}", call)
    for name in ("polyval", "polyvalfromroots")
    for call in ("f(t)", "f(t, t)", "f(t, t, t)", "f(t, a)", "f(t, 1)", "f(t, 1, 1)", "f(t, t, 1)")
}
"""NumPy looks here for the class ndarray itself, and pairs points with coefficients if it does not find it."""


def public() -> Iterator[tuple[str, Callable[..., Any]]]:
    for module, values in MODULES.items():
        for name in sorted(dir(values)):
            function = getattr(values, name)
            is_error = isinstance(function, type) and issubclass(function, BaseException)
            if callable(function) and not (name.startswith("_") or is_error or name in OF_THE_SESSION.split()):
                yield f"{module}.{name}", function


FUNCTIONS = dict(public())

CALLS: dict[str, Callable[[Callable[..., Any], Any, np.ndarray], Any]] = {
    "f(t)": lambda f, t, a: f(t),
    "f(t, t)": lambda f, t, a: f(t, t),
    "f(t, t, t)": lambda f, t, a: f(t, t, t),
    "f(t, a)": lambda f, t, a: f(t, a),
    "f(a, t)": lambda f, t, a: f(a, t),
    "f(t, 1)": lambda f, t, a: f(t, 1),
    "f(1, t)": lambda f, t, a: f(1, t),
    "f(t, 1, 1)": lambda f, t, a: f(t, 1, 1),
    "f(a, 1, t)": lambda f, t, a: f(a, 1, t),
    "f(a, a, t)": lambda f, t, a: f(a, a, t),
    "f(a, mask, t)": lambda f, t, a: f(a, a > 1, t),
    "f([mask], [t])": lambda f, t, a: f([a > 1], [t]),
    "f([t, t])": lambda f, t, a: f([t, t]),
    "f([t, a])": lambda f, t, a: f([t, a]),
    "f(t, float)": lambda f, t, a: f(t, float),
    "f(t, t, 1)": lambda f, t, a: f(t, t, 1),
    "f(t, index, 0)": lambda f, t, a: f(t, np.zeros_like(a, int), 0),
    "f(a, index, t, 0)": lambda f, t, a: f(a, np.zeros_like(a, int), t, 0),
    "f('name', t)": lambda f, t, a: f("name", t),
    "f(sum, t, 0)": lambda f, t, a: f(np.sum, t, 0),
    "f((2, 2), t)": lambda f, t, a: f((2, 2), t),
    "f(sum, t)": lambda f, t, a: f(np.sum, t),
    "f(sum, 0, t)": lambda f, t, a: f(np.sum, 0, t),
    "f('i,i', t, t)": lambda f, t, a: f("i,i", t, t),
    "f(a, where=t)": lambda f, t, a: f(a, where=t),
    "f(a, a, where=t)": lambda f, t, a: f(a, a, where=t),
    "f(a, initial=t)": lambda f, t, a: f(a, initial=t),
}

SHAPES = ((), (1,), (3,), (3, 3))


def values(shape: tuple[int, ...]) -> np.ndarray:
    spread = np.linspace(0.5, 2.5, int(np.prod(shape))).reshape(shape)
    return spread + 3 * np.eye(len(spread)) if spread.ndim == 2 else spread


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def called(f: Callable[..., Any], call: str, t: Any, shape: tuple[int, ...]) -> Any:
    """Return the result or the error of a call, so that neither NumPy nor a generator surprises the test."""
    try:
        with quietly():
            result = CALLS[call](f, t, values(shape))
            return list(result) if inspect.isgenerator(result) else result
    except Exception as problem:
        return problem


def parts(result: Any) -> list[Any]:
    """Return the values in a result that may be nested."""
    if isinstance(result, tuple | list):
        return [part for item in result for part in parts(item)]
    return [result]


def is_ours(problem: BaseException | None) -> bool:
    """Return whether an error, or what it was raised from, is one of this library's."""
    return problem is not None and (isinstance(problem, TinygradLiteError) or is_ours(problem.__cause__))


def is_of_objects(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.dtype.kind == "O"


def same(result: Any, other: Any) -> bool:
    return repr(parts(result)) == repr(parts(other))


def complaint(f: Callable[..., Any], call: str, shape: tuple[int, ...]) -> str | None:
    """Return what is wrong with a call that NumPy accepts for arrays, given a Tensor that requires a gradient."""
    plain = called(f, call, values(shape), shape)
    if isinstance(plain, Exception):
        return None
    result = called(f, call, tg.Tensor(values(shape), requires_grad=True), shape)
    if isinstance(result, Exception):
        return None if is_ours(result) else f"an error of NumPy's own, {type(result).__name__}: {result}"
    for part, expected in zip(parts(result), parts(plain), strict=True):
        if isinstance(part, tg.Tensor) and not np.allclose(part.data, expected, equal_nan=True):
            return f"{part}, which should be {expected}"
        if is_of_objects(part) and not is_of_objects(expected):
            return "an object array"
    if any(isinstance(part, tg.Tensor | str | np.vectorize) for part in parts(result)):
        return None
    nudged = called(f, call, np.asarray(values(shape) * (1 + 1e-4)), shape)
    return None if same(plain, nudged) else f"{result!r}, which depends on the Tensor"


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_whatever_numpy_computes_of_a_tensor_records_or_is_refused_by_us(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.chdir(tmp_path)
    calls = [call for call in CALLS if (name, call) not in TOLD_APART]
    found = {(call, shape): complaint(FUNCTIONS[name], call, shape) for call in calls for shape in SHAPES}
    if name.split(".")[-1] in NOT_ASKED:
        found = {
            case: text for case, text in found.items() if text and "NumPy's own" not in text and "None" not in text
        }
    assert {case: text for case, text in found.items() if text} == {}


def takes(f: Callable[..., Any], option: str) -> bool:
    try:
        return isinstance(f, np.ufunc) or option in inspect.signature(f).parameters
    except ValueError:  # NumPy 2.0 has functions without a signature
        return False


OPTIONS_TAKEN = [
    (name, option)
    for name, f in FUNCTIONS.items()
    if isinstance(f, np.ufunc | type(np.sum))
    for option in ("out", "where", "initial")
    if takes(f, option)
]


@pytest.mark.parametrize(("name", "option"), OPTIONS_TAKEN)
def test_no_option_of_a_function_takes_a_tensor_or_writes_what_a_tensor_says(name: str, option: str) -> None:
    f = FUNCTIONS[name]
    count, results = (f.nin, f.nout) if isinstance(f, np.ufunc) else (1, 1)
    array = values((3, 3))
    for operands, given in (([array] * count, leaf()), ([leaf()] * count, array)):
        with quietly(), pytest.raises((TypeError, ValueError)) as refused:
            f(*operands, **{option: given if results == 1 else (given,) * results})
        own = "unexpected keyword" in str(refused.value) or "required positional" in str(refused.value)
        assert is_ours(refused.value) or own
    assert np.array_equal(array, values((3, 3)))


def leaf() -> tg.Tensor:
    return tg.Tensor(values((3, 3)), requires_grad=True)
