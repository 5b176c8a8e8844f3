"""`check_gradients`: the handwritten, the automatic and the numeric gradient of a function, parameter by parameter."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.check.numeric import EPSILON, STEP, central_differences
from tinygrad_lite.check.problem import Problem
from tinygrad_lite.check.report import GradientReport, Row
from tinygrad_lite.errors import ArgumentError

SAMPLE = 50
"""How many entries of a parameter are checked numerically unless every element is asked for."""


def check_gradients(
    f: Callable[..., Any],  # Any: it is called with arrays, with Tensors and with modules
    *args: Any,  # nested tuples, lists and dicts of arrays, or modules
    analytic: Callable[..., Any] | None = None,
    every_element: bool = False,
    names: Sequence[str] | None = None,
    rtol: float = 1e-7,
    atol: float = 0.0,
    rng: np.random.Generator | int = 0,
) -> GradientReport:
    """Hold the handwritten gradient of a scalar function against the automatic and the numeric one.

    `f(*args)` returns a scalar; `args` are float arrays, nested tuples, lists and dicts of them, or modules.
    `analytic(*args)` returns the gradient in the structure of `args`: a bare array for one array, a dict by parameter
    name for a module. All is evaluated in float64, on copies. The numeric gradient is a central difference at every
    entry of a parameter of up to 50 entries, else at 50 of them: the one where the other two disagree most and others
    drawn with `rng`; `every_element` checks all.

    A row agrees if the handwritten gradient differs from the automatic one by at most atol + rtol · (the largest of
    either) beyond the rounding of float64, and the automatic one from the numeric one by what central differences can
    resolve. The report is truthy when all rows agree. Raises ArgumentError if two evaluations of `f` differ or the
    structures do not fit, ShapeError if a handwritten gradient does not have the shape of its parameter.

    >>> import numpy as np, tinygrad_lite as tg
    >>> w = np.array([1.0, 2.0])
    >>> bool(tg.check_gradients(lambda w: np.sum(w**2), w, analytic=lambda w: 2 * w))
    True
    >>> print(tg.check_gradients(lambda w: np.sum(w**2), w, analytic=lambda w: w))
    parameter   entries   by hand − automatic    automatic − numeric
                           largest   relative     largest    checked
    w                 2    2.00e+00   5.00e-01    ...             2  differs
    w differs most at [1]: by hand 2, automatic 4, numeric 4...
    some gradients differ; ...
    """
    problem = Problem(f, args)
    value, again = problem.value(), problem.value()
    if not (value == again or np.isnan(value)):
        raise ArgumentError(f"f gave {value!r} and then {again!r} for the same arguments; fix its seed, or its state")
    parameter_names = problem.names if names is None else list(names)
    if len(parameter_names) != len(problem.values):
        raise ArgumentError(f"got {len(parameter_names)} names for {len(problem.values)} parameters")
    automatic = problem.automatic()
    by_hand = [None] * len(automatic) if analytic is None else problem.by_hand(analytic)
    generator = np.random.default_rng(rng)
    scale = max(1.0, abs(value), *(_largest(gradient) for gradient in automatic))
    rounding, resolution = 10 * EPSILON * scale, 100 * EPSILON / STEP * abs(value) + 10 * STEP**2
    rows = []
    for name, values, auto, hand in zip(parameter_names, problem.values, automatic, by_hand, strict=True):
        errors = None if hand is None else _apart(hand, auto)
        indices = _entries_to_check(auto.shape, errors, every_element, generator)
        numeric = central_differences(problem.value, values, indices)
        rows.append(_row(name, auto, hand, errors, indices, numeric, _Tolerance(atol + rounding, rtol, resolution)))
    by_hand_within = (
        "" if analytic is None else f"by hand within {rtol:g} of the largest{f' + {atol:g}' if atol else ''}, "
    )
    tolerance = f"{by_hand_within}numeric within the error of central differences"
    return GradientReport(tuple(rows), tolerance)


class _Tolerance(NamedTuple):
    """How far gradients may lie apart: by hand from automatic, and how small a one central differences can see."""

    absolute: float
    relative: float
    resolution: float


def _apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return how far each entry of one gradient lies from the other's; inf − inf, which is nan, is a disagreement."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(first - second))


def _entries_to_check(
    shape: tuple[int, ...], errors: np.ndarray | None, every_element: bool, generator: np.random.Generator
) -> list[tuple[int, ...]]:
    """Return the entries whose numeric gradient is taken, the one of the largest of `errors` among them."""
    size = math.prod(shape)
    flat = np.arange(size)
    if size > SAMPLE and not every_element:
        flat = generator.choice(size, SAMPLE, replace=False)
        if errors is not None:
            flat[0] = np.argmax(errors)
    return [tuple(int(i) for i in np.unravel_index(k, shape)) for k in flat]


def _row(
    name: str,
    automatic: np.ndarray,
    by_hand: np.ndarray | None,
    errors: np.ndarray | None,
    indices: list[tuple[int, ...]],
    numeric: np.ndarray,
    tolerance: _Tolerance,
) -> Row:
    """Return what the comparison found; a nan anywhere is a disagreement."""
    if not indices:
        nothing = None if by_hand is None else 0.0
        return Row(name, "agrees", 0, 0, nothing, nothing, 0.0, (), (nothing, 0.0, 0.0))
    largest = max(_largest(automatic), 0.0 if by_hand is None else _largest(by_hand))
    numeric_errors = _apart(np.array([automatic[index] for index in indices]), numeric)
    bound = 1e-6 * largest + tolerance.resolution
    numeric_agrees = bool(np.isfinite(largest) and np.all(numeric_errors <= bound))
    worst = int(np.argmax(numeric_errors))
    error, hand_agrees = None, True
    if errors is not None:
        error = _largest(errors)
        hand_agrees = bool(np.isfinite(error)) and error <= tolerance.absolute + tolerance.relative * largest
        if numeric_agrees or not hand_agrees:
            worst = int(np.argmax([errors[index] for index in indices]))
    index = indices[worst]
    return Row(
        name=name,
        status="agrees" if numeric_agrees and hand_agrees else "differs",
        entries=automatic.size,
        entries_checked=len(indices),
        max_abs_error=error,
        max_rel_error=None if error is None else error / largest if largest else 0.0,
        numeric_abs_error=float(np.max(numeric_errors)),
        worst_index=index,
        values=(None if by_hand is None else float(by_hand[index]), float(automatic[index]), float(numeric[worst])),
    )


def _largest(gradient: np.ndarray) -> float:
    return float(np.max(np.abs(gradient), initial=0.0))
