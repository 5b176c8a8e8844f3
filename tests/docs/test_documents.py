"""The audit of the five documents: complete, computed, explained, and told in the README as it came out."""

from __future__ import annotations

import ast
import json
import pathlib
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.cli.runs import run
from tinygrad_lite import cli
from tinygrad_lite.check import check_gradients
from tinygrad_lite.check.auditing import Audit, audit
from tinygrad_lite.check.claims import Claim

FOLDER = pathlib.Path(__file__).parents[2] / "examples" / "documents"
FILE = FOLDER / "claims.py"
SOURCE = FILE.read_text(encoding="utf-8")
README = (FOLDER / "README.md").read_text(encoding="utf-8")

IDS = [
    *(f"000.{i}" for i in range(1, 13)),
    *(f"001.{i}" for i in ("0a", "0b", 1, 2, 3, 4, 5, 6, "7a", "7b", 8)),
    *(f"002.{i}" for i in ("1a", "1b", "1c", "2a", "2b", "2c", 3)),
    *(f"003.{i}" for i in ("1a", "1b", "1c", "2a", "2b", "2c", "2d", 3, 4, "5a", "5b", 6, 7, 8, 9)),
    *(f"004.{i}" for i in range(14)),
]
"""Every formula of the documents, in their order."""


@pytest.fixture(scope="module")
def audited() -> Audit:
    return audit(FILE)


def claims_of(source: str | ast.Module) -> dict[str, Claim]:
    """Return the claims that this source of claims.py defines, by id."""
    names: dict[str, object] = {"__name__": "claims"}
    exec(compile(source, str(FILE), "exec"), names)
    documents = [value for name, value in names.items() if name.startswith("DOCUMENT_")]
    return {claim.id: claim for document in documents for claim in document}


CLAIMS = claims_of(SOURCE)


# ----- What comes out -----


def test_every_formula_of_the_documents_is_there_once_and_in_order(audited):
    assert [judgement.id for judgement in audited.judgements] == IDS


def test_the_command_takes_seconds_and_its_status_is_1_as_some_fail():
    start = time.monotonic()
    finished = run("check", FILE, "--json")
    assert time.monotonic() - start < 20
    assert (finished.status, finished.err) == (1, "")
    assert [entry["id"] for entry in json.loads(finished.out)] == IDS


def test_what_fails_has_a_cause_and_a_right_formula_that_is_right_to_rounding(audited):
    fails = [judgement for judgement in audited.judgements if judgement.verdict == "fails"]
    assert fails
    for judgement in fails:
        assert judgement.cause
        assert "unknown" not in judgement.cause
        assert judgement.corrected
        assert judgement.error_as_stated > 0.1
        assert judgement.correction.agrees
        assert judgement.error_corrected < 1e-12


def test_what_holds_does_so_to_rounding(audited):
    holds = [judgement for judgement in audited.judgements if judgement.verdict == "holds"]
    assert holds
    assert max(judgement.error_as_stated for judgement in holds) < 1e-12


def test_every_reading_is_shown_with_its_error(audited):
    for judgement in audited.judgements:
        assert [tried.name for tried in judgement.readings] == list(CLAIMS[judgement.id].readings)
        if judgement.verdict == "fails":
            assert all(f"reading: {tried.name}" in str(audited) for tried in judgement.readings)


def test_mistakes_that_the_library_knows_are_named_by_it(audited):
    slugs = {judgement.id: (judgement.cause or "").split(":")[0] for judgement in audited.judgements}
    for id in ("001.3", "001.5", "001.7a"):
        assert slugs[id] == "activation-derivative-wrong"
    for id in ("002.2b", "002.2c", "004.6"):
        assert slugs[id] == "sign"
    assert slugs["001.6"] == "softmax-diagonal-only"
    assert slugs["004.0"] == "activation-derivative-missing"


def test_a_penalty_left_out_is_named_where_a_reading_keeps_it(audited):
    for id in ("000.4", "000.11"):
        (judgement,) = (judgement for judgement in audited.judgements if judgement.id == id)
        kept = {tried.name: tried for tried in judgement.readings}["with the penalty of 000.1"]
        assert [cause.slug for cause in kept.causes] == ["regulariser-missing"]


