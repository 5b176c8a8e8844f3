"""The diagnosis: which mistakes in the derivation give what was derived by hand.

Each mistake on the way back is a backward sweep that makes it; what it gives is fitted to the claim, and the factors
that remain are read as mistakes too. What explains the claim with the fewest and least far-fetched mistakes is named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tinygrad_lite.check.claimed import Claimed
from tinygrad_lite.check.diagnosis.causes import causes_of, unknown
from tinygrad_lite.check.diagnosis.fitting import FREE, Fit, Parts, cost_of_factor, fitted, may_explain
from tinygrad_lite.check.diagnosis.mistake import Mistake
from tinygrad_lite.check.diagnosis.mistakes import mistakes_in
from tinygrad_lite.check.diagnosis.mutation import Jump, mutated_sweep
from tinygrad_lite.check.diagnosis.penalties import Penalty, penalty_of
from tinygrad_lite.check.diagnosis.reshaping import reshaped
from tinygrad_lite.check.diagnosis.sums import bias_columns, wrong_sums
from tinygrad_lite.check.evidence import Evidence
from tinygrad_lite.check.magnitude import largest
from tinygrad_lite.check.report import Cause
from tinygrad_lite.check.terms import Term
from tinygrad_lite.tape import AnyNode, Leaf

UNEXPLAINED = ((1, 0.0), (10, 0.0), (10, 1e-9), (10, 1e-6))
"""How many roundings of the gradient, or else how much of its largest entry, may remain unexplained, in turn until
something explains the claim: a mistake rounds otherwise than what is right."""

MOST_FETCHED = 3.0
"""The cost beyond which mistakes are not put together any more: three of them explain too much."""

MOST_SWEEPS = 2000
"""How many mistakes are tried at most, those at activations first."""

CLOSER = 10
"""How many times closer to the claim an explanation is to come than what is right."""

Candidate: TypeAlias = tuple[Mistake | None, np.ndarray, Parts]
"""A mistake, the claim in the shape in which it is looked at, and what it may be made of."""


class Explanation(NamedTuple):
    """One way in which a claim came about."""

    mistake: Mistake | None
    fit: Fit
    cost: float


def _apart(claim: np.ndarray, right: np.ndarray) -> float:
    return float(np.max(np.abs(claim - right), initial=0.0)) if claim.shape == right.shape else np.inf


class Diagnosis:
    """The search for mistakes in one derivation."""

    def __init__(self, evidence: Evidence, by_hand: Claimed | None) -> None:
        self._evidence = evidence
        self._claims = [] if by_hand is None else by_hand.gradients
        self._coarseness = [] if by_hand is None else by_hand.coarseness
        self._names = {} if evidence.capture is None else dict(zip(evidence.capture.leaves, evidence.problem.names))

    def of(self, i: int, rounding: float) -> tuple[Cause, ...]:
        """Return the causes that together explain the claimed gradient by parameter `i`, `unknown` if nothing does."""
        name = self._evidence.problem.names[i]
        penalty = penalty_of(self._evidence, i)
        return self._explained(
            self._claims[i], self._right(i), self._mutants(i), penalty, rounding, name, self._columns(i)
        )

    def of_value(self, node: AnyNode, claim: np.ndarray, rounding: float, name: str) -> tuple[Cause, ...]:
        """Return the causes that together explain a claimed gradient by a value on the way."""
        right = self.cotangent(node)
        right = np.zeros(node.shape) if right is None else right
        mutants = ((mistake, self._arrived([node], mistake.jumps).get(node, right)) for mistake in self.mistakes)
        nothing = Penalty(np.zeros(node.shape), np.zeros(node.shape), 0.0)
        return self._explained(claim, right, mutants, nothing, rounding, name, ())

    def _explained(
        self,
        claim: np.ndarray,
        right: np.ndarray,
        mutants: Iterator[tuple[Mistake, np.ndarray]],
        penalty: Penalty,
        rounding: float,
        name: str,
        columns: Collection[int],
    ) -> tuple[Cause, ...]:
        """Return the causes that together make the claim of the right gradient of the data."""
        size, expected = largest(claim), largest(right + penalty.gradient) or 1.0
        with np.errstate(all="ignore"):
            candidates = [*reshaped(claim, right, penalty, name, columns)]
            candidates += [made for mutant in mutants for made in _as_claimed(*mutant, claim, penalty)]
            near = _apart(claim, right + penalty.gradient)
            for times, share in UNEXPLAINED:
                tolerance = max(times * rounding * max(1.0, size / expected), share * size)
                tolerance = min(tolerance, near / CLOSER)
                best = self._best(candidates, tolerance)
                if best is not None:
                    break
        if not claim.any() and right.any() and (best is None or best.cost > 1.0):
            return (Cause("term-missing", None, 0.0, name, "all of it is 0; what comes back to it is left out"),)
        if best is None:
            return unknown(claim, right + penalty.gradient, name)
        return causes_of(best.mistake, best.fit, self._evidence.batch_sizes, penalty, name, max(size, expected))

    def _best(self, candidates: Sequence[Candidate], tolerance: float) -> Explanation | None:
        best: Explanation | None = None
        for made, array, parts in candidates:
            cost = 0.0 if made is None else made.cost
            if best is not None and cost >= best.cost:
                continue
            fit = fitted(array, parts, self._evidence.batch_factors, tolerance)
            if fit is None or cost + fit.cost >= (MOST_FETCHED if best is None else best.cost):
                continue
            if made is not None and made.slug != "transposed" and not self._has_a_name(fit.data):
                continue  # another mistake times any number explains what it does not mean
            if made is not None or fit.cost > 0.0:  # the right gradient explains no mistake
                best = Explanation(made, fit, cost + fit.cost)
        return best

    def _has_a_name(self, factor: float) -> bool:
        return cost_of_factor(abs(factor), self._evidence.batch_factors) < FREE

    # ----- What claims are held against -----

    def _right(self, i: int) -> np.ndarray:
        found = self._unmutated.get(self._targets[i]) if self._evidence.capture else None
        return np.zeros(self._evidence.problem.values[i].shape) if found is None else found

    def _columns(self, i: int) -> Collection[int]:
        """Return which columns of parameter `i` may hold a bias: the outer ones, where it cannot be seen."""
        capture, values = self._evidence.capture, self._evidence.problem.values[i]
        if capture is not None and capture.is_whole:
            return {k for k in bias_columns(capture, self._targets[i]) if values.ndim == 2 and k < values.shape[1]}
        return {0, values.shape[1] - 1} if values.ndim == 2 and values.shape[1] else ()

    @property
    def _targets(self) -> list[Leaf]:
        assert self._evidence.capture is not None
        return self._evidence.capture.leaves

    def _mutants(self, i: int) -> Iterator[tuple[Mistake, np.ndarray]]:
        """Yield what each mistake makes of the data's gradient by parameter `i`, where it may explain the claim."""
        yield from self._survivors.get(i, ())
        capture = self._evidence.capture
        if capture is not None and capture.is_whole:
            yield from wrong_sums(capture, self._targets[i], self._evidence.problem.names[i], self.cotangent)

    @cached_property
    def _unmutated(self) -> dict[AnyNode, Any]:
        return self._arrived(self._targets, ())

    @cached_property
    def mistakes(self) -> list[Mistake]:
        """Every mistake that can be made on the way back."""
        capture = self._evidence.capture
        if capture is None or not capture.is_whole:
            return []
        return list(mistakes_in(capture, self._names, self.cotangent))

    @cached_property
    def _survivors(self) -> dict[int, list[tuple[Mistake, np.ndarray]]]:
        """What mistakes make of the claimed gradients, one sweep a mistake, as far as a sample does not rule it out."""
        wrong = [i for i, claim in enumerate(self._claims) if self._is_wrong(i, claim)]
        penalties = {i: penalty_of(self._evidence, i) for i in wrong}
        found: dict[int, list[tuple[Mistake, np.ndarray]]] = {i: [] for i in penalties}
        with np.errstate(all="ignore"):
            for mistake, gradients in self._swept():
                for i, penalty in penalties.items():
                    mutant = gradients.get(self._targets[i])
                    mutant = np.zeros(penalty.gradient.shape) if mutant is None else mutant
                    claim = self._claims[i]
                    rough = UNEXPLAINED[-1][1] * largest(claim) + self._rounding(i)
                    for _, array, parts in _as_claimed(mistake, mutant, claim, penalty):
                        if may_explain(array, parts, rough) and not np.array_equal(mutant, self._right(i)):
                            found[i].append((mistake, mutant))
        return found

    def _is_wrong(self, i: int, claim: np.ndarray) -> bool:
        return _apart(claim, self._evidence.automatic[i]) > self._evidence.rounding.gradients[i]

    def _rounding(self, i: int) -> float:
        return UNEXPLAINED[-1][0] * self._evidence.rounding.gradients[i] * self._coarseness[i]

    def _swept(self) -> Iterator[tuple[Mistake, dict[AnyNode, Any]]]:
        """Yield what arrives at the parameters with each mistake."""
        if self._evidence.capture is None:
            return
        for mistake in self.mistakes[:MOST_SWEEPS]:
            yield mistake, self._arrived(self._targets, mistake.jumps)
        yield from _term_missing(self._evidence, self._targets)

    def cotangent(self, node: AnyNode) -> Any:
        """Return the right cotangent of a node, of the data's terms alone; None if nothing arrives."""
        if node not in self._cotangents:
            self._cotangents[node] = self._arrived([node], ()).get(node)
        return self._cotangents[node]

    @cached_property
    def _cotangents(self) -> dict[AnyNode, Any]:
        return {}

    def _arrived(self, targets: Sequence[AnyNode], jumps: Sequence[Jump]) -> dict[AnyNode, Any]:
        assert self._evidence.capture is not None
        return mutated_sweep(self._evidence.capture.nodes, _seeds(self._evidence.data_terms), targets, jumps)


