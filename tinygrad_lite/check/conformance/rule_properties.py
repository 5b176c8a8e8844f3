"""What derivative rules promise the engine: float32, memory of their own, and reading only what they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lite.check.conformance.agreement import ROUNDING, PropertyError, hold_equal, random_like
from tinygrad_lite.check.conformance.properties import (
    gradients_by_backward,
    gradients_twice,
    leaves_for,
    of_the_wanted,
    values_given,
)
from tinygrad_lite.check.conformance.variants import Call
from tinygrad_lite.primitives.definition import Rule, parameter_names
from tinygrad_lite.tensor import values_of
from tinygrad_lite.transforms import vjp

SINGLE = 3e-6
SINGLE_TWICE = 1e-4


class RuleOnArrays(NamedTuple):
    """One derivative rule, with what it is given in one call."""

    position: int
    """That of its operand."""
    rule: Rule
    cotangent: np.ndarray
    values: list[Any]
    """The output, then the operands."""
    static: dict[str, Any]

    def __call__(self, cotangent: np.ndarray, values: Sequence[Any]) -> Any:
        with np.errstate(all="ignore"):  # a rule for an operand that is not wanted here may meet a pole
            return self.rule(cotangent, *values, **self.static)


def rules_on_arrays(call: Call, rng: np.random.Generator) -> Iterator[RuleOnArrays]:
    """Yield each rule of the primitive with a random cotangent and the arrays of the call."""
    arguments = list(call.arguments(*call.operands))
    y = np.asarray(call.primitive(*arguments, **call.static))
    (cotangent,) = random_like(rng, [y])
    for position, rule in enumerate(call.primitive.rules_for(len(arguments))):
        if rule is not None:
            yield RuleOnArrays(position, rule, cotangent, [y, *arguments], dict(call.static))


def named(position: int) -> str:
    """Return what the value at `position` is called, counted from the output."""
    return "the output" if position == 0 else f"operand {position - 1}"


# ----- Precision -----


def single_precision_is_kept(call: Call, rng: np.random.Generator) -> None:
    """In float32 values, first and second derivatives stay float32, and are as accurate as float32 is."""
    single = call.as_dtype(np.float32)
    double = single.as_dtype(np.float64)
    value = values_given(single)
    arrays = [x for x in single.arguments(*single.operands) if isinstance(x, np.ndarray)]
    if value.dtype == np.float64 and "dtype" not in call.static and all(x.dtype.char in "f?" for x in arrays):
        raise PropertyError("float32 operands gave a value of float64")
    hold_equal(value, values_given(double), SINGLE, "the value in float32")
    (cotangent,) = random_like(rng, [value])
    directions = random_like(rng, [single.operands[i] for i in call.wanted])
    wide = cotangent.astype(np.float64), [u.astype(np.float64) for u in directions]
    first = gradients_by_backward(single, cotangent), gradients_by_backward(double, wide[0]), SINGLE
    second = gradients_twice(single, cotangent, directions), gradients_twice(double, *wide), SINGLE_TWICE
    for order, (narrow, accurate, tolerance) in {"": first, "second ": second}.items():
        for i, gradient, expected in zip(call.wanted, narrow, accurate, strict=True):
            if gradient.dtype != np.float32:
                raise PropertyError(f"the {order}gradient by float32 operand {i} is {gradient.dtype}")
            hold_equal(gradient, expected, tolerance, f"the {order}gradient by operand {i} in float32")
    _rules_keep_single(single, rng)


def _rules_keep_single(single: Call, rng: np.random.Generator) -> None:
    """Raise unless each rule gives float32 by itself: the engine would cast, but the way there costs twice."""
    for run in rules_on_arrays(single, rng):
        given = {x.dtype for x in (run.cotangent, *run.values) if isinstance(x, np.ndarray) and x.dtype.kind == "f"}
        gx = run(run.cotangent, run.values)
        if given == {np.dtype(np.float32)} and gx.dtype != np.float32:
            raise PropertyError(f"the rule of operand {run.position} widens float32 to {gx.dtype}")


# ----- Memory -----


def gradients_own_their_memory(call: Call, rng: np.random.Generator) -> None:
    """Gradients are arrays of their operand's shape and dtype, row by row, that share memory with nothing."""
    for run in rules_on_arrays(call, rng):
        _leaves_memory_alone(run, rng)
    for dtype in (np.float64, np.float32):
        _arrive_owned(call.as_dtype(dtype), rng)


