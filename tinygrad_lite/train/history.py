"""What a training run measured, epoch by epoch."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.files import replacing


@dataclass
class History:
    """One row of figures an epoch; `history["loss"]` is a column.

    A row has `epoch` (from 1), `loss` (the objective over the epoch's batches as they were trained on), one figure for
    each of its terms when there are several, `accuracy` where the targets are classes, and the same with the prefix
    `validation_` for rows held out, measured at the end of the epoch. Where `fit` was asked for it there are
    `gradient_norm.` and the name of each parameter (the mean over the batches), and `learning_rate` under a schedule.

    >>> history = History()
    >>> history.rows.append({"epoch": 1, "loss": 0.5})
    >>> history["loss"]
    [0.5]
    """

    rows: list[dict[str, float]] = field(default_factory=list)

    def __getitem__(self, column: str) -> list[float]:
        return [row[column] for row in self.rows]

    def __contains__(self, column: object) -> bool:
        return bool(self.rows) and column in self.rows[0]

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        """Show the figures as a table, one line an epoch."""
        if not self.rows:
            return "no epochs"
        heads = [column.replace("_", " ") for column in self.rows[0]]
        lines = ["  ".join(f"{head:>10}" for head in heads)]
        for row in self.rows:
            cells = (f"{value:>{max(10, len(head))}.5g}" for head, value in zip(heads, row.values(), strict=True))
            lines.append("  ".join(cells))
        return "\n".join(lines)

    @property
    def last(self) -> dict[str, float]:
        """The figures of the last epoch."""
        return self.rows[-1]

    def best_row(self, column: str, *, largest: bool = False) -> int:
        """Return the number, from 0, of the row where `column` is smallest, or largest; the first of equal ones.

        What is not a number is never the best. Raises ArgumentError, naming the columns, if there is no such column.

        >>> History([{"loss": 0.5}, {"loss": 0.3}, {"loss": 0.3}]).best_row("loss")
        1
        """
        if column not in self:
            known = ", ".join(self.rows[0]) if self.rows else "no epoch yet"
            raise ArgumentError(f"the history has no column {column!r}; it has {known}")
        values, sign = self[column], -1 if largest else 1
        return min(range(len(values)), key=lambda i: (math.isnan(values[i]), sign * values[i]))

    def save(self, path: str | os.PathLike[str]) -> Path:
        r"""Write the figures to `path`: a table with one line an epoch as .csv, a list of objects as .json.

        Numbers keep all their digits. JSON has no infinity, so what is not finite is null there. Raises ArgumentError
        for another suffix.

        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     History([{"epoch": 1, "loss": 0.5}]).save(pathlib.Path(folder) / "history.csv").read_text()
        'epoch,loss\n1,0.5\n'
        """
        path = Path(path)
        if path.suffix not in (".csv", ".json"):
            raise ArgumentError(f"a history is written as .csv or .json, not as {path.name!r}")
        text = self._as_csv() if path.suffix == ".csv" else self._as_json()
        with replacing(path) as file:
            file.write(text.encode())
        return path

    def _as_csv(self) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]) if self.rows else ["epoch"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def _as_json(self) -> str:
        finite = [
            {column: value if math.isfinite(value) else None for column, value in row.items()} for row in self.rows
        ]
        return json.dumps(finite, indent=1, allow_nan=False) + "\n"
