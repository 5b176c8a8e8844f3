"""A program changes cells in place only where nobody can see it."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.comparing import assert_same
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import ArgumentError

RNG = np.random.default_rng(5)
X = RNG.normal(size=(4, 3))
LABELS = np.array([0, 2, 1, 2])


class Counter:
    """A parameter that each call makes one larger, compiled."""

    def __init__(self, size: int = 3) -> None:
        self.w = tg.Tensor(np.zeros(size), requires_grad=True, name="w")
        w = self.w

        def step() -> None:
            w.assign(w.detach() + 1.0)

        self.step = tg.compile(step)
        self.eager = step


HOLDERS: dict[str, Callable[[tg.Tensor], Any]] = {
    "data": lambda w: w.data,
    "a view of data": lambda w: w.data[1:],
    "a Tensor that was detached": lambda w: w.detach(),
    "a Tensor assigned from it": lambda w: _assigned(w),
    "a shallow copy": lambda w: copy.copy(w),
    "a deep copy": lambda w: copy.deepcopy(w),
    "a pickle": lambda w: pickle.loads(pickle.dumps(w)),
    "the buffer protocol": lambda w: memoryview(w.data),
    "numpy()": lambda w: w.numpy(),
    "np.asarray of what was detached": lambda w: np.asarray(w.detach()),
    "a view that is a Tensor": lambda w: w.detach()[1:],
    "a transposed view": lambda w: w.detach().reshape(1, -1).T,
    "a computed Tensor that is a view": lambda w: w.reshape(-1, 1),
    "a Tensor given to a module": lambda w: nn.Linear(1, w.size).with_parameters(
        [tg.Tensor(np.ones((w.size, 1))), w.detach()]
    ),
}


def _assigned(w: tg.Tensor) -> tg.Tensor:
    other = tg.Tensor(np.ones(w.shape))
    other.assign(w)
    return other


def held(thing: Any) -> np.ndarray:
    if isinstance(thing, nn.Module):
        return thing.parameters()[0].numpy() if thing.parameters() else np.asarray(thing.bias.detach())
    return np.array(thing.detach() if isinstance(thing, tg.Tensor) else thing)


@pytest.mark.parametrize("when", [0, 1, 2, 5])
@pytest.mark.parametrize("holder", HOLDERS)
def test_who_holds_the_values_of_a_cell_keeps_them(holder: str, when: int) -> None:
    counter = Counter()
    for _ in range(when):
        counter.step()
    kept = HOLDERS[holder](counter.w)
    before = held(kept).copy()
    for _ in range(3):
        counter.step()
    np.testing.assert_array_equal(held(kept), before)
    assert counter.w.numpy().tolist() == [when + 3.0] * 3


def test_values_held_at_every_call_all_stay() -> None:
    counter = Counter()
    kept = []
    for count in range(6):
        kept.append((counter.w.data, counter.w.detach(), count))
        counter.step()
    for data, detached, count in kept:
        assert data.tolist() == detached.numpy().tolist() == [count] * 3


def test_a_graph_recorded_before_the_call_goes_back_through_the_values_it_was_recorded_with() -> None:
    counter = Counter()
    counter.step()
    loss = (counter.w**3).sum()
    counter.step()
    counter.step()
    loss.backward()
    np.testing.assert_array_equal(counter.w.grad, 3 * np.ones(3))


def test_programs_on_the_same_cells_take_turns() -> None:
    w = tg.Tensor([1.0, 2.0], name="w")
    doubled = tg.compile(lambda: w.assign(2 * w))
    raised = tg.compile(lambda: w.assign(w + 1))
    read = tg.compile(lambda: w * 10)
    expected = np.array([1.0, 2.0])
    for _ in range(5):
        doubled()
        expected = 2 * expected
        assert read().numpy().tolist() == (10 * expected).tolist()
        raised()
        expected = expected + 1
        assert w.numpy().tolist() == expected.tolist()


def test_a_program_that_is_gone_leaves_its_cells_to_others() -> None:
    w = tg.Tensor([1.0, 2.0])
    for count in range(5):
        program = tg.compile(lambda: w.assign(w + 1))
        program()
        program()
        kept = w.data
        program()
        assert kept.tolist() == [3.0 + 3 * count, 4.0 + 3 * count]
        del program
    assert w.numpy().tolist() == [16.0, 17.0]


def test_two_cells_that_share_an_array_part() -> None:
    a, b = tg.Tensor([1.0, 2.0]), tg.Tensor([0.0, 0.0])
    b.assign(a)
    program = tg.compile(lambda: a.assign(a * 3))
    program()
    b.assign(a)
    program()
    assert (a.numpy().tolist(), b.numpy().tolist()) == ([9.0, 18.0], [3.0, 6.0])


def test_a_cell_assigned_from_another_parts_from_it_at_the_next_change() -> None:
    a, b = tg.Tensor([1.0, 2.0], name="a"), tg.Tensor([0.0, 0.0], name="b")

    def step() -> None:
        b.assign(a)
        a.assign(a + 1)

    program = tg.compile(step)
    for count in range(4):
        program()
        assert b.numpy().tolist() == [1.0 + count, 2.0 + count]
        assert a.numpy().tolist() == [2.0 + count, 3.0 + count]


@pytest.mark.parametrize("order", ["C", "F", "reversed", "every second"])
def test_values_assigned_between_calls_count_whatever_their_memory_order(order: str) -> None:
    w = tg.Tensor(np.zeros((3, 4)))
    program = tg.compile(lambda x: w.assign(w * 2 + x))
    x = RNG.normal(size=(3, 4))
    expected = np.zeros((3, 4))
    for count in range(5):
        if count % 2:
            values = RNG.normal(size=(6, 8))[::2, ::2]
            laid_out = {
                "C": values.copy(), "F": np.asfortranarray(values), "reversed": values[::-1], "every second": values
            }[order]  # fmt: skip
            w.assign(tg.Tensor(laid_out) if count == 1 else laid_out)
            expected = laid_out.copy()
        program(x)
        expected = expected * 2 + x
        np.testing.assert_array_equal(w.numpy(), expected)


def training() -> tuple[nn.MLP, optim.Optimizer, Callable[..., Any]]:
    net = nn.MLP([3, 4, 3], activation="tanh", rng=0, dtype=np.float64)
    optimizer = optim.Adam(lr=0.05).bind(net)
    objective = nn.CrossEntropy()

    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return net, optimizer, step


def test_states_loaded_between_calls_count() -> None:
    (net, optimizer, step), (twin, twin_optimizer, twin_step) = training(), training()
    program = tg.compile(step, exact=True)
    saved = net.state_dict(), optimizer.state_dict()
    kept = []
    for count in range(9):
        if count == 3:
            middle = net.state_dict(), optimizer.state_dict()
        if count in (5, 7):
            state = saved if count == 5 else middle
            for module, own in ((net, optimizer), (twin, twin_optimizer)):
                module.load_state_dict(state[0])
                own.load_state_dict(state[1])
        kept.append((net.parameters()[0].data, net.parameters()[0].numpy()))
        assert_same(program(X, LABELS), twin_step(X, LABELS), f"step {count}")
        assert_same(net.state_dict(), twin.state_dict(), f"step {count}")
    for data, before in kept:
        np.testing.assert_array_equal(data, before)


def test_results_belong_to_the_caller() -> None:
    w = tg.Tensor(np.ones((2, 3)), requires_grad=True, name="w")

    def f(x: Any) -> Any:
        w.grad = None
        y = x * w.detach()
        (x * w * w).sum().backward()
        return y, y, x + 1, w.grad, y.sum(axis=0), y.T, y.sum()

    program = tg.compile(f)
    x = np.arange(6.0).reshape(2, 3)
    expected = f(tg.Tensor(x))
    handed_out = [program(tg.Tensor(x)) for _ in range(4)]
    for one, other in itertools.combinations(handed_out, 2):
        pairs = itertools.product(map(np.asarray, one), map(np.asarray, other))
        assert not any(np.shares_memory(a, b) for a, b in pairs), "calls share memory"
    handed_out[0][3][...] = np.nan
    w.grad[...] = np.inf
    assert_same(program(tg.Tensor(x)), expected)
    for result in handed_out[1:3]:
        assert_same(result, expected)


def test_a_gradient_left_behind_belongs_to_the_caller() -> None:
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    program = tg.compile(lambda: (w * w).sum().backward())
    program()
    first = w.grad
    assert first.tolist() == [2.0, 4.0]
    program()
    assert (first.tolist(), w.grad.tolist()) == ([2.0, 4.0], [4.0, 8.0])
    w.grad[...] = 100.0
    program()
    assert w.grad.tolist() == [102.0, 104.0]
    w.grad = None
    program()
    assert w.grad.tolist() == [2.0, 4.0]


def test_a_cell_that_is_exchanged_for_another_is_the_one_that_is_assigned_to() -> None:
    held = {"state": tg.Tensor(np.zeros(2))}

    def count() -> tg.Tensor:
        held["state"].assign(held["state"] + 1)
        return held["state"] * 1

    program, first = tg.compile(count), held["state"]
    program()
    program()
    held["state"] = tg.Tensor(np.full(2, 10.0))
    assert program().numpy().tolist() == [11.0, 11.0]
    assert program().numpy().tolist() == [12.0, 12.0]
    assert first.numpy().tolist() == [2.0, 2.0]


def test_labels_out_of_range_leave_every_cell_as_it_was() -> None:
    state, table = tg.Tensor(np.ones((4, 3))), np.eye(3)

    def step(t: Any) -> Any:
        new = np.exp(state * 0.1) * 2 + 1
        loss = tg.softmax_cross_entropy(new, t)
        state.assign(new @ table)
        return loss

    program = tg.compile(step)
    program(np.array([0, 1, 2, 0]))
    before = state.numpy()
    with pytest.raises(ArgumentError, match="labels"):
        program(np.array([0, 1, 3, 0]))
    assert np.array_equal(state.numpy(), before)
