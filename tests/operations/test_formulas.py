"""Every formula of the tables is true: computed as it is written, it gives what the entry and its rules give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.operations.case import Case
from tests.operations.cases import CASES
from tests.operations.evaluating import evaluated
from tinygrad_lite.check.conformance.rule_properties import rules_on_arrays
from tinygrad_lite.primitives import PRIMITIVES
from tinygrad_lite.primitives.definition import parameter_names
from tinygrad_lite.primitives.formulas import Formula, indexed, names_in, resolved

WORDS = {
    "broadcast", "concatenate", "cos", "dtype", "e", "log", "max", "mean", "min", "n", "normal", "one_hot", "part",
    "permute", "repeat", "reshape", "scatter", "set", "sign", "sin", "softmax", "stack", "swapaxes", "tanh", "uniform",
    "where",
}  # fmt: skip
"""What stands for itself in a formula."""


def functions_for(case: Case, x: Any, y: Any) -> dict[str, Callable[..., Any]]:
    """Return what the words of a formula mean, given the first operand, if there is one, and the output."""
    static = case.static
    axis = static.get("axis")

    def over(where: str | None) -> Any:
        """Return the axes that brackets name; without any, all are meant."""
        if where in (None, "axis"):
            return where and axis
        return tuple(int(i) for i in where.removeprefix("axis").removeprefix("axes").split(","))

    def kept(reduce: Callable[..., Any]) -> Callable[..., Any]:
        """Keep the axes that a reduction takes away."""
        return lambda values, where=None: reduce(values, axis=over(where), keepdims=True)

    def repeat(g: Any, where: str | None = None) -> Any:
        gone = range(x.ndim) if over(where) is None else [i % x.ndim for i in np.atleast_1d(over(where)).astype(int)]
        return np.broadcast_to(np.reshape(g, [1 if i in gone else n for i, n in enumerate(x.shape)]), x.shape)

    def others(values: Any, where: str | None = None) -> Any:
        """Multiply, for each value, all but itself: a mask at a time."""
        out = np.empty_like(values)
        for index in np.ndindex(values.shape):
            without = values.copy()
            without[index] = 1
            product = np.broadcast_to(np.prod(without, axis=over(where), keepdims=True), values.shape)
            out[index] = product[index]
        return out

    def softmax(values: Any, where: str | None = None) -> Any:
        return np.exp(values) / np.sum(np.exp(values), axis=over(where), keepdims=True)

    def scatter(g: Any, where: str) -> Any:
        out = np.zeros(x.shape if case.primitive == "getitem" else y.shape)
        np.add.at(out, static["index"], g)
        return out

    def put(values: Any, new: Any, where: str) -> Any:
        out = np.array(values, dtype=np.result_type(values, new))
        out[static["index"]] = new
        return out

    def transposed(values: Any) -> Any:
        return values if values.ndim < 2 else values.swapaxes(-1, -2)

    return {
        "Σ": kept(np.sum), "Π": kept(np.prod), "Π′": others, "mean": kept(np.mean),
        "max": lambda *a, where=None: np.maximum(*a) if len(a) == 2 else kept(np.max)(*a, where=where),
        "min": lambda *a, where=None: np.minimum(*a) if len(a) == 2 else kept(np.min)(*a, where=where),
        "repeat": repeat, "softmax": softmax, "scatter": scatter, "set": put, "where": np.where, "sign": np.sign,
        "log": np.log, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "reshape": lambda v: v,
        "permute": lambda v, where: v.transpose(over(where)), "broadcast": lambda v: v,
        "dtype": lambda v: v.astype(static["dtype"]), "swapaxes": lambda v, i, j: np.swapaxes(v, int(i), int(j)),
        "one_hot": lambda v: np.eye(static.get("width") or x.shape[-1])[v],
        "concatenate": lambda *xs, where: np.concatenate(xs, axis=axis), "[index]": lambda v: v[static["index"]],
        "stack": lambda *xs, where: np.stack(xs, axis=axis), "ᵀ": transposed, "matrix product": np.matmul,
        "uniform": lambda low, high: static["rng"].random(static["shape"], static["dtype"]) * (high - low) + low,
        "normal": lambda mean, std: static["rng"].standard_normal(static["shape"], static["dtype"]) * std + mean,
    }  # fmt: skip


def values_for(case: Case, g: Any, y: Any, operands: list[Any], position: int) -> dict[str, Any]:
    """Return what the letters of a formula stand for."""
    letters = PRIMITIVES[case.primitive].operand_letters(len(operands))
    static = case.static
    values = {**static, **dict(zip(letters, operands, strict=True)), "y": y, "ȳ": g}
    if case.primitive in ("matmul", "linear"):
        return values | as_matrices(case.primitive, g, y, operands)
    if "axis" in static and case.primitive not in ("concatenate", "stack", "expand_dims"):
        values["n"] = operands[0].size / y.size - static.get("ddof", 0) if y.size else 0
    values["xᵢ"] = operands[position] if operands else None
    for i, weight in enumerate(static.get("weights", ())):
        values[indexed("weights", i + 1)] = weight
        values["weightsᵢ"] = static["weights"][position]
    return values


def as_matrices(name: str, g: Any, y: Any, operands: list[Any]) -> dict[str, Any]:
    """A vector is a row on the left and a column on the right."""
    if name == "linear":
        x, w, b = operands
        return {"x": np.atleast_2d(x), "w": w, "b": b, "ȳ": np.atleast_2d(g)}
    a, b = operands
    a, b = a[None, :] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    return {"a": a, "b": b, "ȳ": g.reshape(shape), "y": y.reshape(shape)}


def functions_at(case: Case, operands: list[Any], y: Any, position: int) -> dict[str, Callable[..., Any]]:
    """Return what the words of a formula mean, where it is about the operand at `position`."""

    def part(g: Any, where: str) -> Any:
        if case.primitive == "stack":
            return np.take(g, position, axis=case.static["axis"])
        ends = np.cumsum([x.shape[case.static["axis"]] for x in operands])
        return np.split(g, ends, axis=case.static["axis"])[position]

    return {**functions_for(case, operands[0] if operands else None, y), "partᵢ": part}


def summed_to(shape: tuple[int, ...], value: Any) -> Any:
    """Sum what broadcasting repeated; a formula does not say it."""
    value = np.asarray(value)
    if value.size == np.prod(shape) or value.ndim == 0:
        return np.broadcast_to(value, shape) if value.ndim == 0 else value.reshape(shape)
    value = value.sum(axis=tuple(range(value.ndim - len(shape))))
    return value.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


def text_of(formula: Formula | None, case: Case, y: Any, operands: list[Any]) -> str:
    text = resolved(formula, y, *operands, **case.static)
    assert text is not None
    return text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_formula_of_an_entry_gives_its_value(case: Case) -> None:
    operands = [np.asarray(x) for x in case.arguments(*case.operands())]
    entry = PRIMITIVES[case.primitive]
    y = np.asarray(entry(*operands, **case.static))
    values = values_for(case, y, y, operands, 0)
    functions = functions_at(case, operands, y, 0)
    value = evaluated(text_of(entry.formula, case, y, operands), values, functions, len(operands))
    shown = np.broadcast_to(value, y.shape) if case.primitive == "broadcast_to" else np.reshape(value, y.shape)
    assert np.allclose(shown, y, rtol=1e-9, atol=1e-12)


def cotangents_agree(case: Case) -> bool:
    """Return whether the formula of every cotangent gives what its rule gives."""
    entry = PRIMITIVES[case.primitive]
    wanted = [i for i, x in enumerate(case.arguments(*case.operands())) if np.asarray(x).dtype.kind == "f"]
    for run in (run for run in rules_on_arrays(case.call(), case.rng("formula")) if run.position in wanted):
        y, *operands = map(np.asarray, run.values)
        said = text_of(entry.cotangents[min(run.position, len(entry.cotangents) - 1)], case, y, operands)
        values = values_for(case, run.cotangent, y, operands, run.position)
        value = evaluated(said, values, functions_at(case, operands, y, run.position), len(operands))
        shape = operands[run.position].shape
        if case.primitive == "matmul" and len(shape) == 1:
            value = value.squeeze(-2 if run.position == 0 else -1)
        expected = summed_to(shape, run(run.cotangent, run.values))
        if not np.allclose(summed_to(shape, value), expected, rtol=1e-9, atol=1e-12, equal_nan=True):
            return False
    return True


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_formula_of_a_cotangent_gives_what_its_rule_gives(case: Case) -> None:
    assert cotangents_agree(case)


# ----- The tables are whole, and their formulas are sentences of one language -----


@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_entry_has_a_formula_and_one_for_each_rule(name: str) -> None:
    entry = PRIMITIVES[name]
    assert entry.formula is not None
    rules = entry.rules_for(len(entry.cotangents) or 2)
    assert [said is not None for said in entry.cotangents] == [rule is not None for rule in rules][
        : len(entry.cotangents)
    ]
    assert entry.cotangents or not any(rules)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_formula_names_only_what_its_rule_reads(case: Case) -> None:
    entry = PRIMITIVES[case.primitive]
    operands = [np.asarray(x) for x in case.arguments(*case.operands())]
    y = np.asarray(entry(*operands, **case.static))
    letters = {letter.rstrip("₀₁₂₃₄₅₆₇₈₉") for letter in entry.operand_letters(len(operands))}
    given = WORDS | case.static.keys() | {"weights", "factor"}
    assert names_in(text_of(entry.formula, case, y, operands)) <= letters | given
    for position, rule in enumerate(entry.rules_for(len(operands))):
        if rule is not None:
            said = entry.cotangents[position if len(entry.cotangents) > 1 else 0]
            names = parameter_names(rule, 2 + len(operands))[1:]
            read = {
                letter.rstrip("₀₁₂₃₄₅₆₇₈₉")
                for name, letter in zip(names, ("y", *entry.operand_letters(len(operands))), strict=True)
                if not name.startswith("_")
            }
            assert names_in(text_of(said, case, y, operands)) <= {"ȳ"} | read | given


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("tanh", "ȳ ⊙ (1 − y)"), ("sigmoid", "ȳ ⊙ y ⊙ (y − 1)"), ("softmax", "y ⊙ (ȳ − Σ(ȳ ⊙ y))"), ("matmul", "−ȳ bᵀ"),
     ("mean", "repeat[axis](ȳ)"), ("getitem", "scatter[index](ȳ) + 1"), ("norm", "repeat[axis](ȳ) ⊙ x")],
)  # fmt: skip
def test_a_wrong_formula_would_be_found(name: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = PRIMITIVES[name]
    monkeypatch.setattr(entry, "cotangents", (wrong, *entry.cotangents[1:]))
    assert not all(cotangents_agree(case) for case in CASES if case.primitive == name)
