"""The files in which a training is kept: when they are written, what is in them, and what is not."""

from __future__ import annotations

import getpass
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import tinygrad_lite
from tests.train.interrupted import Interruption, Noisy, interruption
from tests.train.killing import content
from tests.train.runs import classifier, clusters, line, same_bits, train_classifier
from tinygrad_lite import fit, nn, optim
from tinygrad_lite.errors import ArgumentError, DataError, DivergenceError, MissingDependencyError
from tinygrad_lite.train import Checkpoints, load_weights

# ----- Which files there are, and what is in them -----


def test_the_best_is_kept_as_it_was_at_the_end_of_the_best_epoch(tmp_path):
    at_epoch = {}

    def note(training):
        at_epoch[training.epoch] = [parameter.numpy() for parameter in training.net.parameters()]

    history = train_classifier(
        epochs=8, callbacks=[note], checkpoints=Checkpoints(tmp_path, best="accuracy"), validation=clusters(20, seed=1)
    )
    best, last = classifier(1), classifier(1)
    load_weights(best, tmp_path / "best.safetensors")
    load_weights(last, tmp_path / "last.safetensors")
    number = 1 + int(np.argmax(history["accuracy"]))
    assert number < 8, "else the test shows nothing"
    for found, expected in ((best, at_epoch[number]), (last, at_epoch[8])):
        for parameter, array in zip(found.parameters(), expected, strict=True):
            np.testing.assert_array_equal(parameter.numpy(), array)


