"""What Python asks of a value: its truth, length, items, text, identity; a Tensor answers, or says why it cannot."""

from __future__ import annotations

import collections
import functools
import itertools
import math
import operator
import random
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import DetachError, DtypeError, ShapeError, UnsupportedError

X = np.array([[1.0, 2.0], [3.0, 5.0]])


def leaf() -> tg.Tensor:
    return tg.Tensor(X, requires_grad=True)


def scalar(value: float) -> tg.Tensor:
    return tg.Tensor(value, requires_grad=True)


# ----- Truth -----


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_value_is_true_as_the_value_is(shape: tuple[int, ...]) -> None:
    for requires_grad in (True, False):
        assert tg.Tensor(np.full(shape, 2.0), requires_grad)
        assert not tg.Tensor(np.zeros(shape), requires_grad)
    assert scalar(2.0) > 1
    assert not scalar(1.0) > 1


@pytest.mark.parametrize("shape", [(2,), (0,), (2, 0), (2, 2)])
def test_the_truth_of_several_values_or_of_none_is_refused(shape: tuple[int, ...]) -> None:
    t = tg.Tensor(np.ones(shape))
    for expected in (ShapeError, ValueError):
        with pytest.raises(expected, match=rf"truth of {t.size} values .*\.any\(\).*\.all\(\).*`is`"):
            bool(t)
    for asked in (lambda: not t, lambda: t and t, lambda: 0 < t < 2, lambda: any([t]), lambda: max(t, t)):
        with pytest.raises(ShapeError, match="ambiguous"):
            asked()


# ----- Length, items, membership -----


def test_iteration_goes_over_the_first_axis_and_carries_the_gradient() -> None:
    x = leaf()
    first, second = x
    cotangent = np.array([0.3, -1.2])
    (first * 2 + second * 3).backward(cotangent)
    assert np.array_equal(x.grad, [2 * cotangent, 3 * cotangent])
    assert len(x) == 2
    assert [row.shape for row in x] == [(2,), (2,)]
    assert [row.data.tolist() for row in reversed(x)] == X[::-1].tolist()
    assert list(tg.Tensor(np.zeros((0, 2)))) == []


@pytest.mark.parametrize(
    "ask", [len, iter, list, tuple, reversed, enumerate, random.choice], ids=lambda ask: ask.__name__
)
def test_a_tensor_without_axes_has_no_length_and_no_items(ask: Callable[[Any], Any]) -> None:
    with pytest.raises(UnsupportedError, match="without axes"):
        ask(tg.Tensor(1.0))


def test_membership_is_asked_of_the_values() -> None:
    x = leaf()
    assert 5.0 in x
    assert 4.0 not in x
    assert np.array([3.0, 5.0]) in x
    assert scalar(2.0) in x
    assert 1.0 in scalar(1.0)
    assert 1.0 not in tg.Tensor([])
    with pytest.raises(DtypeError):
        assert None in x


def test_python_loops_and_folds_record() -> None:
    cotangent = 0.7
    folds: dict[Callable[[Any], Any], np.ndarray] = {
        sum: np.ones(3),
        math.prod: np.array([15.0, 10.0, 6.0]),
        max: np.array([0.0, 0.0, 1.0]),
        min: np.array([1.0, 0.0, 0.0]),
        lambda x: sorted(x, reverse=True)[1]: np.array([0.0, 1.0, 0.0]),
        lambda x: functools.reduce(operator.mul, x): np.array([15.0, 10.0, 6.0]),
        lambda x: list(itertools.accumulate(x))[1]: np.array([1.0, 1.0, 0.0]),
        statistics.median: np.array([0.0, 1.0, 0.0]),
        lambda x: sum(a * b for a, b in zip(x, [2.0, 3.0, 4.0], strict=True)): np.array([2.0, 3.0, 4.0]),
    }
    for fold, slopes in folds.items():
        x = tg.Tensor([2.0, 3.0, 5.0], requires_grad=True)
        result = fold(x)
        assert isinstance(result, tg.Tensor)
        result.backward(cotangent)
        assert np.allclose(x.grad, cotangent * slopes)


# ----- Identity and equality -----


def test_hashes_are_identities_although_equality_is_elementwise() -> None:
    a, b = tg.Tensor([1.0]), tg.Tensor([1.0])
    assert hash(a) != hash(b)
    assert len({a, b, a}) == 2
    assert {a: 1, b: 2}[a] == 1
    assert (a == b).data.all()
    assert collections.Counter([a, b, a])[a] == 2


