"""tg.primitive: an operation of one's own is a citizen of everything that reads graphs."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import AnomalyError, DefinitionError
from tinygrad_lite.primitives import Primitive


@tg.primitive(lambda g, _y, x: g * 3 * x**2)
def cube(x: Any) -> Any:
    """Return x³."""
    return x**3


@tg.primitive(lambda g, _y, _a, b, *, scale=1.0: g * b * scale, lambda g, _y, a, _b, *, scale=1.0: g * a * scale)
def scaled_product(a: Any, b: Any, *, scale: float = 1.0) -> Any:
    return a * b * scale


X = np.random.default_rng(0).normal(size=(2, 3))


def test_it_computes_on_arrays_and_records_on_tensors() -> None:
    assert isinstance(cube, Primitive)
    assert (cube.__name__, cube.__doc__) == ("cube", "Return x³.")
    assert np.array_equal(cube(X), X**3)
    assert isinstance(cube(tg.Tensor(X)), tg.Tensor)


def test_every_transform_takes_it() -> None:
    v = np.ones_like(X)
    total = lambda x: np.sum(cube(x))
    assert np.allclose(tg.grad(total)(X), 3 * X**2)
    assert np.allclose(tg.grad(lambda x: np.sum(tg.grad(total)(x)))(X), 6 * X)
    assert np.allclose(tg.jvp(cube, (X,), (v,))[1], 3 * X**2)
    assert np.allclose(tg.hvp(total, (X,), (v,))[0], 6 * X)
    assert np.allclose(tg.grad(lambda x: np.sum(tg.checkpoint(cube)(x)))(X), 3 * X**2)
    assert np.allclose(tg.grad(lambda x: np.sum(scaled_product(x, x, scale=10.0)))(X), 20 * X)


def test_it_is_drawn_checked_and_watched() -> None:
    x = tg.Tensor(X, requires_grad=True, name="x")
    assert "cube" in str(tg.graph(np.sum(cube(x))))
    assert "from=cube" in repr(cube(x))
    assert tg.check_gradients(lambda x: np.sum(cube(x)), X, analytic=lambda x: 3 * x**2)
    with tg.detect_anomaly(), pytest.raises(AnomalyError, match="cube gave"):
        cube(x * 1e200)


def test_the_engine_casts_and_sums_broadcasting_back_for_it() -> None:
    a, b = tg.Tensor(np.ones((2, 1)), True, dtype=np.float32), tg.Tensor(np.ones(3), True)
    np.sum(scaled_product(a, b)).backward()
    assert (a.grad.shape, a.grad.dtype) == ((2, 1), np.float32)
    assert np.array_equal(b.grad, [2, 2, 2])


def test_it_can_be_defined_again_under_the_same_name_and_under_that_of_an_entry() -> None:
    """As a notebook does when a cell is run once more; the library's own operations are not touched."""
    first, second = (tg.primitive(lambda g, y, _x: g * y, name="exp")(lambda x: np.exp(x)) for _ in range(2))
    assert first is not second
    assert tg.grad(second)(0.0) == 1
    assert tg.exp is not first


def test_it_is_pickled_and_copied_as_functions_are() -> None:
    assert pickle.loads(pickle.dumps(cube)) is cube
    assert copy.deepcopy(cube) is cube
    assert pickle.loads(pickle.dumps(tg.exp)) is tg.exp


def test_poles_and_elementwise_are_what_they_are_for_entries() -> None:
    root = tg.primitive(lambda g, y, _x: g / (2 * y), poles=True, elementwise=True, name="root")(lambda x: np.sqrt(x))
    x = np.array([0.0, 4.0])
    assert np.array_equal(tg.grad(lambda x: root(x)[1])(x), [0, 0.25])
    assert root(tg.Tensor(np.float32(4.0)) * np.ones(1, np.float32)).dtype == np.float32


def test_a_name_is_needed_where_the_function_has_none() -> None:
    with pytest.raises(DefinitionError, match="needs a name"):
        tg.primitive(lambda g, _y, _x: g)(lambda x: x + 0)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (lambda g, _y, x: x, "operand 0 returned its operand or output itself"),
        (lambda g, y, _x: y, "operand 0 returned its operand or output itself"),
        (lambda g, _y, _x: None, "must return an array, got None"),
        (lambda g, _y, _x: 2.0, "must return an array, got 2.0"),
        (lambda g, _y, _x: np.ones((7, 7)), r"a cotangent of shape \(7, 7\) for an operand of shape \(2, 3\)"),
    ],
)
def test_a_rule_that_would_spoil_other_gradients_is_refused_by_name(rule: Any, says: str) -> None:
    wrong = tg.primitive(rule, name="wrong")(lambda x: x * x)
    with pytest.raises(DefinitionError, match=says):
        tg.grad(lambda x: np.sum(wrong(x)))(X)


