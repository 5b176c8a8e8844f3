"""Steps that rearrange and join values."""

from __future__ import annotations

import math

from tests.fuzzing.drawing import DEEPEST, LARGEST, Draft, Drawing, Shape
from tests.fuzzing.steps.kind import Kind


def _factored(draw: Drawing, size: int) -> Shape:
    """Return a random shape of `size` entries."""
    if not size:
        return draw.choice(((0,), (0, 3), (2, 0)))
    shape: list[int] = []
    while size > 1 and len(shape) < DEEPEST - 1:
        factor = draw.choice([n for n in range(2, size + 1) if size % n == 0])
        shape.append(factor)
        size //= factor
    shape += [size] * (size > 1) + [1] * (draw.chance(0.2) and len(shape) < DEEPEST - 1)
    draw.rng.shuffle(shape)
    return tuple(shape)


def reshape(draw: Drawing) -> Draft:
    x = draw.value()
    if draw.chance(0.1):
        return Draft(f"{x}.{draw.choice(('ravel', 'flatten'))}()")
    shape = list(_factored(draw, draw[x].size))
    if shape and draw[x].size and draw.chance(0.4):
        shape[draw.rng.randrange(len(shape))] = -1
    target = "-1" if draw.chance(0.1) else str(tuple(shape))
    return Draft(f"{x}.reshape({target})" if draw.chance(0.5) else f"{draw.spelled('reshape')}({x}, {target})")


def transpose(draw: Drawing) -> Draft:
    x = (draw.pick(lambda x: x.ndim > 2) if draw.chance(0.5) else None) or draw.value()
    ndim = draw[x].ndim
    if draw.chance(0.3):
        return Draft(f"{x}.T" if ndim < 2 or draw.chance(0.5) else f"{x}.mT")
    order = draw.rng.sample(range(ndim), ndim)
    axes = tuple(i - ndim if draw.chance(0.3) else i for i in order)
    if ndim and draw.chance(0.4):
        return Draft(f"{x}.transpose({', '.join(map(str, axes))})")
    return Draft(f"{draw.spelled('transpose')}({x}{'' if draw.chance(0.2) else f', {axes}'})")


def swapaxes(draw: Drawing) -> Draft | None:
    x = draw.pick(lambda x: x.ndim > 0)
    if x is None:
        return None
    pair = f"{draw.axis(draw[x].ndim)}, {draw.axis(draw[x].ndim)}"
    return Draft(f"{x}.swapaxes({pair})" if draw.chance(0.5) else f"{draw.spelled('swapaxes')}({x}, {pair})")


def expand_dims(draw: Drawing) -> Draft | None:
    x = draw.pick(lambda x: x.ndim < DEEPEST - 1)
    if x is None:
        return None
    ndim = draw[x].ndim
    axis = draw.axis(ndim + 1) if draw.chance(0.6) else tuple(draw.rng.sample(range(-1, ndim + 1), 2))
    if isinstance(axis, tuple) and len({i % (ndim + 2) for i in axis}) < 2:
        return None
    return Draft(f"{draw.spelled('expand_dims')}({x}, {axis})")


def broadcast_to(draw: Drawing) -> Draft | None:
    x = draw.value()
    shape = [draw.rng.randint(1, 3) if n == 1 else n for n in draw[x].shape]
    if len(shape) < DEEPEST and draw.chance(0.5):
        shape = [draw.rng.randint(1, 3), *shape]
    return Draft(f"{draw.spelled('broadcast_to')}({x}, {tuple(shape)})") if math.prod(shape) <= LARGEST else None


def concatenate(draw: Drawing) -> Draft | None:
    if draw.chance(0.1):
        parts = [draw.value() for _ in range(draw.rng.randint(1, 3))]
        return Draft(f"{draw.spelled('concatenate')}([{', '.join(parts)}], axis=None)")
    first = draw.pick(lambda x: x.ndim > 0)
    if first is None:
        return None
    shape, axis = draw[first].shape, draw.axis(draw[first].ndim)
    parts = [first]
    for _ in range(draw.rng.randint(0, 2)):
        length = draw.rng.randint(0, 2) if draw.chance(0.3) else shape[axis]
        other = list(shape)
        other[axis] = length
        parts.append(first if draw.chance(0.3) else draw.shaped(tuple(other)))
    draw.rng.shuffle(parts)
    option = "" if axis == 0 and draw.chance(0.5) else f", axis={axis}"
    return Draft(f"{draw.spelled('concatenate')}([{', '.join(parts)}]{option})")


def stack(draw: Drawing) -> Draft:
    first = draw.value()
    others = draw.rng.randint(0, 2)
    parts = [first, *(first if draw.chance(0.3) else draw.shaped(draw[first].shape) for _ in range(others))]
    draw.rng.shuffle(parts)
    return Draft(f"{draw.spelled('stack')}([{', '.join(parts)}], axis={draw.axis(draw[first].ndim + 1)})")


SHAPING: dict[Kind, float] = {
    reshape: 0.8,
    transpose: 0.8,
    swapaxes: 0.5,
    expand_dims: 0.5,
    broadcast_to: 0.7,
    concatenate: 1,
    stack: 0.7,
}
