"""`python -m tinygrad_lite data`: which data sets are where, and what is fetched, only when asked."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.runs import run
from tests.data.cifar10_content import write_binary, write_python
from tinygrad_lite import cli

MNIST_FILES = [
    f"{split}-{content}-ubyte.gz" for split in ("train", "t10k") for content in ("images-idx3", "labels-idx1")
]


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The user's cache, which is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TINYGRAD_LITE_DATA", raising=False)
    return tmp_path / "cache" / "tinygrad_lite"


@pytest.fixture
def data(cache, capsys, monkeypatch):
    """Return a function that runs the command in this process, where there is no network."""

    def refuse(*_, **__):
        raise socket.gaierror("there is no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)

    def listed(*arguments: str | os.PathLike[str]) -> Outcome:
        status = cli.main(["data", *map(os.fspath, arguments)])
        return Outcome(status, *capsys.readouterr())

    return listed


def place_mnist(folder: Path, files=MNIST_FILES) -> None:
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).write_bytes(b"")


def test_where_there_is_nothing_only_the_embedded_digits_are_told_and_where_was_searched(data, cache):
    outcome = data()
    assert (outcome.status, outcome.err) == (0, "")
    subset, mnist, binary, python, searched, folder = outcome.out.splitlines()
    assert subset.startswith("mnist-subset ")
    assert "6,000 training and 1,000 test" in subset
    for line, name in ((mnist, "mnist (IDX)"), (binary, "cifar10 (binary)"), (python, "cifar10 (python)")):
        assert line.startswith(name)
        assert line.endswith("not found")
    assert (searched, folder) == ("searched:", f"  {cache} (no such folder)")
    assert not cache.exists()


def test_what_is_there_is_told_with_its_folder_and_what_is_missing_with_its_name(data, tmp_path):
    place_mnist(tmp_path / "one" / "mnist")
    write_binary(tmp_path / "two" / "cifar-10-batches-bin")
    (tmp_path / "two" / "cifar-10-batches-bin" / "test_batch.bin").unlink()
    out = data("--data", tmp_path / "one", "--data", tmp_path / "two").out
    _, mnist, binary, python = out.splitlines()[:4]
    assert mnist.endswith(f"complete in {tmp_path / 'one' / 'mnist'}")
    assert binary.endswith(f"{tmp_path / 'two' / 'cifar-10-batches-bin'} lacks test_batch.bin")
    assert python.endswith("not found")
    assert [line.strip() for line in out.splitlines()[5:7]] == [str(tmp_path / "one"), str(tmp_path / "two")]


def test_the_columns_stand_below_each_other(data):
    lines = data().out.splitlines()[:4]
    starts = {
        line.index("  ") + len(line[line.index("  ") :]) - len(line[line.index("  ") :].lstrip()) for line in lines
    }
    assert len(starts) == 1


def test_json_tells_the_same_as_the_table(data, cache, tmp_path):
    write_python(tmp_path / "own" / "cifar-10-batches-py")
    place_mnist(tmp_path / "own" / "mnist", MNIST_FILES[:3])
    outcome = data("--json", "--data", tmp_path / "own")
    found = json.loads(outcome.out)
    assert [(entry["dataset"], entry["kind"], entry["complete"]) for entry in found["datasets"]] == [
        ("mnist-subset", "embedded", True),
        ("mnist", "IDX", False),
        ("cifar10", "binary", False),
        ("cifar10", "python", True),
    ]
    _, mnist, binary, python = found["datasets"]
    assert (mnist["folder"], mnist["missing"]) == (str(tmp_path / "own" / "mnist"), MNIST_FILES[3:])
    assert (binary["folder"], len(binary["missing"])) == (None, 6)
    assert (python["folder"], python["missing"]) == (str(tmp_path / "own" / "cifar-10-batches-py"), [])
    assert found["searched"] == [
        {"folder": str(tmp_path / "own"), "exists": True}, {"folder": str(cache), "exists": False}
    ]  # fmt: skip
    assert (outcome.status, outcome.err) == (0, "")


def test_the_folders_of_the_environment_are_searched_after_those_given(data, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_LITE_DATA", os.pathsep.join([str(tmp_path / "b"), str(tmp_path / "c")]))
    place_mnist(tmp_path / "c" / "mnist")
    place_mnist(tmp_path / "a" / "mnist")
    assert str(tmp_path / "c" / "mnist") in data().out
    assert str(tmp_path / "a" / "mnist") in data("--data", tmp_path / "a").out.splitlines()[1]


def test_a_folder_named_without_the_home_it_starts_with_is_found(data, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    place_mnist(tmp_path / "own" / "mnist")
    assert f"complete in {tmp_path / 'own' / 'mnist'}" in data("--data", "~/own").out


def test_in_a_process_of_its_own_it_prints_plain_text(tmp_path):
    finished = run("data", "--data", tmp_path, env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)})
    assert (finished.status, finished.err) == (0, "")
    assert "\x1b" not in finished.out
    assert finished.out.splitlines()[-1] == f"  {tmp_path / 'tinygrad_lite'} (no such folder)"


# ----- Fetching -----


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar10-python"])
def test_without_a_network_fetching_tells_the_files_their_addresses_and_where_to_place_them(
    data, tmp_path, monkeypatch, name
):
    pooch = pytest.importorskip("pooch")
    monkeypatch.setattr(pooch.get_logger(), "disabled", True)  # it holds on to the stderr of the test before
    outcome = data("--download", name, "--data", tmp_path / "own")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("fetching https://")
    assert "\ntinygrad_lite data: " in outcome.err
    for part in ("could not be fetched", "MD5 ", "https://", str(tmp_path / "own"), ".gz"):
        assert part in outcome.err
    left = [path for path in (tmp_path / "own").rglob("*") if path.is_file()]
    assert left == [], "nothing is left of what could not be fetched"


def test_a_name_that_cannot_be_fetched_is_told_with_those_that_can(data, tmp_path):
    for name in ("mnist-subset", "imagenet", ""):
        outcome = data("--download", name, "--data", tmp_path)
        assert (outcome.status, outcome.out) == (2, "")
        for part in ("mnist", "cifar10", "cifar10-python", repr(name)):
            assert part in outcome.err


def test_what_is_fetched_goes_into_the_first_folder_or_into_the_cache_and_is_then_told(
    data, cache, tmp_path, monkeypatch
):
    asked = []

    def fetched(name, folder=None):
        asked.append((name, folder))
        place_mnist((cache if folder is None else Path(folder)) / "mnist")

    monkeypatch.setattr("tinygrad_lite.data.download", fetched)
    first = data("--download", "mnist", "--data", tmp_path / "one", "--data", tmp_path / "two")
    assert f"complete in {tmp_path / 'one' / 'mnist'}" in first.out
    second = data("--download", "mnist")
    assert f"complete in {cache / 'mnist'}" in second.out
    assert [name for name, _ in asked] == ["mnist", "mnist"]


def test_a_folder_that_cannot_be_written_is_told(data, tmp_path):
    (tmp_path / "file").write_text("mine")
    outcome = data("--download", "mnist", "--data", tmp_path / "file")
    assert (outcome.status, outcome.out) == (2, "")
    assert str(tmp_path / "file") in outcome.err
    assert (tmp_path / "file").read_text() == "mine"
