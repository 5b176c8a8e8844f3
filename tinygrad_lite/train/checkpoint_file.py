"""A training in one safetensors file, from which it goes on bit for bit.

The tensors are the network's (`net.…`), the optimizer's (`optimizer.…`), the history (a row an epoch), and where in the
epoch the training was (`position`, `sums`). The note beside them is JSON: what was being trained, the state of random
generators, and a SHA-256 of everything else. Neither time nor place is recorded: equal trainings give equal bytes.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lite.errors import DataError, MissingDependencyError, StateError
from tinygrad_lite.tensor import Array
from tinygrad_lite.train.generators import put_state, state_of
from tinygrad_lite.train.tensor_files import CHECKPOINT, as_safetensors, read_tensors
from tinygrad_lite.train.training import Training
from tinygrad_lite.version import VERSION

try:
    import msgspec
except ImportError as problem:
    raise MissingDependencyError("checkpoints need msgspec: pip install 'tinygrad-lite[train]'") from problem

FORMAT = "tinygrad_lite checkpoint 1"

PROGRESS = ("history", "position", "sums")
"""The tensors that are no state: what was measured, and where the training was."""

MOST_TOLD = 20
"""How many differences are told at once."""

_ROOM_BESIDES_STATE = 64 << 20
"""Bytes for the history and the note: a million epochs of eight figures."""


class Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a checkpoint says beside its tensors."""

    format: str
    version: str
    experiment: str
    run: dict[str, str]
    columns: list[str]
    figures: list[str]
    generators: dict[str, Any]
    stopped: bool
    sha256: str = ""


def checkpoint_of(training: Training, experiment: str = "") -> bytes:
    """Return the content of a checkpoint: everything that the training needs to go on."""
    rows = training.history.rows
    columns = list(rows[0]) if rows else []
    tensors = {
        **_state(training),
        "history": np.array([list(row.values()) for row in rows], np.float64).reshape(len(rows), len(columns)),
        "position": np.array([training.epoch, training.batch, training.seen], np.int64),
        "sums": np.array(list(training.sums.values()), np.float64),
    }
    note = Note(
        format=FORMAT,
        version=VERSION,
        experiment=experiment,
        run=_description(training),
        columns=columns,
        figures=list(training.sums),
        generators={name: state_of(rng) for name, rng in training.net.named_generators()},
        stopped=training.stopped,
    )
    signed = msgspec.structs.replace(note, sha256=_digest(tensors, note))
    return as_safetensors(tensors, CHECKPOINT, _text(signed))


def load_checkpoint(training: Training, path: str | os.PathLike[str]) -> None:
    """Put the training where the one that wrote `path` was, all of it or, if anything does not fit, nothing.

    Raises DataError for a file that is no whole and unchanged checkpoint, StateError for that of another training.
    """
    name = repr(os.fspath(path))
    own = _state(training)
    tensors, metadata = read_tensors(path, sum(array.nbytes for array in own.values()) + _ROOM_BESIDES_STATE)
    note = _note(metadata, name)
    if note.sha256 != _digest(tensors, msgspec.structs.replace(note, sha256="")):
        raise DataError(f"{name} is damaged: its content is not what its SHA-256 was made of; remove it to begin anew")
    _refuse_other(note.run, _description(training), f"{name} is the checkpoint of another training")
    # Another precision could be converted, but would not go on bit for bit.
    _refuse_other(_kinds(tensors), _kinds(own), f"{name} does not fit this training")
    history, position, sums = _progress(tensors, note, training, name)
    _put_generators(training.net.named_generators(), note.generators, name)
    training.net.load_state_dict(_below("net.", tensors))
    training.optimizer.load_state_dict(_below("optimizer.", tensors))
    training.begin_from_here()
    training.history.rows[:] = history
    training.epoch, training.batch, training.seen = position
    training.sums.clear()
    training.sums.update(sums)
    training.stopped = note.stopped


def _state(training: Training) -> dict[str, Array]:
    return {
        **{f"net.{name}": array for name, array in training.net.state_dict().items()},
        **{f"optimizer.{name}": array for name, array in training.optimizer.state_dict().items()},
    }


def _put_generators(own: Sequence[tuple[str, np.random.Generator]], states: Mapping[str, Any], name: str) -> None:
    """Give the generators their states, all of them or, if one does not fit, none."""
    before = [state_of(rng) for _, rng in own]
    try:
        if states.keys() != {key for key, _ in own}:
            raise StateError(f"its random generators are {sorted(states)}")
        for key, rng in own:
            put_state(rng, states[key])
    except StateError as problem:
        for (_, rng), state in zip(own, before, strict=True):
            put_state(rng, state)
        raise StateError(f"{name} does not fit this training: {problem}") from problem


