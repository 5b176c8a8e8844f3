"""Contract 1: a primitive says what its rules are, and a wrong number of them is an error at definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import errors
from tinygrad_lite.errors import DefinitionError, TinygradLiteError
from tinygrad_lite.primitives import Primitive, each


def unary(x: Any) -> Any:
    return x * 2


def binary(a: Any, b: Any, *, scale: float = 1.0) -> Any:
    return a * b * scale


def variadic(*xs: Any) -> Any:
    return sum(xs)


WRONG: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "no rule": (unary, ()),
    "too many rules": (unary, (lambda g, y, x: g, None)),
    "too few rules": (binary, (lambda g, y, a, b, *, scale=1.0: g,)),
    "too few rules of a ufunc": (np.multiply, (None,)),
    "a rule with too few parameters": (binary, (lambda g, y, a: g, None)),
    "a rule with too many parameters": (unary, (lambda g, y, a, b: g,)),
    "a rule per operand of a variadic forward": (variadic, (lambda g, y, x: g,)),
    "one rule factory for a fixed number of operands": (unary, (each(lambda i: lambda g, *_: g),)),
    "a rule that does not take the static argument": (binary, (lambda g, y, a, b: g * b, None)),
    "a rule with another default": (binary, (lambda g, y, a, b, *, scale=2.0: g * b, None)),
    "a rule that wants more than the forward has": (unary, (lambda g, y, x, *, scale: g,)),
    "a rule factory beside a rule": (variadic, (each(lambda i: lambda g, *_: g), None)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_definition_raises_by_name(name: str) -> None:
    forward, rules = WRONG[name]
    for expected in (DefinitionError, TypeError, TinygradLiteError):
        with pytest.raises(expected, match="wrongly defined"):
            Primitive("wrongly defined", forward, *rules)


def test_a_new_primitive_computes_on_arrays_and_records_on_tensors() -> None:
    scaled = Primitive(
        "scaled product",
        binary,
        lambda g, _y, _a, b, *, scale=1.0: g * b * scale,
        lambda g, _y, a, _b, *, scale=1.0: g * a * scale,
    )
    assert scaled(2.0, 3.0, scale=10.0) == 60
    assert tg.grad(lambda x: scaled(x, x, scale=10.0))(3.0) == 60
    assert tg.grad(tg.grad(lambda x: scaled(x, x)))(3.0) == 2


def test_an_operand_without_a_rule_receives_nothing() -> None:
    half = Primitive("product with a frozen operand", np.multiply, lambda g, _y, _a, b: g * b, None)
    a, b = tg.Tensor([2.0], requires_grad=True), tg.Tensor([3.0], requires_grad=True)
    half(a, b).backward()
    assert a.grad == 3
    assert b.grad is None
    assert not half(a.detach(), b).requires_grad


def test_a_variadic_primitive_makes_a_rule_for_each_operand() -> None:
    total = Primitive("sum of powers", lambda *xs: sum(x ** (i + 1) for i, x in enumerate(xs)),
                      each(lambda i: lambda g, _y, *xs: g * (i + 1) * xs[i] ** i))  # fmt: skip
    assert tg.grad(lambda x: total(x, x, x))(2.0) == 1 + 4 + 12


def test_the_engine_sums_broadcasting_back_and_casts_so_that_rules_need_not() -> None:
    careless = Primitive("careless product", np.multiply, lambda g, _y, _a, b: (g * b).astype(np.float64), None)
    x = tg.Tensor(np.ones((2, 1)), requires_grad=True, dtype=np.float32)
    np.sum(careless(x, np.ones((4, 2, 3)))).backward()
    assert x.grad.dtype == np.float32
    assert np.array_equal(x.grad, [[12], [12]])


def test_every_error_is_ours_and_the_built_in_that_a_caller_expects() -> None:
    built_ins = {
        "ShapeError": ValueError,
        "IndexingError": IndexError,
        "DtypeError": TypeError,
        "ArgumentError": ValueError,
        "UnsupportedError": TypeError,
        "UnsupportedAttributeError": AttributeError,
        "DefinitionError": TypeError,
        "GraphError": RuntimeError,
        "DetachError": TypeError,
        "ObjectiveError": ValueError,
        "StateError": ValueError,
        "DataError": ValueError,
        "MissingDependencyError": ImportError,
        "GradientMismatchError": AssertionError,
    }
    found = {name: value for name, value in vars(errors).items() if isinstance(value, type)}
    assert found.pop("TinygradLiteError") is TinygradLiteError
    assert issubclass(found.pop("CompilationWarning"), RuntimeWarning)
    assert set(found) >= set(built_ins)
    for name, error in found.items():
        assert issubclass(error, TinygradLiteError)
        assert name in errors.__doc__, f"{name} is missing from the tree that the docstring draws"
        if name in built_ins:
            assert issubclass(error, built_ins[name])
            assert f"({built_ins[name].__name__})" in errors.__doc__


def test_a_reduction_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(errors.ArgumentError, match="'mean', 'sum' or 'none'"):
        tg.softmax_cross_entropy(np.zeros((1, 2)), [0], reduction="average")
    with pytest.raises(errors.ArgumentError, match="2 terms and 1 weights"):
        tg.weighted_sum([1.0, 2.0], [1.0])
