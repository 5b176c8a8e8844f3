"""What a rewrite leaves to be done, read off a program that was first held against eager execution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tinygrad_lite as tg
from tests.program.comparing import assert_near, assert_same
from tinygrad_lite.program.plans import PlannedStep

Made = tuple[Callable[..., Any], Sequence[tg.Tensor]]
"""A function, and the cells that it assigns to."""

SCALES = (1.0, -0.5, 3.0)


def held(
    make: Callable[[], Made], *arrays: np.ndarray, exact: bool = False, tolerance: float | None = None
) -> tg.Program:
    """Return a program that gave in three calls, on other numbers each, what eager execution gives; cells included."""
    (compiled, cells), (eager, twins) = make(), make()
    program = tg.compile(compiled, exact=exact)
    for scale in SCALES:
        given = [tg.Tensor(x * scale if x.dtype.kind == "f" else x) for x in arrays]
        with np.errstate(all="ignore"):
            expected = eager(*given), [twin.data for twin in twins]
        pairs = (program(*given), [cell.data for cell in cells]), expected
        if exact:
            assert_same(*pairs)
        else:
            assert_near(*pairs, tolerance=tolerance)
    return program


def held_function(function: Callable[..., Any], *arrays: np.ndarray, exact: bool = False) -> tg.Program:
    """Return the program of a function without cells, held against the function."""
    return held(lambda: (function, ()), *arrays, exact=exact)


def operations(program: tg.Program) -> Counter[str]:
    """Return how often each operation is computed."""
    return Counter(step.operation for step in program.plan().steps)


def passes(program: tg.Program, shape: tuple[int, ...]) -> list[PlannedStep]:
    """Return the steps that write an array of a shape; views write nothing."""
    extent = "×".join(map(str, shape))
    return [s for s in program.plan().steps if s.result.split()[0] == extent and s.place != "view"]


def written(program: tg.Program, shape: tuple[int, ...]) -> list[str]:
    """Return the operations that write an array of a shape."""
    return [step.operation for step in passes(program, shape)]


def places(program: tg.Program) -> list[str]:
    """Return where the values lie, in the order of their computation."""
    return [step.place for step in program.plan().steps]
