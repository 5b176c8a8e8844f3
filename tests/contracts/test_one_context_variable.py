"""Recording, scopes and the search for anomalies are one mode, which every way out of a block restores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.errors import AnomalyError, DefinitionError


def records() -> bool:
    return (tg.Tensor([1.0], requires_grad=True) * 2).requires_grad


def looks() -> bool:
    """Return whether anomalies are looked for."""
    try:
        np.log(tg.Tensor([0.0]))
    except AnomalyError:
        return True
    return False


def state() -> tuple[bool, bool]:
    return records(), looks()


class Probe(nn.Module):
    """A module that does something while it is being called."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act = act

    def forward(self, x: Any) -> Any:
        self.seen = self.act()
        return x


def scope() -> str:
    """Return the scope that an operation is recorded under."""
    *_, last = tg.graph(tg.Tensor([1.0], requires_grad=True) * 2)
    return last.scope


MODES: dict[str, tuple[Callable[[], Any], tuple[bool, bool]]] = {
    "no_grad": (tg.no_grad, (False, False)),
    "detect_anomaly": (tg.detect_anomaly, (True, True)),
}

each_mode = pytest.mark.parametrize(("enter", "inside"), MODES.values(), ids=MODES)
OUTSIDE = (True, False)


# ----- One immutable mode -----


def test_the_parts_of_the_mode_do_not_disturb_each_other() -> None:
    with tg.no_grad():
        with tg.detect_anomaly():
            assert state() == (False, True)
            with tg.enable_grad():
                assert state() == (True, True)
            assert state() == (False, True)
        assert state() == (False, False)
    with tg.detect_anomaly(), tg.no_grad():
        assert state() == (False, True)
    assert state() == OUTSIDE


def test_a_scope_keeps_what_is_switched_around_it_and_what_is_switched_inside_keeps_the_scope() -> None:
    def inside() -> list[Any]:
        with tg.detect_anomaly():
            first = (scope(), state())
        with tg.no_grad(), tg.enable_grad():
            second = (scope(), state())
        return [first, second, (scope(), state())]

    net = nn.Sequential(nn.Identity(), Probe(inside))
    net(np.ones(2))
    assert net.layers[1].seen == [("layers.1", (True, True)), ("layers.1", OUTSIDE), ("layers.1", OUTSIDE)]
    with tg.no_grad():
        probe = nn.Sequential(Probe(state))
        probe(np.ones(2))
    assert probe.layers[0].seen == (False, False)


# ----- Restored on exceptions -----


@each_mode
def test_every_way_out_of_a_block_restores_the_mode(enter: Callable[[], Any], inside: tuple[bool, bool]) -> None:
    def leave(how: str) -> None:
        for _ in range(2):
            with enter():
                assert state() == inside
                if how == "return":
                    return
                if how == "break":
                    break
                if how == "continue":
                    continue
                if how == "raise":
                    raise KeyError
                if how == "exit":
                    raise SystemExit
                if how == "cancel":
                    raise asyncio.CancelledError

    for how, error in {"raise": KeyError, "exit": SystemExit, "cancel": asyncio.CancelledError}.items():
        with pytest.raises(error):
            leave(how)
        assert state() == OUTSIDE
    for how in ("return", "break", "continue"):
        leave(how)
        assert state() == OUTSIDE


@each_mode
def test_an_error_of_the_library_itself_restores_the_mode(enter: Callable[[], Any], inside: tuple[bool, bool]) -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    attempts: list[Callable[[], Any]] = [
        lambda: x + np.ones(3),
        lambda: x.backward(),
        lambda: float(x),
        lambda: tg.grad(lambda x: x)(np.ones(2)),
        lambda: nn.Sequential(nn.Linear(3, 2, rng=0))(np.ones((2, 5))),
        lambda: np.log(tg.Tensor([0.0])) + np.ones((2, 2, 2)) @ np.ones(3),
    ]
    for attempt in attempts:
        with enter():
            with pytest.raises((ValueError, TypeError, RuntimeError, ArithmeticError)):
                attempt()
            assert state() == inside
            assert scope() == ""
        assert state() == OUTSIDE