def _leaves_memory_alone(run: RuleOnArrays, rng: np.random.Generator) -> None:
    """Raise if a rule writes into what it is given, returns memory of it other than g's, or gives the same twice."""
    rule = f"the rule of operand {run.position}"
    given = [run.cotangent, *run.values]
    kept = [np.copy(x) for x in given]
    gx = run(run.cotangent, run.values)
    for i, (x, before) in enumerate(zip(given, kept, strict=True)):
        if not np.array_equal(x, before, equal_nan=before.dtype.kind == "f"):
            raise PropertyError(f"{rule} wrote into {named(i - 1) if i else 'the cotangent'}")
    for i, x in enumerate(run.values):
        if isinstance(x, np.ndarray) and np.shares_memory(gx, x):
            raise PropertyError(f"{rule} returns {named(i)} or a view of it")
    (other,) = random_like(rng, [run.cotangent])
    again = run(other, run.values)
    if np.shares_memory(gx, again):
        raise PropertyError(f"{rule} returns the same memory each time")
    if not np.isnan(gx).any():
        both = run(run.cotangent - 2 * other, run.values)
        hold_equal(
            both, gx - 2 * again, ROUNDING, f"{rule} is not linear: its value at g − 2h, for that of its values,"
        )


def _arrive_owned(call: Call, rng: np.random.Generator) -> None:
    (cotangent,) = random_like(rng, [values_given(call)])
    kept = [np.copy(x) for x in (cotangent, *call.operands)]
    leaves = leaves_for(call)
    result = call(*leaves)
    result.backward(cotangent)
    by_vjp = vjp(of_the_wanted(call), *(call.operands[i] for i in call.wanted))[1](cotangent)
    inside = [cotangent, *(values_of(leaf) for leaf in leaves)]
    for i, (x, before) in enumerate(zip(inside, kept, strict=True)):
        if not np.array_equal(x, before, equal_nan=before.dtype.kind == "f"):
            raise PropertyError(f"going backward wrote into {named(i) if i else 'the cotangent'}")
    arrived = {
        **{f"the gradient by operand {i}": leaves[i].grad for i in call.wanted},
        **{f"the gradient by operand {i} from vjp()": g for i, g in zip(call.wanted, by_vjp, strict=True)},
    }
    for (what, gradient), i in zip(arrived.items(), 2 * call.wanted, strict=True):
        x = call.operands[i]
        if gradient is None or (gradient.shape, gradient.dtype) != (x.shape, x.dtype):
            raise PropertyError(f"{what} is no {x.dtype} array of shape {x.shape}")
        if any(gradient is leaves[k].grad for k in call.wanted) and not _is_plain(gradient):
            raise PropertyError(f"{what} is a view, or cannot be written to, or lies by columns")
        others = (g for other, g in arrived.items() if other != what)
        if any(np.shares_memory(gradient, y) for y in (*call.operands, *inside, result.data, *others)):
            raise PropertyError(f"{what} shares memory")


def _is_plain(x: np.ndarray) -> bool:
    return x.flags.owndata and x.flags.writeable and x.flags.c_contiguous and x.dtype.isnative


# ----- Reading -----


def what_is_not_named_is_not_read(call: Call, rng: np.random.Generator) -> None:
    """A rule gives the same when what it names with an underscore is spoilt."""
    for run in rules_on_arrays(call, rng):
        honest = run(run.cotangent, run.values)
        if np.isnan(honest).any():
            continue
        for i, name in enumerate(parameter_names(run.rule, 1 + len(run.values))[1:]):
            if name.startswith("_") and isinstance(run.values[i], np.ndarray):
                for spoilt in poisons_for(run.values[i]):
                    values = [*run.values[:i], spoilt, *run.values[i + 1 :]]
                    if not np.array_equal(honest, run(run.cotangent, values)):
                        raise PropertyError(
                            f"the rule of operand {run.position} reads {named(i)}, which it names {name}"
                        )


def poisons_for(value: np.ndarray) -> list[np.ndarray]:
    """Return arrays of the same shape, dtype and memory order, one of which spoils whatever reads it."""
    if value.dtype.kind == "f":
        return [np.full_like(value, np.nan), -value]  # a comparison with nan is no less false than many others
    return [~value] if value.dtype.kind == "b" else [np.full_like(value, 101)]
