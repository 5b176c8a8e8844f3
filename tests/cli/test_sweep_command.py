"""`python -m tinygrad_lite sweep SPEC.toml --out DIR`: what it prints, what it keeps, and how it exits."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.runs import run
from tinygrad_lite import cli

TINY = """
[data]
train_rows = 60
test_rows = 20

[net]
hidden = [5]

[train]
epochs = 1
batch_size = 20
"""
SWEEP = TINY + "[sweep]\nseeds = [0, 1]\ngrid.optimizer.lr = [0.1, 0.01]\n"
DIVERGING = TINY + '[sweep.grid]\n"optimizer.lr" = [0.1, 1e30]\n'


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


def lines_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def sweep(tmp_path, capsys, monkeypatch):
    """Return a function that runs the command in this process, without the picture, which takes most of the time."""
    monkeypatch.setattr("tinygrad_lite.experiments.results.save_sweep", lambda *_, **__: None)

    def swept(*arguments: str | os.PathLike[str], text: str = SWEEP) -> Outcome:
        (tmp_path / "spec.toml").write_text(text, encoding="utf-8")
        status = cli.main(["sweep", str(tmp_path / "spec.toml"), *map(os.fspath, arguments)])
        return Outcome(status, *capsys.readouterr())

    return swept


def test_in_a_process_of_its_own_it_prints_the_table_and_keeps_it(tmp_path):
    (tmp_path / "spec.toml").write_text(SWEEP)
    finished = run("sweep", tmp_path / "spec.toml", "--out", tmp_path / "out", "--jobs", "2")
    assert finished.status == 0, finished.err
    *table, wrote = finished.out.splitlines()
    assert table[0].startswith("| optimizer.lr | runs | failed | test_accuracy | ")
    assert [line.split("|")[1:3] for line in table[2:]] == [[" 0.1 ", " 2 "], [" 0.01 ", " 2 "]]
    assert wrote == f"wrote {tmp_path / 'out'}"
    assert (tmp_path / "out" / "results.md").read_text().splitlines() == table
    assert sorted(line.split(" ")[0] for line in finished.err.splitlines()) == ["1/4", "2/4", "3/4", "4/4"]
    for sign in ("\x1b", "\r"):
        assert sign not in finished.out + finished.err
    assert (tmp_path / "out" / "results.svg").exists()


def test_one_process_and_two_give_the_same_csv(sweep, tmp_path):
    for jobs in ("1", "2"):
        assert sweep("--out", tmp_path / jobs, "--jobs", jobs).status == 0
    assert (tmp_path / "1" / "results.csv").read_bytes() == (tmp_path / "2" / "results.csv").read_bytes()


def test_called_again_it_repeats_nothing_and_prints_the_same(sweep, tmp_path):
    first = sweep("--out", tmp_path / "out", "--jobs", "1")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "runs").rglob("*")}
    again = sweep("--out", tmp_path / "out", "--jobs", "1")
    assert again == (0, first.out, "4 of 4 runs have ended already\n")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "runs").rglob("*")} == before


def test_a_run_that_failed_gives_status_1_and_is_counted_in_the_table(sweep, tmp_path):
    for _ in range(2):  # the second time without running anything
        outcome = sweep("--out", tmp_path / "out", "--jobs", "1", text=DIVERGING)
        assert outcome.status == 1
        assert outcome.out.splitlines()[2].startswith("| 0.1 | 1 |  | ")
        assert outcome.out.splitlines()[3].startswith("| 1e+30 | 1 | 1 | ")
    assert [line["status"].split(":")[0] for line in lines_of(tmp_path / "out")] == ["done", "DivergenceError"]


def test_where_every_run_failed_the_status_is_1_and_the_tables_are_there(sweep, tmp_path):
    outcome = sweep(
        "--out", tmp_path / "out", "--jobs", "1", "--set", "optimizer.lr=1e30", text=TINY + "[sweep]\nseeds=[0]"
    )
    assert (outcome.status, outcome.out.splitlines()[2]) == (1, "| 1 | 1 |")
    assert "failed, DivergenceError" in outcome.err


def test_set_changes_the_experiment_and_the_sweep(sweep, tmp_path):
    outcome = sweep(
        "--out", tmp_path / "out", "--jobs", "1", "--set", "sweep.seeds=[7]", "--set", "train.epochs=2",
        "--set", 'sweep.grid={"optimizer.lr" = [0.3]}',
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    (line,) = lines_of(tmp_path / "out")
    assert (line["optimizer.lr"], line["seed"], line["epochs"]) == ("0.3", "7", "2")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (TINY, ["[sweep]"]),
        (TINY + "[sweep.grid]\n'optimizer.rate' = [1]", ["spec.toml", "optimizer.rate", "lr, beta"]),
        (TINY + "[sweep.grid]\n'optimizer.lr' = 0.1", ["sweep.grid.optimizer.lr", "a list of values"]),
        (TINY + "[sweep.grid]\n'optimizer.lr' = []", ["sweep.grid.optimizer.lr", "a list of values"]),
        (TINY + "[sweep.grid]\n'optimizer.lr' = [0.1, -1]", ["sweep.grid.optimizer.lr", "-1"]),
        (TINY + "[sweep.grid]\noptimizer = {name = ['sgd', 'adam'], beta1 = [0.5]}", ["optimizer.beta1", '"sgd"']),
        (TINY + "[sweep]\nseeds = [1, 1]", ["sweep.seeds", "twice"]),
        (TINY + "[sweep]\nseeds = [1]\ngrid.train.seed = [2]", ["train.seed"]),
    ],
)  # fmt: skip
def test_a_sweep_that_cannot_be_is_refused_before_anything_is_run(sweep, tmp_path, text, parts):
    outcome = sweep("--out", tmp_path / "out", text=text)
    assert (outcome.status, outcome.out) == (2, "")
    for part in parts:
        assert part in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_folder_is_needed(sweep, capsys):
    with pytest.raises(SystemExit) as stopped:
        sweep()
    assert stopped.value.code == 2
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "1.5"])
def test_a_wrong_number_of_processes_is_told_with_status_2(sweep, tmp_path, capsys, jobs):
    try:
        outcome = sweep("--out", tmp_path / "out", f"--jobs={jobs}")
    except SystemExit as stopped:
        outcome = Outcome(stopped.code, *capsys.readouterr())
    assert (outcome.status, outcome.out) == (2, "")
    assert jobs in outcome.err
    assert not (tmp_path / "out").exists()


def test_an_out_below_a_file_is_told(sweep, tmp_path):
    (tmp_path / "file").write_text("mine")
    outcome = sweep("--out", tmp_path / "file" / "below")
    assert (outcome.status, outcome.out) == (2, "")
    assert str(tmp_path / "file") in outcome.err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_sweep_of_another_experiment_in_the_folder_is_refused_naming_the_setting(sweep, tmp_path):
    sweep("--out", tmp_path / "out", "--jobs", "1")
    outcome = sweep("--out", tmp_path / "out", "--jobs", "1", "--set", "net.hidden=[6]")
    assert (outcome.status, outcome.out) == (2, "")
    assert "net.hidden: there [5], here [6]" in outcome.err
