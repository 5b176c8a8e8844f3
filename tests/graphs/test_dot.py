"""DOT texts against golden ones; `GOLDEN=write python -m pytest tests/graphs/test_dot.py` writes them anew.

What Graphviz makes of them is measured where it is installed.
"""

import itertools
import os
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.graphs import gallery
from tests.graphs.measuring import around, is_inside, measured
from tests.graphs.pictured import (
    HOSTILE_NAMES,
    PICTURES,
    hostile,
    many_heads,
    neuron,
    parameter,
    two_layer_loss,
    with_sweep,
)
from tinygrad_lite.errors import MissingDependencyError
from tinygrad_lite.graphs import graph
from tinygrad_lite.graphs.formats.dot import dot_text
from tinygrad_lite.graphs.formats.svg import svg_text
from tinygrad_lite.graphs.pictures.drawing import drawing

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="the program `dot` is not installed")
GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"
GRAPHS = {name: lambda make=make: graph(make()) for name, make in PICTURES.items()}
GRAPHS |= {f"{name} with its sweep": lambda make=make: with_sweep(make) for name, make in PICTURES.items()}
GRAPHS |= {f"{name} of the gallery": lambda made=made: made for name, made in gallery.GRAPHS.items()}


@pytest.mark.parametrize(
    ("name", "make"),
    [
        *((name, GRAPHS[name]) for name in ("neuron", "two_layer_loss", "residual_blocks")),
        ("neuron_with_sweep", GRAPHS["neuron with its sweep"]),
        ("two_layer_loss_with_sweep", GRAPHS["two_layer_loss with its sweep"]),
    ],
)
def test_dot_is_what_it_was(name, make):
    written = make().to_dot()
    golden = GOLDEN / f"{name}.dot"
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(written, encoding="utf-8")
    assert written == golden.read_text(encoding="utf-8")


def test_kinds_differ_by_shape():
    text = graph(two_layer_loss()).to_dot()
    assert {"shape=box", "shape=hexagon", "shape=note"} <= set(text.replace("]", " ").split())


def test_every_kind_has_a_shape_of_its_own():
    state, w = tg.Tensor(np.ones(3), name="state"), parameter(3, "w")
    text = dot_text(tg.trace(lambda x: np.tanh(x * w) + state * 2.0, np.ones(3)))
    for shape in ("parallelogram", "hexagon", "cylinder", "note", "box"):
        assert f"shape={shape} " in text


def test_the_sweep_is_dashed_and_written_from_its_upper_end():
    g = with_sweep(neuron)
    text, edges = dot_text(g), list(drawing(g).edges)
    for edge in edges:
        if edge.kind == "backward":
            assert f'n{edge.target} -> n{edge.source} [color="#8a7400" dir=back penwidth=1.2 style=dashed]' in text
        elif edge.kind == "read":
            assert f"n{edge.source} -> n{edge.target} [constraint=false style=dotted]" in text
        else:
            assert f"n{edge.source} -> n{edge.target}\n" in text


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
@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_graphviz_draws_every_node_and_edge(make):
    g = make()
    drawn = drawing(g)
    kinds = [group.get("class") for group in ET.fromstring(g.to_svg(renderer="dot")).iter(f"{SVG}g")]
    assert (kinds.count("node"), kinds.count("edge")) == (len(drawn.marks), len(list(drawn.edges)))


@needs_dot
@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("options", [{}, {"show": ("shape", "flops", "bytes"), "heat": "flops"}, {"depth": 0}])
def test_in_what_graphviz_draws_words_are_inside_and_nothing_overlaps_or_is_crossed(make, options):
    picture = measured(svg_text(make(), "dot", **options))
    for corners, words in zip(picture.outlines, picture.words, strict=True):
        for left, top, right, bottom in words:
            assert all(is_inside(spot, corners) for spot in itertools.product((left, right), (top, bottom)))
    for a, b in itertools.combinations(map(around, picture.outlines), 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    for line in picture.lines:
        assert not any(is_inside(spot, corners, rim=1.0) for spot in line for corners in picture.outlines)


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
