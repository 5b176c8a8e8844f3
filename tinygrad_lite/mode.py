"""The mode: how operations are recorded, one immutable value in one context variable.

Threads and tasks never see each other's mode, and what changes it restores it, whatever is raised.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Generator
from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np

from tinygrad_lite.errors import UnsupportedError


class Mode(NamedTuple):
    """How operations are recorded at this moment."""

    record: bool = True
    """Whether operations on Tensors that require a gradient leave nodes behind."""
    scope: str = ""
    """The dotted path of the modules being called, such as `layers.0`."""
    places: bool = False
    """Whether nodes remember the user's file and line."""
    anomaly: Callable[[np.ndarray], np.ndarray] | None = None
    """Which values of an array are an anomaly to stop at; None to look at none."""


MODE: ContextVar[Mode] = ContextVar("tinygrad_lite_mode", default=Mode())  # noqa: B039 - Mode is immutable

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class ModeChange(ContextDecorator):
    """A change of the mode, as a context manager or as a decorator of functions, coroutines and generators."""

    def __init__(self, **changes: Any) -> None:
        self._changes = changes
        self._tokens: list[Token[Mode]] = []

    def __enter__(self) -> None:
        self._tokens.append(MODE.set(MODE.get()._replace(**self._changes)))

    def __exit__(self, *_: object) -> None:
        MODE.reset(self._tokens.pop())

    def _recreate_cm(self) -> Self:
        """Give each call of a decorated function a context of its own, so that threads may share the function."""
        fresh = copy.copy(self)
        fresh._tokens = []
        return fresh

    def __call__(self, function: Decorated) -> Decorated:
        if inspect.isasyncgenfunction(function):
            raise UnsupportedError(
                f"{type(self).__name__} does not decorate the asynchronous generator {function.__name__}; "
                "use it inside, as a context manager around what computes"
            )
        if inspect.iscoroutinefunction(function):
            return self._awaited(function)
        return self._stepwise(function) if inspect.isgeneratorfunction(function) else super().__call__(function)

    def _awaited(self, function: Decorated) -> Decorated:
        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            with self._recreate_cm():
                return await function(*args, **kwargs)

        return awaited  # type: ignore[return-value]  # it is called as the function was

    def _stepwise(self, function: Decorated) -> Decorated:
        @functools.wraps(function)
        def stepwise(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            steps, sent = function(*args, **kwargs), None
            while True:
                with self._recreate_cm():  # the mode holds inside of the generator only, not where its values are used
                    try:
                        value = steps.send(sent)
                    except StopIteration as end:
                        return end.value
                sent = yield value

        return stepwise  # type: ignore[return-value]  # it is called as the function was


class no_grad(ModeChange):  # noqa: N801 - reads as a word: with no_grad()
    """Compute without recording, as a context manager or a decorator; results carry no gradient.

    >>> import tinygrad_lite as tg
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     (w * 2).requires_grad
    False
    """

    def __init__(self) -> None:
        super().__init__(record=False)


class enable_grad(ModeChange):  # noqa: N801 - reads as a word: with enable_grad()
    """Record again inside of `no_grad`, as a context manager or a decorator.

    >>> import tinygrad_lite as tg
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad(), tg.enable_grad():
    ...     (w * 2).requires_grad
    True
    """

    def __init__(self) -> None:
        super().__init__(record=True)
