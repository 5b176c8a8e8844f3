"""CIFAR-10 in both layouts in which it is published: the binary one, and the pickles of the Python one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lite.data.folders import Folders, Layout, locate
from tinygrad_lite.data.pickles import read_pickle
from tinygrad_lite.data.rows import as_rows, check_pixels, check_split
from tinygrad_lite.errors import DataError

IMAGE_SHAPE = (3, 32, 32)
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))

BINARY = Layout(
    dataset="cifar10",
    kind="binary",
    folder="cifar-10-batches-bin",
    files={"train": tuple((f"{batch}.bin",) for batch in _BATCHES), "test": (("test_batch.bin",),)},
)
PYTHON = Layout(
    dataset="cifar10",
    kind="python",
    folder="cifar-10-batches-py",
    files={"train": tuple((batch,) for batch in _BATCHES), "test": (("test_batch",),)},
)
META_FILES = {BINARY.kind: "batches.meta.txt", PYTHON.kind: "batches.meta"}

_PIXELS = 3 * 32 * 32
_MOST_META_BYTES = 1 << 16
_MOST_PICKLE_BYTES = 80 << 20  # a batch has 30 MB of pixels, which protocol 2 of Python 3 may write as 60 MB of text


def cifar10(split: str, *, pixels: str = "unit", folders: Folders = ()) -> tuple[np.ndarray, np.ndarray]:
    """Return the 50,000 ("train") or 10,000 ("test") images of CIFAR-10 and their labels, yours to write to.

    Images are float32 of shape (n, 3072), one row an image: 1024 red values, then green, then blue, each row by row
    of the picture; pixel / 255, or 0 to 255 where `pixels` is "raw". Labels are int64 of shape (n,). "train" is the
    five batches in their order. The files are searched in a folder `cifar-10-batches-bin`, else
    `cifar-10-batches-py`, in each of `folders`, in those of the environment variable TINYGRAD_LITE_DATA, and in the
    user's cache. No pickle is ever executed. Raises DataError, which tells what to do, if the files are not there or
    are not CIFAR-10's, and ArgumentError for another split or scale.

    >>> x, t = cifar10("test")  # doctest: +SKIP
    >>> x.shape, t[:5]  # doctest: +SKIP
    ((10000, 3072), array([3, 8, 8, 0, 6]))
    """
    check_split(split)
    check_pixels(pixels)
    layout, paths = locate([BINARY, PYTHON], split, folders)
    read = read_binary_batch if layout is BINARY else read_python_batch
    batches = [read(path) for path in paths]
    return as_rows([images for images, _ in batches], pixels), np.concatenate([labels for _, labels in batches])


def cifar10_class_names(folders: Folders = ()) -> tuple[str, ...]:
    """Return the names of the ten classes, from the file beside the images if it is there."""
    layout, paths = locate([BINARY, PYTHON], "test", folders)
    path = paths[0].with_name(META_FILES[layout.kind])
    if not os.path.isfile(path):
        return CLASS_NAMES
    content = _content(path, _MOST_META_BYTES)
    names = _names_in_lines(content) if layout is BINARY else _names_in_pickle(content, repr(str(path)))
    if len(names) != len(CLASS_NAMES) or not all(names):
        raise DataError(
            f"{str(path)!r} does not name the classes of CIFAR-10: expected 10 names, found {len(names)} or an empty "
            "one; fetch the file again, or remove it, for it only names what is known"
        )
    return names


def read_binary_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, uint8 (n, 3072), and labels, int64 (n,), in one file of the binary layout.

    A record is a byte of label and 3,072 of pixels. Raises DataError for another size, or a label beyond 9.
    """
    name = repr(str(path))
    content = _content(path, None)
    records, rest = divmod(len(content), 1 + _PIXELS)
    if rest or not records:
        raise DataError(
            f"{name} is not a binary batch of CIFAR-10: expected a positive multiple of {1 + _PIXELS} bytes, found "
            f"{len(content)}; fetch the file again"
        )
    table = np.frombuffer(content, np.uint8).reshape(records, 1 + _PIXELS)
    return table[:, 1:], _checked_labels(table[:, 0], name)


def read_python_batch(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, uint8 (n, 3072), and labels, int64 (n,), in one file of the Python layout.

    The pickle is read by `read_pickle`, which runs nothing. Raises DataError for anything but CIFAR-10's.
    """
    name = repr(str(path))
    batch = read_pickle(_content(path, _MOST_PICKLE_BYTES), name)
    images: Any = batch.get("data")
    labels: Any = batch.get("labels")
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (_PIXELS,):
        raise DataError(
            f"{name} does not hold a batch of CIFAR-10: expected 'data' of uint8 and shape (n, {_PIXELS}), found "
            f"{_described(images)} among {_shortened(batch)}; check that it is CIFAR-10, and not CIFAR-100"
        )
    whole = isinstance(labels, np.ndarray) or (isinstance(labels, list) and all(type(label) is int for label in labels))
    if not whole or np.shape(labels) != images.shape[:1]:
        raise DataError(
            f"{name} does not hold a batch of CIFAR-10: expected 'labels' of {len(images)} integers, found "
            f"{_described(labels)} among {_shortened(batch)}; check that it is CIFAR-10, and not CIFAR-100"
        )
    return images, _checked_labels(np.asarray(labels), name)


def _content(path: Path, limit: int | None) -> bytes:
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if limit is not None and size > limit:
                raise DataError(
                    f"{str(path)!r} is too long: expected at most {limit} bytes, found {size}; fetch the file again"
                )
            return file.read()
    except OSError as error:
        raise DataError(
            f"{str(path)!r} cannot be read: {error.strerror or error}; check the path and its permissions"
        ) from error


def _checked_labels(labels: np.ndarray, name: str) -> np.ndarray:
    wrong = np.flatnonzero((labels < 0) | (labels > 9))
    if wrong.size:
        raise DataError(
            f"{name} has the label {labels[wrong[0]]} in record {wrong[0]}, counted from 0: expected 0 to 9; "
            "fetch the file again"
        )
    return labels.astype(np.int64)


def _names_in_lines(content: bytes) -> tuple[str, ...]:
    return tuple(content.decode("utf-8", "replace").split())  # the file ends in empty lines


def _names_in_pickle(content: bytes, name: str) -> tuple[str, ...]:
    names = read_pickle(content, name).get("label_names")
    if not isinstance(names, list) or not all(isinstance(entry, str | bytes) for entry in names):
        return ()
    few = names[: len(CLASS_NAMES) + 1]  # a short file can repeat one long name many times
    return tuple(entry if isinstance(entry, str) else entry.decode("utf-8", "replace") for entry in few)


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return f"a list of {len(value)}" if isinstance(value, list) else f"{type(value).__name__}"


def _shortened(batch: dict[str, object]) -> str:
    return f"the keys {sorted(batch)[:10]}"
