"""What every picture shares: its colours, how it is opened, and how it is written."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_lite.errors import ArgumentError, MissingDependencyError
from tinygrad_lite.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"
COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, "black")
"""The colours of Okabe and Ito, which readers with any vision tell apart, but for the yellow that white swallows."""

MARKERS = ("o", "s", "^", "D", "v", "P")
LINE_STYLES = ("-", "--", "-.", ":")

WITHOUT_TIME: dict[str, dict[str, None]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}
"""The kinds of pictures there are, and what each must leave out so that the same figures give the same bytes."""

DOTS_PER_INCH = 120

_styling = threading.Lock()  # matplotlib's settings belong to the whole process


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches that keeps its labels apart, without a screen."""
    try:
        from matplotlib.figure import Figure
    except ImportError as problem:
        raise MissingDependencyError("plots need matplotlib: pip install 'tinygrad-lite[train]'") from problem
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def save_picture(draw: Callable[[], Figure], path: str | os.PathLike[str]) -> Path:
    """Draw and write to `path`, whole or not at all; the same figures give the same bytes.

    Raises ArgumentError unless the path ends in .png, .svg or .pdf.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in WITHOUT_TIME:
        raise ArgumentError(f"pictures are drawn as .png, .svg or .pdf, not as {path.name!r}")
    with _own_style():
        figure = draw()
        with replacing(path) as file:
            figure.savefig(file, format=kind[1:], dpi=DOTS_PER_INCH, metadata=WITHOUT_TIME[kind])
    return path


@contextmanager
def _own_style() -> Iterator[None]:
    """Set matplotlib's own defaults, whatever the user's are, all but the font, which class names may need."""
    try:
        import matplotlib
    except ImportError as problem:
        raise MissingDependencyError("plots need matplotlib: pip install 'tinygrad-lite[train]'") from problem
    families = ("font.family", "font.sans-serif", "font.serif", "font.monospace")
    with _styling, matplotlib.rc_context():
        settings: dict[Any, Any] = matplotlib.rcParams
        fonts = {name: settings[name] for name in families}
        matplotlib.rcdefaults()
        settings.update(fonts | {"svg.hashsalt": "tinygrad_lite"})
        yield


def look(number: int) -> dict[str, Any]:
    """Return colour, marker and line style of the line `number` of a picture.

    >>> look(0)
    {'color': '#0072B2', 'marker': 'o', 'linestyle': '-'}
    """
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": LINE_STYLES[number % len(LINE_STYLES)],
    }


def by_epoch(axes: Axes, epochs: Sequence[float], label: str) -> None:
    """Give the axes whole epochs to the right and `label` upwards."""
    from matplotlib.ticker import MaxNLocator

    axes.set(xlabel="epoch", ylabel=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if len(epochs) == 1:
        axes.set_xlim(epochs[0] - 1, epochs[0] + 1)


def marked(count: int) -> int:
    """Return every how many of `count` points a line has a marker, so that it stays a line.

    >>> marked(5), marked(300)
    (1, 20)
    """
    return max(1, count // 15)


def needs_logarithm(values: Iterable[float]) -> bool:
    """Return whether the values are all above zero and spread over more than two decades.

    >>> needs_logarithm([1.0, 0.001]), needs_logarithm([1.0, 0.1]), needs_logarithm([1.0, -0.001])
    (True, False, False)
    """
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) > 100 * min(finite)


def plain(text: object, limit: int = 24) -> str:
    r"""Return a given name as matplotlib is to write it: cut to `limit`, on one line, its dollars no mathematics.

    >>> print(plain("a $x$ name"), plain("abcdef", limit=4))
    a \$x\$ name abc…
    """
    name = " ".join(str(text).split())
    return (name if len(name) <= limit else f"{name[: limit - 1]}…").replace("$", r"\$")


def names_of_classes(class_names: Sequence[str] | None, classes: int) -> list[str]:
    """Return the name of each class as it is written, its number where no names are given."""
    if class_names is None:
        return [str(number) for number in range(classes)]
    if len(class_names) != classes:
        raise ArgumentError(f"there are {classes} classes, but {len(class_names)} class names")
    return [plain(name) for name in class_names]
