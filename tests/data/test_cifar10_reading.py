import os
import pickle

import numpy as np
import pytest

from tinygrad_lite.data import cifar10, load
from tinygrad_lite.data.cifar10_files import read_binary_batch, read_python_batch
from tinygrad_lite.errors import ArgumentError, DataError

from .cifar10_content import (
    NAMES,
    binary_batch,
    images_of,
    labels_of,
    python_2_batch,
    python_batch,
    write_binary,
    write_python,
)

BINARY, PYTHON = "cifar-10-batches-bin", "cifar-10-batches-py"


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch, tmp_path_factory):
    monkeypatch.delenv("TINYGRAD_LITE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data_batch_1"


@pytest.fixture(params=["binary", "python"])
def published(request, tmp_path):
    if request.param == "binary":
        write_binary(tmp_path / BINARY)
    else:
        write_python(tmp_path / PYTHON)
    return tmp_path


def assert_batch(found, images, labels):
    assert found[0].dtype == np.uint8
    assert found[1].dtype == np.int64
    assert np.array_equal(found[0], images)
    assert found[1].tolist() == labels


def test_training_images_are_the_five_batches_in_their_order(published):
    x, t = cifar10("train", folders=[published])
    assert x.dtype == np.float32
    assert t.dtype == np.int64
    images = np.concatenate([images_of(2, seed) for seed in range(1, 6)])
    assert np.array_equal(x, images.astype(np.float32) / np.float32(255))
    assert t.tolist() == [label for seed in range(1, 6) for label in labels_of(2, seed)]


def test_test_images_are_the_one_batch_of_them(published):
    x, t = cifar10("test", folders=[published])
    assert np.array_equal(x, images_of(2, 6).astype(np.float32) / np.float32(255))
    assert t.tolist() == labels_of(2, 6)


def test_raw_pixels_are_0_to_255_as_float32(published):
    x, _ = cifar10("test", pixels="raw", folders=[published])
    assert x.dtype == np.float32
    assert np.array_equal(x, images_of(2, 6))


def test_images_and_labels_are_the_callers_to_write_to(published):
    for array in cifar10("test", folders=[published]):
        assert array.flags.owndata
        assert array.flags.c_contiguous
        array[...] = 7
    assert cifar10("test", folders=[published])[0].max() <= 1


def test_the_binary_layout_goes_before_the_python_layout_of_the_same_folder(tmp_path):
    write_binary(tmp_path / BINARY)
    write_python(tmp_path / PYTHON, rows=3)
    assert len(cifar10("test", folders=[tmp_path])[0]) == 2


def test_an_incomplete_binary_layout_leaves_the_python_layout(tmp_path):
    write_binary(tmp_path / BINARY)
    write_python(tmp_path / PYTHON, rows=3)
    (tmp_path / BINARY / "data_batch_3.bin").unlink()
    assert len(cifar10("train", folders=[tmp_path])[0]) == 15
    assert len(cifar10("test", folders=[tmp_path])[0]) == 2


def test_an_earlier_folder_goes_before_the_binary_layout_of_a_later_one(tmp_path):
    write_python(tmp_path / "first" / PYTHON, rows=3)
    write_binary(tmp_path / "second" / BINARY)
    assert len(cifar10("test", folders=[tmp_path / "first", tmp_path / "second"])[0]) == 3


@pytest.mark.parametrize("split", ["validation", "Train", "", None])
def test_an_unknown_split_is_refused_with_the_choices(published, split):
    with pytest.raises(ArgumentError, match="split must be 'train' or 'test', got"):
        cifar10(split, folders=[published])


def test_an_unknown_scale_is_refused_with_the_choices(published):
    with pytest.raises(
        ArgumentError, match=r"pixels must be 'unit' \(pixel / 255\) or 'raw' \(0 to 255\), got 'float'"
    ):
        cifar10("test", pixels="float", folders=[published])


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_any_whole_number_of_binary_records_is_read(path, rows):
    path.write_bytes(binary_batch(images_of(rows), labels_of(rows)))
    assert_batch(read_binary_batch(path), images_of(rows), labels_of(rows))


@pytest.mark.parametrize("length", [0, 1, 3072, 3074, 2 * 3073 - 1])
def test_another_size_than_of_whole_records_is_refused(path, length):
    path.write_bytes(bytes(length))
    with pytest.raises(DataError, match=rf"a positive multiple of 3073 bytes, found {length}; fetch") as caught:
        read_binary_batch(path)
    assert repr(str(path)) in str(caught.value)


def test_a_label_beyond_9_is_refused_with_its_record(path):
    path.write_bytes(binary_batch(images_of(5), [3, 9, 0, 10, 255]))
    with pytest.raises(
        DataError, match="has the label 10 in record 3, counted from 0: expected 0 to 9; fetch"
    ) as caught:
        read_binary_batch(path)
    assert repr(str(path)) in str(caught.value)


def test_the_bytes_of_python_2_are_read(path):
    path.write_bytes(python_2_batch(images_of(3), labels_of(3)))
    assert_batch(read_python_batch(path), images_of(3), labels_of(3))


@pytest.mark.parametrize("keys", [bytes, str])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_python_3_writes_is_read_in_every_protocol(path, protocol, keys):
    path.write_bytes(python_batch(images_of(3), labels_of(3), protocol, keys))
    assert_batch(read_python_batch(path), images_of(3), labels_of(3))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_labels_in_an_array_are_read(path, dtype):
    path.write_bytes(python_batch(images_of(3), np.array(labels_of(3), dtype)))
    assert_batch(read_python_batch(path), images_of(3), labels_of(3))


WRONG = {
    "pixels that are missing": ({"labels": [1]}, "found NoneType among the keys"),
    "pixels that are a list": ({"data": [1], "labels": [1]}, "found a list of 1 among"),
    "pixels of another dtype": (
        {"data": images_of(1).astype(np.int16), "labels": [1]},
        r"found int16 of shape \(1, 3072\)",
    ),
    "pixels of another shape": (
        {"data": images_of(2)[:, :3071], "labels": [1, 2]},
        r"found uint8 of shape \(2, 3071\)",
    ),
    "labels of CIFAR-100": ({"data": images_of(1), "fine_labels": [1]}, "CIFAR-10, and not CIFAR-100"),
    "too few labels": ({"data": images_of(2), "labels": [1]}, "expected 'labels' of 2 integers, found a list of 1"),
    "labels of text": ({"data": images_of(1), "labels": ["a"]}, "expected 'labels' of 1 integers"),
    "labels of truth": ({"data": images_of(1), "labels": [True]}, "expected 'labels' of 1 integers"),
    "a label beyond 9": ({"data": images_of(2), "labels": [1, 10]}, "the label 10 in record 1"),
    "a label below 0": ({"data": images_of(2), "labels": [-1, 1]}, "the label -1 in record 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_pickle_of_something_else_is_refused_with_what_was_found(path, name):
    value, message = WRONG[name]
    path.write_bytes(pickle.dumps(value, 4))
    with pytest.raises(DataError, match=message) as caught:
        read_python_batch(path)
    assert repr(str(path)) in str(caught.value)


def test_a_pickle_longer_than_any_of_cifar10_is_refused_before_it_is_read(path):
    with open(path, "wb") as file:
        file.truncate((80 << 20) + 1)
    with pytest.raises(DataError, match=f"too long: expected at most {80 << 20} bytes, found {(80 << 20) + 1}; fetch"):
        read_python_batch(path)


@pytest.mark.parametrize("read", [read_binary_batch, read_python_batch])
def test_a_file_that_cannot_be_read_is_a_data_error_from_the_original(path, read):
    with pytest.raises(DataError, match="cannot be read: No such file or directory; check the path") as caught:
        read(path)
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_the_whole_set_has_both_splits_the_shape_and_the_known_class_names(published):
    cifar = load("cifar10", folders=[published])
    assert cifar.name == "cifar10"
    assert cifar.train[0].shape == (10, 3072)
    assert cifar.test[0].shape == (2, 3072)
    assert cifar.image_shape == (3, 32, 32)
    assert cifar.class_names == NAMES


OTHER_NAMES = tuple(f"class{number}" for number in range(10))


def write_names(folder, names):
    if (folder / BINARY).is_dir():
        (folder / BINARY / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    else:
        content = pickle.dumps({b"label_names": [name.encode() for name in names], b"num_vis": 3072}, 2)
        (folder / PYTHON / "batches.meta").write_bytes(content)


def test_class_names_are_those_in_the_file_beside_the_images(published):
    write_names(published, OTHER_NAMES)
    assert load("cifar10", folders=[published]).class_names == OTHER_NAMES


@pytest.mark.parametrize("names", [OTHER_NAMES[:9], (*OTHER_NAMES, "one more"), ()])
def test_another_number_of_class_names_is_refused(published, names):
    write_names(published, names)
    with pytest.raises(DataError, match=r"batches.meta.* does not name the classes of CIFAR-10: expected 10 names"):
        load("cifar10", folders=[published])


def test_class_names_that_are_no_names_are_refused(tmp_path):
    write_python(tmp_path / PYTHON)
    for names in (None, list(range(10)), [""] * 10):
        (tmp_path / PYTHON / "batches.meta").write_bytes(pickle.dumps({"label_names": names}, 2))
        with pytest.raises(DataError, match="does not name the classes"):
            load("cifar10", folders=[tmp_path])


def test_the_byte_that_crashes_numpys_own_unpickling_is_refused(path):
    content = python_2_batch(images_of(2), labels_of(2))
    at = content.index(b"U\x01|NNNJ") + 5
    assert content[at : at + 1] == b"N"
    path.write_bytes(content[:at] + b"M" + content[at + 1 :])
    with pytest.raises(DataError):
        read_python_batch(path)


def test_nothing_of_the_reading_depends_on_the_working_folder(published, monkeypatch):
    monkeypatch.chdir(published.parent)
    assert len(cifar10("test", folders=os.path.relpath(published))[0]) == 2
