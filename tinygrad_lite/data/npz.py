"""The user's own data set in a NumPy archive, read without trusting what its headers say."""

from __future__ import annotations

import io
import math
import os
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO

import numpy as np

from tinygrad_lite.data.rows import as_rows, check_pixels
from tinygrad_lite.errors import DataError

MOST_BYTES = 4 << 30
"""The most bytes that the four arrays may need together."""

Rows = tuple[np.ndarray, np.ndarray]

_LONGEST_HEADER = 4096
_LARGEST_READ = 1 << 17  # room for some 1,500 entries
_CHUNK = 1 << 16
_GREATEST_RATIO = 1100  # DEFLATE cannot pack tighter than 1,032 to 1
_FIELDS = {
    "descr": re.compile(r"""['"]descr['"]: *['"]([<>|=]?[A-Za-z]\d*)['"]"""),
    "fortran_order": re.compile(r"""['"]fortran_order['"]: *(True|False)"""),
    "shape": re.compile(r"""['"]shape['"]: *\(([\d, ]{0,200})\)"""),
}


@dataclass(frozen=True)
class _Claim:
    """What the header of an entry says of the array in it."""

    dtype: np.dtype
    shape: tuple[int, ...]
    by_columns: bool
    start: int

    @property
    def size(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def memory(self) -> int:
        return self.size * (4 if self.dtype == np.uint8 else 1)  # pixels become float32


def read_npz(path: str | os.PathLike[str], pixels: str = "unit") -> tuple[Rows, Rows, tuple[int, ...] | None]:
    """Return the training rows, the test rows, and the shape of an image, from x_train, t_train, x_test and t_test.

    The targets may be called y_train and y_test. Inputs with more than two axes become rows, and the shape of one
    image is returned; uint8 inputs are pixels, pixel / 255 or 0 to 255; inputs and targets of floats keep their
    dtype, and integer targets become int64. No pickled object is read. Raises DataError, before anything is
    allocated, for arrays that are not there, do not fit together, need more than 4 GiB, or are less than they claim.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "own.npz"
    ...     x, t = np.zeros((5, 4, 4), np.uint8), np.arange(5)
    ...     np.savez_compressed(path, x_train=x, t_train=t, x_test=x[:2], t_test=t[:2])
    ...     (rows, labels), _, image_shape = read_npz(path)
    >>> rows.shape, labels, image_shape
    ((5, 16), array([0, 1, 2, 3, 4]), (4, 4))
    """
    check_pixels(pixels)
    name = repr(os.fspath(path))
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise DataError(f"{name} cannot be read: it is not a file; check the path")
        with _InSmallParts(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
            arrays = _read_arrays(archive, name, os.fstat(file.fileno()).st_size)
    except DataError:
        raise
    except OSError as error:
        raise DataError(
            f"{name} cannot be read: {error.strerror or error}; check the path and its permissions"
        ) from error
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError) as error:
        raise DataError(f"{name} is not a sound NPZ file: {error}; write it again by np.savez_compressed") from error
    (x_train, x), (t_train, t), (x_test, x_held_out), (t_test, t_held_out) = arrays.items()
    train, test = _Split(x_train, x, t_train, t), _Split(x_test, x_held_out, t_test, t_held_out)
    train.check(name)
    test.check(name)
    if train.kind != test.kind:
        raise DataError(f"{name} has test rows unlike its training rows: {train}; {test}; prepare both in the same way")
    return train.rows(pixels), test.rows(pixels), x.shape[1:] if x.ndim > 2 else None


class _InSmallParts(io.BufferedReader):
    """A file of which no large part is read at once, whatever length an archive gives for its list of entries."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LARGEST_READ:
            raise DataError(f"{self.name!r} claims a list of entries of {size} bytes: expected four arrays")
        return super().read(_LARGEST_READ if size is None or size < 0 else size)


def _read_arrays(archive: zipfile.ZipFile, name: str, archive_size: int) -> dict[str, np.ndarray]:
    entries = {key: archive.getinfo(f"{key}.npy") for key in _keys(archive.namelist(), name)}
    claims = {}
    for key, entry in entries.items():
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"{name} has {key} encrypted or packed in a way of its own; write it by np.savez_compressed"
            )
        with archive.open(entry) as stream:
            claims[key] = _read_header(stream, f"{key} in {name}")
        _check_claim(claims[key], entry.file_size, min(entry.compress_size, archive_size), f"{key} in {name}")
    total = sum(claim.memory for claim in claims.values())
    if total > MOST_BYTES:
        raise DataError(f"{name} needs {total} bytes of memory: expected at most {MOST_BYTES}; keep a part of the rows")
    arrays = {}
    for key, entry in entries.items():
        with archive.open(entry) as stream:
            arrays[key] = _read_values(stream, claims[key])
    return arrays


def _keys(members: list[str], name: str) -> list[str]:
    """Return the four keys in the order x_train, t_train, x_test, t_test."""
    keys = []
    for split in ("train", "test"):
        for choices in ([f"x_{split}"], [f"t_{split}", f"y_{split}"]):
            present = [key for key in choices if f"{key}.npy" in members]
            if len(present) != 1:
                held = ", ".join(member.removesuffix(".npy")[:40] for member in members[:10]) or "nothing"
                raise DataError(
                    f"{name} must hold one array called {' or '.join(choices)}, and holds {len(present)}: expected "
                    f"x_train, t_train, x_test and t_test, all four of them, found {held}; "
                    "np.savez_compressed(path, x_train=…, t_train=…, x_test=…, t_test=…) writes such a file"
                )
            keys += present
    return keys


def _read_header(stream: IO[bytes], name: str) -> _Claim:
    start = stream.read(8)
    version = tuple(start[6:8])
    if start[:6] != b"\x93NUMPY" or version not in ((1, 0), (2, 0), (3, 0)):
        raise DataError(f"{name} is not an array in NumPy's format, version 1 to 3; write it by np.savez_compressed")
    width = 2 if version == (1, 0) else 4
    length = int.from_bytes(stream.read(width), "little")
    if length > _LONGEST_HEADER:
        raise DataError(f"{name} has a header of {length} bytes: expected at most {_LONGEST_HEADER}; write it again")
    text = stream.read(length).decode("latin-1")
    matches = {key: field.findall(text) for key, field in _FIELDS.items()}
    rest = text
    for field in _FIELDS.values():
        rest = field.sub("", rest)
    if len(text) < length or any(len(found) != 1 for found in matches.values()) or rest.strip("{}, \n"):
        raise DataError(
            f"{name} has a header that is not a plain array's: expected a dtype, an order and a shape, found "
            f"{text.strip()[:100]!r}; write it again by np.savez_compressed, from an array of integers or floats"
        )
    sizes = [size.strip() for size in matches["shape"][0].split(",")]
    dtype = _dtype(matches["descr"][0], name)
    shape = tuple(int(size) for size in sizes if size)
    return _Claim(dtype, shape, matches["fortran_order"][0] == "True", 8 + width + length)


def _dtype(code: str, name: str) -> np.dtype:
    if not re.fullmatch(r"[<>|=]?([iu][1248]|f[248])", code):
        remedy = "nothing pickled is read; " if "O" in code else ""
        raise DataError(f"{name} has the dtype {code!r}: expected integers or floats; {remedy}convert the array first")
    return np.dtype(code)


def _check_claim(claim: _Claim, unpacked: int, packed: int, name: str) -> None:
    if not claim.shape or 0 in claim.shape:
        raise DataError(f"{name} has the shape {claim.shape}: expected one or more rows; write it with all its rows")
    # An archive can lie about the length of an entry as well, but nothing is packed tighter than the method packs.
    if unpacked - claim.start != claim.size or unpacked > _GREATEST_RATIO * (packed + 1):
        raise DataError(
            f"{name} is not what its header says: expected {claim.size} bytes for {claim.dtype} of shape "
            f"{claim.shape}, found {unpacked - claim.start}, said to be packed into {packed}; write the file again"
        )


def _read_values(stream: IO[bytes], claim: _Claim) -> np.ndarray:
    stream.read(claim.start)
    values = np.empty(math.prod(claim.shape), claim.dtype)
    raw = values.view(np.uint8)
    for start in range(0, raw.size, _CHUNK):
        part = raw[start : start + _CHUNK]
        chunk = stream.read(part.size)
        if len(chunk) < part.size:
            raise EOFError("an array ends before its end")
        part[:] = np.frombuffer(chunk, np.uint8)
    if stream.read(1):  # also lets the archive compare its checksum
        raise EOFError("an array goes on after its end")
    shaped = values.reshape(claim.shape[::-1]).T if claim.by_columns else values.reshape(claim.shape)
    return np.ascontiguousarray(shaped, dtype=claim.dtype.newbyteorder("="))


@dataclass(frozen=True)
class _Split:
    """The inputs and targets of one split, and the names they go by."""

    x_key: str
    x: np.ndarray
    t_key: str
    t: np.ndarray

    def __str__(self) -> str:
        return f"{self.x_key} {self.x.dtype} {self.x.shape} with {self.t_key} {self.t.dtype} {self.t.shape}"

    @property
    def kind(self) -> tuple[object, ...]:
        """What must be the same for training and test rows."""
        return self.x.dtype, self.x.shape[1:], self.t.dtype.kind == "f", self.t.shape[1:]

    def check(self, name: str) -> None:
        if self.x.ndim < 2 or (self.x.dtype != np.uint8 and self.x.dtype.kind != "f"):
            raise DataError(
                f"{name} holds {self}: expected {self.x_key} (n, …) of uint8 pixels or of floats; convert other "
                "numbers by .astype('float32'), and make a row a column by .reshape(-1, 1)"
            )
        if len(self.x) != len(self.t) or self.t.ndim > (2 if self.t.dtype.kind == "f" else 1):
            raise DataError(
                f"{name} holds {self}: expected {self.t_key} of {len(self.x)} integer labels, or as many rows of "
                "floats; .ravel() makes a column of labels a row"
            )
        if self.t.dtype == np.uint64 and self.t.max() > np.iinfo(np.int64).max:
            raise DataError(f"{name} has the label {self.t.max()}, beyond int64; number the classes from 0")

    def rows(self, pixels: str) -> Rows:
        x = as_rows([self.x], pixels) if self.x.dtype == np.uint8 else self.x.reshape(len(self.x), -1)
        return x, self.t if self.t.dtype.kind == "f" else self.t.astype(np.int64)
