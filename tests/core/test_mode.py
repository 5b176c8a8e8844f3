"""Contract 8: one mode, restored on exceptions, independent in every thread and task."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import UnsupportedError


def records() -> bool:
    return (tg.Tensor([1.0], requires_grad=True) * 2).requires_grad


def test_nothing_is_recorded_under_no_grad() -> None:
    with tg.no_grad():
        assert not records()
    assert records()


def test_a_leaf_made_under_no_grad_is_a_leaf_all_the_same() -> None:
    with tg.no_grad():
        x = tg.Tensor([1.0], requires_grad=True)
    assert (x * 2).requires_grad


def test_no_grad_nests() -> None:
    with tg.no_grad():
        with tg.no_grad():
            assert not records()
        assert not records()
    assert records()


def test_no_grad_is_left_when_an_exception_passes() -> None:
    with pytest.raises(KeyError), tg.no_grad():
        raise KeyError
    assert records()


def test_no_grad_decorates_a_function_any_number_of_times() -> None:
    @tg.no_grad()
    def quiet(depth: int) -> bool:
        return records() or (depth > 0 and quiet(depth - 1))

    assert not quiet(3)
    assert not quiet(3)
    assert records()


def test_a_graph_recorded_before_no_grad_is_swept_under_it() -> None:
    x = tg.Tensor([3.0], requires_grad=True)
    y = x * x
    with tg.no_grad():
        y.backward()
    assert x.grad == 6


def test_grad_records_although_it_is_called_under_no_grad() -> None:
    with tg.no_grad():
        assert tg.grad(lambda x: x**2)(3.0) == 6
        assert tg.grad(tg.grad(lambda x: x**3))(2.0) == 12
        assert not records()


def test_no_grad_inside_a_differentiated_function_makes_a_constant() -> None:
    def f(x: tg.Tensor) -> tg.Tensor:
        with tg.no_grad():
            frozen = x * 2
        return x * frozen

    assert tg.grad(f)(3.0) == 6


def test_an_exception_in_a_differentiated_function_leaves_the_mode_as_it_was() -> None:
    def failing(x: tg.Tensor) -> tg.Tensor:
        raise KeyError(x.shape)

    with pytest.raises(KeyError):
        tg.grad(failing)(1.0)
    assert records()
    with tg.no_grad():
        with pytest.raises(KeyError):
            tg.grad(failing)(1.0)
        assert not records()


def test_an_exception_in_an_operation_leaves_no_trace() -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match="add"):
        x + np.ones(3)
    (x * 2).backward([1.0, 1.0])
    assert np.array_equal(x.grad, [2, 2])


def test_threads_do_not_see_each_others_no_grad() -> None:
    inside, checked = threading.Event(), threading.Event()

    def quiet() -> bool:
        with tg.no_grad():
            inside.set()
            assert checked.wait(10)
            return records()

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(quiet)
        assert inside.wait(10)
        assert records()
        checked.set()
        assert answer.result() is False


def test_a_new_thread_starts_by_recording() -> None:
    with tg.no_grad(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(records).result() is True


def test_tasks_do_not_see_each_others_no_grad() -> None:
    async def quiet(inside: asyncio.Event, checked: asyncio.Event) -> bool:
        with tg.no_grad():
            inside.set()
            await checked.wait()
            return records()

    async def loud(inside: asyncio.Event, checked: asyncio.Event) -> bool:
        await inside.wait()
        answer = records()
        checked.set()
        return answer

    async def both() -> list[bool]:
        inside, checked = asyncio.Event(), asyncio.Event()
        return await asyncio.gather(quiet(inside, checked), loud(inside, checked))

    assert asyncio.run(both()) == [False, True]


def test_threads_that_differentiate_at_once_get_what_each_gets_alone() -> None:
    def trained(seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        x, labels = rng.normal(size=(8, 5)), rng.integers(0, 3, 8)
        w = tg.Tensor(rng.normal(size=(3, 5)), requires_grad=True)
        for _ in range(30):
            tg.softmax_cross_entropy(x @ w.T, labels).backward()
            w.assign(w.data - 0.1 * w.grad)
            w.grad = None
        return w.numpy().tobytes()

    alone = [trained(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(trained, range(4))) == alone


def test_the_global_random_state_is_never_touched() -> None:
    before = np.random.get_state()[1].copy()  # the state that must not change
    x = tg.Tensor(np.ones((2, 3)), requires_grad=True)
    tg.softmax_cross_entropy(np.tanh(x), [0, 1]).backward()
    assert np.array_equal(np.random.get_state()[1], before)


def test_enable_grad_records_again_inside_of_no_grad() -> None:
    with tg.no_grad():
        with tg.enable_grad():
            assert records()
        assert not records()


def test_no_grad_holds_in_a_decorated_coroutine_and_only_there() -> None:
    @tg.no_grad()
    async def quiet() -> bool:
        await asyncio.sleep(0)
        return records()

    async def both() -> list[bool]:
        async def loud() -> bool:
            await asyncio.sleep(0)
            return records()

        return [*(await asyncio.gather(quiet(), loud())), await quiet(), records()]

    assert asyncio.run(both()) == [False, True, False, True]


def test_an_asynchronous_generator_is_not_decorated_in_vain() -> None:
    with pytest.raises(UnsupportedError, match="no_grad does not decorate the asynchronous generator steps"):

        @tg.no_grad()
        async def steps() -> AsyncIterator[int]:
            yield 1