@pytest.mark.parametrize(("id", "reading"), [("001.2", "as printed in 001.0a"), ("004.1", "σ a softmax")])
def test_a_reading_that_the_readme_calls_wrong_is_tried_and_does_not_agree(audited, id, reading):
    (judgement,) = (judgement for judgement in audited.judgements if judgement.id == id)
    (tried,) = (tried for tried in judgement.readings if reading in tried.name)
    assert (judgement.verdict, tried.agrees) == ("holds", False)


# ----- Verdicts are computed -----


def test_no_verdict_is_written_in_the_file():
    words = {node.value for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, ast.Constant)}
    assert words.isdisjoint({"holds", "fails", "no-formula"})


def turned_around(claim: Claim) -> Claim:
    """Return the claim with the sign of everything it states turned around, the truth as it was."""

    def turned(reading):
        def sides(rng):
            given = reading(rng)
            return map(turn, given if isinstance(given, Iterator) else [given])

        return sides

    return Claim(claim.id, claim.statement, {name: turned(reading) for name, reading in claim.readings.items()})


def turn(sides):
    return (-sides[0], sides[1]) if isinstance(sides, tuple) else sides  # a report has been turned already


@pytest.fixture
def turned_derivations(monkeypatch):
    """Have `tg.check_gradients` turn the sign of what is derived by hand."""

    def check(f, *args, **given):
        turned = {way: lambda *values, by_hand=by_hand: -by_hand(*values) for way, by_hand in given.items()}
        return check_gradients(f, *args, **turned)

    monkeypatch.setattr(tg, "check_gradients", check)


@pytest.mark.usefixtures("turned_derivations")
def test_turning_the_sign_of_a_formula_that_holds_makes_it_fail(audited):
    holds = [judgement.id for judgement in audited.judgements if judgement.verdict == "holds"]
    turned = {id: turned_around(CLAIMS[id]).check() for id in holds}
    assert {id for id, judgement in turned.items() if judgement.verdict != "fails"} == set()
    assert {id for id, judgement in turned.items() if judgement.cause.split()[0] != "sign"} == set()


class Flip(NamedTuple):
    """A sign in the formula of a reading."""

    id: str
    reading: str
    number: int
    line: int


def signs_in(formula: ast.AST) -> Iterator[ast.BinOp | ast.UnaryOp]:
    """Yield the sums, differences and minuses of a formula, but not those in an index or a keyword."""
    for child in ast.iter_child_nodes(formula):
        is_index = isinstance(formula, ast.Subscript) and child is formula.slice
        if not (is_index or isinstance(child, ast.keyword)):
            yield from signs_in(child)
    if isinstance(formula, ast.BinOp) and isinstance(formula.op, ast.Add | ast.Sub):
        yield formula
    if isinstance(formula, ast.UnaryOp) and isinstance(formula.op, ast.USub):
        yield formula


