"""The scripts of documents 003 and 004: what they print and draw, and that their READMEs tell it as it came out."""

from __future__ import annotations

import csv
import importlib
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest

from tinygrad_lite.check.auditing import Audit, audit
from tinygrad_lite.data import mnist_subset, write_idx

DOCUMENTS = pathlib.Path(__file__).parents[2] / "examples" / "documents"
LAYERS = DOCUMENTS / "003_two_layers"
OPTIMIZERS = DOCUMENTS / "004_optimizers"
RULES = ("SGD", "Momentum", "RMSprop", "Adam")


def text(file: pathlib.Path) -> str:
    return file.read_text(encoding="utf-8")


# ----- 003: step by step -----


@pytest.fixture(scope="module")
def stepped() -> str:
    """What step.py prints."""
    command = [sys.executable, "-W", "error", str(LAYERS / "step.py")]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def audited() -> Audit:
    return audit(DOCUMENTS / "claims.py")


def test_the_steps_print_what_is_kept_beside_them(stepped):
    assert stepped == text(LAYERS / "output.txt")


def test_a_line_of_the_steps_fits_on_a_terminal_of_120_columns(stepped):
    assert max(map(len, stepped.splitlines())) <= 120


def test_the_steps_and_the_audit_of_the_document_agree_on_what_holds(stepped, audited):
    verdicts = re.findall(r"^  (003\.\w+) +(holds|fails)$", stepped, re.MULTILINE)
    judged = [(judgement.id, judgement.verdict) for judgement in audited.judgements if judgement.id.startswith("003")]
    assert verdicts == judged


def test_the_steps_state_each_formula_as_the_audit_does_and_try_the_same_readings(stepped, audited):
    for judgement in audited.judgements:
        if judgement.id.startswith("003"):
            _, heading, rest = stepped.partition(f"\n{judgement.id}  {judgement.statement}\n")
            assert heading
            part = re.split(r"\n003\.|\n══", rest)[0]
            for reading in judgement.readings:
                found = re.findall(rf"^    {re.escape(reading.name)}.*:\n(?:      .*\n)*?.*→ (.*)$", part, re.MULTILINE)
                assert set(found) == {"holds" if reading.agrees else "DOES NOT HOLD"}, reading.name


def test_what_the_steps_say_is_right_holds_and_is_what_the_audit_says(stepped, audited):
    corrected = re.findall(r"^    right is (.*):\n(?:      .*\n)*?.*→ (.*)$", stepped, re.MULTILINE)
    assert {verdict for _, verdict in corrected} == {"holds"}
    fails = [
        judgement for judgement in audited.judgements if judgement.id[:3] == "003" and judgement.verdict == "fails"
    ]
    assert {judgement.corrected for judgement in fails} <= {formula for formula, _ in corrected}


def test_the_check_in_one_call_finds_the_step_that_was_forgotten(stepped):
    as_derived, with_a_mistake = stepped.split("All steps in one call")[1].split("forgotten")
    assert as_derived.count("agrees") == 5
    assert "departs at ∂E/∂z1" in with_a_mistake
    assert "activation-derivative-missing" in with_a_mistake


def test_the_figures_that_the_readme_quotes_of_the_steps_were_printed(stepped):
    readme = text(LAYERS / "README.md")
    for block in re.findall(r"```text\n(.*?)```", readme, re.DOTALL):
        assert block in stepped
    quoted = set(re.findall(r"\d\.\d{5}", readme))
    assert len(quoted) > 25
    assert {figure for figure in quoted if figure not in stepped} == set()


# ----- 004: optimizers -----


