"""Steps that pick and scatter, with every kind of index."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.fuzzing.drawing import Draft, Drawing, Shape
from tests.fuzzing.steps.kind import Kind


def _part(draw: Drawing, length: int) -> Any:
    """Return an index of one axis."""
    if not length:
        return slice(None)
    kind = draw.choice(("int", "slice", "slice", "array", "list", "mask"))
    if kind == "int":
        return draw.rng.randrange(-length, length)
    if kind == "slice":
        start, stop = (draw.choice((None, draw.rng.randrange(-length, length + 1))) for _ in range(2))
        return slice(start, stop, draw.choice((None, None, 1, 2, -1, -2)))
    if kind == "mask":
        return draw.numbers.integers(0, 2, length).astype(bool)
    names = draw.numbers.integers(-length, length, draw.rng.randint(1, 3))
    return names if kind == "array" else [int(i) for i in names]


def _whole(draw: Drawing, shape: Shape) -> Any:
    """Return an index that takes all axes at once: a mask, or integer arrays that belong together."""
    if draw.chance(0.4) or 0 in shape:
        return np.asarray(draw.numbers.integers(0, 2, shape)).astype(bool)
    count = draw.rng.randint(1, 4)
    names = [np.asarray(draw.numbers.integers(-n, n, (count,))) for n in shape[: draw.rng.randint(1, len(shape))]]
    if draw.chance(0.3):
        names[0] = names[0].reshape(-1, 1)
    return tuple(names) if len(names) > 1 else names[0]


def random_index(draw: Drawing, shape: Shape) -> Any:
    """Return an index into an array of this shape; it may still be one that NumPy refuses."""
    if not shape:
        return draw.choice(((), ..., None, (None, ...)))
    if draw.chance(0.25):
        return _whole(draw, shape)
    parts = [_part(draw, n) for n in shape[: draw.rng.randint(1, len(shape))]]
    if draw.chance(0.15):
        parts.insert(draw.rng.randint(0, len(parts)), None)
    if draw.chance(0.15) and len(parts) < len(shape):
        parts = [..., *(_part(draw, n) for n in shape[len(shape) - len(parts) :])]
    return parts[0] if len(parts) == 1 and draw.chance(0.7) else tuple(parts)


def _places(shape: Shape, index: Any) -> np.ndarray | None:
    """Return the numbers of the places that `index` names, None if NumPy refuses it."""
    try:
        return np.asarray(np.arange(int(np.prod(shape))).reshape(shape)[index])
    except IndexError:
        return None


def _indexed(draw: Drawing) -> tuple[str, str, np.ndarray] | None:
    """Return an earlier value, the name of an index into it, and the places that it names."""
    x = draw.value()
    index = random_index(draw, draw[x].shape)
    places = _places(draw[x].shape, index)
    if places is None or (not places.size and draw.chance(0.9)):
        return None
    return x, draw.constant(index, "index"), places


def getitem(draw: Drawing) -> Draft | None:
    found = _indexed(draw)
    return None if found is None else Draft(f"{found[0]}[{found[1]}]")


def _values_for(draw: Drawing, shape: Shape) -> str:
    """Return what is written to places of this shape: values that may stretch, or a number."""
    if draw.chance(0.2):
        return draw.number()
    return draw.shaped(tuple(1 if draw.chance(0.15) else n for n in shape[len(shape) * draw.chance(0.1) :]))


def write_at(draw: Drawing) -> Draft | None:
    """Return set_at, or add_at where a place is named twice."""
    found = _indexed(draw)
    if found is None:
        return None
    x, index, places = found
    repeats = np.unique(places).size < places.size
    name = "add_at" if repeats or draw.chance(0.5) else "set_at"
    return Draft(f"tg.{name}({x}, {index}, {_values_for(draw, places.shape)})")


def scatter_add(draw: Drawing) -> Draft | None:
    """Return one value scattered into another shape, places named twice adding up."""
    shape = tuple(draw.rng.randint(1, 3) for _ in range(draw.rng.randint(1, 3)))
    index = random_index(draw, shape)
    places = _places(shape, index)
    if places is None or not places.size:
        return None
    return Draft(f"tg.scatter_add({draw.shaped(places.shape)}, {draw.constant(index, 'index')}, {shape})")


def one_hot(draw: Drawing) -> Draft | None:
    x = draw.pick(lambda x: x.ndim > 0 and x.size > 0)
    if x is None:
        return None
    width = draw[x].shape[-1]
    dtype = "f32" if draw.main is np.float32 else "f64"
    return Draft(f"tg.one_hot({draw.labels(draw[x].shape[:-1], width)}, {width}, {dtype}) * {x}")


PICKING: dict[Kind, float] = {getitem: 2.5, write_at: 1.5, scatter_add: 0.7, one_hot: 0.4}
