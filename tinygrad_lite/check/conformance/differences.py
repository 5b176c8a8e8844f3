"""Derivatives by central differences of fourth order, which keep off kinks and take smaller steps beside poles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_lite.check.conformance.agreement import PropertyError
from tinygrad_lite.check.conformance.variants import Call

Arrays = Sequence[np.ndarray]

STEP = 1e-3
FINER = (1, 8, 64)
"""What the step is divided by, in turn, until differences agree: close to a pole they need a smaller one."""


def numeric_gradient(
    f: Callable[..., float],
    operands: Arrays,
    position: int,
    signature: Callable[..., bytes] = lambda *_: b"",
    places: Iterable[tuple[int, ...]] | None = None,
    finer: float = 1,
) -> np.ndarray:
    """Return ∂f/∂operand by central differences of fourth order, at all places or those given.

    It is nan at the others, and where the signature, what changes where the derivative jumps, changes on the way.
    """
    x = operands[position]
    gradient = np.full(x.shape, np.nan)
    for place in np.ndindex(x.shape) if places is None else places:
        direction = np.zeros(x.shape)
        direction[place] = _reach(x) / finer

        def at(steps: int, direction: np.ndarray = direction) -> list[np.ndarray]:
            return [y + steps * STEP * direction if i == position else y for i, y in enumerate(operands)]

        if signature(*at(2)) == signature(*at(-2)):
            gradient[place] = difference(lambda steps, at=at: f(*at(steps))) / direction[place]  # type: ignore[misc]  # at is bound
            if np.isnan(gradient[place]):
                raise PropertyError(f"operand {position} at {list(place)}: differences are nan; take it off the pole")
    return gradient


def difference(f: Callable[[int], Any]) -> Any:
    """Return the central difference of fourth order of a function of a number of steps."""
    return (8 * (f(1) - f(-1)) - (f(2) - f(-2))) / (12 * STEP)


def _reach(x: np.ndarray) -> float:
    """Return how far an operand may be moved, in steps: less where all of it is close to zero."""
    return min(1.0, float(np.max(np.abs(x), initial=0.0))) or 1.0


def signature_of(call: Call) -> Callable[..., bytes]:
    """Return the function that gives what changes where the derivative jumps."""
    kinks = call.primitive.kinks
    if kinks is None:
        return lambda *_: b""

    def signature(*operands: np.ndarray) -> bytes:
        arguments = call.arguments(*operands)
        return np.asarray(kinks(call.primitive(*arguments, **call.static), *arguments, **call.static)).tobytes()

    return signature


def moved(call: Call, directions: Arrays, steps: float) -> Call:
    """Return the call with its operands moved by so many steps along `directions`, one for each that is wanted."""
    given = dict(zip(call.wanted, directions, strict=True))
    operands = (x + steps * STEP * given[i] if i in given else x for i, x in enumerate(call.operands))
    return replace(call, operands=tuple(np.asarray(x) for x in operands))


def directions_for(call: Call, rng: np.random.Generator) -> list[np.ndarray]:
    """Return a direction for each wanted operand in which all is moved but what would cross a kink."""
    directions = []
    for i in call.wanted:
        x = call.operands[i]
        directions.append(_reach(x) * rng.uniform(0.3, 1, size=x.shape) * rng.choice([-1.0, 1.0], size=x.shape))
    for finer in FINER:
        shorter = [u / finer for u in directions]
        if not _crosses(call, shorter):
            return shorter
    for k, direction in enumerate(shorter):
        for place in np.ndindex(direction.shape):
            single = [np.zeros_like(u) for u in shorter]
            single[k][place] = direction[place]
            if _crosses(call, single):
                direction[place] = 0.0
    if _crosses(call, shorter) or not any(map(np.any, shorter)):
        raise PropertyError("all entries lie beside a kink, so none is compared; give others")
    return shorter


def _crosses(call: Call, directions: Arrays) -> bool:
    signature = signature_of(call)
    return signature(*moved(call, directions, 2).operands) != signature(*moved(call, directions, -2).operands)


def at_steps_fine_enough(hold: Callable[[int], None]) -> None:
    """Call `hold` with one divisor of the step after the other until it raises nothing; raises what the last does."""
    for finer in FINER[:-1]:
        try:
            return hold(finer)
        except PropertyError:
            continue
    return hold(FINER[-1])