def _note(metadata: Mapping[str, str], name: str) -> Note:
    if CHECKPOINT not in metadata:
        raise DataError(f"{name} is no checkpoint: it has no note of this library; weights alone cannot be resumed")
    try:
        note = msgspec.json.decode(metadata[CHECKPOINT], type=Note)
    except (msgspec.DecodeError, RecursionError) as problem:
        raise DataError(f"{name} is no checkpoint that this version can read: {problem}") from problem
    if note.format != FORMAT:
        found = f"{_shown(note.format)!r}, written by version {_shown(note.version)}"
        raise DataError(f"{name} is {found}; this version reads {FORMAT!r}")
    return note


def _text(note: Note) -> str:
    return msgspec.json.encode(note, order="deterministic").decode()


def _digest(tensors: Mapping[str, Array], unsigned: Note) -> str:
    found = hashlib.sha256(_text(unsigned).encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        found.update(f"\0{name}\0{array.dtype.str}\0{tensors[name].shape}\0".encode())
        found.update(array.data)
    return found.hexdigest()


def _below(prefix: str, tensors: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


# ----- What is being trained, and how far it is -----


def _description(training: Training) -> dict[str, str]:
    """Say what is trained, on what, and how: a training goes on only from one of which the same is said."""
    said = {
        "net": repr(training.net),
        "objective": repr(training.objective),
        "rule": repr(training.optimizer.rule),
        **training.data,
        **{name: repr(value) for name, value in vars(training.plan).items() if name != "epochs"},
    }
    return {name: re.sub(r" at 0x[0-9a-f]+", "", text) for name, text in said.items()}


def _refuse_other(there: Mapping[str, str], here: Mapping[str, str], what: str) -> None:
    """Raise StateError that begins with `what` and lists where the two differ, if they do."""
    differing = [key for key in (*here, *(there.keys() - here.keys())) if there.get(key) != here.get(key)]
    if differing:
        lines = [f"{_shown(key)}: there {_shown(there.get(key))}, here {_shown(here.get(key))}" for key in differing]
        more = [f"and {len(lines) - MOST_TOLD} more"] if len(lines) > MOST_TOLD else []
        raise StateError("\n  ".join([f"{what}:", *lines[:MOST_TOLD], *more]))


def _shown(text: str | None) -> str:
    """Return a text of a file that is not to be trusted, cut and without characters that a terminal obeys."""
    shown = "none" if text is None else text if len(text) <= 300 else f"{text[:300]}…"
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in shown)


def _kinds(tensors: Mapping[str, Array]) -> dict[str, str]:
    return {key: f"{array.dtype} {array.shape}" for key, array in tensors.items() if key not in PROGRESS}


def _progress(
    tensors: Mapping[str, Array], note: Note, training: Training, name: str
) -> tuple[list[dict[str, float]], tuple[int, int, int], dict[str, float]]:
    """Return the rows of the history, the position and the sums, or raise DataError if they cannot be."""
    history, position, sums = (tensors.get(key, np.empty(0)) for key in PROGRESS)
    found = [(array.dtype.str, array.shape) for array in (history, position, sums)]
    expected = [("<f8", (len(history), len(note.columns))), ("<i8", (3,)), ("<f8", (len(note.figures),))]
    if found != expected:
        raise DataError(f"{name} is damaged: history, position and sums are {found}, expected {expected}")
    epoch, batch, seen = position.tolist()
    rows, batch_size = len(training.rows[0]), training.plan.batch_size
    steps = int(tensors["optimizer.step_count"])
    if (
        not 0 <= batch <= training.batches
        or seen != min(batch * batch_size, rows)
        or history[:, :1].ravel().tolist() != list(range(1, epoch + 1))
        or steps != epoch * training.batches + batch
        or not 0 <= float(tensors["optimizer.lr"]) < np.inf
    ):
        raise DataError(f"{name} is damaged: it claims epoch {epoch}, batch {batch}, {seen} rows of {rows}")
    columns = training.columns()
    trained = [column for column in columns[1:] if not column.startswith(("learning_rate", "validation_"))]
    for names, measured in ((note.columns, columns if epoch else []), (note.figures, trained if batch else [])):
        needed = [column for column in measured if not (column.endswith("accuracy") or column.startswith("gradient_"))]
        if names != [column for column in measured if column in names] or not set(needed) <= set(names):
            raise DataError(f"{name} is damaged: it claims the figures {names}, and this training has {measured}")
    whole = [dict(zip(note.columns, [i + 1, *row[1:]], strict=True)) for i, row in enumerate(history.tolist())]
    return whole, (epoch, batch, seen), dict(zip(note.figures, sums.tolist(), strict=True))
