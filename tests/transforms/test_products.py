"""vjp and jvp: products with a Jacobian from either side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lite as tg
from tinygrad_lite.errors import ArgumentError, DtypeError, ShapeError

RNG = np.random.default_rng(0)
X, Y, V, W = (RNG.normal(size=shape) for shape in ((3, 4), (4, 2), (3, 4), (4, 2)))


def product(x: Any, y: Any) -> Any:
    return np.tanh(x @ y)


FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "a matrix product": (product, (X, Y)),
    "softmax": (tg.softmax, (X,)),
    "choosing": (lambda x: np.where(x > 0, np.sqrt(np.abs(x)), np.maximum(x, -1.0)), (X,)),
    "the largest and a repeated pick": (lambda x: np.max(x, axis=0) * x[[0, 0], :], (X,)),
    "a scalar": (lambda x: tg.logsumexp(x @ Y), (X,)),
    "a linear map": (lambda x: 3 * x.T, (X,)),
    "a function that ignores an argument": (lambda x, y: np.sin(x), (X, Y)),
    "norm": (lambda x: x / np.sqrt(np.sum(x**2)), (X,)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_jacobian_from_the_left_and_from_the_right_is_the_same(name: str) -> None:
    f, args = FUNCTIONS[name]
    tangents = tuple(RNG.normal(size=x.shape) for x in args)
    value, tangent = tg.jvp(f, args, tangents)
    again, pull_back = tg.vjp(f, *args)
    cotangent = RNG.normal(size=np.shape(value))
    assert np.array_equal(value, f(*args))
    assert np.array_equal(again, value)
    from_left = sum(np.sum(g * t) for g, t in zip(pull_back(cotangent), tangents, strict=True))
    assert np.sum(tangent * cotangent) == pytest.approx(from_left, rel=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jvp_is_the_derivative_along_the_tangent(name: str) -> None:
    f, args = FUNCTIONS[name]
    tangents = tuple(RNG.normal(size=x.shape) for x in args)
    h = 1e-6
    ahead, behind = (f(*(x + s * h * t for x, t in zip(args, tangents, strict=True))) for s in (1, -1))
    assert np.allclose(tg.jvp(f, args, tangents)[1], (ahead - behind) / (2 * h), atol=1e-8)


def test_pull_back_can_be_called_again_and_is_linear() -> None:
    _, pull_back = tg.vjp(product, X, Y)
    g, h = RNG.normal(size=(2, 3, 2))
    for once, twice, both in zip(pull_back(g), pull_back(h), pull_back(g + 2 * h), strict=True):
        assert np.allclose(once + 2 * twice, both)
    assert np.array_equal(pull_back(g)[0], pull_back(g)[0])


def test_what_pull_back_gives_shares_memory_with_nothing() -> None:
    value, pull_back = tg.vjp(lambda x: x + 1, X)
    g = RNG.normal(size=X.shape)
    (first,), (second,) = pull_back(g), pull_back(g)
    assert not any(np.shares_memory(first, other) for other in (g, X, second, value))


def test_nested_results_take_nested_cotangents() -> None:
    def f(p: dict[str, Any]) -> dict[str, Any]:
        return {"sum": p["a"] + p["b"], "parts": [p["a"] * 2, np.sum(p["b"])]}

    point = {"a": np.ones(2), "b": np.full(2, 3.0)}
    value, pull_back = tg.vjp(f, point)
    assert {key: type(part) for key, part in value.items()} == {"sum": np.ndarray, "parts": list}
    (gradient,) = pull_back({"sum": np.array([1.0, 2.0]), "parts": [np.array([10.0, 0.0]), 100.0]})
    assert np.array_equal(gradient["a"], [21, 2])
    assert np.array_equal(gradient["b"], [101, 102])
    _, tangent = tg.jvp(f, (point,), ({"a": np.array([1.0, 0.0]), "b": np.zeros(2)},))
    assert np.array_equal(tangent["sum"], [1, 0])
    assert np.array_equal(tangent["parts"][0], [2, 0])
    assert tangent["parts"][1] == 0


def test_one_result_that_stands_twice_receives_both_cotangents() -> None:
    def f(x: Any) -> Any:
        y = x * x
        return y, y

    _, pull_back = tg.vjp(f, np.array([3.0]))
    assert pull_back((np.array([1.0]), np.array([10.0])))[0] == 66


def test_a_result_computed_from_another_result_passes_its_cotangent_on() -> None:
    def f(x: Any) -> Any:
        y = x * x
        return y, np.sin(y)

    _, pull_back = tg.vjp(f, np.array([0.5]))
    assert pull_back((np.array([1.0]), np.array([2.0])))[0] == pytest.approx(1 + 2 * np.cos(0.25))


def test_the_argument_itself_and_a_constant_are_results_too() -> None:
    _, pull_back = tg.vjp(lambda x: (x, np.ones(2)), np.array([1.0, 2.0]))
    assert np.array_equal(pull_back((np.array([5.0, 6.0]), np.ones(2)))[0], [5, 6])
    value, tangent = tg.jvp(lambda x: np.ones(3), (X,), (V,))
    assert np.array_equal(value, np.ones(3))
    assert np.array_equal(tangent, np.zeros(3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_have_the_dtype_of_what_they_belong_to(dtype: Any) -> None:
    x = X.astype(dtype)
    value, pull_back = tg.vjp(np.sin, x)
    assert value.dtype == pull_back(np.ones(x.shape))[0].dtype == dtype
    assert tg.jvp(np.sin, (x,), (V,))[1].dtype == dtype


def test_products_of_products_agree_with_the_second_derivative() -> None:
    """Forward over reverse, reverse over forward, and forward over forward."""

    def f(x: Any) -> Any:
        return np.sum(np.sin(x) * x[::-1])

    x, v, w = RNG.normal(size=(3, 4))
    second = tg.hessian(f)(x)
    assert np.allclose(tg.jvp(tg.grad(f), (x,), (v,))[1], second @ v)
    assert np.allclose(tg.grad(lambda x: tg.jvp(f, (x,), (v,))[1])(x), second @ v)
    along = tg.jvp(lambda x: tg.jvp(f, (x,), (v,))[1], (x,), (w,))[1]
    assert along == pytest.approx(w @ second @ v)
    assert np.allclose(tg.vjp(tg.grad(f), x)[1](v)[0], second @ v)


def test_a_tangent_or_cotangent_can_be_differentiated() -> None:
    x, v = RNG.normal(size=(2, 4))
    slope = tg.grad(lambda v: np.sum(tg.jvp(np.sin, (x,), (v,))[1] ** 2))(v)
    assert np.allclose(slope, 2 * np.cos(x) ** 2 * v)
    slope = tg.grad(lambda g: np.sum(tg.vjp(np.sin, x)[1](g)[0] ** 2))(v)
    assert np.allclose(slope, 2 * np.cos(x) ** 2 * v)


def test_products_depend_on_tensors_that_the_function_uses() -> None:
    w = tg.Tensor([2.0, 3.0], requires_grad=True)
    value, tangent = tg.jvp(lambda x: w * x**2, (np.ones(2),), (np.ones(2),))
    assert isinstance(value, tg.Tensor)
    np.sum(tangent).backward()
    assert np.array_equal(w.grad, [2, 2])
    with tg.no_grad():
        assert isinstance(tg.jvp(lambda x: w * x**2, (np.ones(2),), (np.ones(2),))[1], np.ndarray)


def test_a_jvp_stays_zero_where_a_zero_cotangent_meets_a_pole() -> None:
    x = np.array([-1.0, 0.0, 4.0])
    f = lambda x: np.where(x > 0, np.sqrt(x), 0.0)
    assert np.array_equal(tg.jvp(f, (x,), (np.ones(3),))[1], [0, 0, 0.25])


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: tg.jvp(np.sin, X, V), ArgumentError, "two tuples"),
        (lambda: tg.jvp(np.sin, 1.0, 1.0), ArgumentError, r"\(x,\) and \(v,\)"),
        (lambda: tg.jvp(product, (X, Y), (V,)), ArgumentError, "must be 2 values, got 1"),
        (lambda: tg.jvp(np.sin, (X,), (V.T,)), ShapeError, r"\(4, 3\) does not fit a value of shape \(3, 4\)"),
        (lambda: tg.jvp(np.sin, (np.arange(3),), (np.ones(3),)), DtypeError, "give floats"),
        (lambda: tg.vjp(np.sin, X)[1](V.T), ShapeError, "a cotangent of shape"),
        (lambda: tg.vjp(np.sin, X)[1]("abc"), DtypeError, "numbers"),
        (lambda: tg.vjp(lambda x: {"a": x}, X)[1]({"b": X}), ArgumentError, r"keys \['a'\], got \['b'\]"),
        (lambda: tg.vjp(lambda x: None, X), ArgumentError, "returned None"),
        (lambda: tg.vjp(lambda x: x > 0, X), DtypeError, "bool, which have no derivative"),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[[], Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=3), st.integers(0, 10**6))
def test_both_products_agree_for_any_structure_of_arguments(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)

    def draw() -> list[Any]:
        return [{"part": (rng.normal(size=n), rng.normal())} for n in sizes]

    def f(tree: list[Any]) -> Any:
        return [np.sin(branch["part"][0]) * branch["part"][1] for branch in tree]

    point, tangent, cotangent = draw(), draw(), [rng.normal(size=n) for n in sizes]
    _, moved = tg.jvp(f, (point,), (tangent,))
    (gradient,) = tg.vjp(f, point)[1](cotangent)
    left = sum(np.sum(g * t) for g, t in zip(cotangent, moved, strict=True))
    pairs = [(a["part"][i], b["part"][i]) for a, b in zip(gradient, tangent, strict=True) for i in (0, 1)]
    assert left == pytest.approx(sum(np.sum(a * b) for a, b in pairs), abs=1e-10)


def test_a_cotangent_that_is_written_to_afterwards_does_not_change_a_recorded_graph() -> None:
    w = tg.Tensor(2.0, requires_grad=True)
    _, pull_back = tg.vjp(lambda x: x * w, np.ones(3))
    cotangent = np.ones(3)
    total = np.sum(pull_back(cotangent)[0])
    cotangent[:] = 100
    total.backward()
    assert w.grad == 3
