"""Steps of arithmetic, exponentials and trigonometry, their operands kept where the functions are tame."""

from __future__ import annotations

import numpy as np

from tests.fuzzing.drawing import Draft, Drawing, fits_beside
from tests.fuzzing.program import Array
from tests.fuzzing.steps.kind import Kind


def largest(x: Array) -> float:
    return float(np.max(np.abs(x), initial=0.0))


def smallest(x: Array) -> float:
    return float(np.min(np.abs(x), initial=np.inf))


def unary(draw: Drawing) -> Draft:
    x = draw.value()
    name = draw.choice(("negative", "square", "sin", "cos", "tanh", "exp", "expm1", "absolute", "positive", "sign"))
    if name == "sign":
        return Draft(f"{draw.spelled(name)}({x}) * {draw.choice((x, draw.number()))}")
    if name == "positive":
        return Draft(f"np.positive({x})")
    if name in ("negative", "absolute") and draw.chance(0.5):
        return Draft(f"-{x}" if name == "negative" else f"abs({x})")
    if (name in ("exp", "expm1") and draw[x].max(initial=0) > 5) or (name in ("sin", "cos") and largest(draw[x]) > 15):
        return Draft(f"{draw.spelled(name)}({x} * 0.0625)")
    return Draft(f"{draw.spelled(name)}({x})")


def logarithm(draw: Drawing) -> Draft:
    """Return log, log1p or sqrt, of a value that is positive already or made so."""
    x, name = draw.value(), draw.choice(("log", "log1p", "sqrt"))
    if draw[x].min(initial=1) > 0.1:
        return Draft(f"{draw.spelled(name)}({x})")
    made = draw.choice((f"np.square({x}) + 0.5", f"abs({x}) + 0.25", f"tg.softplus({x}) + 0.125", f"{x}**2 + 1"))
    return Draft(f"{draw.spelled(name)}({made})")


def behind_a_where(draw: Drawing) -> Draft:
    """Return a pole that is computed but not chosen; it must not reach the gradient."""
    x, floor = draw.value(), draw.choice((0.125, 0.25))
    pole = draw.choice((f"np.log({x})", f"np.sqrt({x})", f"1 / {x}", f"np.power({x}, -0.5)", f"np.log1p({x} - 1)"))
    other = draw.choice((x, "0.0", draw.number()))
    return Draft(f"np.where({x} > {floor}, {pole}, {other})", for_jax=False)


def arithmetic(draw: Drawing) -> Draft:
    a = draw.value()
    b = a if draw.chance(0.07) else draw.beside(draw[a].shape)
    if draw.chance(0.5):
        a, b = b, a
    name, sign = draw.choice((("add", "+"), ("subtract", "-"), ("multiply", "*")))
    if draw.chance(0.6):
        return Draft(f"{a} {sign} {b}")
    return Draft(f"{draw.spelled(name)}({a}, {b})")


def division(draw: Drawing) -> Draft:
    a, b = draw.value(), draw.value()
    if draw.chance(0.3) or not fits_beside(draw[a].shape, draw[b].shape):
        a = draw.beside(draw[b].shape)
    if smallest(draw[b]) < 0.2:
        b = draw.choice((f"(np.square({b}) + 0.5)", f"(abs({b}) + 0.25)", f"(np.exp(-abs({b})) + 0.5)"))
    return Draft(f"{a} / {b}" if draw.chance(0.6) else f"{draw.spelled('divide')}({a}, {b})")


def power(draw: Drawing) -> Draft:
    x = draw.value()
    if draw.chance(0.3):  # any base, whole exponents
        exponents = ["0", "1", "2", "3", "2.0"] + (["(-1)", "(-2)"] if smallest(draw[x]) > 0.2 else [])
        exponent = draw.choice(exponents)
        if draw.chance(0.3):
            shape = draw.broadcastable(draw[x].shape)
            exponent = draw.constant(np.asarray(draw.numbers.integers(0, 4, shape)), "exponents")
        return Draft(f"{x}**{exponent}" if draw.chance(0.6) else f"{draw.spelled('power')}({x}, {exponent})")
    if draw.chance(0.3):  # a base without a gradient
        base = draw.number(0.25, 3) if draw.chance(0.5) else draw.array(draw.broadcastable(draw[x].shape), 0.25, 2)
        return Draft(f"{base} ** np.tanh({x})" if largest(draw[x]) > 4 else f"{base} ** {x}")
    base = x if draw[x].min(initial=1) > 0.1 else f"(np.square({x}) + 0.25)"
    exponent = draw.beside(draw[x].shape)
    if exponent in draw.plain and largest(np.asarray(draw.plain[exponent])) > 3:
        exponent = f"tg.sigmoid({exponent})"
    return Draft(f"{base}**{exponent}" if draw.chance(0.6) else f"{draw.spelled('power')}({base}, {exponent})")


def logaddexp(draw: Drawing) -> Draft:
    a = draw.value()
    operands = [a, a if draw.chance(0.05) else draw.beside(draw[a].shape)]
    draw.rng.shuffle(operands)
    return Draft(f"{draw.spelled('logaddexp')}({', '.join(operands)})")


def cast(draw: Drawing) -> Draft:
    x, dtype = draw.value(), draw.real
    return Draft(draw.choice((f"{x}.astype({dtype})", f"tg.astype({x}, {dtype})")))


def stop_gradient(draw: Drawing) -> Draft:
    x = draw.value()
    return Draft(f"tg.stop_gradient({x})" if draw.chance(0.3) else f"{x} * tg.stop_gradient({x})")


def named(draw: Drawing) -> Draft:
    return Draft(f"tg.named({draw.value()}, 'value')")


ELEMENTWISE: dict[Kind, float] = {
    unary: 4,
    logarithm: 2,
    behind_a_where: 0.4,
    arithmetic: 5,
    division: 1.5,
    power: 1.5,
    logaddexp: 0.7,
    cast: 0.5,
    stop_gradient: 0.5,
    named: 0.2,
}