def test_a_rule_that_raises_or_uses_what_does_not_record_is_no_silent_zero() -> None:
    first_order = tg.primitive(lambda g, _y, x: g * np.interp(x, [0, 9], [0, 9]), name="first_order")(
        lambda x: x * x / 2
    )
    assert np.allclose(tg.grad(lambda x: np.sum(first_order(x)))(np.ones(2)), 1)
    with pytest.raises(TypeError, match="interp"):
        tg.grad(lambda x: np.sum(tg.grad(lambda x: np.sum(first_order(x)))(x)))(np.ones(2))


def test_an_operand_without_a_rule_and_any_number_of_operands() -> None:
    picked = tg.primitive(lambda g, _y, _x, i: tg.scatter_add(g, i, _x.shape), None, name="picked")(lambda x, i: x[i])
    assert np.array_equal(tg.grad(lambda x: np.sum(picked(x, np.array([0, 0]))))(np.ones(3)), [2, 0, 0])
    assert tg.grad(lambda x: np.sum(total_of(x, 2 * x, x)))(1.0) == 1 + 2 * 2 + 3


@tg.primitive(tg.each(lambda i: lambda g, _y, *_xs: g * (i + 1)))
def total_of(*xs: Any) -> Any:
    return sum((i + 1) * x for i, x in enumerate(xs))


def test_lowering_and_kinks_must_take_what_the_forward_takes() -> None:
    with pytest.raises(DefinitionError, match="lowering must take 1 operands"):
        tg.primitive(lambda g, _y, _x: g, lowering=lambda a, b: a, name="f")(lambda x: x + 0)
    with pytest.raises(DefinitionError, match=r"kinks must take \(y\) and 1 operands"):
        tg.primitive(lambda g, _y, _x: g, kinks=lambda x: x, name="f")(lambda x: x + 0)
    entry = tg.primitive(
        lambda g, _y, x: g * (x > 0), kinks=lambda _y, x: x > 0, lowering=lambda x: np.maximum(x, 0), name="ramp"
    )(lambda x: np.maximum(x, 0))
    assert np.array_equal(entry.kinks(None, np.array([-1.0, 1.0])), [False, True])
    assert np.array_equal(entry.lowering(np.array([-1.0, 1.0])), [0, 1])


def test_a_rule_that_computes_with_what_it_promised_not_to_read_is_told_so() -> None:
    wrong = tg.primitive(lambda g, _y, x: -2 * x * _y * g, name="bell")(lambda x: np.exp(-x * x))
    with pytest.raises(DefinitionError, match=r"bell: the rule of operand 0 failed .*with an underscore"):
        tg.grad(wrong)(1.0)


@pytest.mark.parametrize("decorator", [tg.primitive, tg.no_grad, tg.enable_grad, tg.detect_anomaly])
def test_a_decorator_without_its_parentheses_says_how_it_is_written(decorator: Any) -> None:
    with pytest.raises(DefinitionError, match=r"@tg\."):
        decorator(lambda x: x * 2)


def test_a_static_argument_that_is_no_keyword_is_told_to_be_one() -> None:
    with pytest.raises(DefinitionError, match=r"f\(a, b, \*, scale=1.0\)"):
        tg.primitive(lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: g * a, name="f")(lambda a, b, scale=1.0: a * b)


def test_a_result_that_lies_in_an_array_of_the_users_own_is_copied() -> None:
    first = tg.primitive(lambda g, _y, _a, _b: g.reshape(_a.shape), None, name="first")(lambda a, b: a.reshape(-1))
    mine = np.zeros(2)
    flat = first(mine, tg.Tensor(1.0))
    mine[:] = 99
    assert np.array_equal(flat.data, [0, 0])


def test_a_primitive_with_poles_that_changes_the_shape_is_not_masked_along_another_axis() -> None:
    @tg.primitive(lambda g, y, x: (g / y)[..., None] * x, poles=True)
    def length(x: Any) -> Any:
        return np.sqrt((x * x).sum(axis=-1))

    slope = tg.grad(lambda x: length(x)[0])(np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert np.allclose(slope[0], [0.6, 0.8])
    assert np.isnan(slope[1]).all()  # 0 · ∞ is seen to where a rule keeps the shape
