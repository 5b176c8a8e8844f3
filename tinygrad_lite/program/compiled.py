"""`tg.compile`: a function captured once for each kind of call, and replayed from then on.

step = tg.compile(training_step)
step(x, t)                          # captures, plans, runs
step(x, t)                          # runs
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MethodType
from typing import Any, overload

import numpy as np

from tinygrad_lite.errors import ArgumentError, CompilationError, CompilationWarning, TinygradLiteError
from tinygrad_lite.graphs.recorded import Graph
from tinygrad_lite.mode import MODE
from tinygrad_lite.nested import leaves_of
from tinygrad_lite.program.arguments import Arguments, signature
from tinygrad_lite.program.blas import limited_threads
from tinygrad_lite.program.captured import captured
from tinygrad_lite.program.checking import CALLS, checked
from tinygrad_lite.program.entries import UnusualValuesError
from tinygrad_lite.program.kinds import KEPT, Kind, keep
from tinygrad_lite.program.optimizing import optimized
from tinygrad_lite.program.plans import Plan, notes_of, plan_of
from tinygrad_lite.program.replay import Replay
from tinygrad_lite.program.watching import refuse_new_generators, unchanged

MANY = 16
"""After how many captures of one function a warning says what makes them so many."""


class Program:
    """A compiled function, called like the function itself; `tg.compile` makes it.

    >>> import numpy as np, tinygrad_lite as tg
    >>> double = tg.compile(lambda x: 2 * x)
    >>> double(np.ones(2))
    array([2., 2.])
    >>> print(double.source())
    def run(x, c_1, v2):
        # multiply
        multiply(c_1, x, v2)
        return (v2.copy("K"),)
    <BLANKLINE>
    """

    def __init__(self, function: Callable[..., Any], is_exact: bool, is_checked: bool, threads: int | None) -> None:
        functools.update_wrapper(self, function, updated=())
        self._function, self._is_exact, self._is_checked, self._threads = function, is_exact, is_checked, threads
        self._kinds: dict[Any, Kind] = {}
        self._latest: Replay | None = None
        self._captures = 0
        self._lock = threading.RLock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mode = MODE.get()
        kind = signature(args, kwargs)
        if kind is None or mode.capture is not None or mode.anomaly is not None or mode.whole:
            return self._function(*args, **kwargs)
        with self._lock:
            found = self._kinds.get((kind, mode.record))
            if found is None:
                found = keep(self._kinds, (kind, mode.record), Kind(self._function, args, kwargs))
            elif len(self._kinds) == KEPT:  # those that are not used are to go first
                self._kinds[kind, mode.record] = self._kinds.pop((kind, mode.record))
            leaves = args if found.is_flat else leaves_of((args, kwargs))
            replay = found.fitting(leaves)
            if replay is None or replay.contents.changed():
                replay = self._captured(args, kwargs, found, replay)
            states = [(generator, generator.state) for generator in replay.generators]
            try:
                if self._is_checked and replay.calls_checked < CALLS:
                    return self._checked(replay, args, kwargs, leaves)
                if self._threads is None:
                    return replay(leaves)
                with limited_threads(self._threads):
                    return replay(leaves)
            except UnusualValuesError:  # before anything was changed but generators
                for generator, state in states:
                    generator.state = state
        return self._function(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Make a copy or a pickle a program that has captured nothing yet."""
        return Program, (self._function, self._is_exact, self._is_checked, self._threads)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Bind a compiled method to its object, as functions are."""
        return self if instance is None else MethodType(self, instance)

    @property
    def graph(self) -> Graph:
        """The computation that was captured last."""
        return self._last().captured.graph

    def plan(self) -> Plan:
        """Return the plan of the program that was captured last: its steps, buffers, constants; `print` shows it.

        >>> import numpy as np, tinygrad_lite as tg
        >>> program = tg.compile(lambda x: np.tanh(x).sum())
        >>> value = program(np.ones((2, 3)))
        >>> print(program.plan())
        2 steps; 48 B at most
          1 buffers, 48 B, for 1 values
          cells changed in place, 0 B: none
          read at each call: x 2×3 float64
          constants captured: none
          rewritten: none
             0  tanh  tanh  2×3 float64     buffer 0
             1  sum   sum   scalar float64  variable
        """
        return plan_of(self._last().optimized)

    def notes(self) -> dict[int, str]:
        """Return where the values of the graph lie and what became of them, by the ids of its nodes, for its picture.

        >>> import numpy as np, tinygrad_lite as tg
        >>> program = tg.compile(lambda x: np.tanh(x.T).sum())
        >>> value = program(np.ones((2, 3)))
        >>> print(program.graph.to_text(notes=program.notes()), end="")
        %0 x              input  2×3 float64  read at each call
        %1 transpose(%0)  3×2 float64  view
        %2 tanh(%1)       3×2 float64  buffer 0
        %3 sum(%2)        scalar float64  variable  ⇒ result
        """
        return notes_of(self._last().optimized)

    def source(self) -> str:
        """Return the function that the program captured last runs, in Python."""
        return self._last().optimized.written.source

    @property
    def name(self) -> str:
        """What the function is called."""
        return getattr(self._function, "__qualname__", None) or repr(self._function)

    def __repr__(self) -> str:
        return f"<Program of {self.name}: {self._captures} captured>"

    def _last(self) -> Replay:
        if self._latest is None:
            raise CompilationError(f"{self!r} was not called yet; the first call captures it")
        return self._latest

    def _captured(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], kind: Kind, outdated: Replay | None
    ) -> Replay:
        """Capture a call, and keep its program; or return an outdated one that turns out to be right all the same."""
        with np.errstate(all="ignore"), _named(self):
            with unchanged(kind.surroundings):
                found = captured(self._function, Arguments(self._function, args, kwargs))
            if outdated is not None and found.differs_only_in_values(outdated.captured):
                outdated.still_right()
                return outdated
            program = optimized(found, self._is_exact)
            program.listing.graph = found.without_values()
            refuse_new_generators(found.graph, kind.surroundings)
            replay = Replay(found, program, kind.surroundings)
        kind.add(replay)
        self._latest = replay
        self._captures += 1
        if self._captures == MANY:
            warnings.warn(
                f"{self!r}: each kind of call is captured anew, by shapes, dtypes and the values of numbers; "
                "give numbers that change as Tensors or arrays",
                CompilationWarning,
                stacklevel=3,
            )
        return replay

    def _checked(self, replay: Replay, args: tuple[Any, ...], kwargs: Mapping[str, Any], leaves: Sequence[Any]) -> Any:
        replay.calls_checked += 1
        return checked(replay, lambda: self._function(*args, **kwargs), lambda: replay(leaves), self._is_exact)


@contextmanager
def _named(program: Program) -> Iterator[None]:
    """Say of a refusal which function was being captured."""
    try:
        yield
    except TinygradLiteError as problem:
        problem.add_note(f"while tg.compile captured a call of {program.name}; calling it uncompiled needs no capture")
        raise


@overload
def compile(
    function: Callable[..., Any], *, exact: bool = False, check: bool = False, threads: int | None = None
) -> Program: ...
@overload
def compile(
    *, exact: bool = False, check: bool = False, threads: int | None = None
) -> Callable[[Callable[..., Any]], Program]: ...
def compile(
    function: Callable[..., Any] | None = None,
    *,
    exact: bool = False,
    check: bool = False,
    threads: int | None = None,
) -> Any:
    """Return `function` compiled: captured in its first call, replayed in the next, without allocating.

    A call is replayed if one of its kind was captured: same structure, shapes and dtypes of arrays and Tensors, same
    values of all other arguments; and if what the function reads from outside, such as closures, globals and modules,
    is the same, or other arrays of the same shapes. A whole training step, forward, backward and update, is the normal
    case: parameters, optimizer state, learning rate and random generators are read and changed at each call. Results
    are arrays of their own; to go back through a result, take the gradient inside.

    Rewrites may change the last bits, unless `exact` says otherwise. With `check` the first three calls of each kind
    run eagerly beside, and CompilationError is raised if the program does not agree. `threads` is how many threads BLAS
    uses while the program runs, by default as many as elsewhere. Under anomaly search, inside of another traced call,
    and for arguments with a history the function itself runs.

    Raises DetachError where the computation would depend on the numbers, as in a branch, and CompilationError for what
    a replay would not do again: changing other things than Tensors, drawing random numbers with NumPy itself.

    >>> import numpy as np, tinygrad_lite as tg
    >>> from tinygrad_lite import nn, optim
    >>> net, objective = nn.MLP([4, 8, 3], rng=0), nn.CrossEntropy()
    >>> optimizer = optim.SGD(lr=0.1).bind(net)
    >>> @tg.compile
    ... def step(x, t):
    ...     loss = objective(net, x, t)
    ...     loss.backward()
    ...     optimizer.step()
    ...     optimizer.zero_grad()
    ...     return loss
    >>> x, t = np.ones((5, 4), np.float32), np.array([0, 1, 2, 0, 1])
    >>> step(x, t).item() > step(x, t).item()
    True
    """
    if function is None:
        return functools.partial(compile, exact=exact, check=check, threads=threads)
    if not callable(function):
        raise ArgumentError(f"compile() takes a function, got {type(function).__name__}")
    if threads is not None and (not isinstance(threads, int) or isinstance(threads, bool) or threads < 1):
        raise ArgumentError(f"threads must be a whole number from 1 on, or None, got {threads!r}")
    return Program(function, exact, check, threads)
