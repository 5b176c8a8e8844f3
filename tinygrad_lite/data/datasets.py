"""A whole data set by its name: both splits, the shape of an image, the names of the classes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinygrad_lite.data import cifar10_files, mnist_files
from tinygrad_lite.data.folders import Folders
from tinygrad_lite.data.npz import read_npz
from tinygrad_lite.data.rows import check_pixels
from tinygrad_lite.errors import ArgumentError

NAMES = ("mnist-subset", "mnist", "cifar10", "npz")


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Rows to train on and rows to test on, each a pair (x, t), and what they show.

    `image_shape` is the shape of the image in a row of x, (28, 28) or (3, 32, 32), and None where rows are no images;
    `class_names` has the name of each label, and is None where the labels have no names.
    """

    name: str
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    image_shape: tuple[int, ...] | None = None
    class_names: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        image = "" if self.image_shape is None else f", images {' × '.join(map(str, self.image_shape))}"
        classes = "" if self.class_names is None else f", {len(self.class_names)} classes"
        return f"<Dataset {self.name}: {len(self.train[0])} training and {len(self.test[0])} test rows{image}{classes}>"


def load(
    name: str, *, pixels: str = "unit", folders: Folders = (), path: str | os.PathLike[str] | None = None
) -> Dataset:
    """Return the data set called "mnist-subset", "mnist", "cifar10", or "npz" for the arrays in the file `path`.

    `pixels` is "unit" for pixel / 255 or "raw" for 0 to 255, as float32. `folders` are searched first for MNIST and
    CIFAR-10, then those of the environment variable TINYGRAD_LITE_DATA and the user's cache. Nothing is fetched.
    Raises DataError for a data set that is not there or not sound, and ArgumentError for another name or scale, and
    for a `path` without "npz" or the reverse.

    >>> load("mnist-subset")
    <Dataset mnist-subset: 6000 training and 1000 test rows, images 28 × 28, 10 classes>
    """
    check_pixels(pixels)
    if name not in NAMES:
        raise ArgumentError(f"a data set is one of {', '.join(NAMES)}, got {name!r}")
    if (name == "npz") != (path is not None):
        raise ArgumentError(f"path= names the file of the data set 'npz' and of no other, got {name!r} and {path!r}")
    if path is not None:
        train, test, image_shape = read_npz(path, pixels)
        return Dataset(Path(path).stem, train, test, image_shape)
    if name == "cifar10":
        train, test = (cifar10_files.cifar10(split, pixels=pixels, folders=folders) for split in ("train", "test"))
        return Dataset(name, train, test, cifar10_files.IMAGE_SHAPE, cifar10_files.cifar10_class_names(folders))
    if name == "mnist":
        train, test = (mnist_files.mnist(split, pixels=pixels, folders=folders) for split in ("train", "test"))
    else:
        train, test = (mnist_files.read_subset(split, pixels) for split in ("train", "test"))
    return Dataset(name, train, test, mnist_files.IMAGE_SHAPE, mnist_files.CLASS_NAMES)
