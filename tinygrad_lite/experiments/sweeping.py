"""One experiment run for many settings, in parallel, each run in a folder of its own from which it can go on."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import math
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

from tinygrad_lite.data.folders import searched
from tinygrad_lite.errors import AnomalyError, ArgumentError, DivergenceError, ExperimentError, MissingDependencyError
from tinygrad_lite.experiments.declaring import Experiment
from tinygrad_lite.experiments.keeping import RunFolder
from tinygrad_lite.experiments.reading import as_json, experiment_from, with_settings
from tinygrad_lite.experiments.results import SweepResults
from tinygrad_lite.experiments.running import run_experiment
from tinygrad_lite.files import locked, remove_unfinished, replacing

SEED = "train.seed"
MOST_RUNS = 10_000

Folders = Sequence[str | os.PathLike[str]]


class Origin(NamedTuple):
    """Where a sweep was called: its process, and the folder it was in."""

    process: int
    folder: str


class SweepRun(NamedTuple):
    """One run of a sweep: what it is called, what it sets, and the experiment that this makes."""

    name: str
    settings: dict[str, Any]
    experiment: Experiment


def runs_of(experiment: Experiment) -> list[SweepRun]:
    """Return the runs that the section `sweep` declares: every table of the list with every point of the grid and seed.

    Raises ExperimentError if there is no such section, or if settings do not go together, before anything is run.

    >>> from tinygrad_lite.experiments import SweepSection
    >>> sweep = SweepSection(grid={"net.hidden": [[30], [50]], "objective.l2": [0.0, 0.01]}, seeds=[0, 1])
    >>> runs = runs_of(Experiment(sweep=sweep))
    >>> len(runs), runs[0].name
    (8, 'hidden=30,l2=0.0,seed=0')
    """
    sweep = experiment.sweep
    if sweep is None:
        raise ExperimentError("there is nothing to sweep: declare a section [sweep] with seeds, a grid or a list")
    single = with_settings(experiment, {"sweep": None})
    count = max(1, len(sweep.list)) * max(1, len(sweep.seeds)) * math.prod(map(len, sweep.grid.values()))
    if count > MOST_RUNS:
        raise ExperimentError(f"sweep: that would be {count:,} runs, and a sweep has at most {MOST_RUNS:,}")
    grid = [[(path, value) for value in values] for path, values in sweep.grid.items()]
    seeds = [[(SEED, seed)] for seed in sweep.seeds] or [[]]
    found: dict[str, SweepRun] = {}
    for table, point, seed in itertools.product(sweep.list or ({},), itertools.product(*grid), seeds):
        settings = dict([*table.items(), *point, *seed])
        run = SweepRun(_name(settings), settings, with_settings(single, settings))
        if run.name in found:
            raise ExperimentError(f"sweep.list: two of its tables make the same run, {run.name}")
        found[run.name] = run
    return list(found.values())


def run_sweep(
    experiment: Experiment,
    out: str | os.PathLike[str],
    *,
    jobs: int | None = None,
    folders: Folders = (),
    progress: bool = True,
) -> SweepResults:
    """Run every run of the sweep that is not finished yet, and keep the results in the folder `out`.

    `jobs` processes, by default one a core, share out the threads of the matrix products; with the same `jobs` equal
    sweeps give equal bits. Called again, it goes on where it was: finished runs are not repeated, nor those that
    diverged; one in the middle goes on from its checkpoint, and one that failed otherwise is tried again. A failed run
    is recorded and does not stop the others. Writes `results.csv`, `results.md` and `results.png`/`.svg`. Raises
    ExperimentError, before anything is run, if a run's folder holds another experiment.
    """
    if jobs is not None and jobs < 1:
        raise ArgumentError(f"jobs must be a number of processes from 1, got {jobs}")
    runs = runs_of(experiment)
    # Absolute, because the processes may have been started in another folder and with another environment.
    folder, places = Path(out).absolute(), [str(place) for place in searched(folders)]
    for run in runs:
        RunFolder(folder / "runs" / run.name).check(run.experiment, resume=True)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        to_do = [run for run in runs if not _has_ended(run, RunFolder(folder / "runs" / run.name))]
        remove_unfinished(folder)
        with replacing(folder / "sweep.json") as file:
            file.write(as_json(experiment))
        done = len(runs) - len(to_do)
        if progress and done:
            sys.stderr.write(f"{done} of {len(runs)} runs have ended already\n")
        for name, outcome in _outcomes(to_do, folder, jobs, places):
            done += 1
            if progress:
                sys.stderr.write(f"{done}/{len(runs)} {name}: {outcome}\n")
        results = SweepResults.of([_row(run, RunFolder(folder / "runs" / run.name)) for run in runs])
        results.save(folder)
    return results


def _name(settings: Mapping[str, Any]) -> str:
    """Return what a run's folder is called: readable where that is clear, and never the name of other settings."""
    last = [path.rpartition(".")[2] for path in settings]
    parts, is_clear = [], True
    for path, value in settings.items():
        key = path.rpartition(".")[2]
        values = value if isinstance(value, list | tuple) else [value]
        texts = [str(part) for part in values]
        parts.append(f"{path if last.count(key) > 1 else key}={'-'.join(texts)}")
        is_clear &= all(re.fullmatch(r"[\w.+-]+", text, re.ASCII) for text in texts)
        is_clear &= not any(isinstance(part, str) for part in values) or values == [value]
    readable = ",".join(parts) or "run"
    if is_clear and len(readable) <= 120:
        return readable
    own = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    safe = re.sub(r"[^\w.,=+-]", "_", readable, flags=re.ASCII)
    return f"{safe[:100]}-{own}"