def _as_claimed(mistake: Mistake, data: np.ndarray, claim: np.ndarray, penalty: Penalty) -> Iterator[Candidate]:
    """Yield the claim and what it may be made of; two mistakes on the way are not searched for."""
    if data.shape == penalty.gradient.shape == claim.shape:
        yield mistake, claim, Parts(data, penalty.gradient, penalty.unpenalised)
    elif claim.size == data.size:
        nothing = np.zeros(data.shape)
        yield mistake, claim.reshape(data.shape), Parts(data, nothing, nothing)


def _seeds(terms: Sequence[Term]) -> dict[AnyNode, Any]:
    return {node: seed for term in terms for node, seed in term.seeds().items()}


def _term_missing(evidence: Evidence, targets: Sequence[Leaf]) -> Iterator[tuple[Mistake, dict[AnyNode, Any]]]:
    """Yield the gradients without one of the data's terms each, if there are several."""
    terms = evidence.data_terms
    if len(terms) < 2:
        return
    assert evidence.capture is not None
    for left_out in terms:
        seeds = _seeds([term for term in terms if term is not left_out])
        mistake = Mistake("term-missing", left_out.name, f"add the gradient of the term {left_out.name}", 1.2, ())
        yield mistake, mutated_sweep(evidence.capture.nodes, seeds, targets, ())
