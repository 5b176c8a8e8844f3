"""What cannot be checked raises, and says what to do."""

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.check.regression import by_hand, loss, parameters
from tinygrad_lite import nn
from tinygrad_lite.errors import ArgumentError, DtypeError, ShapeError

W = np.array([1.0, 2.0])


def total(w):
    return np.sum(w * w)


def test_a_function_that_gives_another_value_each_time_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ArgumentError, match="seed"):
        tg.check_gradients(lambda w: np.sum(w * rng.normal()), W)


def test_a_function_that_changes_its_argument_is_refused():
    def doubling(w):
        w *= 2
        return np.sum(w)

    with pytest.raises(ArgumentError, match="wrote into its argument w"):
        tg.check_gradients(doubling, W)


@pytest.mark.parametrize("values", [np.array([1, 2]), np.array([True]), 3, np.array([1j]), np.array(["a"]), None])
def test_values_that_are_no_floats_are_refused_with_the_remedy(values):
    with pytest.raises(DtypeError, match="from outside"):
        tg.check_gradients(lambda w, t: np.sum(w), W, values)


@pytest.mark.parametrize("arguments", [(), ([],), ({}, ())])
def test_nothing_to_differentiate_is_refused(arguments):
    with pytest.raises(ArgumentError, match="give arrays or a module"):
        tg.check_gradients(lambda *_: 1.0, *arguments)


def test_a_module_without_parameters_is_refused():
    with pytest.raises(ArgumentError, match="give arrays or a module"):
        tg.check_gradients(lambda net: np.sum(net(W)), nn.Tanh())


def test_a_result_that_is_no_scalar_is_refused():
    with pytest.raises(ShapeError, match=r"scalar.*\(2,\)"):
        tg.check_gradients(lambda w: w * w, W, analytic=lambda w: 2 * w)


@pytest.mark.parametrize("names", [[], ["a"], ["a", "b", "c", "d", "e"]])
def test_another_number_of_names_is_refused(names):
    with pytest.raises(ArgumentError, match=f"{len(names)} names for 4 parameters"):
        tg.check_gradients(loss, *parameters(), names=names)


# ----- What analytic returns -----


@pytest.mark.parametrize("claim", [np.ones(3), np.ones((1, 2)), np.ones((2, 1)), np.array(1.0), (2 * W,)])
def test_a_gradient_of_another_shape_differs_even_if_it_would_broadcast(claim):
    report = tg.check_gradients(total, W, analytic=lambda w: claim)
    (row,) = report.rows
    assert (row.status, row.max_abs_error) == ("differs", np.inf)
    assert f"the gradient by hand has shape {np.shape(claim)}, the parameter (2,)" in str(report)


def test_the_parameter_whose_gradient_has_another_shape_is_named():
    report = tg.check_gradients(
        loss, *parameters(), analytic=lambda *w: (*by_hand(*w)[:2], np.ones((4, 5)), by_hand(*w)[3])
    )
    assert [row.name for row in report.rows if not row.agrees] == ["w2"]
    assert "w2: the gradient by hand has shape (4, 5), the parameter (4, 4)" in str(report)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_another_number_of_gradients_than_arguments_is_refused(count):
    with pytest.raises(ArgumentError, match=f"must return 4 values, got {count}"):
        tg.check_gradients(loss, *parameters(), analytic=lambda *w: (*by_hand(*w), w[0])[:count])


def test_another_number_of_gradients_than_values_of_a_list_is_refused():
    with pytest.raises(ArgumentError, match="must return 2 values, got 1"):
        tg.check_gradients(lambda ws: total(ws[0]) + total(ws[1]), [W, W], analytic=lambda ws: [2 * ws[0]])


@pytest.mark.parametrize("arguments", [(W,), (W, W), ([W, W],), ({"a": W},), (np.array(1.0),)])
def test_a_forgotten_return_is_refused_with_what_is_expected(arguments):
    with pytest.raises((ArgumentError, ShapeError), match=r"analytic|handwritten gradient"):
        tg.check_gradients(lambda *_: 1.0, *arguments, analytic=lambda *_: None)


@pytest.mark.parametrize("claim", [{}, {"a": W}, {"a": W, "b": W, "c": W}, [W, W]])
def test_a_dict_with_other_keys_is_refused_with_the_keys_expected(claim):
    with pytest.raises(ArgumentError, match=r"dict with the keys \['a', 'b'\]"):
        tg.check_gradients(lambda ws: total(ws["a"]) + total(ws["b"]), {"a": W, "b": W}, analytic=lambda ws: claim)


@pytest.mark.parametrize("claim", [{}, {"weight": np.ones((1, 2))}, [np.ones((1, 2)), np.ones(1)]])
def test_a_gradient_of_a_module_that_is_no_dict_by_name_is_refused_with_the_names(claim):
    with pytest.raises(ArgumentError, match=r"dict with the keys \['weight', 'bias'\], got"):
        tg.check_gradients(lambda net: np.sum(net(W)), nn.Linear(2, 1, rng=0), analytic=lambda net: claim)


def test_an_error_inside_the_function_is_passed_on():
    with pytest.raises(ZeroDivisionError):
        tg.check_gradients(lambda w: 1 / 0, W)
