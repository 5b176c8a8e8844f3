"""Rewrites that keep the bits: what is computed once, beforehand, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.comparing import assert_same
from tests.program.rewriting import held_function, operations
from tinygrad_lite.errors import ArgumentError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 6))

# ----- Common subexpressions -----


def test_what_is_computed_twice_from_the_same_operands_is_computed_once():
    program = held_function(lambda x: np.exp(x) * 2.0 + np.exp(x), X, exact=True)
    assert operations(program)["exp"] == 1
    assert program.plan().rewrites["common subexpressions"] == 1


def test_the_sweep_takes_from_the_forward_computation_what_is_there():
    value = tg.value_and_grad(lambda x: np.sum(tg.sigmoid(x) * np.sin(x)))
    program = held_function(value, X, exact=True)
    assert operations(program)["exp"] == 1


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (lambda x: (x * 0.0) / (x * -0.0), "multiply"),  # the zeros differ in their signs
        (lambda x: (np.sum(x, axis=0), np.sum(x, axis=1)), "sum"),
        (lambda x: (x[:, 0] * 2.0, x[:, 1] * 2.0), "multiply"),
        (lambda x: ((x > 0) * 1, (x > 0) * 1.0), "multiply"),
        (lambda x: (x.astype(np.float32), x.astype(np.int64)), "astype"),
        (lambda x: (x - 1.0, 1.0 - x), "subtract"),
    ],
)
def test_what_differs_is_computed_twice(function, operation):
    program = held_function(function, X, exact=True)
    assert operations(program)[operation] == 2


def test_two_draws_are_two_values_though_they_look_alike():
    rng, twin = (np.random.default_rng(1) for _ in range(2))
    program = tg.compile(lambda x: tg.uniform((3,), rng=rng) - tg.uniform((3,), rng=rng) + x, exact=True)
    for _ in range(3):
        assert np.array_equal(program(np.ones(3)).numpy(), twin.uniform(size=3) - twin.uniform(size=3) + 1)
    assert operations(program)["standard_uniform"] == 2


# ----- Dead values -----


def test_what_nothing_comes_of_is_not_computed():
    def function(x):
        np.tanh(x)
        _, y = np.cos(x), np.sin(x)
        return y

    assert operations(held_function(function, X, exact=True)) == {"sin": 1}


def test_a_gradient_that_nobody_asks_for_is_not_computed():
    def function(x, w):
        w = tg.Tensor(w, requires_grad=True)
        unused = tg.Tensor(np.ones(6), requires_grad=True)
        np.sum((x + unused) * w).backward()
        return w.grad

    program = held_function(function, X, X, exact=True)
    assert not any(step.result == "6 float64" for step in program.plan().steps)


def test_a_draw_that_nothing_comes_of_moves_its_generator():
    rng, twin = (np.random.default_rng(1) for _ in range(2))

    def function(x, rng):
        tg.uniform((3,), rng=rng)
        return x + tg.uniform((3,), rng=rng)

    program = tg.compile(lambda x: function(x, rng), exact=True)
    assert_same([program(np.ones(3)) for _ in range(3)], [function(np.ones(3), twin) for _ in range(3)])
    assert operations(program)["standard_uniform"] == 2


# ----- Constants -----


def test_what_is_computed_from_constants_is_there_beforehand():
    program = held_function(lambda x: x * np.exp(tg.Tensor([1.0, 2.0]) * 3.0).sum(), X, exact=True)
    assert operations(program) == {"multiply": 1}
    assert program.plan().rewrites["constants computed beforehand"] == 3


def test_large_constants_and_cells_and_draws_are_computed_at_each_call():
    large, cell, rng = np.ones(20_000), tg.Tensor(np.ones(3)), np.random.default_rng(0)
    program = tg.compile(lambda: (np.exp(tg.Tensor(large)), np.sin(cell), tg.uniform((3,), rng=rng)), exact=True)
    first = program()
    cell.assign(np.zeros(3))
    second = program()
    assert {"exp", "sin", "standard_uniform"} <= operations(program).keys()
    assert_same(second[:2], (np.exp(tg.Tensor(large)), tg.Tensor(np.zeros(3))))
    assert not np.array_equal(first[2].numpy(), second[2].numpy())


def test_a_constant_that_is_returned_is_the_callers():
    program = tg.compile(lambda x: (np.exp(tg.Tensor([1.0, 2.0])), x + 1.0), exact=True)
    first = program(X)[0]
    first.assign([0.0, 0.0])
    assert_same(program(X)[0], np.exp(tg.Tensor([1.0, 2.0])))
    assert np.array_equal(first.numpy(), [0, 0])


# ----- Without effect -----


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 1,
        lambda x: 1.0 * x,
        lambda x: x / 1,
        lambda x: +x,
        lambda x: x.reshape(4, 6),
        lambda x: x.astype(np.float64),
        lambda x: np.negative(-x),
        lambda x: x.T.T,
        lambda x: np.broadcast_to(x, (4, 6)),
        lambda x: np.negative(-(x.T.T * 1.0) / 1.0),
    ],
)
def test_what_changes_nothing_is_left_out_and_the_result_is_not_the_argument(function):
    program = held_function(function, X, exact=True)
    assert not operations(program)
    given = tg.Tensor(X)
    assert not np.shares_memory(program(given).data, given.data)


@pytest.mark.parametrize(
    ("function", "array"),
    [
        (lambda x: x + 0.0, np.array([-0.0, 1.0])),  # −0 + 0 is 0
        (lambda x: x * 1.0, np.array([1, 2])),  # the dtype
        (lambda x: x.astype(np.float64), np.ones(2, np.float32)),
        (lambda x: x * np.ones((2, 1)), np.ones(2)),  # the shape
        (lambda x: x / 1, np.array([1, 2])),
        (lambda x: -x, np.array([-0.0, 1.0])),
        (lambda x: np.transpose(np.transpose(x, (1, 2, 0)), (1, 2, 0)), np.ones((2, 3, 4))),
        (lambda x: x.T.T.T, np.ones((2, 3))),
    ],
)
def test_what_changes_signs_shapes_or_dtypes_stays(function, array):
    assert operations(held_function(function, array, exact=True))


def test_what_is_negated_twice_stays_where_it_is_used_once_negated():
    program = held_function(lambda x: (np.exp(-x), np.sin(np.negative(-x))), X, exact=True)
    assert operations(program) == {"negative": 1, "exp": 1, "sin": 1}


# ----- One-hot matrices -----

LABELS = np.array([5, 0, 2, 2])


def gradient_by_logits(labels):
    return tg.grad(lambda x: tg.softmax_cross_entropy(x, labels, reduction="sum"))


@pytest.mark.parametrize("exact", [True, False])
def test_labels_are_looked_up_in_the_place_of_a_one_hot_matrix(exact):
    program = held_function(lambda x, t: gradient_by_logits(t)(x), X, LABELS, exact=exact)
    assert program.plan().rewrites["one-hot matrices as places"] == 1
    assert operations(program)["label_places"] == 1
    assert not operations(program)["one_hot"]
    assert_same(program(X, LABELS[::-1].copy()), gradient_by_logits(LABELS[::-1])(X)) if exact else None


def test_a_distribution_for_a_target_is_subtracted_as_it_is():
    targets = np.eye(6)[LABELS] * 0.9 + 0.1 / 6
    program = held_function(lambda x, t: gradient_by_logits(t)(x), X, targets, exact=True)
    assert "one-hot matrices as places" not in program.plan().rewrites


def test_a_label_that_is_out_of_range_is_refused_by_name_at_each_call():
    program = held_function(lambda x, t: gradient_by_logits(t)(x), X, LABELS, exact=True)
    for wrong in (6, -1):
        with pytest.raises(ArgumentError, match=str(wrong)):
            program(X, np.array([0, 1, wrong, 2]))
    assert_same(program(X, LABELS), gradient_by_logits(LABELS)(X))
