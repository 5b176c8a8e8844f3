"""Steps that networks are made of: products, the affine layer, activations, cross-entropy."""

from __future__ import annotations

from tests.fuzzing.drawing import Draft, Drawing
from tests.fuzzing.steps.kind import Kind


def matmul(draw: Drawing) -> Draft | None:
    a = draw.pick(lambda x: x.ndim > 0)
    if a is None:
        return None
    shape = draw[a].shape
    if draw.chance(0.15):
        pair = f"{a}, {a}" if len(shape) == 1 else draw.choice((f"{a}, {a}.mT", f"{a}.mT, {a}"))
        return Draft(f"np.matmul({pair})")
    columns = draw.rng.randint(1, 3)
    stack = shape[:-2] if draw.chance(0.6) else (draw.rng.randint(1, 2), *shape[:-2]) if draw.chance(0.3) else ()
    if draw.chance(0.5):  # on the left
        other = (shape[-1],) if draw.chance(0.25) else (*stack, shape[-1], columns)
        left, right = a, draw.shaped(other)
    else:
        inner = shape[-2] if len(shape) > 1 else shape[0]
        other = (inner,) if draw.chance(0.25) else (*stack, columns, inner)
        left, right = draw.shaped(other), a
    return Draft(f"{left} @ {right}" if draw.chance(0.6) else f"{draw.spelled('matmul')}({left}, {right})")


def transposed_product(draw: Drawing) -> Draft | None:
    """Return x Wᵀ, whose gradients lie in memory by columns."""
    a = draw.pick(lambda x: x.ndim == 2)
    if a is None:
        return None
    w = draw.shaped((draw.rng.randint(1, 3), draw[a].shape[1]))
    return Draft(f"{a} @ ({w}).T")


def linear(draw: Drawing) -> Draft | None:
    x = draw.pick(lambda x: x.ndim > 0)
    if x is None:
        return None
    out = draw.rng.randint(1, 3)
    bias = out if draw.chance(0.85) else 1
    return Draft(f"tg.linear({x}, {draw.shaped((out, draw[x].shape[-1]))}, {draw.shaped((bias,))})")


def activation(draw: Drawing) -> Draft:
    return Draft(f"tg.{draw.choice(('relu', 'sigmoid', 'softplus'))}({draw.value()})")


def cross_entropy(draw: Drawing) -> Draft | None:
    x = draw.pick(lambda x: x.ndim > 0 and x.size > 0)
    if x is None:
        return None
    shape = draw[x].shape
    if draw.chance(0.5):
        targets = draw.labels(shape[:-1], shape[-1])
    elif draw.chance(0.5):
        targets = f"tg.softmax({draw.shaped(shape)})"
    else:
        targets = draw.array(shape, 0, 1)
    reduction = draw.choice(("", ", 'mean'", ", reduction='sum'", ", reduction='none'"))
    return Draft(f"tg.softmax_cross_entropy({x}, {targets}{reduction})")


NETWORKS: dict[Kind, float] = {matmul: 2, transposed_product: 0.5, linear: 1, activation: 1.5, cross_entropy: 1}
