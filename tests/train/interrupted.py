"""Trainings that are interrupted in the middle of an epoch, and a network that draws random numbers."""

from __future__ import annotations

from contextlib import AbstractContextManager
from unittest import mock

import numpy as np

from tinygrad_lite import Tensor, nn, normal, uniform
from tinygrad_lite.data import mini_batches
from tinygrad_lite.train import training
from tinygrad_lite.train.generators import state_of


class Interruption(BaseException):
    """What ends a training in the middle of it, as Ctrl-C does."""


def interruption(after: int) -> AbstractContextManager[object]:
    """Return a context in which trainings break off after so many batches in all."""
    left = iter(range(after))

    def batches(*given, **named):
        for batch in mini_batches(*given, **named):
            if next(left, None) is None:
                raise Interruption
            yield batch

    return mock.patch.object(training, "mini_batches", batches)


class Noisy(nn.Module):
    """A classifier of points whose hidden values are dropped and shifted at random, from generators of two kinds."""

    def __init__(self, seed: int = 0, dtype: type = np.float32, kind: type = np.random.MT19937):
        self.first, self.last = nn.Linear(2, 6, rng=seed, dtype=dtype), nn.Linear(6, 3, rng=seed + 1, dtype=dtype)
        self.drops, self.noise = np.random.default_rng(seed), np.random.Generator(kind(seed))
        self.calls = Tensor(0)

    def forward(self, x):
        hidden = np.tanh(self.first(x))
        self.calls.assign(self.calls + 1)
        kept = uniform(hidden.shape, rng=self.drops, dtype=np.float32) < 0.8
        noise = normal(hidden.shape, rng=self.noise, std=0.1)
        return self.last(hidden * kept.astype(hidden.dtype) + noise.astype(hidden.dtype))


class NoisyByNumPy(Noisy):
    """The same with random numbers that NumPy draws and a number of Python's, which no program can do again."""

    def forward(self, x):
        hidden = np.tanh(self.first(x))
        self.calls.assign(self.calls.item() + 1)
        kept = (self.drops.random(hidden.shape, dtype=np.float32) < 0.8).astype(hidden.dtype)
        return self.last(hidden * kept + self.noise.normal(0, 0.1, hidden.shape).astype(hidden.dtype))


def everything_of(one: training.Training) -> list[object]:
    """Return all that a checkpoint is to keep, exactly, in a form that can be compared."""
    tensors = [
        (name, array.dtype.str, array.shape, array.tobytes())
        for state in (one.net.state_dict(), one.optimizer.state_dict())
        for name, array in state.items()
    ]
    generators = [(name, state_of(rng)) for name, rng in one.net.named_generators()]
    figures = [repr(row) for row in one.history.rows], repr(one.sums)
    return [tensors, generators, figures, one.epoch, one.batch, one.seen, one.stopped]
