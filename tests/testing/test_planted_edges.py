"""Faults of values, lowerings, kinks and extreme values: each is caught, and said to be what it is."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.testing.planting import A, X, Y, caught, planted, square
from tinygrad_lite.primitives import PRIMITIVES
from tinygrad_lite.testing import check_primitive


def test_a_forward_that_is_not_the_same_twice_is_caught() -> None:
    rng = np.random.default_rng(0)
    told = caught(planted(lambda x: x * rng.normal(), lambda g, *_: g), X)
    assert "value" in told


def test_a_lowering_that_is_not_the_forward_is_caught() -> None:
    right = lambda g, _y, x: 2 * g * x
    assert "lowering: the lowering at" in caught(planted(square, right, lowering=lambda x: x * x * 1.001), X)
    constant = planted(square, right, lowering=lambda x: x * tg.stop_gradient(x))
    assert "lowering: the gradient of the lowering by operand 0" in caught(constant, X)
    assert check_primitive(planted(square, right, lowering=lambda x: x * x), X)


def test_entries_beside_a_kink_are_left_out_and_only_they() -> None:
    x = np.array([1e-6, 1.0, -1.0])
    ramp = lambda x: np.maximum(x, 0)
    told = caught(planted(ramp, lambda g, _y, x: g * (x > 0), elementwise=True), x)
    assert "at [0]" in told
    assert check_primitive(planted(ramp, lambda g, _y, x: g * (x > 0), elementwise=True, kinks=lambda _y, x: x > 0), x)
    wrong = planted(ramp, lambda g, _y, x: g * (x > 0) * 1.001, elementwise=True, kinks=lambda _y, x: x > 0)
    assert "at [1]" in caught(wrong, x)


def test_a_forward_that_warns_at_extreme_values_is_caught() -> None:
    told = caught(planted(lambda x: np.exp(x), lambda g, y, _x: g * y), X)
    assert "silence: a warning escapes: overflow encountered in exp" in told
    assert check_primitive(planted(lambda x: np.exp(x), lambda g, y, _x: g * y, poles=True), X)


def test_a_reference_that_differs_is_caught() -> None:
    jnp = pytest.importorskip("jax.numpy", reason="jax is not installed")
    right = planted(square, lambda g, _y, x: 2 * g * x)
    assert check_primitive(right, X, reference=jnp.square)
    assert "as given, JAX: the value" in caught(right, X, reference=jnp.abs)


def test_kinks_that_never_change_though_the_derivative_jumps_are_caught_far_from_the_jump() -> None:
    right = lambda g, _y, x: g * (x > 0)
    ramp = lambda x: np.maximum(x, 0)
    silent = planted(ramp, right, elementwise=True, kinks=lambda _y, x: np.zeros(x.shape))
    told = caught(silent, X)
    assert re.search(r"kinks: the derivative by operand 0 at \[\d, \d\] jumps from \S+ to \S+, and what `kinks`", told)
    assert check_primitive(planted(ramp, right, elementwise=True, kinks=lambda _y, x: x > 0), X)


def test_kinks_that_miss_one_of_two_jumps_are_caught() -> None:
    def rule(g: Any, _y: Any, x: Any) -> Any:
        return g * ((x > -0.3) & (x < 0.4))

    clipped = lambda x: np.clip(x, -0.3, 0.4)
    x = np.array([0.9, -0.8, 1.2])
    assert check_primitive(planted(clipped, rule, kinks=lambda y, x: y != x), x)
    assert "kinks: the derivative" in caught(planted(clipped, rule, kinks=lambda _y, x: x < 0.4), x)


def test_operands_beside_a_kink_are_compared_with_smaller_steps() -> None:
    for distance in (1e-2, 3e-3, 1e-3, 1e-4):
        assert check_primitive(PRIMITIVES["maximum"], X, X + distance)
    to_left, to_right = PRIMITIVES["maximum"].rules_for(2)
    scaled = lambda g, y, a, b: 1.001 * to_right(g, y, a, b)
    wrong = planted(np.maximum, to_left, scaled, kinks=PRIMITIVES["maximum"].kinks)
    assert "first derivative: the derivative by operand 1" in caught(wrong, X, X + 3e-3)


def test_kinks_that_change_everywhere_leave_nothing_to_compare_and_are_caught() -> None:
    wrong = planted(square, lambda g, _y, x: 7 * g * x, kinks=lambda _y, x: x)
    assert "all entries of operand 0 lie beside a kink, so none is compared" in caught(wrong, X)


def test_a_steep_slope_and_a_pole_are_no_jump() -> None:
    steep = lambda x: np.maximum(np.tanh(8 * x), 0)
    slope = lambda g, y, x: 8 * g * (1 - y * y) * (x > 0)
    assert check_primitive(planted(steep, slope, kinks=lambda _y, x: x > 0), 0.1 * X)
    inverse = planted(lambda x: 1 / x, lambda g, y, _x: -g * y * y, poles=True, kinks=lambda _y, x: np.zeros(x.shape))
    assert check_primitive(inverse, X)


@pytest.mark.parametrize("where", [np.isnan, lambda x: np.abs(x) == 1e4, lambda x: x == 0])
def test_a_forward_that_warns_at_one_extreme_value_alone_is_caught_whatever_its_shape(where: Any) -> None:
    def forward(x: Any) -> Any:
        if np.any(where(x)):
            warnings.warn("that is extreme", RuntimeWarning, stacklevel=2)
        return x * x

    for operand in (X, np.array(0.7), np.array([0.7, 0.8])):
        for elementwise in (False, True):
            wrong = planted(forward, lambda g, _y, x: 2 * g * x, elementwise=elementwise)
            assert "silence: a warning escapes: that is extreme" in caught(wrong, operand)


def test_two_operands_that_are_extreme_together_are_tried() -> None:
    def forward(a: Any, b: Any) -> Any:
        if np.any(np.isnan(a) & (b == -1e4)):
            warnings.warn("those two", RuntimeWarning, stacklevel=2)
        return a * b

    wrong = planted(forward, lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: g * a, elementwise=True)
    assert "silence: a warning escapes: those two" in caught(wrong, X, Y)


def test_a_backward_that_overflows_where_the_forward_does_not_is_caught() -> None:
    stable = lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.absolute(x)))
    wrong = planted(stable, lambda g, _y, x: g * np.exp(x) / (1 + np.exp(x)), elementwise=True)
    assert "silence: the gradient by operand 0 is nan at 10000.0" in caught(wrong, X)


def test_a_matrix_that_is_singular_at_the_extremes_is_no_fault() -> None:
    inverse = planted(np.linalg.inv, lambda g, y, _x: -y.swapaxes(-1, -2) @ g @ y.swapaxes(-1, -2))
    assert check_primitive(inverse, A + 3 * np.eye(3))
