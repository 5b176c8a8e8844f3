"""Threads that call one program at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import tinygrad_lite as tg

RNG = np.random.default_rng(3)
X = np.array([0.5, 1.0, 2.0])


def weights() -> tg.Tensor:
    return tg.Tensor([1.0, -2.0, 3.0], requires_grad=True, name="w")


# ----- Threads -----


def test_threads_that_call_one_program_get_their_own_results() -> None:
    program = tg.compile(lambda x: np.tanh(x @ x.T) @ x + x)
    xs = [RNG.normal(size=(20, 20)) for _ in range(4)]
    expected = [np.asarray(program(x)) for x in xs]

    def calling(i: int) -> bool:
        return all(np.array_equal(program(xs[i]), expected[i]) for _ in range(200))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(calling, range(4)))


def test_threads_that_step_one_cell_lose_no_step() -> None:
    w = tg.Tensor(np.zeros(50))
    program = tg.compile(lambda: w.assign(w + 1))
    barrier = threading.Barrier(2)

    def stepping(_: int) -> None:
        barrier.wait(10)
        for _ in range(300):
            program()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(stepping, range(2)))
    assert w.numpy().tolist() == [600.0] * 50
