"""IDX content written by `struct` and read by the letter of the format, so that no test trusts the code it tests."""

import gzip
import math
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np

from tinygrad_lite.errors import TinygradLiteError

FORMATS = {  # dtype: (code, struct's letter)
    "uint8": (0x08, "B"),
    "int8": (0x09, "b"),
    "int16": (0x0B, "h"),
    "int32": (0x0C, "i"),
    "float32": (0x0D, "f"),
    "float64": (0x0E, "d"),
}


def header(code: int, *sizes: int) -> bytes:
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, code, len(sizes), *sizes)


def encode(array: np.ndarray) -> bytes:
    code, letter = FORMATS[array.dtype.name]
    return header(code, *array.shape) + struct.pack(f">{array.size}{letter}", *array.ravel().tolist())


def decode(content: bytes) -> np.ndarray | None:
    """Return the array in `content`, or None where the format or NumPy has no array for it."""
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return None
    names = {code: name for name, (code, _) in FORMATS.items()}
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in names:
        return None
    start = 4 + 4 * content[3]
    if len(content) < start:
        return None
    dtype, shape = np.dtype(names[content[2]]), struct.unpack(f">{content[3]}I", content[4:start])
    if len(content) - start != math.prod(shape) * dtype.itemsize:
        return None
    try:
        array = np.empty(shape, dtype)
    except ValueError:
        return None
    array[...] = np.frombuffer(content[start:], dtype.newbyteorder(">")).reshape(shape)
    return array


def peak_memory(action: Callable[[], object]) -> int:
    """Return the most bytes that `action` held at once, whether it succeeds or is refused."""
    tracemalloc.start()
    try:
        action()
    except TinygradLiteError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def assert_identical(left: np.ndarray, right: np.ndarray) -> None:
    assert left.dtype == right.dtype
    assert left.shape == right.shape
    assert left.tobytes() == right.tobytes()
