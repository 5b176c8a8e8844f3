import math

import numpy as np
import pytest

from tinygrad_lite.check.numeric import STEP, central_differences


def all_indices(x):
    return list(np.ndindex(x.shape))


def test_the_gradients_of_known_functions_are_close():
    x = np.array([[0.5, -1.5], [2.0, 0.0]])
    found = central_differences(lambda: float(np.sin(x).sum()), x, all_indices(x))
    np.testing.assert_allclose(found, np.cos(x).ravel(), atol=1e-9)


def test_only_the_entries_asked_for_are_given_in_the_order_asked():
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(central_differences(lambda: float((x**2).sum()), x, [(2,), (0,)]), [6, 2], rtol=1e-8)
    assert central_differences(lambda: 0.0, x, []).shape == (0,)


def test_an_array_without_axes_has_one_entry():
    x = np.array(3.0)
    np.testing.assert_allclose(central_differences(lambda: float(x**2), x, [()]), [6], rtol=1e-8)


def test_the_step_grows_with_the_entry_so_that_large_entries_move():
    x = np.array([1e15])
    np.testing.assert_allclose(central_differences(lambda: float((2 * x).sum()), x, [(0,)]), [2], rtol=1e-8)


def test_the_array_is_as_it_was_bit_for_bit():
    x = np.random.default_rng(0).normal(size=(4, 5)) * np.logspace(-12, 12, 5)
    before = x.copy()
    central_differences(lambda: float(np.tanh(x).sum()), x, all_indices(x))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_the_array_is_as_it_was_when_the_function_raises(call):
    x = np.array([0.1, 0.2])
    calls = []

    def failing():
        calls.append(x.copy())
        if len(calls) == call:
            raise ZeroDivisionError
        return math.fsum(x)

    with pytest.raises(ZeroDivisionError):
        central_differences(failing, x, all_indices(x))
    assert len(calls) == call
    assert x.tolist() == [0.1, 0.2]


def test_one_entry_at_a_time_is_moved_both_ways():
    x = np.zeros(2)
    seen = []
    central_differences(lambda: float(seen.append(x.copy()) is None), x, all_indices(x))
    np.testing.assert_array_equal(seen, np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]) * STEP)
