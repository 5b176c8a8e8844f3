"""Formulas out of notes, written down as the notes state them, for a verdict on each that is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from tinygrad_lite.check.gradients import check_gradients
from tinygrad_lite.check.judgement import Judgement, Tried, differences, failing, holding
from tinygrad_lite.errors import DefinitionError

Reading: TypeAlias = Callable[[np.random.Generator], Any]
"""Draws inputs and returns (what is stated, the truth it claims), or a report of `check_gradients` that says how far
they agree; a generator function yields such a pair for each equality of a chain, all of which must hold."""

DRAWS = 5
"""How often each reading draws its inputs."""


@dataclass(frozen=True)
class Claim:
    """An equation of some notes, with the readings that its own definitions allow; it holds if one of them does.

    A reading takes a Generator, draws inputs with it, of several shapes and without special values, and returns two
    arrays: the formula as the notes state it, and the truth it claims, such as the gradient that `tg.grad` gives. For a
    chain of equalities, let it `yield` two for each. `corrected` is the right formula, in words and as a reading.
    `note` says in words what the mistake is, and is shown if the claim fails. A claim without readings states no
    formula; its `note` says why.

    >>> import numpy as np, tinygrad_lite as tg
    >>> def cube(rng):
    ...     x = rng.normal(size=3)
    ...     return -3 * x**2, tg.grad(lambda x: np.sum(x**3))(x)
    >>> judgement = tg.Claim("1.2", "d/dx x³ = −3x²", readings={"elementwise": cube}).check()
    >>> judgement.verdict, judgement.cause
    ('fails', "sign (× -1) in the reading 'elementwise': turn the sign around")
    """

    id: str
    statement: str
    readings: Mapping[str, Reading] = field(default_factory=dict)
    corrected: tuple[str, Reading] | None = field(default=None, kw_only=True)
    note: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        _check_names(self, self.id, self.readings)
        if not self.readings and not self.note:
            raise DefinitionError(f"claim {self.id} has no readings; say in its note why there is nothing to check")
        if self.corrected is not None and not _is_correction(self.corrected):
            raise DefinitionError(f"claim {self.id}: corrected must be (the formula in words, a reading of it)")

    def check(self) -> Judgement:
        """Return the verdict on this claim; raises what a reading raises."""
        if not self.readings:
            return Judgement(self.id, self.statement, "no-formula", note=self.note)
        tried = [_tried(name, reading) for name, reading in self.readings.items()]
        if any(reading.agrees for reading in tried):
            return holding(self.id, self.statement, tried)
        correction = None if self.corrected is None else _tried(*self.corrected)
        return failing(self.id, self.statement, tried, self.note, correction)


@dataclass(frozen=True)
class Derivation:
    """A gradient derived by hand, held against that of `f` as `tg.check_gradients` does, which names the mistake.

    `args` is the tuple of arguments, or the one argument. One of `analytic`, `vjp` and `jacobian` is given: a function,
    or several readings of the derivation in a dict, of which one must agree. `note` is shown if it fails.

    >>> import numpy as np, tinygrad_lite as tg
    >>> w = np.array([1.0, 2.0])
    >>> tg.Derivation("exercise 1", lambda w: np.sum(w**2), w, analytic=lambda w: 2 * w).check().verdict
    'holds'
    """

    id: str
    f: Callable[..., Any]
    args: Any
    statement: str = field(default="", kw_only=True)
    analytic: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = field(default=None, kw_only=True)
    vjp: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = field(default=None, kw_only=True)
    jacobian: Callable[..., Any] | Mapping[str, Callable[..., Any]] | None = field(default=None, kw_only=True)
    note: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        given = [name for name in ("analytic", "vjp", "jacobian") if getattr(self, name) is not None]
        if len(given) != 1:
            raise DefinitionError(f"derivation {self.id}: give one of analytic=, vjp= and jacobian=, got {given}")
        _check_names(self, self.id, self._by_hand()[1])

    def check(self) -> Judgement:
        """Return the verdict on this derivation; raises what `f` or the derivation raises."""
        args = self.args if isinstance(self.args, tuple) else (self.args,)
        way, readings = self._by_hand()
        tried = []
        for name, derived in readings.items():
            given: dict[str, Any] = {way: derived}
            report = check_gradients(self.f, *args, **given)
            tried.append(Tried.of(name, list(differences(report, f"the reading {name!r}"))))
        if any(reading.agrees for reading in tried):
            return holding(self.id, self.statement, tried)
        return failing(self.id, self.statement, tried, self.note)

    def _by_hand(self) -> tuple[str, Mapping[str, Callable[..., Any]]]:
        """Return how the derivation was given, and its readings by name."""
        way = next(name for name in ("analytic", "vjp", "jacobian") if getattr(self, name) is not None)
        given = getattr(self, way)
        return way, given if isinstance(given, Mapping) else {"as derived": given}


def _tried(name: str, reading: Reading) -> Tried:
    what = f"the reading {name!r}"
    found = [
        difference for draw in range(DRAWS) for difference in differences(reading(np.random.default_rng(draw)), what)
    ]
    return Tried.of(name, found)


def _check_names(declared: Claim | Derivation, id: object, readings: object) -> None:
    what = f"{type(declared).__name__} {id!r}"
    if not isinstance(id, str) or not id:
        raise DefinitionError(f"{what}: the id must be text, such as '001.3'")
    if not isinstance(readings, Mapping) or not all(map(callable, readings.values())):
        raise DefinitionError(f"{what}: readings must be a dict of functions by name, got {readings!r}")


def _is_correction(given: object) -> bool:
    return isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str) and callable(given[1])