def formulas_in(tree: ast.Module, id: str) -> dict[str, list[ast.expr]]:
    """Return the bodies of the functions written where each reading of a claim is declared."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "tg.Claim" and call.args[0].value == id:
            readings = next((keyword.value for keyword in call.keywords if keyword.arg == "readings"), None)
            if isinstance(readings, ast.Dict):
                pairs = zip(readings.keys, readings.values, strict=True)
                return {key.value: list(_outermost_lambdas(value)) for key, value in pairs}
    return {}


def _outermost_lambdas(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Lambda):
        yield node.body
    else:
        for child in ast.iter_child_nodes(node):
            yield from _outermost_lambdas(child)


def flips() -> Iterator[Flip]:
    tree = ast.parse(SOURCE)
    for id, claim in CLAIMS.items():
        for reading, bodies in formulas_in(tree, id).items():
            if len(claim.readings) == 1:
                signs = [sign for body in bodies for sign in signs_in(body)]
                yield from (Flip(id, reading, number, sign.lineno) for number, sign in enumerate(signs))


def flipped(flip: Flip) -> Claim:
    """Return the claim as it is after the sign was flipped in the source of the file."""
    tree = ast.parse(SOURCE)
    sign = [sign for body in formulas_in(tree, flip.id)[flip.reading] for sign in signs_in(body)][flip.number]
    sign.op = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.USub: ast.UAdd}[type(sign.op)]()
    return claims_of(tree)[flip.id]


def test_flipping_any_sign_of_a_formula_that_holds_makes_it_fail(audited):
    holds = {judgement.id for judgement in audited.judgements if judgement.verdict == "holds"}
    tried = [flip for flip in flips() if flip.id in holds]
    assert len(tried) > 30
    assert [flip for flip in tried if flipped(flip).check().verdict != "fails"] == []


@pytest.mark.parametrize(
    ("id", "wrong", "right"),
    [
        ("001.3", "np.exp(a) / (1 + np.exp(-a)) ** 2", "np.exp(-a) / (1 + np.exp(-a)) ** 2"),
        ("001.5", "np.exp(a) / (1 + np.exp(-a)) ** 2, x", "np.exp(-a) / (1 + np.exp(-a)) ** 2, x"),
        ("002.1c", "SM_i * (df_i - SM_i)", "SM_i * (1 - SM_i) * df_i"),
        ("002.2b", "S: e_i / S * df_k", "S: -e_i / S * df_k"),
        ("002.2c", "df_k: SM_i * SM_k", "df_k: -SM_i * SM_k"),
        ("003.1c", "np.exp(np.exp(-W @ x))", "np.exp(-W @ x)"),
        ("003.9", "(W2) * (λ * W2)\n", "(W2) + (λ * W2)\n"),
        ("004.6", "-y / a + (1 - y) / (1 - a)", "y / a - (1 - y) / (1 - a)"),
        ("004.10", "np.array(A[0].shape)", "np.array([len(A[L]), A[0].shape[1]])"),
    ],
)
def test_mending_a_formula_that_fails_makes_it_hold(id, wrong, right):
    start = SOURCE.index(f'"{id}",')
    assert wrong in SOURCE[start : start + 700]
    assert claims_of(SOURCE[:start] + SOURCE[start:].replace(wrong, right, 1))[id].check().verdict == "holds"


def test_the_update_rules_hold_against_pytorch_as_well():
    torch = pytest.importorskip("torch")
    names: dict[str, object] = {"__name__": "claims"}
    exec(compile(SOURCE, str(FILE), "exec"), names)
    β, ε = names["β"], names["ε"]
    methods = {
        "momentum": lambda w, α: torch.optim.SGD([w], lr=α * (1 - β), momentum=β),
        "rmsprop": lambda w, α: torch.optim.RMSprop([w], lr=α, alpha=β, eps=ε),
        "adam": lambda w, α: torch.optim.Adam([w], lr=α, betas=(0.9, 0.999), eps=1e-8),
    }
    rng = np.random.default_rng(0)
    for name, method in methods.items():
        W, state = rng.normal(size=(2, 3)), [np.zeros((2, 3))] * (2 if name == "adam" else 1)
        w = torch.tensor(W, requires_grad=True)
        optimizer = method(w, 0.05)
        for t in (1, 2, 3):
            gradient = rng.normal(size=(2, 3))
            W, *state = names[name](W, gradient, *state, α=0.05, t=t)
            w.grad = torch.tensor(gradient)
            optimizer.step()
        np.testing.assert_allclose(W, w.detach().numpy(), rtol=1e-12)


# ----- The README -----


def test_the_tables_of_the_readme_are_what_was_computed(audited):
    rows = [line.strip("|").split("|") for line in README.splitlines() if re.match(r"\| \d{3}\.", line)]
    told = [tuple(cell.strip() for cell in row) for row in rows]
    found = [
        (
            judgement.id,
            judgement.statement,
            judgement.verdict,
            judgement.cause or ("" if judgement.verdict == "holds" else judgement.note),
            judgement.corrected or "",
        )
        for judgement in audited.judgements
    ]
    assert told == found


def test_the_readme_states_the_command_and_answers_the_question():
    assert "python -m tinygrad_lite check examples/documents/claims.py" in README
    answer = README.partition('"Does this seem right?"')[2]
    assert "e^{−a}, not e^{a}" in answer


def test_the_notes_of_ones_own_in_the_readme_hold(tmp_path, capsys):
    (source,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    file = tmp_path / "notes.py"
    file.write_text(source, encoding="utf-8")
    assert cli.main(["check", str(file)]) == 0
    assert "2 claims; holds: 2" in capsys.readouterr().out


def test_a_batch_summed_without_its_mean_is_m_times_too_large():
    """The README says so of 003.8."""
    reading = CLAIMS["003.8"].readings["summed over the batch, E with its 1/m"]
    for draw in range(5):
        for stated, truth in reading(np.random.default_rng(draw)):
            m = stated / truth
            np.testing.assert_allclose(m, np.round(m), rtol=1e-9)
            assert len(set(np.round(m).ravel())) == 1
            assert m.flat[0] > 1.5
