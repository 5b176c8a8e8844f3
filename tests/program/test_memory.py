"""What a program allocates: its buffers once, results at each call, and nothing that stays."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn, optim

BATCH, WIDTHS = 100, [784, 100, 10]
KILOBYTE = 1024


def batch(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(BATCH, WIDTHS[0])).astype(np.float32), rng.integers(0, 10, BATCH)


def training(rule: optim.Rule) -> tuple[nn.MLP, optim.Optimizer, Callable[..., Any]]:
    net = nn.MLP(WIDTHS, activation="softplus", rng=0)
    optimizer, objective = rule.bind(net), nn.CrossEntropy() + 1e-4 * nn.L2()

    def step(x: Any, t: Any) -> Any:
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return net, optimizer, step


def peak_of(function: Callable[[], Any]) -> int:
    """Return the most bytes that were allocated at any moment of a call, beside those before it."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        function()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


RULES = [optim.SGD(lr=0.1), optim.Momentum(lr=0.1), optim.Adam(), optim.AdamW()]


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_step_allocates_no_arrays(rule: optim.Rule, exact: bool) -> None:
    _, _, step = training(rule)
    program, (x, t) = tg.compile(step, exact=exact), batch()
    for _ in range(3):
        program(x, t)
    assert peak_of(lambda: [program(x, t) for _ in range(5)]) <= 64 * KILOBYTE
    assert peak_of(lambda: step(x, t)) > 64 * KILOBYTE  # as it is eagerly


def test_a_thousand_steps_keep_nothing() -> None:
    _, _, step = training(optim.SGD(lr=0.1))
    x, t = batch()
    x = x[:10]
    program = tg.compile(step)
    for _ in range(20):
        program(x, t[:10])
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(20):
            program(x, t[:10])
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            program(x, t[:10])
        assert tracemalloc.get_traced_memory()[0] - before < 8 * KILOBYTE
    finally:
        tracemalloc.stop()


def test_steps_with_other_steps_between_keep_nothing() -> None:
    net, _, step = training(optim.SGD(lr=0.1))
    program, (x, t) = tg.compile(step), batch()

    def mixed(count: int) -> None:
        for _ in range(count):
            kept = net.parameters()[0].data
            program(x, t)
            step(x, t)
            program(x, t)
            del kept

    mixed(3)
    gc.collect()
    tracemalloc.start()
    try:
        mixed(3)
        before = tracemalloc.get_traced_memory()[0]
        mixed(20)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 32 * KILOBYTE
    finally:
        tracemalloc.stop()


def test_arguments_and_results_are_let_go_at_once(no_collector: None) -> None:
    w = tg.Tensor(np.ones(1000), requires_grad=True)
    program = tg.compile(lambda x: w * x)
    program(np.ones(1000))
    for _ in range(2):
        x = np.ones(1000)
        t = tg.Tensor(x)
        y = program(x)
        z = program(t)
        references = [weakref.ref(y), weakref.ref(z), weakref.ref(x), weakref.ref(t)]
        del x, y, z, t
        assert [reference() for reference in references] == [None] * 4


def test_the_arguments_of_the_captured_call_are_let_go(no_collector: None) -> None:
    program = tg.compile(lambda x: np.tanh(x) * 2)
    x, t = np.ones(1000), tg.Tensor(np.ones(1000))
    references = weakref.ref(x), weakref.ref(t)
    program(x)
    program(t)
    del x, t
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_a_program_that_is_gone_lets_go_of_its_buffers() -> None:
    def once() -> None:
        _, _, step = training(optim.Adam())
        program, (x, t) = tg.compile(step), batch()
        program(x, t)
        program(x, t)

    once()
    gc.collect()
    tracemalloc.start()
    try:
        once()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(3):
            once()
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 64 * KILOBYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_buffers_are_no_more_than_what_is_alive_together(rule: optim.Rule) -> None:
    net, optimizer, step = training(rule)
    program, (x, t) = tg.compile(step), batch()
    program(x, t)
    parameters = sum(parameter.data.nbytes for parameter in net.parameters())
    state = sum(tensor.data.nbytes for tensors in optimizer.state.values() for tensor in tensors)
    activations = 4 * BATCH * (2 * WIDTHS[1] + 2 * WIDTHS[2])  # z and σ(z) of each layer
    gradients = parameters
    assert program.plan().peak_bytes <= 1.2 * (parameters + gradients + state + activations)


def test_what_a_program_holds_is_what_its_plan_says() -> None:
    _, _, step = training(optim.SGD(lr=0.1))
    program, (x, t) = tg.compile(step), batch()
    program(x, t)
    gc.collect()
    other = tg.compile(step)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        other(x, t)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert held <= 1.1 * other.plan().peak_bytes + 300 * KILOBYTE


def test_a_long_chain_uses_two_buffers_or_fewer() -> None:
    def chain(x: Any) -> Any:
        for _ in range(50):
            x = np.tanh(x) * 1.5 + 0.25
        return x

    program = tg.compile(chain, exact=True)
    x = np.ones((100, 100))
    program(x)
    assert program.plan().peak_bytes <= 2 * x.nbytes
