"""What a gradient check found: a row a parameter, printed as a table that says what is wrong, where, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tinygrad_lite.errors import GradientMismatchError

Status: TypeAlias = Literal["agrees", "differs", "vacuous", "kink", "undetectable"]


@dataclass(frozen=True)
class Cause:
    """A mistake that explains why a handwritten gradient differs; as text it begins with its slug.

    >>> str(Cause("scale", 2.0, 1e-16, "w1", "divide it by 2"))
    'scale (× 2) in w1: divide it by 2'
    """

    slug: str
    """The kind of mistake, such as `batch-mean`; `unknown` if none of those known explains the difference."""
    factor: float | None
    """By how much what is wrong is too large, where that is the mistake."""
    residual: float
    """What remains unexplained, relative to the largest value."""
    where: str
    """The parameter or the step of the derivation."""
    correction: str
    """What to write instead."""

    def __str__(self) -> str:
        digits = 6 if self.factor is None or abs(self.factor - 1) > 1e-4 else 15
        factor = "" if self.factor is None else f" (× {self.factor:.{digits}g})"
        return f"{self.slug}{factor} in {self.where}: {self.correction}"


@dataclass(frozen=True)
class Row:
    """What was found for one parameter, or for one value named in the function.

    `max_abs_error` and `max_rel_error` hold the handwritten gradient against the automatic one, relative to the
    largest of either; None where no handwritten gradient was given, infinite where its shape does not fit.
    `numeric_abs_error` holds the automatic gradient against the numeric one, over the `entries_checked` of `entries`
    one by one and along random directions over all of them. `values` are the (handwritten, automatic, numeric) ones at
    `worst_index`, where the disagreement is largest; the first is None if there is none of the shape that it should
    have. Up to `budget` apart, the handwritten and the automatic gradient differ by their rounding alone. `diagnosis`
    holds the causes that together explain the difference.
    """

    name: str
    status: Status
    entries: int
    entries_checked: int
    max_abs_error: float | None
    max_rel_error: float | None
    numeric_abs_error: float
    worst_index: tuple[int, ...]
    values: tuple[float | None, float, float]
    budget: float
    diagnosis: tuple[Cause, ...] = ()
    note: str = ""
    """What the status means here, in words, where it is not plain agreement."""
    numeric_budget: float = 0.0
    """How far apart the automatic and the numeric gradient may lie, for that is how precise differences are."""

    @property
    def agrees(self) -> bool:
        """Whether all gradients of this parameter agree, at kinks within the slopes on either side."""
        return self.status in ("agrees", "kink")


@dataclass(frozen=True)
class GradientReport:
    """The rows of a check; truthy when all agree, and printed as a table."""

    rows: tuple[Row, ...]
    tolerance: str
    """What counted as agreement, in words."""
    deltas: tuple[Row, ...] = ()
    """The rows of the intermediate gradients that were given, from the loss backwards."""
    notes: tuple[str, ...] = field(default=())
    """How the numeric gradients were taken, where that is not the usual way."""

    def __bool__(self) -> bool:
        return all(row.agrees for row in (*self.rows, *self.deltas))

    @property
    def departs_at(self) -> str | None:
        """The first value, walking back from the loss, whose gradient by hand differs, None if there is none."""
        return next((row.name for row in self.deltas if not row.agrees), None)

    @property
    def headline(self) -> str:
        """What is wrong in a few words: each row that does not agree, with the slugs of its causes."""
        wrong = [row for row in (*self.rows, *self.deltas) if not row.agrees]
        causes = [" + ".join(cause.slug for cause in row.diagnosis) or row.status for row in wrong]
        told = ", ".join(f"{row.name} ({cause})" for row, cause in zip(wrong, causes, strict=True))
        return told or f"all {len(self.rows)} gradients agree"

    def raise_if_wrong(self) -> None:
        """Raise GradientMismatchError unless all gradients agree: the causes in its first line, the table below."""
        __tracebackhide__ = True  # pytest shows the line of the test and the table
        if not self:
            # The table begins on a line of its own: behind the name of the error its columns would not stand in line.
            raise GradientMismatchError(f"{self.headline}\n{self}")

    def to_json(self) -> str:
        """Return the report as JSON text, with null for what is not a finite number."""
        from tinygrad_lite.check.written import as_json

        return as_json(self)

    def to_html(self) -> str:
        """Return the report as a page of HTML that needs nothing else, no script and no network."""
        from tinygrad_lite.check.written import as_html

        return as_html(self)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __str__(self) -> str:
        rows = (*self.rows, *self.deltas)
        width = max(len("parameter"), *(len(row.name) for row in rows))
        lines = [
            f"{'parameter':<{width}}  {'entries':>8}  {'by hand − automatic':^29}  {'automatic − numeric':^30}",
            f"{'':<{width}}  {'':>8}  {'largest':>9} {'relative':>9} {'allowed':>9}  "
            f"{'largest':>9} {'allowed':>9} {'one by one':>10}",
        ]
        lines += [
            f"{row.name:<{width}}  {row.entries:>8,}  {_figure(row.max_abs_error)} {_figure(row.max_rel_error)} "
            f"{_figure(None if row.max_abs_error is None else row.budget)}  {_figure(row.numeric_abs_error)} "
            f"{_figure(row.numeric_budget)} {row.entries_checked:>10,}  {row.status}"
            for row in rows
        ]
        lines += [line for row in rows for line in told(row)]
        if self.departs_at is not None:
            lines.append(f"walking back from the loss, the derivation departs at {self.departs_at}")
        lines += self.notes
        verdict = "all gradients agree" if self else "not all gradients agree"
        return "\n".join(line.rstrip() for line in [*lines, f"{verdict}; {self.tolerance}"])

    def __repr__(self) -> str:
        return f"<GradientReport: {self.headline}>"


def told(row: Row) -> Iterator[str]:
    """Yield what there is to say of a row beside its figures."""
    if row.status == "differs":
        by_hand, automatic, numeric = row.values
        hand = "" if by_hand is None else f"by hand {by_hand:.9g}, "
        index = ", ".join(map(str, row.worst_index))
        yield f"{row.name} differs most at [{index}]: {hand}automatic {automatic:.9g}, numeric {numeric:.9g}"
    if row.note:
        yield f"{row.name}: {row.note}"
    for cause in row.diagnosis:
        yield f"{row.name}: {cause}"


def _figure(value: float | None) -> str:
    return f"{'–':>9}" if value is None else f"{value:>9.2e}"
