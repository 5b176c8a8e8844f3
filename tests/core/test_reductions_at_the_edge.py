"""prod, var, std, norm and scattering where there is little or nothing to reduce."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import ShapeError


@pytest.mark.parametrize("f", [np.sum, np.mean, np.max, np.min, np.prod, np.var, np.linalg.norm])
@pytest.mark.parametrize("axis", [0, -1])
def test_axis_0_of_a_number_is_the_number(f: Any, axis: int) -> None:
    assert f(tg.Tensor(2.0), axis=axis).item() == (0 if f is np.var else 2)
    slope = tg.grad(lambda x: f(x, axis=axis))(2.0)
    assert slope == (0 if f is np.var else 1)


def test_the_spread_of_too_few_values_is_nan_and_so_is_its_slope() -> None:
    assert tg.grad(lambda x: np.var(x))(np.zeros(0)).shape == (0,)
    for f in (np.var, np.std):
        value, slope = tg.value_and_grad(lambda x, f=f: f(x, ddof=1))(np.ones(1))
        assert np.isnan(value)
        assert np.isnan(slope).all()


def test_a_ddof_of_numpys_own_does_not_widen_float32() -> None:
    x = tg.Tensor(np.arange(3, dtype=np.float32), requires_grad=True)
    assert np.var(x, ddof=np.float64(1)).dtype == np.std(x, ddof=np.float64(1)).dtype == np.float32


def test_the_second_derivative_where_the_slope_is_chosen_as_zero_is_zero() -> None:
    assert np.array_equal(tg.hessian(tg.norm)(np.zeros(2)), np.zeros((2, 2)))
    assert np.array_equal(tg.hessian(np.std)(np.ones(2)), np.zeros((2, 2)))


def test_values_with_more_axes_than_there_are_places_are_refused_when_they_are_scattered() -> None:
    with pytest.raises(ShapeError, match=r"\(1, 3\) do not fit the shape \(3,\)"):
        tg.add_at(np.zeros(3), slice(None), np.ones((1, 3)))


def test_whether_zero_times_infinity_is_zero_depends_on_what_feeds_what_and_not_on_its_order() -> None:
    data = np.array([np.inf, 1.0])

    def late(x: Any) -> Any:
        return np.sum(0.0 * (x * data)) + np.max(x) * 0.0

    def early(x: Any) -> Any:
        largest = np.max(x)
        return np.sum(0.0 * (x * data)) + largest * 0.0

    with np.errstate(invalid="ignore"):
        for f in (late, early):
            assert np.array_equal(tg.grad(f)(np.ones(2)), [np.nan, 0], equal_nan=True)
