import gzip
import json
import os
from pathlib import Path

import pytest

from tinygrad_lite.data import cifar10, found, mnist
from tinygrad_lite.data.folders import searched
from tinygrad_lite.errors import DataError

from .cifar10_content import write_binary, write_python
from .test_mnist_reading import ROWS, write_mnist

TRAINING_BATCHES = [f"data_batch_{number}" for number in range(1, 6)]


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.delenv("TINYGRAD_LITE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tinygrad_lite"


def write_one_digit_more(folder, more):
    """Write MNIST so that its number of training images tells which folder was read."""
    write_mnist(folder / "mnist")
    for kind, start in (("images-idx3", 16), ("labels-idx1", 8)):
        path = folder / "mnist" / f"train-{kind}-ubyte.gz"
        plain = path.with_name(f"train-{kind}-ubyte")
        content = gzip.decompress(path.read_bytes())
        row = (len(content) - start) // ROWS["train"]
        rows = ROWS["train"] + more
        plain.write_bytes(content[:4] + rows.to_bytes(4, "big") + content[8:] + bytes(row * more))
        path.unlink()


def test_folders_given_go_before_the_variable_and_that_before_the_cache(tmp_path, monkeypatch, cache):
    for more, folder in enumerate([tmp_path / "given", tmp_path / "named", cache]):
        write_one_digit_more(folder, more)
    monkeypatch.setenv("TINYGRAD_LITE_DATA", str(tmp_path / "named"))
    assert len(mnist("train", folders=[tmp_path / "given"])[0]) == ROWS["train"]
    assert len(mnist("train")[0]) == ROWS["train"] + 1
    monkeypatch.delenv("TINYGRAD_LITE_DATA")
    assert len(mnist("train")[0]) == ROWS["train"] + 2


def test_the_variable_is_a_list_of_folders_of_which_the_first_that_is_complete_is_taken(tmp_path, monkeypatch):
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    first.mkdir()
    write_one_digit_more(second, 1)
    write_one_digit_more(third, 2)
    monkeypatch.setenv("TINYGRAD_LITE_DATA", os.pathsep.join(["", str(first), str(second), str(third)]))
    assert searched(()) == [first, second, third, tmp_path / "cache" / "tinygrad_lite"]
    assert len(mnist("train")[0]) == ROWS["train"] + 1
    (second / "mnist" / "train-labels-idx1-ubyte").unlink()
    assert len(mnist("train")[0]) == ROWS["train"] + 2
    assert len(mnist("test")[0]) == ROWS["test"], "the other split of the second folder is still complete"


@pytest.mark.parametrize("folders", [list, tuple, lambda folders: folders[0], lambda folders: Path(folders[0])])
def test_folders_are_a_list_or_a_single_one(tmp_path, folders):
    assert searched(folders([str(tmp_path)]))[0] == tmp_path


def test_a_folder_named_twice_is_searched_once(tmp_path, monkeypatch, cache):
    monkeypatch.setenv("TINYGRAD_LITE_DATA", str(tmp_path))
    assert searched([tmp_path, cache, f"{tmp_path}/"]) == [tmp_path, cache]


def test_the_home_folder_is_meant_by_a_tilde_and_holds_the_cache_where_nothing_else_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TINYGRAD_LITE_DATA", "~/data")
    for cache in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", cache)
        assert searched(()) == [tmp_path / "data", tmp_path / ".cache" / "tinygrad_lite"]


def test_what_is_nowhere_is_refused_with_where_was_searched_and_what_to_do(tmp_path, monkeypatch, cache):
    (tmp_path / "named" / "mnist").mkdir(parents=True)
    (tmp_path / "named" / "mnist" / "train-images-idx3-ubyte").write_bytes(b"")
    monkeypatch.setenv("TINYGRAD_LITE_DATA", str(tmp_path / "named"))
    with pytest.raises(DataError) as caught:
        mnist("train", folders=[tmp_path / "given"])
    assert str(caught.value).splitlines() == [
        "mnist, split 'train', was not found. Searched:",
        f"  {tmp_path / 'given' / 'mnist'}: no such folder",
        f"  {tmp_path / 'named' / 'mnist'}: without train-labels-idx1-ubyte.gz",
        f"  {cache / 'mnist'}: no such folder",
        "To have it, do one of these:",
        "  place train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, "
        f"t10k-labels-idx1-ubyte.gz in {tmp_path / 'given' / 'mnist'};",
        f"  set TINYGRAD_LITE_DATA to the folder that holds mnist/ (several are separated by {os.pathsep!r});",
        "  fetch it: python -m tinygrad_lite data --download mnist",
    ]


def test_the_refusal_of_cifar10_names_both_layouts(tmp_path, cache):
    write_binary(tmp_path / "given" / "cifar-10-batches-bin")
    (tmp_path / "given" / "cifar-10-batches-bin" / "data_batch_4.bin").unlink()
    with pytest.raises(DataError) as caught:
        cifar10("train", folders=[tmp_path / "given"])
    for part in [
        "cifar10, split 'train', was not found",
        f"{tmp_path / 'given' / 'cifar-10-batches-bin'}: without data_batch_4.bin\n",
        f"{tmp_path / 'given' / 'cifar-10-batches-py'}: no such folder\n",
        f"{cache / 'cifar-10-batches-bin'}: no such folder\n",
        f"{'.bin, '.join(TRAINING_BATCHES)}.bin, test_batch.bin in {tmp_path / 'given' / 'cifar-10-batches-bin'}, or ",
        f"{', '.join(TRAINING_BATCHES)}, test_batch in {tmp_path / 'given' / 'cifar-10-batches-py'};",
        "holds cifar-10-batches-bin/ or cifar-10-batches-py/",
        "python -m tinygrad_lite data --download cifar10",
    ]:
        assert part in str(caught.value)


def test_a_folder_in_the_place_of_a_file_is_not_the_file(tmp_path):
    write_mnist(tmp_path / "mnist")
    path = tmp_path / "mnist" / "train-labels-idx1-ubyte.gz"
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=r"without train-labels-idx1-ubyte\.gz"):
        mnist("train", folders=[tmp_path])


