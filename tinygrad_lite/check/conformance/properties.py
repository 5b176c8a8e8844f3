"""What every primitive must do, whatever the operands: one function a property, which raises where it does not hold.

Here stand those of values and derivatives; what rules promise stands in `rule_properties.py`, what holds at kinks and
extreme values in `edge_properties.py`. A derivative is a linear map, so it is asked along random directions: a
cotangent of ones would accept a softmax whose gradient is always zero, and a rule that forgets the cotangent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_lite.check.conformance.agreement import (
    FIRST_TOLERANCE,
    ROUNDING,
    SECOND_TOLERANCE,
    NothingToHoldError,
    PropertyError,
    hold_equal,
    random_like,
)
from tinygrad_lite.check.conformance.differences import (
    STEP,
    Arrays,
    at_steps_fine_enough,
    difference,
    directions_for,
    moved,
    numeric_gradient,
    signature_of,
)
from tinygrad_lite.check.conformance.variants import Call
from tinygrad_lite.tensor import Tensor, values_of
from tinygrad_lite.transforms import grad, jvp, vjp

Property = Callable[[Call, np.random.Generator], None]

EPSILON = float(np.finfo(np.float64).eps)
ENTRIES_MOVED = 32
"""How many entries of an operand are moved one at a time; of a larger one the others are moved together."""


def values_given(call: Call) -> np.ndarray:
    """Return the result on plain arrays."""
    return np.asarray(values_of(call(*call.operands)))


def leaves_for(call: Call) -> list[Any]:
    """Return the operands with a leaf in the place of each that is wanted."""
    return [Tensor(x, requires_grad=True) if i in call.wanted else x for i, x in enumerate(call.operands)]


def gradients_by_backward(call: Call, cotangent: np.ndarray) -> list[np.ndarray]:
    """Return the gradient that `backward(cotangent)` brings to each wanted operand."""
    leaves = leaves_for(call)
    call(*leaves).backward(cotangent)
    gradients = [leaves[i].grad for i in call.wanted]
    for i, gradient in zip(call.wanted, gradients, strict=True):
        if gradient is None:
            raise PropertyError(f"no gradient arrived at operand {i}")
    return gradients


def of_the_wanted(call: Call) -> Callable[..., Any]:
    """Return the call as a function of the wanted operands alone."""

    def function(*wanted: Any) -> Any:
        given = dict(zip(call.wanted, wanted, strict=True))
        return call(*(given.get(i, x) for i, x in enumerate(call.operands)))

    return function


# ----- Values -----


def value_is_recorded(call: Call, rng: np.random.Generator) -> None:
    """Recording gives what computing gives, leaves the operands alone, and nothing is recorded for constants."""
    before = [x.copy() for x in call.operands]
    computed = values_given(call)
    for i, (x, kept) in enumerate(zip(call.operands, before, strict=True)):
        if not np.array_equal(x, kept, equal_nan=x.dtype.kind == "f"):
            x[...] = kept
            raise PropertyError(f"the forward wrote into operand {i}")
    recorded = call(*(Tensor(x) for x in call.operands))
    if not isinstance(recorded, Tensor) or recorded.requires_grad:
        raise PropertyError("on constant Tensors the result must be a Tensor that carries no gradient")
    hold_equal(recorded, computed, ROUNDING, "the recorded value")
    hold_equal(values_given(call), computed, 0.0, "the value when it is computed once more")
    if recorded.dtype != computed.dtype:
        raise PropertyError(f"dtype {recorded.dtype} is recorded where {computed.dtype} is computed")
    if call.primitive.is_elementwise:
        shape = np.broadcast_shapes(*(np.shape(x) for x in call.arguments(*call.operands)))
        if computed.shape != shape:
            raise PropertyError(f"shape {computed.shape} where {shape} was expected of an elementwise primitive")
    if call.twin is not None:
        expected = values_given(call.twin)
        shaped = computed.reshape(expected.shape) if call.primitive.is_elementwise else computed
        hold_equal(shaped, expected, ROUNDING, "the value, for that of the same operands otherwise,")


def lowering_is_the_same(call: Call, rng: np.random.Generator) -> None:
    """The lowering has the value and the derivatives of the forward."""
    lowering = call.primitive.lowering
    if lowering is None:
        raise NothingToHoldError
    value = values_given(call)
    hold_equal(lowering(*call.arguments(*call.operands), **call.static), value, ROUNDING, "the lowering")
    (cotangent,) = random_like(rng, [value])
    leaves = leaves_for(call)
    lowering(*call.arguments(*leaves), **call.static).backward(cotangent)
    for i, expected in zip(call.wanted, gradients_by_backward(call, cotangent), strict=True):
        hold_equal(leaves[i].grad, expected, ROUNDING, f"the gradient of the lowering by operand {i}")


# ----- Derivatives -----


def first_derivative_is_the_numeric_one(call: Call, rng: np.random.Generator) -> None:
    """`backward` and `vjp` agree with central differences along a random cotangent."""
    value = values_given(call)
    (cotangent,) = random_like(rng, [value])
    noise = 8 * EPSILON / STEP * float(np.sum(np.abs(cotangent) * np.maximum(1, np.abs(value))))

    def projected(*xs: np.ndarray) -> float:
        return float(np.sum(values_given(replace(call, operands=xs)) * cotangent))

    ways = {
        "backward()": gradients_by_backward(call, cotangent),
        "vjp()": vjp(of_the_wanted(call), *(call.operands[i] for i in call.wanted))[1](cotangent),
    }
    for k, i in enumerate(call.wanted):
        x = call.operands[i]
        chosen = rng.permutation(x.size)[:ENTRIES_MOVED]
        places = [tuple(map(int, np.unravel_index(place, x.shape))) for place in chosen]

        def each_entry(finer: int, k: int = k, i: int = i, places: list[tuple[int, ...]] = places) -> None:
            numeric = numeric_gradient(projected, call.operands, i, signature_of(call), places, finer)
            if numeric.size and np.isnan(numeric).all():
                raise PropertyError(f"all entries of operand {i} lie beside a kink, so none is compared; give others")
            for way, gradients in ways.items():
                what = f"the derivative by operand {i}, from {way} instead of differences,"
                compared = np.where(np.isnan(numeric), np.nan, gradients[k])
                hold_equal(compared, numeric, FIRST_TOLERANCE, what, finer * noise)

        at_steps_fine_enough(each_entry)
    if any(call.operands[i].size > ENTRIES_MOVED for i in call.wanted):
        directions = directions_for(call, rng)

        def all_entries(finer: int) -> None:
            shorter = [u / finer for u in directions]
            numeric = difference(lambda steps: projected(*moved(call, shorter, steps).operands))
            for way, gradients in ways.items():
                what = f"the derivative along a direction, from {way} instead of differences,"
                product = sum(np.sum(g * u) for g, u in zip(gradients, shorter, strict=True))
                hold_equal(product * finer, numeric * finer, FIRST_TOLERANCE, what, finer * noise)

        at_steps_fine_enough(all_entries)


def second_derivative_is_the_numeric_one(call: Call, rng: np.random.Generator) -> None:
    """The gradient of ⟨gradient, u⟩, which is Hu for the Hessian H, agrees with differences of the gradient along u."""
    (cotangent,) = random_like(rng, [values_given(call)])
    directions = directions_for(call, rng)
    second = gradients_twice(call, cotangent, directions)
    largest = max(float(np.max(np.abs(g), initial=1)) for g in gradients_by_backward(call, cotangent))

    def hold(finer: int) -> None:
        shorter = [u / finer for u in directions]
        gradients = {n: gradients_by_backward(moved(call, shorter, n), cotangent) for n in (1, -1, 2, -2)}
        for k, i in enumerate(call.wanted):
            numeric = finer * difference(lambda n, k=k: gradients[n][k])  # type: ignore[misc]  # k is bound
            what = f"the second derivative by operand {i}, instead of differences of the first,"
            hold_equal(second[k], numeric, SECOND_TOLERANCE, what, finer * largest * 10 * ROUNDING)

    at_steps_fine_enough(hold)


def gradients_twice(call: Call, cotangent: np.ndarray, directions: Arrays) -> list[np.ndarray]:
    """Return the gradients by the wanted operands of their gradient's product with `directions`."""
    function = of_the_wanted(call)
    wanted = [call.operands[i] for i in call.wanted]
    positions = tuple(range(len(wanted)))

    def along(*xs: Any) -> Any:
        gradients = grad(lambda *ys: np.sum(function(*ys) * cotangent), argnums=positions)(*xs)
        return sum(np.sum(g * u) for g, u in zip(gradients, directions, strict=True))

    with np.errstate(all="ignore"):  # the infinite values of a reduction over nothing are added up here, too
        return list(grad(along, argnums=positions)(*wanted))


def products_from_both_sides_agree(call: Call, rng: np.random.Generator) -> None:
    """⟨jvp(v), u⟩ = ⟨v, vjp(u)⟩, which holds for a rule that is linear in its cotangent alone."""
    wanted = tuple(call.operands[i] for i in call.wanted)
    tangents = tuple(random_like(rng, wanted))
    value, tangent = jvp(of_the_wanted(call), wanted, tangents)
    (cotangent,) = random_like(rng, [np.asarray(value)])
    pulled = vjp(of_the_wanted(call), *wanted)[1](cotangent)
    from_left = sum(np.sum(g * v) for g, v in zip(pulled, tangents, strict=True))
    rounding = ROUNDING * sum(float(np.sum(np.abs(g * v))) for g, v in zip(pulled, tangents, strict=True))
    hold_equal(np.sum(tangent * cotangent), from_left, ROUNDING, "⟨jvp(v), u⟩, for ⟨v, vjp(u)⟩,", rounding)
