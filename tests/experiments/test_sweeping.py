"""Sweeps: which runs a declaration gives, their names, and how a sweep is run, goes on, and records failures."""

from __future__ import annotations

import csv
import io
import json
import re
import statistics
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lite.errors import ArgumentError, ExperimentError
from tinygrad_lite.experiments import (
    DataSection,
    Experiment,
    NetSection,
    SweepSection,
    experiment_from,
    run_experiment,
    run_sweep,
    runs_of,
    with_settings,
)
from tinygrad_lite.experiments import sweeping as sweeping_room

TINY = {
    "data": {"train_rows": 60, "test_rows": 20},
    "net": {"hidden": [5]},
    "train": {"epochs": 1, "batch_size": 20},
}


def tiny(**sweep) -> Experiment:
    return experiment_from(TINY | {"sweep": sweep})


def sweep(experiment: Experiment, folder: Path, **options):
    return run_sweep(experiment, folder, **{"jobs": 1, "progress": False, **options})


def state_of(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return all that would show that a file was written again, even with the same content."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    stats = {path: path.stat() for path in files}
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), stats[path].st_ino, stats[path].st_mtime_ns)
        for path in files
    }


def lines_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "results.csv").read_bytes().decode(), newline="")))


@pytest.fixture
def started(monkeypatch) -> list[str]:
    """The names of the runs that are started in this process, in their order."""
    names: list[str] = []
    original = sweeping_room._run_one

    def noted(name, *arguments):
        names.append(name)
        return original(name, *arguments)

    monkeypatch.setattr(sweeping_room, "_run_one", noted)
    return names


@pytest.fixture
def no_pictures(monkeypatch) -> None:
    """Leave out the picture of the results, which takes most of the time of a small sweep."""
    monkeypatch.setattr("tinygrad_lite.experiments.results.save_sweep", lambda *_, **__: None)


# ----- Which runs there are -----


def test_the_last_path_and_then_the_seed_change_fastest_in_the_order_of_the_declaration():
    runs = runs_of(tiny(grid={"net.hidden": [[30], [50, 20]], "objective.l2": [0, 0.01]}, seeds=[3, 1]))
    assert [run.name for run in runs] == [
        "hidden=30,l2=0.0,seed=3",
        "hidden=30,l2=0.0,seed=1",
        "hidden=30,l2=0.01,seed=3",
        "hidden=30,l2=0.01,seed=1",
        "hidden=50-20,l2=0.0,seed=3",
        "hidden=50-20,l2=0.0,seed=1",
        "hidden=50-20,l2=0.01,seed=3",
        "hidden=50-20,l2=0.01,seed=1",
    ]


def test_a_run_is_the_experiment_with_its_settings_and_without_the_sweep():
    experiment = tiny(grid={"net.hidden": [[7]], "train.early_stopping.patience": [2]}, seeds=[9])
    (run,) = runs_of(experiment)
    assert run.settings == {"net.hidden": (7,), "train.early_stopping.patience": 2, "train.seed": 9}
    expected = TINY | {"net": {"hidden": [7]}}
    expected["train"] = TINY["train"] | {"seed": 9, "early_stopping": {"patience": 2}}
    assert run.experiment == experiment_from(expected)


def test_every_table_of_the_list_meets_every_point_of_the_grid():
    rules = [{"optimizer.name": "sgd", "optimizer.lr": 0.1}, {"optimizer.name": "adam", "optimizer.lr": 0.001}]
    runs = runs_of(tiny(list=rules, grid={"net.bias": [0.0, 0.5]}))
    assert [run.name for run in runs] == [
        "name=sgd,lr=0.1,bias=0.0",
        "name=sgd,lr=0.1,bias=0.5",
        "name=adam,lr=0.001,bias=0.0",
        "name=adam,lr=0.001,bias=0.5",
    ]
    assert [run.experiment.optimizer.lr for run in runs] == [0.1, 0.1, 0.001, 0.001]


def test_without_seeds_it_is_the_seed_of_the_training_and_without_settings_a_single_run():
    (run,) = runs_of(experiment_from(TINY | {"train": {"seed": 5}, "sweep": {}}))
    assert (run.name, run.settings, run.experiment.train.seed) == ("run", {}, 5)


def test_the_seed_can_be_an_axis_of_the_grid():
    assert [run.name for run in runs_of(tiny(grid={"train.seed": [1, 2]}))] == ["seed=1", "seed=2"]


