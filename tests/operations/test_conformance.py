"""Every case of the table against the conformance kit, and against NumPy's own values."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.operations.case import Case
from tests.operations.cases import CASES, DIFFERENTIABLE
from tinygrad_lite.check.conformance.kit import examined

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_differentiable_case = pytest.mark.parametrize("case", DIFFERENTIABLE, ids=lambda case: case.name)


@every_case
def test_every_case_conforms_in_every_variant(case: Case) -> None:
    report = examined(case.call(), case.rng("conformance"))
    assert report, str(report)
    held = {(finding.variant, finding.property) for finding in report.findings}
    assert ("as given", "value") in held
    assert (("as given", "second derivative") in held) == bool(case.wanted())


@every_case
def test_the_forward_equals_numpys_own(case: Case) -> None:
    operands = case.operands()
    expected = np.asarray(case.reference_in(np)(*case.arguments(*operands), **case.static))
    computed = np.asarray(case(*operands))
    assert computed.dtype == expected.dtype
    assert computed.shape == expected.shape
    assert np.allclose(computed, expected, rtol=1e-13, atol=1e-14, equal_nan=True)


@every_differentiable_case
def test_float32_operands_give_a_result_of_float32_unless_the_case_says_otherwise(case: Case) -> None:
    operands = case.operands(np.float32)
    for result in (case(*map(tg.Tensor, operands)), np.asarray(case(*operands))):
        assert result.dtype == (case.result_dtype or np.float32)
