"""Damaged files of CIFAR-10: each gives what it spells, or DataError, in little memory and time."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_lite.data.cifar10_files import read_binary_batch, read_python_batch
from tinygrad_lite.errors import DataError

from .cifar10_content import (
    binary_batch,
    decode_binary,
    decode_pickle,
    images_of,
    labels_of,
    python_2_batch,
    python_batch,
)
from .idx_content import peak_memory
from .mutations import mutate, mutations

ROWS = 2
BATCH = images_of(ROWS), labels_of(ROWS)
PICKLES = {
    "Python 2": python_2_batch(*BATCH),
    **{f"protocol {protocol}": python_batch(*BATCH, protocol) for protocol in (2, 3, 4, 5)},
    "text": python_batch(*BATCH, 4, str),
}
ENDS = st.one_of(st.integers(0, 300), st.integers(-200, -1))  # the instructions stand around the pixels


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged") / "batch"


def assert_right_or_refused(read, path, content, expected):
    path.write_bytes(content)
    start = time.process_time()
    if expected is None:
        with pytest.raises(DataError):
            read(path)
    else:
        try:
            images, labels = read(path)
        except DataError:
            return False
        assert np.array_equal(images, expected[0])
        assert np.array_equal(labels, expected[1])
    assert time.process_time() - start < 2
    return True


@settings(max_examples=500)
@given(changes=mutations)
def test_a_mutated_binary_batch_is_read_right_or_refused_in_bounded_memory(path, changes):
    content = mutate(binary_batch(*BATCH), changes)
    assert assert_right_or_refused(read_binary_batch, path, content, decode_binary(content))
    assert peak_memory(lambda: read_binary_batch(path)) < 200_000


@settings(max_examples=500)
@given(name=st.sampled_from(sorted(PICKLES)), changes=mutations)
def test_a_mutated_pickle_is_read_right_or_refused_in_bounded_memory(path, name, changes):
    content = mutate(PICKLES[name], changes)
    assert_right_or_refused(read_python_batch, path, content, decode_pickle(content))
    assert peak_memory(lambda: read_python_batch(path)) < 300_000


@settings(max_examples=500)
@given(name=st.sampled_from(sorted(PICKLES)), at=ENDS, byte=st.integers(0, 255))
def test_any_byte_in_the_place_of_an_instruction_gives_the_batch_that_it_spells_or_a_refusal(path, name, at, byte):
    content = bytearray(PICKLES[name])
    content[at] = byte
    assert_right_or_refused(read_python_batch, path, bytes(content), decode_pickle(bytes(content)))
    assert peak_memory(lambda: read_python_batch(path)) < 300_000


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_that_was_not_damaged_is_what_python_sees_in_it(path, name):
    expected = decode_pickle(PICKLES[name])
    assert expected is not None
    assert np.array_equal(expected[0], BATCH[0])
    assert assert_right_or_refused(read_python_batch, path, PICKLES[name], expected)


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_cut_short_near_either_end_is_refused(path, name):
    content = PICKLES[name]
    for length in [*range(300), *range(len(content) - 300, len(content))]:
        path.write_bytes(content[:length])
        with pytest.raises(DataError):
            read_python_batch(path)
