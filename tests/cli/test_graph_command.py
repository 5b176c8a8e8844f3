"""`python -m tinygrad_lite graph SPEC.toml|FILE.py:NAME`: what it draws, prints and refuses."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.runs import ROOT, run
from tinygrad_lite import cli

GALLERY = ROOT / "examples" / "gallery" / "gallery.py"
SOURCE = """
import numpy as np
import tinygrad_lite as tg

w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
X = np.ones((3, 2))
print("said by the file")

def loss(x=X):
    return np.sum(np.tanh(x @ w))

def needy(x, scale=2.0):
    return x * scale

def broken():
    return w @ np.ones(5)

def failing():
    raise ZeroDivisionError("no")

kept = (w * w).sum()
number = 3.0
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


@pytest.fixture
def graph(capsys):
    """Return a function that runs the command in this process."""

    def ran(*arguments: object) -> tuple[int, str, str]:
        status = cli.main(["graph", *map(str, arguments)])
        return status, *capsys.readouterr()

    return ran


def test_a_function_is_drawn_with_its_defaults_for_inputs(graph, file, tmp_path):
    status, out, err = graph(f"{file}:loss", "-o", tmp_path / "net.svg", "--backward", "--values")
    assert (status, out) == (0, f"wrote {tmp_path / 'net.svg'}\n")
    assert err == "said by the file\n"
    text = "".join(ElementTree.parse(tmp_path / "net.svg").getroot().itertext())
    assert all(words in text for words in ("∂", "tanh", "[1 2]"))


@pytest.mark.parametrize("suffix", ["dot", "txt", "html", "tex", "py"])
def test_every_format_is_written_by_its_suffix(graph, file, tmp_path, suffix):
    status, _, _ = graph(f"{file}:loss", "-o", tmp_path / f"net.{suffix}", "--backward")
    assert status == 0
    assert (tmp_path / f"net.{suffix}").stat().st_size > 100


def test_without_a_file_to_draw_to_a_tree_is_printed(graph, file):
    status, out, _ = graph(f"{file}:loss")
    assert status == 0
    assert [line.split()[1] for line in out.splitlines() if line.startswith("%")][:2] == ["x", "w"]


def test_a_tensor_that_the_file_computes_is_drawn_too(graph, file):
    status, out, _ = graph(f"{file}:kept")
    assert status == 0
    assert "sum" in out


@pytest.fixture
def declared(tmp_path: Path) -> Path:
    path = tmp_path / "declared.toml"
    path.write_text("[net]\nhidden = [20]\n\n[objective]\nl2 = 0.01\n", encoding="utf-8")
    return path


def test_the_declared_experiment_is_drawn(graph, declared, tmp_path):
    status, out, _ = graph(declared, "-o", tmp_path / "net.svg", "--backward", "--cost")
    assert status == 0
    assert "softmax_cross_entropy" in (tmp_path / "net.svg").read_text(encoding="utf-8")
    assert "FLOPs" in out


def test_a_setting_changes_what_is_drawn(graph, declared):
    status, out, _ = graph(declared, "--set", "net.activation=tanh")
    assert status == 0
    assert "tanh" in out


def test_modules_deeper_than_the_depth_are_one_node(graph):
    _, whole, _ = graph(f"{GALLERY}:residual_block")
    _, folded, _ = graph(f"{GALLERY}:residual_block", "--depth", "1")
    assert len(folded.splitlines()) < len(whole.splitlines())


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("{}:absent", "defines no absent; there are w, loss, needy, broken, failing, kept"),
        ("{}:needy", "needs x; give defaults"),
        ("{}:broken", "matmul"),
        ("{}:failing", "line 19: ZeroDivisionError: no"),
        ("{}:number", "is a float"),
        ("{}", "such as net.py:loss"),
        ("missing.py:loss", "missing.py"),
        ("missing.toml", "missing.toml"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_one_line(graph, file, target, told):
    status, out, err = graph(target.format(file))
    assert (status, out) == (2, "")
    line = err.splitlines()[-1]
    assert line.startswith("tinygrad_lite graph: ")
    assert told in line


def test_a_suffix_that_is_no_format_leaves_nothing_behind(graph, file, tmp_path):
    status, _, err = graph(f"{file}:loss", "-o", tmp_path / "net.jpg")
    assert status == 2
    assert ".svg" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.py"]


def test_the_command_runs_as_a_user_starts_it(tmp_path):
    done = run("graph", f"{GALLERY}:neuron", "-o", tmp_path / "neuron.svg", "--backward")
    assert (done.status, done.err) == (0, "")
    assert (tmp_path / "neuron.svg").is_file()
