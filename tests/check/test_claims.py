"""A claim's verdict follows from its formula and the truth alone; the cause is named where it can be computed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import ArgumentError, DefinitionError


def drawn(rng):
    return rng.normal(size=(rng.integers(2, 5), rng.integers(5, 8)))


def against_the_cube(formula):
    """Return a reading of a formula for d/dx x³, whose truth is automatic."""

    def reading(rng):
        x = drawn(rng)
        return formula(x), tg.grad(lambda x: np.sum(x**3))(x)

    return reading


def judged(*formulas, **options):
    """Return the judgement on a claim whose readings are these formulas for d/dx x³."""
    readings = {f"reading {i}": against_the_cube(formula) for i, formula in enumerate(formulas)}
    return tg.Claim("1", "d/dx x³", readings=readings, **options).check()


# ----- Verdicts -----


def test_a_right_formula_holds_with_an_error_of_rounding_and_no_cause():
    judgement = judged(lambda x: 3 * x**2, corrected=("never shown", against_the_cube(lambda x: x)), note="a note")
    assert (judgement.verdict, judgement.cause, judgement.corrected) == ("holds", None, None)
    assert judgement.error_as_stated < 1e-14
    assert judgement.error_corrected is None


def test_a_wrong_formula_fails_however_small_its_mistake_is():
    assert judged(lambda x: 3 * x**2 + 1e-8).verdict == "fails"
    assert judged(lambda x: 3 * (1 + 1e-9) * x**2).verdict == "fails"


def test_one_reading_that_agrees_is_enough_and_every_reading_is_told():
    judgement = judged(lambda x: x, lambda x: 3 * x**2, lambda x: -3 * x**2)
    assert judgement.verdict == "holds"
    assert [(tried.name, tried.agrees) for tried in judgement.readings] == [
        ("reading 0", False),
        ("reading 1", True),
        ("reading 2", False),
    ]
    assert judgement.error_as_stated == judgement.readings[1].error < 1e-14
    assert judgement.readings[2].error == pytest.approx(2)


def test_a_formula_that_agrees_at_some_draws_alone_fails():
    assert judged(lambda x: 3 * x**2 if x.shape[0] == 3 else 3 * np.abs(x)).verdict == "fails"


def test_readings_are_drawn_several_times_the_same_each_time_a_claim_is_checked():
    seen: list[list[float]] = [[], []]

    def reading(rng):
        x = drawn(rng)
        seen[-1].append(float(x.sum()))
        return x, x

    claim = tg.Claim("1", "x = x", readings={"as it stands": reading})
    claim.check()
    seen.append([])
    claim.check()
    assert seen[1] == seen[2]
    assert len(set(seen[1])) >= 5


def test_a_claim_without_readings_states_no_formula_and_says_why():
    judgement = tg.Claim("1", "E is the error", note="it is a definition").check()
    assert (judgement.verdict, judgement.note) == ("no-formula", "it is a definition")
    assert judgement.error_as_stated is judgement.cause is judgement.corrected is None


def test_of_a_chain_of_equalities_all_must_hold():
    def chain(*formulas):
        def reading(rng):
            x = drawn(rng)
            for formula in formulas:
                yield formula(x), 3 * x**2

        return tg.Claim("1", "a = b = c", readings={"each": reading}).check()

    assert chain(lambda x: 3 * x * x, lambda x: 2 * x**2 + x**2).verdict == "holds"
    assert chain(lambda x: 3 * x * x, lambda x: 3 * x**3).verdict == "fails"
    wrong_first = chain(lambda x: -3 * x * x, lambda x: 3 * x**2)
    assert (wrong_first.verdict, wrong_first.cause.split()[0]) == ("fails", "sign")
    assert "equality 1" in wrong_first.cause


def test_that_something_is_zero_can_be_claimed_of_a_truth_of_rounding_errors():
    def rows_of_the_jacobian_sum_to_zero(rng):
        jacobian = tg.jacobian(tg.softmax)(rng.normal(size=5))
        return np.zeros(5), jacobian.sum(axis=1)

    def columns_times_shares(rng):
        p = rng.normal(size=5)
        return np.zeros(5), tg.jacobian(tg.softmax)(p) @ p

    assert (
        tg.Claim("1", "Σ_k ∂y_j/∂z_k = 0", readings={"rows": rows_of_the_jacobian_sum_to_zero}).check().verdict
        == "holds"
    )
    assert tg.Claim("1", "Σ_k ∂y_j/∂z_k p_k = 0", readings={"rows": columns_times_shares}).check().verdict == "fails"


def test_a_formula_that_is_not_finite_or_has_another_shape_fails():
    assert judged(lambda x: np.full_like(x, np.nan)).verdict == "fails"
    assert judged(lambda x: np.full_like(x, np.inf)).verdict == "fails"
    summed = judged(lambda x: 3 * np.sum(x**2))
    assert (summed.verdict, summed.error_as_stated) == ("fails", np.inf)


def test_tensors_numbers_and_integers_are_sides_too():
    def sides(stated, truth):
        return tg.Claim("1", "a = b", readings={"as is": lambda rng: (stated, truth)}).check().verdict

    assert sides(tg.Tensor([1.0, 2.0]), [1, 2]) == "holds"
    assert sides(3, np.float32(3)) == "holds"
    assert sides(np.array([3, 4]), np.array([3, 5])) == "fails"


# ----- Causes -----


@pytest.mark.parametrize(
    ("formula", "cause"),
    [
        (lambda x: -3 * x**2, "sign (× -1) in the reading 'reading 0': turn the sign around"),
        (lambda x: 1.5 * x**2, "scale (× 0.5) in the reading 'reading 0': divide it by 0.5"),
        (lambda x: -6 * x**2, "scale (× -2) in the reading 'reading 0': divide it by -2"),
        (lambda x: 3 * x.T**2, "transposed in the reading 'reading 0': transpose it"),
        (lambda x: 3 * x**2 + 1, "unknown in the reading 'reading 0': derive it again"),
        (lambda x: 3 * x**2 * x.shape[0], "unknown"),
    ],
    ids=["sign", "half", "twice the wrong way", "transposed", "something else", "a factor that changes"],
)
def test_the_cause_is_named_where_it_is_the_same_at_every_draw(formula, cause):
    assert judged(formula).cause == cause


def test_a_shape_that_does_not_fit_is_told():
    def reading(rng):
        return np.ones(3), np.ones((3, 1))

    assert "(3,)" in tg.Claim("1", "a = b", readings={"as is": reading}).check().cause


def test_the_words_given_with_a_claim_follow_the_cause_that_was_computed():
    assert judged(lambda x: -3 * x**2, note="a minus was lost").cause == "sign: a minus was lost"
    assert judged(lambda x: x, note="the power is wrong").cause == "the power is wrong"


def test_of_several_readings_that_fail_the_closest_with_a_known_cause_explains():
    judgement = judged(lambda x: -3 * x**2, lambda x: 3 * x**2 + 0.01, lambda x: 3.3 * x**2)
    assert judgement.cause.startswith("scale (× 1.1) in the reading 'reading 2'")
    assert judgement.error_as_stated == judgement.readings[1].error


def test_a_report_of_a_gradient_check_is_a_reading_that_names_its_cause():
    def reading(sign):
        def report(rng):
            x, t, w = rng.normal(size=(6, 3)), rng.normal(size=(6, 2)), rng.normal(size=(2, 3))
            loss = lambda w: 0.5 * np.sum((np.tanh(x @ w.T) - t) ** 2)
            missing = lambda w: sign * (np.tanh(x @ w.T) - t).T @ x
            return tg.check_gradients(loss, w, analytic=missing)

        return report

    judgement = tg.Claim("1", "∂E/∂w = (y − t)ᵀ x", readings={"rows": reading(1.0)}).check()
    assert judgement.verdict == "fails"
    assert judgement.cause.startswith("activation-derivative-missing in ")


# ----- Corrections -----


def test_the_right_formula_is_evaluated_as_well():
    judgement = judged(lambda x: x, corrected=("3x²", against_the_cube(lambda x: 3 * x**2)))
    assert (judgement.corrected, judgement.correction.agrees) == ("3x²", True)
    assert judgement.error_corrected < 1e-14


def test_a_correction_that_is_wrong_itself_is_told_by_its_error():
    judgement = judged(lambda x: x, corrected=("−3x²", against_the_cube(lambda x: -3 * x**2)))
    assert not judgement.correction.agrees
    assert judgement.error_corrected == pytest.approx(2)


def test_without_a_correction_the_cause_says_what_to_do_if_it_is_known():
    assert judged(lambda x: -3 * x**2).corrected == "turn the sign around"
    assert judged(lambda x: x).corrected is None


# ----- Derivations -----

X, T, W = (np.random.default_rng(7).normal(size=shape) for shape in ((6, 3), (6, 2), (2, 3)))


def loss(w):
    return 0.5 * np.sum((X @ w.T - T) ** 2)


def right(w):
    return (X @ w.T - T).T @ X


def test_a_derivation_is_held_against_the_gradient_of_its_function():
    assert tg.Derivation("1", loss, W, analytic=right).check().verdict == "holds"
    judgement = tg.Derivation(
        "1", loss, (W,), analytic=lambda w: right(w) / 6, note="the mean was not asked for"
    ).check()
    assert (judgement.verdict, judgement.cause) == ("fails", "batch-mean: the mean was not asked for")
    assert judgement.corrected
    assert judgement.error_as_stated == pytest.approx(5 / 6)


def test_a_derivation_of_several_arguments_of_a_vjp_and_of_a_jacobian():
    product = lambda a, b: a @ b
    a, b = X, W.T
    vjp = lambda g, a, b: (g @ b.T, a.T @ g)
    assert tg.Derivation("1", product, (a, b), vjp=vjp).check().verdict == "holds"
    assert tg.Derivation("1", product, (a, b), vjp=lambda g, a, b: (g @ b.T, -a.T @ g)).check().verdict == "fails"
    softmax_jacobian = lambda z: np.diag(tg.softmax(z)) - np.outer(tg.softmax(z), tg.softmax(z))
    assert tg.Derivation("1", tg.softmax, X[0], jacobian=softmax_jacobian).check().verdict == "holds"
    assert tg.Derivation("1", tg.softmax, X[0], jacobian=lambda z: -softmax_jacobian(z)).check().verdict == "fails"


def test_a_derivation_may_have_several_readings_of_which_one_must_agree():
    readings = {"transposed": lambda w: right(w).T, "the sum": right, "the mean": lambda w: right(w) / 6}
    judgement = tg.Derivation("1", loss, W, analytic=readings).check()
    assert [(tried.name, tried.agrees) for tried in judgement.readings] == [
        ("transposed", False),
        ("the sum", True),
        ("the mean", False),
    ]
    assert judgement.verdict == "holds"
    assert tg.Derivation("1", loss, W, analytic={"the mean": readings["the mean"]}).check().verdict == "fails"


def test_a_gradient_that_tests_nothing_has_no_verdict():
    saturated = lambda w: np.sum(np.tanh(40 + w))
    with pytest.raises(ArgumentError, match="tests nothing of w"):
        tg.Derivation("1", saturated, W, analytic=lambda w: np.zeros_like(w)).check()


# ----- What cannot be judged -----


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda rng: (1.0, np.nan), "truth that is not finite"),
        (lambda rng: (np.ones(0), np.ones(0)), "truth that is empty"),
        (lambda rng: 1.0, "must return"),
        (lambda rng: (1.0, 2.0, 3.0), "3 values"),
        (lambda rng: iter(()), "nothing to compare"),
        (lambda rng: (1j, 1.0), "real numbers"),
        (lambda rng: ("x", 1.0), "real numbers"),
        (lambda rng: tg.check_gradients(loss, W), "without a gradient by hand"),
    ],
)
def test_a_reading_that_gives_nothing_to_judge_is_refused(given, message):
    with pytest.raises(ArgumentError, match=f"'as it stands'.*{message}"):
        tg.Claim("1", "a = b", readings={"as it stands": given}).check()


def test_what_a_reading_raises_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        tg.Claim("1", "a = b", readings={"as it stands": lambda rng: 1 / 0}).check()


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: tg.Claim("1", "a = b"), "no readings"),
        (lambda: tg.Claim("", "a = b", note="why"), "id must be text"),
        (lambda: tg.Claim(1, "a = b", note="why"), "id must be text"),
        (lambda: tg.Claim("1", "a = b", readings=[drawn]), "dict of functions"),
        (lambda: tg.Claim("1", "a = b", readings={"a": 1}), "dict of functions"),
        (lambda: tg.Claim("1", "a = b", readings={"a": drawn}, corrected="b"), "corrected must be"),
        (lambda: tg.Derivation("1", loss, W), "one of analytic="),
        (lambda: tg.Derivation("1", loss, W, analytic=right, vjp=right), "one of analytic="),
        (lambda: tg.Derivation("1", loss, W, analytic={"a": W}), "dict of functions"),
        (lambda: tg.Derivation("", loss, W, analytic=right), "id must be text"),
    ],
)
def test_a_claim_that_is_declared_wrongly_is_refused_with_what_to_write(declare, message):
    with pytest.raises(DefinitionError, match=message):
        declare()


def test_claims_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        tg.Claim("1", "a = b", note="why").id = "2"
