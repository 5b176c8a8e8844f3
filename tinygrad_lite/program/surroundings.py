"""What a function reads from outside of itself, so that a change of it is seen before a program is replayed.

A closure, global names, defaults, the object that a method belongs to, and what those hold in turn: containers, other
functions of the user's, attributes of objects and of their classes. Each is a place that holds a thing; to look again
is to compare identities, some 30 ns a place.
"""

from __future__ import annotations

import dis
import functools
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from tinygrad_lite.nested import has_parameters
from tinygrad_lite.tensor import Tensor

LONGEST = 1_000
"""How many things a container may hold for each of them to be looked at."""

COMPARED = 65_536
"""How many bytes an array may have to be compared with what it was at each call, for NumPy may compute with it."""

_PACKAGE = __name__.partition(".")[0]
_ABSENT = object()


class Surroundings:
    """The places that functions and objects read, and what they held when this was made."""

    def __init__(self, *roots: Any) -> None:
        self._seen: dict[int, Any] = {}
        self.cells: list[tuple[CellType, Any]] = []
        self.names: list[tuple[dict[str, Any], str, Any]] = []
        """Global names, with what they stood for, if anything."""
        self.items: list[tuple[Any, Any, Any]] = []
        """Containers, keys, and what was found there."""
        self.lengths: list[tuple[Any, int]] = []
        self.generators: list[np.random.Generator | np.random.RandomState] = []
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
        for container, key, found in self.items:  # noqa: SIM110 - any() of a generator takes half as long again
            if container[key] is not found:
                return True
        return False

    def key(self) -> tuple[Any, ...]:
        """Return what tells surroundings apart: arrays and plain Tensors by their kind, all else by identity."""
        first: dict[int, int] = {}
        return tuple((kind_of(thing), first.setdefault(id(thing), i)) for i, thing in enumerate(self.found()))

    def found(self) -> Iterator[Any]:
        """Yield what the places held."""
        yield from (found for _, found in self.cells)
        yield from (found for *_, found in self.names)
        yield from (found for *_, found in self.items)

    def put_back(self) -> list[str]:
        """Make every place hold what it held, and return what those are called that did not."""
        changed = []
        for cell, found in self.cells:
            if cell.cell_contents is not found:
                cell.cell_contents = found
                changed.append(f"a variable that was {_described(found)}")
        for container, length in self.lengths:
            if len(container) > length:
                changed += _shortened(container, length)
        for container, key, found in (*self.names, *self.items):
            if _read(container, key) is not found:
                _write(container, key, found)
                changed.append(f"{key}, which was {_described(found)}")
        return changed

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
            self.names.append((function.__globals__, name, found))
            yield found
        yield from (function.__defaults__ or (), function.__kwdefaults__ or {})

    def _places_in_object(self, thing: Any) -> Iterator[Any]:
        """Note the attributes of an object and of its class, but for the bookkeeping of the library's own."""
        if has_parameters(thing):
            thing.named_parameters()  # of which a module keeps a list from then on
        attributes = getattr(thing, "__dict__", None)
        if type(attributes) is dict:
            own = _is_of_libraries(type(thing))
            yield from self._items(attributes, [key for key in attributes if not _is_internal(thing, key)], not own)
        for kind in type(thing).__mro__:
            if not _is_of_libraries(kind):
                slots = [name for name in vars(kind).get("__slots__", ()) if isinstance(name, str)]
                yield from self._attributes(thing, slots)
                yield from self._attributes(kind, [name for name in vars(kind) if name not in (*slots, *_OF_CLASSES)])

    def _items(self, container: Any, keys: Any, may_grow: bool = True) -> Iterator[Any]:
        if may_grow:
            self.lengths.append((container, len(container)))
        if len(container) <= LONGEST:
            for key in keys:
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
        array, node = thing._array, thing._node
        return (array.shape, array.dtype) if node is None else id(thing)
    if type(thing) is np.ndarray:
        return thing.shape, thing.dtype, thing.flags.c_contiguous
    if type(thing) in (int, float, str, bool):
        return type(thing), thing
    return id(thing)


# ----- What there is to look for -----

_OF_CLASSES = (
    "__dict__",
    "__weakref__",
    "__module__",
    "__doc__",
    "__slots__",
    "__annotations__",
    "__abstractmethods__",
)


def _is_leaf(thing: Any) -> bool:
    """Return whether there is nothing to look for in a thing: a value, or code that does not change."""
    if thing is None or isinstance(thing, Tensor | np.ndarray | np.generic | int | float | complex | str | bytes):
        return True
    if isinstance(thing, type | ModuleType) or type(thing).__name__ in ("builtin_function_or_method", "ufunc"):
        return True
    home = getattr(thing, "__module__", None) if isinstance(thing, FunctionType) else None
    return isinstance(home, str) and home.partition(".")[0] in (_PACKAGE, "numpy")


def _is_of_libraries(kind: type) -> bool:
    """Return whether a class belongs to Python, NumPy or this library, whose classes stay as they are."""
    return kind.__module__.partition(".")[0] in (_PACKAGE, "numpy", "builtins", "abc", "typing", "functools")


def _is_internal(thing: Any, attribute: str) -> bool:
    """Return whether an attribute is bookkeeping of the library's own, or a setting that its classes read once."""
    if has_parameters(thing) and attribute in ("_found", "_scope"):
        return True
    if not _is_of_libraries(type(thing)):
        return False
    value = getattr(thing, attribute)
    is_part = isinstance(value, Tensor | tuple) or has_parameters(value)
    return attribute.startswith("_") or (not is_part if has_parameters(thing) else isinstance(value, list | dict))


@functools.lru_cache(maxsize=1_000)
def _global_names(code: CodeType) -> frozenset[str]:
    """Return the names that code looks up outside of itself, with the functions that it defines."""
    names = {
        step.argval
        for step in dis.get_instructions(code)
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL")
    }
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return frozenset(names).union(*map(_global_names, inner))


# ----- Putting back -----


def _read(container: Any, key: Any) -> Any:
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
    added = [*container][length:] if isinstance(container, dict) else []
    for key in added:
        del container[key]
    return [str(key) for key in added]


def _described(thing: Any) -> str:
    return (
        "nothing"
        if thing is _ABSENT
        else repr(thing)
        if isinstance(thing, int | float | str)
        else f"a {type(thing).__name__}"
    )
