"""What a replay would not do again is refused, or done again."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import CompilationError, DetachError

X = np.array([1.0, 2.0, 3.0])
TABLE: Any = np.array([1.0, 10.0, 100.0])


class Held:
    """An object of the user's own."""

    def __init__(self) -> None:
        self.factor = 2.0


COUNTS: dict[str, int] = {"calls": 0}
EVENTS: list[Any] = []
EFFECTS: dict[str, Callable[[], Any]] = {
    "a counter": lambda: COUNTS.__setitem__("calls", COUNTS["calls"] + 1),
    "a list": lambda: EVENTS.append(1),
    "an array": lambda: TABLE.__iadd__(1.0),
    "an attribute": lambda: setattr(HELD, "factor", HELD.factor + 1),
}
HELD = Held()
GENERATOR, OLD = np.random.default_rng(0), np.random.RandomState(0)
DRAWS: dict[str, Callable[[], Any]] = {
    "a generator": lambda: GENERATOR.normal(size=3),
    "a generator of old": lambda: OLD.normal(size=3),
    "numpy.random": lambda: np.random.normal(size=3),
    "random": lambda: random.random(),
    "a method kept": lambda: NORMAL(size=3),
}
NORMAL = GENERATOR.normal


@pytest.mark.parametrize("effect", EFFECTS)
def test_a_side_effect_is_refused_or_happens_at_every_call(effect: str) -> None:
    def seen() -> Any:
        return COUNTS["calls"], len(EVENTS), TABLE[0], HELD.factor

    def f(x: Any) -> Any:
        EFFECTS[effect]()
        return tg.Tensor(x) * 2

    program, before = tg.compile(f), seen()
    try:
        program(X)
    except CompilationError:
        assert seen() == before
        return
    program(X)
    after = seen()
    f(X)
    f(X)
    assert [b - a for a, b in zip(before, after, strict=True)] == [b - a for a, b in zip(after, seen(), strict=True)]


@pytest.mark.parametrize("draw", DRAWS)
def test_numbers_drawn_by_others_are_refused(draw: str) -> None:
    with pytest.raises(CompilationError, match=r"tg\.uniform|tg\.normal"):
        tg.compile(lambda x: tg.Tensor(x) + DRAWS[draw]())(X)


def test_a_branch_on_numbers_is_refused_with_the_remedy() -> None:
    with pytest.raises(DetachError, match="where"):
        tg.compile(lambda x: x if x.sum() > 0 else -x)(tg.Tensor(X))