def test_two_equal_trainings_leave_equal_bytes_wherever_and_in_whatever_process(tmp_path):
    train_classifier(Noisy(), checkpoints=tmp_path / "here")
    script = (
        "from tests.train.interrupted import Noisy\nfrom tests.train.runs import train_classifier\n"
        f"train_classifier(Noisy(), checkpoints={str(tmp_path / 'in' / 'another process')!r})"
    )
    environment = os.environ | {"PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2], env=environment)
    assert content(tmp_path / "here") == content(tmp_path / "in" / "another process")


def test_a_checkpoint_says_nothing_of_place_time_or_user(tmp_path):
    train_classifier(checkpoints=tmp_path)
    for path in tmp_path.iterdir():
        kept = path.read_bytes()
        places = {os.fspath(tmp_path), tempfile.gettempdir(), os.getcwd(), os.path.dirname(tinygrad_lite.__file__)}
        words = {*places, socket.gethostname(), getpass.getuser(), sys.executable, " at 0x", time.strftime("%Y-%m-%d")}
        for word in words:
            assert len(word) < 4 or word.encode() not in kept, f"{word!r} in {path.name}"


def test_the_text_that_is_to_be_kept_is_kept(tmp_path):
    train_classifier(checkpoints=Checkpoints(tmp_path, experiment='an “experiment” with "quotes" ∂'))
    assert "an “experiment” with".encode() in (tmp_path / "last.safetensors").read_bytes()


@pytest.mark.parametrize("every_batches", [0, -1, 1.5, "3", True])
def test_a_number_of_batches_that_is_no_positive_integer_is_refused(every_batches):
    with pytest.raises(ArgumentError, match="every_batches"):
        Checkpoints("folder", every_batches)


def test_checkpoints_are_written_after_so_many_batches_and_each_epoch(tmp_path):
    written = []
    for after in range(1, 19):
        folder = tmp_path / str(after)
        with interruption(after), pytest.raises(Interruption):
            train_classifier(checkpoints=Checkpoints(folder, every_batches=4))
        if folder.exists() and any(folder.iterdir()):
            position = safetensors.numpy.load_file(folder / "last.safetensors")["position"].tolist()
            written.append((after, *position))
    assert written == [
        *((after, 0, 4, 28) for after in range(4, 8)),
        (8, 0, 8, 56),
        *((after, 1, 0, 0) for after in range(9, 13)),
        *((after, 1, 4, 28) for after in range(13, 17)),
        (17, 1, 8, 56),
        (18, 2, 0, 0),
    ]


def test_a_folder_is_made_with_those_above_it_and_holds_two_files(tmp_path):
    train_classifier(checkpoints=tmp_path / "a" / "b")
    assert sorted(content(tmp_path)) == ["a", "a/b", "a/b/best.safetensors", "a/b/last.safetensors"]


def test_a_folder_can_be_given_as_a_string(tmp_path):
    train_classifier(checkpoints=str(tmp_path))
    train_classifier(checkpoints=Checkpoints(str(tmp_path / "other")))
    assert content(tmp_path / "other").items() < content(tmp_path).items()


def test_the_best_is_not_written_again_by_an_epoch_that_is_only_as_good(tmp_path):
    inodes = []

    def note(training):
        inodes.append([path.stat().st_ino for path in sorted(tmp_path.glob("*.safetensors"))])

    history = train_classifier(
        epochs=20, callbacks=[note], checkpoints=Checkpoints(tmp_path, best="accuracy"), train=clusters(20)
    )
    first = history["accuracy"].index(1.0)
    assert first < 18, "else the test shows nothing"
    best = [pair[0] for pair in inodes[first + 1 :]]
    last = [pair[1] for pair in inodes[first + 1 :]]
    assert len(set(best)) == 1
    assert all(one != other for one, other in itertools.pairwise(last))


def test_the_best_of_an_objective_that_is_maximised_is_the_largest(tmp_path):
    rule = optim.SGD(lr=0.01, maximize=True)
    fit(
        classifier(), nn.LogLikelihood(), rule, train=clusters(), epochs=4, batch_size=10, progress=False,
        checkpoints=tmp_path,
    )  # fmt: skip
    assert (tmp_path / "best.safetensors").read_bytes() == (tmp_path / "last.safetensors").read_bytes()


def test_any_reader_of_safetensors_can_read_a_checkpoint(tmp_path):
    net = classifier()
    train_classifier(net, checkpoints=tmp_path)
    found = safetensors.numpy.load_file(tmp_path / "last.safetensors")
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(found[f"net.{name}"], array)
    assert found["history"].shape == (3, 5)
    assert found["position"].tolist() == [3, 0, 0]


def test_weights_can_be_read_from_a_checkpoint(tmp_path):
    net, other = Noisy(), Noisy(3)
    train_classifier(net, checkpoints=tmp_path)
    load_weights(other, tmp_path / "last.safetensors")
    assert same_bits(net, other)


def test_a_training_that_diverges_leaves_what_was_kept_before(tmp_path):
    def blow_up(training):
        if training.epoch == 2:
            training.optimizer.lr = 1e30

    with pytest.raises(DivergenceError):
        fit(
            nn.Linear(1, 1, rng=0), nn.MSE(), optim.SGD(lr=0.1), train=line(), epochs=9, batch_size=10, progress=False,
            callbacks=[blow_up], checkpoints=tmp_path,
        )  # fmt: skip
    found = safetensors.numpy.load_file(tmp_path / "last.safetensors")
    assert found["position"].tolist() == [2, 0, 0]
    assert all(np.isfinite(array).all() for array in found.values())


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    names = ["notes.txt", "download.partial", ".hidden.partial", "last.safetensors.old", ".0123456789abcdef.txt"]
    for name in names:
        (tmp_path / name).write_text("mine")
    train_classifier(checkpoints=tmp_path)
    assert [(tmp_path / name).read_text() for name in names] == ["mine"] * len(names)


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
@pytest.mark.parametrize("target", ["nowhere", "last.safetensors"])
def test_a_link_that_leads_nowhere_is_not_taken_for_no_checkpoint(tmp_path, target):
    """The disk that it leads to may be missing only now."""
    (tmp_path / "last.safetensors").symlink_to(tmp_path / target)
    with pytest.raises(ArgumentError, match="earlier training"):
        train_classifier(checkpoints=tmp_path)
    with pytest.raises(DataError, match="cannot read"):
        train_classifier(checkpoints=tmp_path, resume=True)
    assert (tmp_path / "last.safetensors").is_symlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "last.safetensors")
    for use in (
        lambda: load_weights(classifier(), tmp_path / "last.safetensors"),
        lambda: train_classifier(checkpoints=tmp_path, resume=True),
    ):
        with pytest.raises(DataError, match="not a file"):
            use()


def test_checkpoints_are_a_value():
    assert Checkpoints("a", 3) == Checkpoints("a", every_batches=3)
    with pytest.raises(AttributeError):
        Checkpoints("a").best = "loss"


def test_without_msgspec_or_safetensors_the_extra_to_install_is_named(tmp_path):
    for missing in ("msgspec", "safetensors"):
        script = (
            f"import sys; sys.modules[{missing!r}] = None\n"
            "from tests.train.runs import train_classifier\n"
            f"train_classifier(checkpoints={str(tmp_path / missing)!r})"
        )
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
        assert MissingDependencyError.__name__ in done.stderr
        assert "pip install 'tinygrad-lite[train]'" in done.stderr
