"""Outlines, words and lines of a finished SVG, as numbers to compare."""

import functools
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib

SVG = "{http://www.w3.org/2000/svg}"
SIGNS = {"∂": "partialdiff", "×": "multiply", "−": "minus", "…": "ellipsis", "±": "plusminus", "\u00a0": "space"}
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass
class Measured:
    """The parts of a picture: the corners of each node, its words as (left, top, right, bottom), points along lines."""

    outlines: list[list[tuple[float, float]]] = field(default_factory=list)
    words: list[list[tuple[float, float, float, float]]] = field(default_factory=list)
    lines: list[list[tuple[float, float]]] = field(default_factory=list)


def measured(svg):
    """Measure a picture that Graphviz drew."""
    found = Measured()
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        if group.get("class") == "node":
            shapes = [pairs(shape.get("points")) for shape in group.iter(f"{SVG}polygon")]
            shapes += [pairs(shape.get("d")) for shape in group.iter(f"{SVG}path")]
            found.outlines.append(max(shapes, key=extent))
            found.words.append([word(text) for text in group.iter(f"{SVG}text")])
        elif group.get("class") == "edge":
            found.lines += [along(pairs(path.get("d"))) for path in group.iter(f"{SVG}path")]
    return found


def pairs(text):
    numbers = [float(number) for number in NUMBER.findall(text)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def extent(spots):
    left, top, right, bottom = around(spots)
    return (right - left) * (bottom - top)


def around(spots):
    xs, ys = [x for x, _ in spots], [y for _, y in spots]
    return min(xs), min(ys), max(xs), max(ys)


def along(spots):
    """Points along Bézier curves that follow one another."""
    found = []
    for i in range(0, len(spots) - 1, 3):
        a, b, c, d = spots[i : i + 4]
        for step in range(25):
            t = step / 24
            weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3
            found.append(tuple(sum(w * p[k] for w, p in zip(weights, (a, b, c, d), strict=True)) for k in (0, 1)))
    return found


def is_inside(spot, corners, rim=0.0):
    """Whether a point lies inside of a polygon, and further than `rim` from the box around it."""
    x, y = spot
    left, top, right, bottom = around(corners)
    if not (left + rim < x < right - rim and top + rim < y < bottom - rim):
        return False
    crossings = 0
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if (ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax):
            crossings += 1
    return crossings % 2 == 1


def word(text, anchor="start"):
    """The box around the ink of a word."""
    x, y, size = float(text.get("x")), float(text.get("y")), float(text.get("font-size"))
    width = helvetica(text.text or "", text.get("font-weight") == "bold") * size
    left = x - width / 2 if text.get("text-anchor", anchor) == "middle" else x
    return left, y - 0.72 * size, left + width, y + 0.21 * size


def helvetica(text, bold):
    """The width of a text in ems, as the makers of the font give it."""
    widths = metrics("Helvetica-Bold" if bold else "Helvetica")
    return sum(widths.get(ord(character), 1.0) for character in text)


@functools.cache
def metrics(font):
    path = Path(matplotlib.get_data_path()) / "fonts" / "pdfcorefonts" / f"{font}.afm"
    lines = [line.split() for line in path.read_text(encoding="ascii").splitlines() if line.startswith("C ")]
    widths = {name: int(width) / 1000 for _, _, _, _, width, _, _, name, *_ in lines}
    codes = {int(code): widths[name] for _, code, _, _, _, _, _, name, *_ in lines if int(code) < 127}
    return codes | {ord(sign): widths[name] for sign, name in SIGNS.items()}
