"""`grad` and `value_and_grad`: arrays in, arrays out, nested without confusion."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import DtypeError, GraphError

X = np.array([0.5, -1.5, 2.0])


def test_arrays_go_in_and_arrays_come_out() -> None:
    value, gradient = tg.value_and_grad(lambda x: np.sum(x**2))(X)
    assert isinstance(value, np.floating)
    assert type(gradient) is np.ndarray
    assert value == np.sum(X**2)
    assert np.array_equal(gradient, 2 * X)


def test_what_is_differentiated_is_plain_numpy_code() -> None:
    def f(x: np.ndarray) -> np.ndarray:
        return np.mean(np.where(x > 0, np.log1p(np.maximum(x, 0)), np.exp(x) - 1) * np.clip(x, -1, 1))

    h = 1e-6
    numeric = [(f(X + h * e) - f(X - h * e)) / (2 * h) for e in np.eye(3)]
    assert np.allclose(tg.grad(f)(X), numeric, atol=1e-9)


def test_the_argument_is_not_changed_and_not_shared() -> None:
    x = X.copy()
    gradient = tg.grad(lambda x: np.sum(x))(x)
    gradient[0] = 100
    assert np.array_equal(x, X)


def test_arguments_are_chosen_by_number() -> None:
    def f(a: tg.Tensor, b: tg.Tensor) -> tg.Tensor:
        return np.sum(a * b**2)

    a, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert np.array_equal(tg.grad(f, argnums=1)(a, b), 2 * a * b)
    assert np.array_equal(tg.grad(f, argnums=-1)(a, b), 2 * a * b)
    both = tg.grad(f, argnums=(1, 0))(a, b)
    assert type(both) is tuple
    assert np.array_equal(both[0], 2 * a * b)
    assert np.array_equal(both[1], b**2)
    assert type(tg.grad(f, argnums=(0,))(a, b)) is tuple


@pytest.mark.parametrize("argnums", [2, -3, (0, 2)])
def test_an_argument_that_is_not_there_raises(argnums: int | tuple[int, ...]) -> None:
    with pytest.raises((ValueError, IndexError, TypeError)):
        tg.grad(lambda a, b: np.sum(a * b), argnums=argnums)(X, X)


def test_keyword_arguments_are_passed_on_as_they_are() -> None:
    assert tg.grad(lambda x, *, p: x**p)(3.0, p=2) == 6


class Pair(NamedTuple):
    first: np.ndarray
    second: float


def test_the_gradient_has_the_structure_of_the_argument() -> None:
    tree = {"w": [X, (2.0, X[:1])], "pair": Pair(X, 3.0), "none": []}

    def f(t: dict) -> tg.Tensor:
        inner = t["w"][1]
        return np.sum(t["w"][0] * inner[0]) + np.sum(inner[1]) + np.sum(t["pair"].first) * t["pair"].second

    gradient = tg.grad(f)(tree)
    assert list(gradient) == ["w", "pair", "none"]
    assert np.array_equal(gradient["w"][0], np.full(3, 2.0))
    assert gradient["w"][1][0] == np.sum(X)
    assert np.array_equal(gradient["w"][1][1], [1])
    assert isinstance(gradient["pair"], Pair)
    assert np.array_equal(gradient["pair"].first, np.full(3, 3.0))
    assert gradient["pair"].second == np.sum(X)
    assert gradient["none"] == []


def test_the_gradient_of_an_argument_that_does_not_matter_is_zeros() -> None:
    first, second = tg.grad(lambda a, b: np.sum(a), argnums=(0, 1))(X, np.ones((2, 2)))
    assert np.array_equal(first, np.ones(3))
    assert np.array_equal(second, np.zeros((2, 2)))
    assert np.array_equal(tg.grad(lambda _: 5.0)(X), np.zeros(3))
    assert np.array_equal(tg.grad(lambda x: np.sum(x > 0))(X), np.zeros(3))
    assert np.array_equal(tg.grad(lambda x: x.detach().sum())(X), np.zeros(3))


def test_a_result_that_is_the_argument_itself_has_slope_one() -> None:
    assert tg.grad(lambda x: x)(2.0) == 1


def test_the_same_array_given_twice_is_two_arguments() -> None:
    a, b = tg.grad(lambda a, b: np.sum(a * a * b), argnums=(0, 1))(X, X)
    assert np.array_equal(a, 2 * X * X)
    assert np.array_equal(b, X * X)


def test_a_result_that_is_no_scalar_raises() -> None:
    with pytest.raises(GraphError, match=r"shape \(3,\)"):
        tg.grad(lambda x: x * 2)(X)


def test_integers_raise_with_the_remedy() -> None:
    for integers in (3, np.array([1, 2]), [1, 2.0], True):
        with pytest.raises(DtypeError, match="float64"):
            tg.grad(lambda x: np.sum(x))(integers)


def test_gradients_of_gradients_to_fourth_order() -> None:
    f = lambda x: x**5
    expected = [5 * 2**4, 20 * 2**3, 60 * 2**2, 120 * 2]
    for value in expected:
        f = tg.grad(f)
        assert f(2.0) == value


def test_nested_gradients_do_not_confuse_whose_derivative_is_meant() -> None:
    """The textbook case of perturbation confusion: d/dx (x · d/dy (x + y)) is 1, not 2."""
    assert tg.grad(lambda x: x * tg.grad(lambda y: x + y)(1.0))(1.0) == 1
    assert tg.grad(lambda x: x * tg.grad(lambda y: x * y)(2.0))(3.0) == 6
    assert tg.grad(lambda x: tg.grad(lambda y: y**2 * x)(x))(3.0) == 12
    assert tg.grad(lambda x: tg.grad(lambda x: x**3)(x) * x)(2.0) == 36


def test_an_inner_gradient_that_ignores_the_outer_argument_is_a_constant() -> None:
    assert tg.grad(lambda x: x * tg.grad(lambda y: y**2)(3.0))(1.0) == 6


def test_an_inner_function_that_is_linear_has_no_second_derivative() -> None:
    assert tg.grad(lambda x: tg.grad(lambda y: 3.0 * y)(x))(2.0) == 0


def test_a_nested_gradient_of_arrays_is_an_array_whatever_the_inner_argument_was() -> None:
    for f in (
        lambda x: np.sum(tg.grad(lambda y: np.sum(x * y**2))(X) ** 2),
        lambda x: np.sum(x * tg.grad(lambda y: np.sum(x * y))(X)),
        lambda x: np.sum(tg.grad(lambda y: np.sum(x**2 * y))(x)),
    ):
        value, gradient = tg.value_and_grad(f)(X)
        assert isinstance(value, np.floating)
        assert type(gradient) is np.ndarray


def test_mixed_second_derivatives_do_not_depend_on_their_order() -> None:
    def f(a: tg.Tensor, b: tg.Tensor) -> tg.Tensor:
        return np.sum(np.exp(a * b) * b)

    u, v, b = np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.0, 2.0]), np.array([0.1, 0.2, 0.3])
    one_way = tg.grad(lambda b: np.sum(tg.grad(f)(X, b) * u))(b)
    other_way = tg.grad(lambda a: np.sum(tg.grad(f, argnums=1)(a, b) * v))(X)
    assert np.isclose(tg.Tensor(one_way).numpy() @ v, tg.Tensor(other_way).numpy() @ u)


def test_an_outer_tensor_in_a_closure_stays_differentiable() -> None:
    w = tg.Tensor([2.0, 3.0, 4.0], requires_grad=True)
    value, slope = tg.value_and_grad(lambda x: np.sum(w**2 * x**2))(X)
    assert isinstance(slope, tg.Tensor)
    assert slope.requires_grad
    assert isinstance(value, tg.Tensor)
    np.sum(slope).backward()
    assert np.allclose(w.grad, 4 * w.data * X)


def test_an_outer_tensor_in_a_closure_receives_nothing_from_the_inner_sweep() -> None:
    w = tg.Tensor([2.0, 3.0, 4.0], requires_grad=True)
    tg.grad(lambda x: np.sum(w * x))(X)
    assert w.grad is None


def test_a_tensor_given_as_argument_keeps_its_history() -> None:
    w = tg.Tensor(3.0, requires_grad=True)
    slope = tg.grad(lambda x: x**3)(w * 1)
    slope.backward()
    assert w.grad == 18
    assert np.array_equal(tg.grad(lambda x: np.sum(x**2))(tg.Tensor(X)), 2 * X)


def test_grad_of_a_function_that_uses_backward_inside() -> None:
    def f(x: tg.Tensor) -> tg.Tensor:
        y = tg.Tensor([1.0], requires_grad=True)
        (y * y).backward()
        return np.sum(x * y.grad)

    assert np.array_equal(tg.grad(f)(X), np.full(3, 2.0))


def test_an_exception_in_the_function_passes_unchanged() -> None:
    with pytest.raises(ZeroDivisionError):
        tg.grad(lambda x: 1 / 0)(1.0)


def test_the_wrapped_function_keeps_its_name_and_docstring() -> None:
    def loss(x: tg.Tensor) -> tg.Tensor:
        """Return the loss."""
        return x

    assert tg.grad(loss).__doc__ == "Return the loss."
    assert tg.grad(loss).__name__ == "loss"
