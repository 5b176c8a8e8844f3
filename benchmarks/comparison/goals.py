"""What the library has set itself, as limits on paired ratios."""

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.comparison.conductor import Measurement
from benchmarks.comparison.products import PRODUCTS
from benchmarks.comparison.statistics import Figure, paired
from benchmarks.comparison.workloads import MAIN, MIDDLE, SMALL, VARIANTS, WIDE, Workload


class Goal(NamedTuple):
    """The median of the ratios of one contender to another is at most this, in every state of the machine or in one."""

    workload: Workload
    contender: str
    over: str
    limit: float
    state: str | None = None


STATED = (
    Goal(MIDDLE, "eager", PRODUCTS, 2.1),
    Goal(MIDDLE, "eager", "handwritten", 1.2),
    Goal(MIDDLE, "eager", "torch", 0.75),
    Goal(MIDDLE, "eager", "jax", 1.0),
    Goal(MIDDLE, "compiled", PRODUCTS, 1.5, "fast"),
    Goal(MIDDLE, "compiled", PRODUCTS, 1.7, "slow"),
    Goal(MIDDLE, "compiled", "handwritten", 0.95),
    Goal(MIDDLE, "compiled", "torch", 0.57),
    Goal(MIDDLE, "compiled", "jax", 0.8),
    Goal(SMALL, "eager", "torch", 0.3),
    Goal(SMALL, "compiled", "torch", 0.12),
    Goal(SMALL, "compiled", "jax", 0.65),
    Goal(WIDE, "eager", PRODUCTS, 1.7),
    Goal(WIDE, "compiled", PRODUCTS, 1.4),
)
AHEAD_OF = {
    "eager": ("torch", "autograd", "mygrad", "tinygrad"),
    "compiled": (
        "torch", "torch_lean", "torch_compile", "jax", "jax_queued", "autograd", "mygrad", "tinygrad", "micrograd"
    ),
}  # fmt: skip
AHEAD = tuple(
    Goal(workload, contender, peer, 1.0)
    for workload in (*MAIN, *VARIANTS)
    for contender, peers in AHEAD_OF.items()
    for peer in peers
)
GOALS = (*STATED, *(goal for goal in AHEAD if goal[:3] not in {stated[:3] for stated in STATED}))

UNKNOWN_STATE = "steady"


def ratios(found: Measurement, contender: str, over: str, state: str | None = None) -> Figure | None:
    """Return the paired ratio of a contender to another, or to the products beside it, in one state or in all."""
    if contender not in found.step or (over != PRODUCTS and over not in found.step):
        return None
    above, below = found.step[contender], found.products[contender] if over == PRODUCTS else found.step[over]
    chosen = [i for i, here in enumerate(found.states) if state in (None, here)]
    return paired([above[i] for i in chosen], [below[i] for i in chosen]) if chosen else None


def judged(measurements: list[Measurement]) -> Iterator[tuple[Goal, dict[str, Figure]]]:
    """Yield each goal that could be measured with its figures by state."""
    by_workload = {found.workload: found for found in measurements}
    for goal in GOALS:
        found = by_workload.get(goal.workload)
        if found is None:
            continue
        states = [state for state in dict.fromkeys(found.states) if goal.state in (None, state, _stricter(goal, state))]
        figures = {state: ratios(found, goal.contender, goal.over, state) for state in sorted(states)}
        present = {state: figure for state, figure in figures.items() if figure is not None}
        if present:
            yield goal, present


def _stricter(goal: Goal, state: str) -> str | None:
    """Hold a machine of which only one state was seen to the goal for the fast one."""
    return goal.state if state == UNKNOWN_STATE and goal.state == "fast" else None
