import gzip
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lite.data import idx, read_idx
from tinygrad_lite.errors import DataError

from .idx_content import FORMATS, assert_identical, decode, encode, header, peak_memory

KILOBYTES, MEGABYTES = 1 << 10, 1 << 20
LABELS = header(0x08, 3) + bytes([5, 0, 4])


def example_of(dtype: str) -> np.ndarray:
    return (np.arange(24).reshape(2, 3, 4) * 5 - 3).astype(dtype)


@pytest.fixture(params=["plain", "gzip"])
def pack(request):
    return gzip.compress if request.param == "gzip" else bytes


def a_file(folder: Path, content: bytes) -> Path:
    path = folder / "digits"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("dtype", FORMATS)
def test_every_dtype_of_the_format_is_read_from_a_path_and_from_bytes(tmp_path, pack, dtype):
    content = pack(encode(example_of(dtype)))
    path = a_file(tmp_path, content)
    for source in [content, path, str(path)]:
        assert_identical(read_idx(source), example_of(dtype))


@pytest.mark.parametrize("dtype", FORMATS)
def test_an_array_read_is_native_contiguous_owned_and_writable(pack, dtype):
    array = read_idx(pack(encode(example_of(dtype))))
    assert array.dtype.isnative
    assert array.flags.c_contiguous
    assert array.flags.owndata
    assert array.flags.writeable
    array[...] = 0


def test_gzip_is_told_by_the_content_and_not_by_the_suffix(tmp_path):
    (tmp_path / "plain.gz").write_bytes(LABELS)
    (tmp_path / "packed").write_bytes(gzip.compress(LABELS))
    assert read_idx(tmp_path / "plain.gz").tolist() == [5, 0, 4]
    assert read_idx(tmp_path / "packed").tolist() == [5, 0, 4]


def test_gzip_of_several_members_is_one_file():
    assert read_idx(gzip.compress(LABELS[:9]) + gzip.compress(LABELS[9:])).tolist() == [5, 0, 4]


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,) * 64])
def test_scalars_empty_arrays_and_64_dimensions_are_read(pack, shape):
    assert_identical(read_idx(pack(encode(np.ones(shape, np.int16)))), np.ones(shape, np.int16))


@pytest.mark.parametrize("payload", [0x7FC00001, 0xFFC12345, 0x7F800000, 0x80000000, 0x00000001])
def test_nan_payloads_infinities_and_signed_zeros_keep_their_bits(payload):
    content = header(0x0D, 1) + struct.pack(">I", payload)
    assert read_idx(content).view(np.uint32).tolist() == [payload]


@pytest.mark.parametrize("length", range(len(LABELS)))
def test_a_file_cut_short_anywhere_is_refused(pack, length):
    with pytest.raises(DataError, match=r"cut short: expected .*, found .*fetch"):
        read_idx(pack(LABELS[:length]))


@pytest.mark.parametrize("length", range(2, len(gzip.compress(LABELS))))
def test_gzip_cut_short_anywhere_is_refused(length):
    with pytest.raises(DataError, match=r"corrupt gzip: .*fetch"):
        read_idx(gzip.compress(LABELS)[:length])


def test_the_refusal_of_a_short_file_names_the_file_the_expectation_and_the_finding(tmp_path):
    path = a_file(tmp_path, header(0x0C, 10, 2) + bytes(79))
    with pytest.raises(DataError) as caught:
        read_idx(path)
    for part in [repr(str(path)), "expected 80 bytes", "int32 values of shape (10, 2)", "found 79", "fetch the file"]:
        assert part in str(caught.value)


@pytest.mark.parametrize("extra", [b"\0", b"and more" * 10_000])
def test_trailing_bytes_are_refused(pack, extra):
    with pytest.raises(DataError, match=r"longer than its header says: expected 3 bytes .*remove what was appended"):
        read_idx(pack(LABELS + extra))


@pytest.mark.parametrize("start", [b"\0\1\x08\1", b"\1\0\x08\1", b"PK\3\4", b"<htm", b"P", b"\1"])
def test_a_file_that_does_not_start_with_two_zero_bytes_is_refused(pack, start):
    with pytest.raises(DataError, match=f"not an IDX file: expected two zero bytes .*found {start[:2].hex(' ')}"):
        read_idx(pack(start))


@pytest.mark.parametrize("code", sorted(set(range(256)) - {code for code, _ in FORMATS.values()}))
def test_every_dtype_code_that_idx_has_not_is_refused_with_the_list(code):
    with pytest.raises(DataError, match=rf"one of uint8 \(0x08\).*float64 \(0x0E\), found 0x{code:02X}"):
        read_idx(header(code, 1) + bytes(8))


