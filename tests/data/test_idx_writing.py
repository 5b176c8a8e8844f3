import gzip
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_lite.data import read_idx, write_idx
from tinygrad_lite.errors import ArgumentError

from .idx_content import FORMATS, assert_identical, encode

LABELS = np.array([5, 0, 4], np.uint8)

arrays_idx_has = hnp.arrays(
    st.sampled_from(sorted(FORMATS)), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
)


@given(array=arrays_idx_has, suffix=st.sampled_from(["", ".gz", ".idx"]), order=st.sampled_from("<>"))
def test_any_array_of_an_idx_dtype_survives_the_round_trip_bit_for_bit(tmp_path_factory, array, suffix, order):
    path = tmp_path_factory.mktemp("idx") / f"array{suffix}"
    write_idx(path, array.astype(array.dtype.newbyteorder(order)))
    assert_identical(read_idx(path), array)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3, 4)])
def test_the_bytes_are_those_of_the_format(tmp_path, dtype, shape):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    write_idx(tmp_path / "plain", array)
    write_idx(tmp_path / "packed.gz", array)
    assert (tmp_path / "plain").read_bytes() == encode(array)
    assert gzip.decompress((tmp_path / "packed.gz").read_bytes()) == encode(array)


def test_transposed_and_strided_arrays_are_written_in_c_order(tmp_path):
    array = np.arange(24, dtype=np.int32).reshape(4, 6)
    for view in [array.T, array[::-1, ::2], np.broadcast_to(array[0], (3, 6))]:
        write_idx(tmp_path / "view", view)
        assert_identical(read_idx(tmp_path / "view"), view)


def test_the_same_array_gives_the_same_gzip_bytes_at_any_time_and_under_any_name(tmp_path, monkeypatch):
    write_idx(tmp_path / "one.gz", LABELS)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_idx(tmp_path / "another-name.gz", LABELS)
    content = (tmp_path / "one.gz").read_bytes()
    assert content == (tmp_path / "another-name.gz").read_bytes()
    assert content[3] == 0, "flags: no name, no comment"
    assert content[4:8] == bytes(4), "no time"
    assert content[8] == 2, "maximum compression"


@pytest.mark.parametrize("dtype", ["bool", "int64", "uint16", "uint32", "float16", "complex64", "U3", "object"])
def test_a_dtype_that_idx_has_not_is_refused_with_the_list_and_nothing_is_written(tmp_path, dtype):
    with pytest.raises(ArgumentError, match=r"IDX has no .*uint8 \(0x08\), int8 .*float64 \(0x0E\); convert first"):
        write_idx(tmp_path / "refused", np.zeros(3, dtype))
    assert list(tmp_path.iterdir()) == []


def test_a_size_beyond_32_bits_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match=f"at most {2**32 - 1}"):
        write_idx(tmp_path / "refused", np.empty((0, 2**32), np.uint8))
    write_idx(tmp_path / "largest", np.empty((0, 2**32 - 1), np.uint8))
    assert read_idx(tmp_path / "largest").shape == (0, 2**32 - 1)


@pytest.mark.parametrize("name", ["labels", "labels.gz"])
@pytest.mark.parametrize("step", ["os.fsync", "os.replace"])
@pytest.mark.parametrize("error", [OSError("the disk is full"), KeyboardInterrupt()], ids=["full disk", "Ctrl-C"])
def test_a_failure_before_the_end_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, name, step, error):
    write_idx(tmp_path / name, LABELS)
    before = (tmp_path / name).read_bytes()

    def fail(*_):
        raise error

    monkeypatch.setattr(step, fail)
    with pytest.raises(type(error)):
        write_idx(tmp_path / name, LABELS + 1)
    assert (tmp_path / name).read_bytes() == before
    assert os.listdir(tmp_path) == [name]


def test_a_failure_in_the_middle_of_the_values_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    write_idx(tmp_path / "labels.gz", LABELS)
    before = (tmp_path / "labels.gz").read_bytes()
    write, written = gzip.GzipFile.write, []

    def write_the_header_only(self, data):
        if written:
            raise OSError("the disk is full")
        written.append(data)
        return write(self, data)

    monkeypatch.setattr(gzip.GzipFile, "write", write_the_header_only)
    with pytest.raises(OSError, match="the disk is full"):
        write_idx(tmp_path / "labels.gz", LABELS + 1)
    assert len(written) == 1
    assert (tmp_path / "labels.gz").read_bytes() == before
    assert os.listdir(tmp_path) == ["labels.gz"]


def test_the_old_file_stands_until_a_whole_new_one_in_the_same_folder_replaces_it(tmp_path, monkeypatch):
    write_idx(tmp_path / "labels", LABELS)
    replace, seen = os.replace, []

    def watch(source, target):
        seen.append((source.parent, source.read_bytes(), target.read_bytes()))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watch)
    write_idx(tmp_path / "labels", LABELS + 1)
    assert seen == [(tmp_path, encode(LABELS + 1), encode(LABELS))]
    assert os.listdir(tmp_path) == ["labels"]
    assert read_idx(tmp_path / "labels").tolist() == [6, 1, 5]


def test_a_missing_folder_is_the_os_error_it_is(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_idx(tmp_path / "nowhere" / "labels", LABELS)


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "any").write_bytes(b"")
    write_idx(tmp_path / "labels", LABELS)
    assert (tmp_path / "labels").stat().st_mode == (tmp_path / "any").stat().st_mode
