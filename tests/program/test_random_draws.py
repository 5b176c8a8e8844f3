"""Random numbers drawn in a program: anew at each call, with the bits and the generator states of eager execution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.comparing import assert_near, assert_same
from tinygrad_lite import nn, optim


class Dropout(nn.Module):
    """Drops values with a probability while `is_training`, and scales what is left."""

    def __init__(self, probability: float, rng: np.random.Generator) -> None:
        self.probability, self.rng, self.is_training = probability, rng, True

    def forward(self, x: Any) -> Any:
        if not self.is_training:
            return x
        kept = tg.uniform(x.shape, rng=self.rng, dtype=x.dtype) >= self.probability
        return np.where(kept, x, 0.0) / (1 - self.probability)


def same_state(a: np.random.Generator, b: np.random.Generator) -> bool:
    """Return whether two generators will draw the same; what holds arrays is compared by its text."""
    return repr(a.bit_generator.state) == repr(b.bit_generator.state)


def training(seed: int) -> tuple[nn.Sequential, Any, Any]:
    rng = np.random.default_rng(seed)
    net = nn.Sequential(nn.Linear(4, 8, rng=0), nn.Tanh(), Dropout(0.5, rng), nn.Linear(8, 3, rng=1))
    optimizer, objective = optim.Momentum(lr=0.1).bind(net), nn.CrossEntropy()

    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return net, step, rng


@pytest.mark.parametrize("exact", [True, False])
def test_dropout_trains_with_the_draws_of_eager_execution(exact: bool) -> None:
    (net, step, rng), (twin, twin_step, twin_rng) = training(3), training(3)
    program, compare = tg.compile(step, exact=exact), assert_same if exact else assert_near
    losses = set()
    for count in range(6 if exact else 2):
        numbers = np.random.default_rng(count)
        x, t = numbers.normal(size=(6, 4)).astype(np.float32), numbers.integers(0, 3, 6)
        found, expected = program(x, t), twin_step(x, t)
        compare(found, expected, f"step {count}")
        compare(net.state_dict(), twin.state_dict(), f"step {count}")
        assert same_state(rng, twin_rng)
        losses.add(found.item())
    assert len(losses) == count + 1
    net.layers[2].is_training = twin.layers[2].is_training = False
    compare(program(x, t), twin_step(x, t))
    assert same_state(rng, twin_rng)


DISTRIBUTIONS = {
    "uniform": lambda rng, dtype: tg.uniform((2, 3), rng=rng, dtype=dtype),
    "shifted uniform": lambda rng, dtype: tg.uniform(5, rng=rng, low=-1.0, high=3.0, dtype=dtype),
    "normal": lambda rng, dtype: tg.normal((3, 1), rng=rng, dtype=dtype),
    "scaled normal": lambda rng, dtype: tg.normal((), rng=rng, mean=2.0, std=0.5, dtype=dtype),
    "nothing": lambda rng, dtype: tg.normal((0, 3), rng=rng, dtype=dtype),
}


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_draws_have_the_bits_of_eager_execution(distribution: str, dtype: Any, bits: Any) -> None:
    rng, twin = (np.random.Generator(bits(11)) for _ in range(2))
    draw = DISTRIBUTIONS[distribution]

    def f(rng: np.random.Generator, x: Any) -> Any:
        first, unused, second = draw(rng, dtype), draw(rng, dtype), draw(rng, dtype)
        return first * x + 1, second, unused.sum(), second, np.where(first > 0.5, first, 0.0)

    program = tg.compile(lambda x: f(rng, x), exact=True)
    for call in range(4):
        x = tg.Tensor(1.0 + call)
        assert_same(program(x), f(twin, x))
        assert same_state(rng, twin)
        if call == 1:
            assert rng.random() == twin.random()  # draws between calls count
        if call == 2:
            rng.bit_generator.state = twin.bit_generator.state = type(rng.bit_generator)(5).state


def test_two_generators_and_one_in_two_programs() -> None:
    generators = [np.random.default_rng(i) for i in (0, 1, 0, 1)]

    def f(a: np.random.Generator, b: np.random.Generator) -> Any:
        return tg.uniform(3, rng=a) - tg.normal(3, rng=b) * tg.uniform(3, rng=a)

    one, other = tg.compile(lambda: f(*generators[:2])), tg.compile(lambda: f(*generators[1::-1]))
    for _ in range(3):
        assert_near(one(), f(*generators[2:]))
        assert_near(other(), f(*generators[:1:-1]))


def test_a_generator_that_is_exchanged_is_drawn_from() -> None:
    held = {"rng": np.random.default_rng(0)}
    program = tg.compile(lambda: tg.uniform(3, rng=held["rng"]))
    for seed in (0, 7, 7, 0):
        held["rng"] = np.random.default_rng(seed)
        assert program().numpy().tolist() == np.random.default_rng(seed).random(3).tolist()


def test_generators_that_are_arguments_are_drawn_from() -> None:
    program = tg.compile(lambda rng: tg.normal(3, rng=rng))
    one, other = np.random.default_rng(1), np.random.default_rng(2)
    twins = np.random.default_rng(1), np.random.default_rng(2)
    for i in (0, 1, 1, 0, 0):
        assert program((one, other)[i]).numpy().tolist() == twins[i].standard_normal(3).tolist()
