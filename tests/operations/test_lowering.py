"""The lowering table: what is said in other entries has the bits of the forward, in the same memory order."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.operations.cases import CASES
from tinygrad_lite.check.conformance.variants import LAYOUTS, Call, refusal_of, variants_of
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.graphs.source.lowered import lowered
from tinygrad_lite.graphs.source.spelling import SPELLINGS
from tinygrad_lite.primitives import PRIMITIVES, Primitive
from tinygrad_lite.primitives.lowering import LOWERINGS, lowering_of
from tinygrad_lite.tensor import Tensor

COMPOSITE = sorted(entry.name for entry in LOWERINGS)
DTYPES = (np.float64, np.float32)


def same_array(a: Any, b: Any) -> bool:
    """Return whether two arrays have the same bits, and lie in memory in the same order."""
    a, b = np.asarray(a), np.asarray(b)
    alike = (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    return alike and all(a.flags[order] == b.flags[order] for order in ("C_CONTIGUOUS", "F_CONTIGUOUS"))


def both(entry: str, /, *operands: Any, **static: Any) -> tuple[Any, Any]:
    """Return what the forward gives, and what the lowering gives."""
    lowering = lowering_of(PRIMITIVES[entry])
    assert lowering is not None
    with np.errstate(all="ignore"):
        return PRIMITIVES[entry].forward(*operands, **static), lowering(*operands, **static)


# ----- The table -----


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_an_entry_is_either_a_core_entry_with_a_spelling_or_has_a_lowering(name: str) -> None:
    assert (PRIMITIVES[name] in SPELLINGS) != (lowering_of(PRIMITIVES[name]) is not None)


@pytest.mark.parametrize("name", COMPOSITE)
def test_a_lowering_takes_what_the_forward_takes(name: str) -> None:
    def taken(function: Callable[..., Any]) -> list[tuple[Any, bool]]:
        parameters = inspect.signature(function).parameters.values()
        return [(p.kind, p.name if p.kind is p.KEYWORD_ONLY else "") for p in parameters]

    entry = PRIMITIVES[name]
    assert taken(LOWERINGS[entry]) == taken(entry.forward)


def test_an_entry_of_ones_own_has_its_own_lowering_whatever_its_name() -> None:
    named_alike = Primitive("softmax", lambda x: x, None)
    assert lowering_of(named_alike) is None

    def own(x: Any) -> Any:
        return x

    assert lowering_of(Primitive("softmax", lambda x: x, None, lowering=own)) is own


# ----- Bit for bit -----


def calls_of(name: str) -> Iterator[Call]:
    for case in CASES:
        if case.primitive == name:
            for variant in variants_of(case.call()):
                yield from (call for call in map(variant.as_dtype, DTYPES) if not refusal_of(call))


@pytest.mark.parametrize("name", COMPOSITE)
def test_a_lowering_has_the_bits_of_the_forward_in_every_case(name: str) -> None:
    for call in calls_of(name):
        forward, lower = both(name, *call.arguments(*call.operands), **call.static)
        assert same_array(forward, lower), f"{call.variant} {[x.shape for x in call.operands]} {call.static}"


@pytest.mark.parametrize("name", COMPOSITE)
def test_a_lowering_records_core_entries_alone_with_the_bits_of_the_forward(name: str) -> None:
    for call in calls_of(name):
        operands = [Tensor(x, requires_grad=x.dtype.kind == "f") for x in call.operands]
        graph = tg.trace(call, *operands)
        values, places = lowered(graph)
        assert all(value.operation is None or value.operation in SPELLINGS for value in values)
        assert same_array(values[places[graph.outputs[0]]].array, graph.nodes[graph.outputs[0]].array)


AXES: tuple[dict[str, Any], ...] = ({"axis": None}, {"axis": -1}, {"axis": 0})
KEPT = tuple({**axis, "keepdims": keepdims} for axis in AXES for keepdims in (False, True))
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "softmax": AXES,
    "log_softmax": AXES,
    "logsumexp": KEPT,
    "mean": KEPT,
    "norm": KEPT,
    "var": tuple({**kept, "ddof": ddof} for kept in KEPT for ddof in (0.0, 1.0)),
    "std": tuple({**kept, "ddof": ddof} for kept in KEPT for ddof in (0.0, 1.0)),
    "sum_squares": ({"factor": 1.0}, {"factor": 0.3}),
    "weighted_sum": ({"weights": (1.0,)}, {"weights": (0.3,)}),
    "softmax_cross_entropy": ({"reduction": "mean"}, {"reduction": "sum"}, {"reduction": "none"}),
    "named": ({"name": "it"},),
    "expand_dims": ({"axis": 0}, {"axis": (0, -1)}),
    "class_labels": ({"width": 100},),
}
SHAPES = ((100, 10), (100, 64), (70, 65), (300, 200), (5, 40, 6), (1000,), (7, 1), (1, 7))
"""Large enough for the order of a sum to show, with matrices narrow and wide."""


def operands_for(name: str, x: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[Any, ...]]:
    """Yield what a composite is called on, all made of `x`."""
    if name == "softmax_cross_entropy":
        yield x, rng.integers(0, x.shape[-1], x.shape[:-1])
        yield x, np.abs(x)
        yield x, np.abs(np.ascontiguousarray(x))
    elif name == "linear":
        w, b = rng.normal(size=(33, x.shape[-1])), rng.normal(size=33)
        yield x, w.astype(x.dtype), b.astype(x.dtype)
        yield x, np.asfortranarray(w), b
    elif name in ("at_least", "at_most"):
        yield x, 0.0
        yield x, -x
    elif name == "sum_squares":
        yield (x,)
        yield x, x[..., 0]
        yield (np.broadcast_to(x[..., :1], x.shape),)
    elif name == "class_labels":
        yield (np.rint(np.abs(x)).astype(int),)
    elif name == "shares":
        yield (np.exp(-np.abs(x)),)
    else:
        yield (x,)


@pytest.mark.parametrize("layout", ["in C order", *LAYOUTS])
@pytest.mark.parametrize("name", COMPOSITE)
def test_sums_are_added_up_in_the_order_of_the_forward(name: str, layout: str) -> None:
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        for dtype in DTYPES:
            x = (3 * rng.normal(size=shape)).astype(dtype)
            if layout in LAYOUTS:
                stored, seen = LAYOUTS[layout]
                x = seen(stored(x))
            for operands in operands_for(name, x, rng):
                for static in SETTINGS.get(name, ({},)):
                    assert same_array(*both(name, *operands, **static)), f"{shape} {x.dtype} {static}"


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
@pytest.mark.parametrize("stretched", [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2)])
def test_a_sum_of_squares_is_taken_in_memory_order_of_views_too(
    order: tuple[int, ...], stretched: tuple[int, ...]
) -> None:
    x = np.random.default_rng(1).normal(size=(13, 11, 12))
    view = np.broadcast_to(x[tuple(slice(0, 1) if i in stretched else slice(None) for i in range(3))], x.shape)
    for seen in (view.transpose(order), view.transpose(order)[::-1], view.transpose(order)[:, ::2, ::-1]):
        assert same_array(*both("sum_squares", seen, factor=1.0))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
@pytest.mark.parametrize("shape", [(50, 10), (50, 100), (4, 5, 30)])
def test_minus_infinity_beside_finite_logits_is_lowered_with_the_same_bits(name: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    x[..., ::3] = -np.inf
    for static in SETTINGS[name]:
        if static["axis"] != 0:
            assert same_array(*both(name, x, **static))


# ----- Where they may differ, as the README says -----


@pytest.mark.parametrize("value", [np.inf, -np.inf])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_a_row_whose_largest_value_is_infinite_is_looked_after_by_the_forward_alone(name: str, value: float) -> None:
    x = np.full((2, 3), -np.inf)
    x[0], x[1, 0] = 1.0, value
    static = {"keepdims": False} if name == "logsumexp" else {}
    forward, lower = both(name, x, axis=-1, **static)
    assert not np.isnan(forward).any()
    assert same_array(forward[0], lower[0])
    assert np.isnan(lower[1]).any()


def test_labels_are_checked_by_the_forward_alone() -> None:
    logits, labels = np.zeros((2, 3)), np.array([0, 3])
    with pytest.raises(ArgumentError, match="labels must lie in"):
        PRIMITIVES["softmax_cross_entropy"](logits, labels, reduction="mean")
    lowering = lowering_of(PRIMITIVES["softmax_cross_entropy"])
    assert lowering is not None
    np.testing.assert_allclose(lowering(logits, labels, reduction="none"), np.log([3, 3]))


def test_an_entry_that_checks_is_lowered_to_its_operand() -> None:
    labels, outside = np.array([0, 3]), np.array([0.5, -0.1])
    with pytest.raises(ArgumentError, match=r"labels must lie in 0\.\.2, got 0\.\.3"):
        PRIMITIVES["class_labels"](labels, width=3)
    with pytest.raises(ArgumentError, match=r"lie in \[0, 1\], got -0\.1 … 0\.5"):
        PRIMITIVES["shares"](outside)
    class_labels, shares = (lowering_of(PRIMITIVES[name]) for name in ("class_labels", "shares"))
    assert class_labels is not None
    assert class_labels(labels, width=3) is labels
    assert shares is not None
    assert shares(outside) is outside
