"""Progress on stderr: a bar on a terminal, a line an epoch in a pipe or in CI."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from tinygrad_lite.errors import MissingDependencyError

FIGURES = ("loss", "accuracy", "validation_loss", "validation_accuracy")
"""The figures of an epoch that a line has room for."""


class Progress:
    """Follows a training run: told of every batch and every epoch, it shows what there is a screen for.

    >>> with Progress(epochs=1, batches=1, shown=False) as bar:
    ...     bar.batch_done(loss=0.5)
    ...     bar.epoch_done({"loss": 0.5})
    """

    def __init__(self, epochs: int, batches: int, shown: bool) -> None:
        self._epochs, self._batches, self._shown = epochs, batches, shown
        self._is_terminal = shown and sys.stderr.isatty()
        self._done = 0
        self._bar: Any = None  # tqdm has no types

    def __enter__(self) -> Self:
        if self._is_terminal:
            self._bar = _bar(self._epochs * self._batches)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def batch_done(self, loss: float) -> None:
        """Move the bar on by one batch and show the mean objective of the epoch so far."""
        if self._bar is not None:
            self._bar.update()
            self._bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)

    def epoch_done(self, row: dict[str, float]) -> None:
        """Show the figures of the epoch: beside the bar, or as a line where there is none."""
        self._done += 1
        if self._bar is not None:
            self._bar.set_description(f"epoch {self._done}/{self._epochs}")
        elif self._shown:
            shown = [f"{name.replace('_', ' ')} {row[name]:.4f}" for name in FIGURES if name in row]
            sys.stderr.write(f"epoch {self._done}/{self._epochs}: {', '.join(shown)}\n")


def _bar(total: int) -> Any:
    try:
        from tqdm import tqdm
    except ImportError as problem:
        raise MissingDependencyError(
            "the progress bar needs tqdm: pip install 'tinygrad-lite[train]', or pass progress=False"
        ) from problem
    return tqdm(total=total, unit="batch", file=sys.stderr, dynamic_ncols=True)
