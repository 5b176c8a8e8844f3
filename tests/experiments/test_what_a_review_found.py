"""What a hostile review of experiments that are run and swept found, each held by a test."""

from __future__ import annotations

import os
import pathlib
import signal
import threading
import time

import numpy as np
import pytest

from tinygrad_lite.errors import DataError, ExperimentError
from tinygrad_lite.experiments import experiment_from, run_experiment, run_sweep, running, with_settings

SMALL = {
    "data": {"train_rows": 300, "test_rows": 50},
    "net": {"hidden": [5]},
    "train": {"epochs": 1, "gradient_norms": False},
}


def own_rows(path: pathlib.Path, noise: float) -> None:
    rng = np.random.default_rng(0)
    t = rng.integers(2, size=400)
    x = (t[:, None] * 2.0 - 1 + noise * rng.normal(size=(400, 3))).astype(np.float32)
    np.savez(path, x_train=x[:300], t_train=t[:300], x_test=x[300:], t_test=t[300:])


def test_a_sweep_reads_the_file_of_the_folder_that_it_is_called_in(tmp_path, monkeypatch):
    declared = {"data": {"name": "npz", "path": "own.npz"}, "sweep": {"seeds": [0, 1]}, "train": {"epochs": 3}}
    accuracies = []
    for name, noise in (("clear", 0.1), ("noise", 1000.0)):
        folder = tmp_path / name
        folder.mkdir()
        own_rows(folder / "own.npz", noise)
        monkeypatch.chdir(folder)
        results = run_sweep(experiment_from(declared), "out", jobs=2, progress=False)
        accuracies.append([row["test_accuracy"] for row in results.rows])
    assert min(accuracies[0]) > 0.95 > 0.8 > max(accuracies[1])


def test_a_run_that_another_process_began_meanwhile_is_not_taken_for_ones_own(tmp_path, monkeypatch):
    load_rows, other = running.load_rows, with_settings(experiment_from(SMALL), {"train.epochs": 2})

    def slowly(*arguments):
        monkeypatch.setattr(running, "load_rows", load_rows)
        run_experiment(other, tmp_path / "out", progress=False, pictures=False)
        return load_rows(*arguments)

    monkeypatch.setattr(running, "load_rows", slowly)
    with pytest.raises(ExperimentError, match="holds a finished run"):
        run_experiment(experiment_from(SMALL), tmp_path / "out", progress=False, pictures=False)


def children() -> list[int]:
    """The processes of the sweeps that this process has called."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            is_worker = entry.name.isdigit() and b"LokyProcess" in (entry / "cmdline").read_bytes()
            if is_worker and f"PPid:\t{os.getpid()}\n" in (entry / "status").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="processes are found through /proc")
def test_a_sweep_goes_on_when_one_of_its_processes_is_killed(tmp_path):
    declared = SMALL | {"sweep": {"seeds": list(range(6))}, "train": {"epochs": 60, "gradient_norms": False}}
    killed = []

    def kill_one() -> None:
        while not (tmp_path / "out" / "runs").exists() or not list((tmp_path / "out" / "runs").glob("*/history.csv")):
            time.sleep(0.01)
        killed.append(children()[0])
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    results = run_sweep(experiment_from(declared), tmp_path / "out", jobs=2, progress=False)
    assert killed
    assert [row["status"] for row in results.rows] == ["done"] * 6


@pytest.mark.parametrize("content", ['{"last": 1}', '{"epochs": 1, "last": {}, "test": {"accuracy": "x"}}', "[]", "{"])
def test_a_result_of_another_form_is_told_by_its_file(tmp_path, content):
    run_experiment(experiment_from(SMALL), tmp_path, progress=False, pictures=False)
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(ExperimentError, match=r"result\.json' is damaged"):
        run_experiment(experiment_from(SMALL), tmp_path, progress=False)


def test_rows_with_nan_are_told_before_anything_is_trained(tmp_path):
    own_rows(tmp_path / "own.npz", 0.1)
    arrays = dict(np.load(tmp_path / "own.npz"))
    arrays["x_train"][3, 1] = np.nan
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(DataError, match="training inputs of 'npz' hold nan or infinity, first in row 3"):
        run_experiment(experiment_from({"data": {"name": "npz", "path": str(tmp_path / "own.npz")}}), progress=False)


def test_a_grid_of_a_thousand_million_runs_is_refused_at_once():
    seeds = {"seeds": list(range(1000)), "grid": {"train.batch_size": list(range(1, 1001))}}
    with pytest.raises(ExperimentError, match="1,000,000 runs"):
        run_sweep(experiment_from(SMALL | {"sweep": seeds}), "never made")


def test_a_sweep_without_seeds_tells_the_seed_that_it_has(tmp_path):
    declared = SMALL | {"train": {"seed": 7, "epochs": 1}, "sweep": {"grid": {"net.hidden": [[4]]}}}
    (row,) = run_sweep(experiment_from(declared), tmp_path, jobs=1, progress=False).rows
    assert row["seed"] == 7
