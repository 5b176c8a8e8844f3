"""`check_gradients`: the handwritten, the automatic and the numeric gradient of a function, parameter by parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.check.claimed import claimed
from tinygrad_lite.check.deltas import delta_rows
from tinygrad_lite.check.diagnosis.search import Diagnosis
from tinygrad_lite.check.evidence import Evidence
from tinygrad_lite.check.jacobians import with_jacobian
from tinygrad_lite.check.judging import judged
from tinygrad_lite.check.problem import Problem, refuse_shape
from tinygrad_lite.check.report import GradientReport
from tinygrad_lite.errors import ArgumentError


def check_gradients(
    f: Callable[..., Any],  # Any: it is called with arrays, with Tensors and with modules
    *args: Any,  # nested tuples, lists and dicts of arrays, or modules
    analytic: Callable[..., Any] | None = None,
    vjp: Callable[..., Any] | None = None,
    jacobian: Callable[..., Any] | None = None,
    deltas: Mapping[str, Any] | None = None,
    every_element: bool = False,
    names: Sequence[str] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    rng: np.random.Generator | int = 0,
) -> GradientReport:
    """Hold the handwritten gradient of a function against the automatic and the numeric one, and name the mistake.

    `args` are float arrays, nested tuples, lists and dicts of them, or modules; all is evaluated in float64, on copies.
    `analytic(*args)` returns the gradient of a scalar `f` in the structure of `args`: a bare array for one array, a
    dict by parameter name for a module. For a function of several values give `vjp(cotangent, *args)`, which returns
    the gradient of ⟨cotangent, f⟩, or `jacobian(*args)`, which returns arrays of the shape of the result followed by
    that of the argument. `deltas` holds gradients by values that `f` names with `tg.named(value, name)`: the report
    says at which of them, walking back from the loss, the derivation departs.

    The numeric gradient is taken at up to 50 entries of a parameter and along random directions over all of them, drawn
    with `rng`; `every_element` takes it at every one. The terms that an objective adds up are checked one by one.
    How far gradients may lie apart follows from how far rounding moves them, which the report states; `rtol`, relative
    to the largest entry, and `atol` take its place where given.

    A row `agrees`; or `differs`, with a diagnosis; or is at a `kink`, where the slopes on either side differ and both
    gradients lie between them; or `vacuous`, if the gradient is too small for anything to have been tested; or
    `undetectable`, if a term contributes less to it than rounding does. Raises ArgumentError if `f` gives something
    else the second time, writes to its arguments, or the structures do not fit; ShapeError if `f` is no scalar where
    one is needed.

    >>> import numpy as np, tinygrad_lite as tg
    >>> w = np.array([1.0, 2.0])
    >>> bool(tg.check_gradients(lambda w: np.sum(w**2), w, analytic=lambda w: 2 * w))
    True
    >>> print(tg.check_gradients(lambda w: np.sum(w**2), w, analytic=lambda w: w))
    parameter   entries       by hand − automatic            automatic − numeric
                          largest  relative   allowed    largest   allowed one by one
    w                 2  2.00e+00  5.00e-01  ...                                    2  differs
    w differs most at [1]: by hand 2, automatic 4, numeric 4...
    w: scale (× 0.5) in w: ...
    not all gradients agree; ...
    """
    if sum(given is not None for given in (analytic, vjp, jacobian)) > 1:
        raise ArgumentError("give one of analytic=, vjp= and jacobian=")
    tolerance = _tolerance(rtol, atol)
    generator = _generator(rng)
    problem = Problem(f, args, names)
    result = problem.evaluated_twice()
    if vjp is not None or jacobian is not None or (result.size != 1 and analytic is None):
        problem.cotangent = generator.standard_normal(result.shape)
    elif result.size != 1:
        refuse_shape(result.shape)
    evidence = Evidence(problem, generator)
    by_hand = claimed(problem, analytic, vjp, jacobian)
    diagnosis = Diagnosis(evidence, by_hand)
    rows = [judged(evidence, i, by_hand, diagnosis, tolerance, every_element) for i in range(len(problem.values))]
    if by_hand is not None and by_hand.jacobians is not None:
        pairs = enumerate(zip(rows, by_hand.jacobians, strict=True))
        rows = [with_jacobian(row, problem, i, mine, true, tolerance) for i, (row, (mine, true)) in pairs]
    return GradientReport(
        tuple(rows),
        evidence.tolerance_in_words(by_hand is not None, tolerance),
        delta_rows(evidence, deltas or {}, tolerance, diagnosis),
        evidence.notes(every_element),
    )


def _tolerance(rtol: float | None, atol: float | None) -> tuple[float, float] | None:
    for name, given in (("rtol", rtol), ("atol", atol)):
        if given is not None and not (isinstance(given, int | float) and 0 <= given < np.inf):
            raise ArgumentError(f"{name} is a number of at least 0, got {given!r}")
    return None if rtol is None and atol is None else (rtol or 0.0, atol or 0.0)


def _generator(rng: np.random.Generator | int) -> np.random.Generator:
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as problem:
        raise ArgumentError(f"rng is a numpy.random.Generator or a seed of at least 0, got {rng!r}") from problem
