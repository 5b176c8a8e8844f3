"""The kinds of calls of one function, told apart by structure, shapes and numbers, and the programs of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinygrad_lite.program.arguments import objects_among
from tinygrad_lite.program.replay import Replay
from tinygrad_lite.program.surroundings import Surroundings

KEPT = 64
"""How many kinds of calls of one function are kept; the one that was not used for longest goes."""


class Kind:
    """The calls of one kind: what the function reads beside their arguments, and the programs that were captured."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self.is_flat = not kwargs and not any(isinstance(argument, tuple | list | dict) for argument in args)
        self._roots = (function, *objects_among(args, kwargs))
        self.surroundings = Surroundings(*self._roots)
        self._key = self.surroundings.key()
        self._replays: dict[Any, list[Replay]] = {}

    def fitting(self, leaves: Sequence[Any]) -> Replay | None:
        """Return the program for a call, None if there is none yet."""
        if self.surroundings.changed():
            self.surroundings = Surroundings(*self._roots)
            self._key = self.surroundings.key()
        for replay in self._replays.get(self._key, ()):
            if replay.surroundings is not self.surroundings and not replay.rebase(self.surroundings):
                continue
            if replay.fits(leaves):
                return replay
        return None

    def add(self, replay: Replay) -> None:
        """Keep a program."""
        keep(self._replays, self._key, [replay, *self._replays.pop(self._key, ())][:KEPT])


def keep(programs: dict[Any, Any], key: Any, value: Any) -> Any:
    """Keep a value, and let go of the one that came first if there are too many."""
    programs[key] = value
    if len(programs) > KEPT:
        del programs[next(iter(programs))]
    return value
