"""What a function reads from outside of itself, so that a change of it is seen before a program is replayed.

A closure, global names, defaults, and of objects, classes and modules those attributes whose names the code reads; of
what is found there again the same, and the contents of containers. Each is a place that holds a thing; to look again is
to compare identities, some 30 ns a place.
"""

from __future__ import annotations

import array
import functools
from collections import deque
from collections.abc import Iterator
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from tinygrad_lite.errors import CompilationError
from tinygrad_lite.nested import has_parameters
from tinygrad_lite.program.code_names import Names, is_of_libraries, names_in
from tinygrad_lite.tensor import Tensor

LONGEST = 1_000
"""How many things a list or a dict may hold for each of them to be a place."""

COMPARED = 65_536
"""How many bytes an array may have to be compared with what it was at each call, for NumPy may compute with it."""

_ABSENT = object()


class Surroundings:
    """The places that functions and objects read, and what they held when this was made."""

    def __init__(self, *roots: Any) -> None:
        self.cells: list[tuple[CellType, Any]] = []
        self.names: list[tuple[dict[str, Any], str, Any]] = []
        """Global names and attributes, with what they stood for, if anything."""
        self.items: list[tuple[Any, Any, Any]] = []
        """Containers, keys, and what was found there."""
        self.lengths: list[tuple[Any, int]] = []
        self.collections: list[tuple[Any, tuple[Any, ...]]] = []
        """Sets and the like, with all that they held."""
        self.generators: list[np.random.Generator | np.random.RandomState] = []
        self._read = Names()
        known = -1
        while known != len(self._read):  # a function that is found may read more of what was found before
            known = len(self._read)
            self._walk([*roots])

    def changed(self) -> bool:
        """Return whether a place holds another thing than it did."""
        for cell, found in self.cells:
            if cell.cell_contents is not found:
                return True
        for names, name, found in self.names:
            if names.get(name, _ABSENT) is not found:
                return True
        for container, length in self.lengths:
            if len(container) != length:
                return True
        for container, key, found in self.items:
            if container[key] is not found:
                return True
        return any(not _holds(collection, held) for collection, held in self.collections)

    def key(self) -> tuple[Any, ...]:
        """Return what tells surroundings apart: arrays and plain Tensors by their kind, all else by identity."""
        first: dict[int, int] = {}
        return tuple((kind_of(thing), first.setdefault(id(thing), i)) for i, thing in enumerate(self.found()))

    def found(self) -> Iterator[Any]:
        """Yield what the places held."""
        yield from (found for _, found in self.cells)
        yield from (found for *_, found in self.names)
        yield from (found for *_, found in self.items)
        for _, held in self.collections:
            yield from held

    def put_back(self) -> list[str]:
        """Make every place hold what it held, and return what those are called that did not."""
        changed = []
        for cell, found in self.cells:
            if cell.cell_contents is not found:
                cell.cell_contents = found
                changed.append(f"a variable of an enclosing function, which was {_described(found)}")
        for container, length in self.lengths:
            if len(container) > length:
                changed += _shortened(container, length)
        for container, key, found in (*self.names, *self.items):
            if _look_up(container, key) is not found:
                _write(container, key, found)
                changed.append(f"{key!s}, which was {_described(found)}")
        changed += [
            f"a {type(collection).__name__}" for collection, held in self.collections if not _holds(collection, held)
        ]
        return changed

    # ----- The walk -----

    def _walk(self, waiting: list[Any]) -> None:
        for places in (self.cells, self.names, self.items, self.lengths, self.collections, self.generators):
            places.clear()
        seen: dict[int, Any] = {}
        while waiting:
            thing = waiting.pop()
            if id(thing) not in seen and not _is_leaf(thing):
                seen[id(thing)] = thing
                waiting += self._places_in(thing)

    def _places_in(self, thing: Any) -> Iterator[Any]:
        """Note the places that a thing consists of, and yield what they hold."""
        if isinstance(thing, FunctionType):
            yield from self._places_in_function(thing)
        elif isinstance(thing, MethodType):
            yield from (thing.__func__, thing.__self__)
        elif isinstance(thing, functools.partial):
            yield from (thing.func, thing.args, thing.keywords)
        elif isinstance(thing, property):
            yield from (thing.fget, thing.fset)
        elif isinstance(thing, staticmethod | classmethod):
            yield thing.__func__
        elif isinstance(thing, tuple | frozenset):
            yield from thing
        elif isinstance(thing, list | dict) and len(thing) <= LONGEST:
            yield from self._items(thing)
        elif isinstance(thing, list | dict | set | deque | array.array | bytearray):
            self.collections.append((thing, _contents(thing)))
        elif isinstance(thing, np.random.Generator | np.random.RandomState):
            self.generators.append(thing)
        elif hasattr(type(thing), "__next__"):
            raise CompilationError(
                f"the function reads from a {type(thing).__name__}, which gives something else at each call, as a "
                "replay would not; take what it gives outside, and hand it over as an argument"
            )
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
        names = names_in(function.__code__)
        self._read.update(names)
        yield from self._names(function.__globals__, names.globals)
        yield from self._names(vars(function), [name for name in vars(function) if name in self._read])
        yield from (function.__defaults__ or (), function.__kwdefaults__ or {})

    def _places_in_object(self, thing: Any) -> Iterator[Any]:
        """Note the attributes of an object, a class or a module that code reads, and all parts of a network."""
        if has_parameters(thing):
            thing.named_parameters()  # of which a module keeps a list from then on
            yield from (generator for _, generator in thing.named_generators())
        attributes = getattr(thing, "__dict__", None)
        if type(attributes) is dict:
            yield from self._names(attributes, [name for name in attributes if self._matters(thing, name)])
            if not _is_own(thing):  # what may be made as well as read
                yield from self._names(attributes, [name for name in self._read.attributes if name not in attributes])
        kinds = thing.__mro__ if isinstance(thing, type) else (*type(thing).__mro__, type(thing))
        for kind in kinds:
            if not is_of_libraries(kind):
                slots = [name for name in vars(kind).get("__slots__", ()) if isinstance(name, str)]
                if not isinstance(thing, type):
                    yield from self._attributes(thing, [name for name in slots if name in self._read])
                names = (name for name in vars(kind) if name not in slots)
                yield from self._attributes(kind, [name for name in names if name in self._read or name in _CALLED])

    def _matters(self, thing: Any, attribute: str) -> bool:
        """Return whether an attribute is read by the code that was found, or a part that a network's methods read."""
        if not _is_own(thing):
            is_part = (
                has_parameters(thing) and attribute not in ("_found", "_scope") and _is_part(vars(thing)[attribute])
            )
            return attribute in self._read or is_part
        return not attribute.startswith("_") and (_is_part(vars(thing)[attribute]) or attribute == "rule")

    def _names(self, names: dict[str, Any], read: Any) -> Iterator[Any]:
        for name in sorted(read):
            found = names.get(name, _ABSENT)
            self.names.append((names, name, found))
            yield found

    def _items(self, container: Any) -> Iterator[Any]:
        self.lengths.append((container, len(container)))
        for key in container if isinstance(container, dict) else range(len(container)):
            self.items.append((container, key, container[key]))
            yield container[key]

    def _attributes(self, thing: Any, names: list[str]) -> Iterator[Any]:
        attributes = _Attributes(thing)
        for name in names:
            self.items.append((attributes, name, attributes[name]))
            yield attributes[name]


