"""Sums by products, and what BLAS adds while it multiplies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.rewriting import Made, held, held_function, operations, written
from tinygrad_lite import nn, optim
from tinygrad_lite.program import blas

RNG = np.random.default_rng(2)
LARGE = RNG.normal(size=(100, 120))
A, B = RNG.normal(size=(100, 7)), RNG.normal(size=(7, 120))

needs_blas = pytest.mark.skipif(
    blas.product_added(np.dtype(np.float64)) is None, reason="the BLAS of NumPy is not known here"
)

# ----- Sums -----


@pytest.mark.parametrize("axis", [0, 1, -1, (0,)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_of_matrices_are_products_with_ones(axis, keepdims):
    def function(x):
        return np.sum(np.sin(x), axis=axis, keepdims=keepdims)

    assert "add_reduce" not in held_function(function, LARGE).source()
    assert "add_reduce" in held_function(function, LARGE, exact=True).source()


@pytest.mark.parametrize(
    ("array", "axis"),
    [(np.ones((3, 4), int), 0), (np.ones((2, 3, 4)), 1), (np.ones((2, 3)), (0, 1)), (np.ones((0, 3)), 0)],
)
def test_other_sums_are_sums(array, axis):
    assert "add_reduce" in held_function(lambda x: np.sum(x * x, axis=axis), array).source()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sum_of_what_is_not_finite_is_what_it_is(value):
    x = LARGE.copy()
    x[3, 4] = value
    held_function(lambda x: (np.sum(x * 1.5, axis=0), np.sum(x * 1.5, axis=1)), x)


# ----- Products and multiples that are added -----


def accumulator(update: Callable[..., Any], start: Any = LARGE, dtype: Any = np.float64) -> Callable[[], Made]:
    """Return what makes a function that assigns to a matrix, and that cell."""

    def make() -> Made:
        w = tg.Tensor(np.asarray(start, dtype), name="w")
        return lambda *args: w.assign(update(w, *args)), [w]

    return make


@needs_blas
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_product_that_is_added_to_a_weight_is_one_operation(dtype):
    program = held(accumulator(lambda w, a, b: 0.5 * w + a @ b, dtype=dtype), A.astype(dtype), B.astype(dtype))
    assert written(program, LARGE.shape) == ["plus_product"]
    assert [step.place for step in program.plan().steps if step.operation == "plus_product"] == ["in w"]
    assert program.plan().rewrites["products added by BLAS"] == 1
    assert f"{np.dtype(dtype).char.replace('f', 's')}gemm(" in program.source()


@needs_blas
@pytest.mark.parametrize("order", ["C", "F"])
def test_factors_of_a_product_may_lie_by_columns(order):
    def update(w, a, b):
        return w + a @ b

    held(accumulator(update), np.asarray(A, order=order), np.asarray(B, order=order))


@needs_blas
def test_a_multiple_that_is_added_to_a_weight_is_one_operation():
    program = held(accumulator(lambda w, g: 0.9 * w + 0.1 * g), LARGE)
    assert written(program, LARGE.shape) == ["plus_multiple"]
    assert "daxpby(" in program.source()


@pytest.mark.parametrize(
    ("update", "start", "operands"),
    [
        (lambda w, a, b: w + a @ b, LARGE[:20, :20], (A[:20], B[:, :20])),  # small
        (lambda w, a, b: w + (a @ b)[0], LARGE, (A, B)),  # broadcast
        (lambda w, a, b: (a @ b) @ w, LARGE, (A, B[:, :100])),
        (lambda w, a, b: w + a * b, LARGE, (LARGE, LARGE)),
    ],
)
def test_what_is_small_or_broadcast_or_no_product_is_added_by_numpy(update, start, operands):
    assert "plus_product" not in operations(held(accumulator(update, start), *operands))


@pytest.mark.parametrize(
    "update", [lambda w: w + w @ w, lambda w: w + w.T @ w, lambda w: 0.5 * w + 0.5 * w.T, lambda w: w @ w + 0.5 * w]
)
def test_a_weight_may_be_its_own_factor(update):
    held(accumulator(update, LARGE[:, :100] / 100))


@pytest.mark.parametrize("factor", [0.0, 2.0, -1.0])
def test_a_value_may_be_added_to_a_multiple_of_itself(factor):
    held_function(lambda x, c: np.sin(x) + c * np.sin(x), LARGE, np.array(factor))


def test_integers_and_exact_programs_are_added_by_numpy():
    whole = RNG.integers(-5, 5, (100, 120))
    programs = [
        held(accumulator(lambda w, g: 3 * w + 2 * g, whole, np.int64), whole),
        held(accumulator(lambda w, g: 0.9 * w + 0.1 * g), LARGE, exact=True),
        held(accumulator(lambda w, a, b: w + a @ b), A, B, exact=True),
    ]
    for program in programs:
        assert not operations(program).keys() & {"plus_product", "plus_multiple"}


def test_a_product_that_is_handed_out_too_is_computed_by_itself():
    def make():
        w = tg.Tensor(LARGE, name="w")

        def function(a, b):
            product = a @ b
            w.assign(w + product)
            return product

        return function, [w]

    assert "plus_product" not in operations(held(make, A, B))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e60])
@pytest.mark.parametrize("factors", [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (-0.0, 0.5), (np.nan, 1.0), (1.0, np.inf)])
def test_a_factor_of_zero_makes_nan_of_what_is_not_finite_and_zero_of_all_else(factors, value):
    strange = LARGE.copy()
    strange[0, 0], strange[5] = value, 0.0

    def make():
        w, numbers = tg.Tensor(strange, name="w"), [tg.Tensor(np.array(number)) for number in factors]
        return lambda g: w.assign(numbers[0] * w + numbers[1] * g), [w]

    held(make, strange)


def test_a_step_that_is_zero_in_the_dtype_of_the_weight_alone_keeps_nan():
    strange = LARGE.astype(np.float32)
    strange[0, 0] = np.nan

    def make():
        w, lr = tg.Tensor(LARGE.astype(np.float32), name="w"), tg.Tensor(np.array(1e-60))
        return lambda g: w.assign(w - lr * g), [w]

    held(make, strange)


# ----- Without a BLAS that is known -----


@pytest.fixture
def unknown_blas(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no BLAS be found, as without threadpoolctl, and forget what was found when the test is over."""
    found = blas.product_added, blas.multiples_added
    for function in found:
        function.cache_clear()
    monkeypatch.setattr(blas, "_library", lambda: None)
    yield
    for function in found:
        function.cache_clear()


