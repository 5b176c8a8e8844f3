"""The names that users see: no function hides a module, and each has a docstring with an example."""

from __future__ import annotations

import importlib
import inspect
import pathlib
import pkgutil
import types
from typing import Any

import pytest

import tinygrad_lite as tg
from tinygrad_lite.primitives import Primitive

PACKAGE = pathlib.Path(tg.__file__).parent
MODULES = [name for _, name, _ in pkgutil.walk_packages(tg.__path__, "tinygrad_lite.") if not name.endswith("__main__")]
ROOMS = {name.split(".")[1] for name in MODULES}

PUBLIC: dict[str, Any] = {name: getattr(tg, name) for name in tg.__all__}


def is_exported(name: str, value: Any) -> bool:
    return not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "annotations"


def is_ours(value: Any) -> bool:
    return isinstance(value, Primitive) or getattr(value, "__module__", "").startswith("tinygrad_lite")


def test_no_public_name_equals_the_name_of_a_module_or_package() -> None:
    assert set(PUBLIC) & ROOMS == set()
    assert [name for name in ROOMS if not isinstance(vars(tg).get(name, tg), types.ModuleType)] == []


def test_every_public_name_is_ours_and_every_name_of_ours_is_public() -> None:
    assert [name for name, value in PUBLIC.items() if not is_ours(value)] == []
    assert {name for name, value in vars(tg).items() if is_exported(name, value) and is_ours(value)} == set(PUBLIC)
    assert set(PUBLIC) <= set(dir(tg))


@pytest.mark.parametrize("name", MODULES)
def test_a_modules_all_is_what_it_exports(name: str) -> None:
    module = importlib.import_module(name)
    if not hasattr(module, "__all__"):
        return
    assert len(module.__all__) == len(set(module.__all__))
    exported = {key for key, value in vars(module).items() if is_exported(key, value)}
    assert set(module.__all__) == exported


def documented() -> list[str]:
    return sorted(name for name, value in PUBLIC.items() if callable(value) and not isinstance(value, Primitive))


@pytest.mark.parametrize("name", documented())
def test_a_public_function_or_class_has_a_docstring_with_an_example(name: str) -> None:
    docstring = inspect.getdoc(PUBLIC[name])
    assert docstring
    assert ">>>" in docstring


@pytest.mark.parametrize("name", sorted(name for name, value in PUBLIC.items() if isinstance(value, Primitive)))
def test_a_public_primitive_says_what_it_computes(name: str) -> None:
    docstring = inspect.getdoc(PUBLIC[name])
    assert "on Tensors it records" in docstring
    assert "out=" not in docstring
    assert inspect.signature(PUBLIC[name]).parameters


@pytest.mark.parametrize("name", MODULES)
def test_a_module_opens_with_a_docstring(name: str) -> None:
    assert importlib.import_module(name).__doc__


def test_no_module_is_called_by_what_it_is_not() -> None:
    vague = {"utils", "helpers", "misc", "base", "common", "util", "helper"}
    assert [name for name in MODULES if vague & set(name.split("."))] == []
