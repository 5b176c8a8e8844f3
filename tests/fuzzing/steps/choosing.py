"""Steps that choose between values, compare them, and what is made of the answers."""

from __future__ import annotations

import numpy as np

from tests.fuzzing.drawing import Draft, Drawing, fits_beside
from tests.fuzzing.steps.kind import Kind


def extreme(draw: Drawing) -> Draft:
    a = draw.value()
    operands = [a, a if draw.chance(0.07) else draw.beside(draw[a].shape)]
    draw.rng.shuffle(operands)
    return Draft(f"{draw.spelled(draw.choice(('maximum', 'minimum')))}({', '.join(operands)})")


def clip(draw: Drawing) -> Draft:
    x = draw.value()
    low, high = draw.number(-2, -0.25), draw.number(0.25, 2)
    bounds = draw.choice((f"{low}, {high}", f"None, {high}", f"{low}, None", f"{low}, {draw.beside(draw[x].shape)}"))
    return Draft(f"{x}.clip({bounds})" if draw.chance(0.2) else f"{draw.spelled('clip')}({x}, {bounds})")


def comparison(draw: Drawing) -> Draft:
    a = draw.value()
    b = draw.beside(draw[a].shape)
    if draw.chance(0.5):
        return Draft(f"{a} {draw.choice(('<', '<=', '>', '>=', '==', '!='))} {b}")
    name = draw.choice(("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"))
    return Draft(f"np.{name}({a}, {b})")


def logic(draw: Drawing) -> Draft | None:
    a = draw.pick(kind="b")
    if a is None:
        return Draft(f"np.isfinite({draw.value()})")
    b = draw.pick(lambda x: fits_beside(x.shape, draw[a].shape), kind="b") or a
    forms = (
        f"np.logical_not({a})",
        f"np.logical_and({a}, {b})",
        f"np.logical_or({a}, {b})",
        f"~{a}",
        f"{a} & {b}",
        f"{a} | {b}",
    )
    return Draft(draw.choice(forms))


def mask_as_factor(draw: Drawing) -> Draft | None:
    mask, x = draw.pick(kind="b"), draw.value()
    if mask is None:
        return Draft(f"({x} > {draw.number()}) * {x}")
    if not fits_beside(draw[mask].shape, draw[x].shape):
        return Draft(f"{mask}.astype({draw.real})")
    return Draft(draw.choice((f"{mask} * {x}", f"{x} * {mask}.astype({draw.real})")))


def where(draw: Drawing) -> Draft:
    a = draw.value()
    shape = draw[a].shape
    condition = draw.pick(lambda x: fits_beside(x.shape, shape), kind="b")
    if condition is None or draw.chance(0.3):
        condition = f"{a} > {draw.number()}"
        if draw.chance(0.4):
            mask = draw.numbers.integers(0, 2, draw.broadcastable(shape)).astype(bool)
            condition = draw.constant(np.asarray(mask), "mask")
            shape = np.broadcast_shapes(shape, mask.shape)
    else:
        shape = np.broadcast_shapes(shape, draw[condition].shape)
    sides = [a, a if draw.chance(0.05) else draw.beside(shape)]
    draw.rng.shuffle(sides)
    return Draft(f"{draw.spelled('where')}({condition}, {', '.join(sides)})")


CHOOSING: dict[Kind, float] = {extreme: 1.5, clip: 0.7, comparison: 0.6, logic: 0.8, mask_as_factor: 0.4, where: 1.2}
