"""What a program is given: structures, kinds of numbers, memory layouts, one array in two places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.comparing import assert_same

RNG = np.random.default_rng(7)


class Batch(NamedTuple):
    """Inputs and targets."""

    x: Any
    t: Any


class Grams(float):
    """A number with a unit."""


def beside_eager(f: Callable[..., Any], *calls: tuple[Any, ...]) -> None:
    """Hold that an exact program gives what its function gives, in calls that come twice, and writes to no argument."""
    program = tg.compile(f, exact=True)
    for given in (*calls, *calls):
        arrays = [x for x in given if isinstance(x, np.ndarray)]
        before = [x.copy() for x in arrays]
        with np.errstate(all="ignore"):
            expected = f(*given)
            assert_same(program(*given), expected, repr(given))
        for x, kept in zip(arrays, before, strict=True):
            np.testing.assert_array_equal(x, kept)


def steps(x: Any) -> Any:
    """Do something of each kind."""
    x = tg.Tensor(x)
    return np.tanh(x * 2) + x, np.sum(x * x), x.T * 1, x[..., :1] - x


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "columns": np.asfortranarray,
    "reversed": lambda x: x[::-1],
    "reversed columns": lambda x: x[:, ::-1],
    "every second": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "transposed": lambda x: np.ascontiguousarray(x.T).T,
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
    "one value broadcast": lambda x: np.broadcast_to(x[0, 0], x.shape),
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "read-only": lambda x: _read_only(x),
    "unaligned": lambda x: _unaligned(x),
    "a subclass": lambda x: x.view(type("Mine", (np.ndarray,), {})),
}


def _read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


def _unaligned(x: np.ndarray) -> np.ndarray:
    raw = np.zeros(x.nbytes + 1, np.uint8)
    shifted = raw[1:].view(x.dtype).reshape(x.shape)
    shifted[...] = x
    return shifted


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layouts_take_turns(layout: str, dtype: Any) -> None:
    x, y = (10 * RNG.normal(size=(2, 4, 3))).astype(dtype)
    beside_eager(steps, (x,), (LAYOUTS[layout](x),), (y,), (LAYOUTS[layout](y),))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_tensors_and_of_products(layout: str) -> None:
    x, y = RNG.normal(size=(2, 4, 3))

    def f(a: Any, b: Any) -> Any:
        a, b = tg.Tensor(a), tg.Tensor(b)
        return a @ b.T, (a.T @ b).sum(axis=0), tg.softmax(a, axis=-1), np.concatenate([a, b]).reshape(-1)

    beside_eager(f, (x, y), (LAYOUTS[layout](x), y), (x, LAYOUTS[layout](y)), (LAYOUTS[layout](y), LAYOUTS[layout](x)))


@pytest.mark.parametrize("shape", [(), (1,), (0,), (0, 3), (3, 0), (1, 1), (2, 1, 3)])
def test_small_and_empty_arrays(shape: tuple[int, ...]) -> None:
    def f(x: Any) -> Any:
        x = tg.Tensor(x)
        return np.exp(x), x.sum(), x * x.sum(), np.reshape(x, -1), x + np.float32(1)

    beside_eager(f, (RNG.normal(size=shape),), (RNG.normal(size=shape).astype(np.float32),), (np.ones(shape, int),))


def test_shapes_and_dtypes_that_change_from_call_to_call() -> None:
    calls = [
        (RNG.normal(size=(n, m)).astype(dtype),) for n in (3, 1, 5) for m in (2, 4) for dtype in (np.float32, float)
    ]
    calls += [(RNG.integers(0, 5, (3, 2)),), (RNG.integers(0, 2, (3, 2)).astype(bool),)]
    beside_eager(lambda x: (tg.Tensor(x) * 0.5, np.sum(tg.Tensor(x)), tg.Tensor(x) @ np.ones(x.shape[1])), *calls)


@pytest.mark.parametrize(
    "numbers",
    [
        (2, 3), (2.0, 2), (True, 1), (1, 1.0), (0.0, -0.0), (float("inf"), float("-inf")), (np.float32(2), 2.0),
        (np.float64(2), 2.0), (np.int64(2), 2), (Grams(2.0), 2.0), (Grams(2.0), Grams(3.0)), (float("nan"), 1.0),
    ],
    ids=repr,
)  # fmt: skip
def test_numbers_count_by_value_and_by_kind(numbers: tuple[Any, Any]) -> None:
    x, y = RNG.normal(size=(2, 3)).astype(np.float32)
    first, second = numbers
    beside_eager(lambda x, n: (tg.Tensor(x) * n, n / (1 + tg.Tensor(x) ** 2)), (x, first), (y, second), (y, first))


def test_strings_flags_and_none_count_by_value() -> None:
    def f(x: Any, how: Any = None, flag: bool = False) -> Any:
        y = {"sum": np.sum, "mean": np.mean, None: np.tanh}[how](tg.Tensor(x))
        return y if flag else -y

    x = RNG.normal(size=3)
    beside_eager(f, (x,), (x, "sum"), (x, "mean", True), (x, None, True), (x, "".join(["su", "m"])))


def test_nested_arguments_and_results() -> None:
    def f(batch: Any, others: Any) -> Any:
        y = tg.Tensor(batch.x) * others["scale"][0] + others["shift"]
        return Batch(y, {"t": batch.t * 1, "none": None, "n": 3}), [y.sum(), (others["shift"] + y, "text")], ()

    def call(n: int) -> tuple[Any, ...]:
        x, shift = RNG.normal(size=(2, 3))
        return Batch(x, tg.Tensor(x + n)), {"scale": [tg.Tensor(2.0 + n), None], "shift": tg.Tensor(shift)}

    beside_eager(f, call(0), call(1), call(2))
    found = tg.compile(f)(*call(0))
    assert type(found[0]) is Batch
    assert found[0].t["none"] is None
    assert found[1][1][1] == "text"


def test_the_order_of_keys_and_the_way_of_passing_do_not_mix_arguments_up() -> None:
    def f(a: Any, *, b: Any, c: Any = 1.0) -> Any:
        return tg.Tensor(a) - 2 * tg.Tensor(b) + 3 * tg.Tensor(c)

    def g(both: Any) -> Any:
        return tg.Tensor(both["a"]) - 2 * tg.Tensor(both["b"])

    x, y, z = RNG.normal(size=(3, 4))
    compiled, compiled_g = tg.compile(f, exact=True), tg.compile(g, exact=True)
    for _ in range(2):
        for given in ({"b": y, "c": z}, {"c": z, "b": y}, {"b": z}, {"c": y, "b": x}):
            assert_same(compiled(x, **given), f(x, **given))
            assert_same(compiled(a=x, **given), f(x, **given))
        for both in ({"a": x, "b": y}, {"b": y, "a": x}, {"b": x, "a": z}):
            assert_same(compiled_g(both), g(both))


def test_one_array_as_two_arguments_and_then_two_arrays() -> None:
    x, y = RNG.normal(size=(2, 3))
    t, u = tg.Tensor(x), tg.Tensor(y)

    def f(a: Any, b: Any) -> Any:
        return tg.Tensor(a) * 2 - tg.Tensor(b), tg.Tensor(a) * tg.Tensor(b)

    for pairs in ([(x, x), (x, y), (y, y), (y, x)], [(x, y), (x, x)], [(t, t), (t, u), (u, u)], [(t, u), (u, u)]):
        beside_eager(f, *pairs)


def test_an_argument_that_is_assigned_to_in_one_place_of_two() -> None:
    def f(a: Any, b: Any) -> Any:
        a.assign(a * 2)
        return b + 1

    def both() -> tuple[tg.Tensor, tg.Tensor]:
        return tg.Tensor([1.0, 2.0]), tg.Tensor([5.0, 6.0])

    program = tg.compile(f, exact=True)
    (t, u), (t2, u2) = both(), both()
    for ours, theirs in (
        ((t, u), (t2, u2)),
        ((t, t), (t2, t2)),
        ((u, t), (u2, t2)),
        ((u, u), (u2, u2)),
        ((t, u), (t2, u2)),
    ):
        assert_same(program(*ours), f(*theirs))
        assert_same([t, u], [t2, u2])


def test_an_argument_that_the_function_knows_already() -> None:
    w = tg.Tensor([1.0, 2.0], name="w")
    v = tg.Tensor([3.0, 4.0])

    def f(x: Any) -> Any:
        w.assign(w + 1)
        return x * w

    def eager(x: Any) -> Any:
        return x * w

    program = tg.compile(f)
    for given in (v, w, v, w):
        found, expected = program(given), eager(given)
        np.testing.assert_array_equal(found.numpy(), expected.numpy() if given is w else (v * w).numpy())
