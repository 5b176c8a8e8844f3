"""A mistake: how it edits a derivation, where it can be made, and what it should be called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.check.planting.derivations import Edits, fits
from tests.check.planting.editing import Alternatives
from tests.check.planting.networks import Case

When = Callable[[Case], bool]


@dataclass(frozen=True)
class Mistake:
    name: str
    called: str
    """What may be said of it: slugs of which one is enough apart by `|`, a pair with `+`."""
    alternatives: Alternatives
    when: When = lambda case: True

    @property
    def readings(self) -> tuple[frozenset[str], ...]:
        return tuple(frozenset(slug.strip() for slug in reading.split("+")) for reading in self.called.split("|"))

    @property
    def outside(self) -> bool:
        """Whether no slug is for this mistake."""
        return self.called == "unknown"

    def edits(self, convention: str) -> Edits | None:
        """Return the edits for a convention, or None if the mistake cannot be made in it."""
        return next((edits for edits in self.alternatives if fits(edits, convention)), None)
