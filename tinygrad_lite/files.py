"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # Windows

_UNFINISHED = ".partial"


def remove_unfinished(folder: str | os.PathLike[str]) -> None:
    """Remove what processes that were killed while `replacing` files of `folder` have left there."""
    for unfinished in Path(folder).glob(f".{'[0-9a-f]' * 16}{_UNFINISHED}"):
        unfinished.unlink(missing_ok=True)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BufferedWriter]:
    """Open a new file beside `path` and let it take the place of `path` at the end; after an error `path` is as it was.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "note.txt"
    ...     with replacing(path) as file:
    ...         _ = file.write(b"whole")
    ...     path.read_bytes()
    b'whole'
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no folder to write into", os.fspath(path.parent))
    # tempfile would make the file private to its owner; a plain open keeps the permissions the user asked for.
    unfinished = path.parent / f".{secrets.token_hex(8)}{_UNFINISHED}"
    try:
        with open(unfinished, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # a rename that reaches the disk before its content would leave an empty file
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def locked(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Wait until no other process holds `folder`, and hold it meanwhile; leaves no file, and ends with the process.

    Where the system has no such locks, as on Windows, it does not wait.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"another process is at work in {os.fspath(folder)!r}; waiting until it ends\n")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
