"""Cases of the shaping table: rearranging, joining, picking and scattering."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.operations.case import Case, drawn


def _rearranging() -> Iterator[Case]:
    reshapes = {
        "to another matrix": ((2, 3), (3, 2)),
        "flat": ((2, 3), (-1,)),
        "one length left open": ((2, 6), (3, -1)),
        "0-d to matrix": ((), (1, 1)),
        "one value to 0-d": ((1, 1), ()),
        "empty": ((0, 3), (3, 0)),
    }
    for label, (start, shape) in reshapes.items():
        reference = lambda xp, x, shape: xp.reshape(x, shape)  # `shape=` is NumPy 2.1's
        yield Case("reshape", label, drawn(start), static={"shape": shape}, reference=reference)
    transposes = {
        "reversed": ((2, 3, 4), None),
        "ordered": ((2, 3, 4), (1, 2, 0)),
        "negative axes": ((2, 3, 4), (-1, 0, -2)),
        "matrix": ((2, 3), None),
        "vector": ((3,), None),
        "0-d": ((), None),
        "0-d ordered": ((), ()),
        "empty": ((0, 3), (1, 0)),
    }
    for label, (start, axes) in transposes.items():
        yield Case("transpose", label, drawn(start), static={"axes": axes})
    for label, (axis1, axis2) in {"outer": (0, 2), "negative": (-1, -2), "the same": (1, 1)}.items():
        yield Case("swapaxes", label, drawn((2, 3, 2)), static={"axis1": axis1, "axis2": axis2})
    yield Case("swapaxes", "empty", drawn((0, 3)), static={"axis1": 0, "axis2": 1})
    for label, axis in {"first": 0, "negative": -1, "several": (0, 2), "negative several": (-1, 0)}.items():
        yield Case("expand_dims", label, drawn((2, 3)), static={"axis": axis})
    yield Case("expand_dims", "0-d", drawn(()), static={"axis": 0})
    yield Case("expand_dims", "empty", drawn((0,)), static={"axis": -1})
    stretches = {
        "axis added": ((3,), (2, 3)),
        "axis stretched": ((2, 1), (2, 3)),
        "both": ((2, 1), (4, 2, 3)),
        "0-d": ((), (2, 3)),
        "unchanged": ((2, 3), (2, 3)),
        "to nothing": ((1, 3), (0, 3)),
        "from nothing": ((0, 3), (2, 0, 3)),
        "0-d to 0-d": ((), ()),
    }
    for label, (start, shape) in stretches.items():
        yield Case("broadcast_to", label, drawn(start), static={"shape": shape})


def _in_order() -> Iterator[Case]:
    for label, shape in {"matrix": MATRIX, "cube": (2, 3, 2), "empty": (0, 3), "0-d": ()}.items():
        yield Case("contiguous", label, drawn(shape), reference=lambda _, x: x)


def _checked() -> Iterator[Case]:
    between = lambda rng, shape: rng.uniform(0.3, 0.6, size=shape)  # where no move leaves [0, 1]
    for label, shape in {"0-d": (), "matrix": MATRIX, "empty": (0, 3), "cube": (2, 3, 2)}.items():
        yield Case("shares", label, drawn(shape, draw=between), reference=lambda _, x: x)
        labels = drawn(shape, draw=lambda rng, shape: rng.integers(0, 3, shape))
        yield Case("class_labels", label, labels, static={"width": 3}, reference=lambda _, labels, width: labels)


def _joined(name: str) -> Any:
    return lambda xp, *xs, axis: getattr(xp, name)(xs, axis=axis)


def _joining() -> Iterator[Case]:
    concatenations = {
        "two": (0, (2, 3), (1, 3)),
        "three along the last axis": (-1, (2, 1), (2, 3), (2, 2)),
        "one": (0, (2, 3)),
        "vectors": (0, (2,), (3,)),
        "with an empty part": (0, (2, 3), (0, 3), (1, 3)),
        "all empty": (0, (0, 3), (0, 3)),
        "negative first axis": (-2, (2, 3), (1, 3)),
        "three axes": (1, (2, 1, 2), (2, 2, 2)),
    }
    stacks = {
        "two": (0, (2, 3), (2, 3)),
        "last axis": (-1, (2, 3), (2, 3)),
        "negative axis": (-2, (2, 3), (2, 3), (2, 3)),
        "0-d": (0, (), ()),
        "empty": (0, (0, 3), (0, 3)),
        "one": (1, (2,)),
    }
    for name, table in {"concatenate": concatenations, "stack": stacks}.items():
        for label, (axis, *shapes) in table.items():
            yield Case(name, label, drawn(*shapes), static={"axis": axis}, reference=_joined(name))
        for axis in (0, -1):
            yield Case(
                name,
                f"repeated operand along {axis}",
                drawn((2, 3), (2, 3)),
                static={"axis": axis},
                arguments=lambda x, y: (x, y, x),
                reference=_joined(name),
            )


MATRIX, CUBE = (3, 4), (2, 3, 4)
ODD = np.arange(12).reshape(MATRIX) % 2 == 1
INDICES: dict[str, tuple[tuple[int, ...], Any]] = {
    "integer": (MATRIX, 1),
    "negative integer": (MATRIX, -1),
    "one value": (MATRIX, (1, -2)),
    "slice": (MATRIX, slice(1, 3)),
    "slice with a step": (MATRIX, (slice(None), slice(None, None, 2))),
    "reversed slice": (MATRIX, slice(None, None, -1)),
    "slice by a negative step": (MATRIX, (slice(2, 0, -1), slice(None, None, -2))),
    "empty slice": (MATRIX, slice(2, 1)),
    "ellipsis": (CUBE, (..., 1)),
    "ellipsis alone": (CUBE, ...),
    "ellipsis between": (CUBE, (0, ..., slice(1, None))),
    "newaxis": (MATRIX, (None, slice(None), None, 1)),
    "empty tuple": (MATRIX, ()),
    "empty tuple on 0-d": ((), ()),
    "newaxis on 0-d": ((), None),
    "integer array": (MATRIX, np.array([2, 0])),
    "integer array with repeats": (MATRIX, np.array([0, 2, 0, 0])),
    "negative and positive names of one place": (MATRIX, np.array([-1, 2, 2])),
    "integer matrix": ((4,), np.array([[0, 1], [1, 3]])),
    "small unsigned integers": (MATRIX, np.array([2, 2, 0], np.uint8)),
    "0-d integer array": (MATRIX, np.array(1)),
    "NumPy integer": (MATRIX, np.int64(2)),
    "list": (MATRIX, [0, 0, 2]),
    "empty list": (MATRIX, []),
    "empty integer array": (MATRIX, np.array([], np.int64)),
    "tuple in a tuple with repeats": (MATRIX, ((0, 0, 2),)),
    "pairs": (MATRIX, (np.array([0, 2, 0]), np.array([1, 3, 1]))),
    "pairs that broadcast": (MATRIX, (np.array([[0], [2]]), np.array([1, 1]))),
    "rows and labels": (MATRIX, (np.arange(3), np.array([3, 0, 0]))),
    "list and slice": (MATRIX, ([0, 0], slice(1, 3))),
    "slice and integer array": (CUBE, (slice(None), np.array([1, 1, 0]), 2)),
    "arrays apart": (CUBE, (np.array([0, 1, 0]), slice(None), np.array([1, 1, 1]))),
    "array and newaxis": (MATRIX, (np.array([1, 1]), None, slice(None, 2))),
    "array, ellipsis and integer": (CUBE, (np.array([1, 1]), ..., 0)),
    "mask": (MATRIX, ODD),
    "mask without hits": (MATRIX, np.zeros(MATRIX, bool)),
    "mask of everything": (MATRIX, np.ones(MATRIX, bool)),
    "mask of rows": (MATRIX, np.array([True, False, True])),
    "mask of columns": (MATRIX, (slice(None), np.array([True, False, True, True]))),
    "mask and integer": (MATRIX, (np.array([True, False, True]), 1)),
    "mask and integer array": (MATRIX, (np.array([True, False, True]), np.array([1, 1]))),
    "list of booleans": (MATRIX, [True, False, True]),
    "True": (MATRIX, True),
    "False": (MATRIX, False),
    "of an empty array": ((0, 3), (slice(None), [2, 2])),
}


def _plain_index(index: Any) -> Any:
    """Return `index` as jax.numpy takes it: with arrays for lists and nested tuples."""
    if isinstance(index, tuple):
        return tuple(_plain_index(list(part) if isinstance(part, tuple) else part) for part in index)
    if isinstance(index, list):
        return np.array(index) if index else np.array(index, np.int64)
    return index


def _scattered(xp: Any, g: Any, *, index: Any, shape: tuple[int, ...]) -> Any:
    if xp is np:
        out = np.zeros(shape, g.dtype)
        np.add.at(out, index, g)
        return out
    return xp.zeros(shape, g.dtype).at[_plain_index(index)].add(g)


def _written(xp: Any, x: Any, values: Any, *, index: Any) -> Any:
    if xp is np:
        out = x.copy()
        out[index] = values
        return out
    return x.at[_plain_index(index)].set(values)


def _picking() -> Iterator[Case]:
    for label, (shape, index) in INDICES.items():
        yield Case(
            "getitem",
            label,
            drawn(shape),
            static={"index": index},
            spelled=lambda x, index: x[index],
            reference=lambda xp, x, index: x[index if xp is np else _plain_index(index)],
        )
    for label in ("slice", "integer array with repeats", "pairs", "mask", "list", "one value", "arrays apart",
                  "empty integer array", "ellipsis", "negative and positive names of one place"):  # fmt: skip
        shape, index = INDICES[label]
        taken = np.zeros(shape)[index].shape
        yield Case("scatter_add", label, drawn(taken), static={"index": index, "shape": shape}, reference=_scattered)
    stretched = {"index": slice(0, 3), "shape": (4, 2)}
    yield Case("scatter_add", "stretched operand", drawn((1, 2)), static=stretched, reference=_scattered)

    for label in ("slice", "pairs without repeats", "mask", "one value", "ellipsis", "mask without hits", "newaxis"):
        shape, index = INDICES[label] if label in INDICES else (MATRIX, (np.array([0, 2]), np.array([1, 3])))
        taken = np.zeros(shape)[index].shape
        yield Case("set_at", label, drawn(shape, taken), static={"index": index}, reference=_written)
    rows = {"index": slice(0, 2)}
    yield Case("set_at", "stretched values", drawn(MATRIX, (2, 1)), static=rows, reference=_written)
    yield Case("set_at", "0-d values", drawn(MATRIX, ()), static=rows, reference=_written)
    yield Case("set_at", "a number", drawn(MATRIX), arguments=lambda x: (x, 2.0), static=rows, reference=_written)
    yield Case("set_at", "0-d", drawn((), ()), static={"index": ()}, reference=_written)
    yield Case("set_at", "empty", drawn((0, 3), (0, 1)), static={"index": (slice(None), [1])}, reference=_written)
    whole = {"index": slice(None)}
    yield Case("set_at", "repeated operand", drawn((3,)), arguments=lambda x: (x, x), static=whole, reference=_written)

    def hot(xp: Any, labels: Any, *, width: int, dtype: Any) -> Any:
        return (labels[..., None] == xp.arange(width)).astype(dtype)

    for label, shape in {"labels": (4,), "0-d": (), "matrix": (2, 3), "empty": (0,)}.items():
        yield Case(
            "one_hot",
            label,
            lambda rng, shape=shape: (np.asarray(rng.integers(0, 3, shape)),),
            static={"width": 3, "dtype": np.dtype(np.float64)},
            reference=hot,
        )


SHAPING = (*_rearranging(), *_in_order(), *_checked(), *_joining(), *_picking())