@pytest.fixture(scope="module")
def compare() -> Iterator[ModuleType]:
    """The module compare.py, which imports what stands beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(OPTIMIZERS)
        yield importlib.import_module("compare")
    for name in ("compare", "pictures"):
        del sys.modules[name]


def some_digits(rows: int) -> tuple[np.ndarray, np.ndarray]:
    x, t = mnist_subset("train")
    return x[:rows], t[:rows]


def table(file: pathlib.Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("name", RULES)
def test_a_path_of_the_library_is_that_of_the_formula_with_a_gradient_by_hand(compare, name):
    for valley in compare.VALLEYS.values():
        path = compare.walk(valley.f, valley.start, compare.RULES[name](0.002), 60)
        by_hand = compare.walk_by_hand(valley.gradient, valley.start, compare.BY_HAND[name], 0.002, 60)
        np.testing.assert_allclose(path, by_hand, rtol=1e-9)
        assert np.linalg.norm(path[-1] - path[0]) > 0.05


def test_momentum_follows_an_average_of_all_gradients_so_far(compare):
    """The sum that 004.11 amounts to, written out: V = (1 − β) Σ βᵗ⁻ᵏ δWₖ."""
    α, β = 0.02, compare.β
    path = compare.walk(compare.bowl, compare.START, compare.RULES["Momentum"](α), 30)
    gradients = path * [1, 50]
    for t in range(1, 31):
        average = (1 - β) * sum(β ** (t - k) * gradients[k - 1] for k in range(1, t + 1))
        np.testing.assert_allclose(path[t], path[t - 1] - α * average, rtol=1e-12)


def test_first_steps_are_as_long_as_the_readme_says(compare):
    α = 0.01
    for valley in compare.VALLEYS.values():
        gradient = valley.gradient(np.array(valley.start))
        step = {}
        for name in RULES:
            before, after = compare.walk(valley.f, valley.start, compare.RULES[name](α), 1)
            step[name] = after - before
        np.testing.assert_allclose(step["SGD"], -α * gradient)
        np.testing.assert_allclose(step["Momentum"], step["SGD"] / 10)
        np.testing.assert_allclose(step["RMSprop"], -3.2 * α * np.sign(gradient), rtol=0.02)
        np.testing.assert_allclose(step["Adam"], -α * np.sign(gradient), rtol=1e-6)


def test_turning_the_valley_turns_the_paths_of_sgd_and_momentum_only(compare):
    straight, turned = compare.VALLEYS["straight"], compare.VALLEYS["turned"]
    for name in RULES:
        path = compare.walk(straight.f, straight.start, compare.RULES[name](0.02), 50)
        turned_path = compare.walk(turned.f, turned.start, compare.RULES[name](0.02), 50)
        is_the_same = np.allclose(turned_path @ compare.TURN.T, path, rtol=1e-9, atol=1e-12)
        assert is_the_same == (name in ("SGD", "Momentum"))


def test_sgd_diverges_beyond_two_over_the_curvature_and_momentum_does_not(compare):
    ends = {
        (name, α): np.linalg.norm(compare.walk(compare.bowl, compare.START, compare.RULES[name](α), 200)[-1])
        for name in ("SGD", "Momentum")
        for α in (0.039, 0.041)
    }
    assert ends["SGD", 0.041] > 100 > 0.01 > ends["SGD", 0.039]
    assert max(ends["Momentum", 0.039], ends["Momentum", 0.041]) < 0.001


def test_a_rule_that_went_to_infinity_is_never_the_best(compare):
    diverged = compare.walk(compare.rosenbrock, (-1.2, 1.0), compare.RULES["SGD"](0.1), 50)
    assert compare.value_at_the_end(compare.rosenbrock, diverged) == np.inf
    lucky = np.array([[3.0, 0.0]] * 99 + [[0.0, 0.0]])  # at the minimum in its very last step only
    assert compare.value_at_the_end(compare.bowl, lucky) == 4.5


def test_every_rule_starts_from_the_same_weights_and_sees_the_same_batches(compare):
    first, second = compare.network(), compare.network()
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        np.testing.assert_array_equal(one.data, other.data)
    assert not np.array_equal(first.layers[0].weight.data, compare.network(1).layers[0].weight.data)
    rows = some_digits(300)
    order = [list(compare.batches(rows, 2)) for _ in range(2)]
    for (x, t), (x_again, t_again) in zip(*order, strict=True):
        np.testing.assert_array_equal(x, x_again)
        np.testing.assert_array_equal(t, t_again)


def test_the_whole_of_mnist_is_used_where_it_is_found(compare, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    (tmp_path / "mnist").mkdir()
    for prefix, rows in (("train", 20), ("t10k", 10)):
        write_idx(
            tmp_path / "mnist" / f"{prefix}-images-idx3-ubyte.gz", rng.integers(256, size=(rows, 28, 28), dtype="u1")
        )
        write_idx(tmp_path / "mnist" / f"{prefix}-labels-idx1-ubyte.gz", rng.integers(10, size=rows, dtype="u1"))
    monkeypatch.setenv("TINYGRAD_LITE_DATA", str(tmp_path))
    assert [x.shape for x, _ in compare.digits()] == [(20, 784), (10, 784)]


def test_the_embedded_digits_take_the_place_of_mnist_where_it_is_not_found(compare, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TINYGRAD_LITE_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert [x.shape for x, _ in compare.digits()] == [(6000, 784), (1000, 784)]
    assert "the embedded digits take its place" in capsys.readouterr().out


@pytest.fixture(scope="module")
def written(compare, tmp_path_factory) -> list[pathlib.Path]:
    """The folders that a small comparison has written twice."""
    folders = [tmp_path_factory.mktemp("compared") for _ in range(2)]
    for folder in folders:
        compare.compare(folder, some_digits(300), some_digits(100), steps=30, epochs=1)
    return folders


def test_all_that_is_kept_is_written_and_the_same_bytes_each_time(written):
    once, again = written
    names = sorted(file.name for file in once.iterdir())
    assert names == sorted(file.name for file in OPTIMIZERS.iterdir() if file.suffix in (".csv", ".png", ".svg"))
    assert [name for name in names if (once / name).read_bytes() != (again / name).read_bytes()] == []


def test_the_tables_that_are_kept_have_the_columns_that_are_written(written):
    for file in written[0].glob("*.csv"):
        assert text(file).splitlines()[0] == text(OPTIMIZERS / file.name).splitlines()[0]


def test_every_rate_of_the_grid_was_tried_with_every_rule_and_the_smallest_end_is_the_best(compare):
    rates = table(OPTIMIZERS / "rates.csv")
    for problem in (*compare.VALLEYS, "digits"):
        for name in RULES:
            tried = [row for row in rates if (row["problem"], row["rule"]) == (problem, name)]
            assert [float(row["rate"]) for row in tried] == compare.RATES
            ends = [float(row["end"]) for row in tried]
            assert [row["best"] for row in tried].index("best") == int(np.argmin(ends))
            assert 0 < int(np.argmin(ends)) < len(ends) - 1  # or a better rate could lie outside of the grid


def test_paths_on_the_valleys_are_those_that_are_kept(compare):
    kept = table(OPTIMIZERS / "paths.csv")
    for name in ("SGD", "Momentum"):  # these do not blow up what rounding does from machine to machine
        rows = [row for row in kept if (row["valley"], row["rule"]) == ("straight", name)]
        path = compare.walk(compare.bowl, compare.START, compare.RULES[name](float(rows[0]["rate"])), len(rows) - 1)
        np.testing.assert_allclose([[float(row["w1"]), float(row["w2"])] for row in rows], path, rtol=1e-4, atol=1e-9)


def test_the_readme_tells_the_distances_and_rates_that_are_kept():
    rows = {(row["valley"], row["rule"]): row for row in table(OPTIMIZERS / "paths.csv")}  # the last step of each
    readme = text(OPTIMIZERS / "README.md")
    for valley in ("straight", "turned", "rosenbrock"):
        last = [rows[valley, name] for name in RULES]
        cells = [f"{float(row['distance']):.2g} (α = {row['rate']})" for row in last]
        assert f"| {valley} | {' | '.join(cells)} |" in readme


def test_the_readme_tells_the_losses_and_accuracies_that_are_kept():
    readme, trained = text(OPTIMIZERS / "README.md"), table(OPTIMIZERS / "trained.csv")
    ranges = {}
    for name in RULES:
        runs = [row for row in trained if row["rule"] == name]
        losses = [float(run["training_loss"]) for run in runs]
        accuracies = ", ".join(f"{float(run['test_accuracy']):.4f}" for run in runs)
        assert (
            f"| {name} | {runs[0]['rate']} | {', '.join(f'{loss:.4f}' for loss in losses)} | {accuracies} |" in readme
        )
        ranges[name] = min(losses), max(losses)
    others = [ranges[name] for name in RULES if name != "SGD"]
    assert ranges["SGD"][0] > max(most for _, most in others)  # SGD is behind with every seed
    assert max(least for least, _ in others) < min(most for _, most in others)  # the others overlap


def test_the_kept_rates_bear_out_what_the_readme_says_of_them():
    rates = [row for row in table(OPTIMIZERS / "rates.csv") if row["problem"] == "digits"]
    ends = {name: {float(row["rate"]): float(row["end"]) for row in rates if row["rule"] == name} for name in RULES}
    best = {name: min(of_rule, key=of_rule.__getitem__) for name, of_rule in ends.items()}
    for name, of_rule in ends.items():
        assert of_rule[round(best[name] / 10, 6)] > 3 * of_rule[best[name]]
    for rate in (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1):
        assert ends["Momentum"][rate] == pytest.approx(ends["SGD"][rate], rel=0.01)
    assert ends["SGD"][1.0] > ends["SGD"][best["SGD"]]
    assert best["SGD"] / best["Adam"] == pytest.approx(100)


@pytest.mark.parametrize("folder", [LAYERS, OPTIMIZERS], ids=lambda folder: folder.name)
def test_the_readme_has_the_command_and_its_links_lead_to_files(folder):
    readme = text(folder / "README.md")
    (script,) = (name for name in ("step.py", "compare.py") if (folder / name).exists())
    assert f"python examples/documents/{folder.name}/{script}" in readme
    targets = re.findall(r"\]\(([^)]+)\)", readme)
    assert targets
    assert [target for target in targets if not (folder / target).exists()] == []
