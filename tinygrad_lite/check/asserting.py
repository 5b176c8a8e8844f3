"""`assert_gradients`: a gradient check as a line of a test, and who wants to hear of its report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tinygrad_lite.check.gradients import check_gradients
from tinygrad_lite.check.report import GradientReport


def assert_gradients(
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
    """Check gradients as `tinygrad_lite.check_gradients` does, and fail unless all agree.

    Returns the report; raises GradientMismatchError, an AssertionError, with the causes in its first line and the table
    below it. In a test of pytest the traceback ends at the line of the test, and the report goes on the page that
    `--gradients-report=FILE.html` writes.

    >>> import numpy as np
    >>> from tinygrad_lite.testing import assert_gradients
    >>> bool(assert_gradients(lambda w: np.sum(w**2), np.array([1.0, 2.0]), analytic=lambda w: 2 * w))
    True
    """
    __tracebackhide__ = True
    report = check_gradients(
        f,
        *args,
        analytic=analytic,
        vjp=vjp,
        jacobian=jacobian,
        deltas=deltas,
        every_element=every_element,
        names=names,
        rtol=rtol,
        atol=atol,
        rng=rng,
    )
    tell(report)
    report.raise_if_wrong()
    return report


_listeners: list[Callable[[GradientReport], object]] = []


@contextmanager
def listening(listener: Callable[[GradientReport], object]) -> Iterator[None]:
    """Call `listener` with each report that is made for a test inside of the block, in whatever thread."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell(report: GradientReport) -> None:
    """Let everyone who listens know of `report`."""
    for listener in tuple(_listeners):
        listener(report)
