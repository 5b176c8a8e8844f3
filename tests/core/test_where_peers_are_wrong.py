"""Probes at which other small autodiff libraries for NumPy give a wrong gradient, nan, a silent nothing or an error."""

from __future__ import annotations

import gc
import re
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import DtypeError, UnsupportedError

INF = np.inf


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).normal(size=shape))


def leaf(values: Any, dtype: Any = np.float64) -> tg.Tensor:
    return tg.Tensor(values, requires_grad=True, dtype=dtype)


def assert_value_and_gradient(f: Callable[..., Any], x: Any, value: Any, gradient: Any) -> None:
    """Hold a scalar function, and its gradient by both routes, against what is right, all of them in float64."""
    recorded = leaf(x)
    y = f(recorded)
    y.backward()
    by_value, by_grad = tg.value_and_grad(f)(np.asarray(x, np.float64))
    for result in (y.data, by_value):
        assert result.dtype == np.float64
        np.testing.assert_allclose(result, value, rtol=1e-14)
    for result in (recorded.grad, by_grad):
        assert result.dtype == np.float64
        np.testing.assert_allclose(result, gradient, rtol=1e-14)


def test_writing_to_a_constant_between_forward_and_backward_changes_no_gradient() -> None:
    c, x = np.array([1.0, 2.0]), leaf([3.0, 4.0])
    y = np.sum(x * c)
    c[:] = 5
    y.backward()
    assert y.item() == 11
    assert np.array_equal(x.grad, [1, 2])
    assert x.grad.dtype == np.float64

    def f(x: Any) -> Any:
        y = np.sum(x * c)
        c[:] = 7
        return y

    assert np.array_equal(tg.grad(f)(np.array([3.0, 4.0])), [5, 5])


def test_writing_to_the_array_that_a_tensor_was_made_of_changes_no_gradient() -> None:
    mine = np.array([1.0, 3.0])
    x = leaf(mine)
    y = np.sum(x * x)
    mine[:] = 7
    y.backward()
    assert y.item() == 10
    assert np.array_equal(x.grad, [2, 6])

    def f(x: Any) -> Any:
        y = np.sum(x * x)
        mine[:] = 100
        return y

    assert np.array_equal(tg.grad(f)(mine), [14, 14])
    assert x.grad.dtype == np.float64


SQUARE, OTHER = np.array([[2.0, -1.0], [0.5, 3.0]]), np.array([[1.0, 4.0], [-2.0, 0.5]])

