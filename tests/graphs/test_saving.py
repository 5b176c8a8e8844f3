"""Files: the suffix names the format."""

import shutil

import numpy as np
import pytest

from tests.graphs.pictured import neuron, parameter, two_layer_loss
from tinygrad_lite.errors import ArgumentError, GraphError, MissingDependencyError
from tinygrad_lite.graphs import graph
from tinygrad_lite.graphs.explaining.deriving import latex_document
from tinygrad_lite.graphs.formats.pages import html_text
from tinygrad_lite.graphs.formats.saving import FORMATS, save
from tinygrad_lite.graphs.formats.svg import svg_text
from tinygrad_lite.graphs.formats.trees import tree_text
from tinygrad_lite.graphs.source.writing import numpy_source

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="the program `dot` is not installed")


@pytest.mark.parametrize(
    ("suffix", "writes"),
    [(".svg", svg_text), (".txt", tree_text), (".html", html_text), (".tex", latex_document), (".py", numpy_source)],
)
def test_the_suffix_says_what_is_written(tmp_path, suffix, writes):
    g = graph(neuron())
    path = save(g, tmp_path / f"neuron{suffix}")
    assert path.read_text(encoding="utf-8") == writes(g)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@needs_dot
@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_graphviz_writes_pictures_of_pixels_and_for_print(tmp_path, suffix, begins):
    assert save(graph(neuron()), tmp_path / f"neuron{suffix}").read_bytes().startswith(begins)


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_without_graphviz_the_error_names_the_way_out(tmp_path, suffix, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingDependencyError, match=r"save as \.svg"):
        save(graph(neuron()), tmp_path / f"neuron{suffix}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".dot", ".svg", ".txt", ".html"])
def test_every_picture_takes_the_options(tmp_path, suffix):
    g = graph(two_layer_loss())
    plain, closed = save(g, tmp_path / f"a{suffix}"), save(g, tmp_path / f"b{suffix}", depth=0, show=("flops",))
    assert "2 parameters" not in plain.read_text(encoding="utf-8")
    assert "MFLOP" in closed.read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", [".tex", ".py"])
def test_what_is_no_picture_refuses_options_that_would_change_one(tmp_path, suffix):
    save(graph(neuron()), tmp_path / f"a{suffix}", show=("shape",), depth=None)
    with pytest.raises(ArgumentError, match="no picture: it has no depth="):
        save(graph(neuron()), tmp_path / f"b{suffix}", depth=1)


@pytest.mark.parametrize("suffix", [suffix for suffix in FORMATS if suffix not in (".tex", ".py")])
def test_a_picture_that_cannot_be_leaves_no_file(tmp_path, suffix):
    with pytest.raises(GraphError, match="no gradients"):
        save(graph(np.tanh(parameter(3))), tmp_path / f"a{suffix}", heat="gradient")
    assert list(tmp_path.iterdir()) == []
