"""What a picture is asked to show: the options that all formats share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, Protocol, TypeAlias, TypedDict, get_args

from tinygrad_lite.errors import ArgumentError

Shown: TypeAlias = Literal["shape", "value", "gradient", "flops", "bytes", "place"]
Heat: TypeAlias = Literal["value", "gradient", "flops", "bytes", "error"]

FOLDED_ABOVE: Final = 500
"""Pictures of more nodes than this are folded unless they are asked not to be, and to no more marks than this."""


class Row(Protocol):
    """What was found for one parameter or named value, as a gradient check reports it."""

    @property
    def name(self) -> str: ...
    @property
    def agrees(self) -> bool: ...
    @property
    def max_abs_error(self) -> float | None: ...
    @property
    def max_rel_error(self) -> float | None: ...
    @property
    def numeric_abs_error(self) -> float: ...
    @property
    def diagnosis(self) -> Sequence[Any]: ...


class Report(Protocol):
    """What a gradient check gives: `tg.check_gradients(...)`."""

    @property
    def rows(self) -> Sequence[Row]: ...
    @property
    def deltas(self) -> Sequence[Row]: ...
    @property
    def departs_at(self) -> str | None: ...


class ViewOptions(TypedDict, total=False):
    """The keyword arguments that say what a picture shows, the same for all formats."""

    show: Sequence[Shown]
    """What the nodes tell: `"shape"` (the default), `"value"`, `"gradient"`, `"flops"`, `"bytes"`, `"place"`."""
    heat: Heat | None
    """By what the nodes are coloured: `"value"`, `"gradient"`, `"flops"`, `"bytes"` or `"error"`."""
    report: Report | None
    """A gradient report, whose errors are shown at the values that it names."""
    depth: int | None
    """Scopes nested deeper than this are drawn as one node each."""
    fold: bool | None
    """Whether repetitions are drawn once, as ×N; by default in graphs of more than 500 nodes."""
    notes: Mapping[int, str] | None
    """What is written beneath nodes beside all that, by their ids."""


@dataclass(frozen=True)
class View:
    """The options of a picture, checked."""

    show: tuple[Shown, ...] = ("shape",)
    heat: Heat | None = None
    report: Report | None = None
    depth: int | None = None
    fold: bool | None = None
    notes: Mapping[int, str] | None = None

    @classmethod
    def of(cls, options: ViewOptions) -> View:
        """Return the view that the keyword arguments ask for; raises ArgumentError for what no picture can show.

        >>> View.of({"show": ["shape", "flops"]}).show
        ('shape', 'flops')
        """
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise ArgumentError(f"a picture has no option {name!r}; there are {', '.join(known)}")
        show: Any = options.get("show", ("shape",))
        if isinstance(show, str):
            raise ArgumentError(f"show= takes a tuple of names, got the text {show!r}; write show=({show!r},)")
        if not isinstance(show, Sequence):
            raise ArgumentError(f"show= takes a tuple of names, got {type(show).__name__}")
        return cls(**(options | {"show": tuple(show)}))

    def __post_init__(self) -> None:
        for shown in self.show:
            if shown not in get_args(Shown):
                raise ArgumentError(f"show= knows {_names(Shown)}; got {shown!r}")
        if self.heat is not None and self.heat not in get_args(Heat):
            raise ArgumentError(f"heat= knows {_names(Heat)} or None; got {self.heat!r}")
        if self.depth is not None and (
            isinstance(self.depth, bool) or not isinstance(self.depth, int) or self.depth < 0
        ):
            raise ArgumentError(f"depth= counts the scopes that are opened, 0 or more, or is None; got {self.depth!r}")
        if self.fold is not None and not isinstance(self.fold, bool):
            raise ArgumentError(f"fold= is True, False, or None to fold large graphs only; got {self.fold!r}")
        if self.report is not None and not all(hasattr(self.report, name) for name in ("rows", "deltas", "departs_at")):
            raise ArgumentError(f"report= takes what tg.check_gradients(...) returns; got {type(self.report).__name__}")
        if self.notes is not None and not _are_notes(self.notes):
            raise ArgumentError(f"notes= takes a dict of texts by the ids of nodes; got {repr(self.notes)[:100]}")
        if self.heat == "error" and self.report is None:
            raise ArgumentError('heat="error" colours by the errors of a gradient report; give it as report=')


def _are_notes(notes: Any) -> bool:
    return isinstance(notes, Mapping) and all(type(v) is int and isinstance(text, str) for v, text in notes.items())


def _names(literal: Any) -> str:
    return ", ".join(map(repr, get_args(literal)))
