"""The random programs of `tests/fuzzing`, compiled: forward and backward, on other leaves in each call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.fuzzing.generator import random_program
from tests.fuzzing.gradients import as_function, environment, leaves_of
from tests.fuzzing.program import Program
from tests.program.comparing import assert_near, assert_same

EXACTLY = range(120)
NEARLY = range(120, 180)
AT_A_TIME = 30
FACTORS = (1.0, 0.75, 1.25)
"""The leaves of each call are those of the program times one of these, which no dtype rounds."""

ILL_CONDITIONED = 1e-9
"""How far a gradient in float64 may be off after thirty steps, some of which cancel, as a part of its norm."""


def by_backward(program: Program, is_double: bool) -> Callable[..., Any]:
    """Return a function of the leaves that gives the outputs and the gradients that `backward` leaves."""
    constants = environment(program, is_double)

    def f(*arrays: Any) -> Any:
        leaves = [tg.Tensor(x, requires_grad=True) for x in arrays]
        outputs = program.run(dict(constants), dict(zip(program.leaves, leaves, strict=True)))
        for y, g in zip(outputs, program.outputs.values(), strict=True):
            if isinstance(y, tg.Tensor) and y.requires_grad:
                y.backward(g.astype(y.dtype))
        return [y.detach() if isinstance(y, tg.Tensor) else y for y in outputs], [leaf.grad for leaf in leaves]

    return f


def by_grad(program: Program, is_double: bool) -> Callable[..., Any]:
    """Return a function of the leaves that gives the gradient of the weighted sum of the outputs."""
    constants = environment(program, is_double)

    def f(*leaves: Any) -> Any:
        inner = as_function(program, dict(constants))
        return tg.value_and_grad(inner, argnums=tuple(range(len(program.leaves))))(*leaves)

    return f


WAYS = (by_backward, by_grad)
"""Ways to ask for gradients, which take turns."""


def calls_of(program: Program, is_double: bool) -> Iterable[list[np.ndarray]]:
    """Yield the leaves of each call, in the dtypes that the program is written in."""
    leaves = leaves_of(program, is_double)
    for factor in FACTORS:
        yield [x * x.dtype.type(factor) for x in leaves.values()]


@pytest.mark.parametrize("first", EXACTLY[::AT_A_TIME])
def test_an_exact_program_keeps_the_bits_of_a_random_graph(first: int) -> None:
    for seed in EXACTLY[first : first + AT_A_TIME]:
        program = random_program(seed)
        f = WAYS[seed // 2 % 2](program, False)
        compiled = tg.compile(f, exact=True)
        for leaves in calls_of(program, is_double=False):
            with np.errstate(all="ignore"):
                expected = f(*map(tg.Tensor, leaves))
            assert_same(compiled(*map(tg.Tensor, leaves)), expected, f"seed {seed}:\n{program}\n")


@pytest.mark.parametrize("first", range(0, len(NEARLY), AT_A_TIME))
def test_a_program_agrees_with_a_random_graph_to_the_rounding(first: int) -> None:
    for seed in NEARLY[first : first + AT_A_TIME]:
        program = random_program(seed)
        f = WAYS[seed // 2 % 2](program, True)
        compiled = tg.compile(f)
        for leaves in calls_of(program, is_double=True):
            with np.errstate(all="ignore"):
                expected = f(*map(tg.Tensor, leaves))
            told = f"seed {seed}:\n{program}\n"
            assert_near(compiled(*map(tg.Tensor, leaves)), expected, told, ILL_CONDITIONED)


@pytest.mark.parametrize("first", EXACTLY[: 2 * AT_A_TIME : AT_A_TIME])
def test_a_random_graph_of_parameters_leaves_and_adds_up_their_gradients(first: int) -> None:
    for seed in EXACTLY[first : first + AT_A_TIME]:
        program = random_program(seed)
        constants = environment(program, False)
        arrays = leaves_of(program, False)
        ours, theirs = ({name: tg.Tensor(x, requires_grad=True) for name, x in arrays.items()} for _ in range(2))

        def accumulate(leaves: dict[str, tg.Tensor], program: Any = program, constants: Any = constants) -> Any:
            outputs = program.run(dict(constants), dict(leaves))
            terms = [np.sum(y * g.astype(y.dtype)) for y, g in zip(outputs, program.outputs.values(), strict=True)]
            total = sum(terms[1:], terms[0])
            total.backward()
            return total.detach()

        compiled = tg.compile(lambda ours=ours, f=accumulate: f(ours), exact=True)
        for call, factor in enumerate((1.0, 1.0, 0.75, 1.25)):
            for name, x in arrays.items():
                if call > 1:
                    ours[name].assign(x * x.dtype.type(factor))
                    theirs[name].assign(x * x.dtype.type(factor))
            if call == 2:
                for leaf in (*ours.values(), *theirs.values()):
                    leaf.grad = None
            with np.errstate(all="ignore"):
                expected = accumulate(theirs)
            told = f"seed {seed}, call {call}:\n{program}\n"
            assert_same(compiled(), expected, told)
            assert_same([x.grad for x in ours.values()], [x.grad for x in theirs.values()], told)
