"""2,000 random graphs against numeric derivatives, a tenth of them against JAX."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.fuzzing import jax_oracle
from tests.fuzzing.checking import EVERY_JAX, check, check_with_jax
from tests.fuzzing.generator import random_program
from tests.fuzzing.gradients import as_function, environment
from tests.fuzzing.report import Report
from tests.fuzzing.tracing import Trace, traced
from tinygrad_lite.primitives import PRIMITIVES
from tinygrad_lite.tape import Node, tape

GRAPHS = range(2000)
AT_A_TIME = 200
FOR_JAX = range(0, 200 * EVERY_JAX, EVERY_JAX)
FIRST_OF_THEM = 800
"""So many graphs are enough to meet everything."""

SWEEPS_ONLY = {"prod_of_others", "zero_kept_zero", "contiguous"}
"""Primitives of rules and sweeps alone, and so on a tape only where a gradient is differentiated or captured."""

CAPTURED_ONLY = {"shares"}
"""Primitives of captured calls alone."""

DRAWS = {name for name, primitive in PRIMITIVES.items() if primitive.draws}
"""Constants on a tape."""


@pytest.mark.parametrize("first", GRAPHS[::AT_A_TIME])
def test_random_graphs_agree_with_numeric_derivatives(first: int) -> None:
    report = Report()
    for seed in GRAPHS[first : first + AT_A_TIME]:
        report.add(check(seed)[0])
    assert not report.failures, next(iter(report.failures.values()))
    assert report.share_set_aside < 0.02, report
    assert report.flat < 0.02 * AT_A_TIME, "gradients of zero check nothing"


@pytest.mark.skipif(not jax_oracle.AVAILABLE, reason="jax is not installed")
@pytest.mark.parametrize("first", range(0, len(FOR_JAX), 2 * jax_oracle.TOGETHER))
def test_random_graphs_agree_with_jax(first: int) -> None:
    report = Report()
    for outcome in check_with_jax(FOR_JAX[first : first + 2 * jax_oracle.TOGETHER]):
        report.add(outcome)
    assert not report.failures, next(iter(report.failures.values()))
    assert report.comparisons["gradient in JAX"] > jax_oracle.TOGETHER
    assert report.comparisons["second derivative in JAX"] > 0


def test_the_graphs_meet_every_primitive_and_the_rule_of_every_operand() -> None:
    trace = Trace()
    rules: set[tuple[str, int]] = set()
    for seed in GRAPHS[:FIRST_OF_THEM]:
        program = random_program(seed)
        leaves = [tg.Tensor(x, requires_grad=True) for x in program.leaves.values()]
        with traced(trace):
            result = as_function(program, environment(program, is_double=True))(*leaves)
        for node in tape(result._node):
            if isinstance(node, Node):
                rules |= {(node.primitive.name, i) for i, _ in node.plan.rules}
    assert trace.counts.keys() == PRIMITIVES.keys() - SWEEPS_ONLY - CAPTURED_ONLY - DRAWS
    expected = {(name, i) for name in trace.counts for i, rule in enumerate(PRIMITIVES[name].rules_for(2)) if rule}
    assert rules >= expected


def test_a_seed_gives_the_same_program_every_time() -> None:
    assert [str(random_program(seed)) for seed in range(50)] == [str(random_program(seed)) for seed in range(50)]


def test_a_printed_program_is_python_that_computes_what_was_checked() -> None:
    for seed in range(100):
        program = random_program(seed)
        names: dict[str, object] = {}
        with np.errstate(all="ignore"):  # NumPy warns of poles behind a where
            exec(f"{program}\nresult = f({', '.join(program.leaves)})", names)
        outputs = names["result"] if len(program.outputs) > 1 else (names["result"],)
        for name, y in zip(program.outputs, outputs, strict=True):
            expected = program.values[name] if name in program.values else program.leaves[name]
            assert y.shape == expected.shape
            if program.is_double:
                np.testing.assert_allclose(np.asarray(y), expected, rtol=1e-12, atol=1e-12)
