"""Fetching from a server on this machine: no test here leaves it."""

import functools
import gzip
import hashlib
import http.server
import io
import os
import sys
import tarfile
import threading
from dataclasses import replace

import numpy as np
import pytest

from tinygrad_lite.data import cifar10, download, downloads, found, mnist
from tinygrad_lite.errors import ArgumentError, DataError, MissingDependencyError

from .cifar10_content import images_of, write_binary, write_python
from .test_mnist_reading import ROWS, write_mnist

pytest.importorskip("pooch")

NAMES = [file.name for file in downloads.MNIST_FILES]
FOLDERS = {"cifar10": "cifar-10-batches-bin", "cifar10-python": "cifar-10-batches-py"}


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self.path.strip("/"))
        super().do_GET()


def served(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    return server, thread


@pytest.fixture
def server(tmp_path):
    (tmp_path / "served").mkdir()
    server, thread = served(tmp_path / "served")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def url(server):
    return f"http://127.0.0.1:{server.server_address[1]}/"


@pytest.fixture
def nobody():
    """An address at which nobody listens."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    server.server_close()
    return address


@pytest.fixture(autouse=True)
def here_alone(monkeypatch, url, tmp_path):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TINYGRAD_LITE_DATA", raising=False)
    monkeypatch.setattr(downloads, "MIRRORS", {"mnist": (url,), "cifar10": (url,)})


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def digits(tmp_path, monkeypatch):
    """A little MNIST to fetch, and its own pins."""
    write_mnist(tmp_path / "served" / "mnist")
    for path in (tmp_path / "served" / "mnist").iterdir():
        path.rename(tmp_path / "served" / path.name)
    pinned = [replace(file, md5=md5(tmp_path / "served" / file.name)) for file in downloads.MNIST_FILES]
    monkeypatch.setattr(downloads, "MNIST_FILES", tuple(pinned))
    return tmp_path / "served"


def packed(folder, target, change=lambda member: member):
    with tarfile.open(target, "w:gz") as tar:
        for path in [folder, *sorted(folder.iterdir())]:
            member = tar.gettarinfo(path, path.relative_to(folder.parent))
            if path.is_dir():
                tar.addfile(member)
            elif (changed := change(member)) is not None:
                tar.addfile(changed, io.BytesIO(path.read_bytes()) if changed.isreg() else None)
    return target


def serve_archive(tmp_path, monkeypatch, name="cifar10", **change):
    layout = tmp_path / "layout" / FOLDERS[name]
    if name == "cifar10":
        write_binary(layout)
        (layout / "batches.meta.txt").write_text("\n".join("abcdefghij") + "\n")
    else:
        write_python(layout)
        (layout / "batches.meta").write_bytes(b"\x80\x02}.")
    (layout / "readme.html").write_text("CIFAR-10")
    archive = packed(layout, tmp_path / "served" / downloads.ARCHIVES[name].name, **change)
    monkeypatch.setitem(downloads.ARCHIVES, name, replace(downloads.ARCHIVES[name], md5=md5(archive)))
    return archive


def everything_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_four_files_of_mnist_are_fetched_and_then_found(digits, tmp_path, server):
    assert download("mnist", tmp_path / "data") == tmp_path / "data" / "mnist"
    assert server.asked == NAMES
    assert everything_in(tmp_path / "data") == sorted(f"mnist/{name}" for name in NAMES)
    assert found([tmp_path / "data"]).places[0].is_complete
    assert len(mnist("train", folders=[tmp_path / "data"])[0]) == ROWS["train"]


def test_the_users_cache_is_the_folder_by_default_and_is_searched(digits, tmp_path):
    assert download("mnist") == tmp_path / "cache" / "tinygrad_lite" / "mnist"
    assert len(mnist("test")[0]) == ROWS["test"]


def test_a_file_that_is_there_with_the_right_hash_is_not_fetched_again(digits, tmp_path, server):
    download("mnist", tmp_path / "data")
    server.asked.clear()
    download("mnist", tmp_path / "data")
    assert server.asked == []
    path = tmp_path / "data" / "mnist" / NAMES[2]
    right = path.read_bytes()
    path.write_bytes(right + b"\0")
    download("mnist", tmp_path / "data")
    assert server.asked == [NAMES[2]]
    assert path.read_bytes() == right


def test_nothing_is_imported_or_asked_for_where_nothing_is_lacking(digits, tmp_path, monkeypatch):
    download("mnist", tmp_path / "data")
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert download("mnist", tmp_path / "data") == tmp_path / "data" / "mnist"


def test_without_pooch_the_package_to_install_is_named(digits, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingDependencyError, match=r"needs pooch: pip install 'tinygrad-lite\[train\]'"):
        download("mnist", tmp_path / "data")
    assert everything_in(tmp_path / "data") == []


def test_a_mirror_that_fails_is_followed_by_the_next(digits, tmp_path, server, url, nobody, monkeypatch):
    monkeypatch.setitem(downloads.MIRRORS, "mnist", (nobody, f"{url}not/there/", url))
    download("mnist", tmp_path / "data")
    assert server.asked == [name for file in NAMES for name in (f"not/there/{file}", file)]
    assert len(mnist("test", folders=[tmp_path / "data"])[0]) == ROWS["test"]


def test_a_wrong_hash_is_followed_by_the_next_mirror_and_leaves_nothing(digits, tmp_path, url, monkeypatch):
    (digits / "bad").mkdir()
    for name in NAMES:
        (digits / "bad" / name).write_bytes(gzip.compress(b"something else"))
    monkeypatch.setitem(downloads.MIRRORS, "mnist", (f"{url}bad/",))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz could not be fetched") as caught:
        download("mnist", tmp_path / "data")
    assert "hash" in str(caught.value)
    assert list((tmp_path / "data").rglob("*")) == [tmp_path / "data" / "mnist"]
    monkeypatch.setitem(downloads.MIRRORS, "mnist", (f"{url}bad/", url))
    download("mnist", tmp_path / "data")
    assert len(mnist("test", folders=[tmp_path / "data"])[0]) == ROWS["test"]


def test_a_wrong_hash_leaves_an_older_file_as_it_was(digits, tmp_path):
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    (tmp_path / "data" / "mnist" / NAMES[0]).write_bytes(b"older")
    (digits / NAMES[0]).write_bytes(b"other")
    with pytest.raises(DataError, match="could not be fetched"):
        download("mnist", tmp_path / "data")
    assert everything_in(tmp_path / "data") == [f"mnist/{NAMES[0]}"]
    assert (tmp_path / "data" / "mnist" / NAMES[0]).read_bytes() == b"older"


def test_offline_the_files_still_lacking_are_named_with_md5_addresses_and_folder(digits, tmp_path, nobody, monkeypatch):
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    (folder / NAMES[0]).write_bytes((digits / NAMES[0]).read_bytes())
    monkeypatch.setitem(downloads.MIRRORS, "mnist", (nobody, f"{nobody}second/"))
    with pytest.raises(DataError) as caught:
        download("mnist", tmp_path / "data")
    told = str(caught.value)
    assert told.startswith(f"{NAMES[1]} could not be fetched:\n  {nobody}{NAMES[1]}: ")
    assert f"place them in {folder}, and run this again:" in told
    for file in downloads.MNIST_FILES[1:]:
        assert f"  {file.name}  MD5 {file.md5}  {nobody}{file.name} or {nobody}second/{file.name}" in told
    assert NAMES[0] not in told
    assert everything_in(tmp_path / "data") == [f"mnist/{NAMES[0]}"]


def test_an_interrupted_fetch_leaves_nothing(digits, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(downloads, "_retrieve", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download("mnist", tmp_path / "data")
    assert list((tmp_path / "data").rglob("*")) == [tmp_path / "data" / "mnist"]


def test_a_fetched_file_has_the_permissions_of_any_new_file(digits, tmp_path):
    folder = download("mnist", tmp_path / "data")
    (tmp_path / "any").write_bytes(b"")
    assert {(folder / name).stat().st_mode for name in NAMES} == {(tmp_path / "any").stat().st_mode}


@pytest.mark.parametrize("name", FOLDERS)
def test_an_archive_of_cifar10_is_fetched_unpacked_and_then_found(tmp_path, monkeypatch, server, name):
    archive = serve_archive(tmp_path, monkeypatch, name)
    assert download(name, tmp_path / "data") == tmp_path / "data" / FOLDERS[name]
    assert server.asked == [archive.name]
    assert archive.name not in everything_in(tmp_path / "data")
    assert np.array_equal(cifar10("test", pixels="raw", folders=[tmp_path / "data"])[0], images_of(2, 6))
    assert len(cifar10("train", folders=[tmp_path / "data"])[0]) == 10


def test_only_the_files_of_the_layout_are_unpacked(tmp_path, monkeypatch):
    serve_archive(tmp_path, monkeypatch)
    folder = download("cifar10", tmp_path / "data")
    batches = [f"data_batch_{number}.bin" for number in range(1, 6)]
    assert sorted(os.listdir(folder)) == ["batches.meta.txt", *batches, "test_batch.bin"]
    assert sorted(os.listdir(folder.parent)) == [folder.name]


def test_a_complete_folder_is_not_fetched_again_and_an_incomplete_one_is(tmp_path, monkeypatch, server):
    serve_archive(tmp_path, monkeypatch)
    folder = download("cifar10", tmp_path / "data")
    server.asked.clear()
    assert download("cifar10", tmp_path / "data") == folder
    assert server.asked == []
    (folder / "data_batch_3.bin").unlink()
    download("cifar10", tmp_path / "data")
    assert server.asked == ["cifar-10-binary.tar.gz"]
    assert found([tmp_path / "data"]).places[1].is_complete


def test_an_archive_placed_by_hand_is_unpacked_and_left(tmp_path, monkeypatch, server):
    archive = serve_archive(tmp_path, monkeypatch)
    (tmp_path / "data").mkdir()
    placed = tmp_path / "data" / archive.name
    placed.write_bytes(archive.read_bytes())
    download("cifar10", tmp_path / "data")
    assert server.asked == []
    assert placed.exists()
    assert found([tmp_path / "data"]).places[1].is_complete


def test_an_archive_placed_by_hand_with_a_wrong_hash_is_left_and_the_right_one_fetched(tmp_path, monkeypatch, server):
    archive = serve_archive(tmp_path, monkeypatch)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / archive.name).write_bytes(b"half of it")
    download("cifar10", tmp_path / "data")
    assert server.asked == [archive.name]
    assert (tmp_path / "data" / archive.name).read_bytes() == b"half of it"


def test_offline_the_archive_is_named_with_md5_address_and_folder(tmp_path, nobody, monkeypatch):
    monkeypatch.setitem(downloads.MIRRORS, "cifar10", (nobody,))
    with pytest.raises(DataError) as caught:
        download("cifar10", tmp_path / "data")
    line = f"cifar-10-binary.tar.gz  MD5 c32a1d4ab5d03f1284b67883e8d87530  {nobody}cifar-10-binary.tar.gz"
    assert line in str(caught.value)
    assert f"place them in {tmp_path / 'data'}, and run this again" in str(caught.value)


def linked(member):
    if member.name.endswith("data_batch_2.bin"):
        member.type, member.linkname, member.size = tarfile.SYMTYPE, "/etc/passwd", 0
    return member


def outside(member):
    if member.name.endswith("data_batch_2.bin"):
        member.name = "../data_batch_2.bin"
    return member


def absolute(member):
    if member.name.endswith("data_batch_2.bin"):
        member.name = "/data_batch_2.bin"
    return member


def without(member):
    return None if member.name.endswith("data_batch_2.bin") else member


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (linked, "data_batch_2.bin of 0 bytes: expected a regular file"),
        (outside, "lacks cifar-10-batches-bin/data_batch_2.bin"),
        (absolute, "lacks cifar-10-batches-bin/data_batch_2.bin"),
        (without, "lacks cifar-10-batches-bin/data_batch_2.bin; remove it and fetch it again"),
    ],
)
def test_an_archive_with_other_members_is_refused_and_nothing_is_written_elsewhere(
    tmp_path, monkeypatch, change, message
):
    serve_archive(tmp_path, monkeypatch, change=change)
    with pytest.raises(DataError, match=message):
        download("cifar10", tmp_path / "data")
    names = everything_in(tmp_path / "data")
    assert all(name.startswith("cifar-10-batches-bin/") and "data_batch_2" not in name for name in names)
    assert not list(tmp_path.glob("*.bin"))
    assert not found([tmp_path / "data"]).places[1].is_complete


def test_a_member_beyond_any_batch_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "_LARGEST_MEMBER", 6145)
    serve_archive(tmp_path, monkeypatch)
    with pytest.raises(DataError, match=r"has cifar-10-batches-bin/data_batch_1\.bin of 6146 bytes: .* at most 6145"):
        download("cifar10", tmp_path / "data")
    assert everything_in(tmp_path / "data") == ["cifar-10-batches-bin/batches.meta.txt"]


NO_ARCHIVES = {
    "nothing": b"",
    "a web page": b"<html>",
    "another gzip": gzip.compress(b"x" * 2000, mtime=0),
    "a cut gzip": gzip.compress(b"x" * 2000, mtime=0)[:30],
}


@pytest.mark.parametrize("content", NO_ARCHIVES.values(), ids=NO_ARCHIVES)
def test_what_is_no_archive_is_refused(tmp_path, monkeypatch, content):
    archive = tmp_path / "served" / "cifar-10-binary.tar.gz"
    archive.write_bytes(content)
    monkeypatch.setitem(downloads.ARCHIVES, "cifar10", replace(downloads.ARCHIVES["cifar10"], md5=md5(archive)))
    with pytest.raises(DataError, match=r"cannot be unpacked: .*; remove it and fetch it again|lacks cifar-10"):
        download("cifar10", tmp_path / "data")
    assert everything_in(tmp_path / "data") == []


def test_an_archive_cut_short_is_refused_and_each_file_written_is_whole(tmp_path, monkeypatch):
    archive = serve_archive(tmp_path, monkeypatch)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    monkeypatch.setitem(downloads.ARCHIVES, "cifar10", replace(downloads.ARCHIVES["cifar10"], md5=md5(archive)))
    with pytest.raises(DataError, match=r"cannot be unpacked"):
        download("cifar10", tmp_path / "data")
    for path in (tmp_path / "data").rglob("*.bin"):
        assert path.read_bytes() == (tmp_path / "layout" / "cifar-10-batches-bin" / path.name).read_bytes()
    assert not found([tmp_path / "data"]).places[1].is_complete


def test_an_unknown_name_is_refused_with_the_choices(tmp_path):
    with pytest.raises(ArgumentError, match="one of mnist, cifar10, cifar10-python, got 'imagenet'"):
        download("imagenet", tmp_path)


def test_a_folder_that_cannot_be_made_is_told(digits, tmp_path):
    (tmp_path / "data").write_bytes(b"a file")
    with pytest.raises(DataError, match=r"cannot be written: .*; choose another folder"):
        download("mnist", tmp_path / "data")


def test_the_pins_are_the_published_md5_sums():
    pins = {file.name: file.md5 for file in (*downloads.MNIST_FILES, *downloads.ARCHIVES.values())}
    assert pins == {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
        "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
        "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
    }