def test_settings_of_one_name_are_called_by_their_paths():
    (run,) = runs_of(tiny(list=[{"optimizer.name": "sgd", "schedule.name": "cosine"}]))
    assert run.name == "optimizer.name=sgd,schedule.name=cosine"


def test_the_name_of_a_run_does_not_depend_on_the_other_runs():
    one, more = (runs_of(tiny(grid={"optimizer.lr": values}, seeds=[0])) for values in ([0.1], [0.5, 0.1]))
    assert one[0] == more[1]


def test_no_section_to_sweep_is_refused():
    with pytest.raises(ExperimentError, match=r"\[sweep\]"):
        runs_of(experiment_from(TINY))


def test_a_combination_that_cannot_be_is_refused_before_anything_is_run(tmp_path):
    experiment = tiny(grid={"optimizer.name": ["sgd", "adam"], "optimizer.momentum": [0.9]})
    with pytest.raises(ExperimentError, match=r"optimizer\.momentum: .*\"sgd\" has no such setting"):
        sweep(experiment, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ----- Names -----


NUMBERS = st.floats(1e-300, 1e300, allow_subnormal=False)
AXES = {
    "optimizer.lr": NUMBERS,
    "objective.l2": st.floats(0, 1e300),
    "net.bias": st.floats(-1e300, 1e300),
    "train.batch_size": st.integers(1, 10**9),
    "train.epochs": st.integers(1, 10**9),
    "train.gradient_norms": st.booleans(),
    "train.clip_norm": st.none() | NUMBERS,
    "net.hidden": st.lists(st.integers(1, 10**9), max_size=40).map(tuple),
    "data.validation": st.just("test") | st.integers(0, 10**9),
    "data.path": st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=150),
}
ALL_AXES = st.fixed_dictionaries({}, optional=AXES)


@given(st.lists(ALL_AXES, max_size=8, unique_by=repr), st.lists(st.integers(0, 2**63 - 1), max_size=3, unique=True))
def test_no_two_runs_share_a_name_and_every_name_can_be_a_folder(tables, seeds):
    experiment = Experiment(data=DataSection(name="npz", path="own.npz"), sweep=SweepSection(list=tables, seeds=seeds))
    runs = runs_of(experiment)
    assert len(runs) == max(1, len(tables)) * max(1, len(seeds))
    for run in runs:
        assert re.fullmatch(r"[A-Za-z0-9_.,=+-]{1,140}", run.name)
        assert run.name.strip(".") == run.name or "=" in run.name
    assert len({run.name for run in runs}) == len(runs)


def test_a_text_that_looks_like_two_settings_has_a_name_of_its_own():
    tables = [{"data.path": "x,lr=1.0"}, {"data.path": "x", "optimizer.lr": 1.0}]
    experiment = Experiment(data=DataSection(name="npz", path="own.npz"), sweep=SweepSection(list=tables))
    assert len(runs_of(experiment)) == 2


def test_a_text_and_a_list_of_it_have_names_of_their_own():
    section = SweepSection(grid={"net.activation": ["tanh", ["tanh"]]})
    assert len(runs_of(Experiment(net=NetSection(hidden=[3]), sweep=section))) == 2


def test_long_and_odd_values_have_short_names_that_stay_the_same():
    paths = ["a/b.npz", "a_b.npz", "a\\b.npz", "ä.npz", "x" * 300, "x" * 299 + "y", "..", "con", "a b"]
    experiment = Experiment(
        data=DataSection(name="npz", path="own.npz"), sweep=SweepSection(grid={"data.path": paths}, seeds=[0])
    )
    names = [run.name for run in runs_of(experiment)]
    assert len(set(names)) == len(paths)
    assert max(map(len, names)) <= 120
    assert names == [run.name for run in runs_of(experiment)]
    assert names[1] == "path=a_b.npz,seed=0", "what is plain stays readable"
    assert names[0].startswith("path=a_b.npz,seed=0-")