@pytest.mark.parametrize("dimensions", [65, 255])
def test_more_dimensions_than_numpy_has_are_refused(dimensions):
    with pytest.raises(DataError, match=f"claims {dimensions} dimensions: expected at most 64"):
        read_idx(header(0x08, *[1] * dimensions) + b"\0")


@pytest.mark.parametrize("sizes", [(0, 2**32 - 1, 2**32 - 1), (2**32 - 1, 2**32 - 1, 0), (2**32 - 1,) * 64])
def test_sizes_that_numpy_cannot_count_are_refused_even_if_another_is_zero(pack, sizes):
    with pytest.raises(DataError, match="not to be trusted"):
        read_idx(pack(header(0x08, *sizes)))


def test_the_largest_empty_shape_that_numpy_can_count_is_read():
    assert read_idx(header(0x08, 0, 2**32 - 1, 2**31)).shape == (0, 2**32 - 1, 2**31)
    with pytest.raises(DataError, match="not to be trusted"):
        read_idx(header(0x0B, 0, 2**32 - 1, 2**31))


@pytest.mark.parametrize("at", range(10, len(gzip.compress(LABELS))))
def test_a_flipped_byte_in_gzip_data_or_checksum_is_refused(at):
    content = bytearray(gzip.compress(LABELS))
    content[at] ^= 0xFF
    assert decode(bytes(content)) is None
    with pytest.raises(DataError, match="content given as bytes"):
        read_idx(bytes(content))


def test_what_follows_gzip_and_is_not_gzip_is_refused():
    with pytest.raises(DataError, match="corrupt gzip"):
        read_idx(gzip.compress(LABELS) + b"tail")


def test_a_missing_file_is_refused_with_its_path_and_from_the_original_error(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file or directory; check the path") as caught:
        read_idx(tmp_path / "nowhere.gz")
    assert repr(str(tmp_path / "nowhere.gz")) in str(caught.value)
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path)


def test_an_open_file_number_is_not_a_source():
    with pytest.raises(TypeError):
        read_idx(0)


def test_a_file_that_shrinks_between_the_two_readings_is_refused(tmp_path, monkeypatch):
    path = a_file(tmp_path, header(0x08, MEGABYTES) + bytes(MEGABYTES))
    check_length = idx._check_length

    def check_and_shrink(*arguments):
        check_length(*arguments)
        os.truncate(path, 1000)

    monkeypatch.setattr(idx, "_check_length", check_and_shrink)
    with pytest.raises(DataError, match="became shorter while it was read"):
        read_idx(path)


@pytest.mark.parametrize("sizes", [(100, 10**9), (2**32 - 1,), (2**31, 2**31), (60_000, 28, 28)])
def test_a_header_that_claims_more_than_the_file_holds_is_refused_without_allocating_it(tmp_path, pack, sizes):
    path = a_file(tmp_path, pack(header(0x08, *sizes) + bytes(1000)))
    with pytest.raises(DataError, match=r"cut short.*found 1000"):
        read_idx(path)
    assert peak_memory(lambda: read_idx(path)) < 400 * KILOBYTES


def test_a_gzip_bomb_under_a_header_that_claims_still_more_stays_packed(tmp_path):
    path = a_file(tmp_path, gzip.compress(header(0x08, 100, 10**9) + bytes(64 * MEGABYTES), compresslevel=1))
    with pytest.raises(DataError, match=f"found {64 * MEGABYTES}"):
        read_idx(path)
    assert peak_memory(lambda: read_idx(path)) < 600 * KILOBYTES


def test_a_gzip_bomb_longer_than_its_header_says_is_left_at_the_first_byte_too_many(tmp_path):
    packer = zlib.compressobj(1, wbits=31)
    without_end = packer.compress(LABELS + bytes(64 * MEGABYTES)) + packer.flush(zlib.Z_SYNC_FLUSH)
    path = a_file(tmp_path, without_end)
    # Whoever unpacked the whole bomb would meet its missing end, and call it corrupt gzip.
    with pytest.raises(DataError, match="longer than its header says"):
        read_idx(path)
    assert peak_memory(lambda: read_idx(path)) < 600 * KILOBYTES


def test_a_sane_file_is_read_into_its_own_size_of_memory(tmp_path, pack):
    path = a_file(tmp_path, pack(header(0x0E, 1024, 1024) + bytes(8 * MEGABYTES)))
    assert read_idx(path).nbytes == 8 * MEGABYTES
    assert 8 * MEGABYTES <= peak_memory(lambda: read_idx(path)) < 9 * MEGABYTES
