"""What a compiled function reads from outside of itself: the next call sees each change."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn

X = np.array([1.0, 2.0, 3.0])
SCALE: Any = 2.0
TABLE: Any = np.array([1.0, 10.0, 100.0])


class Settings:
    """An object of the user's own."""

    kind = 1.0

    def __init__(self) -> None:
        self.factor: Any = 2.0
        self.parts: list[Any] = [1.0, tg.Tensor([1.0, 1.0, 1.0])]
        self.inner: dict[str, Any] = {"shift": 0.0}

    def apply(self, x: Any) -> Any:
        return x * self.factor * self.parts[0] * self.parts[1] + self.inner["shift"]


class Slotted:
    __slots__ = ("factor",)

    def __init__(self) -> None:
        self.factor = 2.0


def same_as_eager(f: Callable[..., Any], change: Callable[[], None], *given: Any) -> None:
    """Hold that a program agrees with its function before and after a change, and after one more call."""
    program = tg.compile(f)
    given = given or (X,)
    for _ in range(2):
        np.testing.assert_array_equal(np.asarray(program(*given)), np.asarray(f(*given)))
    before = np.asarray(f(*given))
    change()
    assert not np.array_equal(before, np.asarray(f(*given))), "the change changes nothing"
    for _ in range(3):
        np.testing.assert_array_equal(np.asarray(program(*given)), np.asarray(f(*given)))


OTHERS: dict[str, tuple[Any, Any]] = {
    "a float": (2.0, 3.0),
    "an integer": (2, 3),
    "1 and True and 1.0": (2, 2.5),
    "an array": (TABLE, TABLE + 1),
    "an array of another shape": (TABLE, np.array([5.0])),
    "an array of another dtype": (TABLE, TABLE.astype(np.float32) * 2),
    "a Tensor": (tg.Tensor(TABLE), tg.Tensor(TABLE + 1)),
    "a Tensor in the place of an array": (TABLE, tg.Tensor(TABLE + 1)),
    "a NumPy number": (np.float32(2), np.float64(3)),
    "a nested list": ([2.0, [3.0]], [2.0, [4.0]]),
    "a function": (np.tanh, np.exp),
    "a function of the user's": (lambda x: x + 1, lambda x: x + 2),
    "a partial function": (functools.partial(np.multiply, 2.0), functools.partial(np.multiply, 3.0)),
}


def used(thing: Any, x: Any) -> Any:
    """Return something that depends on a thing and on x."""
    if callable(thing) and not isinstance(thing, tg.Tensor):
        return thing(x)
    return x * (thing[0] * thing[1][0] if isinstance(thing, list) else thing)


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("place", ["closure", "global", "attribute", "item", "key", "default", "bound", "namespace"])
def test_what_is_exchanged_is_seen(kind: str, place: str) -> None:
    first, second = OTHERS[kind]
    if place == "closure":
        thing = first

        def f(x: Any) -> Any:
            return used(thing, tg.Tensor(x))

        def change() -> None:
            nonlocal thing
            thing = second
    elif place == "global":
        globals()["SCALE"] = first

        def f(x: Any) -> Any:
            return used(SCALE, tg.Tensor(x))

        def change() -> None:
            globals()["SCALE"] = second
    elif place == "default":

        def f(x: Any, thing: Any = {"factor": first}) -> Any:  # noqa: B006 - what is read outside lives on
            return used(thing["factor"], tg.Tensor(x))

        def change() -> None:
            f.__defaults__[0]["factor"] = second
    elif place == "bound":
        holder = Settings()
        holder.factor = first
        f = types.MethodType(lambda self, x: used(self.factor, tg.Tensor(x)), holder)

        def change() -> None:
            holder.factor = second
    else:
        holders: dict[str, Any] = {
            "attribute": Settings(), "item": [first], "key": {"factor": first}, "namespace": types.SimpleNamespace(),
        }  # fmt: skip
        holder = holders[place]
        if place in ("attribute", "namespace"):
            holder.factor = first
        key = {"item": 0, "key": "factor"}.get(place)

        def f(x: Any) -> Any:
            return used(holder.factor if key is None else holder[key], tg.Tensor(x))

        def change() -> None:
            if key is None:
                holder.factor = second
            else:
                holder[key] = second

    same_as_eager(f, change)


def test_changes_deep_in_an_object_are_seen() -> None:
    settings = Settings()
    same_as_eager(settings.apply, lambda: settings.inner.update(shift=5.0))
    same_as_eager(lambda x: settings.apply(x), lambda: settings.parts.__setitem__(0, 7.0))
    same_as_eager(lambda x: settings.apply(x), lambda: settings.parts.__setitem__(1, tg.Tensor([1.0, 2.0, 3.0])))
    same_as_eager(settings.apply, lambda: settings.parts[1].assign([3.0, 2.0, 1.0]))


def test_attributes_of_classes_and_slots_are_seen() -> None:
    settings, slotted = Settings(), Slotted()
    same_as_eager(lambda x: tg.Tensor(x) * slotted.factor, lambda: setattr(slotted, "factor", 3.0))
    try:
        same_as_eager(lambda x: tg.Tensor(x) * settings.kind, lambda: setattr(Settings, "kind", 3.0))
    finally:
        Settings.kind = 1.0


def test_a_list_that_grows_is_seen() -> None:
    factors = [2.0]

    def f(x: Any) -> Any:
        y = tg.Tensor(x)
        for factor in factors:
            y = y * factor
        return y

    same_as_eager(f, lambda: factors.append(3.0))


def test_modules_parts_are_exchanged() -> None:
    net = nn.Sequential(nn.Linear(3, 3, rng=0, dtype=np.float64), nn.Tanh(), nn.Linear(3, 2, rng=1, dtype=np.float64))

    def other_weight() -> None:
        net.layers[0].weight = tg.Tensor(np.full((3, 3), 0.5), requires_grad=True)

    def other_layer() -> None:
        net.layers = (net.layers[0], nn.Sigmoid(), nn.Linear(3, 2, rng=2, dtype=np.float64))

    def f(x: Any) -> Any:
        return net(x).detach()

    same_as_eager(f, other_weight, X[None])
    same_as_eager(f, other_layer, X[None])
    same_as_eager(f, lambda: net.layers[2].bias.assign([5.0, 6.0]), X[None])
