"""Colouring marks by a magnitude: pale for little, dark for much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from tinygrad_lite.graphs.costing.pricing import count
from tinygrad_lite.graphs.pictures.look import NOT_FINITE, UNHEATED, heat_fill

if TYPE_CHECKING:
    from tinygrad_lite.graphs.pictures.views import Heat

DECADES: Final = 6
"""How many powers of ten the colours span at most."""

_MEANING: Final[dict[Heat, str]] = {
    "value": "magnitude of the values (root mean square)",
    "gradient": "norm of the gradient",
    "flops": "floating-point operations",
    "bytes": "bytes moved",
    "error": "relative error of the gradient",
}
_UNIT: Final[dict[Heat, str]] = {"flops": "FLOP", "bytes": "B"}


class HeatScale(NamedTuple):
    """What the colours mean: at the pale and at the dark end."""

    meaning: str
    low: str
    high: str


class Heating:
    """Colours for magnitudes, None for what has none; by their logarithms where they span more than a power of ten."""

    def __init__(self, what: Heat, magnitudes: Sequence[float | None]) -> None:
        self.what = what
        known = [m for m in magnitudes if m is not None and math.isfinite(m)]
        self.high = max(known, default=0.0)
        least = min((m for m in known if m > 0), default=self.high)
        self.low = max(least, self.high / 10**DECADES)
        self.is_finite = len(known) == sum(m is not None for m in magnitudes)
        self.has_less = min(known, default=self.low) < self.low
        self.is_logarithmic = self.low > 0 and self.high / self.low > 10

    def fill(self, magnitude: float | None) -> str:
        """Return the colour of a magnitude; what is not finite has one of its own."""
        if magnitude is None:
            return UNHEATED
        if not math.isfinite(magnitude):
            return NOT_FINITE
        if self.high <= self.low:
            return heat_fill(1.0 if magnitude > 0 else 0.0)
        within = min(max(magnitude, self.low), self.high)
        if self.is_logarithmic:
            return heat_fill(math.log(within / self.low) / math.log(self.high / self.low))
        return heat_fill((within - self.low) / (self.high - self.low))

    @property
    def scale(self) -> HeatScale:
        """What the colours mean."""
        how = ", logarithmic" if self.is_logarithmic else ""
        how += "" if self.is_finite else "; pink where nan or infinite"
        return HeatScale(_MEANING[self.what] + how, "≤ " * self.has_less + self._told(self.low), self._told(self.high))

    def _told(self, magnitude: float) -> str:
        return count(magnitude, _UNIT[self.what]) if self.what in _UNIT else f"{magnitude:.2g}"
