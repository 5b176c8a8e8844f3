"""MNIST: the published files wherever they lie, and the excerpt that comes with the library."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from tinygrad_lite.data.folders import Folders, Layout, locate
from tinygrad_lite.data.idx import read_idx
from tinygrad_lite.data.rows import as_rows, check_pixels, check_split
from tinygrad_lite.errors import DataError

IMAGE_SHAPE = (28, 28)
CLASS_NAMES = tuple("0123456789")
_PREFIX_OF_SPLIT = {"train": "train", "test": "t10k"}


def _names(prefix: str, content: str) -> tuple[str, ...]:
    """Return the names that a file goes by: as published, unpacked, and with the dot that some unpackers write."""
    return tuple(f"{prefix}-{content}{suffix}" for suffix in ("-ubyte.gz", "-ubyte")) + tuple(
        f"{prefix}-{content.replace('-idx', '.idx')}{suffix}" for suffix in ("-ubyte.gz", "-ubyte")
    )


MNIST = Layout(
    dataset="mnist",
    kind="IDX",
    folder="mnist",
    files={
        split: (_names(prefix, "images-idx3"), _names(prefix, "labels-idx1"))
        for split, prefix in _PREFIX_OF_SPLIT.items()
    },
)


def mnist(split: str, *, pixels: str = "unit", folders: Folders = ()) -> tuple[np.ndarray, np.ndarray]:
    """Return the 60,000 ("train") or 10,000 ("test") digits of MNIST: images and labels, yours to write to.

    Images are float32 of shape (n, 784), one row an image: pixel / 255, or 0 to 255 where `pixels` is "raw"; labels
    are int64 of shape (n,). The four published files, packed by gzip or not, are searched in a folder `mnist` in each
    of `folders`, in those of the environment variable TINYGRAD_LITE_DATA, and in the user's cache. Raises DataError,
    which tells what to do, if they are not there or are not MNIST's, and ArgumentError for another split or scale.

    >>> x, t = mnist("test")  # doctest: +SKIP
    >>> x.shape, t[:5]  # doctest: +SKIP
    ((10000, 784), array([7, 2, 1, 0, 4]))
    """
    check_split(split)
    check_pixels(pixels)
    _, (images, labels) = locate([MNIST], split, folders)
    return _read(images, labels, pixels)


def mnist_subset(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the first 6,000 ("train") or 1,000 ("test") digits of MNIST: images and labels, yours to write to.

    Images are float32 of shape (n, 784), one row an image, pixel / 255, so within [0, 1]; labels are int64 of shape
    (n,). Raises ArgumentError for any other split.

    >>> x, t = mnist_subset("train")
    >>> x.shape, x.dtype, t[:5]
    ((6000, 784), dtype('float32'), array([5, 0, 4, 1, 9]))
    """
    check_split(split)
    return read_subset(split, "unit")


def read_subset(split: str, pixels: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the excerpt that comes with the library, with pixels of either scale."""
    with as_file(files("tinygrad_lite.data") / "mnist_subset") as folder:
        prefix = _PREFIX_OF_SPLIT[split]
        return _read(folder / f"{prefix}-images-idx3-ubyte.gz", folder / f"{prefix}-labels-idx1-ubyte.gz", pixels)


def _read(images_path: Path, labels_path: Path, pixels: str) -> tuple[np.ndarray, np.ndarray]:
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.dtype != np.uint8 or images.shape[1:] != IMAGE_SHAPE or not len(images):
        raise DataError(
            f"{str(images_path)!r} does not hold the images of MNIST: expected uint8 of shape (n, 28, 28), "
            f"found {images.dtype} of shape {images.shape}; fetch the file again"
        )
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        raise DataError(
            f"{str(labels_path)!r} does not go with {images_path.name!r}: expected a uint8 label for each of "
            f"{len(images)} images, found {labels.dtype} of shape {labels.shape}; take both files from one source"
        )
    if labels.max() > 9:
        raise DataError(
            f"{str(labels_path)!r} does not hold digits: expected labels from 0 to 9, found {labels.max()}; "
            "check that the file is MNIST's, and not that of another set of its format"
        )
    return as_rows([images], pixels), labels.astype(np.int64)