class _Attributes:
    """The attributes of a thing that keeps them in no dict, read like one's items."""

    def __init__(self, thing: Any) -> None:
        self._thing = thing

    def __getitem__(self, name: str) -> Any:
        if isinstance(self._thing, type):
            return vars(self._thing).get(name, _ABSENT)
        return getattr(self._thing, name, _ABSENT)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self._thing, name, value)


def kind_of(thing: Any) -> Any:
    """Return what stands for a thing in a key: for arrays and plain Tensors their kind, which others may share."""
    if type(thing) is Tensor:
        values, node = thing._array, thing._node
        return (values.shape, values.dtype) if node is None else id(thing)
    if type(thing) is np.ndarray:
        return thing.shape, thing.dtype, thing.flags.c_contiguous
    if type(thing) in (int, float, str, bool):
        return type(thing), repr(thing)
    return id(thing)


# ----- What there is to look for -----

_CALLED = ("forward", "__call__")
"""Methods that run without being named."""


def _is_leaf(thing: Any) -> bool:
    """Return whether there is nothing to look for in a thing: a value, or code of libraries."""
    if thing is None or isinstance(thing, Tensor | np.ndarray | np.generic | int | float | complex | str | bytes):
        return True
    if type(thing).__name__ in ("builtin_function_or_method", "ufunc") or thing is _ABSENT:
        return True
    return isinstance(thing, type | ModuleType | FunctionType) and is_of_libraries(thing)


def _is_own(thing: Any) -> bool:
    """Return whether a thing is an object of the library's own, whose attributes are declared."""
    return type(thing).__module__.partition(".")[0] == __name__.partition(".")[0]


def _is_part(value: Any) -> bool:
    """Return whether a value of an attribute is a Tensor, a network, or several of them."""
    return isinstance(value, Tensor | tuple) or has_parameters(value)


# ----- Containers -----


def _contents(collection: Any) -> tuple[Any, ...]:
    return tuple(collection.values() if isinstance(collection, dict) else collection)


def _holds(collection: Any, held: tuple[Any, ...]) -> bool:
    """Return whether a collection holds the things that it held, numbers by their values."""
    if isinstance(collection, array.array | bytearray):
        return _contents(collection) == held
    return len(collection) == len(held) and all(map(_is_same, _contents(collection), held))


def _is_same(a: Any, b: Any) -> bool:
    return a is b


def _look_up(container: Any, key: Any) -> Any:
    return container.get(key, _ABSENT) if isinstance(container, dict) else container[key]


def _write(container: Any, key: Any, value: Any) -> None:
    if value is _ABSENT:
        del container[key]
    else:
        container[key] = value


def _shortened(container: Any, length: int) -> list[str]:
    """Take away what has been added to a list or a dict, and return what that is called."""
    if isinstance(container, list):
        del container[length:]
        return ["the length of a list"]
    added = [*container][length:]
    for key in added:
        del container[key]
    return [f"a dict, in which {key!r} is new" for key in added]


def _described(thing: Any) -> str:
    if thing is _ABSENT:
        return "not there"
    return repr(thing) if isinstance(thing, int | float | str) else f"a {type(thing).__name__}"
