"""The main job, run as a user runs it in a pipe or in CI."""

from __future__ import annotations

import os
import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import safetensors.numpy

from tests.cli.runs import Finished, run
from tinygrad_lite import nn
from tinygrad_lite.data import mnist_subset
from tinygrad_lite.train import load_weights, predict

ACCURACY = re.compile(r"^test accuracy: (\d+\.\d\d) %$", re.MULTILINE)
FILES = ["curves.png", "graph.svg", "model.safetensors"]


class Demo(NamedTuple):
    finished: Finished
    folder: Path

    @property
    def accuracy(self) -> float:
        (figure,) = ACCURACY.findall(self.finished.out)
        return float(figure)


def demo(folder: Path, *options: str, **how) -> Demo:
    return Demo(run("demo", "--out", folder, *options, **how), folder)


@pytest.fixture(scope="module")
def short(tmp_path_factory) -> Demo:
    """Two epochs, run once for all tests that look at what came of it."""
    return demo(tmp_path_factory.mktemp("short") / "not" / "there yet", "--epochs", "2")


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_it_succeeds_and_stdout_has_one_line_with_the_accuracy(short):
    assert short.finished.status == 0, short.finished.err
    assert 70 < short.accuracy < 100
    assert short.finished.out.count("test accuracy") == 1


def test_progress_goes_to_stderr_as_a_line_an_epoch_and_nothing_of_it_to_stdout(short):
    lines = short.finished.err.splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("epoch")] == ["epoch 1/2", "epoch 2/2"]
    assert "Traceback" not in short.finished.err
    assert "Warning" not in short.finished.err
    assert "epoch 1/2" not in short.finished.out
    assert "\r" not in short.finished.out + short.finished.err
    assert "\x1b" not in short.finished.out + short.finished.err


def test_the_accuracy_is_that_of_the_last_epoch(short):
    last = short.finished.err.splitlines()[-1]
    assert f"validation accuracy {short.accuracy / 100:.4f}, " in last


def test_the_table_holds_the_gradients_of_each_parameter_against_each_other(short):
    for name, entries in [("layers.0.weight", "78,400"), ("layers.0.bias", "100"), ("layers.1.bias", "10")]:
        (line,) = [line for line in short.finished.out.splitlines() if line.startswith(name)]
        assert line.split()[1] == entries
        assert line.split()[-1] == "agrees"
    assert "all gradients agree" in short.finished.out


def test_the_summary_closes_with_where_the_files_are_and_that_the_model_came_back(short):
    assert "reloaded model predicts the same" in short.finished.out
    told = [line.removeprefix("wrote ") for line in short.finished.out.splitlines() if line.startswith("wrote ")]
    assert sorted(told) == [str(short.folder / name) for name in FILES]
    assert short.finished.out.splitlines()[-1].startswith("wrote ")


def test_exactly_these_files_are_written_into_a_folder_made_for_them(short):
    assert names_in(short.folder) == FILES


def test_the_graph_is_a_well_formed_svg_that_names_the_layers(short):
    root = ET.parse(short.folder / "graph.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    text = "".join(root.itertext())
    assert "layers.0" in text
    assert "softplus" in text


def test_the_curves_are_a_png(short):
    content = (short.folder / "curves.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content.endswith(b"IEND\xaeB`\x82")


def test_the_model_can_be_loaded_and_is_as_accurate_as_was_printed(short):
    shapes = {name: value.shape for name, value in safetensors.numpy.load_file(short.folder / FILES[2]).items()}
    assert shapes == {
        "layers.0.weight": (100, 784),
        "layers.0.bias": (100,),
        "layers.1.weight": (10, 100),
        "layers.1.bias": (10,),
    }
    net = nn.MLP([784, 100, 10], activation="softplus", rng=99)
    load_weights(net, short.folder / FILES[2])
    x, labels = mnist_subset("test")
    np.testing.assert_allclose(100 * np.mean(predict(net, x).argmax(axis=1) == labels), short.accuracy, atol=0.11)


def test_the_same_seed_gives_the_same_bits_and_another_seed_gives_others(tmp_path):
    first, again, other = (
        demo(tmp_path / name, "--epochs", "1", "--seed", seed) for name, seed in [("a", "5"), ("b", "5"), ("c", "6")]
    )
    models = [(run.folder / "model.safetensors").read_bytes() for run in (first, again, other)]
    assert models[0] == models[1] != models[2]
    assert first.accuracy == again.accuracy
    assert figures_in(first) == figures_in(again) != figures_in(other)


def test_the_seed_is_zero_unless_given(tmp_path, short):
    assert figures_in(demo(tmp_path, "--epochs", "2", "--seed", "0")) == figures_in(short)


def figures_in(run):
    """What stderr tells of the epochs, without the speed."""
    return re.findall(r"epoch .*(?=, \S+ rows/s)", run.finished.err)


REFUSE_THE_NETWORK = """
import os, runpy, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request"):
        os.write(2, f"the network was used: {event} {arguments}".encode())
        os._exit(99)

sys.addaudithook(refuse)
sys.argv[0] = "tinygrad_lite"
runpy.run_module("tinygrad_lite", run_name="__main__")
"""


def test_it_needs_no_environment_variable_no_network_and_no_dot(tmp_path):
    """An empty environment has no PATH either, so that no `dot` can be found."""
    alone = demo(tmp_path, "--epochs", "1", env={}, start=("-c", REFUSE_THE_NETWORK))
    assert alone.finished.status == 0, alone.finished.err
    assert ACCURACY.search(alone.finished.out)
    assert names_in(alone.folder) == FILES
    assert ET.parse(tmp_path / "graph.svg").getroot().tag.endswith("svg")


def test_the_refusal_of_the_network_works():
    connect = "import socket; socket.create_connection(('127.0.0.1', 9))"
    code = REFUSE_THE_NETWORK.replace('runpy.run_module("tinygrad_lite", run_name="__main__")', connect)
    assert run(start=("-c", code)).status == 99


def test_without_the_dot_binary_the_library_draws_the_graph_itself(tmp_path):
    (tmp_path / "bin").mkdir()
    without = demo(tmp_path / "out", "--epochs", "1", env={**os.environ, "PATH": str(tmp_path / "bin")})
    assert without.finished.status == 0, without.finished.err
    assert ET.parse(tmp_path / "out" / "graph.svg").getroot().tag.endswith("svg")
    assert "graphviz" not in (tmp_path / "out" / "graph.svg").read_text().lower()


def test_a_second_run_into_the_same_folder_replaces_the_files(tmp_path):
    for name in FILES:
        (tmp_path / name).write_bytes(b"old")
    (tmp_path / "notes.txt").write_text("mine")
    assert demo(tmp_path, "--epochs", "1").finished.status == 0
    assert names_in(tmp_path) == sorted([*FILES, "notes.txt"])
    assert all((tmp_path / name).stat().st_size > 1000 for name in FILES)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_demo_as_it_stands_reaches_92_percent_within_a_minute(tmp_path):
    start = time.monotonic()
    whole = demo(tmp_path)
    assert whole.finished.status == 0, whole.finished.err
    assert whole.accuracy >= 92
    assert time.monotonic() - start < 60
