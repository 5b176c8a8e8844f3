"""Functions of several values: vector-Jacobian products and whole Jacobians derived by hand."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import ArgumentError, ShapeError

RNG = np.random.default_rng(2)
Z = RNG.normal(size=4)
A, B = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 2))


def softmax_jacobian(z):
    y = tg.softmax(z)
    return np.diag(y) - np.outer(y, y)


def test_a_right_jacobian_agrees_entry_by_entry():
    (row,) = tg.check_gradients(tg.softmax, Z, jacobian=softmax_jacobian).rows
    assert row.agrees
    assert row.entries == 16


def test_a_wrong_entry_of_a_jacobian_is_shown_where_it_is():
    def wrong(z):
        j = softmax_jacobian(z)
        j[2, 1] += 0.25
        return j

    (row,) = tg.check_gradients(tg.softmax, Z, jacobian=wrong).rows
    assert (row.status, row.worst_index) == ("differs", (2, 1))
    by_hand, automatic, numeric = row.values
    np.testing.assert_allclose([by_hand - 0.25, automatic, numeric], softmax_jacobian(Z)[2, 1], rtol=1e-6)
    np.testing.assert_allclose(row.max_abs_error, 0.25)


def test_a_softmax_that_is_only_its_diagonal_is_named():
    report = tg.check_gradients(tg.softmax, Z, jacobian=lambda z: np.diag(tg.softmax(z) * (1 - tg.softmax(z))))
    assert report.rows[0].diagnosis[0].slug == "softmax-diagonal-only"


def test_a_jacobian_of_another_shape_differs():
    (row,) = tg.check_gradients(tg.softmax, Z, jacobian=lambda z: np.ones((4, 3))).rows
    assert row.status == "differs"
    assert "the Jacobian by hand has shape (4, 3), not (4, 4)" in row.note


def test_jacobians_of_several_arguments_have_the_axes_of_the_result_and_then_of_the_argument():
    def jacobians(a, b):
        return np.einsum("ik,jl->ijkl", np.eye(3), b.T), np.einsum("ik,jl->ijkl", a, np.eye(2))

    assert tg.check_gradients(lambda a, b: a @ b, A, B, jacobian=jacobians)


def test_a_vjp_is_called_with_a_random_cotangent_and_the_arguments():
    seen = []

    def vjp(g, a, b):
        seen.append(g)
        return g @ b.T, a.T @ g

    assert tg.check_gradients(lambda a, b: a @ b, A, B, vjp=vjp)
    assert tg.check_gradients(lambda a, b: a @ b, A, B, vjp=vjp, rng=1)
    assert [g.shape for g in seen] == [(3, 2), (3, 2)]
    assert not np.array_equal(*seen)


def test_a_wrong_vjp_is_named():
    report = tg.check_gradients(lambda a, b: a @ b, A, B, vjp=lambda g, a, b: (g @ b.T, (g.T @ a).T * 2))
    assert report.rows[0].agrees
    assert report.rows[1].diagnosis[0].slug == "scale"
    square = RNG.normal(size=(4, 4))
    report = tg.check_gradients(lambda x, y: x @ y, square, square.T, vjp=lambda g, x, y: (g @ y, x.T @ g))
    assert report.rows[0].diagnosis[0].slug == "transposed"


def test_a_function_of_several_values_is_checked_numerically_without_a_derivation():
    assert tg.check_gradients(lambda a, b: np.tanh(a @ b), A, B)


def test_analytic_is_for_scalars():
    with pytest.raises(ShapeError, match=r"vjp= or jacobian="):
        tg.check_gradients(tg.softmax, Z, analytic=lambda z: z)


def test_one_derivation_at_a_time():
    with pytest.raises(ArgumentError, match="one of analytic=, vjp= and jacobian="):
        tg.check_gradients(np.sum, Z, analytic=np.ones_like, vjp=lambda g, z: g * np.ones_like(z))
