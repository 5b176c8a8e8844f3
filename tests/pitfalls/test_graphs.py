"""Graphs that fork, join, repeat, run deep and are cut, each against an evaluation that knows nothing of graphs."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.check.conformance.differences import numeric_gradient

SHAPE = (2, 3)


def random_program(seed: int) -> Callable[[Any, Any], Any]:
    """Return a function of two matrices that forks and joins at random, and uses everything it made."""
    rng = np.random.default_rng(seed)
    steps = [(rng.integers(9), rng.integers(1000, size=2), rng.normal(size=SHAPE)) for _ in range(14)]

    def program(a: Any, b: Any) -> Any:
        made = [a, b]
        for kind, picks, c in steps:
            x, y = (made[pick % len(made)] for pick in picks)
            made.append(
                (
                    lambda x, y, c: x + y,
                    lambda x, y, c: np.tanh(x) * y,
                    lambda x, y, c: x - c * x,
                    lambda x, y, c: x.reshape(3, 2).T.reshape(SHAPE),
                    lambda x, y, c: np.concatenate([x[:1], y[1:]]),
                    lambda x, y, c: np.where(c > 0, x, y),
                    lambda x, y, c: x[::-1, [2, 0, 0]] + y[0],
                    lambda x, y, c: (x @ y.T) @ (x * 0.1),
                    lambda x, y, c: np.broadcast_to(np.mean(x, axis=0), SHAPE) * x,
                )[kind](x, y, c)
            )
        return sum(np.sum(value * c) for value, (_, _, c) in zip(made[2:], steps, strict=True))

    return program


PROGRAMS = pytest.mark.parametrize("seed", range(25))


def inputs(seed: int) -> list[np.ndarray]:
    return list(np.random.default_rng(seed + 1000).normal(size=(2, *SHAPE)) * 0.5)


@PROGRAMS
def test_a_graph_that_forks_and_joins_at_random_has_the_numeric_gradient(seed: int) -> None:
    program, arrays = random_program(seed), inputs(seed)
    leaves = [tg.Tensor(x, requires_grad=True) for x in arrays]
    program(*leaves).backward()
    for i, gradient in enumerate(tg.grad(program, argnums=(0, 1))(*arrays)):
        numeric = numeric_gradient(program, arrays, i)
        tolerance = 1e-8 * max(1.0, float(np.max(np.abs(numeric))))
        assert np.allclose(gradient, numeric, rtol=0, atol=tolerance)
        assert np.allclose(leaves[i].grad, numeric, rtol=0, atol=tolerance)


@PROGRAMS
def test_a_second_backward_through_a_random_graph_doubles_every_bit_and_shares_no_memory(seed: int) -> None:
    program, arrays = random_program(seed), inputs(seed)
    leaves = [tg.Tensor(x, requires_grad=True) for x in arrays]
    y = program(*leaves)
    y.backward()
    once = [leaf.grad for leaf in leaves]
    kept = [gradient.copy() for gradient in once]
    y.backward()
    for leaf, first, copied, array in zip(leaves, once, kept, arrays, strict=True):
        assert np.array_equal(leaf.grad, 2 * copied)
        assert np.array_equal(first, copied)
        assert leaf.grad.flags.owndata
        assert np.array_equal(leaf.data, array)
    assert not np.shares_memory(leaves[0].grad, leaves[1].grad)


@PROGRAMS
def test_one_leaf_in_both_places_collects_what_two_leaves_collect_apart(seed: int) -> None:
    program, (x, _) = random_program(seed), inputs(seed)
    apart = tg.grad(program, argnums=(0, 1))(x, x)
    together = tg.grad(lambda x: program(x, x))(x)
    np.testing.assert_allclose(together, apart[0] + apart[1], rtol=1e-12, atol=1e-12)


def test_a_cotangent_is_not_written_to_whatever_it_passes_through() -> None:
    cotangent, x = np.array([1.0, 10.0]), tg.Tensor([2.0, 3.0], requires_grad=True)
    y = x + 0
    z = y + y.reshape(1, 2)[0] + np.expand_dims(y, 0)[0] + np.broadcast_to(y, (2,)) + y[:] + y.T + (+y)
    for times in (1, 2):
        z.backward(cotangent)
        assert np.array_equal(cotangent, [1, 10])
        assert np.array_equal(x.grad, times * 7 * cotangent)


def test_many_leaves_that_a_sum_hands_one_cotangent_never_share_it() -> None:
    leaves = [tg.Tensor(np.ones(3), requires_grad=True) for _ in range(4)]
    total = leaves[0] + leaves[1] + leaves[2].reshape(3) + leaves[3][:]
    total.backward([1.0, 2.0, 3.0])
    for i, leaf in enumerate(leaves):
        leaf.grad[...] = 100 * i
    assert [leaf.grad[0] for leaf in leaves] == [0, 100, 200, 300]


# ----- Depth -----


def deep(x: Any, depth: int) -> Any:
    """Return x after `depth` operations of every shape that a node can have, which together change nothing."""
    y = x
    for _ in range(depth // 10):
        y = np.concatenate([y[1:], y[:1]])
        y = np.stack([y, y])[0]
        y = np.where([True, False], y, y)[::-1]
        y = 0.5 * y.reshape(2, 1)[:, 0] + 0.5 * y
    return y


@pytest.mark.usefixtures("no_collector")
def test_a_chain_of_100_000_operations_of_every_kind_is_differentiated_and_freed_on_a_small_stack() -> None:
    """The stack of the thread is a hundredth of what one C call an operation would take."""
    outcome: list[Any] = []

    def work() -> None:
        g = np.array([2.0, 5.0])
        outcome.append(tg.grad(lambda x: np.sum(deep(x, 100_000) * g))(np.array([1.0, 3.0])))

    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
    finally:
        threading.stack_size(before)
    limit = sys.getrecursionlimit()
    thread.join()
    assert limit < 100_000
    assert np.array_equal(outcome[0], [2, 5])


@pytest.mark.usefixtures("no_collector")
def test_a_deep_graph_is_freed_when_an_exception_leaves_it_unfinished() -> None:
    def failing(x: Any) -> Any:
        y = deep(x, 20_000)
        raise KeyError(y.shape)

    for _ in range(2):
        with pytest.raises(KeyError):
            tg.grad(failing)(np.array([1.0, 3.0]))
    assert gc.collect() < 100  # what pytest keeps of an exception is in cycles, the graph is not


def test_one_leaf_in_a_thousand_places_collects_them_all() -> None:
    x, g = tg.Tensor(2.0, requires_grad=True), np.random.default_rng(0).normal(size=1000)
    h = np.random.default_rng(1).normal(size=1000)
    np.stack([x * factor for factor in g.tolist()]).backward(h)
    assert x.grad == pytest.approx(g @ h, rel=1e-10)


# ----- Garbage -----


def forgotten(x: Any) -> Any:
    y = np.tanh(x)
    return np.sum(y * y + x)


WAYS: dict[str, Callable[[], Any]] = {
    "recording alone": lambda: forgotten(tg.Tensor([1.0, 2.0], requires_grad=True)),
    "backward": lambda: forgotten(tg.Tensor([1.0, 2.0], requires_grad=True)).backward(),
    "grad": lambda: tg.grad(forgotten)(np.array([1.0, 2.0])),
    "grad of grad": lambda: tg.grad(lambda x: np.sum(tg.grad(forgotten)(x) ** 2))(np.array([1.0, 2.0])),
    "under no_grad": tg.no_grad()(lambda: forgotten(tg.Tensor([1.0, 2.0], requires_grad=True))),
    "a check": lambda: bool(tg.check_gradients(forgotten, np.array([1.0, 2.0]))),
}


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("way", WAYS)
def test_nothing_that_is_done_with_a_graph_leaves_garbage_in_cycles(way: str) -> None:
    WAYS[way]()
    gc.collect()
    for _ in range(20):
        WAYS[way]()
    assert gc.collect() == 0


# ----- Cuts -----


def test_a_gradient_goes_around_what_was_cut_off() -> None:
    x, g = tg.Tensor([2.0, 3.0], requires_grad=True), np.array([0.5, -1.5])
    with tg.no_grad():
        quiet = x * x
    (x * quiet + x * x.detach() + tg.stop_gradient(x) * 7.0 + x * x.numpy()).backward(g)
    assert np.array_equal(x.grad, g * (x.data**2 + 2 * x.data))


def test_a_leaf_that_the_result_does_not_use_has_no_grad_and_a_gradient_of_zeros() -> None:
    x, unused = tg.Tensor([2.0], requires_grad=True), tg.Tensor([3.0], requires_grad=True)
    (x * x).backward()
    assert unused.grad is None
    used, zeros = tg.grad(lambda x, _: np.sum(x * x), argnums=(0, 1))(np.array([2.0]), np.ones((2, 2), np.float32))
    assert np.array_equal(used, [4])
    assert np.array_equal(zeros, np.zeros((2, 2)))
    assert zeros.dtype == np.float32
