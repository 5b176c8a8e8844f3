"""What a gradient is made of once shapes were stretched, reordered, cut or joined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg

MATRIX, CUBE = (3, 4), (2, 3, 4)


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).normal(size=shape))


def leaf(*shape: int) -> tg.Tensor:
    return tg.Tensor(random(*shape), requires_grad=True)


WAYS_BACK: dict[str, Any] = {
    "summed": ((3, 1), lambda x: x * random(2, 3, 4)),
    "summed from columns": ((3, 1), lambda x: (x * np.ones((3, 4))).T),
    "repeated along rows": (MATRIX, lambda x: np.sum(x, axis=1)),
    "repeated along columns": (MATRIX, lambda x: np.sum(x, axis=0)),
    "scattered": (MATRIX, lambda x: x[:, [0, 0, 2]]),
    "stacked": (MATRIX, lambda x: np.stack([x, x], axis=-1)),
    "multiplied": (MATRIX, lambda x: x.T @ np.ones((3, 2))),
    "of a vector by a matrix": ((3,), lambda x: x @ np.asfortranarray(random(3, 4))),
    "of a stack of matrices": (CUBE, lambda x: x @ random(2, 4, 5)),
    "accumulated": (MATRIX, lambda x: x.T * 2 + x.T),
    "transposed": (MATRIX, lambda x: x.T),
    "transposed and scaled": (MATRIX, lambda x: x.T * random(4, 3)),
    "reordered": (CUBE, lambda x: np.transpose(x, (2, 0, 1)) * 2),
    "swapped": (CUBE, lambda x: np.tanh(x.swapaxes(0, 2))),
}


@pytest.mark.parametrize(
    ("shape", "f"),
    [pytest.param(*way, id=name) for name, way in WAYS_BACK.items()],
)
def test_a_gradient_lies_in_memory_row_by_row(shape: tuple[int, ...], f: Callable[[Any], Any]) -> None:
    x = leaf(*shape)
    y = f(x)
    y.backward(random(*y.shape, seed=1))
    assert type(x.grad) is np.ndarray
    assert x.grad.flags.c_contiguous
    assert x.grad.flags.writeable
    assert (x.grad.shape, x.grad.dtype) == (shape, np.float64)


def test_a_gradient_lies_row_by_row_although_the_cotangent_given_lies_by_columns() -> None:
    x = leaf(*MATRIX)
    (x * 2).backward(np.asfortranarray(random(*MATRIX)))
    assert x.grad.flags.c_contiguous


STRETCHED = [
    (),
    (1,),
    (4,),
    (1, 1),
    (3, 1),
    (1, 4),
    (3, 4),
    (1, 3, 1),
    (2, 1, 1),
    (2, 1, 4),
    (1, 1, 1),
    (1, 2, 3, 1),
    (5, 1, 1, 4),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("shape", STRETCHED, ids=str)
def test_a_stretched_operand_collects_from_every_place_that_it_was_stretched_to(
    shape: tuple[int, ...], dtype: Any
) -> None:
    x = tg.Tensor(random(*shape), requires_grad=True, dtype=dtype)
    g, c = random(5, 2, 3, 4), random(5, 2, 3, 4, seed=1).astype(dtype)
    y = x * c
    y.backward(g)
    expected = np.zeros(shape)
    for place in np.ndindex(g.shape):
        own = tuple(0 if n == 1 else i for i, n in zip(place[4 - len(shape) :], shape, strict=True))
        expected[own] += g[place] * c[place]
    assert (type(x.grad), x.grad.shape, x.grad.dtype) == (np.ndarray, shape, dtype)
    np.testing.assert_allclose(x.grad, expected, rtol=1e-12 if dtype is np.float64 else 1e-4, atol=1e-5)


SCALAR_USES: dict[str, tuple[Callable[[Any, Any], Any], Callable[[float, np.ndarray, np.ndarray], Any]]] = {
    "beside a matrix": (lambda s, m: m * s, lambda s, m, g: np.sum(g * m)),
    "under a matrix": (lambda s, m: m / s, lambda s, m, g: np.sum(g * -m / s**2)),
    "as an exponent": (lambda s, m: np.abs(m) ** s, lambda s, m, g: np.sum(g * np.abs(m) ** s * np.log(np.abs(m)))),
    "chosen by a mask": (lambda s, m: np.where(m > 0, s, m), lambda s, m, g: np.sum(g[m > 0])),
    "as a bound": (lambda s, m: np.maximum(m, s), lambda s, m, g: np.sum(g[m < s])),
    "repeated": (lambda s, m: np.broadcast_to(s, MATRIX), lambda s, m, g: np.sum(g)),
    "with axes": (lambda s, m: s[None, None], lambda s, m, g: g[0, 0]),
    "reshaped": (lambda s, m: s.reshape(1, 1), lambda s, m, g: g[0, 0]),
    "stacked with itself": (lambda s, m: np.stack([s, s, 2 * s]), lambda s, m, g: g[0] + g[1] + 2 * g[2]),
    "reduced": (lambda s, m: np.max(s), lambda s, m, g: g),
    "alone": (lambda s, m: s * 3.0, lambda s, m, g: 3 * g),
}


@pytest.mark.parametrize("use", SCALAR_USES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_the_gradient_of_a_leaf_without_axes_is_an_array_whatever_it_was_stretched_to(use: str, dtype: Any) -> None:
    f, slope = SCALAR_USES[use]
    s, m = tg.Tensor(0.7, requires_grad=True, dtype=dtype), random(*MATRIX).astype(dtype)
    y = f(s, m)
    g = random(*y.shape, seed=1).astype(y.dtype)
    for times in (1, 2):
        y.backward(g)
        assert type(s.grad) is np.ndarray
        assert (s.grad.shape, s.grad.dtype) == ((), dtype)
        assert s.grad.flags.owndata
        np.testing.assert_allclose(s.grad, times * slope(s.item(), m, g), rtol=1e-12 if dtype is np.float64 else 1e-5)


def test_slices_that_overlap_add_up_where_they_do() -> None:
    x = leaf(6)
    y = np.concatenate([x[:4] * 2, x[2:], x[::-2], x[3:4], x[1:1]])
    g = random(4 + 4 + 3 + 1, seed=1)
    y.backward(g)
    expected = np.zeros(6)
    expected[:4] += 2 * g[:4]
    expected[2:] += g[4:8]
    expected[[5, 3, 1]] += g[8:11]
    expected[3] += g[11]
    np.testing.assert_allclose(x.grad, expected, rtol=1e-15)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_a_tensor_joined_with_itself_collects_from_each_of_its_places(axis: int) -> None:
    x, other = leaf(2, 2), leaf(2, 2)
    joined, stacked = np.concatenate([x, other, x], axis), np.stack([x, other, x], axis)
    g, h = random(*joined.shape, seed=1), random(*stacked.shape, seed=2)
    joined.backward(g)
    stacked.backward(h)
    parts, layers = np.split(g, 3, axis), np.moveaxis(h, axis, 0)
    np.testing.assert_allclose(x.grad, parts[0] + parts[2] + layers[0] + layers[2], rtol=1e-14)
    np.testing.assert_allclose(other.grad, parts[1] + layers[1], rtol=1e-14)


def test_what_is_cut_apart_and_joined_again_is_the_identity_for_gradients_too() -> None:
    x, g = leaf(5, 3), random(5, 3, seed=1)
    np.concatenate([np.concatenate([row[None, :1], row[None, 1:]], axis=1) for row in x]).backward(g)
    assert np.array_equal(x.grad, g)


def test_a_gradient_of_a_product_counts_every_matrix_of_a_stack_that_shared_its_operand() -> None:
    a, b = leaf(2, 3), leaf(5, 4, 3, 2)
    g = random(5, 4, 2, 2, seed=1)
    (a @ b).backward(g)
    np.testing.assert_allclose(a.grad, np.einsum("pqij,pqkj->ik", g, b.data), rtol=1e-13)
    np.testing.assert_allclose(b.grad, np.einsum("pqij,ik->pqkj", g, a.data), rtol=1e-13)


@pytest.mark.parametrize("axis", [0, -1, (0, 2), (-1, -3), None, ()])
def test_a_mean_divides_by_the_number_of_values_it_gathers(axis: Any) -> None:
    x = leaf(2, 3, 4)
    y = np.mean(x, axis=axis, keepdims=True)
    g = random(*y.shape, seed=1)
    y.backward(g)
    np.testing.assert_allclose(x.grad, np.broadcast_to(g, (2, 3, 4)) * y.size / x.size, rtol=1e-14)


def test_gradients_through_nothing_keep_their_shape_without_a_warning() -> None:
    x = tg.Tensor(np.zeros((0, 3)), requires_grad=True)
    w = leaf(2, 3)
    for y in (np.sum(x @ w.T), np.mean(x, axis=1).sum(), np.sum(x, axis=0) @ np.ones(3), np.sum(x[x > 0])):
        y.backward()
        assert x.grad.shape == (0, 3)
    assert np.array_equal(w.grad, np.zeros((2, 3)))
