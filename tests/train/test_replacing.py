"""`files.replacing`: a file appears whole or not at all."""

import os
import stat

import pytest

from tinygrad_lite.files import replacing


@pytest.fixture
def path(tmp_path):
    return tmp_path / "note.txt"


def names_in(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_what_was_written_stands_in_the_file(path):
    with replacing(path) as file:
        file.write(b"one ")
        file.write(b"two")
    assert path.read_bytes() == b"one two"
    assert names_in(path.parent) == ["note.txt"]


def test_the_path_can_be_a_string(path):
    with replacing(str(path)) as file:
        file.write(b"x")
    assert path.read_bytes() == b"x"


def test_the_old_content_stands_until_the_end(path):
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_a_reader_of_the_old_file_keeps_reading_it(path):
    path.write_bytes(b"old")
    with path.open("rb") as reader, replacing(path) as file:
        file.write(b"new")
        assert reader.read() == b"old"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("old", [None, b"old"])
def test_an_error_leaves_everything_as_it_was(path, error, old):
    if old is not None:
        path.write_bytes(old)

    def fail_halfway():
        with replacing(path) as file:
            file.write(b"half of it")
            raise error

    with pytest.raises(error):
        fail_halfway()
    assert names_in(path.parent) == ([] if old is None else ["note.txt"])
    assert old is None or path.read_bytes() == old


def test_a_folder_that_is_not_there_is_told(path):
    missing = path.parent / "missing" / "note.txt"
    with pytest.raises(FileNotFoundError), replacing(missing) as file:
        file.write(b"x")
    assert names_in(path.parent) == []


def test_two_writers_of_one_file_do_not_meet(path):
    with replacing(path) as first, replacing(path) as second:
        first.write(b"first")
        second.write(b"second")
    assert path.read_bytes() == b"first", "the first to open is the last to close"
    assert names_in(path.parent) == ["note.txt"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_new_file_has_the_permissions_that_the_user_asked_for(path):
    before = os.umask(0o027)
    try:
        with replacing(path) as file:
            file.write(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
