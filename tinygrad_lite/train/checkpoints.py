"""Where and when a training is kept, so that it can go on from there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tinygrad_lite.data.batches import whole_number
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.files import locked, remove_unfinished, replacing
from tinygrad_lite.train.stopping import is_best
from tinygrad_lite.train.training import Training

LAST, BEST = "last.safetensors", "best.safetensors"


@dataclass(frozen=True)
class Checkpoints:
    """Keep a training in `folder`: as it was last in `last.safetensors`, at its best epoch in `best.safetensors`.

    `last` is written after every epoch, and every `every_batches` batches as well if that is given; `best` after an
    epoch that is the best so far in the column `best` of the history (without one `validation_loss`, or `loss` where
    nothing is held out). `experiment` is a text kept inside, such as the declaration that the training came from.

    >>> import numpy as np, tempfile, tinygrad_lite as tg
    >>> from tinygrad_lite import nn, optim
    >>> def weights_after(epochs, folder):
    ...     net = nn.MLP([2, 4, 2], rng=0)
    ...     history = tg.fit(net, nn.CrossEntropy(), optim.Adam(), train=(np.eye(2), np.arange(2)), epochs=epochs,
    ...                      checkpoints=folder, resume=True, progress=False)
    ...     return net.layers[0].weight.numpy()
    >>> with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
    ...     first = weights_after(2, one)  # and from there to the fourth epoch
    ...     bool(np.array_equal(weights_after(4, one), weights_after(4, other)))
    True
    """

    folder: str | os.PathLike[str]
    every_batches: int | None = None
    best: str | None = None
    experiment: str = ""

    def __post_init__(self) -> None:
        if self.every_batches is not None:
            object.__setattr__(self, "every_batches", whole_number("every_batches", self.every_batches, at_least=1))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make the folder and wait until no other process keeps a training there."""
        Path(self.folder).mkdir(parents=True, exist_ok=True)
        with locked(self.folder):
            yield

    def begin(self, training: Training, resume: bool) -> None:
        """Put the training where the last checkpoint in the folder was, if there is one and it is to resume from it.

        Raises ArgumentError if there is one and the training is not to resume, which would overwrite it, and for a
        column that will not be measured.
        """
        training.check_column(self.best)
        from tinygrad_lite.train.checkpoint_file import load_checkpoint

        folder = Path(self.folder)
        remove_unfinished(folder)
        if os.path.lexists(folder / LAST):
            if not resume:
                raise ArgumentError(
                    f"{os.fspath(folder)!r} holds the checkpoint of an earlier training; "
                    "go on from it with resume=True, or choose another folder"
                )
            load_checkpoint(training, folder / LAST)

    def batch_done(self, training: Training) -> None:
        """Keep the training as it is in the middle of an epoch, if it is time to."""
        if self.every_batches and training.batch % self.every_batches == 0:
            self._write(self._content(training), LAST)

    def epoch_done(self, training: Training) -> None:
        """Keep the training at the end of an epoch, as the best as well if it is."""
        # The best first: killed between the two, the training goes on from the epoch before and writes both again.
        content = self._content(training)
        if is_best(self.best, training.history, training.objective):
            self._write(content, BEST)
        self._write(content, LAST)

    def _content(self, training: Training) -> bytes:
        from tinygrad_lite.train.checkpoint_file import checkpoint_of

        return checkpoint_of(training, self.experiment)

    def _write(self, content: bytes, name: str) -> None:
        with replacing(Path(self.folder) / name) as file:
            file.write(content)
