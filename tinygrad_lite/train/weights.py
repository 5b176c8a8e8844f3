"""The weights of a network as one safetensors file, which holds numbers and names and cannot run code."""

from __future__ import annotations

import os
from pathlib import Path

from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.files import replacing
from tinygrad_lite.nn import Module
from tinygrad_lite.train.tensor_files import CHECKPOINT, as_safetensors, read_tensors

_ROOM_BESIDES_WEIGHTS = 64 << 20


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
    content = as_safetensors(net.state_dict(), "format", "tinygrad_lite weights 1")
    with replacing(path) as file:
        file.write(content)
    return Path(path)


def load_weights(net: Module, path: str | os.PathLike[str]) -> None:
    """Read weights into `net` from `save_weights` or from a checkpoint of `fit`: all or, if anything misfits, nothing.

    Raises DataError for a file that is missing, not safetensors, or far larger than the network, StateError for one of
    another network.
    """
    own = sum(array.nbytes for array in net.state_dict().values())
    # Eight times: weights kept in float64 for a net of float32, and beside them an optimizer's state.
    tensors, metadata = read_tensors(path, 8 * own + _ROOM_BESIDES_WEIGHTS)
    if CHECKPOINT in metadata:
        tensors = {name.removeprefix("net."): array for name, array in tensors.items() if name.startswith("net.")}
    net.load_state_dict(tensors)
