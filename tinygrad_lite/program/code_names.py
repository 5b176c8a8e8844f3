"""The names that code reads: global ones, and attributes of whatever it is given."""

from __future__ import annotations

import dis
import functools
import sys
from dataclasses import dataclass, field
from types import CodeType, ModuleType
from typing import Any

_PACKAGE = __name__.partition(".")[0]

_READS_GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL")
_READS_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR", "LOAD_SUPER_ATTR")
_READ_ANY = frozenset({"getattr", "setattr", "hasattr", "vars", "attrgetter", "__dict__"})
"""What reads attributes whose names the code does not show."""


@dataclass
class Names:
    """Names that are read."""

    globals: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)

    def update(self, other: Names) -> None:
        """Add the names of another."""
        self.globals |= other.globals
        self.attributes |= other.attributes

    def __contains__(self, attribute: str) -> bool:
        """Return whether an attribute may be read."""
        is_dunder = attribute.startswith("__") and attribute.endswith("__")
        return not is_dunder and (attribute in self.attributes or self._reads_any)

    def __len__(self) -> int:
        return len(self.globals) + len(self.attributes)

    @property
    def _reads_any(self) -> bool:
        return not _READ_ANY.isdisjoint(self.globals) or not _READ_ANY.isdisjoint(self.attributes)


@functools.lru_cache(maxsize=1_000)
def names_in(code: CodeType) -> Names:
    """Return the names that code reads outside of itself, with the functions that it defines."""
    names = Names()
    for step in dis.get_instructions(code):
        if step.opname in _READS_GLOBALS:
            names.globals.add(step.argval)
        elif step.opname in _READS_ATTRIBUTES:
            names.attributes.add(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names.update(names_in(constant))
    return names


def is_of_libraries(thing: Any) -> bool:
    """Return whether a module, class or function belongs to Python, this library or another that is installed.

    >>> import numpy
    >>> is_of_libraries(numpy), is_of_libraries(dict)
    (True, True)
    """
    name = thing.__name__ if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
    return not isinstance(name, str) or _is_library(name)


@functools.lru_cache(maxsize=10_000)
def _is_library(module: str) -> bool:
    top = module.partition(".")[0]
    if top == "__main__":
        return False
    if top in (_PACKAGE, "builtins") or top in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file
