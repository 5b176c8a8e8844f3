"""One experiment run for many settings, in parallel, each run in a folder of its own from which it can go on."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tinygrad_lite.errors import AnomalyError, DivergenceError, ExperimentError, MissingDependencyError
from tinygrad_lite.experiments.declaring import Experiment
from tinygrad_lite.experiments.reading import as_json, experiment_from, with_settings
from tinygrad_lite.experiments.results import SweepResults
from tinygrad_lite.experiments.running import RESULT, finished, run_experiment
from tinygrad_lite.files import replacing

FAILURE = "failure.json"
SEED = "train.seed"

Folders = Sequence[str | os.PathLike[str]]


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
    grid = [[(path, value) for value in values] for path, values in sweep.grid.items()]
    seeds = [[(SEED, seed)] for seed in sweep.seeds] or [[]]
    found: dict[str, SweepRun] = {}
    for table, point, seed in itertools.product(sweep.list or ({},), itertools.product(*grid), seeds):
        settings = dict([*table.items(), *point, *seed])
        name = _name(settings)
        found[name] = SweepRun(name, settings, with_settings(single, settings))
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

    `jobs` processes, by default one a core, share out the threads of the matrix products. Called again, it goes on
    where it was: finished runs are not repeated, nor those that diverged; one in the middle goes on from its
    checkpoint, and one that failed otherwise is tried again. A failed run is recorded and does not stop the others.
    Writes `results.csv`, `results.md` and `results.png`/`.svg`. Raises ExperimentError if a run's folder holds another
    experiment.
    """
    folder = Path(out)
    runs = runs_of(experiment)
    to_do = [run for run in runs if not _is_done(run, folder)]
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / "sweep.json") as file:
        file.write(as_json(experiment))
    done = len(runs) - len(to_do)
    if progress and done:
        sys.stderr.write(f"{done} of {len(runs)} runs are finished already\n")
    for name, outcome in _outcomes(to_do, folder, jobs, folders):
        done += 1
        if progress:
            sys.stderr.write(f"{done}/{len(runs)} {name}: {outcome}\n")
    results = SweepResults.of([(run.settings, _kept(folder / "runs" / run.name)) for run in runs])
    results.save(folder)
    return results


def _name(settings: dict[str, Any]) -> str:
    """Return what a run's folder is called: readable, the same for the same settings, and no other's."""
    last = [path.rpartition(".")[2] for path in settings]
    parts = []
    for path, value in settings.items():
        key = path.rpartition(".")[2]
        key = path if last.count(key) > 1 else key
        text = "-".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        parts.append(f"{key}={text}")
    readable = ",".join(parts) or "run"
    safe = re.sub(r"[^\w.,=+-]", "_", readable, flags=re.ASCII)
    if safe == readable and len(safe) <= 120:
        return safe
    return f"{safe[:100]}-{hashlib.sha256(repr(settings).encode()).hexdigest()[:12]}"


def _is_done(run: SweepRun, folder: Path) -> bool:
    own = folder / "runs" / run.name
    if finished(own, run.experiment):
        return True
    try:
        return bool(json.loads((own / FAILURE).read_bytes())["is_final"])
    except FileNotFoundError:
        return False


def _outcomes(runs: Sequence[SweepRun], folder: Path, jobs: int | None, folders: Folders) -> Iterator[tuple[str, str]]:
    """Run the runs in processes, yielding the name of each and how it ended, as they end."""
    try:
        import joblib
    except ImportError as problem:
        raise MissingDependencyError("sweeps need joblib: pip install 'tinygrad-lite[train]'") from problem
    cores = joblib.cpu_count()
    jobs = min(jobs or cores, max(1, len(runs)))
    places = [os.fspath(place) for place in folders]
    tasks = (
        joblib.delayed(_run_one)(run.name, as_json(run.experiment), folder / "runs" / run.name, places, cores // jobs)
        for run in runs
    )
    yield from joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks)


def _run_one(name: str, experiment: bytes, folder: Path, folders: list[str], threads: int) -> tuple[str, str]:
    """Run one experiment in its folder, recording a failure there; return its name and how it ended."""
    from threadpoolctl import threadpool_limits

    (folder / FAILURE).unlink(missing_ok=True)
    try:
        with threadpool_limits(max(1, threads), user_api="blas"):
            run = run_experiment(
                experiment_from(experiment), folder, resume=True, folders=folders, progress=False, pictures=False
            )
    except Exception as problem:  # whatever it is, the other runs go on
        is_final = isinstance(problem, DivergenceError | AnomalyError)  # it would end so again
        record = {"error": type(problem).__name__, "message": str(problem), "is_final": is_final}
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / FAILURE) as file:
            file.write(msgspec.json.encode(record) + b"\n")
        return name, f"failed, {type(problem).__name__}: {problem}"
    return name, run.headline


def _kept(folder: Path) -> dict[str, Any]:
    """Return what a run left: its result, or the record of its failure."""
    for name in (RESULT, FAILURE):
        if (folder / name).exists():
            kept: dict[str, Any] = json.loads((folder / name).read_bytes())
            return kept
    return {"error": "Interrupted", "message": "the run has not ended"}
