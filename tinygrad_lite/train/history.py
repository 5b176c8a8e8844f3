"""What a training run measured, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """One row of figures an epoch; `history["loss"]` is a column.

    A row has `epoch` (from 1), `loss` (the objective over the epoch's batches as they were trained on), one figure for
    each of its terms when there are several, `accuracy` where the targets are classes, and the same with the prefix
    `validation_` for rows held out, measured at the end of the epoch.

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