REFUSED: dict[str, Callable[[Any], Any]] = {
    "np.dot": lambda x: np.dot(x, OTHER),
    "np.trace": np.trace,
    "np.pad": lambda x: np.pad(x, 1),
    "np.sort": np.sort,
    "np.einsum": lambda x: np.einsum("ij,jk", x, OTHER),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_function_of_numpy_that_does_not_record_is_refused_by_name_with_what_to_write(name: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"^{re.escape(name)} .*(write |the nearest that does is )"):
        REFUSED[name](leaf(SQUARE))


def in_a_frame_of_zeros(x: Any) -> Any:
    inner = (slice(1, 3), slice(1, 3))
    return tg.set_at(np.zeros((4, 4)), inner, x) if isinstance(x, tg.Tensor) else np.pad(x, 1)


COMPOSED: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "dot": (lambda x: np.matmul(x, OTHER), lambda x: np.dot(x, OTHER), lambda g: np.einsum("ik,jk->ij", g, OTHER)),
    "trace": (lambda x: np.sum(x[np.arange(2), np.arange(2)]), np.trace, lambda g: g * np.eye(2)),
    "pad": (in_a_frame_of_zeros, lambda x: np.pad(x, 1), lambda g: g[1:3, 1:3]),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_what_is_written_instead_of_dot_trace_or_pad_has_numpys_value_and_the_right_gradient(name: str) -> None:
    composed, in_numpy, gradient = COMPOSED[name]
    x, expected = leaf(SQUARE), in_numpy(SQUARE)
    y = composed(x)
    assert isinstance(y, tg.Tensor)
    assert y.dtype == np.float64
    np.testing.assert_allclose(y.data, expected, rtol=1e-14)
    g = random(*np.shape(expected))
    y.backward(g)
    assert x.grad.dtype == np.float64
    np.testing.assert_allclose(x.grad, gradient(g), rtol=1e-14)


def test_joining_and_choosing_with_plain_numpy_never_gives_an_array_of_objects() -> None:
    x, c = leaf(SQUARE), SQUARE > 0
    joined, chosen = np.concatenate([x, OTHER, x]), np.where(c, x, OTHER)
    assert np.array_equal(joined.data, np.concatenate([SQUARE, OTHER, SQUARE]))
    assert np.array_equal(chosen.data, np.where(c, SQUARE, OTHER))
    assert joined.dtype == chosen.dtype == np.float64
    g, h = random(6, 2), random(2, 2, seed=1)
    np.sum(joined * g + np.concatenate([chosen * h, np.zeros((4, 2))])).backward()
    np.testing.assert_allclose(x.grad, g[:2] + g[4:] + h * c, rtol=1e-14)
    assert x.grad.dtype == np.float64


def test_the_reduce_of_add_records() -> None:
    x, g = leaf(SQUARE), random(2)
    y = np.add.reduce(x, axis=1)
    y.backward(g)
    assert np.array_equal(y.data, SQUARE.sum(axis=1))
    assert np.array_equal(x.grad, np.broadcast_to(g[:, None], (2, 2)))
    assert y.dtype == x.grad.dtype == np.float64


SINGLE: dict[str, tuple[Callable[[Any], Any], Callable[[np.ndarray], np.ndarray]]] = {
    "power": (lambda x: x**2, lambda g: g * 2 * SQUARE),
    "index": (lambda x: x[1], lambda g: np.stack([np.zeros(2), g])),
    "matrix product": (lambda x: x @ np.float32(OTHER), lambda g: g @ OTHER.T),
    "maximum of a row": (lambda x: np.max(x, axis=1), lambda g: g[:, None] * [[1, 0], [0, 1]]),
    "mean": (lambda x: np.mean(x, axis=0), lambda g: np.broadcast_to(g / 2, (2, 2))),
    "where": (lambda x: np.where(x > 0, x, 0.0), lambda g: g * (SQUARE > 0)),
    "NumPy scalar": (lambda x: x * np.float64(2), lambda g: 2 * g),
}


@pytest.mark.parametrize("name", SINGLE)
def test_float32_comes_out_of_every_operation_and_back_as_float32(name: str) -> None:
    f, gradient = SINGLE[name]
    x = leaf(SQUARE, np.float32)
    y = f(x)
    g = random(*y.shape).astype(np.float32)
    y.backward(g)
    by_grad = tg.grad(lambda x: np.sum(f(x) * g))(np.float32(SQUARE))
    assert y.dtype == x.grad.dtype == by_grad.dtype == np.float32
    for result in (x.grad, by_grad):
        np.testing.assert_allclose(result, gradient(g), rtol=1e-6)


@pytest.mark.parametrize("integers", [3, [1, 2], np.array([1, 2], np.int8)], ids=["int", "list", "int8"])
def test_integers_are_refused_with_the_remedy_and_never_constants_without_a_word(integers: Any) -> None:
    with pytest.raises(DtypeError, match=r"np\.float64"):
        tg.Tensor(integers, requires_grad=True)
    with pytest.raises(DtypeError, match=r"np\.float64"):
        tg.grad(lambda x: np.sum(x * x))(integers)
    remedied = tg.grad(lambda x: np.sum(x * x))(np.asarray(integers, dtype=np.float64))
    assert np.array_equal(remedied, 2 * np.asarray(integers))
    assert remedied.dtype == np.float64


def test_ties_are_shared_and_the_kinks_of_maximum_and_absolute_have_slope_zero() -> None:
    assert_value_and_gradient(np.max, [2.0, 2.0, 1.0], 2, [0.5, 0.5, 0])
    assert_value_and_gradient(lambda x: np.maximum(x, 0), 0.0, 0, 0)
    assert_value_and_gradient(np.abs, 0.0, 0, 0)


def test_the_slope_of_the_square_root_at_zero_is_infinite_also_for_a_python_float() -> None:
    assert_value_and_gradient(np.sqrt, 0.0, 0, INF)
    slope = tg.grad(np.sqrt)(0.0)
    assert slope == INF
    assert slope.dtype == np.float64


def test_the_norm_of_the_zero_vector_has_slope_zero() -> None:
    assert_value_and_gradient(np.linalg.norm, [0.0, 0.0, 0.0], 0, [0, 0, 0])
    assert_value_and_gradient(np.linalg.norm, [3.0, 0.0, -4.0], 5, [0.6, 0, -0.8])
    assert np.isfinite(tg.hessian(np.linalg.norm)(np.zeros(3))).all()


@pytest.mark.parametrize("x", [0.0, -1.0])
def test_the_root_that_where_does_not_choose_leaves_the_slope_of_the_other_side(x: float) -> None:
    assert_value_and_gradient(lambda x: np.where(x > 0, np.sqrt(x), x), x, x, 1)
    assert_value_and_gradient(lambda x: np.where(x > 0, np.sqrt(x), x), 4.0, 2, 0.25)


def test_a_row_of_minus_infinity_has_a_logsumexp_a_softmax_and_no_gradient() -> None:
    rows = np.array([[-INF, -INF], [0.0, np.log(3.0)]])
    g = random(2)
    for f, value, gradient in (
        (lambda x: tg.logsumexp(x, axis=1), [-INF, np.log(4)], [[0, 0], [0.25 * g[1], 0.75 * g[1]]]),
        (lambda x: tg.softmax(x)[:, 1], [0, 0.75], [[0, 0], [-0.1875 * g[1], 0.1875 * g[1]]]),
    ):
        x = leaf(rows)
        y = f(x)
        y.backward(g)
        np.testing.assert_allclose(y.data, value, rtol=1e-14)
        np.testing.assert_allclose(x.grad, gradient, rtol=1e-14)
        assert y.dtype == x.grad.dtype == np.float64


def test_a_product_with_one_zero_has_the_product_of_the_others_as_its_slope() -> None:
    assert_value_and_gradient(np.prod, [0.0, 2.0, 3.0], 0, [6, 0, 0])
    assert_value_and_gradient(np.prod, [0.0, 2.0, 0.0], 0, [0, 0, 0])
    second = [[0, 3, 2], [3, 0, 0], [2, 0, 0]]
    assert np.array_equal(tg.hessian(np.prod)(np.array([0.0, 2.0, 3.0])), second)


@pytest.mark.parametrize("value", [2.0, 0.1])  # three times 0.1 has a mean that is not 0.1
def test_the_variance_and_the_deviation_of_equal_values_have_no_slope(value: float) -> None:
    for f in (np.var, np.std):
        assert_value_and_gradient(f, [value, value, value], 0, [0, 0, 0])
        assert np.isfinite(tg.hessian(f)(np.full(3, value))).all()
    assert_value_and_gradient(np.var, [1.0, 3.0], 1, [-1, 1])
    assert_value_and_gradient(np.std, [1.0, 3.0], 1, [-0.5, 0.5])


def test_the_negative_log_of_a_softmax_that_underflows_is_finite_and_so_is_its_gradient() -> None:
    for f in (
        lambda x: -tg.log_softmax(x)[0],
        lambda x: tg.softmax_cross_entropy(x, 0),
        lambda x: tg.logsumexp(x) - x[0],
    ):
        assert_value_and_gradient(f, [0.0, 1000.0], 1000, [-1, 1])


def test_the_values_of_a_matrix_are_sorted_by_their_own_order() -> None:
    values = random(3, 4)
    order = (np.arange(3)[:, None], np.argsort(values, axis=1))
    x, g = leaf(values), random(3, 4, seed=1)
    y = x[order]
    y.backward(g)
    expected = np.empty((3, 4))
    for i in range(3):
        for place, column in enumerate(sorted(range(4), key=lambda j, i=i: values[i, j])):
            expected[i, column] = g[i, place]
    assert np.array_equal(y.data, np.sort(values, axis=1))
    assert np.array_equal(x.grad, expected)
    assert y.dtype == x.grad.dtype == np.float64


def test_a_chain_of_20_000_operations_needs_no_recursion() -> None:
    def f(x: Any) -> Any:
        y = x
        for _ in range(10_000):
            y = 0.5 * (y + y)
        return y * y

    assert sys.getrecursionlimit() < 20_000
    assert_value_and_gradient(f, 3.0, 9, 6)


def test_a_second_backward_adds_exactly_the_same_once_more() -> None:
    x = leaf(2.0)
    y = (x * 3) * 4
    y.backward()
    y.backward()
    assert y.item() == 24
    assert x.grad == 24
    assert x.grad.dtype == np.float64


def test_a_gradient_has_a_gradient() -> None:
    x = random(3)

    def slope(x: Any) -> Any:
        return np.sum(tg.grad(lambda x: np.sum(x**3 * np.sin(x)))(x) ** 2)

    first = 3 * x**2 * np.sin(x) + x**3 * np.cos(x)
    second = 6 * x * np.sin(x) + 6 * x**2 * np.cos(x) - x**3 * np.sin(x)
    np.testing.assert_allclose(tg.grad(slope)(x), 2 * first * second, rtol=1e-12)
    assert tg.grad(tg.grad(lambda x: x**3))(2.0) == 12


def test_switching_recording_off_in_one_thread_leaves_another_its_gradient() -> None:
    inside, done = threading.Event(), threading.Event()

    def quiet() -> None:
        with tg.no_grad():
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=quiet)
    thread.start()
    try:
        assert inside.wait(10)
        x = leaf([1.0, 2.0])
        y = np.sum(x**2)
        y.backward()
    finally:
        done.set()
        thread.join()
    assert y.item() == 5
    assert np.array_equal(x.grad, [2, 4])


