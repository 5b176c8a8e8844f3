"""The results of a sweep as tables and a picture."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinygrad_lite.files import replacing
from tinygrad_lite.train import save_sweep
from tinygrad_lite.train.plots.sweep import MOST_COMBINATIONS

MEASURES = (
    "epochs",
    "loss",
    "accuracy",
    "validation_loss",
    "validation_accuracy",
    "test_loss",
    "test_cross_entropy",
    "test_accuracy",
    "test_faults",
)


@dataclass(frozen=True)
class SweepResults:
    """A row a run: its settings by their paths, `seed`, how it ended, and what was measured (None if it failed)."""

    settings: tuple[str, ...]
    """The paths that the sweep sets, but for the seed."""
    rows: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, runs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> SweepResults:
        """Return the results of runs, each given by its settings and by the content of its `result.json` or failure."""
        paths = dict.fromkeys(path for settings, _ in runs for path in settings if path != "train.seed")
        rows = [
            {path: _cell(settings.get(path)) for path in paths}
            | {"seed": settings.get("train.seed"), "status": _status(kept)}
            | _measured(kept)
            for settings, kept in runs
        ]
        used = [name for name in MEASURES if any(row[name] is not None for row in rows)]
        shown = (*paths, "seed", "status", *used)
        return cls(tuple(paths), tuple({name: row[name] for name in shown} for row in rows))

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The rows of runs that did not end well."""
        return [row for row in self.rows if row["status"] != "done"]

    @property
    def measure(self) -> str:
        """The column that says how good a run is."""
        return "test_accuracy" if self.rows and "test_accuracy" in self.rows[0] else "test_loss"

    def grouped(self) -> list[tuple[tuple[Any, ...], list[dict[str, Any]]]]:
        """Return the rows of each combination of settings together, whatever their seeds."""
        groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for row in self.rows:
            groups.setdefault(tuple(row[path] for path in self.settings), []).append(row)
        return list(groups.items())

    def save(self, folder: Path) -> None:
        """Write `results.csv`, `results.md`, and `results.png` and `.svg` where a picture has something to show."""
        for name, text in (("results.csv", self.as_csv()), ("results.md", self.as_markdown())):
            with replacing(folder / name) as file:
                file.write(text.encode())
        measured = any(row.get(self.measure) is not None for row in self.rows)
        for path in (folder / "results.png", folder / "results.svg"):
            if measured and len(self.grouped()) <= MOST_COMBINATIONS:
                save_sweep(self.rows, self.measure, path, settings=self.settings)
            else:
                path.unlink(missing_ok=True)  # of a sweep that had something to show

    def as_csv(self) -> str:
        """Return the rows as CSV, numbers with all their digits."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def as_markdown(self) -> str:
        """Return a table with a line a combination of settings: the mean over its seeds, and least … most."""
        measures = [name for name in ("test_accuracy", "test_faults", "test_loss", "loss") if name in self.rows[0]]
        heads = [*self.settings, "runs", "failed", *measures]
        lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        for values, rows in self.grouped():
            failed = sum(row["status"] != "done" for row in rows)
            cells = [
                *("" if value is None else str(value) for value in values),
                str(len(rows)),
                str(failed or ""),
                *(_spread(rows, name) for name in measures),
            ]
            lines.append(f"| {' | '.join(map(_escaped, cells))} |")
        return "\n".join(lines) + "\n"


def _escaped(cell: str) -> str:
    """Return a text as a cell of a Markdown table."""
    return re.sub(r"([\\|])", r"\\\1", cell)


def _cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def _status(kept: Mapping[str, Any]) -> str:
    return f"{kept['error']}: {kept['message']}" if "error" in kept else "done"


def _measured(kept: Mapping[str, Any]) -> dict[str, Any]:
    last, test = kept.get("last", {}), kept.get("test", {})
    found = {
        name: test.get(name.removeprefix("test_")) if name.startswith("test_") else last.get(name) for name in MEASURES
    }
    return found | {"epochs": kept.get("epochs")}


def _spread(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    """Return the mean of a measure over the runs that have it, and its least and most if they differ."""
    values = [row[name] for row in rows if row[name] is not None]
    if not values:
        return ""
    mean = math.fsum(values) / len(values)
    return f"{mean:.4g}" if min(values) == max(values) else f"{mean:.4g} ({min(values):.4g} … {max(values):.4g})"
