import shutil
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from tests.graphs.pictured import HOSTILE_NAMES, PICTURES, hostile, neuron, parameter, two_layer_loss
from tinygrad_lite.errors import ArgumentError, MissingDependencyError
from tinygrad_lite.graphs import graph

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_the_own_picture_is_well_formed_and_holds_nothing_but_shapes_and_words(make):
    root = ET.fromstring(graph(make()).to_svg(renderer="own"))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {"svg", "g", "title", "rect", "path", "text"}
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"


def test_hostile_names_are_shown_as_they_are():
    root = ET.fromstring(graph(hostile()).to_svg(renderer="own"))
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert {name.replace("\n", "↵") for name in HOSTILE_NAMES} <= texts


def test_names_with_characters_that_xml_forbids_are_drawn():
    w = parameter(2, "nul\0 bell\a surrogate\ud800 reversed\u202e")
    picture = graph(np.tanh(w)).to_svg(renderer="own")
    picture.encode()
    ET.fromstring(picture)


def test_a_node_that_is_pointed_at_tells_all_about_itself():
    root = ET.fromstring(graph(two_layer_loss()).to_svg(renderer="own"))
    titles = {title.text for title in root.iter(f"{SVG}title")}
    assert "%0 = parameter layers.0.weight  100×784 float32  layers.0" in titles


def test_without_dot_on_the_path_the_own_layout_draws(monkeypatch):
    monkeypatch.setenv("PATH", "")
    g = graph(neuron())
    assert g.to_svg() == g.to_svg(renderer="own")
    with pytest.raises(MissingDependencyError, match='renderer="own"'):
        g.to_svg(renderer="dot")


def test_without_the_graphviz_package_the_own_layout_draws(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    g = graph(neuron())
    assert g.to_svg() == g.to_svg(renderer="own")


@pytest.mark.skipif(shutil.which("dot") is None, reason="the program `dot` is not installed")
def test_where_dot_is_installed_it_draws():
    g = graph(neuron())
    assert g.to_svg() == g.to_svg(renderer="dot")


def test_what_graphviz_is_too_slow_for_is_drawn_by_the_own_layout():
    weight, h = parameter(3, "w"), parameter(3, "x")
    for _ in range(200):
        h = np.tanh(h * weight)
    g = graph(h)
    assert g.to_svg() == g.to_svg(renderer="own")


def test_an_unknown_renderer_is_refused():
    with pytest.raises(ArgumentError, match="'dot', 'own'"):
        graph(neuron()).to_svg(renderer="png")


def test_a_notebook_shows_the_picture():
    bundle = graph(neuron())._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle["text/plain"].startswith("<Graph")


@pytest.mark.parametrize("suffix", [".dot", ".svg", ".SVG"])
def test_save_writes_what_the_suffix_says_and_returns_the_path(tmp_path, suffix):
    g = graph(neuron())
    path = g.save(tmp_path / f"neuron{suffix}")
    assert path.read_text(encoding="utf-8") == (g.to_dot() if suffix == ".dot" else g.to_svg())
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["neuron.bmp", "neuron"])
def test_save_names_the_suffixes_that_exist(tmp_path, name):
    with pytest.raises(ArgumentError, match=r"\.dot, \.svg"):
        graph(neuron()).save(tmp_path / name)


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "neuron.dot"
    path.write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        graph(neuron()).save(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
