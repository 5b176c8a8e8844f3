"""The IDX format of the MNIST files: read without trusting the header, written atomically.

    offset      bytes   content
    0           2       zero
    2           1       dtype code
    3           1       number of dimensions d
    4           4 d     sizes, big-endian uint32
    4 + 4 d     …       values, big-endian, the last dimension varying fastest

A gzip file is recognised by its content, whatever its name.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tinygrad_lite.errors import ArgumentError, DataError
from tinygrad_lite.files import replacing

_DTYPE_OF_CODE: dict[int, np.dtype] = {
    0x08: np.dtype(np.uint8),
    0x09: np.dtype(np.int8),
    0x0B: np.dtype(np.int16),
    0x0C: np.dtype(np.int32),
    0x0D: np.dtype(np.float32),
    0x0E: np.dtype(np.float64),
}
_CODE_OF_DTYPE = {dtype: code for code, dtype in _DTYPE_OF_CODE.items()}
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 16
_LARGEST_SIZE = 2**32 - 1
_MOST_DIMENSIONS = 64  # NumPy's own limit; the format itself allows 255


def read_idx(source: str | os.PathLike[str] | bytes) -> np.ndarray:
    """Return the array in an IDX file, plain or gzip, given by its path or, as `bytes`, by its content.

    The array is in native byte order, C-contiguous, writable, and owns its memory. The content is measured before
    anything is allocated, so a header that claims more than the file holds costs nothing. Raises DataError, naming
    the file, if it cannot be read, is not IDX, is cut short, is longer than its header says, or is corrupt gzip.

    >>> read_idx(bytes([0, 0, 0x08, 1, 0, 0, 0, 2, 5, 7]))
    array([5, 7], dtype=uint8)
    """
    name = "the content given as bytes" if isinstance(source, bytes) else repr(os.fspath(source))
    try:
        with _opened(source) as stream:
            return _parse(stream, name)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{name} is corrupt gzip: {error}; fetch the file again") from error
    except OSError as error:
        raise DataError(
            f"{name} cannot be read: {error.strerror or error}; check the path and its permissions"
        ) from error


def write_idx(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Write `array` to an IDX file, through gzip if the path ends in `.gz`; the same array gives the same bytes.

    The file appears whole or not at all: it is written under a temporary name in its folder and renamed, so a failure
    leaves an older file as it was. Raises ArgumentError for a dtype or a shape that IDX cannot express, and OSError
    if the disk refuses.

    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/labels.gz", np.array([5, 0, 4], np.uint8))
    ...     read_idx(f"{folder}/labels.gz")
    array([5, 0, 4], dtype=uint8)
    """
    path, array = Path(path), np.asarray(array)
    header = _header_of(array)
    values = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder(">")).reshape(-1).view(np.uint8)
    with replacing(path) as raw:
        if path.name.endswith(".gz"):
            # No name and no time in the gzip header: both would change the bytes from one writing to the next.
            with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=raw, mtime=0) as packed:
                packed.write(header)
                packed.write(values.data)
        else:
            raw.write(header)
            raw.write(values.data)


@contextmanager
def _opened(source: str | os.PathLike[str] | bytes) -> Iterator[io.BufferedIOBase]:
    with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as raw:
        packed = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=raw) as stream:
                yield stream
        else:
            yield raw


def _parse(stream: io.BufferedIOBase, name: str) -> np.ndarray:
    dtype, shape = _read_header(stream, name)
    _check_length(stream, name, dtype, shape)
    array = np.empty(shape, dtype)
    stream.seek(4 + 4 * len(shape))
    _fill(stream, array.reshape(-1).view(np.uint8), name)
    if sys.byteorder == "little":
        array.byteswap(inplace=True)
    return array


def _read_header(stream: io.BufferedIOBase, name: str) -> tuple[np.dtype, tuple[int, ...]]:
    magic = stream.read(4)
    if magic[:2] != bytes(min(2, len(magic))):
        raise DataError(
            f"{name} is not an IDX file: expected two zero bytes at its start, found {magic[:2].hex(' ')}; "
            "check that it is the file you meant, and not a web page or an archive"
        )
    if len(magic) < 4:
        raise DataError(f"{name} is cut short: expected 4 bytes of IDX magic, found {len(magic)}; fetch the file again")
    if magic[2] not in _DTYPE_OF_CODE:
        raise DataError(
            f"{name} has an unknown IDX dtype code: expected one of {_known_codes()}, found 0x{magic[2]:02X}"
        )
    if magic[3] > _MOST_DIMENSIONS:
        raise DataError(
            f"{name} claims {magic[3]} dimensions: expected at most {_MOST_DIMENSIONS}, as many as NumPy has"
        )
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(
            f"{name} is cut short: expected {4 * magic[3]} bytes for the sizes of {magic[3]} dimensions, "
            f"found {len(sizes)}; fetch the file again"
        )
    return _DTYPE_OF_CODE[magic[2]], tuple(np.frombuffer(sizes, ">u4").tolist())


def _check_length(stream: io.BufferedIOBase, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    promise = f"{dtype} values of shape {shape}"
    # NumPy refuses such a shape even when another size of 0 makes the array empty.
    if math.prod(size for size in shape if size) * dtype.itemsize > sys.maxsize:
        raise DataError(f"{name} is not to be trusted: its header claims {promise}, more than any memory holds")
    expected = math.prod(shape) * dtype.itemsize
    found = _count(stream, expected + 1)
    if found < expected:
        raise DataError(
            f"{name} is cut short: expected {expected} bytes for {promise}, found {found}; fetch the file again"
        )
    if found > expected:
        raise DataError(
            f"{name} is longer than its header says: expected {expected} bytes for {promise}, found more; "
            "fetch the file again, or remove what was appended to it"
        )


def _count(stream: io.BufferedIOBase, limit: int) -> int:
    """Return how many bytes are left, or `limit` if there are as many, holding one chunk at a time."""
    total = 0
    while total < limit and (chunk := stream.read(min(_CHUNK, limit - total))):
        total += len(chunk)
    return total


def _fill(stream: io.BufferedIOBase, destination: np.ndarray, name: str) -> None:
    for start in range(0, destination.size, _CHUNK):
        part = destination[start : start + _CHUNK]
        chunk = stream.read(part.size)
        if len(chunk) < part.size:
            raise DataError(f"{name} became shorter while it was read; read it again once nobody writes to it")
        part[:] = np.frombuffer(chunk, np.uint8)


def _header_of(array: np.ndarray) -> bytes:
    code = _CODE_OF_DTYPE.get(array.dtype.newbyteorder("="))
    if code is None:
        raise ArgumentError(
            f"IDX has no {array.dtype}: expected one of {_known_codes()}; convert first, such as array.astype('uint8')"
        )
    if any(size > _LARGEST_SIZE for size in array.shape):
        raise ArgumentError(f"IDX sizes are at most {_LARGEST_SIZE}, got shape {array.shape}")
    return bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()


def _known_codes() -> str:
    return ", ".join(f"{dtype} (0x{code:02X})" for code, dtype in _DTYPE_OF_CODE.items())
