"""Runs that are killed or meet a full disk, and go on: in the end everything is as if nothing had happened."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.train.killing import DECLARATION, content, experiment, run
from tests.train.runs import classifier, same_bits, train_classifier
from tinygrad_lite import files
from tinygrad_lite.experiments import experiment_from, results, run_experiment, run_sweep
from tinygrad_lite.train import Checkpoints, load_weights

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for children as Linux does")

ROOT = Path(__file__).parents[2]
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # a process with threads cannot be forked safely


def told_by(*arguments: str) -> dict:
    command = [sys.executable, "-m", "tests.train.killing", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


# ----- Kills -----


def test_runs_killed_at_any_moment_go_on_and_leave_the_bytes_of_runs_that_were_not():
    told = told_by("20", "--seed", "0")
    assert told["kills"] == 20
    assert told["while_writing"] >= 5
    assert {"checkpoints/last.safetensors", "checkpoints/best.safetensors", "result.json"} < {*told["files"]}
    assert told["differing"] == []


def test_a_killed_sweep_goes_on_does_no_finished_run_again_and_leaves_the_same_bytes():
    told = told_by("2", "--sweep")
    assert told == {"kills": 2, "runs": 4, "again": [], "differing": []}


def test_the_command_line_goes_on_where_it_was_killed(tmp_path):
    spec, out = tmp_path / "spec.toml", tmp_path / "killed"
    spec.write_text(DECLARATION)
    command = [sys.executable, "-m", "tinygrad_lite", "train", str(spec), "--out", str(out), "--resume"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not (out / "checkpoints" / "last.safetensors").exists():
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (out / "result.json").exists()
    run(out)
    run(tmp_path / "whole")
    assert content(out) == content(tmp_path / "whole")


@pytest.mark.parametrize("below", ["", "checkpoints", "plots"])
def test_what_a_killed_run_was_writing_is_removed_when_it_goes_on(tmp_path, below):
    run(tmp_path / "whole")
    folder = tmp_path / "killed" / below
    folder.mkdir(parents=True)
    (folder / ".0123456789abcdef.partial").write_bytes(b"half of")
    run(tmp_path / "killed")
    assert list((tmp_path / "killed").rglob("*.partial")) == []
    assert content(tmp_path / "killed") | {"plots": None} == content(tmp_path / "whole") | {"plots": None}


def test_what_a_killed_sweep_was_writing_is_removed_when_it_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "save_sweep", lambda *_, **__: None)  # a picture takes longer than the run
    (tmp_path / ".0123456789abcdef.partial").write_bytes(b"half of")
    run_sweep(
        experiment_from(DECLARATION + "[sweep]\nseeds = [0]", ["train.epochs=2"]), tmp_path, jobs=1, progress=False
    )
    assert list(tmp_path.rglob("*.partial")) == []


def test_a_finished_run_is_not_trained_again(tmp_path):
    run(tmp_path)
    before = {path: path.stat().st_ino for path in (tmp_path / "checkpoints").iterdir()}
    kept = content(tmp_path)
    run(tmp_path)
    assert {path: path.stat().st_ino for path in (tmp_path / "checkpoints").iterdir()} == before
    assert content(tmp_path) == kept


# ----- A full disk -----


def train(folder: Path, epochs: int = 3, **options):
    net = classifier()
    train_classifier(net, epochs=epochs, checkpoints=Checkpoints(folder, every_batches=4), **options)
    return net


def failing(function, at: int, number: int):
    """Return a function that raises the error `number` when it is called for the `at`-th time."""
    calls = iter(range(1, at + 1))

    def fail(*given):
        if next(calls, None) == at:
            raise OSError(number, os.strerror(number))
        return function(*given)

    return fail


class Full(io.BufferedWriter):
    """A file on a disk that has room for a thousand bytes more."""

    def write(self, text):
        super().write(text[:1000])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize("at", [1, 2, 5, 7])
def test_a_full_disk_is_told_leaves_the_older_checkpoint_and_the_training_goes_on_from_there(
    tmp_path, monkeypatch, step, at
):
    whole = train(tmp_path / "whole")
    folder = tmp_path / "full"
    train(folder, epochs=1)
    kept = content(folder)
    with monkeypatch.context() as patches:
        if step in ("open", "write"):
            opened = iter(range(1, 100))

            def open_full(path, mode):
                if next(opened) != at:
                    return open(path, mode)
                if step == "open":
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(path))
                return Full(io.FileIO(path, mode.replace("b", "")))

            patches.setattr(files, "open", open_full, raising=False)
        else:
            patches.setattr(files.os, step, failing(getattr(os, step), at, errno.ENOSPC))
        with pytest.raises(OSError, match="No space left on device"):
            train(folder, resume=True)
    assert [path.name for path in sorted(folder.iterdir())] == ["best.safetensors", "last.safetensors"]
    assert at > 1 or content(folder) == kept, "the checkpoint from before stands as it was"
    load_weights(classifier(), folder / "last.safetensors")
    assert same_bits(train(folder, resume=True), whole)
    assert content(folder) == content(tmp_path / "whole")


@pytest.mark.parametrize("room", [0, 1, 500, 1500])
def test_a_quota_on_files_is_told_and_leaves_the_older_checkpoint(tmp_path, room):
    folder = tmp_path / "full"
    train(folder, epochs=1)
    kept = content(folder)
    script = (
        "import resource, signal, sys; from pathlib import Path; from tests.train.test_killed_runs import train\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
        f"try: train(Path({str(folder)!r}), resume=True)\n"
        "except OSError as problem: print(problem)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "File too large" in done.stdout, done.stderr
    assert content(folder) == kept
    assert same_bits(train(folder, resume=True), train(tmp_path / "whole"))
    assert content(folder) == content(tmp_path / "whole")


def test_a_run_on_a_full_disk_goes_on_when_there_is_room_again(tmp_path, monkeypatch):
    run(tmp_path / "whole")
    for at in (1, 4, 7, 10):  # the declaration, checkpoints, and what is written at the end
        with monkeypatch.context() as patches:
            patches.setattr(files.os, "fsync", failing(os.fsync, at, errno.ENOSPC))
            with pytest.raises(OSError, match="No space left on device"):
                run(tmp_path / "full")
    run(tmp_path / "full")
    assert content(tmp_path / "full") == content(tmp_path / "whole")


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        run_experiment(experiment(), tmp_path / "file" / "run", progress=False)
    with pytest.raises(OSError, match="file"):
        train(tmp_path / "file")
