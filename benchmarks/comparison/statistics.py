"""Machine states, paired ratios, medians and spreads."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LEAST_FACTOR = 1.25
"""How far two states must lie apart to be told apart at all."""
LEAST_SHARE = 0.05


class Figure(NamedTuple):
    """The median of some rounds, with the 10th and 90th percentile."""

    median: float
    low: float
    high: float
    rounds: int


def figure(values: Sequence[float]) -> Figure:
    low, median, high = np.percentile(np.asarray(values, dtype=float), [10, 50, 90])
    return Figure(float(median), float(low), float(high), len(values))


def paired(over: Sequence[float], under: Sequence[float]) -> Figure:
    """Return the figure of the ratios taken round by round."""
    return figure([a / b for a, b in zip(over, under, strict=True)])


def machine_states(times: Sequence[float]) -> list[str]:
    """Say of each of some times of the same work whether the machine was fast or slow, or "steady" of all.

    The logarithms are split in two where the sum of squares within the parts is least. The parts count as states if
    their medians differ by a quarter and none is a handful of outliers.
    """
    logarithms = np.log(np.asarray(times, dtype=float))
    ordered = np.sort(logarithms)
    if len(ordered) < 2:
        return ["steady"] * len(ordered)
    cut = min(range(1, len(ordered)), key=lambda i: _within(ordered[:i]) + _within(ordered[i:]))
    fast, slow = ordered[:cut], ordered[cut:]
    apart = np.median(slow) - np.median(fast) >= np.log(LEAST_FACTOR)
    if not apart or min(len(fast), len(slow)) < LEAST_SHARE * len(ordered):
        return ["steady"] * len(ordered)
    return ["fast" if value < slow[0] else "slow" for value in logarithms]


def _within(part: np.ndarray) -> float:
    return float(((part - part.mean()) ** 2).sum())
