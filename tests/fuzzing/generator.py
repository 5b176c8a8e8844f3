"""A random program from a seed, the same in every run."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tests.fuzzing.drawing import DEEPEST, LARGEST, Draft, Drawing, Shape
from tests.fuzzing.program import Array, Program, Step, compiled
from tests.fuzzing.steps import KINDS
from tinygrad_lite import functional

DEEPEST_PROGRAM = 30
"""The largest number of steps."""
LARGEST_NUMBER = 1e3
"""A step whose value goes beyond is not accepted."""
ATTEMPTS = 30
"""How often another step is drawn in the place of one that is not accepted."""

METHODS = {
    "backward of a sum": 5,
    "backward of each output": 3,
    "grad": 4,
    "vjp": 2,
    "grad of a checkpoint": 1,
}
"""How the library may be asked for the gradient, with how often."""


def random_program(seed: int) -> Program:
    """Return the program of this seed."""
    program = Program(seed)
    main = np.float32 if seed % 2 else np.float64
    draw = Drawing(program, main)
    for names in (draw.plain, draw.moved):
        names.update(np=np, tg=functional, f32=np.float64, f64=np.float64)
    program.method = draw.rng.choices(list(METHODS), list(METHODS.values()))[0]
    _draw_leaves(draw, program, main)
    steps = draw.rng.randint(1, DEEPEST_PROGRAM)
    kinds, weights = list(KINDS), list(KINDS.values())
    for _ in range(steps):
        for _ in range(ATTEMPTS):
            draft = draw.rng.choices(kinds, weights)[0](draw)
            if draft is not None and _accepted(draw, program, draft):
                break
    _choose_outputs(draw, program)
    program.constants = {name: c for name, c in program.constants.items() if program.mentions(name)}
    return program


def _draw_leaves(draw: Drawing, program: Program, main: type) -> None:
    mixed = draw.chance(0.08)
    for i in range(draw.rng.randint(1, 4)):
        name = f"x{i}"
        spread = draw.choice((0.5, 1.0, 1.0, 2.0))
        x = draw.numbers.normal(scale=spread, size=_random_shape(draw, may_be_empty=i > 0)).astype(np.float32)
        program.leaves[name] = draw.plain[name] = np.asarray(x, np.float64)
        draw.moved[name] = np.asarray(program.leaves[name] + 1e-3 * draw.numbers.normal(size=x.shape))
        program.dtypes[name] = draw.choice((np.float32, np.float64)) if mixed else main
        draw.names.append(name)
        draw.varying.add(name)


def _random_shape(draw: Drawing, may_be_empty: bool) -> Shape:
    """Return a shape of up to three axes, axes of length 1 being frequent; rarely an empty one."""
    shape = [draw.choice((1, 2, 2, 3, 3, 4)) for _ in range(draw.choice((0, 1, 1, 2, 2, 2, 3, 3)))]
    if shape and may_be_empty and draw.chance(0.04):
        shape[draw.rng.randrange(len(shape))] = 0
    return tuple(shape)


def _accepted(draw: Drawing, program: Program, draft: Draft) -> bool:
    """Compute the step with plain arrays and keep it if its value is tame, and most often only if it varies."""
    step = compiled(f"v{len(program.steps)}", draft.expression)
    try:
        value, moved = _computed(step, draw.plain), _computed(step, draw.moved)
    except Exception as problem:
        problem.add_note(f"NumPy met it in {step}\n{program}")
        raise
    if value.ndim > DEEPEST or value.size > LARGEST:
        return False
    if not (np.isfinite(value).all() and np.max(np.abs(value), initial=0) <= LARGEST_NUMBER):
        return False
    varies = _varies(draw, draft.expression, value, moved)
    if not varies and value.dtype.kind == "f" and not draw.chance(0.15):
        return False
    program.steps.append(step)
    program.values[step.name] = draw.plain[step.name] = value
    draw.moved[step.name] = moved
    program.for_jax = program.for_jax and draft.for_jax
    draw.names.append(step.name)
    if varies:
        draw.varying.add(step.name)
    return True


def _computed(step: Step, names: dict[str, Any]) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(eval(step.code, names))


def _varies(draw: Drawing, expression: str, value: Array, moved: Array) -> bool:
    """Return whether a value depends on a leaf in a way that has a derivative."""
    if value.dtype.kind != "f" or expression.startswith("tg.stop_gradient"):
        return False
    if draw.varying.isdisjoint(_named(expression)):
        return False
    return not value.size or bool(np.max(np.abs(value - moved)) > 1e-9)


def _choose_outputs(draw: Drawing, program: Program) -> None:
    """Take the last value, and most often some of those that nothing was made of; what is left is not used."""
    floats = [name for name in draw.names if draw.plain[name].dtype.kind == "f"]
    varying = [name for name in floats if name in draw.varying]
    last = next((name for name in reversed(varying) if draw.plain[name].size), varying[-1])
    used = {name for step in program.steps for name in _named(step.expression)}
    unused = [name for name in varying if name not in used] + [draw.choice(floats)]
    others = draw.rng.sample(unused, min(len(unused), draw.choice((0, 1, 2, 5))))
    for name in dict.fromkeys([*others, last]):
        program.outputs[name] = draw.numbers.normal(size=draw.plain[name].shape).astype(np.float32).astype(np.float64)


def _named(expression: str) -> list[str]:
    """Return the names of the values in an expression."""
    return re.findall(r"\b[vx]\d+\b", expression)
