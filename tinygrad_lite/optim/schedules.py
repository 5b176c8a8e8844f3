"""Schedules: the factor of the learning rate as a function of the epoch.

A schedule is a pure function, so that a run which is resumed needs the epoch and nothing else. Epochs are counted from
0 and have fractions: before batch 30 of the 100 of the third epoch, `epoch` is 2.3. With the rate α of the rule, the
step taken there has the rate α × schedule(2.3).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tinygrad_lite.errors import ArgumentError

ROUNDING = 1e-6
"""The part of an epoch that `epoch` may fall short of a whole number of periods, for fractions are rounded."""

Range: TypeAlias = tuple[Callable[[float], bool], str]
POSITIVE: Range = lambda number: 0 < number < math.inf, "be positive and finite"
DECAYING: Range = lambda number: 0 < number <= 1, "lie in (0, 1]"
FRACTION: Range = lambda number: 0 <= number <= 1, "lie in [0, 1]"


class Schedule(ABC):
    """What the learning rate is multiplied by, as a function of the epoch; a schedule of your own defines `__call__`.

    >>> from tinygrad_lite import optim
    >>> class InverseTime(optim.Schedule):
    ...     def __call__(self, epoch):
    ...         return 1 / (1 + epoch)
    >>> optim.WarmUp(2, then=InverseTime())(5)
    0.25
    """

    @abstractmethod
    def __call__(self, epoch: float) -> float:
        """Return the factor after `epoch` epochs, a number from 0 on that may have a fraction."""


@dataclass(frozen=True)
class Constant(Schedule):
    """The learning rate of the rule, unchanged: s(e) = 1.

    >>> from tinygrad_lite import optim
    >>> optim.Constant()(2.5)
    1.0
    """

    def __call__(self, epoch: float) -> float:
        return 1.0


@dataclass(frozen=True)
class StepDecay(Schedule):
    """A step down after every so many epochs: s(e) = factor^⌊e/every⌋ (as in He et al., 2016, with a factor of 0.1).

    >>> from tinygrad_lite import optim
    >>> schedule = optim.StepDecay(every=5, factor=0.5)
    >>> [schedule(epoch) for epoch in (0, 4.9, 5, 10)]
    [1.0, 1.0, 0.5, 0.25]
    """

    every: float
    factor: float

    def __post_init__(self) -> None:
        _check(self, every=POSITIVE, factor=DECAYING)
        if self.every < ROUNDING:
            raise ArgumentError(f"StepDecay: every must be at least {ROUNDING} epochs, got {self.every}")

    def __call__(self, epoch: float) -> float:
        return self.factor ** math.floor((epoch + ROUNDING) / self.every)


@dataclass(frozen=True)
class Exponential(Schedule):
    """The same factor for every epoch, without steps: s(e) = factor^e.

    >>> from tinygrad_lite import optim
    >>> schedule = optim.Exponential(factor=0.25)
    >>> [schedule(epoch) for epoch in (0, 0.5, 1, 2)]
    [1.0, 0.5, 0.25, 0.0625]
    """

    factor: float

    def __post_init__(self) -> None:
        _check(self, factor=DECAYING)

    def __call__(self, epoch: float) -> float:
        return float(self.factor**epoch)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a wave from 1 down to `final`: s(e) = f + (1 − f) (1 + cos(π e/E))/2, and f from E on.

    E is `epochs` and f is `final`; this is one period, without restart, of SGDR (Loshchilov and Hutter, 2017).

    >>> from tinygrad_lite import optim
    >>> schedule = optim.Cosine(epochs=20, final=0.5)
    >>> [round(schedule(epoch), 4) for epoch in (0, 10, 20, 30)]
    [1.0, 0.75, 0.5, 0.5]
    """

    epochs: float
    final: float = 0.0

    def __post_init__(self) -> None:
        _check(self, epochs=POSITIVE, final=FRACTION)

    def __call__(self, epoch: float) -> float:
        wave = (1 + math.cos(math.pi * min(epoch / self.epochs, 1.0))) / 2
        return self.final + (1 - self.final) * wave


@dataclass(frozen=True)
class WarmUp(Schedule):
    """A straight line from `start` up to another schedule's beginning, then that (gradual: Goyal et al., 2017).

    For e < E, with E for `epochs`, s(e) = start + (then(0) − start) e/E; from E on, s(e) = then(e − E). So `then`
    counts its epochs from the end of the warm-up: of 20 epochs, `WarmUp(5, then=Cosine(15))` uses them all.

    >>> from tinygrad_lite import optim
    >>> schedule = optim.WarmUp(5, then=optim.Cosine(15))
    >>> [round(schedule(epoch), 4) for epoch in (0, 1, 5, 12.5, 20)]
    [0.0, 0.2, 1.0, 0.5, 0.0]
    """

    epochs: float
    then: Schedule = Constant()  # a value without fields, which nothing can change
    start: float = 0.0

    def __post_init__(self) -> None:
        _check(self, epochs=POSITIVE, start=FRACTION)
        if not isinstance(self.then, Schedule):
            raise ArgumentError(f"WarmUp: then must be a schedule such as Cosine(15), got {self.then!r}")

    def __call__(self, epoch: float) -> float:
        if epoch < self.epochs:
            return self.start + (self.then(0) - self.start) * (epoch / self.epochs)
        return self.then(epoch - self.epochs)


def _check(schedule: Schedule, **ranges: Range) -> None:
    """Make the named fields floats, for a NumPy scalar would promote float32; raise ArgumentError for any other."""
    for name, (is_within, range_) in ranges.items():
        given = getattr(schedule, name)
        try:
            number = float(given)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not is_within(number):
            raise ArgumentError(f"{type(schedule).__name__}: {name} must {range_}, got {given!r}")
        object.__setattr__(schedule, name, number)
