"""Damaged files: whatever is done to the bytes, the reader gives the array that they spell, or DataError."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_lite.data import read_idx
from tinygrad_lite.errors import DataError

from .idx_content import FORMATS, assert_identical, decode, encode, peak_memory
from .mutations import mutate, mutations

arrays = hnp.arrays(st.sampled_from(sorted(FORMATS)), hnp.array_shapes(max_dims=3, max_side=6))


def assert_read_right_or_refused(content: bytes) -> None:
    expected = decode(content)
    if expected is None:
        with pytest.raises(DataError):
            read_idx(content)
    else:
        assert_identical(read_idx(content), expected)


@settings(max_examples=400, deadline=None)
@given(array=arrays, changes=mutations)
def test_a_mutated_plain_file_is_read_right_or_refused_in_bounded_memory(array, changes):
    content = mutate(encode(array), changes)
    assert_read_right_or_refused(content)
    assert peak_memory(lambda: read_idx(content)) < 600_000


@settings(max_examples=400, deadline=None)
@given(array=arrays, changes=mutations)
def test_a_mutated_gzip_file_is_read_right_or_refused_in_bounded_memory(array, changes):
    content = mutate(gzip.compress(encode(array), mtime=0), changes)
    assert_read_right_or_refused(content)
    assert peak_memory(lambda: read_idx(content)) < 600_000


@settings(max_examples=400, deadline=None)
@given(array=arrays, changes=mutations)
def test_gzip_of_a_mutated_file_is_read_right_or_refused_in_bounded_memory(array, changes):
    content = gzip.compress(mutate(encode(array), changes), mtime=0)
    assert_read_right_or_refused(content)
    assert peak_memory(lambda: read_idx(content)) < 600_000


@given(content=st.binary(max_size=200))
def test_any_bytes_after_a_right_magic_are_read_right_or_refused(content):
    for code, _ in FORMATS.values():
        assert_read_right_or_refused(bytes([0, 0, code]) + content)
