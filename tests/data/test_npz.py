import io
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest

from tinygrad_lite.data import load, npz
from tinygrad_lite.errors import ArgumentError, DataError

from .idx_content import peak_memory

KILOBYTES, MEGABYTES = 1 << 10, 1 << 20
RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (7, 4, 3), np.uint8)
T = RNG.integers(0, 10, 7)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "own.npz"


def arrays(**changes):
    whole = {"x_train": X, "t_train": T, "x_test": X[:2], "t_test": T[:2]} | changes
    return {key: array for key, array in whole.items() if array is not None}


def refused(path, message, content=None):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load("npz", path=path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_become_rows_whose_shape_is_remembered(path, save):
    save(path, **arrays())
    own = load("npz", path=path)
    assert (own.name, own.image_shape, own.class_names) == ("own", (4, 3), None)
    assert own.train[0].dtype == np.float32
    assert np.array_equal(own.train[0], X.reshape(7, 12).astype(np.float32) / np.float32(255))
    assert np.array_equal(own.train[1], T)
    assert np.array_equal(own.test[0], own.train[0][:2])
    assert np.array_equal(own.test[1], T[:2])


def test_raw_pixels_are_0_to_255_as_float32(path):
    np.savez(path, **arrays())
    x, _ = load("npz", path=path, pixels="raw").train
    assert x.dtype == np.float32
    assert np.array_equal(x, X.reshape(7, 12))


def test_targets_may_be_called_y_as_keras_calls_them(path):
    np.savez(path, x_train=X, y_train=T, x_test=X[:2], y_test=T[:2])
    assert np.array_equal(load("npz", path=path).train[1], T)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4", ">f8"])
def test_floats_keep_their_dtype_in_native_order_and_are_not_divided(path, dtype):
    x = (X.reshape(7, 12) * 3.0).astype(dtype)
    np.savez(path, **arrays(x_train=x, x_test=x[:2]))
    own = load("npz", path=path)
    assert own.train[0].dtype == np.dtype(dtype).newbyteorder("=")
    assert own.train[0].flags.owndata or own.train[0].base.flags.owndata
    assert np.array_equal(own.train[0], x)
    assert own.image_shape is None


def test_rows_of_bytes_are_pixels_without_an_image_shape(path):
    np.savez(path, **arrays(x_train=X.reshape(7, 12), x_test=X[:2].reshape(2, 12)))
    own = load("npz", path=path)
    assert own.image_shape is None
    assert own.train[0].max() <= 1


@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", ">i4", "<i8", "<u8"])
def test_integer_labels_become_int64(path, dtype):
    np.savez(path, **arrays(t_train=T.astype(dtype), t_test=T[:2].astype(dtype)))
    t = load("npz", path=path).train[1]
    assert t.dtype == np.int64
    assert np.array_equal(t, T)


@pytest.mark.parametrize("shape", [(7,), (7, 3)])
def test_targets_of_floats_keep_their_dtype_and_shape(path, shape):
    t = RNG.normal(size=shape).astype(np.float32)
    np.savez(path, **arrays(t_train=t, t_test=t[:2]))
    assert load("npz", path=path).train[1].dtype == np.float32
    assert np.array_equal(load("npz", path=path).train[1], t)


def test_an_array_saved_column_by_column_is_read_right(path):
    np.savez(path, **arrays(x_train=np.asfortranarray(X), x_test=np.asfortranarray(X[:2])))
    own = load("npz", path=path, pixels="raw")
    assert np.array_equal(own.train[0], X.reshape(7, 12))
    assert own.train[0].flags.c_contiguous


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_numpys_format_is_read(path, version):
    with zipfile.ZipFile(path, "w") as archive:
        for key, array in arrays().items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, version)
            archive.writestr(f"{key}.npy", content.getvalue())
    assert np.array_equal(load("npz", path=path).train[1], T)


def test_other_arrays_in_the_file_are_left_alone(path):
    np.savez(path, **arrays(), names=np.array(["zero", "one"]), notes=np.array([{}], object))
    assert np.array_equal(load("npz", path=path).train[1], T)


@pytest.mark.parametrize("key", ["x_train", "t_train", "x_test", "t_test"])
def test_an_array_that_is_missing_is_named_with_what_was_found(path, key):
    np.savez(path, **arrays(**{key: None}))
    told = refused(path, f"must hold one array called {key}")
    for part in [
        "holds 0: expected x_train, t_train, x_test and t_test, all four",
        "np.savez_compressed(path, x_train=…",
    ]:
        assert part in told
    assert f"found {', '.join(arrays(**{key: None}))};" in told


