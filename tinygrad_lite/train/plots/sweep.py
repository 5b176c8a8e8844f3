"""What came out of every combination of settings that was tried."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.train.plots.drawing import COLOURS, MARKERS, needs_logarithm, new_figure, plain, save_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COMBINATIONS = 400
SEED = "seed"

Row = Mapping[str, object]


@dataclass(frozen=True)
class Combination:
    """One combination of settings, what was measured in it, seed by seed, and how many runs gave no figure."""

    settings: tuple[str, ...]
    values: tuple[float, ...]
    failed: int

    @property
    def mean(self) -> float:
        """The mean over the runs that gave a figure; −∞ if none did, so that it sorts below."""
        return statistics.fmean(self.values) if self.values else -math.inf

    @property
    def summary(self) -> str:
        """What stands at the right of the combination."""
        runs = len(self.values) + self.failed
        if not self.values:
            return "failed" if runs == 1 else f"all {runs} failed"
        return f"{self.mean:#.4g}" + (f"  ({self.failed} of {runs} failed)" if self.failed else "")


def save_sweep(
    rows: Sequence[Row], measure: str, path: str | os.PathLike[str], *, settings: Sequence[str] | None = None
) -> Path:
    """Draw `measure` for every combination of settings: the mean over seeds as a dot, smallest to largest as a line.

    A row is what one run declared and measured: its settings, `seed`, and its measures. `settings` names the columns
    that hold settings; without it they are those before `seed`. Combinations are sorted, the largest mean on top. Runs
    whose measure is None, nan or infinite have failed; they are counted at the right, and a cross marks a combination
    in which every run has.
    Raises ArgumentError if there are no rows, if nothing was measured, for columns that are not there, or a suffix
    other than .png, .svg, .pdf.

    >>> import pathlib, tempfile
    >>> rows = [{"lr": lr, "seed": seed, "accuracy": 0.9 - lr + seed / 100} for lr in (0.1, 0.2) for seed in (0, 1)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_sweep(rows, "accuracy", pathlib.Path(folder) / "sweep.png").stat().st_size > 1000
    True
    """
    return save_picture(lambda: draw_sweep(rows, measure, settings=settings), path)


def draw_sweep(rows: Sequence[Row], measure: str, *, settings: Sequence[str] | None = None) -> Figure:
    """Return the figure that `save_sweep` writes."""
    names = _setting_names(rows, measure, settings)
    combined = combinations(rows, measure, names)
    if len(combined) > MOST_COMBINATIONS:
        raise ArgumentError(
            f"{len(combined)} combinations do not fit into a picture of at most {MOST_COMBINATIONS}; draw a part of "
            "the rows, or name fewer columns as settings"
        )
    found = [value for combination in combined for value in combination.values]
    varied = [i for i in range(len(names)) if len({combination.settings[i] for combination in combined}) > 1]
    labels = _aligned([[plain(names[i]) for i in varied], *([c.settings[i] for i in varied] for c in combined)])
    summaries = [combination.summary for combination in combined]
    figure = new_figure(5.5 + 0.075 * (len(labels[0]) + max(map(len, summaries))), 1.7 + 0.21 * len(combined))
    axes = figure.subplots()
    if needs_logarithm(found):
        axes.set_xscale("log")
    by = _coloured_by(combined, varied)
    kinds = ["" if by is None else combination.settings[by] for combination in combined]
    _draw_dots(axes, combined, kinds)
    if by is not None:
        _draw_legend(figure, plain(names[by]), kinds)
    _label_rows(axes, labels, summaries)
    axes.set_xlabel(f"{plain(measure, 60)}: mean over seeds, smallest to largest")
    fixed = [f"{plain(name)} = {combined[0].settings[i]}" for i, name in enumerate(names) if i not in varied]
    if fixed:
        axes.set_title(_wrapped(fixed, 80), fontsize=8, loc="left")
    return figure


def combinations(rows: Sequence[Row], measure: str, settings: Sequence[str]) -> list[Combination]:
    """Return what was measured in each combination of `settings`, smallest mean first and failed ones before.

    >>> combinations([{"lr": 0.1, "loss": 1.0}, {"lr": 0.1, "loss": None}], "loss", ["lr"])
    [Combination(settings=('0.1',), values=(1.0,), failed=1)]
    """
    measured: dict[tuple[str, ...], list[float | None]] = {}
    for row in rows:
        key = tuple(_written(row.get(name)) for name in settings)
        measured.setdefault(key, []).append(_number(row.get(measure), measure))
    found = [
        Combination(key, tuple(value for value in values if value is not None), values.count(None))
        for key, values in measured.items()
    ]
    return sorted(found, key=lambda combination: combination.mean)


def _setting_names(rows: Sequence[Row], measure: str, settings: Sequence[str] | None) -> list[str]:
    """Return the columns that hold settings, having looked whether the rows can be drawn."""
    if not rows:
        raise ArgumentError("there is nothing to draw: the sweep has no rows")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if measure not in columns:
        raise ArgumentError(f"the rows have no column {measure!r}; they have {', '.join(columns)}")
    if all(_number(row.get(measure), measure) is None for row in rows):
        raise ArgumentError(f"there is nothing to draw: no run gave a {measure!r}")
    if settings is None:
        if SEED not in columns:
            raise ArgumentError(f"the rows have no column {SEED!r} that would end the settings; name them in settings=")
        settings = columns[: columns.index(SEED)]
    unknown = [name for name in settings if name not in columns]
    if unknown:
        raise ArgumentError(f"the rows have no column {unknown[0]!r}; they have {', '.join(columns)}")
    return [name for name in settings if name not in (SEED, measure)]


def _number(value: object, measure: str) -> float | None:
    """Return a measured value as a finite float, None for a run that failed."""
    if value is None:
        return None
    try:
        number = float(value)  # type: ignore[arg-type]  # what cannot be converted is refused below
    except (TypeError, ValueError) as problem:
        raise ArgumentError(f"{measure!r} must be numbers, or None for runs that failed, got {value!r}") from problem
    return number if math.isfinite(number) else None


def _written(setting: object) -> str:
    return f"{setting:.10g}" if isinstance(setting, float) else plain(setting, 28)


def _aligned(table: list[list[str]]) -> list[str]:
    """Return the rows of a table with their columns below each other in a font of one width."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in table]


def _coloured_by(combined: Sequence[Combination], varied: Sequence[int]) -> int | None:
    """Return which of the settings that vary has the fewest values, if there are colours for so few."""
    counts = {i: len({combination.settings[i] for combination in combined}) for i in varied}
    fewest = min(counts, key=lambda i: counts[i], default=None)
    return fewest if fewest is not None and counts[fewest] <= len(COLOURS) else None


def _draw_dots(axes: Axes, combined: Sequence[Combination], kinds: Sequence[str]) -> None:
    """Draw a dot and a line for each combination, or a cross; `kinds` says which of the looks each has."""
    looks = _looks(kinds)
    for place, (combination, kind) in enumerate(zip(combined, kinds, strict=True)):
        colour, marker = looks[kind]
        if combination.values:
            axes.plot([min(combination.values), max(combination.values)], [place, place], color=colour, linewidth=2)
            axes.plot(combination.mean, place, color=colour, marker=marker, markersize=6)
        else:
            axes.plot(0.01, place, color=colour, marker="x", transform=axes.get_yaxis_transform())


def _draw_legend(figure: Figure, title: str, kinds: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    looks = _looks(kinds)
    fitting = int(figure.get_figwidth() / (0.7 + 0.08 * max(map(len, looks))))
    lines = [Line2D([], [], color=colour, marker=marker, label=kind) for kind, (colour, marker) in looks.items()]
    columns = max(1, min(fitting, len(lines)))
    figure.legend(handles=lines, title=title, loc="outside upper right", ncols=columns, fontsize=8)


def _looks(kinds: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each of at most as many kinds as there are colours."""
    return {kind: (COLOURS[i], MARKERS[i % len(MARKERS)]) for i, kind in enumerate(sorted(set(kinds), key=_in_order))}


def _in_order(setting: str) -> tuple[bool, float, str]:
    try:
        return False, float(setting), setting
    except ValueError:
        return True, 0.0, setting


def _label_rows(axes: Axes, labels: Sequence[str], summaries: Sequence[str]) -> None:
    """Write the settings at the left, below their names, and the means at the right."""
    count = len(summaries)
    right = axes.twinx()
    for side, texts in ((axes, [*labels[1:], labels[0]]), (right, [*summaries, "mean"])):
        side.set_ylim(-0.7, count + 0.5)
        side.set_yticks(range(count + 1), texts, family="monospace", fontsize=8)
        side.tick_params(axis="y", length=0)
        side.get_yticklabels()[-1].set_fontweight("bold")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)


def _wrapped(parts: Sequence[str], width: int) -> str:
    """Return the parts with commas between them on lines of about `width` characters."""
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += (", " if lines[-1] else "") + part
    return "\n".join(lines)
