"""Progress on stderr: a bar on a terminal or in a notebook, a line an epoch in a pipe or in CI."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

from tinygrad_lite.errors import MissingDependencyError

FIGURES = ("loss", "accuracy", "validation_loss", "validation_accuracy")
"""The figures of an epoch that a line has room for."""

WIDE = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}{postfix}]"
NARROW = "{l_bar}{bar}| {rate_noinv_fmt}, {remaining} left{postfix}"
ROOM_FOR_WIDE = 95
"""The columns that a bar needs to show everything; on 80 the accuracy would be cut off, so it shows less."""


class Progress:
    """Follows a training run: told of every batch and every epoch, it shows what there is a screen for.

    `rows` is the number of rows of an epoch; a run that was resumed has done `done_epochs` epochs and `done_rows` rows
    of the next. A bar needs tqdm, or raises MissingDependencyError; lines need nothing. `NO_COLOR` and `TERM=dumb` are
    heeded, and `COLUMNS`. `clock` gives the time in seconds.

    >>> with Progress(epochs=1, rows=100, shown=False) as progress:
    ...     progress.batch_done(100, loss=0.5, accuracy=0.9)
    ...     progress.epoch_done({"loss": 0.5, "accuracy": 0.9})
    """

    def __init__(
        self,
        epochs: int,
        rows: int,
        *,
        shown: bool,
        done_epochs: int = 0,
        done_rows: int = 0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._epochs, self._rows, self._clock = epochs, rows, clock
        self._shown = shown and sys.stderr is not None
        self._done_epochs, self._done_rows = done_epochs, done_rows
        self._loss: float | None = None
        self._accuracy: float | None = None
        self._bar: Any = None  # tqdm has no types

    def __enter__(self) -> Self:
        if self._shown:
            self._bar = self._open_bar()
        self._start_epoch()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def batch_done(self, rows: int, loss: float | None, accuracy: float | None) -> None:
        """Count the rows of a batch; `loss` and `accuracy` are means of the epoch so far, None where there is none."""
        if self._shown:
            self._loss, self._accuracy = loss, accuracy
            self._rows_since += rows
            self._last = self._clock()
            if self._bar is not None:
                self._bar.update(rows)

    def epoch_done(self, row: dict[str, float]) -> None:
        """Go on to the next epoch, with a line of the figures of this one where there is no bar."""
        self._done_epochs += 1
        if self._bar is not None:
            self._bar.set_description(self._epoch_under_way(), refresh=False)
        elif self._shown:
            parts = [f"{name.replace('_', ' ')} {_number(row[name])}" for name in FIGURES if name in row]
            seconds = self._last - self._since
            if seconds > 0:
                parts.append(f"{_speed(self._rows_since / seconds)} rows/s")
            sys.stderr.write(f"epoch {self._done_epochs}/{self._epochs}: {', '.join(parts)}\n")
        self._start_epoch()

    def _start_epoch(self) -> None:
        """Measure the speed from here to the last batch, so that validation does not count."""
        self._rows_since, self._since = 0, self._clock()
        self._last = self._since

    def _epoch_under_way(self) -> str:
        return f"epoch {min(self._done_epochs + 1, self._epochs)}/{self._epochs}"

    def _live_figures(self) -> str:
        figures = {"loss": self._loss, "accuracy": self._accuracy}
        return ", ".join(f"{name} {_number(value)}" for name, value in figures.items() if value is not None)

    def _open_bar(self) -> Any:
        """Return a bar for the notebook or the terminal we run in, None where lines are to be written."""
        if _is_notebook():
            if find_spec("ipywidgets") is None:
                return None
            options: dict[str, Any] = {"dynamic_ncols": True}
        elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            options = _options_of_a_terminal()
        else:
            return None
        return _bar_showing(self._live_figures)(
            desc=self._epoch_under_way(),
            total=self._epochs * self._rows,
            initial=self._done_epochs * self._rows + self._done_rows,
            unit=" rows",
            unit_scale=True,
            file=sys.stderr,
            **options,
        )


def _bar_showing(live_figures: Callable[[], str]) -> Any:
    """Return a class of tqdm's bars that asks for the figures when it is drawn, for a batch has no time to format."""
    try:
        if _is_notebook():
            from tqdm.notebook import tqdm
        else:
            from tqdm import tqdm
    except ImportError as problem:
        raise MissingDependencyError(
            "the progress bar needs tqdm: pip install 'tinygrad-lite[train]', or pass progress=False"
        ) from problem

    class Bar(tqdm):  # type: ignore[misc]  # tqdm has no types
        @property
        def format_dict(self) -> dict[str, Any]:
            known: dict[str, Any] = super().format_dict
            columns = known["ncols"]
            is_narrow = isinstance(columns, int) and columns < ROOM_FOR_WIDE
            return known | {"bar_format": NARROW if is_narrow else WIDE, "postfix": live_figures()}

    return Bar


def _options_of_a_terminal() -> dict[str, Any]:
    options: dict[str, Any] = {"colour": None if os.environ.get("NO_COLOR") else "green"}
    columns = _fixed_columns()
    if columns is None:
        return options | {"dynamic_ncols": True}
    return options | {"ncols": columns - 1, "nrows": 24}  # the last column is left free, as tqdm does


def _fixed_columns() -> int | None:
    """Return how wide the bar is to be, None to ask the terminal whenever it is drawn."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 1:
        return int(columns)
    try:
        size = os.get_terminal_size(sys.stderr.fileno())
    except OSError:
        return None
    return None if all(size) else 80  # a pseudo-terminal may have no size, and tqdm would show nothing, or hang


def _is_notebook() -> bool:
    """Return whether this is a kernel of Jupyter, or of Colab, whose shell derives from Jupyter's."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


def _number(value: float) -> str:
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"


def _speed(rate: float) -> str:
    """Return a rate in three digits, with k for thousands and so on.

    >>> _speed(41234.0)
    '41.2k'
    """
    for prefix in ("", "k", "M"):
        if rate < 999.5:
            return f"{rate:.3g}{prefix}"
        rate /= 1000
    return f"{rate:.3g}G"
