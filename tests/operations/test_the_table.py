"""The table of cases is complete: a primitive without a case, or a variant that none of its cases meets, fails here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest

from tests.operations.cases import CASES, DIFFERENTIABLE
from tinygrad_lite import primitives
from tinygrad_lite.check.conformance.kit import examined
from tinygrad_lite.check.conformance.variants import LAYOUTS, Call, refusal_of, variants_of
from tinygrad_lite.primitives import PRIMITIVES

DIFFERENTIABLE_PRIMITIVES = sorted(
    name for name, primitive in PRIMITIVES.items() if any(rule is not None for rule in primitive.rules_for(3))
)

KINDS = frozenset({"0-d", "empty", "broadcast", "repeated operand", "axes from the other end", *LAYOUTS})

UNMET = {
    ("matmul", "0-d"): "there is no axis to sum over",
    ("linear", "0-d"): "there is no axis to sum over",
    ("swapaxes", "0-d"): "there are no axes to swap",
    ("concatenate", "0-d"): "there is no axis to join along",
    ("std", "0-d"): "one value does not spread, and there the root has a kink",
    ("stack", "broadcast"): "all parts have one shape",
    ("weighted_sum", "broadcast"): "all terms have one shape",
    ("zero_kept_zero", "broadcast"): "a cotangent has the shape of what it is made of",
}
"""The variants that no case of a primitive meets though it has operands, or axes, for them: each with the reason."""


def names_an_axis(call: Call) -> bool:
    return any(key.startswith(("axis", "axes")) for key in call.static)


def kinds_for(name: str) -> set[str]:
    """Return the kinds of variants that a primitive is to meet."""
    calls = [case.call() for case in CASES if case.primitive == name]
    if not any(call.operands for call in calls):
        return set(LAYOUTS)
    kinds = set(KINDS)
    if all(len(call.arguments(*call.operands)) == 1 for call in calls):
        kinds.remove("broadcast")
    if sum(rule is not None for rule in PRIMITIVES[name].rules_for(2)) < 2:
        kinds.remove("repeated operand")
    if not any(names_an_axis(call) for call in calls):
        kinds.remove("axes from the other end")
    return kinds


def kinds_of(call: Call) -> Iterator[str]:
    """Yield the kinds of variants that one call is."""
    arguments = [x for x in call.arguments(*call.operands) if isinstance(x, np.ndarray)]
    shapes = {x.shape for x in arguments}
    if () in shapes:
        yield "0-d"
    if any(0 in shape for shape in shapes):
        yield "empty"
    if len(shapes) > 1:
        yield "broadcast"
    if len({id(x) for x in arguments}) < len(arguments):
        yield "repeated operand"
    if call.variant in KINDS:
        yield call.variant


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_every_primitive_meets_every_variant_that_it_can_take(name: str) -> None:
    calls = [variant for case in CASES if case.primitive == name for variant in variants_of(case.call())]
    met = {kind for call in calls if not refusal_of(call) for kind in kinds_of(call)}
    assert {(name, kind) for kind in kinds_for(name) - met} == {key for key in UNMET if key[0] == name}


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_every_primitive_meets_every_property(name: str) -> None:
    """The first cases of a primitive are enough to see that nothing is left out for all of them."""
    cases = [case for case in CASES if case.primitive == name][:4]
    reports = [examined(case.call(), case.rng("conformance")) for case in cases]
    met = {(finding.variant, finding.property) for report in reports for finding in report.findings}
    expected = {("as given", "value"), ("extreme values 1 in float64", "silence")}
    expected |= {("extreme values 1 in float32", "silence")} | {(layout, "value") for layout in LAYOUTS}
    if name in DIFFERENTIABLE_PRIMITIVES:
        derived = ("first derivative", "second derivative", "both products", "float32", "memory", "unread")
        expected |= {(variant, of) for variant in ("as given", *LAYOUTS) for of in derived}
        if PRIMITIVES[name].kinks is not None:
            expected.add(("as given", "kinks"))
    assert expected <= met


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
def test_the_cases_of_a_primitive_meet_empty_and_0_d_operands_by_themselves(name: str) -> None:
    """They have references in NumPy and JAX, which the variants of the kit have not."""
    shapes = {x.shape for case in DIFFERENTIABLE if case.primitive == name for x in case.operands()}
    assert any(0 in shape for shape in shapes)
    assert () in shapes or (name, "0-d") in UNMET or name == "softmax_cross_entropy"  # whose labels may be 0-d
