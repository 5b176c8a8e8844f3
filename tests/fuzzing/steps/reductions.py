"""Steps that reduce, with every kind of axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.fuzzing.drawing import Draft, Drawing
from tests.fuzzing.steps.kind import Kind
from tinygrad_lite.primitives.reductions import reduced_count


def _options(draw: Drawing, axis: Any) -> str:
    texts = [] if axis is None and draw.chance(0.7) else [f"axis={axis}"]
    if draw.chance(0.35):
        texts.append("keepdims=True")
    return ", ".join(texts)


def reduction(draw: Drawing) -> Draft | None:
    x, name = draw.value(), draw.choice(("sum", "sum", "mean", "max", "min", "prod"))
    axis = draw.axes(draw[x].ndim)
    if name not in ("sum", "prod") and not reduced_count(draw[x].shape, axis):
        return None
    if name in ("max", "min") and draw.chance(0.15):
        return Draft(f"np.{name}(np.stack([{x}, {x}]), axis={draw.choice((0, None))})")  # ties that last
    options = _options(draw, axis)
    if draw.chance(0.4):
        return Draft(f"{x}.{name}({options})")
    if draw.chance(0.2) and name not in ("mean", "prod"):
        ufunc = {"sum": "add", "max": "maximum", "min": "minimum"}[name]
        return Draft(f"np.{ufunc}.reduce({x}, axis={axis})")
    return Draft(f"{draw.spelled(name)}({x}{', ' * bool(options)}{options})")


def spread(draw: Drawing) -> Draft | None:
    """Return the variance, the standard deviation or the length; away from 0, or for good at 0."""
    x, name = draw.value(), draw.choice(("var", "std", "norm"))
    axis = draw.axes(draw[x].ndim)
    freedom = 1 if name != "norm" and draw.chance(0.3) else 0
    if reduced_count(draw[x].shape, axis) <= freedom or axis == ():
        return None
    value = np.sqrt(np.sum(draw[x] ** 2, axis)) if name == "norm" else np.std(draw[x], axis)
    if np.any((value < 0.1) & (value > 0)):
        return None
    smooth = bool(np.all(value)) or name == "var"  # where the value is 0, JAX gives nan
    options = _options(draw, axis) + f", ddof={freedom}" * (freedom or (name != "norm" and draw.chance(0.1)))
    options = options.removeprefix(", ")
    if name == "norm":
        ours = isinstance(axis, tuple) and len(axis) != 2
        called = "tg.norm" if ours or draw.chance(0.5) else "np.linalg.norm"
    elif draw.chance(0.3):
        return Draft(f"{x}.{name}({options})", smooth)
    else:
        called = draw.spelled(name)
    return Draft(f"{called}({x}{', ' * bool(options)}{options})", smooth)


def sum_squares(draw: Drawing) -> Draft:
    operands = [draw.value() for _ in range(draw.rng.randint(1, 3))]
    factor = f", factor={draw.rng.choice((0.5, 0.125, 2.0))}" if draw.chance(0.7) else ""
    return Draft(f"tg.sum_squares({', '.join(operands)}{factor})")


def weighted_sum(draw: Drawing) -> Draft:
    first = draw.value()
    terms = [first, *(draw.shaped(draw[first].shape) for _ in range(draw.rng.randint(0, 3)))]
    weights = [draw.rng.choice((1.0, 0.5, -2.0, 0.125)) for _ in terms]
    draw.rng.shuffle(terms)
    return Draft(f"tg.weighted_sum([{', '.join(terms)}], {weights})")


def logsumexp(draw: Drawing) -> Draft | None:
    x = draw.value()
    axis = draw.axes(draw[x].ndim)
    if not reduced_count(draw[x].shape, axis):
        return None
    options = _options(draw, axis)
    return Draft(f"tg.logsumexp({x}{', ' * bool(options)}{options})")


def softmax(draw: Drawing) -> Draft | None:
    x = draw.value()
    axis = draw.axes(draw[x].ndim)
    if not math.prod(draw[x].shape):
        return None
    option = "" if axis in (-1, draw[x].ndim - 1) and draw.chance(0.7) else f", axis={axis}"
    return Draft(f"tg.{draw.choice(('softmax', 'log_softmax'))}({x}{option})")


REDUCTIONS: dict[Kind, float] = {
    reduction: 3,
    spread: 1.2,
    sum_squares: 0.6,
    weighted_sum: 0.7,
    logsumexp: 0.8,
    softmax: 1.2,
}
