"""What a training was when its objective was last finite, so that it can be put back there when it diverges.

A step that runs as it is written binds new arrays, and those of before are held. A program changes arrays in place, so
copies are made now and then, and the steps from there on are taken again: they depend on nothing but what was copied.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tinygrad_lite.nn import Module
from tinygrad_lite.optim import Optimizer
from tinygrad_lite.tensor import Array, wrap

STEPS_BETWEEN_COPIES = 100
"""After so many steps of programs another copy is made: what it costs is spread, and so much is to be done again."""


class Copy(NamedTuple):
    """A training as it was before a step."""

    epoch: int
    batch: int
    arrays: list[Array]
    generators: list[Any]


class GoingBack:
    """Follows a training step by step; `put_back` undoes the last step after which the objective was not finite.

    The step undone is that before, which led there: the objective was finite at the parameters that it began with.
    """

    def __init__(self, net: Module, optimizer: Optimizer) -> None:
        self._tensors = [tensor for _, tensor in net._named_tensors()] + list(optimizer._named_state().values())
        self._generators = [rng for _, rng in net.named_generators()]
        self.begin()

    def begin(self) -> None:
        """Take everything as it is for what to go back to."""
        self.hold()
        self._copy: Copy | None = None
        self._newest: Copy | None = None
        self._steps = 0

    # ----- Before and after steps -----

    def hold(self) -> None:
        """Keep everything as it is, before a step that runs as it is written and whose objective is finite."""
        self._held: Copy | None = Copy(0, 0, [tensor._array for tensor in self._tensors], self._states())

    def before_program(self, epoch: int, batch: int, *, always: bool) -> None:
        """Make a copy before the step that a program takes on a batch, if it is time to, or `always`."""
        if always or self._held is not None or batch % STEPS_BETWEEN_COPIES == 0:
            self._newest = Copy(epoch, batch, [tensor.numpy() for tensor in self._tensors], self._states())

    def after_program(self) -> None:
        """Take note that a program has taken a step, and that the objective before it was finite."""
        self._held = None
        if self._newest is not None:
            self._copy, self._newest, self._steps = self._newest, None, 0
        self._steps += 1

    # ----- Back -----

    def undo(self) -> None:
        """Undo the step that a copy was made before."""
        assert self._newest is not None
        self._restore(self._newest)
        self._newest = None

    def put_back(self) -> tuple[int, int, int]:
        """Go back as far as is known; return the epoch, the batch, and how many steps are to be taken again there."""
        if self._held is not None:
            self._restore(self._held)
            return 0, 0, 0
        assert self._copy is not None
        self._restore(self._copy)
        return self._copy.epoch, self._copy.batch, self._steps - 1

    def _restore(self, copy: Copy) -> None:
        for tensor, array in zip(self._tensors, copy.arrays, strict=True):
            tensor.assign(wrap(array, None))
        for rng, state in zip(self._generators, copy.generators, strict=True):
            rng.bit_generator.state = state

    def _states(self) -> list[Any]:
        return [rng.bit_generator.state for rng in self._generators]
