"""One program against everything that is known about it.

A comparison is passed, failed, or set aside with its reason counted; nothing is loosened without being counted.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tests.fuzzing import jax_oracle
from tests.fuzzing.comparing import (
    FIRST,
    ILL_CONDITIONED,
    JAX_FIRST,
    JAX_SECOND,
    JAX_VALUE,
    KINK,
    NOISE_FACTOR,
    OTHER_SIDE,
    ROUNDING,
    SECOND,
    SHARE_OF_VALUE,
    SHARE_OF_VALUE_IN_SINGLE,
    SINGLE,
    TOLERANCES,
    UNRELIABLE,
    UNRELIABLE_SECOND,
    VALUE,
    MismatchError,
    Outcome,
    compare,
    difference,
    largest,
)
from tests.fuzzing.generator import random_program
from tests.fuzzing.gradients import Gradients, environment, gradient, gradient_with_noise, hessian_product
from tests.fuzzing.gradients import leaves_of as leaves_in
from tests.fuzzing.numeric import Numeric
from tests.fuzzing.program import Array, Program
from tests.fuzzing.tracing import IS_WIDER, Trace, traced
from tinygrad_lite.tensor import Tensor, wrap

EVERY_SECOND = 4
"""Every so many programs are differentiated twice."""
EVERY_JAX = 9
"""Every so many programs are given to JAX."""
EVERY_SECOND_JAX = 3
"""Every so many of these, with second derivatives."""


class Compared(NamedTuple):
    """A program with what the first comparisons found, for those to come."""

    program: Program
    gradients: Gradients
    direction: dict[str, Array]
    magnitude: float
    at_kink: bool


def check(seed: int, program: Program | None = None) -> tuple[Outcome, Compared | None]:
    """Check the program of this seed, which may be there already, against everything but JAX."""
    outcome = Outcome(seed, program)
    try:
        outcome.program = program or random_program(seed)
        return outcome, _Check(outcome.program, outcome).everything()
    except Exception as problem:
        _fail(outcome, problem)
        return outcome, None


def check_with_jax(seeds: Iterable[int], every: int = EVERY_JAX) -> Iterator[Outcome]:
    """Check the programs of these seeds, one in `every` of them against JAX too, where it is installed."""
    waiting: list[tuple[Outcome, Compared]] = []
    for seed in seeds:
        outcome, compared = check(seed)
        if not jax_oracle.AVAILABLE or seed % every or compared is None or not compared.program.for_jax:
            yield outcome
            continue
        waiting.append((outcome, compared))
        if len(waiting) == jax_oracle.TOGETHER:
            yield from _asked(waiting)
            waiting = []
    if waiting:
        yield from _asked(waiting)


def _asked(waiting: list[tuple[Outcome, Compared]]) -> list[Outcome]:
    """Compare these programs with JAX, one by one if it cannot take all of them."""
    try:
        answers = jax_oracle.ask([c.program for _, c in waiting], [_direction_for_jax(c) for _, c in waiting])
    except Exception as problem:
        if len(waiting) > 1:
            return [outcome for pair in waiting for outcome in _asked([pair])]
        _fail(waiting[0][0], problem)
        return [waiting[0][0]]
    for (outcome, compared), theirs in zip(waiting, answers, strict=True):
        try:
            _compare_with_jax(outcome, compared, theirs)
        except MismatchError:
            _compare_uncompiled(outcome, compared)
        except Exception as problem:
            _fail(outcome, problem)
    return [outcome for outcome, _ in waiting]


def _compare_uncompiled(outcome: Outcome, compared: Compared) -> None:
    """Compare once more, with what JAX says where XLA, which compiles some powers wrongly, has no part in it."""
    try:
        _compare_with_jax(outcome, compared, jax_oracle.ask_uncompiled(compared.program, _direction_for_jax(compared)))
    except Exception as problem:
        _fail(outcome, problem)


def _direction_for_jax(compared: Compared) -> dict[str, Array] | None:
    return compared.direction if compared.program.seed // EVERY_JAX % EVERY_SECOND_JAX == 0 else None


def _fail(outcome: Outcome, problem: Exception) -> None:
    told = f"{type(problem).__name__}: {problem}"
    if not isinstance(problem, MismatchError):
        told = "".join(traceback.format_exception(problem))
    outcome.failure = f"seed {outcome.seed}: {told}\n{outcome.program}"


def random_direction(program: Program, names: Iterable[str], rng: np.random.Generator) -> dict[str, Array]:
    """Return a direction in which the leaves named move, the others zero."""
    moving = set(names)
    return {
        name: np.asarray(rng.normal(size=x.shape) if name in moving else np.zeros(x.shape))
        for name, x in program.leaves.items()
    }


def product(gradients: Gradients, direction: dict[str, Array]) -> tuple[float, float]:
    """Return ⟨gradient, direction⟩ and the sum of the magnitudes of its terms."""
    terms = [np.asarray(g, np.float64) * direction[name] for name, g in gradients.items()]
    return float(sum(np.sum(t) for t in terms)), float(sum(np.sum(np.abs(t)) for t in terms))


class _Check:
    """The comparisons of one program."""

    def __init__(self, program: Program, outcome: Outcome) -> None:
        self.program, self.outcome = program, outcome
        self.rng = np.random.default_rng([program.seed, 1])
        self.noisy: dict[float, list[Gradients]] = {}

    def everything(self) -> Compared:
        program = self.program
        numeric = Numeric(program)
        self.magnitude = numeric.magnitude
        self.outcome.kinks = len(numeric.trace.sides)
        trace = Trace()
        with traced(trace):
            self.gradients = gradient(program, is_double=True)
        self.outcome.primitives = trace.counts
        self.outcome.is_flat = not any(g.any() for g in self.gradients.values())
        self.values()
        direction = random_direction(program, program.leaves, self.rng)
        at_kink = self.along(numeric, direction, twice=IS_WIDER and program.seed // 2 % EVERY_SECOND == 0)
        for name in program.leaves:
            self.along(numeric, random_direction(program, [name], self.rng), twice=False)
        if not program.is_double:
            self.as_written()
        return Compared(program, self.gradients, direction, self.magnitude, at_kink)

    # ----- Values -----

    def values(self) -> None:
        """Hold that Tensors compute what arrays do, and that float32 stays float32."""
        program = self.program
        names = environment(program, is_double=True)
        program.run(names, {name: wrap(x, None) for name, x in program.leaves.items()})
        for step in program.steps:
            ours, expected = np.asarray(names[step.name]), program.values[step.name]
            if ours.shape != expected.shape or ours.dtype != expected.dtype:
                raise MismatchError(
                    f"{step} is {ours.dtype}{ours.shape} of Tensors, {expected.dtype}{expected.shape} of arrays"
                )
            compare(self.outcome, VALUE, difference(ours, expected), 1.0 + largest(expected), str(step))

    # ----- Derivatives -----

    def along(self, numeric: Numeric, direction: dict[str, Array], twice: bool) -> bool:
        """Compare derivatives along a direction; return whether the program lies at a kink there."""
        found, terms = product(self.gradients, direction)
        scale = terms + SHARE_OF_VALUE * self.magnitude
        expected = numeric.along(direction, TOLERANCES[FIRST] * scale / 100)
        if expected is None:
            self.outcome.set_aside[KINK] += 1
            return True
        if expected.first.error > TOLERANCES[FIRST] * scale / 10:
            self.outcome.set_aside[UNRELIABLE] += 1
            return False
        moving = ", ".join(name for name, u in direction.items() if u.any())
        told = f"along {moving}: {found!r} by {self.program.method}, {expected.first.value!r} numerically"
        self.compare(FIRST, abs(found - expected.first.value), scale, direction, told)
        if twice:
            self.second_along(expected.second, direction)
        return False

    def second_along(self, expected: Any, direction: dict[str, Array]) -> None:
        products = hessian_product(self.program, direction)
        found, terms = product(products, direction)
        scale = terms + SHARE_OF_VALUE * self.magnitude
        if expected.error > TOLERANCES[SECOND] * scale / 3:
            self.outcome.set_aside[UNRELIABLE_SECOND] += 1
            return
        compare(self.outcome, SECOND, abs(found - expected.value), scale, f"{found!r}, numerically {expected.value!r}")

    def as_written(self) -> None:
        """Compare the gradient in the dtypes that the program is written in with the one in float64."""
        program = self.program
        for requires_grad in (True, False):
            sides = self.stays_single(requires_grad)
        found = gradient(program, is_double=False)
        reference = Trace()
        with traced(reference):
            program.run(environment(program, True), {name: Tensor(x) for name, x in leaves_in(program, True).items()})
        if sides != reference.sides:
            self.outcome.set_aside[OTHER_SIDE] += 1
            return
        scale = max(map(largest, self.gradients.values())) + SHARE_OF_VALUE_IN_SINGLE * self.magnitude
        for name, g in found.items():
            off = difference(g, self.gradients[name])
            told = f"{name} by {program.method}: {g}, in float64 {self.gradients[name]}"
            self.compare(SINGLE, off, scale, name, told)

    def stays_single(self, requires_grad: bool) -> list[bytes]:
        """Hold that float32 stays float32, with and without a gradient; return the sides of the kinks."""
        program, trace = self.program, Trace()
        names = environment(program, is_double=False)
        leaves = leaves_in(program, False)
        with traced(trace):
            program.run(names, {name: Tensor(x, requires_grad=requires_grad) for name, x in leaves.items()})
        for step in program.steps if program.is_single else ():
            dtype = names[step.name].dtype
            if dtype.kind == "f" and dtype != np.float32:
                raise MismatchError(
                    f"{step} is {dtype} where everything is float32; leaves require a gradient: {requires_grad}"
                )
        return trace.sides

    # ----- What rounding explains -----

    def compare(self, what: str, error: float, scale: float, moved: dict[str, Array] | str, told: str) -> None:
        """Pass, set aside or fail, after a look at how far rounding alone moves the derivative."""
        if error > TOLERANCES[what] * scale:
            noise = NOISE_FACTOR * self.noise(2.0**-24 if what == SINGLE else 2.0**-53, moved)
            if noise > ILL_CONDITIONED[what] * scale:
                self.outcome.set_aside[f"{ROUNDING}: {what}"] += 1
                return
            if error <= noise:
                self.outcome.by_rounding[what] += 1
                return
        compare(self.outcome, what, error, scale, told)

    def noise(self, epsilon: float, moved: dict[str, Array] | str) -> float:
        """Return how far the derivative moves if every value is off by about `epsilon`."""
        if epsilon not in self.noisy:
            self.noisy[epsilon] = [gradient_with_noise(self.program, epsilon, self.rng) for _ in range(4)]
        if isinstance(moved, str):
            return max(difference(g[moved], self.gradients[moved]) for g in self.noisy[epsilon])
        exact, _ = product(self.gradients, moved)
        return max(abs(product(g, moved)[0] - exact) for g in self.noisy[epsilon])


def _compare_with_jax(outcome: Outcome, compared: Compared, theirs: jax_oracle.Theirs) -> None:
    program = compared.program
    value = sum(float(np.sum(_value(program, name) * g)) for name, g in program.outputs.items())
    compare(
        outcome, JAX_VALUE, abs(value - float(theirs.value)), compared.magnitude, f"{value!r}, not {theirs.value!r}"
    )
    if compared.at_kink:
        outcome.set_aside[f"{KINK}, JAX"] += 1
        return
    pairs = [(JAX_FIRST, compared.gradients, theirs.gradients)]
    if theirs.products is not None:
        pairs.append((JAX_SECOND, hessian_product(program, compared.direction), theirs.products))
    for what, ours, expected in pairs:
        scale = max(map(largest, ours.values())) + SHARE_OF_VALUE * compared.magnitude
        for name, g in ours.items():
            compare(outcome, what, difference(g, expected[name]), scale, f"{name}: {g}, in JAX {expected[name]}")


def _value(program: Program, name: str) -> Array:
    return program.values[name] if name in program.values else program.leaves[name]
