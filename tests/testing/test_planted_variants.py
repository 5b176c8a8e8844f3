"""Faults in one way of calling a primitive alone: each is caught there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.testing.planting import X, Y, caught, planted, spread, square, summed, times
from tinygrad_lite.primitives import PRIMITIVES
from tinygrad_lite.testing import check_primitive


def test_a_cotangent_that_is_not_summed_back_over_a_row_alone_is_caught() -> None:
    """The engine sums broadcasting back; a rule that sums once too often has another shape."""
    told = caught(planted(times, lambda g, _y, _a, b: (g * b).sum(axis=0), lambda g, _y, a, _b: g * a), X, Y)
    assert "DefinitionError" in told


def test_a_cotangent_broadcast_by_a_rule_itself_is_caught_where_operands_are_stretched() -> None:
    wrong = planted(times, lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: np.mean(g, axis=0) * a, elementwise=True)
    assert "derivative by operand 1" in caught(wrong, X, Y)


def test_a_fault_for_a_negative_axis_alone_is_caught() -> None:
    def rule(g: Any, _y: Any, _x: Any, *, axis: int) -> Any:
        return spread(g, _y, _x, axis=axis) if axis >= 0 else spread(g[..., ::-1], _y, _x, axis=axis)

    told = caught(planted(summed, rule), X, static={"axis": 1})
    assert "axes from the other end, first derivative" in told
    assert "as given, first" not in told


@pytest.mark.parametrize(
    ("rule", "variant"),
    [
        (lambda g, _y, x: 2 * g * x * (1 if x.flags.c_contiguous else 1.001), "in Fortran order"),
        (lambda g, _y, x: 2 * g * x * (1.001 if x.ndim == 0 else 1), "0-d"),
        (lambda g, _y, x: 2 * g * x * (1.001 if x.dtype == np.float32 else 1), "as given, float32"),
    ],
    ids=["Fortran order", "0-d", "float32"],
)
def test_a_fault_in_one_variant_alone_is_caught(rule: Callable[..., Any], variant: str) -> None:
    def of_arrays(g: Any, y: Any, x: Any) -> Any:
        return rule(g, y, x) if isinstance(x, np.ndarray) else 2 * g * x

    told = caught(planted(square, lambda g, _y, x: of_arrays(g, _y, x), elementwise=True), X)
    assert f"  {variant}" in told
    assert "as given, first derivative:" not in told


def test_a_forward_that_writes_into_its_operand_is_caught() -> None:
    def forward(a: Any, b: Any) -> Any:
        total = a * b
        a += 0 * b
        a *= 1.5
        return total

    assert "the forward wrote into operand 0" in caught(planted(forward, lambda g, _y, _a, b: g * b, None), X, Y)


def test_a_forward_that_is_another_in_one_memory_layout_is_caught() -> None:
    """Its derivatives agree with it, so that the value alone tells."""

    def forward(x: Any) -> Any:
        return x * x * (1 if not isinstance(x, np.ndarray) or x.flags.c_contiguous else 2)

    def rule(g: Any, _y: Any, x: Any) -> Any:
        return 2 * g * x * (1 if not isinstance(x, np.ndarray) or x.flags.c_contiguous else 2)

    assert "in Fortran order, value: the value, for that of the same operands" in caught(planted(forward, rule), X)


def test_a_forward_that_is_another_for_a_negative_axis_is_caught() -> None:
    def forward(x: Any, *, axis: int) -> Any:
        return x.sum(axis=abs(axis))

    def rule(g: Any, _y: Any, _x: Any, *, axis: int) -> Any:
        return np.broadcast_to(np.expand_dims(g, abs(axis)), _x.shape)

    cube = np.random.default_rng(0).uniform(0.5, 1.5, size=(2, 2, 2))
    told = caught(planted(forward, rule), cube, static={"axis": 2})
    assert "axes from the other end, value: the value, for that of the same operands" in told


@pytest.mark.parametrize("axes", [(1, 0), (-1, 0)])
def test_axes_of_a_permutation_are_counted_from_the_other_end_too(axes: tuple[int, int]) -> None:
    def rule(g: Any, _y: Any, _x: Any, *, axes: tuple[int, int]) -> Any:
        return g.transpose(axes) * (1 if axes[0] == given[0] else 1.001)

    given = axes
    told = caught(planted(lambda x, *, axes: x.transpose(axes), rule), X, static={"axes": axes})
    assert "axes from the other end, first derivative" in told
    assert "as given, first derivative:" not in told


def test_axes_of_a_result_with_more_axes_are_counted_among_those() -> None:
    for axis in (0, 1, -1):
        assert check_primitive(PRIMITIVES["expand_dims"], X, static={"axis": axis})
        assert check_primitive(PRIMITIVES["stack"], X, Y, static={"axis": axis})


def test_a_forward_that_refuses_a_memory_layout_is_caught() -> None:
    """A user hands over such arrays all the time; only shapes are for a primitive to refuse."""

    def forward(x: Any) -> Any:
        if not x.flags.c_contiguous:
            raise ValueError("row by row, please")
        return x * x

    told = caught(planted(forward, lambda g, _y, x: 2 * g * x), X)
    assert "in Fortran order, value: ValueError: row by row, please" in told


def test_a_fault_where_an_operand_is_broadcast_along_the_last_axis_alone_is_caught() -> None:
    def rule(g: Any, _y: Any, a: Any, _b: Any) -> Any:
        return g * a * (1.001 if _b.ndim == 2 and _b.shape[-1] == 1 else 1)

    told = caught(planted(times, lambda g, _y, _a, b: g * b, rule, elementwise=True), X, Y)
    assert "operand 1 stretched, first derivative: the derivative by operand 1" in told
    assert "as given, first derivative:" not in told


def test_a_fault_where_one_operand_stands_in_the_place_of_another_is_caught() -> None:
    def forward(a: Any, b: Any) -> Any:
        return a * b * (2 if a is b else 1)

    wrong = planted(forward, lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: g * a)
    assert "operand 0 for operand 1, value: the value, for that of the same operands" in caught(wrong, X, Y)


def test_an_elementwise_primitive_that_gives_another_shape_is_caught() -> None:
    wrong = planted(lambda x: x.sum(), lambda g, _y, _x: np.broadcast_to(g, _x.shape), elementwise=True)
    assert "shape () where (2, 3) was expected of an elementwise primitive" in caught(wrong, X)
    assert check_primitive(planted(lambda x: x.sum(), lambda g, _y, _x: np.broadcast_to(g, _x.shape)), X)
