"""Damaged NPZ files: each gives the arrays that NumPy reads from it, or DataError, in little memory and time."""

import io
import time
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_lite.data import load
from tinygrad_lite.errors import DataError

from .idx_content import peak_memory
from .mutations import mutate, mutations

RNG = np.random.default_rng(0)
X, T = RNG.integers(0, 256, (3, 2, 2), np.uint8), np.array([1, 0, 2])
KEYS = ("x_train", "t_train", "x_test", "t_test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    for name, save in (("plain", np.savez), ("packed", np.savez_compressed)):
        save(folder / f"{name}.npz", x_train=X, t_train=T, x_test=X[:1], t_test=T[:1])
    return folder


def numpys(path):
    """Return the four arrays as NumPy reads them, or None where it reads none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with zipfile.ZipFile(path) as archive:  # np.load stops at anything before the first entry
                return [np.lib.format.read_array(io.BytesIO(archive.read(f"{key}.npy"))) for key in KEYS]
    except Exception:  # whatever damage does to an archive, it holds no data set
        return None


def assert_right_or_refused(path):
    start = time.process_time()
    try:
        own = load("npz", path=path, pixels="raw")
    except DataError:
        own = None
    assert time.process_time() - start < 2
    assert peak_memory(lambda: load("npz", path=path)) < 300_000
    if own is not None:
        expected = numpys(path)
        assert expected is not None
        for array, right in zip([*own.train, *own.test], expected, strict=True):
            assert np.array_equal(array, right.reshape(array.shape))


@settings(max_examples=500)
@given(name=st.sampled_from(["plain", "packed"]), changes=mutations)
def test_a_mutated_archive_is_read_as_numpy_reads_it_or_refused(folder, name, changes):
    path = folder / "damaged.npz"
    path.write_bytes(mutate((folder / f"{name}.npz").read_bytes(), changes))
    assert_right_or_refused(path)


@pytest.mark.parametrize("name", ["plain", "packed"])
def test_an_archive_cut_short_anywhere_is_refused(folder, name):
    content, path = (folder / f"{name}.npz").read_bytes(), folder / "cut.npz"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            load("npz", path=path)


@pytest.mark.parametrize("name", ["plain", "packed"])
def test_one_bit_flipped_anywhere_is_found_or_harmless(folder, name):
    content, path = (folder / f"{name}.npz").read_bytes(), folder / "flipped.npz"
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :])
        try:
            own = load("npz", path=path, pixels="raw")
        except DataError:
            continue
        assert np.array_equal(own.train[0], X.reshape(3, 4))
        assert np.array_equal(own.train[1], T)
