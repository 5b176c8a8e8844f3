"""`python -m tinygrad_lite train SPEC.toml`: what it prints, what it keeps, what it refuses, and how it exits."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import safetensors.numpy

from tests.cli.runs import run
from tests.data.cifar10_content import write_binary, write_python
from tests.data.idx_content import encode
from tinygrad_lite import cli

TINY = """
[data]
train_rows = 60
test_rows = 20

[net]
hidden = [5]

[train]
epochs = 2
batch_size = 20
"""
ACCURACY = re.compile(r"test accuracy: \d+\.\d\d %")


class Outcome(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.out.splitlines()[-1]


def state_of(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Return all that would show that a file was written again, even with the same content."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    stats = {path: path.stat() for path in files}
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), stats[path].st_ino, stats[path].st_mtime_ns)
        for path in files
    }


@pytest.fixture(autouse=True)
def nothing_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TINYGRAD_LITE_DATA", raising=False)


@pytest.fixture
def spec(tmp_path):
    """Return a function that writes a declaration and returns its path."""

    def written(text: str = TINY, name: str = "spec.toml") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return written


@pytest.fixture
def train(spec, capsys, monkeypatch):
    """Return a function that runs the command in this process, without the pictures, which take most of the time."""
    monkeypatch.setattr("tinygrad_lite.experiments.running.save_pictures", lambda *_, **__: None)

    def trained(*arguments: str | os.PathLike[str], text: str = TINY, declaration: Path | None = None) -> Outcome:
        status = cli.main(["train", str(declaration or spec(text)), *map(os.fspath, arguments)])
        return Outcome(status, *capsys.readouterr())

    return trained


# ----- In a process of its own -----


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A run that is kept with all its pictures, made once for the tests that look at it."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "spec.toml").write_text(TINY + "[schedule]\nname = 'exponential'\nfactor = 0.9\n")
    finished = run(
        "train", folder / "spec.toml", "--out", folder / "not" / "there yet", env={**os.environ, "NO_COLOR": "1"}
    )
    return finished, folder / "not" / "there yet"


def test_it_says_where_it_wrote_and_the_last_line_is_the_accuracy(kept):
    finished, folder = kept
    assert finished.status == 0, finished.err
    wrote, accuracy = finished.out.splitlines()
    assert wrote == f"wrote {folder}"
    assert ACCURACY.fullmatch(accuracy)
    told = json.loads((folder / "result.json").read_bytes())["test"]["accuracy"]
    assert accuracy == f"test accuracy: {100 * told:.2f} %"


def test_in_pipes_there_is_a_line_an_epoch_on_stderr_without_colours_or_carriage_returns(kept):
    finished, _ = kept
    assert [line.split(":")[0] for line in finished.err.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    for sign in ("\x1b", "\r", "\x08"):
        assert sign not in finished.out + finished.err


def test_every_file_that_is_kept_can_be_read(kept):
    _, folder = kept
    plots = ["confusion", "curves", "first_layer", "gradient_norms", "misclassified"]
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "checkpoints/best.safetensors",
        "checkpoints/last.safetensors",
        "experiment.json",
        "history.csv",
        "history.json",
        *(f"plots/{name}{suffix}" for name in plots for suffix in (".png", ".svg")),
        "result.json",
    ]
    with (folder / "history.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["learning_rate"]) for line in lines] == pytest.approx(
        [0.01 * 0.9 ** (2 / 3), 0.01 * 0.9 ** (5 / 3)], rel=1e-6
    ), "the rate of the last of three batches"
    for path in folder.glob("*.json"):
        json.loads(path.read_bytes())
    for path in folder.glob("plots/*.svg"):
        assert ET.parse(path).getroot().tag.endswith("svg")
    for path in folder.glob("checkpoints/*"):
        assert safetensors.numpy.load_file(path)["net.layers.0.weight"].shape == (5, 784)


def test_the_declaration_that_is_kept_can_be_trained_itself(kept, train):
    finished, folder = kept
    again = train(declaration=folder / "experiment.json")
    assert (again.status, again.last_line) == (0, finished.out.splitlines()[-1])


def test_without_out_the_accuracy_is_all_that_is_printed_and_nothing_is_kept(tmp_path):
    (tmp_path / "spec.toml").write_text(TINY)
    code = "import os, runpy, sys; os.chdir(sys.argv.pop(1)); runpy.run_module('tinygrad_lite', run_name='__main__')"
    finished = run(tmp_path, "train", "spec.toml", start=("-c", code))
    assert finished.status == 0, finished.err
    assert ACCURACY.fullmatch(finished.out.removesuffix("\n"))
    assert [path.name for path in tmp_path.iterdir()] == ["spec.toml"]


# ----- Settings -----


def test_set_wins_over_the_file(train, tmp_path):
    outcome = train(
        "--set", "train.epochs=1", "--set", "net.activation=tanh", "--set", "net.hidden=[4, 3]", "--out", tmp_path / "o"
    )
    assert outcome.status == 0, outcome.err
    assert outcome.err.startswith("epoch 1/1: ")
    kept = json.loads((tmp_path / "o" / "experiment.json").read_bytes())
    assert (kept["train"]["epochs"], kept["net"]["activation"], kept["net"]["hidden"]) == (1, "tanh", [4, 3])
    assert kept["train"]["batch_size"] == 20, "the rest is the file's"


def test_the_last_of_two_values_for_one_setting_counts(train):
    assert train("--set", "train.epochs=5", "--set", "train.epochs=1").err.startswith("epoch 1/1")


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ("train.epochs=0", ["train.epochs", "0"]),
        ("train.epochs=many", ["train.epochs", '"many"']),
        ("train.epoch=4", ["train.epoch", "did you mean train.epochs?"]),
        ("epochs=4", ["epochs", "train.epochs"]),
        ("train.epochs", ["--set", "train.epochs=4"]),
        ("optimizer.name=sdg", ["optimizer.name", 'did you mean "sgd"?']),
        ("optimizer.beta1=0.5", ["optimizer.beta1", "no such setting", "lr"]),
        ("net.output=softmax", ["net.output", "logits"]),
        ("data.name=npz", ["data.path"]),
        ("data.train_rows=6001", ["data.train_rows", "6001", "6000"]),
        ("schedule.warm_up=2", ["schedule.warm_up", "train.epochs"]),
    ],
)
def test_a_wrong_setting_is_told_with_status_2_and_nothing_is_made(train, tmp_path, setting, parts):
    outcome = train("--set", setting, "--out", tmp_path / "out")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("tinygrad_lite train: ")
    for part in parts:
        assert part in outcome.err
    assert not (tmp_path / "out").exists()


def test_all_mistakes_of_a_file_are_told_at_once_with_its_name(train):
    outcome = train(text="[train]\nepochs = 0\nbatch_sise = 3\n[optimizer]\nlr = -1\n")
    assert outcome.status == 2
    for part in ("spec.toml", "train.epochs", "train.batch_sise", "optimizer.lr"):
        assert part in outcome.err


@pytest.mark.parametrize(
    ("text", "part"), [("epochs = ", "this is not TOML"), ("[train", "this is not TOML"), ("\x00", "this is not TOML")]
)
def test_a_file_that_is_no_toml_is_told(train, text, part):
    outcome = train(text=text)
    assert (outcome.status, outcome.out) == (2, "")
    assert part in outcome.err
    assert "spec.toml" in outcome.err


def test_a_declaration_that_is_not_there_a_folder_and_another_suffix_are_told(tmp_path, capsys):
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "spec.yaml").write_text("train:\n")
    for name in ("nowhere.toml", "folder.toml", "spec.yaml"):
        assert cli.main(["train", str(tmp_path / name)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert name in err


@pytest.mark.parametrize(
    "arguments", [["train"], ["train", "a.toml", "b.toml"], ["train", "a.toml", "--epochs", "3"], ["trian"]]
)
def test_a_command_that_is_written_wrongly_is_told_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert "usage: " in capsys.readouterr().err


# ----- The folder of a run -----


def test_a_folder_with_a_finished_run_is_refused_and_left_as_it_is(train, tmp_path):
    assert train("--out", tmp_path / "out").status == 0
    before = state_of(tmp_path / "out")
    outcome = train("--out", tmp_path / "out")
    assert (outcome.status, outcome.out) == (2, "")
    assert "holds a finished run; go on with --resume, or choose another folder" in outcome.err
    assert str(tmp_path / "out") in outcome.err
    assert state_of(tmp_path / "out") == before


def test_a_folder_with_an_unfinished_run_is_refused_and_goes_on_with_resume(train, tmp_path):
    whole = train("--out", tmp_path / "out")
    (tmp_path / "out" / "result.json").unlink()  # it is written at the very end
    before = state_of(tmp_path / "out")
    outcome = train("--out", tmp_path / "out")
    assert outcome.status == 2
    assert "holds a run that is not finished; go on with --resume" in outcome.err
    assert state_of(tmp_path / "out") == before
    resumed = train("--out", tmp_path / "out", "--resume")
    assert (resumed.status, resumed.out) == (0, whole.out)
    assert "epoch" not in resumed.err, "nothing was left to train"


def test_resume_starts_where_there_is_nothing(train, tmp_path):
    assert train("--out", tmp_path / "one", "--resume").last_line == train().last_line


def test_resume_goes_on_when_the_number_of_epochs_is_raised_and_tells_only_the_new_epochs(train, tmp_path):
    train("--out", tmp_path / "raised")
    raised = train("--out", tmp_path / "raised", "--resume", "--set", "train.epochs=4")
    assert [line.split(":")[0] for line in raised.err.splitlines()] == [
        "going on after 2 epochs and 0 batches",
        "epoch 3/4",
        "epoch 4/4",
    ]
    whole = train("--out", tmp_path / "whole", "--set", "train.epochs=4")
    assert raised.last_line == whole.last_line
    contents = [{name: state[0] for name, state in state_of(tmp_path / name).items()} for name in ("raised", "whole")]
    assert contents[0] == contents[1]


def test_resume_refuses_the_run_of_another_experiment_naming_the_settings(train, tmp_path):
    train("--out", tmp_path / "out")
    before = state_of(tmp_path / "out")
    outcome = train("--out", tmp_path / "out", "--resume", "--set", "optimizer.lr=0.5", "--set", "train.seed=3")
    assert (outcome.status, outcome.out) == (2, "")
    for line in ("  optimizer.lr: there null, here 0.5\n", "  train.seed: there 0, here 3\n"):
        assert line in outcome.err
    assert state_of(tmp_path / "out") == before


@pytest.mark.parametrize("below", ["", "folder"])
def test_an_out_that_is_a_file_is_told_before_anything_is_trained(train, tmp_path, below):
    (tmp_path / "file").write_text("mine")
    outcome = train("--out", tmp_path / "file" / below)
    assert (outcome.status, outcome.out) == (2, "")
    assert str(tmp_path / "file") in outcome.err
    assert "epoch" not in outcome.err
    assert (tmp_path / "file").read_text() == "mine"


def test_resume_needs_a_folder(train):
    outcome = train("--resume")
    assert outcome.status == 2
    assert "--out" in outcome.err


def test_divergence_is_told_with_what_to_try_and_status_2(train):
    outcome = train("--set", "optimizer.lr=1e30")
    assert (outcome.status, outcome.out) == (2, "")
    assert "a learning rate below 1e+30" in outcome.err


# ----- Data -----


def write_mnist(folder: Path, rows: int = 30) -> None:
    """Write tiny files in the layout of MNIST, dark images of zeros and bright ones of ones."""
    folder.mkdir(parents=True)
    for prefix in ("train", "t10k"):
        labels = np.arange(rows, dtype=np.uint8) % 2
        images = np.repeat(200 * labels, 784).reshape(rows, 28, 28).astype(np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(encode(images)))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(encode(labels)))


LEARNING = "[net]\nhidden = [8]\n[optimizer]\nname = 'adam'\nlr = 0.01\n[train]\nepochs = 20\nbatch_size = 10\n"


def test_the_folder_given_by_data_is_searched_and_trained_on(train, tmp_path):
    write_mnist(tmp_path / "own" / "mnist")
    outcome = train("--data", tmp_path / "own", text="[data]\nname = 'mnist'\n" + LEARNING)
    assert (outcome.status, outcome.last_line) == (0, "test accuracy: 100.00 %")


def test_data_can_be_repeated_and_the_first_folder_that_has_them_counts(train, tmp_path):
    write_mnist(tmp_path / "own" / "mnist")
    outcome = train(
        "--data", tmp_path / "nowhere", "--data", tmp_path / "own", text="[data]\nname = 'mnist'\n" + LEARNING
    )
    assert outcome.status == 0, outcome.err


@pytest.mark.parametrize("write", [write_binary, write_python])
def test_both_layouts_of_cifar_can_be_trained_on(train, tmp_path, write):
    write(tmp_path / ("cifar-10-batches-bin" if write is write_binary else "cifar-10-batches-py"), rows=4)
    outcome = train("--data", tmp_path, text="[data]\nname = 'cifar10'\npixels = 'standard'\n[train]\nepochs = 1\n")
    assert outcome.status == 0, outcome.err
    assert ACCURACY.fullmatch(outcome.last_line)


def test_an_archive_of_numbers_ends_with_the_loss(train, tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 3))
    np.savez(tmp_path / "own.npz", x_train=x, t_train=x[:, 0] - x[:, 1], x_test=x, t_test=x[:, 0] - x[:, 1])
    text = "[net]\nhidden = []\n[objective]\nloss = 'mse'\n[train]\nepochs = 3\n"
    outcome = train("--set", "data.name=npz", "--set", f"data.path={tmp_path / 'own.npz'}", text=text)
    assert outcome.status == 0, outcome.err
    assert re.fullmatch(r"test loss: \d\.\d+", outcome.last_line)


def test_data_that_are_not_there_are_told_without_the_network_and_leave_nothing_behind(train, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was used")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setattr("socket.socket.connect", refuse)
    outcome = train("--data", tmp_path / "own", "--out", tmp_path / "out", text="[data]\nname = 'mnist'\n")
    assert (outcome.status, outcome.out) == (2, "")
    for part in (f"{tmp_path / 'own' / 'mnist'}: no such folder", "TINYGRAD_LITE_DATA", "data --download mnist"):
        assert part in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_section_to_sweep_does_not_keep_a_single_run_from_being_trained(train):
    outcome = train(text=TINY + "[sweep]\nseeds = [1, 2]\n")
    assert (outcome.status, outcome.last_line) == (0, train().last_line)
