"""The MNIST digits that come with the library, so that an example trains without fetching anything."""

from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np

from tinygrad_lite.data.idx import read_idx
from tinygrad_lite.errors import ArgumentError

_PREFIX_OF_SPLIT = {"train": "train", "test": "t10k"}


def mnist_subset(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the first 6,000 ("train") or 1,000 ("test") digits of MNIST: images and labels, yours to write to.

    Images are float32 of shape (n, 784), one row an image, pixel / 255, so within [0, 1]; labels are int64 of shape
    (n,). Raises ArgumentError for any other split.

    >>> x, t = mnist_subset("train")
    >>> x.shape, x.dtype, t[:5]
    ((6000, 784), dtype('float32'), array([5, 0, 4, 1, 9]))
    """
    if split not in ("train", "test"):
        raise ArgumentError(f"split must be 'train' or 'test', got {split!r}")
    images = _read_embedded(f"{_PREFIX_OF_SPLIT[split]}-images-idx3-ubyte.gz")
    labels = _read_embedded(f"{_PREFIX_OF_SPLIT[split]}-labels-idx1-ubyte.gz")
    return np.divide(images.reshape(len(images), -1), 255, dtype=np.float32), labels.astype(np.int64)


def _read_embedded(name: str) -> np.ndarray:
    with as_file(files("tinygrad_lite.data").joinpath("mnist_subset", name)) as path:
        return read_idx(path)
