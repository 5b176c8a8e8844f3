"""What a picture says about itself: what its shapes, its colours and its signs mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tinygrad_lite.graphs.pictures.heating import HeatScale

MEANINGS: Final = {
    "operation": "operation",
    "parameter": "parameter",
    "input": "input",
    "state": "state",
    "constant": "constant",
    "group": "several operations as one",
    "backward": "backward: dashed, ∂/∂w is the derivative of the result by w",
    "output": "double rim: result",
}
"""What looks mean; `backward` and `output` are said of rims."""


@dataclass(frozen=True)
class Legend:
    """What is to be explained of one picture."""

    kinds: tuple[str, ...] = ()
    """The names of `MEANINGS` that occur in it."""
    heat: HeatScale | None = None
    notes: tuple[str, ...] = ()
    """What else there is to know, a line each."""
