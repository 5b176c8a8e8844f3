"""The mode: how operations are recorded, one immutable value in one context variable.

Threads and tasks never see each other's mode, and what changes it restores it, whatever is raised.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator
from contextlib import ContextDecorator
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tinygrad_lite.errors import DefinitionError, GraphError, UnsupportedError


class Mode(NamedTuple):
    """How operations are recorded at this moment."""

    record: bool = True
    """Whether operations on Tensors that require a gradient leave nodes behind."""
    scope: str = ""
    """The dotted path of the modules being called, such as `layers.0`."""
    places: bool = False
    """Whether nodes remember the user's file and line."""
    anomaly: Callable[[np.ndarray], np.ndarray] | None = None
    """Which values of a result are an anomaly to stop at; None to look at none."""
    anomaly_of_cotangents: Callable[[np.ndarray], np.ndarray] | None = None
    """The same for what arrives in a backward sweep, whose rules may meet infinities that the engine takes out."""
    whole: bool = False
    """Whether nodes keep all their operands and results, also of operations without a derivative, to be run again."""
    capture: Any = None
    """The `Capture`, which this room cannot name, that every operation is told to; None if no call is captured."""


MODE: ContextVar[Mode] = ContextVar("tinygrad_lite_mode", default=Mode())  # noqa: B039 - Mode is immutable

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


_OUTER: ContextVar[tuple[Mode, ...]] = ContextVar("tinygrad_lite_outer_modes", default=())
"""The modes to go back to, outermost first; not in the blocks themselves, which threads and tasks may share."""


class ModeChange(ContextDecorator):
    """A change of the mode, as a context manager or as a decorator of functions, coroutines and generators."""

    def __init__(self, **changes: Any) -> None:
        self._changes = changes

    def __enter__(self) -> None:
        mode = MODE.get()
        _OUTER.set((*_OUTER.get(), mode))
        MODE.set(mode._replace(**self._changes))

    def __exit__(self, *_: object) -> None:
        if not _OUTER.get():
            raise GraphError(f"{type(self).__name__} was entered in another thread or task than it is left in")
        *outer, mode = _OUTER.get()
        _OUTER.set(tuple(outer))
        MODE.set(mode)

    def __call__(self, function: Decorated) -> Decorated:
        written = inspect.unwrap(function)
        if inspect.isasyncgenfunction(written):
            raise UnsupportedError(
                f"{type(self).__name__} does not decorate the asynchronous generator {function.__name__}; "
                "use it inside, as a context manager around what computes"
            )
        if inspect.iscoroutinefunction(written):
            return self._awaited(function)
        return self._stepwise(function) if inspect.isgeneratorfunction(written) else super().__call__(function)

    def _awaited(self, function: Decorated) -> Decorated:
        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            with self:
                return await function(*args, **kwargs)

        return awaited  # type: ignore[return-value]  # it is called as the function was

    def _stepwise(self, function: Decorated) -> Decorated:
        """Let the mode hold inside of a generator only, not where its values are used."""

        @functools.wraps(function)
        def stepwise(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            steps = function(*args, **kwargs)
            advance, given = steps.send, None
            while True:
                with self:
                    try:
                        value = advance(given)
                    except StopIteration as end:
                        return end.value
                try:
                    advance, given = steps.send, (yield value)
                except GeneratorExit:
                    with self:
                        steps.close()
                    raise
                except BaseException as problem:  # thrown in from outside, for the generator to handle
                    advance, given = steps.throw, problem

        return stepwise  # type: ignore[return-value]  # it is called as the function was


def refuse_bare_decorator(name: str, *given: object) -> None:
    """Raise DefinitionError if a context was given something, which is the function to decorate: it was not called."""
    if given:
        raise DefinitionError(f"{name} is called where it decorates a function: @tg.{name}()")


class no_grad(ModeChange):  # noqa: N801 - reads as a word: with no_grad()
    """Compute without recording, as a context manager or a decorator; results carry no gradient.

    >>> import tinygrad_lite as tg
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad():
    ...     (w * 2).requires_grad
    False
    """

    def __init__(self, *given: object) -> None:
        refuse_bare_decorator("no_grad", *given)
        super().__init__(record=False)


class enable_grad(ModeChange):  # noqa: N801 - reads as a word: with enable_grad()
    """Record again inside of `no_grad`, as a context manager or a decorator.

    >>> import tinygrad_lite as tg
    >>> w = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> with tg.no_grad(), tg.enable_grad():
    ...     (w * 2).requires_grad
    True
    """

    def __init__(self, *given: object) -> None:
        refuse_bare_decorator("enable_grad", *given)
        super().__init__(record=True)
