"""What every primitive must do, whatever the operands: one function a property, which raises where it does not hold.

A derivative is a linear map, so it is asked along random directions: a cotangent of ones would accept a softmax whose
gradient is always zero, and a rule that forgets the cotangent altogether.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.check.variants import Call
from tinygrad_lite.errors import TinygradLiteError
from tinygrad_lite.primitives.definition import parameter_names
from tinygrad_lite.tensor import Tensor, values_of
from tinygrad_lite.transforms import grad, jvp, vjp

Arrays = Sequence[np.ndarray]
Property = Callable[[Call, np.random.Generator], None]

STEP = 1e-3
FIRST_TOLERANCE = 1e-9
SECOND_TOLERANCE = 1e-7
ROUNDING = 1e-11
SINGLE = 3e-6


class PropertyError(AssertionError):
    """A property does not hold; the message says of which operand, where, and what was expected."""


def hold_equal(actual: Any, expected: Any, tolerance: float, what: str) -> None:
    """Raise PropertyError with the worst place unless the values agree, relative to the largest expected or to 1."""
    actual, expected = np.asarray(values_of(actual)), np.asarray(values_of(expected))
    if actual.shape != expected.shape:
        raise PropertyError(f"{what}: shape {actual.shape} where {expected.shape} was expected")
    if not expected.size:
        return
    actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    with np.errstate(all="ignore"):
        error = np.nan_to_num(np.where(same, 0.0, np.abs(actual - expected)), nan=np.inf, posinf=np.inf)
    worst = np.unravel_index(int(np.argmax(error)), error.shape)
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected))))
    if error[worst] > tolerance * scale:
        place = f" at {[int(i) for i in worst]}" if worst else ""
        raise PropertyError(f"{what}{place}: {actual[worst]!s} instead of {expected[worst]!s}")


def random_like(rng: np.random.Generator, arrays: Arrays) -> list[np.ndarray]:
    """Return an array of random numbers for each of `arrays`, of its shape and dtype."""
    return [np.asarray(rng.normal(size=x.shape), dtype=x.dtype) for x in arrays]


def _values(call: Call, operands: Arrays) -> np.ndarray:
    """Return the result on plain arrays."""
    return np.asarray(values_of(call(*operands)))


def _leaves(call: Call) -> list[Any]:
    return [Tensor(x, requires_grad=True) if i in call.wanted else x for i, x in enumerate(call.operands)]


def _backward(call: Call, cotangent: np.ndarray) -> list[np.ndarray]:
    leaves = _leaves(call)
    call(*leaves).backward(cotangent)
    gradients = [leaves[i].grad for i in call.wanted]
    for i, gradient in zip(call.wanted, gradients, strict=True):
        if gradient is None:
            raise PropertyError(f"no gradient arrived at operand {i}")
    return gradients


def _of_the_wanted(call: Call) -> Callable[..., Any]:
    """Return the call as a function of the wanted operands alone."""

    def function(*wanted: Any) -> Any:
        given = dict(zip(call.wanted, wanted, strict=True))
        return call(*(given.get(i, x) for i, x in enumerate(call.operands)))

    return function


# ----- Values -----


def value_is_recorded(call: Call, rng: np.random.Generator) -> None:
    """Recording gives what computing gives, leaves the operands alone, and nothing is recorded for constants."""
    before = [x.copy() for x in call.operands]
    computed = _values(call, call.operands)
    for i, (x, kept) in enumerate(zip(call.operands, before, strict=True)):
        if not np.array_equal(x, kept, equal_nan=x.dtype.kind == "f"):
            x[...] = kept
            raise PropertyError(f"the forward wrote into operand {i}")
    recorded = call(*(Tensor(x) for x in call.operands))
    if not isinstance(recorded, Tensor) or recorded.requires_grad:
        raise PropertyError("on constant Tensors the result must be a Tensor that carries no gradient")
    hold_equal(recorded, computed, 0.0, "the recorded value")
    hold_equal(_values(call, call.operands), computed, 0.0, "the value when it is computed once more")
    if recorded.dtype != computed.dtype:
        raise PropertyError(f"dtype {recorded.dtype} is recorded where {computed.dtype} is computed")


def lowering_is_the_same(call: Call, rng: np.random.Generator) -> None:
    """The lowering has the value and the derivatives of the forward."""
    lowering = call.primitive.lowering
    if lowering is None:
        return
    hold_equal(
        lowering(*call.arguments(*call.operands), **call.static), _values(call, call.operands), ROUNDING, "the lowering"
    )
    (cotangent,) = random_like(rng, [_values(call, call.operands)])
    leaves = _leaves(call)
    lowering(*call.arguments(*leaves), **call.static).backward(cotangent)
    for i, expected in zip(call.wanted, _backward(call, cotangent), strict=True):
        hold_equal(leaves[i].grad, expected, ROUNDING, f"the gradient of the lowering by operand {i}")


# ----- Derivatives -----


def numeric_gradient(
    f: Callable[..., float], operands: Arrays, position: int, signature: Callable[..., bytes] = lambda *_: b""
) -> np.ndarray:
    """Return ∂f/∂operand by central differences of fourth order; nan where the signature changes between them."""
    x = operands[position]
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):

        def moved(steps: int, place: tuple[int, ...] = place) -> tuple[np.ndarray, ...]:
            nudged = x.copy()
            nudged[place] += steps * STEP
            return (*operands[:position], nudged, *operands[position + 1 :])

        ahead, behind, further, back = (f(*moved(steps)) for steps in (1, -1, 2, -2))
        crosses = signature(*moved(2)) != signature(*moved(-2))
        gradient[place] = np.nan if crosses else (8 * (ahead - behind) - (further - back)) / (12 * STEP)
    return gradient


def _signature(call: Call) -> Callable[..., bytes]:
    """Return the function that gives what changes where the derivative jumps."""
    kinks = call.primitive.kinks
    if kinks is None:
        return lambda *_: b""

    def signature(*operands: np.ndarray) -> bytes:
        arguments = call.arguments(*operands)
        return np.asarray(kinks(call.primitive(*arguments, **call.static), *arguments, **call.static)).tobytes()

    return signature


def _away_from_kinks(gradient: np.ndarray, numeric: np.ndarray) -> np.ndarray:
    """Return the automatic gradient with nan where the numeric one is nan, because a kink lies there."""
    return np.where(np.isnan(numeric), np.nan, gradient)


def first_derivative_is_the_numeric_one(call: Call, rng: np.random.Generator) -> None:
    """`backward` and `grad` agree with central differences along a random cotangent."""
    (cotangent,) = random_like(rng, [_values(call, call.operands)])

    def projected(*xs: np.ndarray) -> float:
        return float(np.sum(_values(call, xs) * cotangent))

    by_backward = _backward(call, cotangent)
    by_grad = vjp(_of_the_wanted(call), *(call.operands[i] for i in call.wanted))[1](cotangent)
    for i, recorded, transformed in zip(call.wanted, by_backward, by_grad, strict=True):
        numeric = numeric_gradient(projected, call.operands, i, _signature(call))
        for way, gradient in {"backward()": recorded, "vjp()": transformed}.items():
            what = f"the derivative by operand {i}, from {way} instead of differences,"
            hold_equal(_away_from_kinks(gradient, numeric), numeric, FIRST_TOLERANCE, what)


def second_derivative_is_the_numeric_one(call: Call, rng: np.random.Generator) -> None:
    """The gradient of the gradient agrees with central differences of the gradient."""
    (cotangent,) = random_like(rng, [_values(call, call.operands)])
    wanted = [call.operands[i] for i in call.wanted]
    directions = random_like(rng, wanted)
    function = _of_the_wanted(call)

    def along(*xs: Any) -> Any:
        gradients = grad(lambda *ys: np.sum(function(*ys) * cotangent), argnums=tuple(range(len(xs))))(*xs)
        return sum(np.sum(g * u) for g, u in zip(gradients, directions, strict=True))

    def on_all(*xs: Any) -> float:
        return float(along(*(xs[i] for i in call.wanted)))

    for i, second in zip(call.wanted, grad(along, argnums=tuple(range(len(wanted))))(*wanted), strict=True):
        numeric = numeric_gradient(on_all, call.operands, i, _signature(call))
        what = f"the second derivative by operand {i}, instead of differences of the first,"
        hold_equal(_away_from_kinks(second, numeric), numeric, SECOND_TOLERANCE, what)


def products_from_both_sides_agree(call: Call, rng: np.random.Generator) -> None:
    """⟨jvp(v), u⟩ = ⟨v, vjp(u)⟩, which holds for a rule that is linear in its cotangent alone."""
    wanted = tuple(call.operands[i] for i in call.wanted)
    tangents = tuple(random_like(rng, wanted))
    value, tangent = jvp(_of_the_wanted(call), wanted, tangents)
    (cotangent,) = random_like(rng, [np.asarray(value)])
    pulled = vjp(_of_the_wanted(call), *wanted)[1](cotangent)
    from_left = sum(np.sum(g * v) for g, v in zip(pulled, tangents, strict=True))
    scale = 1 + sum(float(np.sum(np.abs(g * v))) for g, v in zip(pulled, tangents, strict=True))
    hold_equal(np.sum(tangent * cotangent) / scale, from_left / scale, ROUNDING, "⟨jvp(v), u⟩, for ⟨v, vjp(u)⟩,")


def single_precision_is_kept(call: Call, rng: np.random.Generator) -> None:
    """In float32 values, first and second derivatives stay float32, and are as accurate as float32 is."""
    single = call.as_dtype(np.float32)
    double = single.as_dtype(np.float64)
    value = _values(single, single.operands)
    arrays = [x for x in single.arguments(*single.operands) if isinstance(x, np.ndarray)]
    if value.dtype == np.float64 and "dtype" not in call.static and all(x.dtype.char in "f?" for x in arrays):
        raise PropertyError("float32 operands gave a value of float64")
    (cotangent,) = random_like(rng, [value])
    narrow, wide = _backward(single, cotangent), _backward(double, cotangent.astype(np.float64))
    hold_equal(value, _values(double, double.operands), SINGLE, "the value in float32")
    for i, gradient, accurate in zip(call.wanted, narrow, wide, strict=True):
        if gradient.dtype != np.float32:
            raise PropertyError(f"the gradient by float32 operand {i} is {gradient.dtype}")
        hold_equal(gradient, accurate, SINGLE, f"the gradient by operand {i} in float32")
    _rules_keep_single(single, rng)


def _rules_keep_single(single: Call, rng: np.random.Generator) -> None:
    """Raise unless each rule gives float32 by itself: the engine would cast, but the way there costs twice."""
    for i, _, g, (y, *arguments), gx in _rules_on_arrays(single, rng):
        given = {x.dtype for x in (g, y, *arguments) if isinstance(x, np.ndarray) and x.dtype.kind == "f"}
        if given == {np.dtype(np.float32)} and gx.dtype != np.float32:
            raise PropertyError(f"the rule of operand {i} widens float32 to {gx.dtype}")


def _rules_on_arrays(
    call: Call, rng: np.random.Generator
) -> Iterator[tuple[int, Callable[..., Any], np.ndarray, list[Any], Any]]:
    """Yield for each rule its operand's position, itself, the cotangent, the output and operands, and what it gives."""
    arguments = list(call.arguments(*call.operands))
    y = np.asarray(call.primitive(*arguments, **call.static))
    (g,) = random_like(rng, [y])
    with np.errstate(all="ignore"):  # a rule for an operand that is not wanted here may meet a pole
        for i, rule in enumerate(call.primitive.rules_for(len(arguments))):
            if rule is not None:
                yield i, rule, g, [y, *arguments], rule(g, y, *arguments, **call.static)