def test_a_list_finds_the_very_tensor_and_otherwise_asks_for_equality() -> None:
    a, b = leaf(), leaf()
    assert a in [a, b]
    assert [a, b].index(a) == 0
    for look in (lambda: b in [a], lambda: [a, b].index(b), lambda: [a, b].remove(b), lambda: [a].count(b)):
        with pytest.raises(ShapeError, match="identity, with `is`"):
            look()
    one, same = scalar(1.0), scalar(1.0)
    assert same in [one]
    assert 1.0 in [one]
    assert scalar(2.0) not in [one]
    assert any(t is b for t in [a, b])


@pytest.mark.parametrize("other", [None, "1.0", object(), [None]], ids=lambda other: type(other).__name__)
def test_equality_with_what_is_no_number_is_refused(other: Any) -> None:
    for compare in (operator.eq, operator.ne):
        with pytest.raises(DtypeError, match="Tensors hold float32, float64"):
            compare(leaf(), other)
    with pytest.raises(DtypeError):
        assert leaf() in [other]


# ----- Text -----

TEXTS = {
    "vector": (tg.Tensor([1.0, 2.0], name="w"), "Tensor([1., 2.], shape=(2,), dtype=float64, name='w')"),
    "leaf": (scalar(2.0), "Tensor(2., shape=(), dtype=float64, requires_grad=True)"),
    "computed": (np.exp(scalar(0.0)), "Tensor(1., shape=(), dtype=float64, from=exp)"),
    "picked": (leaf()[0], "Tensor([1., 2.], shape=(2,), dtype=float64, from=getitem)"),
    "detached": (np.exp(scalar(0.0)).detach(), "Tensor(1., shape=(), dtype=float64)"),
    "empty": (tg.Tensor(np.zeros((0, 3))), "Tensor([], shape=(0, 3), dtype=float64)"),
    "mask": (scalar(2.0) > 1, "Tensor(True, shape=(), dtype=bool)"),
    "integers": (tg.Tensor([1, -2]), "Tensor([ 1, -2], shape=(2,), dtype=int64)"),
    "float32": (tg.Tensor([0.1], dtype=np.float32), "Tensor([0.1], shape=(1,), dtype=float32)"),
    "not finite": (tg.Tensor([np.nan, -np.inf]), "Tensor([ nan, -inf], shape=(2,), dtype=float64)"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_shows_value_shape_dtype_origin_and_name(name: str) -> None:
    t, text = TEXTS[name]
    assert repr(t) == text
    assert str(t) == f"{t}" == f"{t!s}" == "%s" % t == text  # noqa: UP031 - it is what is tested


def test_a_matrix_is_shown_row_under_row() -> None:
    lines = repr(leaf()).splitlines()
    assert lines == ["Tensor([[1., 2.],", "        [3., 5.]], shape=(2, 2), dtype=float64, requires_grad=True)"]


def test_the_text_of_many_values_is_short() -> None:
    text = repr(tg.Tensor(np.zeros((1000, 1000))))
    assert len(text) < 500
    assert "..." in text
    assert "shape=(1000, 1000)" in text


def test_one_value_is_formatted_as_a_number() -> None:
    for t in (scalar(2.0) / 3, tg.Tensor([2.0]) / 3):
        assert f"{t:.3f}" == "0.667"
        assert f"{t:8.1e}" == " 6.7e-01"
    assert f"{tg.Tensor(7):03d}" == "007"
    with pytest.raises(ShapeError, match="exactly one value"):
        f"{leaf():.3f}"


# ----- Numbers -----


@pytest.mark.parametrize("convert", [float, int, complex, math.exp, math.floor], ids=lambda convert: convert.__name__)
def test_only_a_constant_without_axes_is_a_number(convert: Callable[[Any], Any]) -> None:
    assert convert(tg.Tensor(2.0)) == convert(2.0)
    assert convert(tg.Tensor(2)) == convert(2)
    for several in (np.ones(1), np.ones(3), np.ones((1, 1))):
        with pytest.raises(ShapeError, match=r"without axes, not one of shape .*\.item\(\)"):
            convert(tg.Tensor(several))
        with pytest.raises(DetachError):
            convert(tg.Tensor(several, requires_grad=True))


def test_only_a_constant_integer_without_axes_is_an_index() -> None:
    assert ["a", "b", "c"][tg.Tensor(1)] == "b"
    assert "abc"[tg.Tensor(1) :] == "bc"
    assert list(range(tg.Tensor(2))) == [0, 1]
    assert np.zeros(tg.Tensor(2)).shape == (2,)
    assert np.repeat(X[0], tg.Tensor([1, 2])).tolist() == [1, 2, 2]
    for wrong in (tg.Tensor(1.0), tg.Tensor([1]), tg.Tensor(True), tg.Tensor([1, 2])):
        with pytest.raises(DtypeError, match="an index is an integer without axes, not a Tensor of"):
            operator.index(wrong)
    with pytest.raises(DetachError, match="an index"):
        operator.index(scalar(1.0))
