"""DOT texts against golden ones; `GOLDEN=write python -m pytest tests/graphs/test_dot.py` writes them anew."""

import os
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.graphs.pictured import HOSTILE_NAMES, PICTURES, hostile, many_heads, two_layer_loss
from tinygrad_lite.errors import MissingDependencyError
from tinygrad_lite.graphs import graph

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="the program `dot` is not installed")
GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", ["neuron", "two_layer_loss", "residual_blocks"])
def test_dot_is_what_it_was(name):
    written = graph(PICTURES[name]()).to_dot()
    golden = GOLDEN / f"{name}.dot"
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(written, encoding="utf-8")
    assert written == golden.read_text(encoding="utf-8")


def test_kinds_differ_by_shape():
    text = graph(two_layer_loss()).to_dot()
    assert {"shape=box", "shape=hexagon", "shape=note"} <= set(text.replace("]", " ").split())


def test_scopes_are_nested_clusters_with_the_last_part_of_their_name():
    text = graph(two_layer_loss()).to_dot()
    outer, inner = text.index("label=<layers>"), text.index("label=<0>")
    assert outer < inner < text.index("label=<1>")


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(MissingDependencyError, match="pip install graphviz"):
        graph(two_layer_loss()).to_dot()
    with pytest.raises(MissingDependencyError, match="pip install graphviz"):
        graph(two_layer_loss()).to_svg(renderer="dot")


def test_hostile_names_cannot_leave_their_label():
    text = graph(hostile()).to_dot()
    assert "<img" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert r"back\\slash\\N\\G\\l\\\\" in text


@needs_dot
@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_graphviz_draws_every_node_and_edge(make):
    g = graph(make())
    kinds = [group.get("class") for group in ET.fromstring(g.to_svg(renderer="dot")).iter(f"{SVG}g")]
    assert (kinds.count("node"), kinds.count("edge")) == (len(g), len(g.edges))


@needs_dot
def test_graphviz_shows_hostile_names_as_they_are():
    root = ET.fromstring(graph(hostile()).to_svg(renderer="dot"))
    texts = {element.text.replace("\u00a0", " ") for element in root.iter(f"{SVG}text")}
    assert {name.replace("\n", "↵") for name in HOSTILE_NAMES} <= texts
    assert not {element.tag for element in root.iter()} & {f"{SVG}script", f"{SVG}img", f"{SVG}a"}


@needs_dot
def test_graphviz_tells_about_a_node_that_is_pointed_at():
    root = ET.fromstring(graph(many_heads()).to_svg(renderer="dot"))
    assert "%2 = matmul(%0, %1)  8×4 float32  heads.0" in {title.text for title in root.iter(f"{SVG}title")}