# ----- Memory -----


def gradients_own_their_memory(call: Call, rng: np.random.Generator) -> None:
    """Gradients are arrays of their operand's shape and dtype, row by row, that share memory with nothing."""
    (cotangent,) = random_like(rng, [_values(call, call.operands)])
    given = cotangent.copy()
    leaves = _leaves(call)
    result = call(*leaves)
    kept = [x.copy() for x in call.operands]
    result.backward(cotangent)
    if not np.array_equal(cotangent, given):
        raise PropertyError("a rule wrote into the cotangent")
    for i, x in enumerate(call.operands):
        if not np.array_equal(values_of(leaves[i]), kept[i], equal_nan=x.dtype.kind == "f"):
            raise PropertyError(f"a rule wrote into operand {i}")
    gradients = [leaves[i].grad for i in call.wanted]
    others = [*call.operands, *(values_of(leaf) for leaf in leaves), result.data, cotangent]
    for position, (i, gradient) in enumerate(zip(call.wanted, gradients, strict=True)):
        x = call.operands[i]
        if gradient is None or (gradient.shape, gradient.dtype) != (x.shape, x.dtype):
            raise PropertyError(f"the gradient by operand {i} is no {x.dtype} array of shape {x.shape}")
        flags = gradient.flags
        if not (flags.owndata and flags.writeable and flags.c_contiguous):
            raise PropertyError(f"the gradient by operand {i} is a view, or cannot be written to, or lies by columns")
        if any(np.shares_memory(gradient, y) for y in (*others, *gradients[:position], *gradients[position + 1 :])):
            raise PropertyError(f"the gradient by operand {i} shares memory")
    _rules_return_no_operand(call, rng)


