"""What a gradient check found: a row a parameter, printed as a table that says what is wrong and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tinygrad_lite.errors import GradientMismatchError


@dataclass(frozen=True)
class Row:
    """What was found for one parameter.

    `max_abs_error` and `max_rel_error` hold the handwritten gradient against the automatic one, relative to the
    largest of either; None where no handwritten gradient was given. `numeric_abs_error` holds the automatic gradient
    against the numeric one, over the `entries_checked` of `entries`. `values` are the (handwritten, automatic,
    numeric) ones at `worst_index`, where the disagreement is largest.
    """

    name: str
    status: Literal["agrees", "differs"]
    entries: int
    entries_checked: int
    max_abs_error: float | None
    max_rel_error: float | None
    numeric_abs_error: float
    worst_index: tuple[int, ...]
    values: tuple[float | None, float, float]

    @property
    def agrees(self) -> bool:
        """Whether all gradients of this parameter agree."""
        return self.status == "agrees"


@dataclass(frozen=True)
class GradientReport:
    """The rows of a check; truthy when all agree, and printed as a table."""

    rows: tuple[Row, ...]
    tolerance: str
    """What counted as agreement, in words."""

    def __bool__(self) -> bool:
        return all(row.agrees for row in self.rows)

    def raise_if_wrong(self) -> None:
        """Raise GradientMismatchError with the table if any gradient differs."""
        __tracebackhide__ = True  # pytest shows the line of the test and the table
        if not self:
            raise GradientMismatchError(str(self))

    def __str__(self) -> str:
        width = max(len("parameter"), *(len(row.name) for row in self.rows))
        lines = [
            f"{'parameter':<{width}}  {'entries':>8}  {'by hand − automatic':^21}  {'automatic − numeric':^21}",
            f"{'':<{width}}  {'':>8}  {'largest':>10} {'relative':>10}  {'largest':>10} {'checked':>10}",
        ]
        lines += [
            f"{row.name:<{width}}  {row.entries:>8,}  {_figure(row.max_abs_error)} {_figure(row.max_rel_error)}  "
            f"{_figure(row.numeric_abs_error)} {row.entries_checked:>10,}  {row.status}"
            for row in self.rows
        ]
        lines += [_where(row) for row in self.rows if not row.agrees]
        verdict = "all gradients agree" if self else "some gradients differ"
        return "\n".join(line.rstrip() for line in [*lines, f"{verdict}; {self.tolerance}"])

    def __repr__(self) -> str:
        wrong = [_where(row) for row in self.rows if not row.agrees]
        return f"<GradientReport: {'; '.join(wrong) or f'all {len(self.rows)} gradients agree'}>"


def _figure(value: float | None) -> str:
    return f"{'–':>10}" if value is None else f"{value:>10.2e}"


def _where(row: Row) -> str:
    by_hand, automatic, numeric = row.values
    hand = "" if by_hand is None else f"by hand {by_hand:.9g}, "
    index = ", ".join(map(str, row.worst_index))
    return f"{row.name} differs most at [{index}]: {hand}automatic {automatic:.9g}, numeric {numeric:.9g}"
