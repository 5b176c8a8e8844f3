"""The arguments of a call: what tells one kind of call from another, and what a captured call is given for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_lite.array_interface import supported_dtype
from tinygrad_lite.capture import Capture
from tinygrad_lite.nested import leaves_of, map_leaves, paths_of
from tinygrad_lite.tape import Node
from tinygrad_lite.tensor import Tensor, plain_array, wrap


def signature(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return what calls of one kind have in common: structure, shapes, dtypes, memory order, and all else by value.

    None if an argument was computed from what requires a gradient, so that a gradient may be asked through the call.
    """
    kinds = [_kind(argument) for argument in args]
    if kwargs:
        kinds += [(name, _kind(argument)) for name, argument in kwargs.items()]
    for kind in kinds:
        if kind is None or kind[-1] is None:
            return None
    given = (*args, *kwargs.values())
    return (*kinds, *_repeated(given)) if len({*map(id, given)}) < len(given) else tuple(kinds)


def _repeated(given: tuple[Any, ...]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of arguments that are one Tensor, to which the call may assign."""
    first: dict[int, int] = {}
    for number, argument in enumerate(given):
        if type(argument) is Tensor and first.setdefault(id(argument), number) != number:
            yield first[id(argument)], number


def _kind(argument: Any) -> Any:
    if type(argument) is Tensor:
        node, array = argument._node, argument._array
        if node is None:
            return "t", array.shape, array.dtype, array.flags.c_contiguous
        return None if isinstance(node, Node) or node.is_transient else ("leaf", id(argument))
    if type(argument) is np.ndarray:
        return "a", argument.shape, argument.dtype, argument.flags.c_contiguous
    if isinstance(argument, tuple | list):
        kinds = [_kind(part) for part in argument]
        return None if None in kinds else (type(argument), *kinds)
    if isinstance(argument, dict):
        named = [(type(key), key, _kind(part)) for key, part in argument.items()]
        return None if any(kind is None for *_, kind in named) else (type(argument), *named)
    if isinstance(argument, np.generic) or type(argument) in (int, float, str, bool):
        return type(argument), repr(argument)
    return "object", id(argument)


def objects_among(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    """Return the arguments that are no values but objects, such as networks, whose parts are read like a closure's."""
    return [leaf for leaf in leaves_of((args, dict(kwargs))) if _kind(leaf) == ("object", id(leaf))]


class Arguments:
    """The arguments of the call that is captured."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.tree = (args, dict(kwargs))
        self.leaves = leaves_of(self.tree)
        self.names = _names(function, args, kwargs)
        self.stand_ins: dict[int, Tensor] = {}
        """For each argument by its number, the Tensor that the captured call is given for it."""

    def handed_over(self, capture: Capture, as_themselves: frozenset[int]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments with Tensors of their own for arrays and Tensors.

        Parameters are given as they are, and so are those that are to be given `as_themselves`, by their numbers.
        """
        numbers = iter(range(len(self.leaves)))
        made: dict[int, Tensor] = {}

        def stand_in(leaf: Any) -> Any:
            number = next(numbers)
            if isinstance(leaf, Tensor):
                is_itself = leaf._node is not None or number in as_themselves
                self.stand_ins[number] = (
                    leaf if is_itself else made.setdefault(id(leaf), wrap(leaf._array.view(), None))
                )
            elif isinstance(leaf, np.ndarray):
                supported_dtype(leaf.dtype)
                self.stand_ins[number] = wrap(np.array(plain_array(leaf), order="K"), None)
            else:
                return leaf
            tensor = capture.given(self.stand_ins[number], self.names[number])
            return capture.as_plain(tensor) if isinstance(leaf, np.ndarray) else tensor

        args, kwargs = self._handed = map_leaves(stand_in, self.tree)
        self._given = leaves_of(self._handed)
        return args, kwargs

    def are_unchanged(self) -> bool:
        """Return whether the captured call has left the containers among its arguments as they were."""
        now = leaves_of(self._handed)
        is_alike = paths_of(self._handed) == paths_of(self.tree)
        return is_alike and all(leaf is given for leaf, given in zip(now, self._given, strict=True))


def _names(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[str]:
    """Return what `function` calls the leaves of its arguments."""
    try:
        bound = inspect.signature(function).bind_partial(*args)
        names = [*bound.arguments]
    except (TypeError, ValueError):  # it has no signature, or the call itself will say what is wrong with it
        names = []
    names += [f"argument{i}" for i in range(len(names), len(args))]
    given = [*zip(names, args, strict=False), *kwargs.items()]
    return [path for name, argument in given for path in paths_of(argument, name)]
