"""Updates as sums of few terms, and the factors of a sweep where they cost least: fewer passes over the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.rewriting import Made, held, operations, passes, written
from tinygrad_lite import nn, optim

RNG = np.random.default_rng(1)
X, T = RNG.normal(size=(20, 6)), RNG.normal(size=(20, 3))
W, V = RNG.normal(size=(3, 6)), RNG.normal(size=(5, 6))


def regression(update: Callable[..., Any], dtype: Any = np.float64, **numbers: float) -> Callable[[], Made]:
    """Return what makes a step with the loss Σ (x wᵀ − t)² / n, and cells for the weight and for numbers.

    `update` takes the Tensors: the weight, its gradient, then the numbers by their names.
    """

    def make() -> Made:
        w = tg.Tensor(W.astype(dtype), requires_grad=True, name="w")
        cells = {name: tg.Tensor(np.array(number), name=name) for name, number in numbers.items()}

        def step(x: Any, t: Any) -> Any:
            loss = np.mean((x @ w.T - t) ** 2)
            loss.backward()
            gradient, w.grad = tg.Tensor(w.grad), None
            with tg.no_grad():
                return loss.detach(), update(w, gradient, **cells)

        return step, [w, *cells.values()]

    return make


def descend(w, g, lr):
    w.assign(w - lr * g)


def decay(w, g, lr):
    w.assign(w - lr * (g + 0.5 * w))


# ----- Updates -----


def test_a_penalty_becomes_a_factor_of_the_weight():
    program = held(regression(decay, lr=0.1), X, T)
    assert program.plan().rewrites["updates folded"] == 1
    assert written(program, (3, 6)) == ["matmul", "multiply", "add"]  # a w + b g
    assert len(passes(held(regression(decay, lr=0.1), X, T, exact=True), (3, 6))) == 5


def test_a_sum_that_is_handed_out_too_stays_a_sum():
    def update(w, g, lr):
        total = g + 0.5 * w
        w.assign(w - lr * total)
        return total

    program = held(regression(update, lr=0.1), X, T)
    assert written(program, (3, 6)) == ["matmul", "multiply", "add", "multiply", "add"]


def test_a_step_that_is_read_off_an_array_multiplies_the_weight_as_it_is():
    def update(w, g):
        w.assign(w - 0.1 / np.sqrt(np.sum(np.abs(g))) * g)

    program = held(regression(update), X, T)
    # the sum comes after the gradient
    assert written(program, (3, 6)) == ["matmul", "absolute", "multiply", "subtract"]


def test_what_is_broadcast_is_no_part_of_the_sum():
    def update(w, g, lr):
        w.assign(w - lr * np.mean(g, axis=0))

    held(regression(update, lr=0.1), X, T)


def test_a_weight_that_is_assigned_something_else_is_no_update():
    def update(w, g, lr):
        w.assign(lr * g)

    program = held(regression(update, lr=0.1), X, T)
    assert "updates folded" not in program.plan().rewrites


def test_integers_are_no_updates():
    def make():
        n = tg.Tensor(np.arange(20_000).reshape(200, 100), name="n")
        return lambda m: n.assign(n - 2 * (m + 3 * n)), [n]

    program = held(make, np.ones((200, 100), np.int64))
    assert not program.plan().rewrites.keys() & {"updates folded", "factors taken back", "multiples added by BLAS"}


@pytest.mark.parametrize("dtypes", [(np.float32, np.float64), (np.float64, np.float32)])
def test_mixed_dtypes_keep_the_dtype_of_the_weight(dtypes):
    def make():
        w = tg.Tensor(np.ones((120, 100), dtypes[0]), name="w")
        return lambda g: w.assign((w - 0.1 * (g + 0.5 * w)).astype(dtypes[0])), [w]

    held(make, RNG.normal(size=(120, 100)).astype(dtypes[1]))


def test_the_quotient_of_adam_is_one_division():
    def make():
        net = nn.Linear(30, 40, rng=0)
        optimizer = optim.Adam(lr=0.01).bind(net)

        def step(g):
            net.weight.grad = g
            net.bias.grad = np.sum(g, axis=1)
            optimizer.step()
            optimizer.zero_grad()

        return step, list(net.parameters())

    gradients = np.abs(RNG.normal(size=(40, 30))).astype(np.float32) + 0.5
    assert written(held(make, gradients, tolerance=1e-5), (40, 30)).count("divide") == 1
    assert written(held(make, gradients, exact=True), (40, 30)).count("divide") == 3


# ----- Factors -----


def test_the_step_and_the_mean_of_the_loss_are_one_factor_of_the_first_delta():
    program = held(regression(descend, lr=0.1), X, T)
    assert program.plan().rewrites["factors taken back"] >= 1
    assert written(program, (3, 6)) == ["matmul", "add"]
    exact = held(regression(descend, lr=0.1), X, T, exact=True)
    assert written(exact, (3, 6)) == ["matmul", "multiply", "subtract"]


@pytest.mark.parametrize("lr", [0.0, -1.0, np.nan, 1e-300])
def test_any_step_size_gives_what_it_gives_eagerly(lr):
    held(regression(descend, lr=lr), X, T)


def two_layers(update: Callable[..., Any], *, share: bool = True) -> Callable[[], Made]:
    """Return what makes a step of two layers, whose weights are updated with a number each."""

    def make() -> Made:
        v, w = tg.Tensor(V, requires_grad=True, name="v"), tg.Tensor(W[:, :5], requires_grad=True, name="w")
        first = tg.Tensor(np.array(0.1), name="first")
        second = first if share else tg.Tensor(np.array(0.2), name="second")

        def step(x: Any, t: Any) -> Any:
            loss = np.mean((np.tanh(x @ v.T) @ w.T - t) ** 2)
            loss.backward()
            gradients = tg.Tensor(v.grad), tg.Tensor(w.grad)
            v.grad = w.grad = None
            with tg.no_grad():
                v.assign(v - first * gradients[0])
                w.assign(w - second * gradients[1])
                return loss.detach(), update(*gradients)

        return step, [v, w]

    return make


def test_all_weights_behind_a_delta_take_its_factor():
    program = held(two_layers(lambda *_: None), X, T)
    for shape in ((5, 6), (3, 5)):
        assert written(program, shape) == ["matmul", "add"]


def test_weights_that_ask_for_different_factors_part_their_delta():
    shared = held(two_layers(lambda *_: None), X, T)
    parted = held(two_layers(lambda *_: None, share=False), X, T)
    for shape in ((5, 6), (3, 5)):
        assert written(parted, shape) == ["matmul", "add"]
    assert written(parted, (20, 3)).count("multiply") > written(shared, (20, 3)).count("multiply")


def test_a_gradient_that_is_handed_out_is_the_gradient():
    program = held(two_layers(lambda v, _w: v + 0.0), X, T)
    assert sorted(written(program, (5, 6))) == ["add", "add", "matmul", "multiply"]


def test_factors_of_the_forward_computation_stay_where_they_are():
    def make():
        lr = tg.Tensor(np.array(0.1), name="lr")
        return lambda x, w: (lr * (x @ w.T), np.sum(lr * (x @ w.T), axis=0)), [lr]

    program = held(make, X, W)
    assert "factors taken back" not in program.plan().rewrites


def test_factors_pass_sums_to_the_biases():
    def make():
        b = tg.Tensor(np.ones(3), requires_grad=True, name="b")
        lr = tg.Tensor(np.array(0.1), name="lr")

        def step(x, t):
            np.mean((np.tanh(x @ W.T) + b - t) ** 2).backward()
            with tg.no_grad():
                b.assign(b - lr * tg.Tensor(b.grad))
            b.grad = None

        return step, [b]

    program = held(make, X, T)
    assert written(program, (3,)) == ["sum", "add"]


# ----- Squares -----


def averaged(power: Callable[..., Any]) -> Callable[[], Made]:
    def make() -> Made:
        s = tg.Tensor(np.zeros((3, 6)), name="s")
        return lambda g: s.assign(0.9 * s + power(g)), [s]

    return make


def test_a_multiple_of_a_value_times_itself_is_a_square():
    program = held(averaged(lambda g: 0.1 * g * g), W)
    assert operations(program)["square"] == 1
    assert "square" not in operations(held(averaged(lambda g: 0.1 * g * g), W, exact=True))


@pytest.mark.parametrize("power", [lambda g: -0.1 * g * g, lambda g: 0.1 * g * np.abs(g)])
def test_what_is_negative_or_no_square_is_a_product(power):
    assert "square" not in operations(held(averaged(power), W))
