"""What a contender hands over to be timed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.comparison.workloads import Workload


def item(result: Any) -> float:
    return float(result.item())


def at_once(_result: Any) -> None:
    """Wait for nothing: the result is there when the call returns."""


@dataclass(frozen=True)
class Job:
    """A piece of work to be repeated, and how to read its result outside of the time."""

    run: Callable[[], Any]
    value: Callable[[Any], float] = item
    """The number in which contenders must agree: the loss, or what stands for the result."""
    wait: Callable[[Any], object] = at_once
    """Return when the result is computed, of frameworks that return before it is."""
    scale: float = 1.0
    """How many times this work the workload is, for a contender that cannot do all of it."""


def along(directions: list[np.ndarray]) -> Callable[[Any], float]:
    """Return what reads a Hessian-vector product as the curvature vᵀHv along the directions."""
    return lambda product: sum(float(np.vdot(v, np.asarray(p))) for v, p in zip(directions, product, strict=True))


def total_square(gradients: Any) -> float:
    """Return the sum of squares over all gradients of all examples."""
    return sum(float(np.vdot(g, g)) for g in (np.asarray(g, dtype=np.float64) for g in gradients))


def scalar_chain(links: int) -> Callable[[Any], Any]:
    """Return y ← y·x + x, so many times, starting at x: two operations a link, in the operators of whatever x is."""

    def chain(x: Any) -> Any:
        y = x
        for _ in range(links):
            y = y * x + x
        return y

    return chain


Jobs = dict[str, Callable[[Any], Job]]
"""What a contender offers: by the kind of workload, the function that makes the job of a problem."""


def decays(workload: Workload) -> list[bool]:
    """Say of each parameter whether the penalty counts it: weights do, biases do not."""
    return [part == "weight" for _ in workload.layers for part in ("weight", "bias")]
