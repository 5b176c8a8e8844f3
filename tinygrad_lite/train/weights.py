"""The weights of a network as one safetensors file, which holds numbers and names and cannot run code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_lite.errors import ArgumentError, DataError, MissingDependencyError
from tinygrad_lite.files import replacing
from tinygrad_lite.nn import Module

if TYPE_CHECKING:
    from types import ModuleType


def save_weights(net: Module, path: str | os.PathLike[str]) -> Path:
    """Write every parameter and buffer of `net` under its name; the file appears whole or not at all.

    Raises ArgumentError unless the path ends in .safetensors.

    >>> import pathlib, tempfile
    >>> from tinygrad_lite import nn
    >>> net, other = nn.Linear(3, 2, rng=0), nn.Linear(3, 2, rng=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_weights(net, pathlib.Path(folder) / "linear.safetensors")
    ...     load_weights(other, path)
    >>> bool((other.weight.data == net.weight.data).all())
    True
    """
    if Path(path).suffix != ".safetensors":
        raise ArgumentError(f"weights are written as .safetensors, not as {os.fspath(path)!r}")
    content = _safetensors().save(net.state_dict(), metadata={"format": "tinygrad_lite weights 1"})
    with replacing(path) as file:
        file.write(content)
    return Path(path)


def load_weights(net: Module, path: str | os.PathLike[str]) -> None:
    """Read what `save_weights` wrote into `net`, all of it or, if anything does not fit, nothing.

    Raises DataError for a file that is missing or not safetensors, StateError for one of another network.
    """
    safetensors = _safetensors()
    try:
        state: dict[str, Any] = safetensors.load_file(path)
    except Exception as problem:  # the library raises its own, OSError, and KeyError for dtypes that NumPy lacks
        raise DataError(f"cannot read weights from {os.fspath(path)!r}: {problem}") from problem
    net.load_state_dict(state)


def _safetensors() -> ModuleType:
    try:
        import safetensors.numpy
    except ImportError as problem:
        raise MissingDependencyError("weights need safetensors: pip install 'tinygrad-lite[train]'") from problem
    return safetensors.numpy
