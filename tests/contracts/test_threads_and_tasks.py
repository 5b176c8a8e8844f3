"""Recording, scopes and the search for anomalies are independent in every thread and in every task."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.contracts.test_one_context_variable import OUTSIDE, Probe, each_mode, scope, state
from tinygrad_lite import nn, optim

# ----- Threads -----


def at_once(*tasks: Callable[[], Any]) -> list[Any]:
    """Return the results of `tasks`, which run in threads that all begin together."""
    barrier = threading.Barrier(len(tasks))

    def begun(task: Callable[[], Any]) -> Any:
        barrier.wait(10)
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result(60) for future in [pool.submit(begun, task) for task in tasks]]


@each_mode
def test_threads_that_switch_to_and_fro_see_their_own_mode_alone(
    enter: Callable[[], Any], inside: tuple[bool, bool]
) -> None:
    def switching() -> bool:
        for _ in range(100):
            with enter():
                if state() != inside:
                    return False
            if state() != OUTSIDE:
                return False
        return True

    def steady() -> bool:
        return all(state() == OUTSIDE for _ in range(200))

    assert at_once(switching, steady, switching, steady) == [True] * 4


def test_threads_that_call_modules_record_their_own_scopes_alone() -> None:
    nets = [nn.Sequential(*[nn.Identity()] * i, Probe(scope)) for i in range(3)]

    def calling(i: int) -> set[str]:
        seen = set()
        for _ in range(100):
            nets[i](np.ones(1))
            seen.add(nets[i].layers[-1].seen)
        return seen

    assert at_once(*[lambda i=i: calling(i) for i in range(3)]) == [{f"layers.{i}"} for i in range(3)]


@each_mode
def test_a_pool_begun_inside_of_a_block_works_as_outside_and_leaves_nothing_in_its_threads(
    enter: Callable[[], Any], inside: tuple[bool, bool]
) -> None:
    def switched() -> tuple[bool, bool]:
        with enter():
            return state()

    with enter(), ThreadPoolExecutor(1) as pool:
        assert [pool.submit(f).result(10) for f in (state, switched, state)] == [OUTSIDE, inside, OUTSIDE]
        handed_on = contextvars.copy_context()
        assert pool.submit(handed_on.run, state).result(10) == inside


@each_mode
def test_a_function_decorated_once_may_be_shared_by_threads(
    enter: Callable[[], Any], inside: tuple[bool, bool]
) -> None:
    inner, outer = threading.Event(), threading.Event()

    @enter()
    def shared(wait: bool) -> list[Any]:
        seen = [state()]
        if wait:  # the other thread comes and goes in the meantime
            inner.set()
            assert outer.wait(10)
        return [*seen, state()]

    def first() -> list[Any]:
        return [*shared(True), state()]

    def second() -> list[Any]:
        assert inner.wait(10)
        seen = [*shared(False), state()]
        outer.set()
        return seen

    assert at_once(first, second) == [[inside, inside, OUTSIDE]] * 2


def trained(seed: int) -> list[bytes]:
    """Train a small network of its own for 30 steps, and return the bits of its parameters."""
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(16, 4)).astype(np.float32), rng.integers(0, 3, 16)
    net = nn.MLP([4, 8, 3], activation="tanh", rng=seed)
    objective = nn.CrossEntropy() + 0.01 * nn.L2()
    optimizer = optim.Adam(lr=0.01).bind(net, objective)
    for _ in range(30):
        optimizer.zero_grad()
        objective(net, x, t).backward()
        optimizer.step()
    return [parameter.numpy().tobytes() for parameter in net.parameters()]


def test_four_threads_that_train_a_network_each_get_the_bits_that_each_gets_alone() -> None:
    alone = [trained(seed) for seed in range(4)]
    assert len({tuple(bits) for bits in alone}) == 4
    for _ in range(3):
        assert at_once(*[lambda seed=seed: trained(seed) for seed in range(4)]) == alone


@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "trainable"])
def test_four_threads_that_share_a_network_get_the_input_gradients_that_each_gets_alone(frozen: bool) -> None:
    net = nn.MLP([4, 8, 3], activation="softplus", rng=0, dtype=np.float64)
    for parameter in net.parameters():
        parameter.requires_grad = not frozen
    before = {name: value.tobytes() for name, value in net.state_dict().items()}

    def gradients(seed: int) -> list[bytes]:
        rng = np.random.default_rng(seed)
        found = []
        for _ in range(20):
            x, t = rng.normal(size=(6, 4)), rng.integers(0, 3, 6)
            slope = tg.grad(lambda x, t=t: tg.softmax_cross_entropy(net(x), t))(x)
            found.append(np.asarray(slope.numpy() if isinstance(slope, tg.Tensor) else slope).tobytes())
        return found

    alone = [gradients(seed) for seed in range(4)]
    assert len({bits for found in alone for bits in found}) == 80
    assert at_once(*[lambda seed=seed: gradients(seed) for seed in range(4)]) == alone
    assert {name: value.tobytes() for name, value in net.state_dict().items()} == before
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_graph_recorded_in_one_thread_is_swept_in_another() -> None:
    x, g = tg.Tensor([1.0, 2.0], requires_grad=True), np.array([0.5, -1.0])
    y = x * x
    at_once(lambda: y.backward(g))
    assert np.array_equal(x.grad, 2 * x.data * g)


@each_mode
def test_one_block_object_may_be_entered_by_two_threads_at_once(
    enter: Callable[[], Any], inside: tuple[bool, bool]
) -> None:
    block, first_in, second_in, first_out = enter(), threading.Event(), threading.Event(), threading.Event()

    def first() -> list[Any]:
        try:
            with block:
                first_in.set()
                assert second_in.wait(10)
                seen = state()
            return [seen, state()]
        finally:
            first_out.set()

    def second() -> list[Any]:
        assert first_in.wait(10)
        with block:
            second_in.set()
            assert first_out.wait(10)
            seen = state()
        return [seen, state()]

    assert at_once(first, second) == [[inside, OUTSIDE]] * 2


# ----- Tasks -----


@each_mode
def test_tasks_that_wait_inside_of_a_block_see_their_own_mode_alone(
    enter: Callable[[], Any], inside: tuple[bool, bool]
) -> None:
    async def switching(turns: int) -> bool:
        for _ in range(turns):
            with enter():
                for _ in range(3):
                    if state() != inside:
                        return False
                    await asyncio.sleep(0)
            if state() != OUTSIDE:
                return False
            await asyncio.sleep(0)
        return True

    async def steady(turns: int) -> bool:
        for _ in range(turns):
            if state() != OUTSIDE:
                return False
            await asyncio.sleep(0)
        return True

    async def together() -> list[Any]:
        return [*(await asyncio.gather(switching(5), steady(20), switching(7), steady(20))), state()]

    assert asyncio.run(together()) == [True, True, True, True, OUTSIDE]


@each_mode
def test_a_task_begun_inside_of_a_block_keeps_its_mode_after_the_block_has_ended(
    enter: Callable[[], Any], inside: tuple[bool, bool]
) -> None:
    """A task begins with a copy of the context that it is created in, as Python has it."""

    async def later(go: asyncio.Event) -> tuple[bool, bool]:
        await go.wait()
        return state()

    async def both() -> list[Any]:
        go = asyncio.Event()
        with enter():
            begun_inside = asyncio.create_task(later(go))
            in_a_thread = await asyncio.to_thread(state)
        begun_outside = asyncio.create_task(later(go))
        go.set()
        return [await begun_inside, await begun_outside, in_a_thread, state()]

    assert asyncio.run(both()) == [inside, OUTSIDE, inside, OUTSIDE]


@each_mode
def test_a_task_that_is_cancelled_while_it_waits_leaves_the_others_alone(
    enter: Callable[[], Any], inside: tuple[bool, bool]
) -> None:
    async def waiting(seen: list[Any]) -> None:
        try:
            with enter():
                seen.append(state())
                await asyncio.sleep(60)
        finally:
            seen.append(state())

    async def cancelling() -> list[Any]:
        seen: list[Any] = []
        task = asyncio.create_task(waiting(seen))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return [*seen, state()]

    assert asyncio.run(cancelling()) == [inside, OUTSIDE, OUTSIDE]


def test_tasks_that_train_in_turns_get_the_bits_that_each_gets_alone() -> None:
    async def trained_in_turns(seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        x, t = rng.normal(size=(8, 4)), rng.integers(0, 3, 8)
        net = nn.MLP([4, 5, 3], rng=seed)
        optimizer = optim.Adam(lr=0.01).bind(net)
        for _ in range(10):
            loss = nn.CrossEntropy()(net, x, t)
            await asyncio.sleep(0)
            optimizer.zero_grad()
            loss.backward()
            await asyncio.sleep(0)
            with tg.no_grad():
                await asyncio.sleep(0)
                optimizer.step()
        return b"".join(parameter.numpy().tobytes() for parameter in net.parameters())

    async def together() -> list[bytes]:
        return await asyncio.gather(*[trained_in_turns(seed) for seed in range(3)])

    alone = [asyncio.run(trained_in_turns(seed)) for seed in range(3)]
    assert asyncio.run(together()) == alone


def test_modules_called_by_tasks_that_wait_record_their_own_scopes_alone() -> None:
    """A module is called without waiting, so a task can wait only before and after."""

    async def calling(i: int) -> set[str]:
        net, seen = nn.Sequential(*[nn.Identity()] * i, Probe(scope)), set()
        for _ in range(5):
            await asyncio.sleep(0)
            net(np.ones(1))
            seen |= {net.layers[-1].seen, scope()}
        return seen

    async def together() -> list[set[str]]:
        return await asyncio.gather(*[calling(i) for i in range(3)])

    assert asyncio.run(together()) == [{f"layers.{i}", ""} for i in range(3)]
