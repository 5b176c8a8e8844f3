import gzip

import numpy as np
import pytest

from tinygrad_lite.data import load, mnist, mnist_subset, write_idx
from tinygrad_lite.errors import ArgumentError, DataError

ROWS = {"train": 5, "test": 3}
PREFIXES = {"train": "train", "test": "t10k"}


def images_of(split):
    return np.random.default_rng(ROWS[split]).integers(0, 256, (ROWS[split], 28, 28), np.uint8)


def labels_of(split):
    return np.random.default_rng(ROWS[split]).integers(0, 10, ROWS[split], np.uint8)


def write_mnist(folder, name="{prefix}-{content}-ubyte.gz"):
    folder.mkdir(parents=True)
    for split, prefix in PREFIXES.items():
        write_idx(folder / name.format(prefix=prefix, content="images-idx3"), images_of(split))
        write_idx(folder / name.format(prefix=prefix, content="labels-idx1"), labels_of(split))


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch, tmp_path_factory):
    monkeypatch.delenv("TINYGRAD_LITE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def published(tmp_path):
    write_mnist(tmp_path / "mnist")
    return tmp_path


@pytest.mark.parametrize("split", ROWS)
def test_images_are_float32_rows_of_pixel_over_255_and_labels_are_int64(published, split):
    x, t = mnist(split, folders=[published])
    assert x.dtype == np.float32
    assert t.dtype == np.int64
    assert np.array_equal(x, images_of(split).reshape(-1, 784).astype(np.float32) / np.float32(255))
    assert np.array_equal(t, labels_of(split))


def test_raw_pixels_are_0_to_255_as_float32(published):
    x, _ = mnist("test", pixels="raw", folders=[published])
    assert x.dtype == np.float32
    assert np.array_equal(x, images_of("test").reshape(-1, 784))


def test_images_and_labels_are_the_callers_to_write_to(published):
    for array in mnist("test", folders=[published]):
        assert array.flags.owndata
        assert array.flags.c_contiguous
        array[...] = 7


@pytest.mark.parametrize("ending", ["-ubyte.gz", "-ubyte"])
@pytest.mark.parametrize("dot", [False, True])
def test_the_files_go_by_their_published_unpacked_and_dotted_names(tmp_path, ending, dot):
    write_mnist(tmp_path / "mnist", "{prefix}-{content}" + ending)
    for path in list((tmp_path / "mnist").iterdir()) if dot else []:
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    for split, rows in ROWS.items():
        assert len(mnist(split, folders=[tmp_path])[0]) == rows


def test_a_plain_file_that_still_has_the_name_of_the_packed_one_is_read(published):
    for path in (published / "mnist").iterdir():
        path.write_bytes(gzip.decompress(path.read_bytes()))
    assert len(mnist("test", folders=[published])[0]) == ROWS["test"]


@pytest.mark.parametrize("function", [mnist, mnist_subset])
@pytest.mark.parametrize("split", ["validation", "Train", "t10k", "", None])
def test_an_unknown_split_is_refused_with_the_choices(function, split):
    with pytest.raises(ArgumentError, match="split must be 'train' or 'test', got"):
        function(split)


def test_an_unknown_scale_is_refused_with_the_choices(published):
    with pytest.raises(ArgumentError, match=r"pixels must be 'unit' \(pixel / 255\) or 'raw' \(0 to 255\), got 255"):
        mnist("test", pixels=255, folders=[published])


WRONG = {
    "images of another shape": (
        "images-idx3",
        np.zeros((3, 28, 27), np.uint8),
        r"\(n, 28, 28\), found uint8 of .*27\)",
    ),
    "images of another dtype": ("images-idx3", np.zeros((3, 28, 28), np.int16), "found int16"),
    "no images": ("images-idx3", np.zeros((0, 28, 28), np.uint8), r"found uint8 of shape \(0, 28, 28\)"),
    "labels in the place of images": ("images-idx3", np.zeros(3, np.uint8), r"found uint8 of shape \(3,\)"),
    "too few labels": ("labels-idx1", np.zeros(2, np.uint8), r"for each of 3 images, found uint8 of shape \(2,\)"),
    "labels of another dtype": ("labels-idx1", np.zeros(3, np.float32), r"found float32 of shape \(3,\)"),
    "letters": ("labels-idx1", np.array([1, 26, 2], np.uint8), "does not hold digits: .* found 26"),
}


@pytest.mark.parametrize("name", WRONG)
def test_files_that_are_not_of_mnist_or_do_not_go_together_are_refused_by_name(published, name):
    content, array, message = WRONG[name]
    path = published / "mnist" / f"t10k-{content}-ubyte.gz"
    write_idx(path, array)
    with pytest.raises(DataError, match=message) as caught:
        mnist("test", folders=[published])
    assert repr(str(path)) in str(caught.value)
    assert len(mnist("train", folders=[published])[0]) == ROWS["train"]


def test_the_whole_set_has_both_splits_the_shape_and_digits_as_class_names(published):
    digits = load("mnist", folders=[published])
    assert (digits.name, digits.image_shape, digits.class_names) == ("mnist", (28, 28), tuple("0123456789"))
    assert np.array_equal(digits.train[1], labels_of("train"))
    assert np.array_equal(digits.test[0], mnist("test", folders=[published])[0])
