"""Named arrays and a text in one safetensors file, which holds numbers and names and cannot run code."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tinygrad_lite.errors import DataError, MissingDependencyError
from tinygrad_lite.tensor import Array

if TYPE_CHECKING:
    from types import ModuleType

CHECKPOINT = "checkpoint"
"""The key under which a checkpoint has its note."""

_LONGEST_HEADER = 16 << 20


def as_safetensors(tensors: Mapping[str, Array], key: str, note: str) -> bytes:
    """Return `tensors` and a `note` under `key` as the content of a file; equal content gives equal bytes.

    There is one note, for safetensors writes several in an order that changes from run to run.
    """
    content: bytes = _safetensors().numpy.save(dict(tensors), metadata={key: note})
    return content


def read_tensors(path: str | os.PathLike[str], most_bytes: int) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays in a safetensors file and its metadata: the note that `as_safetensors` put there, by its key.

    Raises DataError for a file that cannot be read, is no whole safetensors file, or is larger than `most_bytes`.
    """
    safetensors = _safetensors()
    name = repr(os.fspath(path))
    try:
        found = Path(path).stat()
        if not stat.S_ISREG(found.st_mode):
            raise DataError(f"cannot read tensors from {name}: it is not a file")
        if found.st_size > most_bytes:
            raise DataError(
                f"{name} has {found.st_size:,} bytes, and what is to be read from it at most {most_bytes:,}"
            )
        with open(path, "rb") as file:
            if int.from_bytes(file.read(8), "little") > _LONGEST_HEADER:
                raise DataError(f"cannot read tensors from {name}: it claims a header of more than 16 MiB")
        with safetensors.safe_open(path, framework="numpy") as opened:
            return {key: opened.get_tensor(key) for key in opened.keys()}, opened.metadata() or {}  # noqa: SIM118 - not a dict
    except DataError:
        raise
    except Exception as problem:  # the library raises its own, OSError, and others for dtypes that NumPy lacks
        raise DataError(f"cannot read tensors from {name}: {problem}") from problem


def _safetensors() -> ModuleType:
    try:
        import safetensors.numpy
    except ImportError as problem:
        raise MissingDependencyError("weights need safetensors: pip install 'tinygrad-lite[train]'") from problem
    return safetensors
