"""How pictures look, whoever draws them: a shape and a colour for each kind of node, fonts, and the width of text.

Kinds differ by shape before they differ by colour, and what belongs to the backward sweep has a dashed rim. Fills are
light, lines and words outside of nodes are of a middle tone, and there is no background, so that pictures stand on
light and dark pages alike. The colours, near those of Okabe and Ito, keep apart for colour-blind readers.
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
    "input": Style("parallelogram", "#c4ecdc", "#00805c"),
    "state": Style("cylinder", "#f3d3e6", "#a8478a"),
    "constant": Style("note", "#f4f4f1", "#77756d"),
    "group": Style("box3d", "#e9f2fb", "#1f6fb2"),
}

BACKWARD_FILL: Final = "#fbf4c4"
BACKWARD_LINE: Final = "#8a7400"
"""What the backward sweep computes, and the edges along which it goes."""

INK: Final = "#1b1f24"
"""Titles, on the light fill of a node."""
FAINT_INK: Final = "#454c55"
"""Details, on the same."""
GREY: Final = "#757b85"
"""Edges and the titles of scopes, legible on black and on white."""
SCOPE_FILL_OPACITY: Final = 0.08

RIGHT: Final = "#00805c"
WRONG: Final = "#c74600"
"""The rims of what a gradient report finds right and wrong; it also has the sign ✓ or ✗."""

RAMP: Final = ("#fdf8e4", "#fbe3a6", "#f8c276", "#ef9a5a", "#e0754a")
"""From little to much: ever darker, so that it is read in grey too, and light enough for words throughout."""
NOT_FINITE: Final = "#f3a6f0"
"""Where a magnitude is nan or infinite."""
UNHEATED: Final = "#f4f4f1"
"""What has no magnitude where others are coloured by theirs."""

FONT: Final = "Helvetica,Arial,sans-serif"
TITLE_SIZE: Final = 14
DETAIL_SIZE: Final = 11
SCOPE_SIZE: Final = 11

_NARROW, _WIDE = set("fijlrtI.,:;|!'`()[]{}/\\ -"), set("mwMW@%&×—…")


def heat_fill(amount: float) -> str:
    """Return the colour of an amount between 0 and 1.

    >>> heat_fill(0.0), heat_fill(1.0)
    ('#fdf8e4', '#e0754a')
    """
    place = amount * (len(RAMP) - 1)
    step = min(int(place), len(RAMP) - 2)
    low, high = ([int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in RAMP[step : step + 2])
    return "#" + "".join(f"{round(a + (b - a) * (place - step)):02x}" for a, b in zip(low, high, strict=True))


def luminance(colour: str) -> float:
    """Return how bright a colour is, from 0 for black to 1 for white.

    >>> luminance("#ffffff"), luminance("#000000")
    (1.0, 0.0)
    """
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def detail_ink(fill: str) -> str:
    """Return the colour of details on `fill`: faint where that is legible."""
    return FAINT_INK if luminance(fill) > 0.5 else INK


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
