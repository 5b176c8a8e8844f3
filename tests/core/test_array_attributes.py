"""Attributes of arrays that Tensors lack: an error that is an AttributeError too and names what to write instead."""

from __future__ import annotations

import copy
import inspect
import pickle
import pydoc
import re
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.array_interface import NUMPY_FUNCTIONS
from tinygrad_lite.errors import TinygradLiteError, UnsupportedAttributeError, UnsupportedError
from tinygrad_lite.remedies import ATTRIBUTES

X = np.array([[1.0, 2.0], [3.0, 5.0]])


def leaf() -> tg.Tensor:
    return tg.Tensor(X, requires_grad=True)


OF_ARRAYS = sorted({name for name in dir(np.ndarray) if not name.startswith("__")} | {"itemset", "newbyteorder", "ptp"})
MISSING = [name for name in OF_ARRAYS if not hasattr(leaf(), name)]


def test_most_of_what_an_array_has_is_missing_for_a_reason() -> None:
    assert {"T", "sum", "reshape", "ravel", "flatten", "clip", "item", "astype"}.isdisjoint(MISSING)
    assert {"fill", "sort", "tolist", "itemset", "flat", "copy", "any", "argmax"} <= set(MISSING)


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_attribute_says_what_to_write_instead(name: str) -> None:
    for expected in (UnsupportedAttributeError, UnsupportedError, AttributeError, TinygradLiteError):
        with pytest.raises(expected, match=rf"a Tensor has no '{name}'; .*(use|write|nearest|np\.|\.numpy\(\)|tg\.)"):
            getattr(leaf(), name)


@pytest.mark.parametrize("name", MISSING)
def test_asking_whether_a_missing_attribute_is_there_is_answered(name: str) -> None:
    for asked in (leaf(), tg.Tensor):
        assert not hasattr(asked, name)
        assert getattr(asked, name, "default") == "default"
    assert name not in dir(leaf())
    with pytest.raises(AttributeError):
        setattr(leaf(), name, 1)


REMEDIES = {
    "sort": r"x\[np\.argsort\(x\.numpy\(\)\)\]",
    "argmax": r"x\.numpy\(\)\.argmax\(\)",
    "any": r"x\.numpy\(\)\.any\(\)",
    "copy": r"values do not change, or \.numpy\(\)",
    "fill": r"\.assign\(",
    "itemset": r"tg\.set_at",
    "tolist": r"\.numpy\(\)\.tolist\(\)",
    "flat": r"\.reshape\(-1\)",
    "real": r"write x;",
    "trace": r"np\.arange",
}


@pytest.mark.parametrize("name", [name for name in REMEDIES if name in MISSING])
def test_the_remedy_of_a_missing_attribute_is_its_own(name: str) -> None:
    with pytest.raises(AttributeError, match=REMEDIES[name]):
        getattr(leaf(), name)


SHORT = {name: text for name, text in ATTRIBUTES.items() if re.fullmatch(r"\.[\w.]+(\(\w*\))?", text)}
SURROUNDINGS = {"dtype": np.float64, "shape": (4,)}


@pytest.mark.parametrize("name", [name for name in SHORT if name not in ("dump", "tofile")])
def test_the_remedy_of_a_missing_attribute_says_the_same(name: str) -> None:
    replacement = eval(f"x{SHORT[name]}", {"x": leaf(), **SURROUNDINGS})
    if name == "getfield":
        assert np.array_equal(replacement, X.getfield(np.float64))
    elif name in ("itemsize", "nbytes"):
        assert replacement == getattr(X, name)
    elif name in ("byteswap", "tobytes", "tolist"):
        assert np.array_equal(replacement, getattr(X, name)())
    elif name in ("flat", "resize"):
        assert np.array_equal(replacement.data, X.ravel())
    else:
        assert replacement is not None


def test_an_attribute_nobody_has_is_missing_as_in_any_class() -> None:
    for asked in (leaf(), leaf() * 2):
        with pytest.raises(AttributeError, match="no attribute 'standard_deviation'") as refused:
            _ = asked.standard_deviation
        assert not isinstance(refused.value, TinygradLiteError)
    with pytest.raises(AttributeError):
        leaf().standard_deviation = 1


PROTOCOLS = (
    "__array_interface__ __array_struct__ __dlpack__ __dlpack_device__ __buffer__ __array_wrap__ __array_finalize__ "
    "__array_priority__ __copy__ __deepcopy__ __getattr__ __dict__ __array_namespace__ __complex__ __bytes__"
)


@pytest.mark.parametrize("name", PROTOCOLS.split())
def test_no_protocol_hands_out_what_a_tensor_holds(name: str) -> None:
    for t in (leaf(), leaf() * 2, tg.Tensor(X)):
        assert not hasattr(t, name)


def test_memory_is_not_handed_out() -> None:
    for take in (memoryview, np.frombuffer, np.from_dlpack, bytes):
        with pytest.raises((TypeError, AttributeError)):
            take(leaf())


def test_copies_and_pickles_do_not_ask_for_what_is_missing() -> None:
    t = tg.Tensor(X, requires_grad=True, name="w")
    (t * X).sum().backward()
    for copied in (copy.copy(t), copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
        assert isinstance(copied, tg.Tensor)
        assert copied is not t
        assert (copied.name, copied.requires_grad) == ("w", True)
        assert np.array_equal(copied.data, X)
        assert np.array_equal(copied.grad, X)
        copied.assign(X + 1)
        assert np.array_equal(t.data, X)


def test_the_class_can_be_looked_at() -> None:
    assert "assign" in pydoc.render_doc(tg.Tensor)
    members = dict(inspect.getmembers(leaf()))
    assert {"data", "grad", "backward", "sum"} <= set(members)
    assert set(MISSING).isdisjoint(members)


def test_there_is_a_method_for_every_function_that_records_and_is_a_method_of_arrays() -> None:
    recorded = {function.__name__ for function in NUMPY_FUNCTIONS}
    assert recorded & set(MISSING) == set()


def test_every_remedy_of_an_attribute_is_for_one_that_is_missing() -> None:
    assert set(ATTRIBUTES) <= set(MISSING)


def test_attributes_that_are_there_cost_what_they_did() -> None:
    """A `__getattr__` would make every look at an attribute several times slower, which operations do all the time."""
    hooks: list[Any] = [base for base in tg.Tensor.__mro__ if {"__getattr__", "__getattribute__"} & set(vars(base))]
    assert hooks == [object]
