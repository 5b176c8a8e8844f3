"""What is asked of the values of an argument is asked at every call of a program, before it changes anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.comparing import assert_same
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import ArgumentError

RNG = np.random.default_rng(0)

each_way = pytest.mark.parametrize("exact", [True, False], ids=["exact", "rewritten"])
each_kind = pytest.mark.parametrize("kind", [np.asarray, tg.Tensor], ids=["arrays", "Tensors"])


@each_way
@each_kind
@pytest.mark.parametrize("width", [3, 300])
@pytest.mark.parametrize("wrong", [-1, 300, 2**40])
def test_a_label_out_of_range_of_one_hot_is_refused_at_every_call(
    wrong: int, width: int, kind: Callable[..., Any], exact: bool
) -> None:
    def f(labels: Any) -> Any:
        return tg.one_hot(labels, width) * 2.0

    program = tg.compile(f, exact=exact)
    labels = np.array([0, 2, 1, 2])
    for _ in range(3):
        labels = np.roll(labels, 1)
        assert_same(program(kind(labels)), f(kind(labels)))
    for _ in range(2):
        with pytest.raises(ArgumentError, match="class labels must lie in"):
            program(kind(np.array([0, wrong, 1, 2])))
    assert_same(program(kind(labels)), f(kind(labels)))


@pytest.mark.parametrize("shape", [(), (4,), (2, 3), (0,)])
def test_labels_of_any_shape_are_checked(shape: tuple[int, ...]) -> None:
    program = tg.compile(lambda labels: tg.one_hot(labels, 3))
    for _ in range(2):
        labels = RNG.integers(0, 3, shape)
        assert_same(program(tg.Tensor(labels)), tg.Tensor(np.eye(3)[labels]))
    if np.prod(shape):
        with pytest.raises(ArgumentError, match=r"class labels must lie in 0\.\.2"):
            program(tg.Tensor(labels + 3))


@each_way
def test_labels_subtracted_from_a_softmax_are_checked_too(exact: bool) -> None:
    logits, labels = RNG.normal(size=(4, 3)), np.array([0, 2, 1, 1])
    program = tg.compile(lambda x, t: tg.softmax(x) - tg.one_hot(t, 3), exact=exact)
    for given in (labels, labels[::-1].copy()):
        np.testing.assert_allclose(program(tg.Tensor(logits), given), tg.softmax(logits) - np.eye(3)[given], rtol=1e-12)
    with pytest.raises(ArgumentError, match="class labels must lie in"):
        program(tg.Tensor(logits), labels + 1)


def shares(shape: tuple[int, ...]) -> np.ndarray:
    return RNG.uniform(size=shape)


@each_way
@each_kind
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("shape", [(), (5,), (4, 3)])
@pytest.mark.parametrize("wrong", [1.5, -0.5, np.nan])
def test_a_target_of_binary_cross_entropy_out_of_range_is_refused_at_every_call(
    wrong: float, shape: tuple[int, ...], reduction: str, kind: Callable[..., Any], exact: bool
) -> None:
    objective = nn.BinaryCrossEntropy(reduction=reduction)

    def f(x: Any, t: Any) -> Any:
        return objective(nn.Identity(), x, t)

    program = tg.compile(f, exact=exact)
    for _ in range(3):
        x, t = RNG.normal(size=shape), shares(shape)
        np.testing.assert_allclose(program(kind(x), kind(t)).item(), f(x, t).item(), rtol=1e-12)
    for _ in range(2):
        with pytest.raises(ArgumentError, match=r"lie in \[0, 1\]"):
            program(kind(x), kind(np.where(t == t.max(), wrong, t)))
    np.testing.assert_allclose(program(kind(x), kind(t)).item(), f(x, t).item(), rtol=1e-12)


@each_way
@pytest.mark.parametrize("rows", [4, 10_000])
def test_targets_outside_of_the_function_are_checked_when_they_are_written_to(rows: int, exact: bool) -> None:
    objective, t = nn.BinaryCrossEntropy(), shares((rows, 3))
    x = RNG.normal(size=(rows, 3))
    program = tg.compile(lambda x: objective(nn.Identity(), x, t), exact=exact)
    for _ in range(3):
        t[:] = shares(t.shape)
        np.testing.assert_allclose(program(x).item(), objective(nn.Identity(), x, t).item(), rtol=1e-12)
    t[-1, -1] = 1.25
    with pytest.raises(ArgumentError, match=r"got .* … 1\.25"):
        program(x)


@each_way
def test_a_refused_step_changes_nothing(exact: bool) -> None:
    net = nn.MLP([4, 5, 3], activation="tanh", rng=0)
    optimizer, objective = optim.Adam(lr=0.01).bind(net), nn.BinaryCrossEntropy()

    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        return loss.detach()

    program = tg.compile(step, exact=exact)
    x, t = RNG.normal(size=(6, 4)).astype(np.float32), shares((6, 3)).astype(np.float32)
    for _ in range(3):
        program(x, t)
    before = {**net.state_dict()}, {**optimizer.state_dict()}
    with pytest.raises(ArgumentError, match=r"lie in \[0, 1\]"):
        program(x, t - 1)
    assert_same(({**net.state_dict()}, {**optimizer.state_dict()}), before)
    assert program(x, t).item() < np.log(2) * 2


@each_way
def test_the_gradient_by_a_target_goes_through_its_check(exact: bool) -> None:
    objective = nn.BinaryCrossEntropy(reduction="sum")

    def f(x: Any, t: Any) -> Any:
        return tg.grad(lambda x, t: objective(nn.Identity(), x, t), argnums=(0, 1))(x, t)

    program = tg.compile(f, exact=exact)
    for _ in range(3):
        x, t = RNG.normal(size=(4, 3)), shares((4, 3))
        by_x, by_t = program(x, t)
        np.testing.assert_allclose(by_x, 1 / (1 + np.exp(-x)) - t, rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(by_t, -x)