def test_an_exception_in_a_module_restores_the_scope_at_every_level() -> None:
    def fail() -> None:
        raise KeyError(scope())

    seen = []

    class Outer(nn.Module):
        def __init__(self) -> None:
            self.blocks = [nn.Sequential(nn.Identity(), Probe(fail)), Probe(scope)]

        def forward(self, x: Any) -> Any:
            with pytest.raises(KeyError, match=r"net\.blocks\.0\.layers\.1"):
                self.blocks[0](x)
            seen.append(scope())
            return self.blocks[1](x)

    class Holder(nn.Module):
        def __init__(self) -> None:
            self.net = Outer()

        def forward(self, x: Any) -> Any:
            return self.net(x)

    holder = Holder()
    holder(np.ones(2))
    assert [*seen, holder.net.blocks[1].seen, scope()] == ["net", "net.blocks.1", ""]


def test_a_sweep_that_fails_restores_the_mode() -> None:
    @tg.primitive(lambda g, _y, _x: np.concatenate([g, g]))
    def careless(x: np.ndarray) -> np.ndarray:
        return x * 1.0

    for enter, inside in MODES.values():
        with enter(), tg.enable_grad():
            y = careless(tg.Tensor([1.0, 2.0], requires_grad=True))
            with pytest.raises(DefinitionError, match="shape"):
                y.backward([1.0, 1.0])
            assert state() == (True, inside[1])
        assert state() == OUTSIDE


# ----- Generators -----


@each_mode
def test_a_decorated_generator_holds_its_mode_inside_and_leaves_it_to_the_loop_outside(
    enter: Callable[[], Any], inside: tuple[bool, bool]
) -> None:
    finished = []

    @enter()
    def steps() -> Iterator[Any]:
        received = None
        try:
            while received != "enough":
                received = yield state()
            return "done"
        finally:
            finished.append(state())

    def delegating() -> Iterator[Any]:
        ended = yield from steps()
        yield (ended, state())

    loop = delegating()
    for sent in (None, "more", "more"):
        assert loop.send(sent) == inside
        assert state() == OUTSIDE
    assert loop.send("enough") == ("done", OUTSIDE)
    assert finished == [inside]
    assert state() == OUTSIDE


def endless(enter: Callable[[], Any]) -> Callable[[], Iterator[Any]]:
    """Return a decorated generator function that tells its state again and again."""

    @enter()
    def steps() -> Iterator[Any]:
        while True:
            yield state()

    return steps


@each_mode
def test_two_decorated_generators_may_be_advanced_in_turns_and_left_unfinished(
    enter: Callable[[], Any], inside: tuple[bool, bool]
) -> None:
    steps = endless(enter)
    first, second = steps(), steps()
    assert [next(first), next(second), next(first), next(second)] == [inside] * 4
    first.close()
    assert next(second) == inside
    del second
    assert state() == OUTSIDE


@each_mode
def test_a_decorated_generator_may_be_advanced_by_another_thread(
    enter: Callable[[], Any], inside: tuple[bool, bool]
) -> None:
    steps = endless(enter)
    shared = steps()
    with ThreadPoolExecutor(1) as pool:
        assert next(shared) == inside
        assert pool.submit(next, shared).result(10) == inside
        assert pool.submit(state).result(10) == OUTSIDE
    assert next(shared) == inside
    assert state() == OUTSIDE


@each_mode
def test_an_exception_thrown_into_a_decorated_generator_reaches_it_in_its_mode(
    enter: Callable[[], Any], inside: tuple[bool, bool]
) -> None:
    @enter()
    def steps() -> Iterator[Any]:
        try:
            yield "waiting"
        except KeyError:
            yield ("caught", state())

    loop = steps()
    assert next(loop) == "waiting"
    assert loop.throw(KeyError()) == ("caught", inside)
    assert state() == OUTSIDE
