"""Every case of the table against the conformance kit, and against NumPy's own values."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.operations.case import Case
from tests.operations.cases import CASES, DIFFERENTIABLE
from tinygrad_lite.check.conformance import examined
from tinygrad_lite.check.properties import random_like

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_differentiable_case = pytest.mark.parametrize("case", DIFFERENTIABLE, ids=lambda case: case.name)


@every_case
def test_every_case_conforms_in_every_variant(case: Case) -> None:
    report = examined(case.call(), case.rng())
    assert report, str(report)
    assert not any(reason.startswith("as given") for reason in report.left_out)


@every_case
def test_the_forward_equals_numpys_own(case: Case) -> None:
    operands = case.operands()
    expected = np.asarray(case.reference_in(np)(*case.arguments(*operands), **case.static))
    computed = np.asarray(case(*operands))
    assert computed.dtype == expected.dtype
    assert computed.shape == expected.shape
    assert np.allclose(computed, expected, rtol=1e-13, atol=1e-14, equal_nan=True)


@every_differentiable_case
def test_float32_stays_float32_forward_and_in_second_order(case: Case) -> None:
    operands, wanted = case.operands(np.float32), case.wanted()
    value = case(*(tg.Tensor(x, requires_grad=i in wanted) for i, x in enumerate(operands)))
    assert value.dtype == (case.result_dtype or np.float32)
    (cotangent,) = random_like(case.rng("float32"), [value.data])

    def of_the_gradient(*xs: np.ndarray) -> tg.Tensor:
        parts = tg.grad(lambda *ys: np.sum(case(*ys) * cotangent), argnums=wanted)(*xs)
        return sum(np.sum(part * part) for part in parts)

    for second, i in zip(tg.grad(of_the_gradient, argnums=wanted)(*operands), wanted, strict=True):
        assert second.dtype == np.float32
        assert second.shape == operands[i].shape
        assert np.isfinite(second).all()
