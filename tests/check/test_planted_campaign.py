"""Mistakes of a catalogue that knows nothing of the hypotheses, planted in random derivations, are caught and named."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.check.planting.campaign import ROUNDING, Figures, campaign, same, variants
from tests.check.planting.catalogue import WHOLE
from tests.check.planting.catalogue.mistake import Mistake
from tests.check.planting.derivations import SOURCES, gradients
from tests.check.planting.networks import Case, random_case
from tests.check.planting.objectives import arguments, objective, value

CASES = 80


@functools.cache
def figures() -> Figures:
    return campaign(range(CASES))


def test_every_wrong_gradient_is_caught() -> None:
    assert len(figures().said) > CASES
    assert [said.story for said in figures().said if not said.caught] == []


def test_at_least_95_of_100_wrong_gradients_are_named_first() -> None:
    listed = figures().listed()
    missed = [said.story for said in listed if not said.named]
    assert len(missed) <= 0.05 * len(listed), "\n".join(missed)


def test_what_is_on_no_list_is_called_unknown() -> None:
    outside = figures().outside()
    misnamed = [said.story for said in outside if not said.named]
    assert len(outside) > 20
    assert len(misnamed) <= 0.1 * len(outside), "\n".join(misnamed)


def test_no_right_derivation_is_called_wrong() -> None:
    assert figures().alarms == []
    assert figures().statuses["agrees"] > 0.9 * sum(figures().statuses.values())


# ----- The harness itself -----


def in_double_precision(case: Case) -> Case:
    p = case.problem
    masks = tuple(np.asarray(mask, float) if np.ndim(mask) else mask for mask in p.masks)
    problem = dataclasses.replace(p, X=p.X.astype(float), T=p.T.astype(float), masks=masks)
    return dataclasses.replace(
        case,
        precision="float64",
        weights=tuple(W.astype(float) for W in case.weights),
        biases=tuple(b.astype(float) for b in case.biases),
        problem=problem,
    )


def along(case: Case, direction: list[np.ndarray], step: float) -> float:
    """Return the objective, composed of NumPy's functions, a step from the parameters."""
    moved = [P + step * D for P, D in zip((*case.weights, *case.biases), direction, strict=True)]
    composed = dataclasses.replace(case, style="composed")
    return float(value(composed, moved[: case.layers], moved[case.layers :]))


@pytest.mark.parametrize("seed", range(120))
def test_the_derivations_agree_with_differences_of_the_objectives(seed: int) -> None:
    case = dataclasses.replace(in_double_precision(random_case(seed)), structure="lists")
    rng = np.random.default_rng(seed)
    direction = [rng.normal(size=P.shape) for P in (*case.weights, *case.biases)]
    gradient = gradients(dataclasses.replace(case, style="composed"))
    slope = sum(float(np.sum(G * D)) for G, D in zip(gradient, direction, strict=True))
    differences = [(along(case, direction, h) - along(case, direction, -h)) / (2 * h) for h in (1e-5, 1e-6, 1e-7)]
    assert min(abs(difference - slope) for difference in differences) < 1e-6 * max(1, abs(slope))


@pytest.mark.parametrize("seed", range(120))
def test_however_an_objective_is_written_its_value_is_one(seed: int) -> None:
    case = in_double_precision(random_case(seed))
    composed = value(dataclasses.replace(case, style="composed"), case.weights, case.biases)
    with tg.no_grad():
        written = np.asarray(objective(case)(*arguments(case)))
    assert np.isclose(written, composed, rtol=1e-12, atol=0)


@pytest.mark.parametrize("mistake", WHOLE.all, ids=lambda mistake: f"{mistake.called}: {mistake.name}")
def test_every_mistake_of_the_catalogue_can_be_made(mistake: Mistake) -> None:
    assert any(
        not same(bad, good, ROUNDING)
        for case in map(random_case, range(1000))
        for planted in variants(case, mistake)
        for bad, good in zip(planted.faulty, gradients(case), strict=True)
    )


def test_every_edit_has_its_place_in_one_of_the_sources() -> None:
    for mistake in WHOLE.all:
        assert any(mistake.edits(convention) is not None for convention in SOURCES), mistake.name
