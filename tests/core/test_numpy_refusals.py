"""What NumPy's functions take and Tensors do not: options, out=, positions; each is refused by name, with a remedy."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import DetachError, TinygradLiteError, UnsupportedError

X = np.array([[1.0, 2.0], [3.0, 5.0]])
MASK = X > 1


def leaf() -> tg.Tensor:
    return tg.Tensor(X, requires_grad=True)


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "out of a ufunc": (lambda x: np.add(x, 1, out=np.zeros((2, 2))), r"np\.add .* out=.*a = a \+ t"),
    "out as a tuple": (lambda x: np.exp(x, out=(np.zeros((2, 2)),)), r"np\.exp .* out="),
    "out by position": (lambda x: np.exp(x, np.zeros((2, 2))), r"np\.exp .* out="),
    "out that is the only Tensor": (lambda x: np.add(X, 1, out=x), r"np\.add .* out="),
    "out of matmul": (lambda x: np.matmul(X, X, out=x), r"np\.matmul .* out="),
    "where of a ufunc": (lambda x: np.exp(x, where=MASK), r"np\.exp .* where=.*np\.where\(mask"),
    "where that is the only Tensor": (lambda x: np.exp(X, where=tg.Tensor(MASK)), r"np\.exp .* where="),
    "dtype of a ufunc": (lambda x: np.exp(x, dtype=np.float32), r"np\.exp .* dtype=.*\.astype\(dtype\)"),
    "casting of a ufunc": (lambda x: np.exp(x, casting="unsafe"), r"np\.exp .* casting=; leave it out"),
    "axes of matmul": (lambda x: np.matmul(x, X, axes=[(0, 1)] * 3), r"np\.matmul .* axes=.*np\.swapaxes"),
    "out of a function": (lambda x: np.sum(x, out=np.zeros(())), r"np\.sum .* out="),
    "out of a function, the only Tensor": (lambda x: np.sum(X, out=x[0, 0]), r"np\.sum .* out="),
    "out of a function by position": (lambda x: np.sum(x, 0, None, np.zeros(2)), r"np\.sum .* out="),
    "out of max by position": (lambda x: np.max(x, 0, np.zeros(2)), r"np\.max .* out="),
    "out of clip by position": (lambda x: np.clip(x, 0, 1, np.zeros((2, 2))), r"np\.clip .* out="),
    "out of stack": (lambda x: np.stack([x, X], 0, np.zeros((2, 2, 2))), r"np\.stack .* out="),
    "out of an array's method": (lambda x: X.sum(out=x[0, 0]), r"np\.add\.reduce .* out="),
    "where of a function": (lambda x: np.sum(x, where=MASK), r"np\.sum .* where=.*np\.where\(mask, x, neutral\)"),
    "where of an array's method": (lambda x: X.sum(where=tg.Tensor(MASK)), r"np\.add\.reduce .* where="),
    "initial of a function": (lambda x: np.sum(x, initial=3.0), r"np\.sum .* initial=.*initial \+ np\.sum\(x\)"),
    "where of reduce": (lambda x: np.add.reduce(x, where=MASK), r"np\.add\.reduce .* where="),
    "initial of reduce": (lambda x: np.maximum.reduce(x, initial=3.0), r"np\.maximum\.reduce .* initial="),
    "dtype of reduce": (lambda x: np.add.reduce(x, 0, np.float32), r"np\.add\.reduce .* dtype="),
    "order of reshape": (lambda x: np.reshape(x, 4, order="F"), r"np\.reshape .* order=.*x\.T"),
    "order of reshape by position": (lambda x: np.reshape(x, 4, "F"), r"np\.reshape .* order="),
    "casting of concatenate": (lambda x: np.concatenate([x, x], casting="unsafe"), r"np\.concatenate .* casting="),
    "shape of zeros_like": (lambda x: np.zeros_like(x, shape=(2,)), r"np\.zeros_like .* shape=.*np\.zeros"),
    "accumulate": (np.add.accumulate, r"np\.add\.accumulate .* np\.tril"),
    "outer": (lambda x: np.multiply.outer(X, x), r"np\.multiply\.outer .* np\.multiply\(x\[:, None\], y\)"),
    "reduceat": (lambda x: np.add.reduceat(X, tg.Tensor([0, 1])), r"np\.add\.reduceat .* np\.stack"),
    "at with a Tensor to add": (lambda x: np.add.at(X.copy(), 0, x), r"np\.add\.at .* tg\.add_at.* tg\.scatter_add"),
    "at with a Tensor to write to": (lambda x: np.add.at(x, 0, 1.0), r"np\.add\.at .* tg\.add_at"),
    "at with a Tensor for an index": (lambda x: np.add.at(X.copy(), tg.Tensor([0]), 1.0), r"np\.add\.at .* tg\.add_at"),
    "at of a ufunc of one operand": (lambda x: np.exp.at(x, 0), r"np\.exp\.at .* tg\.set_at\(x, index, np\.exp\(x\["),
    "reduce": (np.subtract.reduce, r"np\.subtract\.reduce .* functools\.reduce\(np\.subtract, x\)"),
    "method of a ufunc that does not record": (lambda x: np.arctan2.outer(x, x), r"np\.arctan2 does not record"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_taken_is_refused_by_name_with_what_to_write_instead(name: str) -> None:
    f, message = REFUSED[name]
    with pytest.raises(UnsupportedError, match=message):
        f(leaf())


IN_PLACE = [operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow, operator.imatmul]


@pytest.mark.parametrize("op", [*IN_PLACE, operator.ifloordiv, operator.imod], ids=lambda op: op.__name__)
@pytest.mark.parametrize("requires_grad", [True, False])
def test_an_array_is_not_written_to_in_place(op: Callable[..., Any], requires_grad: bool) -> None:
    array = X.copy()
    remedy = r"out=.*a \+= t" if op in IN_PLACE else "does not record"
    with pytest.raises(UnsupportedError, match=remedy):
        op(array, tg.Tensor(X, requires_grad=requires_grad))
    assert np.array_equal(array, X)


@pytest.mark.parametrize("op", IN_PLACE, ids=lambda op: op.__name__)
def test_a_tensor_on_the_left_is_bound_to_the_result(op: Callable[..., Any]) -> None:
    x = leaf()
    result = op(x, X)
    assert isinstance(result, tg.Tensor)
    assert result.requires_grad
    assert np.array_equal(result.data, op(X.copy(), X))
    assert np.array_equal(x.data, X)


SAYS_NOTHING: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "out=None": (lambda x: np.exp(x, out=None), np.exp),
    "where=True": (lambda x: np.exp(x, where=True), np.exp),
    "dtype=None": (lambda x: np.exp(x, dtype=None), np.exp),
    "out=None of a function": (lambda x: np.sum(x, axis=0, out=None), lambda x: np.sum(x, axis=0)),
    "all of sum by position": (lambda x: np.sum(x, 0, None, None, True), lambda x: np.sum(x, 0, keepdims=True)),
    "all of max by position": (lambda x: np.max(x, 0, None, True), lambda x: np.max(x, 0, keepdims=True)),
    "all of reduce by position": (lambda x: np.add.reduce(x, 0, None, None, True), lambda x: x.sum(0, keepdims=True)),
    "where=True of reduce": (lambda x: np.add.reduce(x, where=True), lambda x: np.sum(x, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", SAYS_NOTHING)
def test_an_option_that_says_nothing_is_taken(name: str) -> None:
    f, plain = SAYS_NOTHING[name]
    result = f(leaf())
    assert isinstance(result, tg.Tensor)
    assert result.requires_grad
    assert np.array_equal(result.data, plain(X))


def test_a_tensor_as_the_initial_value_of_an_arrays_sum_is_refused() -> None:
    """NumPy puts an error of its own on top, which shows ours as its cause."""
    for attempt in (lambda t: np.sum(X, initial=t), lambda t: X.sum(initial=t), lambda t: np.add.reduce(X, initial=t)):
        with pytest.raises((DetachError, ValueError)) as refused:
            attempt(tg.Tensor(1.0, requires_grad=True))
        assert isinstance(refused.value, DetachError) or isinstance(refused.value.__cause__, DetachError)


def test_a_function_of_ones_own_that_numpy_calls_may_not_give_tensors() -> None:
    t = tg.Tensor(1.0, requires_grad=True)
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: np.vectorize(lambda _: t)(X),
        lambda: np.vectorize(lambda value: value)(leaf()),
        lambda: np.apply_along_axis(lambda _: t, 0, X),
        lambda: np.piecewise(X, [MASK], [lambda _: t, 0.0]),
        lambda: np.select([MASK], [X], default=t),
        lambda: np.pad(X, 1, constant_values=t),
        lambda: np.interp(X[0], X[0], X[0], left=t),
        lambda: np.full((2, 2), t),
        lambda: np.arange(t),
        lambda: np.linspace(0.0, t),
        lambda: np.r_[t, 1.0],
        lambda: np.c_[leaf(), X],
        lambda: np.mgrid[0:t],
        lambda: np.broadcast(t, X),
        lambda: np.unwrap(X, discont=t),
        lambda: np.histogram(X, 3, range=(0.0, t)),
        lambda: list(np.ndenumerate(leaf())),
        lambda: np.testing.assert_allclose(leaf(), X),
        lambda: np.testing.assert_array_equal(X, leaf()),
        lambda: np.polynomial.Polynomial(X[0])(leaf()),
        lambda: np.polynomial.Polynomial(X[0]) * leaf(),
        lambda: leaf() * np.polynomial.Polynomial(X[0]),
    )
    for attempt in attempts:
        with pytest.raises(TinygradLiteError):
            attempt()


def test_a_random_generator_takes_no_tensor_that_carries_a_gradient() -> None:
    rng, t = np.random.default_rng(0), tg.Tensor(2.0, requires_grad=True)
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: rng.normal(loc=t),
        lambda: rng.normal(0.0, t),
        lambda: rng.normal(leaf()),
        lambda: rng.uniform(0.0, t),
        lambda: rng.poisson(leaf()),
        lambda: rng.choice(leaf()),
        lambda: rng.permutation(leaf()),
        lambda: rng.multivariate_normal(leaf()[0], X),
        lambda: rng.dirichlet(leaf()[0]),
        lambda: np.random.normal(t),
    )
    for attempt in attempts:
        with pytest.raises(TinygradLiteError):
            attempt()


def test_scipy_takes_no_tensor_that_carries_a_gradient() -> None:
    integrate, linalg, optimize, sparse, stats = (
        pytest.importorskip(f"scipy.{name}") for name in ("integrate", "linalg", "optimize", "sparse", "stats")
    )
    matrix, t = sparse.csr_array(X), tg.Tensor(2.0, requires_grad=True)
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: linalg.inv(leaf()),
        lambda: stats.norm.pdf(leaf()),
        lambda: stats.norm.pdf(X, loc=t),
        lambda: integrate.quad(lambda _: t, 0, 1),
        lambda: optimize.brentq(lambda value: t * (value - 1), 0, 3),
        lambda: matrix @ leaf(),
        lambda: leaf() @ matrix,
        lambda: matrix * t,
        lambda: leaf() + matrix,
    )
    for attempt in attempts:
        with pytest.raises(TinygradLiteError):
            attempt()
