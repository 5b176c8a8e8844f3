"""How Tensors refuse what NumPy code asks of them: an error of ours that names what to write instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any, NoReturn

import numpy as np

from tinygrad_lite.errors import UnsupportedAttributeError, UnsupportedError
from tinygrad_lite.remedies import (
    ATTRIBUTES,
    INSTEAD,
    MEANT_FOR,
    NEAREST,
    ON_VALUES,
    OPERATORS,
    OPTIONS,
    REMOVED_FROM_NDARRAY,
    UFUNC_METHODS,
)

VALUES = "where no gradient is to flow, take the values with .numpy()"


class _Missing:
    """Stands for an attribute of arrays that Tensors lack: asking for it says what to write instead."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, _tensor: object, _owner: type | None = None) -> NoReturn:
        raise no_attribute(self.name)


def operators_of(ufunc: np.ufunc) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return an operator and its reflection that call NumPy's function, which comes back to the Tensor."""
    return lambda self, other: ufunc(self, other), lambda self, other: ufunc(other, self)


class Refusals:
    """The part of a Tensor that says what to write instead of what an array can and a Tensor cannot.

    What an array has and a Tensor has not is a descriptor in the class, not a `__getattr__`, which would make every
    look at an attribute several times slower.
    """

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        for name in (*dir(np.ndarray), *REMOVED_FROM_NDARRAY):
            if not (name.startswith("__") or hasattr(cls, name)):
                setattr(cls, name, _Missing(name))

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not isinstance(vars(type(self)).get(name), _Missing)]

    __floordiv__, __rfloordiv__ = operators_of(np.floor_divide)
    __mod__, __rmod__ = operators_of(np.remainder)
    __divmod__, __rdivmod__ = operators_of(np.divmod)
    __lshift__, __rlshift__ = operators_of(np.left_shift)
    __rshift__, __rrshift__ = operators_of(np.right_shift)

    def __round__(self, digits: int = 0) -> Any:
        return np.round(self, digits)  # type: ignore[call-overload]  # it comes back, and is refused

    def __trunc__(self) -> Any:
        return np.trunc(self)  # type: ignore[call-overload]  # it comes back, and is refused

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise UnsupportedError(
            "a Tensor's values do not change in place; t = tg.set_at(t, index, values) makes a Tensor that has them, "
            "np.where chooses between two, and .assign() replaces all values of a leaf"
        )

    def __delitem__(self, index: Any) -> NoReturn:
        raise UnsupportedError(
            "a Tensor's values do not change in place; take those that stay, as in t[np.arange(len(t)) != i]"
        )


def no_function(function: Callable[..., Any]) -> UnsupportedError:
    """Return the error for a NumPy function that does not record, which names what says the same or comes nearest."""
    name, called = function.__name__, name_of(function)
    sign = f" ({OPERATORS[name]})" if name in OPERATORS else ""
    return UnsupportedError(f"{called}{sign} does not record on Tensors; {_remedy(name)}")


def no_ufunc_method(ufunc: np.ufunc, method: str) -> UnsupportedError:
    """Return the error for a method of a ufunc that records when it is called, which names what says the same."""
    called = name_of(ufunc)
    instead = UFUNC_METHODS.get(f"{ufunc.__name__}.{method}", UFUNC_METHODS[method])
    operands = "x[index]" if ufunc.nin == 1 else "x[index], y"
    instead = instead.format(ufunc=called, operands=operands)
    return UnsupportedError(f"{called}.{method} does not record on Tensors; write {instead}; {VALUES}")


def no_attribute(name: str) -> UnsupportedAttributeError:
    """Return the error for an attribute of ndarray that Tensors do not have."""
    if name in ATTRIBUTES:
        remedy = f"use {ATTRIBUTES[name]}"
    elif name in ON_VALUES.split():
        remedy = f"write x.numpy().{name}(), through which no gradient flows"
    else:
        remedy = _remedy(name)
    return UnsupportedAttributeError(f"a Tensor has no {name!r}; {remedy}")


def mask_needed(ufunc: np.ufunc, dtype: np.dtype[Any]) -> UnsupportedError:
    """Return the error for a bitwise operator on anything but booleans."""
    return UnsupportedError(
        f"{name_of(ufunc)} ({OPERATORS[ufunc.__name__]}) on Tensors is for masks, got dtype {dtype}; "
        f"compare first, as in (x > 0) & (x < 1); {VALUES}"
    )


def accepted(
    function: Callable[..., Any], method: str, options: dict[str, Any], known: Collection[str]
) -> dict[str, Any]:
    """Return the options that are known, and raise for others unless they say nothing, as out=None does."""
    kept = {}
    for option, value in sorted(options.items(), key=lambda item: item[0] != "out"):  # a @= t gives axes too
        if option in known:
            kept[option] = value
        elif not (value is None or value is np._NoValue or (option == "where" and value is True)):
            called = name_of(function) + ("" if method == "__call__" else f".{method}")
            raise UnsupportedError(
                f"{called} on a Tensor does not take {option}=; {OPTIONS.get(option, 'leave it out')}"
            )
    return kept


def named(function: Callable[..., Any], surplus: tuple[Any, ...], taken: int) -> dict[str, Any]:
    """Return by name the arguments that NumPy takes by position after the first `taken`, and we do not."""
    try:
        names = list(inspect.signature(function).parameters)[taken:]
    except ValueError:  # NumPy 2.0 has functions without a signature
        names = [f"argument {taken + i + 1}" for i in range(len(surplus))]
    return dict(zip(names, surplus))


def name_of(function: Callable[..., Any]) -> str:
    """Return what users call a function: `np.linalg.norm`, or the bare name of a ufunc that is not NumPy's."""
    name = function.__name__
    if isinstance(function, np.ufunc):
        return f"np.{name}" if getattr(np, name, None) is function else name
    return f"{function.__module__}.{name}".replace("numpy", "np", 1)


def _remedy(name: str) -> str:
    if name in INSTEAD:
        meant = f"that is for {MEANT_FOR[name]}; " if name in MEANT_FOR else ""
        return f"write {INSTEAD[name]}; {meant}{VALUES}"
    if name in ON_VALUES.split():
        return "give it x.numpy(), through which no gradient flows"
    nearest = [near for near, names in NEAREST.items() if name in names.split()]
    closest = f"the nearest that does is {nearest[0]}; " if nearest else ""
    return f"{closest}tg.primitive makes an operation of a function and its derivative; {VALUES}"
