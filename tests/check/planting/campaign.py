"""Plant mistakes in random derivations, and count what the check says of them."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

import tinygrad_lite as tg
from tests.check.planting.catalogue import CATALOGUES, WHOLE, Catalogue
from tests.check.planting.catalogue.mistake import Mistake
from tests.check.planting.derivations import derivation, gradients
from tests.check.planting.networks import Array, Case, parameters, random_case
from tests.check.planting.objectives import arguments, objective

ROUNDING = 1e-12
"""How far arrays may lie apart, relative to their largest entry, that the same mistake has made."""

SPECIAL = {frozenset({"sign"}), frozenset({"batch-mean"})}
"""Multiples of the right gradient that have slugs of their own."""


class Planted(NamedTuple):
    """A mistake in the derivation of a case, in one layer or all over."""

    mistake: Mistake
    layer: int | None
    faulty: list[Array]

    def __str__(self) -> str:
        return self.mistake.name + (f", in layer {self.layer}" if self.layer is not None else "")


@dataclass
class Said:
    """What the check said of one wrong gradient."""

    seed: int
    mistake: str
    called: str
    caught: bool
    named: bool
    alone: bool
    """Whether it named the mistake and nothing else."""
    story: str


@dataclass
class Figures:
    """What a campaign has counted."""

    said: list[Said] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    """Of the right gradients."""
    set_aside: Counter[str] = field(default_factory=Counter)
    """Wrong gradients that do not count, by the reason."""
    seconds: list[float] = field(default_factory=list)

    def add(self, other: Figures) -> None:
        """Count what another campaign has counted too."""
        self.said += other.said
        self.alarms += other.alarms
        self.statuses += other.statuses
        self.set_aside += other.set_aside
        self.seconds += other.seconds

    def listed(self) -> list[Said]:
        return [said for said in self.said if said.called != "unknown"]

    def outside(self) -> list[Said]:
        return [said for said in self.said if said.called == "unknown"]


def campaign(seeds: Sequence[int], catalogue: str = "whole") -> Figures:
    """Check each case as it is right and with a mistake planted."""
    figures = Figures()
    for seed in seeds:
        case = random_case(seed)
        _check_right(case, figures)
        planted = plant(case, CATALOGUES[catalogue])
        if planted is None:
            figures.set_aside["nothing could be planted"] += 1
        else:
            _check_faulty(case, planted, figures)
    return figures


def plant(case: Case, catalogue: Catalogue) -> Planted | None:
    """Draw a mistake that changes something in this case: every slug is as likely as another, then every mistake."""
    rng = np.random.default_rng([case.seed, 40])
    right = gradients(case)
    pool = catalogue[int(rng.choice(3, p=[0.55, 0.2, 0.25]))]
    by_slug: dict[str, list[Mistake]] = defaultdict(list)
    for mistake in pool:
        by_slug[mistake.called.split(" |")[0]].append(mistake)
    for slug in rng.permutation(list(by_slug)):
        for index in rng.permutation(len(by_slug[slug])):
            made = list(variants(case, by_slug[slug][index]))
            for choice in rng.permutation(len(made)):
                planted = made[choice]
                if not all(same(bad, good, ROUNDING) for bad, good in zip(planted.faulty, right, strict=True)):
                    return planted
    return None


def variants(case: Case, mistake: Mistake) -> Iterator[Planted]:
    """Give the mistake all over and in each layer, as far as the code with it runs."""
    edits = mistake.edits(case.convention) if mistake.when(case) else None
    if edits is None:
        return
    layers = range(case.layers) if any(edit.in_one_layer for edit in edits) else ()
    for layer in (None, *layers):
        try:
            with np.errstate(all="ignore"):
                faulty = gradients(case, edits, layer)
        except (ValueError, IndexError):  # the shapes do not fit: such a mistake is found without a gradient check
            continue
        if all(np.isfinite(G).all() for G in faulty):
            yield Planted(mistake, layer, faulty)


def same(a: Array, b: Array, tolerance: float) -> bool:
    """Whether arrays have one shape and lie within a tolerance, which is relative to their largest entry."""
    return a.shape == b.shape and bool(np.max(np.abs(a - b)) <= tolerance * np.max(np.abs(b)))


def _report(case: Case, figures: Figures, *how: Any) -> Any:
    f, args, analytic = objective(case), arguments(case), derivation(case, *how)
    begin = time.perf_counter()
    report = tg.check_gradients(f, *args, analytic=analytic)
    figures.seconds.append(time.perf_counter() - begin)
    return report


def _check_right(case: Case, figures: Figures) -> None:
    for row in _report(case, figures).rows:
        figures.statuses[row.status] += 1
        if row.status == "differs":
            figures.alarms.append(f"seed {case.seed}: {row.name} of a right derivation: {_heard(row)}; {case}")


def _check_faulty(case: Case, planted: Planted, figures: Figures) -> None:
    report = _report(case, figures, planted.mistake.edits(case.convention), planted.layer)
    right = gradients(case)
    known: list[Planted] = []
    for at, (row, good, bad) in enumerate(zip(report.rows, right, planted.faulty, strict=True)):
        if same(bad, good, ROUNDING if case.precision != "float32" else 1e-6):
            if same(bad, good, 0.0) and row.status == "differs":
                figures.alarms.append(f"seed {case.seed}: {row.name}, right beside {planted}: {_heard(row)}; {case}")
            continue
        if bad.shape == good.shape and np.max(np.abs(bad - good)) <= row.budget:
            figures.set_aside["below the budget"] += 1
            continue
        readings = set(planted.mistake.readings)
        heard = [cause.slug for cause in getattr(row, "diagnosis", ())]
        if not _fits(heard, readings) or planted.mistake.outside:
            known = known or [other for mistake in WHOLE.listed for other in variants(case, mistake)]
            tolerance = max(ROUNDING, row.budget / (np.max(np.abs(bad)) or 1.0))
            twins = [other for other in known if same(other.faulty[at], bad, tolerance)]
            if planted.mistake.outside and (twins or _is_a_scaling(case, at, bad, right, tolerance)):
                figures.set_aside["outside the list, but no different from a mistake on it"] += 1
                continue
            readings.update(*(other.mistake.readings for other in twins))
            if readings.isdisjoint(SPECIAL) and _is_a_multiple(bad, good, tolerance):
                readings.add(frozenset({"scale"}))
        named = _fits(heard, readings)
        figures.said.append(
            Said(
                seed=case.seed,
                mistake=planted.mistake.name,
                called=planted.mistake.called,
                caught=row.status == "differs",
                named=named,
                alone=named and any(set(heard) == reading for reading in readings),
                story=f"seed {case.seed}: {planted} ({planted.mistake.called}): {row.name} {_heard(row)}; {case}",
            )
        )


def _fits(heard: Sequence[str], readings: set[frozenset[str]]) -> bool:
    """Whether the first cause is what was planted, or the first two are the pair that was."""
    return any(reading == {*heard[: len(reading)]} for reading in readings)


def _is_a_multiple(bad: Array, good: Array, tolerance: float) -> bool:
    """Whether a gradient is the right one times a factor other than 0."""
    if bad.shape != good.shape or not np.any(bad) or not np.any(good):
        return False
    factor = np.sum(bad * good) / np.sum(good * good)
    return same(factor * good, bad, tolerance)


def _is_a_scaling(case: Case, at: int, bad: Array, right: list[Array], tolerance: float) -> bool:
    """Whether a gradient is the right one with other factors before its data term and its penalty."""
    if bad.shape != right[at].shape:
        return False
    parameter = parameters(case)[at].astype(float)
    parts = [right[at], parameter]
    if case.convention == "bias columns":
        parts.append(parameter * (np.arange(parameter.shape[1]) > 0))
    basis = np.stack([part.ravel() for part in parts], axis=1).astype(float)
    factors = np.linalg.lstsq(basis, bad.ravel().astype(float), rcond=None)[0]
    return bool(np.max(np.abs(basis @ factors - bad.ravel())) <= 10 * tolerance * np.max(np.abs(bad)))


def _heard(row: Any) -> str:
    causes = ", ".join(str(cause)[:160] for cause in getattr(row, "diagnosis", ()))
    return f"{row.status} ({causes})" if causes else str(row.status)
