"""The table of cases is complete: a primitive without a case fails here."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.operations.cases import CASES, DIFFERENTIABLE
from tinygrad_lite import primitives
from tinygrad_lite.check.conformance import examined
from tinygrad_lite.check.variants import LAYOUTS, variants_of
from tinygrad_lite.primitives import PRIMITIVES

DIFFERENTIABLE_PRIMITIVES = sorted(
    name for name, primitive in PRIMITIVES.items() if any(rule is not None for rule in primitive.rules_for(3))
)


def labels_of(primitive: str) -> str:
    return " | ".join(case.label for case in CASES if case.primitive == primitive)


def test_every_primitive_has_a_case() -> None:
    assert sorted(PRIMITIVES) == sorted({case.primitive for case in CASES})


def test_an_entry_is_found_under_the_name_that_it_bears() -> None:
    assert [name for name in PRIMITIVES if getattr(primitives, name) is not PRIMITIVES[name]] == []


def test_every_primitive_with_a_derivative_is_differentiated_in_a_case() -> None:
    assert {case.primitive for case in DIFFERENTIABLE} == set(DIFFERENTIABLE_PRIMITIVES)


def test_every_operand_with_a_rule_is_differentiated_in_a_case() -> None:
    for name in DIFFERENTIABLE_PRIMITIVES:
        cases = [case for case in DIFFERENTIABLE if case.primitive == name]
        straight = [case for case in cases if len(case.arguments(*case.operands())) == len(case.operands())]
        covered = {i for case in straight for i in case.wanted()}
        rules = PRIMITIVES[name].rules_for(max(len(case.operands()) for case in straight))
        assert covered >= {i for i, rule in enumerate(rules) if rule is not None}, name


def test_names_of_cases_are_unique() -> None:
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []


@pytest.mark.parametrize("name", DIFFERENTIABLE_PRIMITIVES)
def test_every_differentiable_primitive_meets_an_empty_operand(name: str) -> None:
    assert any(0 in x.shape for case in DIFFERENTIABLE if case.primitive == name for x in case.operands())


@pytest.mark.parametrize("name", DIFFERENTIABLE_PRIMITIVES)
def test_every_differentiable_primitive_meets_0_d_or_cannot_take_it(name: str) -> None:
    if name not in ("matmul", "linear", "concatenate", "swapaxes", "softmax_cross_entropy", "std"):  # std: a kink
        assert any(x.ndim == 0 for case in DIFFERENTIABLE if case.primitive == name for x in case.operands())


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_a_variadic_or_binary_primitive_with_derivatives_meets_a_repeated_operand(name: str) -> None:
    rules = PRIMITIVES[name].rules_for(2)
    if sum(rule is not None for rule in rules) > 1:
        assert "repeated" in labels_of(name) or name in ("maximum", "minimum")  # there a repeated operand is a kink


@pytest.mark.parametrize("name", DIFFERENTIABLE_PRIMITIVES)
def test_every_primitive_with_an_axis_is_called_with_it_counted_from_both_ends(name: str) -> None:
    calls = [case.call() for case in DIFFERENTIABLE if case.primitive == name]
    if any("axis" in call.static for call in calls):
        assert any(variant.variant == "axes from the other end" for call in calls for variant in variants_of(call))


@pytest.mark.parametrize("name", DIFFERENTIABLE_PRIMITIVES)
def test_every_differentiable_primitive_meets_every_memory_layout_both_dtypes_and_extreme_values(name: str) -> None:
    cases = [case for case in DIFFERENTIABLE if case.primitive == name][:4]
    reports = [examined(case.call(), case.rng()) for case in cases]
    met = {(finding.variant, finding.property) for report in reports for finding in report.findings}
    assert {(layout, "first derivative") for layout in ("as given", *LAYOUTS)} <= met
    assert {("as given", "float32"), ("as given", "both products"), ("as given", "second derivative")} <= met
    assert {("extreme values 1 in float64", "silence"), ("extreme values 1 in float32", "silence")} <= met
