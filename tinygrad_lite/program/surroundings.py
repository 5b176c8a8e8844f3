"""What a function reads from outside of itself, so that a change of it is seen before a program is replayed.

A closure, global names, defaults, the object that a method belongs to, and what those hold in turn: containers, other
functions of the user's, attributes of objects. Each is a place that holds an object; an item is the place and the object
it held. To look again is to compare identities, some 30 ns an item.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

from tinygrad_lite.nested import has_parameters
from tinygrad_lite.tensor import Tensor

LONGEST = 1_000
"""How many things a container may hold for each of them to be looked at."""

COMPARED = 65_536
"""How many bytes an array may have to be compared with what it was, where the function computes with NumPy alone."""

_PACKAGE = __name__.partition(".")[0]
_ABSENT = object()


class Surroundings:
    """The places that a function reads, and what they held when this was made."""

    def __init__(self, *roots: Any) -> None:
        self._seen: dict[int, Any] = {}
        self.cells: list[tuple[CellType, Any]] = []
        self.items: list[tuple[Any, Any, Any]] = []
        """Containers, keys, and what was found there."""
        self.lengths: list[tuple[Any, int]] = []
        self.generators: list[np.random.Generator | np.random.RandomState] = []
        self._walk([*roots])

    def changed(self) -> bool:
        """Return whether a place holds another object than it did."""
        for cell, found in self.cells:
            if cell.cell_contents is not found:
                return True
        for container, key, found in self.items:
            if container[key] is not found:
                return True
        return any(len(container) != length for container, length in self.lengths)

    def arrays(self) -> Iterator[np.ndarray]:
        """Yield the arrays that are small enough to be compared, once each."""
        arrays = {id(thing): thing for thing in self.found() if type(thing) is np.ndarray and thing.nbytes <= COMPARED}
        yield from arrays.values()

    def put_back(self) -> list[str]:
        """Make every place hold what it held, and return what those are called that did not."""
        names = []
        for cell, found in self.cells:
            if cell.cell_contents is not found:
                cell.cell_contents = found
                names.append(f"a variable that was {_described(found)}")
        for container, length in self.lengths:
            if isinstance(container, list) and len(container) > length:
                del container[length:]
                names.append("the length of a list")
            elif isinstance(container, dict) and len(container) > length:
                for key in [*container][length:]:
                    del container[key]
                    names.append(str(key))
        for container, key, found in self.items:
            if container[key] is not found:
                container[key] = found
                names.append(f"{key}, which was {_described(found)}")
        return names

    def key(self) -> tuple[Any, ...]:
        """Return what tells surroundings apart: arrays and plain Tensors by their kind, all else by identity."""
        first: dict[int, int] = {}
        return tuple((kind_of(thing), first.setdefault(id(thing), i)) for i, thing in enumerate(self.found()))

    def found(self) -> Iterator[Any]:
        """Yield what the places held."""
        yield from (found for _, found in self.cells)
        yield from (found for *_, found in self.items)

    # ----- The walk -----

    def _walk(self, waiting: list[Any]) -> None:
        while waiting:
            thing = waiting.pop()
            if id(thing) not in self._seen and not _is_leaf(thing):
                self._seen[id(thing)] = thing  # which keeps its identity from being used again
                waiting += self._places_in(thing)

    def _places_in(self, thing: Any) -> Iterator[Any]:
        """Note the places that a thing consists of, and yield what they hold."""
        if isinstance(thing, FunctionType):
            yield from self._places_in_function(thing)
        elif isinstance(thing, MethodType):
            yield from (thing.__func__, thing.__self__)
        elif isinstance(thing, functools.partial):
            yield from (thing.func, thing.args, thing.keywords)
        elif isinstance(thing, tuple):
            yield from thing if len(thing) <= LONGEST else ()
        elif isinstance(thing, list):
            yield from self._items(thing, range(len(thing)))
        elif isinstance(thing, dict):
            yield from self._items(thing, thing)
        elif isinstance(thing, np.random.Generator | np.random.RandomState):
            self.generators.append(thing)
        else:
            yield from self._places_in_object(thing)

    def _places_in_function(self, function: FunctionType) -> Iterator[Any]:
        for cell in function.__closure__ or ():
            try:
                found = cell.cell_contents
            except ValueError:  # it is empty, and will be an error of the function's own
                continue
            self.cells.append((cell, found))
            yield found
        for name in sorted(_global_names(function.__code__)):
            found = function.__globals__.get(name, _ABSENT)
            if found is not _ABSENT and not _is_fixed(found):
                self.items.append((function.__globals__, name, found))
                yield found
        yield from (function.__defaults__ or (), function.__kwdefaults__ or {})

    def _places_in_object(self, thing: Any) -> Iterator[Any]:
        """Note the attributes of an object, but for the bookkeeping of the library's own."""
        if has_parameters(thing):
            thing.named_parameters()  # of which a module keeps a list from then on
        method = getattr(type(thing), "forward" if has_parameters(thing) else "__call__", None)
        if isinstance(method, FunctionType):
            yield method
        attributes = getattr(thing, "__dict__", None)
        if type(attributes) is dict:
            yield from self._items(attributes, [key for key in attributes if not _is_internal(thing, key)])

    def _items(self, container: Any, keys: Any) -> Iterator[Any]:
        self.lengths.append((container, len(container)))
        if len(container) <= LONGEST:
            for key in keys:
                self.items.append((container, key, container[key]))
                yield container[key]


def _described(thing: Any) -> str:
    return repr(thing) if isinstance(thing, int | float | str) else f"a {type(thing).__name__}"


def kind_of(thing: Any) -> Any:
    """Return what stands for a thing in a key: for arrays and plain Tensors their kind, which others may share."""
    if type(thing) is Tensor:
        array, node = thing._array, thing._node
        return (array.shape, array.dtype.char) if node is None else id(thing)
    if type(thing) is np.ndarray:
        return thing.shape, thing.dtype.char, thing.flags.c_contiguous
    if type(thing) in (int, float, str, bool):
        return type(thing), thing
    return id(thing)


def _is_leaf(thing: Any) -> bool:
    """Return whether there is nothing to look for in a thing."""
    return thing is None or isinstance(thing, Tensor | np.ndarray | np.generic | int | float | complex | str | bytes) or _is_fixed(thing)


def _is_fixed(thing: Any) -> bool:
    """Return whether a thing is code that does not change: modules, classes, what belongs to libraries."""
    if isinstance(thing, type) or type(thing).__name__ in ("module", "builtin_function_or_method", "ufunc"):
        return True
    home = getattr(thing, "__module__", None) if isinstance(thing, FunctionType) else None
    return isinstance(home, str) and home.partition(".")[0] in (_PACKAGE, "numpy")


def _is_internal(thing: Any, attribute: str) -> bool:
    """Return whether an attribute is the library's own bookkeeping: no part of a module, and no single value."""
    if has_parameters(thing) and attribute in ("_found", "_scope"):
        return True
    if type(thing).__module__.partition(".")[0] != _PACKAGE:
        return False
    return attribute.startswith("_") or (not has_parameters(thing) and isinstance(getattr(thing, attribute), list | dict))


def _global_names(code: CodeType) -> set[str]:
    """Return the names that code may look up outside of itself, with the functions that it defines."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _global_names(constant)
    return names
