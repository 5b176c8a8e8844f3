"""What is promised of rules beyond what the conformance kit holds them to."""

from __future__ import annotations

import numpy as np
import pytest

from tests.operations.cases import DIFFERENTIABLE
from tinygrad_lite.check.conformance.rule_properties import poisons_for, rules_on_arrays
from tinygrad_lite.primitives import PRIMITIVES
from tinygrad_lite.primitives.definition import parameter_names


def test_no_rule_names_something_that_it_never_reads() -> None:
    """A name without an underscore keeps an array alive, so each must matter in at least one case."""
    matters: dict[tuple[str, int, str], bool] = {}
    for case in DIFFERENTIABLE:
        for run in rules_on_arrays(case.call(), case.rng("poison")):
            honest = run(run.cotangent, run.values)
            for i, name in enumerate(parameter_names(run.rule, 1 + len(run.values))[1:] if honest.size else []):
                value = run.values[i]
                if not name.startswith("_") and isinstance(value, np.ndarray) and value.dtype.kind == "f":
                    key = (case.primitive, 0 if name == "xs" else run.position, name)
                    spoilt = [[*run.values[:i], poison, *run.values[i + 1 :]] for poison in poisons_for(value)]
                    reads = any(not np.array_equal(honest, run(run.cotangent, values)) for values in spoilt)
                    matters[key] = matters.get(key, False) or reads
    assert len(matters) > 40
    assert [key for key, read in matters.items() if not read] == []


@pytest.mark.parametrize("a_by_columns", [False, True])
@pytest.mark.parametrize("b_by_columns", [False, True])
def test_the_cotangents_of_a_matrix_product_lie_in_memory_as_their_operands_do(
    a_by_columns: bool, b_by_columns: bool
) -> None:
    rng = np.random.default_rng(0)
    a, b, g = (rng.normal(size=shape) for shape in ((4, 3), (3, 5), (4, 5)))
    a, b = (np.asfortranarray(x) if by_columns else x for x, by_columns in ((a, a_by_columns), (b, b_by_columns)))
    for rule, x in zip(PRIMITIVES["matmul"].rules_for(2), (a, b), strict=True):
        gx = rule(g, a @ b, a, b)
        assert (gx.flags.c_contiguous, gx.flags.f_contiguous) == (x.flags.c_contiguous, x.flags.f_contiguous)


def test_the_cotangent_of_a_weight_of_a_linear_layer_lies_row_by_row_as_the_weight_does() -> None:
    x, w, b, g = (np.ones(shape) for shape in ((4, 3), (2, 3), (2,), (4, 2)))
    rule = PRIMITIVES["linear"].rules_for(3)[1]
    assert rule(g, x @ w.T + b, x, w, b).flags.c_contiguous
