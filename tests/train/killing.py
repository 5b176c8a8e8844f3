"""Experiments that are killed again and again and go on: `python -m tests.train.killing 50` for fifty kills.

A run is a child forked from this process, which has imported everything already; it is ended by SIGKILL, half of the
times at a random moment, half of them by itself in the middle of writing a file. What is there in the end must be, byte
for byte, what an uninterrupted run leaves.
"""

from __future__ import annotations

import argparse
import builtins
import functools
import itertools
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lite import files
from tinygrad_lite.experiments import Experiment, experiment_from, run_experiment, run_sweep

DECLARATION = """
[data]
train_rows = 600
test_rows = 50
validation = 90

[net]
hidden = [8]

[optimizer]
name = "adam"

[schedule]
name = "cosine"
warm_up = 1

[train]
epochs = 3
batch_size = 40

[train.early_stopping]
patience = 100

[train.checkpoints]
every_batches = 3
"""

SWEEP = """
[sweep]
seeds = [0, 1]
grid."optimizer.lr" = [0.01, 0.003]
"""

IN_MEMORY = Path(
    "/dev/shm"
)  # a process that is killed leaves the same on every disk, and this one need not be waited for


def experiment() -> Experiment:
    return experiment_from(DECLARATION)


def run(folder: Path) -> None:
    """Run the experiment, or go on with it; without pictures, which take longer than all the rest."""
    run_experiment(experiment(), folder, resume=True, progress=False, pictures=False)


def sweep(folder: Path) -> None:
    """Run four runs of two epochs one after the other, or go on with them."""
    run_sweep(experiment_from(DECLARATION + SWEEP, ["train.epochs=2"]), folder, jobs=1, progress=False)


def content(folder: Path) -> dict[str, bytes | None]:
    """Return every file below `folder` by its path, and every folder as None."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


# ----- Children that do not live long -----


def forked(work: Callable[[], object], seconds: float | None = None) -> int | None:
    """Do `work` in a child and return its exit status, or None if it was killed, after so many seconds or by itself."""
    child = os.fork()
    if not child:
        _do(work)
    watch = os.pidfd_open(child)
    try:
        if not select.select([watch], [], [], seconds)[0]:
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    finally:
        os.close(watch)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else None


def _do(work: Callable[[], object]) -> None:
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def dying_while_writing(step: int, work: Callable[[], object]) -> Callable[[], object]:
    """Return `work` that kills its process at so many steps of writing files.

    Three steps make a file: half of what is first written to it is there, all of it is, and it has taken its place.
    """

    def begin() -> object:
        steps = itertools.count(1)
        _watch_writing(lambda: next(steps) == step and os.kill(os.getpid(), signal.SIGKILL))
        return work()

    return begin


def steps_of_writing(work: Callable[[], object]) -> int:
    """Return how many such steps `work` has."""
    reader, writer = os.pipe()

    def counted() -> None:
        _watch_writing(lambda: os.write(writer, b"."))
        work()

    with os.fdopen(reader, "rb") as steps:
        status = forked(counted)
        os.close(writer)
        if status != 0:
            raise RuntimeError("the run failed that nothing interrupts")
        return len(steps.read())


def _watch_writing(moment: Callable[[], object]) -> None:
    """Call `moment` at each step in which this process writes a file by `files.replacing`."""
    fsync, replace = os.fsync, os.replace

    class Halting:
        def __init__(self, file: Any) -> None:
            self.file, self.is_begun = file, False

        def __enter__(self) -> Halting:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def write(self, text: bytes) -> int:
            if self.is_begun:
                return int(self.file.write(text))
            self.is_begun = True
            self.file.write(text[: len(text) // 2])
            self.file.flush()
            moment()
            return int(self.file.write(text[len(text) // 2 :]))

    def replace_and_tell(*places: Any) -> None:
        replace(*places)
        moment()

    def fsync_and_tell(descriptor: int) -> None:
        fsync(descriptor)
        moment()

    files.open = lambda *given: Halting(builtins.open(*given))  # type: ignore[attr-defined]  # noqa: SIM115 - as there
    os.replace, os.fsync = replace_and_tell, fsync_and_tell  # type: ignore[assignment]


# ----- Campaigns -----


def kill_runs(kills: int, seed: int, place: Path, work: Callable[[Path], None] = run) -> dict[str, Any]:
    """Kill runs until there were so many kills, let each come to its end, and compare; returns what there is to tell.

    A run is killed at random moments from its very beginning to the length of a whole run.
    """
    rng = np.random.default_rng(seed)
    steps = steps_of_writing(lambda: work(place / "counted"))
    begun = time.monotonic()
    if forked(lambda: work(place / "whole")) != 0:
        raise RuntimeError("the run failed that nothing interrupts")
    length = time.monotonic() - begun
    whole = content(place / "whole")
    runs, killed, while_writing, differing = 0, 0, 0, []
    while killed < kills:
        folder = place / f"run{runs}"
        runs += 1
        ended = False
        while not ended:
            is_writing = killed < kills and rng.random() < 0.5
            step, seconds = int(rng.integers(1, steps + 1)), float(rng.uniform(0, length))
            task = functools.partial(work, folder)
            if is_writing:
                task = dying_while_writing(step, task)
            status = forked(task, seconds if killed < kills and not is_writing else None)
            if status:
                raise RuntimeError(f"a run failed when it went on after {killed} kills")
            ended = status == 0
            killed += not ended
            while_writing += is_writing and not ended
        found = content(folder)
        differing += [f"{folder.name}/{path}" for path in found | whole if found.get(path, b"") != whole.get(path, b"")]
        shutil.rmtree(folder)
    return {
        "kills": killed,
        "while_writing": while_writing,
        "runs": runs,
        "seconds_of_a_run": round(length, 2),
        "steps_of_writing": steps,
        "files": sorted(whole),
        "differing": differing,
    }


def kill_sweep(kills: int, seed: int, place: Path) -> dict[str, Any]:
    """Kill one sweep so many times between and in its runs; returns what differs and which runs were done again."""
    rng = np.random.default_rng(seed)
    steps = steps_of_writing(lambda: sweep(place / "whole"))
    folder, again = place / "sweep", []
    done: dict[str, tuple[int, int]] = {}
    for kill in range(kills + 1):
        step = int(steps / (kills + 1) * rng.uniform(0.7, 1)) if kill < kills else 0
        status = forked(dying_while_writing(step, lambda: sweep(folder)))
        if status != (0 if kill == kills else None):
            raise RuntimeError(f"the sweep ended with {status} after {kill} kills")
        now = {path.parent.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("result.json")}
        again += [name for name in done if now.get(name) != done[name]]
        done = now
    found, whole = content(folder), content(place / "whole")
    differing = [path for path in found | whole if found.get(path, b"") != whole.get(path, b"")]
    return {"kills": kills, "runs": len(done), "again": again, "differing": differing}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sweep", action="store_true", help="kill one sweep instead of many runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as place:
        kill = kill_sweep if options.sweep else kill_runs
        told = kill(options.kills, options.seed, Path(place))
    sys.stdout.write(json.dumps(told, indent=1) + "\n")
    return 1 if told["differing"] else 0


if __name__ == "__main__":
    sys.exit(main())
