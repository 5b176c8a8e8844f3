"""The mistakes that people make in backpropagation, and what each should be called."""

from __future__ import annotations

from typing import NamedTuple

from tests.check.planting.catalogue import derivatives, factors, outside, pairs, second, structure
from tests.check.planting.catalogue.mistake import Mistake


class Catalogue(NamedTuple):
    single: tuple[Mistake, ...]
    pairs: tuple[Mistake, ...]
    outside: tuple[Mistake, ...]

    @property
    def listed(self) -> tuple[Mistake, ...]:
        """The mistakes that a slug, or two, are for."""
        return self.single + self.pairs

    @property
    def all(self) -> tuple[Mistake, ...]:
        return self.listed + self.outside


FIRST = Catalogue(
    (
        *factors.SIGN,
        *factors.BATCH_MEAN,
        *factors.SCALE,
        *factors.REGULARISER,
        *derivatives.DERIVATIVE_MISSING,
        *derivatives.DERIVATIVE_WRONG,
        *structure.TRANSPOSED,
        *structure.SOFTMAX,
        *structure.WRONG_AXIS,
        *structure.TERM_MISSING,
        *structure.BIAS_COLUMN,
    ),
    pairs.PAIRS,
    outside.OUTSIDE,
)
SECOND = Catalogue(second.SINGLE, second.PAIRS, second.OUTSIDE)
WHOLE = Catalogue(FIRST.single + SECOND.single, FIRST.pairs + SECOND.pairs, FIRST.outside + SECOND.outside)
CATALOGUES = {"first": FIRST, "second": SECOND, "whole": WHOLE}
