"""Names for Python source, made of what a user typed: valid, readable, no keyword, no two alike."""

from __future__ import annotations

import builtins
import keyword
import unicodedata
from collections.abc import Iterable

from tinygrad_lite.graphs.labels import shortened, shown

LONGEST = 40
"""How many characters of a name are taken over."""

_RESERVED = frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "np"})


class Identifiers:
    """The names of one piece of source."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*_RESERVED, *taken}
        self._counts: dict[str, int] = {}
        self._last: dict[str, int] = {}
        """The number that was last given out with a name, for there may be many of one name."""

    def named(self, name: str, otherwise: str) -> str:
        """Return a new identifier that reads like `name`, or like `otherwise` if nothing of it can be kept.

        >>> names = Identifiers()
        >>> names.named("layers.0.weight", "x"), names.named("layers 0 weight", "x"), names.named("λ", "x")
        ('layers_0_weight', 'layers_0_weight_2', 'λ')
        """
        return self._unique(identifier(name) or otherwise)

    def numbered(self, stem: str) -> str:
        """Return a new identifier that ends in a number.

        >>> names = Identifiers()
        >>> names.numbered("sum"), names.numbered("sum")
        ('sum_1', 'sum_2')
        """
        self._counts[stem] = self._counts.get(stem, 0) + 1
        return self._unique(f"{stem}_{self._counts[stem]}")

    def _unique(self, base: str) -> str:
        found, count = base, self._last.get(base, 1)
        while found in self._taken:
            count += 1
            found = f"{base}_" if count == 2 and base in _RESERVED else f"{base}_{count}"
        self._taken.add(found)
        self._last[base] = count
        return found


def identifier(name: str) -> str:
    """Return what of a name can stand in an identifier, with _ for the rest; empty if that is nothing.

    Letters that are written from right to left are left out: they change the order in which a line is read.

    >>> identifier("layers.0.weight"), identifier("2nd"), identifier('"; import os #'), identifier("💥")
    ('layers_0_weight', '_2nd', 'import_os', '')
    """
    kept = "".join(c if _reads_on(c) else " " for c in unicodedata.normalize("NFKC", name))
    joined = "_".join(kept.split())[:LONGEST].rstrip("_")
    if not joined.strip("_"):
        return ""
    made = joined if joined.isidentifier() else f"_{joined}"
    return made if made.isidentifier() and not made.startswith("__") else ""


def _reads_on(character: str) -> bool:
    return f"_{character}".isidentifier() and unicodedata.bidirectional(character) in ("L", "EN", "ON")


def comment(text: str) -> str:
    """Return a name as it can stand in a comment: on one line, not too long, in the order in which it is typed."""
    return shortened(shown(text))
