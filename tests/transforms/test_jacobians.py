"""jacobian, hessian and hvp."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import GraphError

RNG = np.random.default_rng(1)
X = RNG.normal(size=(2, 3))


def numeric_jacobian(f: Any, x: np.ndarray, h: float = 1e-6) -> np.ndarray:
    columns = []
    for place in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[place] = h
        columns.append((np.asarray(f(x + step)) - np.asarray(f(x - step))) / (2 * h))
    return np.stack(columns, axis=-1).reshape(np.shape(columns[0]) + x.shape)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sin(x),
        lambda x: x @ x.T,
        lambda x: tg.softmax(x)[:, :2],
        lambda x: np.sum(x * x),
        lambda x: np.concatenate([x.reshape(-1), np.max(x, axis=0)]),
    ],
)
def test_a_jacobian_has_the_shape_of_the_result_and_then_of_the_argument(f: Any) -> None:
    matrix = tg.jacobian(f)(X)
    assert matrix.shape == np.shape(f(X)) + X.shape
    assert np.allclose(matrix, numeric_jacobian(f, X), atol=1e-8)


def test_the_jacobian_of_a_softmax_is_that_of_the_textbook() -> None:
    x = RNG.normal(size=4)
    y = tg.softmax(x)
    assert np.allclose(tg.jacobian(tg.softmax)(x), np.diag(y) - np.outer(y, y))


def test_a_jacobian_of_nested_results_by_nested_arguments_has_both_structures() -> None:
    def f(p: dict[str, Any], scale: Any) -> Any:
        return {"all": scale * p["w"], "total": np.sum(p["w"]) + p["b"]}

    by_p, by_scale = tg.jacobian(f, argnums=(0, 1))({"w": np.array([1.0, 2.0]), "b": 3.0}, 10.0)["all"]
    assert np.array_equal(by_p["w"], 10 * np.eye(2))
    assert np.array_equal(by_p["b"], [0, 0])
    assert np.array_equal(by_scale, [1, 2])


def test_a_jacobian_of_no_values_or_by_no_values_is_empty() -> None:
    assert tg.jacobian(lambda x: x[:0])(X).shape == (0, 3, 2, 3)
    assert tg.jacobian(lambda x: np.sum(x))(np.zeros((0, 3))).shape == (0, 3)


def test_a_jacobian_keeps_float32() -> None:
    assert tg.jacobian(np.sin)(X.astype(np.float32)).dtype == np.float32
    assert tg.hessian(lambda x: np.sum(np.sin(x)))(X.astype(np.float32)).dtype == np.float32


def test_a_hessian_is_symmetric_and_agrees_with_numeric_second_derivatives() -> None:
    f = lambda x: np.sum(np.exp(np.sin(x)) * x[::-1]) + tg.logsumexp(x)
    second = tg.hessian(f)(X)
    assert second.shape == (2, 3, 2, 3)
    assert np.allclose(second, np.transpose(second, (2, 3, 0, 1)), atol=1e-12)
    assert np.allclose(second, numeric_jacobian(tg.grad(f), X), atol=1e-8)


def test_a_hessian_by_several_arguments_has_mixed_blocks() -> None:
    blocks = tg.hessian(lambda x, y: x**2 * y**3, argnums=(0, 1))(2.0, 3.0)
    assert blocks == ((2 * 27, 2 * 2 * 27), (2 * 2 * 27, 4 * 6 * 3))


def test_a_hessian_of_a_linear_function_is_zero() -> None:
    assert np.array_equal(tg.hessian(lambda x: np.sum(3 * x))(X), np.zeros((2, 3, 2, 3)))


def test_hvp_is_the_hessian_times_the_vector_for_several_arguments() -> None:
    f = lambda x, y: np.sum(np.tanh(x @ y) ** 2)
    x, y = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 2))
    v, w = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 2))
    (xx, xy), (yx, yy) = tg.hessian(f, argnums=(0, 1))(x, y)
    by_x, by_y = tg.hvp(f, (x, y), (v, w))
    assert np.allclose(by_x, np.tensordot(xx, v, 2) + np.tensordot(xy, w, 2))
    assert np.allclose(by_y, np.tensordot(yx, v, 2) + np.tensordot(yy, w, 2))


def test_hvp_can_be_differentiated_once_more() -> None:
    x, v = RNG.normal(size=(2, 3))
    third = tg.grad(lambda x: np.sum(tg.hvp(lambda x: np.sum(x**4), (x,), (v,))[0]))(x)
    assert np.allclose(third, 24 * x * v)


def test_a_hessian_of_what_is_no_scalar_is_refused() -> None:
    with pytest.raises(GraphError, match=r"shape \(2, 3\)"):
        tg.hessian(np.sin)(X)
