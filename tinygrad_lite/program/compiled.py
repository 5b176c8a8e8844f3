"""`tg.compile`: a function captured once for each kind of call, and replayed from then on.

    step = tg.compile(training_step)
    step(x, t)                          # captures, plans, runs
    step(x, t)                          # runs
"""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Callable
from typing import Any, overload

import numpy as np

from tinygrad_lite.errors import ArgumentError, CompilationError
from tinygrad_lite.graphs.recorded import Graph
from tinygrad_lite.mode import MODE
from tinygrad_lite.nested import leaves_of
from tinygrad_lite.program.arguments import Arguments, signature
from tinygrad_lite.program.captured import captured
from tinygrad_lite.program.optimizing import optimized
from tinygrad_lite.program.replay import Replay
from tinygrad_lite.program.surroundings import Surroundings


class Program:
    """A compiled function; called like the function itself."""

    def __init__(self, function: Callable[..., Any], is_exact: bool) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self._is_exact = is_exact
        self._replays: dict[Any, list[Replay]] = {}
        self._surroundings = Surroundings(function)
        self._key = self._surroundings.key()
        self._latest: Replay | None = None
        self._lock = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mode = MODE.get()
        kind = signature(args, kwargs)
        if kind is None or mode.capture is not None or mode.anomaly is not None or mode.whole:
            return self.function(*args, **kwargs)
        leaves = args if not kwargs and not any(isinstance(a, tuple | list | dict) for a in args) else leaves_of((args, kwargs))
        with self._lock:
            if self._surroundings.changed():
                self._surroundings = Surroundings(self.function)
                self._key = self._surroundings.key()
            for replay in self._replays.get((kind, mode.record, self._key), ()):
                if replay.fits(leaves):
                    if replay.surroundings is not self._surroundings:
                        replay.rebase(self._surroundings)
                    return replay(leaves)
            replay = self._captured(args, kwargs)
            self._replays.setdefault((kind, mode.record, self._key), []).insert(0, replay)
            self._latest = replay
            return replay(leaves)

    def _captured(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Replay:
        found = captured(self.function, Arguments(self.function, args, kwargs))
        return Replay(found, optimized(found, self._is_exact), self._surroundings)

    def source(self) -> str:
        return self._latest.optimized.written.source


def compile(function: Callable[..., Any] | None = None, *, exact: bool = False, check: bool = False) -> Any:
    if function is None:
        return functools.partial(compile, exact=exact, check=check)
    return Program(function, exact)
