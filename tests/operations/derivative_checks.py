"""The checks that every derivative has to pass, each of which `test_the_checks_can_fail.py` proves able to fail.

A derivative is a linear map, so it is asked along random directions: a cotangent of ones would accept a softmax whose
gradient is always zero, and a rule that forgets the cotangent altogether.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tinygrad_lite as tg

Function = Callable[..., Any]
Arrays = Sequence[np.ndarray]

STEP = 1e-3
FIRST_TOLERANCE = 1e-9
SECOND_TOLERANCE = 1e-8


def relative_error(actual: Any, expected: Any) -> float:
    """Return the largest deviation, relative to the largest value expected or to 1 if that is more."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, f"shape {actual.shape} where {expected.shape} was expected"
    if not expected.size:
        return 0.0
    error = np.max(np.abs(actual - expected)) / max(1.0, float(np.max(np.abs(expected))))
    return float(error) if np.isfinite(error) else np.inf


def random_like(rng: np.random.Generator, arrays: Arrays) -> list[np.ndarray]:
    """Return an array of random numbers for each of `arrays`, of its shape and dtype."""
    return [np.asarray(rng.normal(size=x.shape), dtype=x.dtype) for x in arrays]


def numeric_gradient(f: Callable[..., float], arrays: Arrays, position: int) -> np.ndarray:
    """Return ∂f/∂arrays[position] by central differences of fourth order: f(x ± h) and f(x ± 2h) for each value."""
    x = arrays[position]
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):

        def moved(steps: int, place: tuple[int, ...] = place) -> float:
            nudged = x.copy()
            nudged[place] += steps * STEP
            return f(*arrays[:position], nudged, *arrays[position + 1 :])

        gradient[place] = (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * STEP)
    return gradient


def projected(f: Function, cotangent: np.ndarray) -> Function:
    """Return the scalar function ⟨cotangent, f⟩."""
    return lambda *xs: np.sum(f(*xs) * cotangent)


def gradients_by_backward(
    f: Function, arrays: Arrays, wanted: Sequence[int], cotangent: np.ndarray
) -> list[np.ndarray | None]:
    """Return the `.grad` of each wanted operand after `f(...).backward(cotangent)`; the others are raw arrays."""
    operands = [tg.Tensor(x, requires_grad=True) if i in wanted else x for i, x in enumerate(arrays)]
    f(*operands).backward(cotangent)
    return [operands[i].grad for i in wanted]


def gradients_by_grad(f: Function, arrays: Arrays, wanted: Sequence[int], cotangent: np.ndarray) -> list[np.ndarray]:
    """Return what `tg.grad` gives for each wanted operand of ⟨cotangent, f⟩."""
    return list(tg.grad(projected(f, cotangent), argnums=tuple(wanted))(*arrays))


def check_first_derivative(f: Function, arrays: Arrays, wanted: Sequence[int], rng: np.random.Generator) -> float:
    """Hold `backward` and `tg.grad` of `f` against central differences; return the largest relative error."""
    (cotangent,) = random_like(rng, [np.asarray(f(*arrays))])
    scalar = projected(f, cotangent)
    by_backward = gradients_by_backward(f, arrays, wanted, cotangent)
    by_grad = gradients_by_grad(f, arrays, wanted, cotangent)
    worst = 0.0
    for position, recorded, transformed in zip(wanted, by_backward, by_grad, strict=True):
        numeric = numeric_gradient(scalar, arrays, position)
        assert recorded is not None, f"no gradient arrived at operand {position}"
        for way, gradient in {"backward": recorded, "grad": transformed}.items():
            error = relative_error(gradient, numeric)
            assert error < FIRST_TOLERANCE, (
                f"{way}, operand {position}: relative error {error:.1e}\n{gradient}\nbut numerically\n{numeric}"
            )
            worst = max(worst, error)
    return worst


def gradient_along(f: Function, wanted: Sequence[int], cotangent: np.ndarray, directions: Arrays) -> Function:
    """Return the scalar function ⟨∇⟨cotangent, f⟩, directions⟩, whose gradient is the second derivative."""
    gradient = tg.grad(projected(f, cotangent), argnums=tuple(wanted))

    def along(*xs: Any) -> Any:
        return sum(np.sum(part * u) for part, u in zip(gradient(*xs), directions, strict=True))

    return along


def check_second_derivative(f: Function, arrays: Arrays, wanted: Sequence[int], rng: np.random.Generator) -> float:
    """Hold the gradient of the gradient against central differences of the gradient; return the largest error."""
    (cotangent,) = random_like(rng, [np.asarray(f(*arrays))])
    directions = random_like(rng, [arrays[i] for i in wanted])
    along = gradient_along(f, wanted, cotangent, directions)
    worst = 0.0
    for position, second in zip(wanted, tg.grad(along, argnums=tuple(wanted))(*arrays), strict=True):
        numeric = numeric_gradient(along, arrays, position)
        error = relative_error(second, numeric)
        assert error < SECOND_TOLERANCE, (
            f"operand {position}: relative error {error:.1e} of the second derivative\n{second}\nbut\n{numeric}"
        )
        worst = max(worst, error)
    return worst


def check_ownership(f: Function, arrays: Arrays, wanted: Sequence[int], rng: np.random.Generator) -> None:
    """Hold that gradients are plain arrays of their operand's shape and dtype that share memory with nothing."""
    operands = [tg.Tensor(x, requires_grad=True) if i in wanted else x for i, x in enumerate(arrays)]
    result = f(*operands)
    (cotangent,) = random_like(rng, [result.data])
    result.backward(cotangent)
    gradients = [operands[i].grad for i in wanted]
    others = [*arrays, *(operands[i].data for i in wanted), result.data, cotangent]
    for position, gradient in zip(wanted, gradients, strict=True):
        assert type(gradient) is np.ndarray, f"operand {position}: a gradient of type {type(gradient)}"
        assert gradient.flags.owndata, f"operand {position}: a gradient that is a view"
        assert gradient.flags.writeable, f"operand {position}: a gradient that cannot be written to"
        assert gradient.dtype == arrays[position].dtype, f"operand {position}: a gradient of dtype {gradient.dtype}"
        assert gradient.shape == arrays[position].shape, f"operand {position}: a gradient of shape {gradient.shape}"
        shared = [x for x in (*others, *(g for g in gradients if g is not gradient)) if np.shares_memory(gradient, x)]
        assert not shared, f"operand {position}: a gradient that shares memory"