def _rules_return_no_operand(call: Call, rng: np.random.Generator) -> None:
    for i, _, _, values, gx in _rules_on_arrays(call, rng):
        if any(gx is value for value in values):
            raise PropertyError(f"the rule of operand {i} returns an operand or the output itself")


def what_is_not_named_is_not_read(call: Call, rng: np.random.Generator) -> None:
    """A rule gives the same when what it names with an underscore is spoilt."""
    for position, rule, g, values, honest in _rules_on_arrays(call, rng):
        for i, name in enumerate(parameter_names(rule, 1 + len(values))[1:]):
            if name.startswith("_") and not np.isnan(honest).any():
                spoilt = rule(g, *values[:i], poisoned(values[i]), *values[i + 1 :], **call.static)
                if not np.array_equal(honest, spoilt):
                    which = "the output" if i == 0 else f"operand {i - 1}"
                    raise PropertyError(f"the rule of operand {position} reads {which}, which it names {name}")


def poisoned(value: Any) -> Any:
    """Return an array of the same shape, dtype and memory order that would spoil whatever read it."""
    if not isinstance(value, np.ndarray):
        return value  # a Python number given in the call
    return np.full_like(value, np.nan if value.dtype.kind == "f" else 101)


# ----- Extreme values -----


def extreme_values_are_silent(call: Call, rng: np.random.Generator) -> None:
    """No warning escapes at zeros, infinities, nan and values of any size; shapes and dtypes are as elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            value = np.asarray(call.primitive(*call.arguments(*call.operands), **call.static))
            leaves = _leaves(call)
            result = call(*leaves)
            if call.wanted:
                result.backward(np.ones(result.shape, result.dtype))
        except RuntimeWarning as warning:
            raise PropertyError(f"a warning escapes: {warning}") from warning
        except TinygradLiteError:
            return  # a refusal by name, such as that of a label out of range
    if (result.shape, result.dtype) != (value.shape, value.dtype):
        raise PropertyError(f"{result.dtype}{result.shape} is recorded where {value.dtype}{value.shape} is computed")
    for i in call.wanted:
        x, gradient = call.operands[i], leaves[i].grad
        if gradient is None or (gradient.shape, gradient.dtype) != (x.shape, x.dtype):
            raise PropertyError(f"the gradient by operand {i} is no {x.dtype} array of shape {x.shape}")
