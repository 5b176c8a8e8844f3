"""What a derivation by hand claims, brought into the form of a gradient by each parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.check.problem import Problem
from tinygrad_lite.transforms import jacobian as automatic_jacobian


class Claimed(NamedTuple):
    """A derivation by hand, evaluated."""

    gradients: list[np.ndarray]
    """The claimed gradient by each parameter, of whatever shape."""
    coarseness: list[float]
    """How much coarser than float64 the dtype of each rounds."""
    jacobians: list[tuple[np.ndarray, np.ndarray]] | None = None
    """The claimed and the automatic Jacobian by each parameter, if a Jacobian was claimed."""


def claimed(
    problem: Problem,
    analytic: Callable[..., Any] | None,
    vjp: Callable[..., Any] | None,
    jacobian: Callable[..., Any] | None,
) -> Claimed | None:
    """Evaluate the derivation that was given, None if there was none."""
    if analytic is not None:
        given = problem.by_hand(analytic, "analytic")
    elif vjp is not None:
        assert problem.cotangent is not None
        given = problem.by_hand(vjp, "vjp", problem.cotangent.copy())
    elif jacobian is not None:
        return _with_jacobians(problem, problem.by_hand(jacobian, "jacobian"))
    else:
        return None
    return Claimed([np.asarray(g, np.float64) for g in given], [coarseness_of(g) for g in given])


def _with_jacobians(problem: Problem, given: list[np.ndarray]) -> Claimed:
    cotangent = problem.cotangent
    assert cotangent is not None
    positions = tuple(range(len(problem.values)))
    function = problem.of_values()
    automatic = automatic_jacobian(function, argnums=positions)(*problem.values)
    pairs, gradients = [], []
    for mine, true in zip(given, automatic, strict=True):
        mine, true = np.asarray(mine, np.float64), np.asarray(true, np.float64)
        pairs.append((mine, true))
        fits = mine.shape[: cotangent.ndim] == cotangent.shape
        gradients.append(np.tensordot(cotangent, mine, axes=cotangent.ndim) if fits else mine)
    return Claimed(gradients, [coarseness_of(g) for g in given], pairs)


def coarseness_of(given: np.ndarray) -> float:
    """Return how much coarser than float64 a dtype rounds, 1 for what rounds less or not at all."""
    if given.dtype.kind != "f":
        return 1.0
    return max(1.0, float(np.finfo(given.dtype).eps / np.finfo(np.float64).eps))
