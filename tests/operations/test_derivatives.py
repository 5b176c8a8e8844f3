"""Every case of the table against central differences, in first and second order, and for what gradients are."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.operations.case import Case
from tests.operations.cases import CASES, DIFFERENTIABLE
from tests.operations.derivative_checks import (
    check_first_derivative,
    check_ownership,
    check_second_derivative,
    gradients_by_backward,
    gradients_by_grad,
    random_like,
    relative_error,
)
from tests.operations.layouts import LAYOUTS, laid_out

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_differentiable_case = pytest.mark.parametrize("case", DIFFERENTIABLE, ids=lambda case: case.name)


def comparable(case: Case, *operands: np.ndarray) -> np.ndarray:
    return np.asarray(case.in_terms_of(np)(*operands))


@every_case
def test_the_forward_equals_numpys_own(case: Case) -> None:
    operands = case.operands()
    expected = comparable(case, *operands)
    recorded = case(*(tg.Tensor(x) if isinstance(x, np.ndarray) else x for x in operands))
    computed = case(*operands)
    assert isinstance(recorded, tg.Tensor)
    for result in (recorded.data, np.asarray(computed)):
        assert result.dtype == expected.dtype
        assert result.shape == expected.shape
        assert np.allclose(result, expected, rtol=1e-13, atol=1e-14, equal_nan=True)


@every_case
def test_a_result_without_a_wanted_operand_carries_no_gradient(case: Case) -> None:
    result = case(*(tg.Tensor(x) for x in case.operands()))
    assert not result.requires_grad


@every_differentiable_case
def test_first_derivatives_agree_with_central_differences_in_every_layout(case: Case) -> None:
    for layout in LAYOUTS:
        check_first_derivative(*laid_out(case, layout), case.rng(layout))


@every_differentiable_case
def test_first_derivatives_agree_when_each_operand_is_the_only_one_wanted(case: Case) -> None:
    if len(case.wanted()) > 1:
        for alone in case.wanted():
            check_first_derivative(case, case.operands(), (alone,), case.rng(f"{alone} alone"))


@every_differentiable_case
def test_second_derivatives_agree_with_central_differences_of_the_first(case: Case) -> None:
    for layout in ("in C order", "in Fortran order"):
        check_second_derivative(*laid_out(case, layout), case.rng(f"second {layout}"))


@every_differentiable_case
def test_gradients_own_their_memory_and_match_their_operand(case: Case) -> None:
    for layout in LAYOUTS:
        for dtype in (np.float64, np.float32):
            check_ownership(*laid_out(case, layout, dtype), case.rng(layout))


@every_differentiable_case
def test_gradients_from_grad_share_memory_with_nothing(case: Case) -> None:
    operands, wanted = case.operands(), case.wanted()
    (cotangent,) = random_like(case.rng("grad"), [np.asarray(case(*operands))])
    gradients = gradients_by_grad(case, operands, wanted, cotangent)
    for i, gradient in zip(wanted, gradients, strict=True):
        assert isinstance(gradient, np.ndarray | np.floating)
        assert gradient.shape == operands[i].shape
        assert gradient.dtype == operands[i].dtype
        others = (*operands, cotangent, *(g for g in gradients if g is not gradient))
        assert not any(np.shares_memory(gradient, other) for other in others)


@every_differentiable_case
def test_float32_stays_float32_and_is_as_accurate_as_float32(case: Case) -> None:
    double, single, wanted = case.operands(), case.operands(np.float32), case.wanted()
    rounded = tuple(x.astype(np.float64) if x.dtype == np.float32 else x for x in single)
    result = case(*(tg.Tensor(x, requires_grad=i in wanted) for i, x in enumerate(single)))
    assert result.dtype == (case.result_dtype or np.float32)
    assert relative_error(result.data, case(*rounded)) < 1e-6
    (cotangent,) = random_like(case.rng("float32"), [np.asarray(case(*double))])
    narrow = gradients_by_backward(case, single, wanted, cotangent.astype(result.dtype))
    wide = gradients_by_backward(case, rounded, wanted, cotangent)
    for gradient, accurate in zip(narrow, wide, strict=True):
        assert gradient.dtype == np.float32
        assert relative_error(gradient, accurate) < 3e-6


@every_differentiable_case
def test_float32_stays_float32_in_second_order(case: Case) -> None:
    operands, wanted = case.operands(np.float32), case.wanted()
    (cotangent,) = random_like(case.rng("float32"), [np.asarray(case(*operands))])

    def of_the_gradient(*xs: np.ndarray) -> tg.Tensor:
        parts = tg.grad(lambda *ys: np.sum(case(*ys) * cotangent), argnums=wanted)(*xs)
        return sum(np.sum(part * part) for part in parts)

    for second, i in zip(tg.grad(of_the_gradient, argnums=wanted)(*operands), wanted, strict=True):
        assert second.dtype == np.float32
        assert second.shape == operands[i].shape
        assert np.isfinite(second).all()
