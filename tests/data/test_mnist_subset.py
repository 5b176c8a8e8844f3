import gzip
import hashlib
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lite.data import mnist_subset, read_idx
from tinygrad_lite.errors import ArgumentError

SUBSET = files("tinygrad_lite.data") / "mnist_subset"
ROWS = {"train": 6000, "test": 1000}
CLASS_COUNTS = {
    "train": [592, 671, 581, 608, 623, 514, 608, 651, 551, 601],
    "test": [85, 126, 116, 107, 110, 87, 87, 99, 89, 94],
}
DIGEST_OF_VALUES = {  # of the first rows of the published files
    "train-images-idx3-ubyte.gz": "a051f814a250d3475151cbde645f82bf0c34cb896bfcfcc2a2214bbcbd1f88ce",
    "train-labels-idx1-ubyte.gz": "493b332089ef4945e6c8f18de058d5718e419723e1853b958ae08285ba2df4a1",
    "t10k-images-idx3-ubyte.gz": "f8f3c5a608a9f7d4bd5e9d69b90c53932b8b99371d9db26121b42f62f3abcd56",
    "t10k-labels-idx1-ubyte.gz": "d14ba0a1a3818edefa35518ed001ece84b7ac0eabe9394551c73928493175d3f",
}


@pytest.fixture
def published() -> Path:
    folders = [
        Path(folder) / "mnist" for folder in os.environ.get("TINYGRAD_LITE_DATA", "").split(os.pathsep) if folder
    ]
    for folder in folders:
        if folder.is_dir():
            return folder
    pytest.skip("needs the whole of MNIST: set TINYGRAD_LITE_DATA to folders of which one holds mnist/")


@pytest.mark.parametrize("split", ROWS)
def test_images_are_float32_rows_of_784_pixels_from_0_to_1(split):
    x, _ = mnist_subset(split)
    assert x.shape == (ROWS[split], 784)
    assert x.dtype == np.float32
    assert x.min() == 0.0
    assert x.max() == 1.0
    assert np.array_equal(np.rint(x * 255).astype(np.float32) / np.float32(255), x)
    assert (x.max(axis=1) > 0.5).all(), "every image has ink"


@pytest.mark.parametrize("split", ROWS)
def test_labels_are_int64_with_the_class_counts_of_mnist(split):
    _, t = mnist_subset(split)
    assert t.shape == (ROWS[split],)
    assert t.dtype == np.int64
    assert np.bincount(t).tolist() == CLASS_COUNTS[split]


def test_the_first_labels_are_those_of_mnist():
    assert mnist_subset("train")[1][:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert mnist_subset("test")[1][:8].tolist() == [7, 2, 1, 0, 4, 1, 4, 9]


def test_images_and_labels_belong_together():
    x, t = mnist_subset("train")
    x_test, t_test = mnist_subset("test")
    means = np.stack([x[t == digit].mean(axis=0) for digit in range(10)])
    nearest = ((x_test[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == t_test).mean() > 0.7, "the nearest class mean is right for about four digits in five"


def test_each_call_gives_arrays_that_the_caller_may_write_to():
    x, t = mnist_subset("test")
    for array in [x, t]:
        assert array.flags.owndata
        assert array.flags.c_contiguous
        array[...] = 7
    again, labels = mnist_subset("test")
    assert again.max() == 1.0
    assert np.bincount(labels).tolist() == CLASS_COUNTS["test"]


@pytest.mark.parametrize("split", ["validation", "Train", "t10k", "", None, ["train"]])
def test_an_unknown_split_is_refused_with_the_choices(split):
    with pytest.raises(ArgumentError, match="split must be 'train' or 'test', got"):
        mnist_subset(split)


@pytest.mark.parametrize("name", DIGEST_OF_VALUES)
def test_no_embedded_pixel_or_label_was_altered(name):
    values = read_idx((SUBSET / name).read_bytes())
    assert hashlib.sha256(values.tobytes()).hexdigest() == DIGEST_OF_VALUES[name]


def test_the_embedded_files_are_the_four_and_their_licence_and_stay_under_a_megabyte_and_a_half():
    sizes = {entry.name: len(entry.read_bytes()) for entry in SUBSET.iterdir()}
    assert sizes.keys() == {*DIGEST_OF_VALUES, "LICENSE"}
    assert sum(sizes.values()) < 1_500_000


def test_the_licence_names_the_authors_the_terms_and_the_change():
    text = (SUBSET / "LICENSE").read_text(encoding="utf-8")
    for part in [
        "LeCun",
        "Cortes",
        "Burges",
        "CC BY-SA 3.0",
        "https://creativecommons.org/licenses/by-sa/3.0/",
        "first",
    ]:
        assert part in text


@pytest.mark.parametrize("name", DIGEST_OF_VALUES)
def test_the_embedded_rows_are_the_first_of_the_whole_of_mnist(published, name):
    subset, whole = read_idx((SUBSET / name).read_bytes()), read_idx(published / name)
    assert len(whole) == {6000: 60_000, 1000: 10_000}[len(subset)]
    assert np.array_equal(subset, whole[: len(subset)])


@pytest.mark.parametrize("name", DIGEST_OF_VALUES)
def test_the_whole_of_mnist_is_read_as_gzip_and_format_spell_it(published, name):
    content = gzip.decompress((published / name).read_bytes())
    whole = read_idx(published / name)
    assert whole.shape == ((10_000 if name.startswith("t10k") else 60_000), *whole.shape[1:])
    assert whole.tobytes() == content[4 + 4 * whole.ndim :]