# ----- What is run and kept -----


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Two learning rates with three seeds each, run once for all tests that look at them."""
    folder = tmp_path_factory.mktemp("kept") / "not" / "there yet"
    experiment = tiny(grid={"optimizer.lr": [0.5, 0.01]}, seeds=[0, 1, 2])
    return sweep(experiment, folder), folder, experiment


def test_the_folder_has_the_declaration_the_tables_the_picture_and_a_folder_a_run(kept):
    _, folder, experiment = kept
    top = sorted(path.name for path in folder.iterdir())
    assert top == ["results.csv", "results.md", "results.png", "results.svg", "runs", "sweep.json"]
    assert experiment_from((folder / "sweep.json").read_bytes()) == experiment
    assert sorted(path.name for path in (folder / "runs").iterdir()) == sorted(run.name for run in runs_of(experiment))


def test_every_run_is_the_run_that_its_experiment_gives_alone(kept, tmp_path):
    _, folder, experiment = kept
    run = runs_of(experiment)[3]
    run_experiment(run.experiment, tmp_path, progress=False, pictures=False)
    own = folder / "runs" / run.name
    assert {name: state[0] for name, state in state_of(own).items()} == {
        name: state[0] for name, state in state_of(tmp_path).items()
    }


def test_the_table_has_what_every_run_measured(kept):
    results, folder, experiment = kept
    for line, row, run in zip(lines_of(folder), results.rows, runs_of(experiment), strict=True):
        told = json.loads((folder / "runs" / run.name / "result.json").read_bytes())
        assert float(line["optimizer.lr"]) == row["optimizer.lr"] == run.settings["optimizer.lr"]
        assert (int(line["seed"]), line["status"]) == (run.settings["train.seed"], "done")
        assert float(line["test_accuracy"]) == told["test"]["accuracy"]
        assert float(line["test_loss"]) == told["test"]["loss"]
        assert int(line["test_faults"]) == told["test"]["faults"] == round(20 * (1 - told["test"]["accuracy"]))
        assert float(line["loss"]) == told["last"]["loss"]
    assert not results.failed


def test_the_means_and_extremes_are_those_of_the_three_seeds(kept):
    _, folder, _ = kept
    lines = lines_of(folder)
    for part, text in zip((lines[:3], lines[3:]), (folder / "results.md").read_text().splitlines()[2:], strict=True):
        found = [float(line["test_loss"]) for line in part]
        assert f"| {statistics.fmean(found):.4g} ({min(found):.4g} … {max(found):.4g}) |" in text
        assert text.startswith(f"| {part[0]['optimizer.lr']} | 3 |  |")


def test_another_sweep_of_the_same_declaration_gives_the_same_bytes_in_every_file(kept, tmp_path):
    _, folder, experiment = kept
    sweep(experiment, tmp_path)
    again, before = state_of(tmp_path), state_of(folder)
    assert {name: state[0] for name, state in again.items()} == {name: state[0] for name, state in before.items()}


def test_two_processes_give_the_same_tables_as_one(kept, tmp_path):
    _, folder, experiment = kept
    sweep(experiment, tmp_path, jobs=2)
    for name in ("results.csv", "results.md", "sweep.json"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_finished_runs_are_not_repeated(kept, started):
    _, folder, experiment = kept
    before = state_of(folder / "runs")
    results = sweep(experiment, folder)
    assert started == []
    assert state_of(folder / "runs") == before
    assert results == kept[0]


# ----- Going on -----


@pytest.mark.usefixtures("no_pictures")
def test_values_that_are_added_are_the_only_ones_that_are_run(tmp_path, started):
    sweep(tiny(grid={"optimizer.lr": [0.1]}, seeds=[0]), tmp_path)
    before = state_of(tmp_path / "runs")
    started.clear()
    sweep(tiny(grid={"optimizer.lr": [0.2, 0.1]}, seeds=[0, 1]), tmp_path)
    assert started == ["lr=0.2,seed=0", "lr=0.2,seed=1", "lr=0.1,seed=1"]
    assert before.items() <= state_of(tmp_path / "runs").items()
    assert [(line["optimizer.lr"], line["seed"]) for line in lines_of(tmp_path)] == [
        ("0.2", "0"), ("0.2", "1"), ("0.1", "0"), ("0.1", "1")
    ]  # fmt: skip


@pytest.mark.usefixtures("no_pictures")
def test_values_that_are_taken_away_stay_in_their_folders_and_leave_the_tables(tmp_path, started):
    sweep(tiny(grid={"optimizer.lr": [0.1, 0.2]}), tmp_path)
    sweep(tiny(grid={"optimizer.lr": [0.2]}), tmp_path)
    assert started == ["lr=0.1", "lr=0.2"]
    assert [line["optimizer.lr"] for line in lines_of(tmp_path)] == ["0.2"]
    assert (tmp_path / "runs" / "lr=0.1" / "result.json").exists()


@pytest.mark.usefixtures("no_pictures")
def test_raising_the_number_of_epochs_goes_on_with_every_run(tmp_path):
    experiment = tiny(seeds=[0, 1])
    longer = with_settings(experiment, {"train.epochs": 3})
    sweep(experiment, tmp_path / "raised")
    raised, whole = sweep(longer, tmp_path / "raised"), sweep(longer, tmp_path / "whole")
    assert raised == whole
    assert [row["epochs"] for row in raised.rows] == [3, 3]


@pytest.mark.usefixtures("no_pictures")
def test_a_sweep_that_is_interrupted_goes_on_with_the_runs_that_are_left(tmp_path, monkeypatch, started):
    experiment = tiny(seeds=[0, 1, 2])
    original = sweeping_room.run_experiment

    def interrupted(run, *arguments, **options):
        if run.train.seed == 1:
            raise KeyboardInterrupt
        return original(run, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(sweeping_room, "run_experiment", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sweep(experiment, tmp_path / "cut")
    started.clear()
    assert sweep(experiment, tmp_path / "cut") == sweep(experiment, tmp_path / "whole")
    assert started[:2] == ["seed=1", "seed=2"]


@pytest.mark.usefixtures("no_pictures")
def test_results_of_another_experiment_are_never_told_as_those_of_this_one(tmp_path):
    sweep(tiny(seeds=[0]), tmp_path)
    before = state_of(tmp_path)
    with pytest.raises(ExperimentError, match=r"another experiment:\n  optimizer\.lr: there null, here 0\.5"):
        sweep(with_settings(tiny(seeds=[0]), {"optimizer.lr": 0.5}), tmp_path)
    assert state_of(tmp_path) == before


# ----- Failures -----


DIVERGING = {"grid": {"optimizer.lr": [0.1, 1e30, 0.2]}, "seeds": [0]}


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_diverges_is_recorded_and_the_others_finish(tmp_path, jobs):
    results = sweep(tiny(**DIVERGING), tmp_path, jobs=jobs)
    assert [row["status"].split(":")[0] for row in results.rows] == ["done", "DivergenceError", "done"]
    assert len(results.failed) == 1
    failed = lines_of(tmp_path)[1]
    assert "learning rate" in failed["status"]
    assert {failed[name] for name in ("epochs", "loss", "test_loss", "test_accuracy", "test_faults")} == {""}
    record = json.loads((tmp_path / "runs" / "lr=1e+30,seed=0" / "failure.json").read_bytes())
    assert (record["error"], record["is_final"]) == ("DivergenceError", True)
    assert not (tmp_path / "runs" / "lr=0.1,seed=0" / "failure.json").exists()


@pytest.mark.usefixtures("no_pictures")
def test_a_run_that_diverged_is_not_repeated(tmp_path, started):
    first = sweep(tiny(**DIVERGING), tmp_path)
    before = state_of(tmp_path / "runs")
    assert sweep(tiny(**DIVERGING), tmp_path) == first
    assert len(started) == 3
    assert state_of(tmp_path / "runs") == before


@pytest.mark.usefixtures("no_pictures")
def test_a_run_that_diverged_is_not_taken_for_one_of_a_changed_experiment(tmp_path):
    diverging = with_settings(tiny(seeds=[0]), {"optimizer.lr": 1e30})
    assert sweep(diverging, tmp_path).failed
    with pytest.raises(ExperimentError, match=r"optimizer\.lr: there 1e\+30, here 0\.1"):
        sweep(with_settings(diverging, {"optimizer.lr": 0.1}), tmp_path)


@pytest.mark.usefixtures("no_pictures")
def test_a_run_whose_data_were_not_there_is_tried_again(tmp_path, started):
    path = tmp_path / "own.npz"
    experiment = experiment_from({"data": {"name": "npz", "path": str(path)}, "train": {"epochs": 1}, "sweep": {}})
    results = sweep(experiment, tmp_path / "out")
    assert "own.npz" in results.rows[0]["status"]
    record = json.loads((tmp_path / "out" / "runs" / "run" / "failure.json").read_bytes())
    assert (record["error"], record["is_final"]) == ("DataError", False)
    x, t = np.random.default_rng(0).normal(size=(8, 3)), np.arange(8) % 2
    np.savez(path, x_train=x, t_train=t, x_test=x, t_test=t)
    assert sweep(experiment, tmp_path / "out").rows[0]["status"] == "done"
    assert started == ["run", "run"]
    assert not (tmp_path / "out" / "runs" / "run" / "failure.json").exists()


def test_where_all_runs_failed_there_are_tables_and_no_picture(tmp_path):
    results = sweep(tiny(grid={"optimizer.lr": [1e30]}, seeds=[0, 1]), tmp_path)
    assert len(results.failed) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.csv", "results.md", "runs", "sweep.json"]
    assert (tmp_path / "results.md").read_text().splitlines()[-1] == "| 1e+30 | 2 | 2 |"


@pytest.mark.usefixtures("no_pictures")
def test_an_error_that_nobody_foresaw_is_recorded_and_the_run_is_tried_again(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("tinygrad_lite.experiments.running.fit", fails)
        (row,) = sweep(tiny(seeds=[0]), tmp_path).rows
    assert row["status"] == "MemoryError: "
    (row,) = sweep(tiny(seeds=[0]), tmp_path).rows
    assert row["status"] == "done"


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("name", ["result.json", "failure.json", "experiment.json"])
@pytest.mark.parametrize("content", ["", "{", "[1]", "7"])
def test_a_damaged_file_of_a_run_is_named(tmp_path, name, content):
    sweep(tiny(**DIVERGING), tmp_path)
    run = "lr=1e+30,seed=0" if name == "failure.json" else "lr=0.1,seed=0"
    (tmp_path / "runs" / run / name).write_text(content)
    with pytest.raises(ExperimentError, match=re.escape(f"{run}/{name}")):
        sweep(tiny(**DIVERGING), tmp_path)


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="file"):
        sweep(tiny(seeds=[0]), tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"


# ----- Processes and threads -----


@pytest.mark.parametrize("jobs", [0, -1])
def test_fewer_than_one_process_is_refused(tmp_path, jobs):
    with pytest.raises((ArgumentError, ExperimentError), match=f"jobs .*{jobs}"):
        sweep(tiny(seeds=[0]), tmp_path, jobs=jobs)


def threads_within(monkeypatch, folder: Path, runs: int, jobs: int | None) -> int:
    """Return how many threads the products of a run have, on a machine of two cores that are both allowed."""
    found: set[int] = set()

    def looks(*_, **__):
        found.update(pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas")
        raise ZeroDivisionError  # nothing else is wanted of it

    monkeypatch.setattr("joblib.cpu_count", lambda: 2)
    monkeypatch.setattr(sweeping_room, "run_experiment", looks)
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        sweep(tiny(seeds=list(range(runs))), folder, jobs=jobs)
    (threads,) = found
    return threads


@pytest.mark.skipif(
    not any(pool["user_api"] == "blas" for pool in threadpoolctl.threadpool_info()),
    reason="the threads of this BLAS cannot be told",
)
@pytest.mark.usefixtures("no_pictures")
def test_the_threads_of_the_products_are_shared_out_by_the_jobs_and_not_by_the_runs_that_are_left(
    tmp_path, monkeypatch
):
    """If they followed from the runs that are left, a sweep that was interrupted would end in other last bits."""
    before = threadpoolctl.threadpool_info()
    assert threads_within(monkeypatch, tmp_path / "one", runs=3, jobs=1) == 2
    assert threads_within(monkeypatch, tmp_path / "one left", runs=1, jobs=1) == 2
    assert threads_within(monkeypatch, tmp_path / "one left of two", runs=1, jobs=None) == 1
    assert threadpoolctl.threadpool_info() == before


# ----- What is told meanwhile -----


@pytest.mark.usefixtures("no_pictures")
def test_progress_is_a_line_a_run_on_stderr(tmp_path, capsys):
    sweep(tiny(**DIVERGING), tmp_path, progress=True)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert re.fullmatch(r"1/3 lr=0\.1,seed=0: test accuracy: \d+\.\d\d %", lines[0])
    assert lines[1].startswith("2/3 lr=1e+30,seed=0: failed, DivergenceError: the objective became")
    assert len(lines) == 3
    sweep(tiny(grid={"optimizer.lr": [0.1, 0.3]}, seeds=[0]), tmp_path, progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1 of 2 runs have ended already"
    assert lines[1].startswith("2/2 lr=0.3,seed=0: ")


@pytest.mark.usefixtures("no_pictures")
def test_nothing_is_told_when_nothing_is_to_be_shown(tmp_path, capsys):
    sweep(tiny(seeds=[0]), tmp_path)
    assert capsys.readouterr() == ("", "")
