"""Reading an experiment from TOML or JSON, changing some of its settings, and writing it as JSON.

Whatever is wrong is told together: the file, the path of each setting, what was expected there and what was given.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tinygrad_lite.errors import ExperimentError
from tinygrad_lite.experiments.declaring import Experiment
from tinygrad_lite.experiments.settings import (
    MOST_TOLD,
    Problem,
    Section,
    SectionError,
    converted,
    kinds_of,
    name_of,
    no_such_setting,
    repeated,
    section_of,
    setting_kinds,
    shown,
)

LARGEST = 1_000_000
"""How many bytes a file may have."""

DEEPEST = 16
"""How many tables and lists may stand in one another."""

MOST_POINTS = 50
"""How many points a line may have besides those of numbers: Python's parser is slow at long paths, a.a.a.a…"""

PATHS = setting_kinds(Experiment)


def read_experiment(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Experiment:
    r"""Return the experiment that a .toml or .json file declares, with `overrides` such as "train.epochs=4".

    The value of an override is TOML; what is no TOML value is a text, so that `net.activation=tanh` needs no quotes.
    A whole section is replaced by `optimizer={name = "adam"}`. Raises ExperimentError that tells all mistakes.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "experiment.toml"
    ...     _ = file.write_text("[train]\nepochs = 3")
    ...     read_experiment(file, ["train.epochs=4"]).train.epochs
    4
    """
    name = os.fspath(path)
    if Path(path).suffix not in (".toml", ".json"):
        raise ExperimentError(f"an experiment is read from a .toml or .json file, not from {name!r}")
    try:
        if Path(path).exists() and not Path(path).is_file():  # to open a pipe would wait for its other end
            raise OSError("it is not a file")
        with Path(path).open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as problem:
        raise ExperimentError(f"cannot read {name!r}: {problem}") from problem
    return _experiment(_table(content, Path(path).suffix[1:].upper(), name), overrides, name)


def experiment_from(source: str | bytes | Mapping[str, Any], overrides: Iterable[str] = ()) -> Experiment:
    """Return the experiment that a text in TOML or JSON declares, or nested dicts, with `overrides` as in a file.

    >>> experiment_from("optimizer = {name = 'adam', lr = 0.003}", ["optimizer.lr=0.1"]).optimizer.lr
    0.1
    """
    if isinstance(source, Mapping):
        return _experiment(source, overrides, "")
    content = source if isinstance(source, bytes) else source.encode(errors="surrogatepass")
    return _experiment(_table(content, "JSON" if content.lstrip()[:1] == b"{" else "TOML", ""), overrides, "")


def with_settings(experiment: Experiment, settings: Mapping[str, Any]) -> Experiment:
    """Return the experiment with some settings, given by their paths, changed; raises ExperimentError.

    >>> with_settings(Experiment(), {"train.epochs": 4, "net.hidden": [300, 100]}).net.hidden
    (300, 100)
    """
    _check_paths({path: shown(value) for path, value in settings.items()}, "")
    table = msgspec.to_builtins(experiment)
    for path, value in settings.items():
        _put(table, path, msgspec.to_builtins(value) if isinstance(value, Section) else value)
    return _experiment(table, (), "")


def as_json(experiment: Experiment) -> bytes:
    """Return every setting of the experiment as JSON, from which reading gives back the same experiment.

    Equal experiments give equal bytes, as long as their sweeps name the settings of the grid in the same order.

    >>> experiment_from(as_json(Experiment())) == Experiment()
    True
    """
    return msgspec.json.format(msgspec.json.encode(experiment), indent=2) + b"\n"


# ----- Texts -----


def _table(content: bytes, language: str, source: str) -> dict[str, Any]:
    """Return the nested dicts that a text stands for."""
    where = f"{source}: " if source else ""
    if len(content) > LARGEST:
        raise ExperimentError(f"{where}larger than {LARGEST:,} bytes, which no experiment is")
    try:
        text = content.decode("utf-8-sig")
        table = _toml(text) if language == "TOML" else json.loads(text, object_pairs_hook=_without_repeats)
        if _depth(table) > DEEPEST:
            raise RecursionError
    except RecursionError:
        raise ExperimentError(f"{where}more than {DEEPEST} tables and lists stand in one another") from None
    except ValueError as problem:
        reason = "a number has thousands of digits" if type(problem) is ValueError else problem  # raised by int()
        raise ExperimentError(f"{where}this is not {language}: {reason}") from None
    if not isinstance(table, dict):
        raise ExperimentError(f"{where}expected a JSON object, got {shown(table)}")
    return table


def _toml(text: str) -> dict[str, Any]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > MOST_POINTS and not line.lstrip().startswith("#"):
            points = re.sub(r"(?<![\w.])\d+\.\d+(?![\w.])", "", line).count(".")
            if points > MOST_POINTS:
                raise ExperimentError(f"line {number} has more than {MOST_POINTS} points that are not of numbers")
    return tomllib.loads(text)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ExperimentError(f"{shown(repeated(key for key, _ in pairs))} stands twice in one object")
    return table


def _depth(value: Any) -> int:
    """Return how many tables and lists stand in one another, without recursion."""
    depth, level = 0, [value]
    while level := [part for part in level if isinstance(part, list | dict)]:
        depth += 1
        level = [inner for part in level for inner in (part.values() if isinstance(part, dict) else part)]
    return depth


# ----- Overrides -----


def _overridden(table: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return the table with the overrides put in; the table given stays as it is."""
    settings = {}
    for override in overrides:
        path, sign, text = override.partition("=")
        if not sign:
            raise ExperimentError(f"--set takes a path, = and a value, as in train.epochs=4, got {shown(override)}")
        settings[path.strip()] = text.strip()
    _check_paths(settings, "--set ")
    table = _copy(table)
    for path, text in settings.items():
        _put(table, path, _value(text))
    return table


def _value(text: str) -> Any:
    """Return the TOML value that a text is, or the text itself."""
    try:
        table = _toml(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return table["value"] if len(table) == 1 and _depth(table) <= DEEPEST else text


def _check_paths(settings: Mapping[str, str], prefix: str) -> None:
    """Raise ExperimentError unless every path is that of a setting or a section."""
    unknown: list[Problem] = [
        (f"{prefix}{name_of(path)}={text[:60]}", no_such_setting(path, PATHS))
        for path, text in settings.items()
        if path not in PATHS
        and not any(known.startswith(f"{path}.") for known in PATHS)
        and path.removeprefix("sweep.grid.") not in PATHS
    ]
    if unknown:
        raise ExperimentError(_told(unknown, ""))


def _copy(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in table.items()}


def _put(table: dict[str, Any], path: str, value: Any) -> None:
    """Put a value where its path leads; what is no table on the way stays, to be told of later."""
    *sections, key = path.split(".")
    for section in sections:
        if table.get(section) is None:
            table[section] = {}
        table = table[section]
        if not isinstance(table, dict):
            return
    table[key] = value


# ----- From tables to sections -----


def _experiment(table: Mapping[str, Any], overrides: Iterable[str], source: str) -> Experiment:
    problems: list[Problem] = []
    experiment = _section(Experiment, _overridden(table, overrides), "", problems)
    if not isinstance(experiment, Experiment):
        raise ExperimentError(_told(problems, source))
    return experiment


def _section(kind: type[Section], table: Any, path: str, problems: list[Problem]) -> Section | None:
    """Return the section that a table declares, or None, with what is wrong added to `problems`."""
    if not isinstance(table, Mapping):
        problems.append((path, f"expected a table, got {shown(table)}"))
        return None
    before = len(problems)
    kinds = kinds_of(kind)
    values: dict[str, Any] = {}
    for key, value in table.items():
        if len(problems) >= MOST_TOLD:
            break
        place = f"{path}.{name_of(key)}".lstrip(".")
        inner = section_of(kinds.get(key))
        if key not in kinds:
            problems.append((place, no_such_setting(f"{path}.{key}".lstrip("."), PATHS)))
        elif inner and not (value is None and kinds[key] is not inner):
            values[key] = _section(inner, value, place, problems)
        else:
            try:
                values[key] = converted(value, kinds[key])
            except SectionError as problem:
                problems += [(f"{place}{entry}", text) for entry, text in problem.problems]
    if len(problems) > before:
        return None
    try:
        return kind(**values)
    except SectionError as problem:
        problems += [(f"{path}.{inner}".lstrip("."), text) for inner, text in problem.problems]
        return None


def _told(problems: list[Problem], source: str) -> str:
    """Return one message for all problems, each on a line of its own if there are several."""
    lines = [f"{path}: {text}" for path, text in problems[:MOST_TOLD]]
    if len(lines) == 1:
        return f"{source}: {lines[0]}" if source else lines[0]
    count = f"{len(lines)} mistakes" if len(lines) < MOST_TOLD else f"the first {MOST_TOLD} mistakes"
    return "\n  ".join([f"{source}: {count}" if source else count, *lines])