def test_what_was_found_is_told_layout_by_layout(tmp_path, monkeypatch, cache):
    write_mnist(tmp_path / "one" / "mnist")
    write_binary(tmp_path / "two" / "cifar-10-batches-bin")
    (tmp_path / "two" / "cifar-10-batches-bin" / "data_batch_2.bin").unlink()
    (tmp_path / "two" / "cifar-10-batches-bin" / "test_batch.bin").unlink()
    monkeypatch.setenv("TINYGRAD_LITE_DATA", os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two")]))
    assert str(found()).splitlines() == [
        "mnist-subset      comes with the library: 6,000 training and 1,000 test digits",
        f"mnist (IDX)       complete in {tmp_path / 'one' / 'mnist'}",
        f"cifar10 (binary)  {tmp_path / 'two' / 'cifar-10-batches-bin'} lacks data_batch_2.bin, test_batch.bin",
        "cifar10 (python)  not found",
        "searched:",
        f"  {tmp_path / 'one'}",
        f"  {tmp_path / 'two'}",
        f"  {cache} (no such folder)",
    ]


def test_what_was_found_is_plain_values_for_json(tmp_path, cache):
    write_python(tmp_path / "cifar-10-batches-py")
    told = json.loads(json.dumps(found([tmp_path]).to_dict()))
    assert [(entry["dataset"], entry["kind"], entry["complete"], entry["folder"]) for entry in told["datasets"]] == [
        ("mnist-subset", "embedded", True, None),
        ("mnist", "IDX", False, None),
        ("cifar10", "binary", False, None),
        ("cifar10", "python", True, str(tmp_path / "cifar-10-batches-py")),
    ]
    assert told["datasets"][1]["missing"] == [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    ]
    assert told["searched"] == [
        {"folder": str(tmp_path), "exists": True},
        {"folder": str(cache), "exists": False},
    ]


def test_a_complete_folder_goes_before_an_earlier_one_with_a_part(tmp_path):
    (tmp_path / "part" / "mnist").mkdir(parents=True)
    (tmp_path / "part" / "mnist" / "train-images-idx3-ubyte").write_bytes(b"")
    write_mnist(tmp_path / "whole" / "mnist")
    place = found([tmp_path / "part", tmp_path / "whole"]).places[0]
    assert place.is_complete
    assert place.folder == tmp_path / "whole" / "mnist"
    assert not found([tmp_path / "part"]).places[0].is_complete