def test_targets_under_both_names_are_refused(path):
    np.savez(path, **arrays(y_train=T))
    refused(path, "must hold one array called t_train or y_train, and holds 2")


WRONG = {
    "inputs of whole numbers": (
        {"x_train": X.astype(np.int64)},
        r"holds x_train int64 \(7, 4, 3\).*astype\('float32'\)",
    ),
    "inputs of one axis": ({"x_train": np.zeros(7)}, r"x_train float64 \(7,\).*expected x_train \(n, …\)"),
    "inputs that are a scalar": ({"x_train": np.zeros(())}, r"has the shape \(\)"),
    "no rows": ({"x_train": X[:0], "t_train": T[:0]}, r"has the shape \(0, 4, 3\): expected one or more rows"),
    "too few labels": ({"t_train": T[:6]}, r"t_train int64 \(6,\): expected t_train of 7 integer labels"),
    "a column of labels": ({"t_test": T[:2, None]}, r"t_test int64 \(2, 1\).*\.ravel\(\) makes a column"),
    "targets of three axes": ({"t_train": np.zeros((7, 1, 1))}, "expected t_train of 7 integer labels"),
    "unlike images": (
        {"x_test": X[:2, :3]},
        r"test rows unlike its training rows: .*\(7, 4, 3\).*\(2, 3, 3\).*prepare both",
    ),
    "unlike dtypes": ({"x_test": X[:2] / 255}, "test rows unlike its training rows: .*uint8.*float64"),
    "unlike targets": ({"t_test": T[:2] / 2}, "test rows unlike its training rows"),
    "a label beyond int64": (
        {"t_train": T.astype(np.uint64) + np.uint64(2**63)},
        "label 92233720368547758.*beyond int64",
    ),
    "labels of text": ({"t_train": T.astype(str)}, "header that is not a plain array's|has the dtype '<U"),
    "labels of truth": ({"t_train": T > 5}, "has the dtype '|b1': expected integers or floats; convert"),
    "complex inputs": ({"x_train": X * 1j}, "has the dtype '<c16'"),
    "records": ({"t_train": np.zeros(7, "i4,f4")}, "header that is not a plain array's.*found \".*descr"),
    "objects": ({"t_train": T.astype(object)}, "dtype '|O': expected integers or floats; nothing pickled is read"),
}


@pytest.mark.parametrize("name", WRONG)
def test_arrays_that_are_no_data_set_are_refused_with_what_was_found(path, name):
    changes, message = WRONG[name]
    np.savez(path, **arrays(**changes))
    refused(path, message)


def test_nothing_pickled_is_read(path):
    class Runs:
        def __reduce__(self):
            return (pytest.fail, ("it ran",))

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (7,)})
    np.savez(path, **arrays(t_train=None))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("t_train.npy", header.getvalue() + pickle.dumps(Runs()))
    refused(path, "nothing pickled is read")


def with_entry(path, key, content, compression=zipfile.ZIP_DEFLATED):
    np.savez(path, **arrays(**{key: None}))
    with zipfile.ZipFile(path, "a", compression) as archive:
        archive.writestr(f"{key}.npy", content)


BODY = X.tobytes()


def npy(descr="'|u1'", shape="(7, 4, 3)", body=BODY, start=b"\x93NUMPY\1\0", more=""):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, {more}}}\n".encode()
    return start + struct.pack("<H", len(header)) + header + body