class Strange:
    """A library whose functions do something else."""

    def __getattr__(self, name: str) -> Any:
        def function(*_: Any) -> None:
            return None

        return function


@pytest.mark.usefixtures("unknown_blas")
@pytest.mark.parametrize("library", [None, Strange()])
def test_programs_do_without_a_blas_that_is_unknown_or_wrong(monkeypatch, library):
    monkeypatch.setattr(blas, "_library", lambda: library)
    programs = [
        held(accumulator(lambda w, a, b: 0.5 * w + a @ b), A, B),
        held(accumulator(lambda w, g: 0.9 * w + 0.1 * g), LARGE),
    ]
    for program in programs:
        assert not operations(program).keys() & {"plus_product", "plus_multiple"}


@pytest.mark.usefixtures("unknown_blas")
def test_a_training_step_does_without_blas():
    x, t = RNG.normal(size=(20, 120)).astype(np.float32), RNG.integers(0, 5, 20)

    def make():
        net, objective = nn.MLP([120, 100, 5], rng=0), nn.CrossEntropy() + 0.01 * nn.L2()
        optimizer = optim.SGD(lr=0.1).bind(net, objective)

        def step(x):
            loss = objective(net, x, t)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss.detach()

        return step, list(net.parameters())

    program = held(make, x, tolerance=1e-5)
    assert "gemm(" not in program.source()


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + 1e-8,
        lambda x: 1 + x,
        lambda x: 2.0 * x + 1e-8,
        lambda x: x @ x.T + 3.0,
        lambda x: np.sqrt(np.abs(x)) + tg.Tensor(2.0),
        lambda x: x + np.ones(120),
        lambda x: x + np.sum(x),
    ],
)
def test_a_large_array_and_a_number_are_added_by_numpy(function):
    assert "plus_multiple" not in operations(held_function(function, LARGE))
