"""`Plan`: how a network is trained, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass

from tinygrad_lite.data.batches import whole_number
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.optim import Schedule
from tinygrad_lite.optim.clipping import positive_limit
from tinygrad_lite.train.stopping import EarlyStopping


@dataclass(frozen=True)
class Plan:
    """How a network is trained: everything about `fit` that is neither network, objective, rule nor data."""

    epochs: int
    batch_size: int = 100
    seed: int = 0
    schedule: Schedule | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    gradient_norms: bool = False
    early_stopping: EarlyStopping | None = None
    compiled: bool = True

    def __post_init__(self) -> None:
        # As Python's own numbers, so that equal settings are told to be equal when a checkpoint is resumed.
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), at_least=least))
        for name in ("clip_norm", "clip_value"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, positive_limit(name, getattr(self, name)))
        if not isinstance(self.schedule, Schedule | None):
            raise ArgumentError(f"schedule must be optim.Cosine(20) or the like, or None, got {self.schedule!r}")
        if not isinstance(self.early_stopping, EarlyStopping | None):
            raise ArgumentError(f"early_stopping must be train.EarlyStopping(...) or None, got {self.early_stopping!r}")
        if not isinstance(self.compiled, bool):
            raise ArgumentError(f"compiled must be True or False, got {self.compiled!r}")