def test_an_exception_in_a_nested_function_leaves_no_level_of_recording_behind() -> None:
    def failing(x: Any) -> Any:
        return tg.grad(lambda y: np.sum(y * x) + [][0])(x)

    for _ in range(3):
        with pytest.raises(IndexError):
            tg.grad(failing)(np.ones(2))
    value, gradient = tg.value_and_grad(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    assert type(gradient) is np.ndarray  # at one level too many it would be a Tensor
    assert type(value) is np.float64
    assert np.array_equal(gradient, [2, 4])


def test_a_graph_leaves_no_garbage_in_cycles() -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            x = leaf(2.0)
            y = x * 3 + x
            y.backward()
            assert x.grad == 4
            del x, y
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_wrong_derivative_rule_is_reported_with_its_parameter_its_place_and_its_values() -> None:
    @tg.primitive(lambda g, _y, x: g * np.where(np.arange(x.size) == 2, 1.1, 1.0) * np.cos(x))
    def wrong_sine(x: np.ndarray) -> np.ndarray:
        return np.sin(x)

    weight = np.array([0.1, 0.2, 0.3, 0.4])
    report = tg.check_gradients(lambda weight: np.sum(wrong_sine(weight)), weight)
    assert not report
    told = f"{1.1 * np.cos(0.3):.9g}", f"{np.cos(0.3):.9g}"
    assert all(part in str(report) for part in ("weight differs most at [2]", *told))


def test_a_right_tanh_in_float32_passes_the_check() -> None:
    x = random(20).astype(np.float32)
    report = tg.check_gradients(lambda x: np.sum(np.tanh(x)), x)
    assert report
    assert "all gradients agree" in str(report)


def test_a_gradient_that_forgot_to_divide_by_the_number_of_rows_is_reported_entry_by_entry() -> None:
    rows, target, w = random(4, 3), random(4, seed=1), random(3, seed=2)

    def loss(w: Any) -> Any:
        return 0.5 * np.mean((rows @ w - target) ** 2)

    by_hand = (rows @ w - target) @ rows
    report = tg.check_gradients(loss, w, analytic=lambda w: (rows @ w - target) @ rows)
    assert not report
    worst = int(np.argmax(np.abs(by_hand)))
    told = f"w differs most at [{worst}]: by hand {by_hand[worst]:.9g}, automatic {by_hand[worst] / 4:.9g}"
    assert told in str(report)
    assert tg.check_gradients(loss, w, analytic=lambda w: (rows @ w - target) @ rows / 4)