def _has_ended(run: SweepRun, folder: RunFolder) -> bool:
    """Return whether the run need not be done: it is finished, or it has failed and would fail so again."""
    if folder.kept() != run.experiment:
        return False
    return folder.result is not None or bool((folder.failure or {}).get("is_final"))


def _outcomes(runs: Sequence[SweepRun], folder: Path, jobs: int | None, places: list[str]) -> Iterator[tuple[str, str]]:
    """Run the runs in processes, yielding the name of each and how it ended, as they end."""
    try:
        import joblib
    except ImportError as problem:
        raise MissingDependencyError("sweeps need joblib: pip install 'tinygrad-lite[train]'") from problem
    cores = joblib.cpu_count()
    origin = Origin(os.getpid(), os.getcwd())
    # The threads follow from `jobs` alone: if they followed from the runs that are left, so would the last bits.
    threads = max(1, cores // (jobs or cores))
    left, fruitless = {run.name: run for run in runs}, 0
    while left:
        tasks = [
            joblib.delayed(_run_one)(name, as_json(run.experiment), folder / "runs" / name, places, origin, threads)
            for name, run in left.items()
        ]
        try:
            for name, outcome in joblib.Parallel(min(jobs or cores, len(left)), return_as="generator_unordered")(tasks):
                del left[name]
                fruitless = 0
                yield name, outcome
        except BrokenProcessPool:
            fruitless += 1
            if fruitless == 3:
                yield from ((name, "failed, its process was killed, for lack of memory perhaps") for name in left)
                return


def _run_one(
    name: str, experiment: bytes, folder: Path, places: list[str], origin: Origin, threads: int
) -> tuple[str, str]:
    """Run one experiment in its folder, recording a failure there; return its name and how it ended."""
    from threadpoolctl import threadpool_info, threadpool_limits

    os.chdir(origin.folder)  # where a relative path of the user's data begins; processes live on from sweep to sweep
    _end_with(origin.process)
    allowed = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    try:
        with threadpool_limits(min([threads, *allowed]), user_api="blas"):
            run = run_experiment(
                experiment_from(experiment), folder, resume=True, folders=places, progress=False, pictures=False
            )
    except Exception as problem:  # whatever it is, the other runs go on
        # Training that diverges would do so again.
        RunFolder(folder).fail(problem, is_final=isinstance(problem, DivergenceError | AnomalyError))
        return name, f"failed, {type(problem).__name__}: {problem}"
    return name, run.headline


@functools.cache
def _end_with(parent: int) -> None:
    """Have this process, whose runs can be gone on with, end soon after its parent was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    if os.getppid() == parent:  # and not the process of the sweep itself, which runs one job by itself
        threading.Thread(target=watch, daemon=True).start()


def _row(run: SweepRun, folder: RunFolder) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what a run sets, its seed too, and what it left: the record of its failure, or its result."""
    kept = folder.failure or folder.result or {"error": "Interrupted", "message": "the run has not ended"}
    return {**run.settings, SEED: run.experiment.train.seed}, kept
