"""A claimed Jacobian held against the automatic one entry by entry, where `judged` saw it through one cotangent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tinygrad_lite.check.judging import Tolerance, compared
from tinygrad_lite.check.numeric.slopes import STEP
from tinygrad_lite.check.problem import Problem
from tinygrad_lite.check.report import Cause, Row


def with_jacobian(row: Row, problem: Problem, i: int, mine: np.ndarray, true: np.ndarray, tolerance: Tolerance) -> Row:
    """Return the row with the errors and the worst index of the whole Jacobian, of the result's axes and then i's."""
    found = compared(mine, true, row.budget, tolerance)
    split = true.ndim - problem.values[i].ndim
    turned = np.moveaxis(true, range(split), range(-split, 0))
    if mine.shape == turned.shape and np.allclose(mine, turned) and not np.allclose(turned, true.reshape(turned.shape)):
        text = "the axes of the result come first, those of the parameter after them: ∂y_i/∂x_j stands at [i, j]"
        cause = Cause("transposed", None, 0.0, row.name, text)
        row = replace(row, status="differs", diagnosis=(cause,), note="")
    if not found.fits:
        note = f"the Jacobian by hand has shape {mine.shape}, not {true.shape}, the result's and then the parameter's"
        return replace(row, status="differs", max_abs_error=np.inf, max_rel_error=np.inf, note=note)
    if not true.size:
        return row
    worst = int(found.wrong[0]) if len(found.wrong) else int(np.argmax(np.abs(mine - true)))
    index = tuple(int(k) for k in np.unravel_index(worst, true.shape))
    numeric = _numeric(problem, i, index[:split], index[split:])
    status = "differs" if len(found.wrong) and row.agrees else row.status
    return replace(
        row,
        status=status,
        entries=true.size,
        max_abs_error=found.error,
        max_rel_error=found.relative,
        worst_index=index,
        values=(float(mine[index]), float(true[index]), numeric),
    )


def _numeric(problem: Problem, i: int, of: tuple[int, ...], by: tuple[int, ...]) -> float:
    """Return the central difference of one value of the result by one entry of a parameter."""
    step = STEP * max(1.0, abs(float(problem.values[i][by])))
    results = []
    for change in (step, -step):
        moved = [value.copy() for value in problem.values]
        moved[i][by] += change
        results.append(float(problem.result(moved)[of]))
    return (results[0] - results[1]) / (2 * step)
