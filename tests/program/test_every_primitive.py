"""Every entry of the table compiled, forward and backward, on other numbers in each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.operations.case import Case
from tests.operations.cases import CASES, DIFFERENTIABLE
from tests.program.comparing import assert_near, assert_same

CALLS = 3
DTYPES = (np.float32, np.float64)
TURNS = [(case, DTYPES[i % 2]) for i, case in enumerate(CASES)]
"""Every case, the dtypes taking turns: the shapes of one primitive stand side by side, so that each meets both."""
OTHER_TURNS = [(case, DTYPES[1 - i % 2]) for i, case in enumerate(CASES)][::3]


def named(turn: object) -> str:
    return turn.name if isinstance(turn, Case) else np.dtype(turn).name  # type: ignore[call-overload]  # it is a dtype


def operands_of(case: Case, call: int, dtype: Any) -> list[np.ndarray]:
    """Draw operands of the same shapes, others in each call."""
    drawn = case.sample(case.rng(f"call {call}"))
    return [x.astype(dtype) if x.dtype.kind == "f" else x for x in drawn]


def by_backward(case: Case) -> Callable[..., Any]:
    """Return a function of a cotangent and operands that gives the value and the gradients that `backward` leaves."""
    wanted = case.wanted()

    def value_and_gradients(cotangent: Any, *operands: Any) -> Any:
        leaves = [tg.Tensor(x, requires_grad=True) if i in wanted else x for i, x in enumerate(operands)]
        y = case(*leaves)
        if not wanted:
            return [y]
        y.backward(cotangent)
        return [y.detach(), *(leaves[i].grad for i in wanted)]

    return value_and_gradients


def by_grad(case: Case) -> Callable[..., Any]:
    """Return the same with the gradients of `tg.grad`."""
    wanted = case.wanted()

    def value_and_gradients(cotangent: Any, *operands: Any) -> Any:
        def inner(*moving: Any) -> Any:
            given = dict(zip(wanted, moving, strict=True))
            y = case(*(given.get(i, x) for i, x in enumerate(operands)))
            return np.sum(y * cotangent), y

        moving = [operands[i] for i in wanted]
        gradients, value = tg.grad(inner, argnums=tuple(range(len(wanted))), has_aux=True)(*moving)
        return value, gradients

    return value_and_gradients


def calls_of(case: Case, dtype: Any) -> list[tuple[np.ndarray, ...]]:
    """Return the arguments of a few calls: a cotangent and the operands."""
    calls = []
    for call in range(CALLS):
        operands = operands_of(case, call, dtype)
        with np.errstate(all="ignore"):
            y = np.asarray(case(*map(tg.Tensor, operands)).detach())
        cotangent = case.rng(f"cotangent {call}").normal(size=y.shape)
        calls.append((cotangent.astype(y.dtype if y.dtype.kind == "f" else np.float64), *operands))
    return calls


@pytest.mark.parametrize(("case", "dtype"), TURNS, ids=named)
def test_an_exact_program_keeps_the_bits_of_value_and_gradients(case: Case, dtype: Any) -> None:
    f = by_backward(case)
    program = tg.compile(f, exact=True)
    for arguments in calls_of(case, dtype):
        given = [tg.Tensor(x) for x in arguments]
        with np.errstate(all="ignore"):
            expected = f(*given)
        assert_same(program(*given), expected)


@pytest.mark.parametrize(("case", "dtype"), OTHER_TURNS, ids=named)
def test_a_program_gives_value_and_gradients_to_the_rounding(case: Case, dtype: Any) -> None:
    f = by_backward(case)
    program = tg.compile(f)
    for arguments in calls_of(case, dtype):
        given = [tg.Tensor(x) for x in arguments]
        with np.errstate(all="ignore"):
            expected = f(*given)
        assert_near(program(*given), expected)


@pytest.mark.parametrize("case", DIFFERENTIABLE[::8], ids=lambda case: case.name)
def test_gradients_of_arrays_are_arrays_with_the_same_bits(case: Case) -> None:
    f = by_grad(case)
    program = tg.compile(f, exact=True)
    for arguments in calls_of(case, np.float64):
        with np.errstate(all="ignore"):
            expected = f(*arguments)
        assert_same(program(*arguments), expected)