HEADERS = {
    "a right one": (npy(), None),
    "another format": (npy(start=b"\x93NUMPX\1\0"), "not an array in NumPy's format"),
    "a later version": (npy(start=b"\x93NUMPY\4\0"), "not an array in NumPy's format, version 1 to 3"),
    "a cut one": (npy()[:20], "header that is not a plain array's"),
    "nothing": (b"", "not an array in NumPy's format"),
    "a long one": (npy(more=" " * 5000), "a header of 50.. bytes: expected at most 4096"),
    "a fourth field": (npy(more="'more': 1"), "not a plain array's"),
    "a shape twice": (npy(more="'shape': (1,)"), "not a plain array's"),
    "an expression": (npy(shape="(7*1, 4, 3)"), "not a plain array's"),
    "a call": (npy(shape="print('x')"), "not a plain array's"),
    "a size below zero": (npy(shape="(-7, 4, 3)"), "not a plain array's"),
    "a shape without commas": (npy(shape="(7 4, 3)"), "not a sound NPZ file"),
    "brackets within brackets": (npy(shape="(" * 3000), "not a plain array's"),
    "a dtype that numpy has not": (npy(descr="'<f3'"), "has the dtype '<f3'"),
    "too many sizes": (npy(shape=f"({'1, ' * 66})", body=b"\0"), "not a sound NPZ file|not what its header says"),
    "fewer bytes": (npy(body=X.tobytes()[:-1]), r"expected 84 bytes for uint8 of shape \(7, 4, 3\), found 83"),
    "more bytes": (npy(body=X.tobytes() + b"\0"), "expected 84 bytes .* found 85"),
    "a billion rows": (npy(shape="(1000000000, 4, 3)"), "expected 12000000000 bytes .* found 84"),
    "a size beyond all numbers": (npy(shape="(" + "9" * 190 + ", 4)"), "is not what its header says"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_is_believed_only_if_the_file_bears_it_out(path, name):
    content, message = HEADERS[name]
    with_entry(path, "x_train", content)
    if message is None:
        assert np.array_equal(load("npz", path=path, pixels="raw").train[0], X.reshape(7, 12))
    else:
        refused(path, message)
        assert peak_memory(lambda: load("npz", path=path)) < 500 * KILOBYTES


def test_a_zip_bomb_is_refused_before_anything_is_allocated(path, monkeypatch):
    monkeypatch.setattr(npz, "MOST_BYTES", 64 * MEGABYTES)
    rows = 17 * MEGABYTES
    with_entry(path, "x_train", npy(shape=f"({rows}, 1)", body=bytes(rows)))
    assert path.stat().st_size < 100 * KILOBYTES
    refused(path, f"needs {4 * rows + 56 + 4 * 24 + 16} bytes of memory: expected at most {64 * MEGABYTES}")
    assert peak_memory(lambda: load("npz", path=path)) < 500 * KILOBYTES


def renumbered(path, field, value):
    """Write a number over one of the list's entry for x_train, which is the last in the file."""
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\1\2") + {"packed": 20, "unpacked": 24}[field]
    content[at : at + 4] = struct.pack("<I", value)
    path.write_bytes(content)


def test_a_list_of_entries_that_lies_in_step_with_a_header_is_refused(path):
    claimed = 2**32 - 1000
    content = npy(shape=f"({claimed}, 1)", body=bytes(100))
    with_entry(path, "x_train", content)
    renumbered(path, "unpacked", claimed + len(content) - 100)
    refused(path, "is not what its header says: .* said to be packed into")
    renumbered(path, "packed", 2**31)
    refused(path, "is not what its header says: .* said to be packed into")
    assert peak_memory(lambda: load("npz", path=path)) < 500 * KILOBYTES


def test_a_list_of_entries_that_is_too_long_is_not_read(path):
    np.savez(path, **arrays())
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(20_000):
            archive.writestr(f"{number:050}.npy", b"")
    refused(path, "claims a list of entries of 1..0... bytes: expected four arrays|claims a list of entries")
    assert peak_memory(lambda: load("npz", path=path)) < 500 * KILOBYTES


def test_a_wrong_checksum_is_refused(path):
    np.savez(path, **arrays())
    content = path.read_bytes()
    at = content.index(X.tobytes())
    refused(path, "not a sound NPZ file: .*CRC", content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


def test_an_encrypted_entry_is_refused(path):
    np.savez(path, **arrays())
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    refused(path, "x_train encrypted or packed in a way of its own", bytes(content))


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_entry_packed_by_another_method_than_numpys_is_refused(path, compression):
    with_entry(path, "x_train", npy(), compression)
    refused(path, "x_train encrypted or packed in a way of its own; write it by np.savez_compressed")


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"PK\5\6" + bytes(18), b"\x93NUMPY\1\0", b"<html>", zlib.compress(b"x")]
)
def test_what_is_no_archive_of_four_arrays_is_refused(path, content):
    refused(path, "not a sound NPZ file|must hold one array", content)


def test_a_missing_file_is_a_data_error_from_the_original(path):
    with pytest.raises(DataError, match="cannot be read: No such file or directory; check the path") as caught:
        load("npz", path=path)
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    refused(path.parent, "cannot be read")


def test_a_path_goes_with_npz_and_with_nothing_else(path):
    with pytest.raises(ArgumentError, match="path= names the file of the data set 'npz' and of no other"):
        load("npz")
    with pytest.raises(ArgumentError, match="path= names the file"):
        load("mnist-subset", path=path)
    with pytest.raises(ArgumentError, match="pixels must be"):
        load("npz", path=path, pixels="bytes")
