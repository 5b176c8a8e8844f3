"""How pictures look, whoever draws them: a shape and a colour for each kind of node, fonts, and the width of text.

Kinds differ by shape before they differ by colour. Fills are light, lines and words outside of nodes are of a middle
grey, and there is no background, so that pictures stand on light and dark pages alike. The colours keep apart in grey
and for colour-blind readers (a blue, an orange, a neutral).
"""

from __future__ import annotations

import unicodedata
from typing import Final, NamedTuple


class Style(NamedTuple):
    """The look of one kind of node."""

    shape: str
    """The name that Graphviz gives it."""
    fill: str
    line: str


STYLES: Final = {
    "operation": Style("box", "#dcebfa", "#1f6fb2"),
    "parameter": Style("hexagon", "#ffd9a0", "#a85b00"),
    "constant": Style("note", "#f4f4f1", "#77756d"),
}

INK: Final = "#1b1f24"
"""Titles, on the light fill of a node."""
FAINT_INK: Final = "#454c55"
"""Details, on the same."""
GREY: Final = "#757b85"
"""Edges and the titles of scopes, legible on black and on white."""
SCOPE_FILL_OPACITY: Final = 0.08

FONT: Final = "Helvetica,Arial,sans-serif"
TITLE_SIZE: Final = 14
DETAIL_SIZE: Final = 11
SCOPE_SIZE: Final = 11

_NARROW, _WIDE = set("fijlrtI.,:;|!'`()[]{}/\\ -"), set("mwMW@%&×—…")


def text_width(text: str, size: float) -> float:
    """Return an upper estimate of the width of `text`, whichever of the usual sans-serif fonts shows it.

    >>> text_width("wide", 10) > text_width("tile", 10)
    True
    """
    return size * sum(map(_width, text))


def _width(character: str) -> float:
    """The widest that the bold faces of Helvetica, Arial, Liberation and DejaVu Sans draw it, in ems."""
    if character in _NARROW:
        return 0.5
    if character in _WIDE or not character.isascii():
        return 1.35 if unicodedata.east_asian_width(character) in "WF" else 1.1
    return 0.84 if character.isupper() else 0.74
