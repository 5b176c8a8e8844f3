"""The whole of MNIST and CIFAR-10, where TINYGRAD_LITE_DATA says they are."""

import gzip
import hashlib

import numpy as np
import pytest

from tinygrad_lite.data import cifar10, found, load, mnist
from tinygrad_lite.data.cifar10_files import BINARY, PYTHON, read_binary_batch, read_python_batch
from tinygrad_lite.data.mnist_files import MNIST

MNIST_COUNTS = {
    "train": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}
MD5_UNPACKED = {
    "train-images": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels": "a25bea736e30d166cdddb491f175f624",
    "t10k-images": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels": "27ae3e4e09519cfbb04c329615203637",
}
PLACES = {(place.dataset, place.kind): place for place in found().places}


def needs(dataset, kind):
    reason = f"needs the whole of {dataset} ({kind}): set TINYGRAD_LITE_DATA to the folder that holds it"
    return pytest.mark.skipif(not PLACES[dataset, kind].is_complete, reason=reason)


needs_mnist = needs("mnist", "IDX")
needs_binary = needs("cifar10", "binary")
needs_python = needs("cifar10", "python")


@needs_mnist
@pytest.mark.parametrize("split", MNIST_COUNTS)
def test_mnist_has_its_rows_and_class_counts(split):
    x, t = mnist(split)
    assert x.shape == ({"train": 60_000, "test": 10_000}[split], 784)
    assert (x.min(), x.max()) == (0, 1)
    assert np.bincount(t).tolist() == MNIST_COUNTS[split]


@needs_mnist
def test_the_embedded_digits_are_the_first_of_the_whole_set():
    whole, subset = load("mnist"), load("mnist-subset")
    for (x, t), (first, labels) in ((whole.train, subset.train), (whole.test, subset.test)):
        assert np.array_equal(x[: len(first)], first)
        assert np.array_equal(t[: len(labels)], labels)


@needs_mnist
@pytest.mark.parametrize("name", MD5_UNPACKED)
def test_the_files_of_mnist_hold_what_was_published_however_they_are_packed(name):
    paths, _ = MNIST.look(PLACES["mnist", "IDX"].folder.parent)
    content = next(path for path in paths if path.name.replace(".idx", "-idx").startswith(name)).read_bytes()
    content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    assert hashlib.md5(content).hexdigest() == MD5_UNPACKED[name]


@pytest.mark.parametrize(
    "kind", [pytest.param("binary", marks=needs_binary), pytest.param("python", marks=needs_python)]
)
def test_cifar10_has_1000_test_images_and_5000_training_images_of_each_class(kind, tmp_path):
    folder = PLACES["cifar10", kind].folder
    (tmp_path / folder.name).symlink_to(folder)
    x, t = cifar10("test", folders=[tmp_path])
    assert x.shape == (10_000, 3072)
    assert (x.min(), x.max()) == (0, 1)
    assert np.bincount(t).tolist() == [1000] * 10
    _, t = cifar10("train", folders=[tmp_path])
    assert np.bincount(t).tolist() == [5000] * 10


@needs_binary
@needs_python
@pytest.mark.parametrize("batch", range(6))
def test_both_layouts_of_cifar10_give_the_same_images_and_labels(batch):
    paths = {}
    for layout in (BINARY, PYTHON):
        names = [names[0] for split in layout.files.values() for names in split]
        paths[layout.kind] = PLACES["cifar10", layout.kind].folder / names[batch]
    images, labels = read_binary_batch(paths["binary"])
    images_of_pickle, labels_of_pickle = read_python_batch(paths["python"])
    assert images.shape == (10_000, 3072)
    assert np.array_equal(images, images_of_pickle)
    assert np.array_equal(labels, labels_of_pickle)
