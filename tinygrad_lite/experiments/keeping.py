"""The folder that keeps a run: its declaration, its result or failure, and what may be done with them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tinygrad_lite.errors import ArgumentError, ExperimentError
from tinygrad_lite.experiments.building import build_schedule
from tinygrad_lite.experiments.declaring import Experiment
from tinygrad_lite.experiments.reading import as_json, read_experiment
from tinygrad_lite.experiments.settings import flat, shown
from tinygrad_lite.files import locked, remove_unfinished, replacing
from tinygrad_lite.train import History

LARGEST = 100_000_000
"""How many bytes the result of a run can have: those of 1,000 classes are 10 MB."""


class Tested(msgspec.Struct):
    """The figures on the test rows that tables show; there are more."""

    loss: float | None = None
    cross_entropy: float | None = None
    accuracy: float | None = None
    faults: int | None = None


class Result(msgspec.Struct):
    """What is relied on in `result.json`."""

    epochs: int
    last: dict[str, float | None]
    test: Tested


class Failure(msgspec.Struct):
    """What is relied on in `failure.json`."""

    error: str
    message: str
    is_final: bool


class RunFolder:
    """A folder with `experiment.json`, `checkpoints/`, `plots/`, and at the end `result.json`, or `failure.json`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = RunFolder(folder)
    ...     run.begin(Experiment())
    ...     run.kept() == Experiment(), run.result
    (True, None)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not os.fspath(path):
            raise ArgumentError("the folder to keep the run in has an empty name")
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise ArgumentError(f"{os.fspath(path)!r} is a file, and a run is kept in a folder; choose another name")
        self.checkpoints, self.pictures = self.path / "checkpoints", self.path / "plots"

    def kept(self) -> Experiment | None:
        """Return the experiment that was begun here, None if there is none."""
        path = self.path / "experiment.json"
        return read_experiment(path) if path.exists() else None

    @property
    def result(self) -> dict[str, Any] | None:
        """The figures of the run, None if it is not finished; raises ExperimentError if the file is damaged."""
        return _read_json(self.path / "result.json", Result)

    @property
    def failure(self) -> dict[str, Any] | None:
        """How the run failed: `error`, `message`, and whether it `is_final`; None if it did not."""
        return _read_json(self.path / "failure.json", Failure)

    def check(self, experiment: Experiment, *, resume: bool) -> None:
        """Raise ExperimentError if the folder holds a run that is not to be resumed, or that of another experiment."""
        kept = self.kept()
        if kept is None:
            return
        if not resume:
            state = "a run that is not finished" if self.result is None else "a finished run"
            raise ExperimentError(f"{str(self.path)!r} holds {state}; go on with --resume, or choose another folder")
        differing = _differences(kept, experiment)
        if differing:
            lines = "".join(f"\n  {line}" for line in differing)
            raise ExperimentError(f"{str(self.path)!r} holds the run of another experiment:{lines}")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make the folder and wait until no other process runs in it, such as a worker whose sweep was killed."""
        self.path.mkdir(parents=True, exist_ok=True)
        with locked(self.path):
            yield

    def begin(self, experiment: Experiment) -> None:
        """Make the folder ready for the run, or for going on with it."""
        for folder in (self.path, self.pictures):
            remove_unfinished(folder)
        (self.path / "failure.json").unlink(missing_ok=True)
        if self.kept() != experiment:
            (self.path / "result.json").unlink(missing_ok=True)
            with replacing(self.path / "experiment.json") as file:
                file.write(as_json(experiment))

    def keep(self, history: History) -> None:
        """Keep the figures of the epochs so far, to be looked at while the run goes on."""
        history.save(self.path / "history.csv")
        history.save(self.path / "history.json")

    def finish(self, result: Mapping[str, Any]) -> None:
        """Keep the figures, with which the run is finished."""
        self._write_json("result.json", result)

    def fail(self, problem: Exception, *, is_final: bool) -> None:
        """Keep how the run failed, and whether it would fail so again."""
        failure = {"error": type(problem).__name__, "message": str(problem), "is_final": is_final}
        with self.alone():
            self._write_json("failure.json", failure)

    def _write_json(self, name: str, content: Mapping[str, Any]) -> None:
        with replacing(self.path / name) as file:
            file.write(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")


def _read_json(path: Path, kind: type[Result | Failure]) -> dict[str, Any] | None:
    """Return what this library wrote, None if there is nothing; raises ExperimentError for anything else."""
    if not path.exists():
        return None
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise ValueError(f"it is no file of at most {LARGEST:,} bytes")
        content = path.read_bytes()
        msgspec.json.decode(content, type=kind)
        kept: dict[str, Any] = msgspec.json.decode(content)
    except (OSError, ValueError, RecursionError) as problem:
        raise ExperimentError(f"{str(path)!r} is damaged: {problem}; remove it, and the run is done again") from problem
    return kept


def _differences(kept: Experiment, experiment: Experiment) -> list[str]:
    """Return a line for each setting that forbids one run to go on as the other; more epochs do not."""
    was, now = (dict(flat(msgspec.to_builtins(one))) for one in (kept, experiment))
    lines = [
        f"{path}: there {shown(was.get(path))}, here {shown(now.get(path))}"
        for path in now | was
        if path != "train.epochs" and was.get(path) != now.get(path)
    ]
    if experiment.train.epochs < kept.train.epochs:
        lines.append(
            f"train.epochs: there {kept.train.epochs}, here {experiment.train.epochs}; a run goes on, but not back"
        )
    elif not lines and build_schedule(kept) != build_schedule(experiment):
        lines.append(
            f"schedule: it ends with the training, which had {kept.train.epochs} epochs there and has "
            f"{experiment.train.epochs} here; declare schedule.epochs to raise train.epochs later"
        )
    return lines
