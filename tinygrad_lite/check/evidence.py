"""What is found out about a function once, before its parameters are judged one by one."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tinygrad_lite.check.capture import Capture
from tinygrad_lite.check.diagnosis.penalties import is_decay
from tinygrad_lite.check.magnitude import EPSILON
from tinygrad_lite.check.numeric.agreement import Parameter
from tinygrad_lite.check.numeric.moves import Moves, PlainMoves, RecordedMoves
from tinygrad_lite.check.numeric.rounding import Rounding, rounding_at, rounding_of
from tinygrad_lite.check.problem import Problem
from tinygrad_lite.check.terms import Term, example_counts, terms_of
from tinygrad_lite.tape import AnyNode

DISPLACED = (1e-3, -1e-3, 0.05)
"""How far each entry is moved to see whether the recording does there what the function does."""


class Evidence:
    """A function recorded and differentiated: its terms, how far rounding moves it, and how it changes when moved."""

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.problem, self.rng = problem, rng
        self.capture = problem.recorded()
        self.terms: list[Term] = [] if self.capture is None else terms_of(self.capture)
        self.automatic = self._whole()
        self.rounding = self._rounding()
        self.moves: Moves = PlainMoves(problem)
        self.why_plain = ""
        if self.capture is not None and not self.capture.is_whole:
            self.why_plain = "it asks for values on its way, as a branch does"
        elif self.capture is not None and not _does_the_same(problem, self.capture, sum(self.rounding.terms), rng):
            self.why_plain = "what it computes with is not all recorded"
        elif self.capture is not None:
            self.moves = RecordedMoves(self.capture, self.terms)

    def _rounding(self) -> Rounding:
        if self.capture is None:
            return Rounding([0.0] * len(self.problem.values), [])
        return rounding_of(self.capture, self.terms, self.automatic, self.rng)

    def rounding_at(self, node: AnyNode) -> float:
        """Return how far rounding moves the gradient by a value on the way."""
        assert self.capture is not None
        return rounding_at(self.capture, node, self.rng)

    def _whole(self) -> list[np.ndarray]:
        if self.capture is None:
            return [np.zeros(value.shape) for value in self.problem.values]
        found = self.capture.gradients({self.capture.root: 1.0})
        return [_or_zeros(gradient, value) for gradient, value in zip(found, self.problem.values, strict=True)]

    def parameter(self, i: int) -> Parameter:
        """Return what numeric derivatives are held against."""
        values, noise = self.problem.values[i], sum(self.rounding.terms)
        if isinstance(self.moves, PlainMoves):
            noise += 16 * EPSILON * float(np.abs(self.moves.base[0]))
            return Parameter(i, values, [self.automatic[i]], np.array([noise]))
        if len(self.terms) == 1:
            return Parameter(i, values, [self.automatic[i]], np.array([noise]))
        gradients = [_or_zeros(term.gradients[i], values) for term in self.terms]
        return Parameter(i, values, [*gradients, self.automatic[i]], np.array([*self.rounding.terms, noise]))

    # ----- What the diagnosis asks for -----

    @cached_property
    def penalty_terms(self) -> list[Term]:
        """The terms that are penalties on every parameter that they see, unless there is nothing else."""
        penalties = [term for term in self.terms if self._is_penalty(term)] if len(self.terms) > 1 else []
        return penalties if len(penalties) < len(self.terms) else []

    @cached_property
    def data_terms(self) -> list[Term]:
        """The others."""
        return [term for term in self.terms if not any(term is penalty for penalty in self.penalty_terms)]

    def _is_penalty(self, term: Term) -> bool:
        """Return whether a term has the gradient of a penalty, here and, at the same rate, a little way off."""
        here = list(zip(term.gradients, self.problem.values, strict=True))
        if self.capture is None or not self.capture.is_whole:
            there = here
        else:
            elsewhere, node_of = self._elsewhere
            gradients = elsewhere.gradients({node_of[node]: factor for node, factor in term.parts.items()})
            there = list(zip(gradients, (elsewhere.values[leaf] for leaf in elsewhere.leaves), strict=True))
        seen = [(g, v, *other) for (g, v), other in zip(there, here, strict=True) if g is not None and g.any()]
        return bool(seen) and all(is_decay(*pair) for pair in seen)

    @cached_property
    def _elsewhere(self) -> tuple[Capture, dict[AnyNode, AnyNode]]:
        """The recording at parameters somewhat off."""
        assert self.capture is not None
        rng = np.random.default_rng(0)
        pairs = zip(self.capture.leaves, self.problem.values, strict=True)
        moved: dict[AnyNode, np.ndarray] = {leaf: v + 0.1 * rng.standard_normal(v.shape) for leaf, v in pairs}
        with np.errstate(all="ignore"):
            return self.capture.again(moved)

    @cached_property
    def batch_sizes(self) -> list[int]:
        """How many examples there may be, as the shapes of what the parameters meet tell."""
        return [] if self.capture is None else example_counts(self.capture)

    @cached_property
    def batch_factors(self) -> list[float]:
        """By what a gradient is off whose mean over the examples was forgotten, or taken twice."""
        return [factor for m in self.batch_sizes for factor in (float(m), 1.0 / m)]

    # ----- In words -----

    def tolerance_in_words(self, by_hand: bool, tolerance: tuple[float, float] | None) -> str:
        """Return what counted as agreement."""
        if not by_hand:
            hand = ""
        elif tolerance is None:
            hand = "by hand within what rounding may do, "
        else:
            hand = f"by hand within {tolerance[0]:g} of the largest entry + {tolerance[1]:g}, "
        return f"{hand}numeric within the error of central differences"

    def notes(self, every_element: bool) -> tuple[str, ...]:
        """Return what was out of the ordinary about the numeric gradients."""
        notes = []
        if self.why_plain:
            notes.append(
                f"the function was called anew for each numeric derivative, without an eye on kinks and terms, because "
                f"{self.why_plain}"
            )
        plainly = sorted({name for i in range(len(self.problem.values)) for name in self.moves.run_plainly(i)})
        if every_element and plainly:
            notes.append(f"run again for every entry as a whole: {', '.join(plainly)}")
        return tuple(notes)


def _or_zeros(gradient: np.ndarray | None, like: np.ndarray) -> np.ndarray:
    return np.zeros(like.shape) if gradient is None else gradient


def _does_the_same(problem: Problem, capture: Capture, noise: float, rng: np.random.Generator) -> bool:
    """Return whether the recording changes as the function does, a little way off and further."""
    base, recorded = problem.value(problem.values), float(np.reshape(capture.values[capture.root], ()))
    if not np.isclose(base, recorded, rtol=1e-9, atol=1e-300, equal_nan=True):
        return False
    for distance in DISPLACED:
        moved = [
            value + distance * (rng.integers(0, 2, size=value.shape, dtype=np.int8) * 2.0 - 1.0)
            for value in problem.values
        ]
        expected = problem.elsewhere(moved)
        values = capture.run(dict(zip(capture.leaves, moved, strict=True)), holding=False)
        change = float(np.reshape(values[capture.root], ())) - recorded
        if np.isfinite(expected) and abs(change - (expected - base)) > 1e-9 * abs(change) + 100 * noise:
            return False
    return True
