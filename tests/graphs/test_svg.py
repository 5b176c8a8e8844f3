import itertools
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.graphs import gallery
from tests.graphs.measuring import is_inside, pairs, word
from tests.graphs.pictured import HOSTILE_NAMES, PICTURES, hostile, neuron, parameter, two_layer_loss, with_sweep
from tinygrad_lite.errors import ArgumentError, GraphError, MissingDependencyError
from tinygrad_lite.graphs import graph
from tinygrad_lite.graphs.formats.strokes import _line_kinds, laid_out
from tinygrad_lite.graphs.formats.svg import svg_text
from tinygrad_lite.graphs.pictures.drawing import drawing

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="the program `dot` is not installed")
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


@needs_dot
def test_graphviz_draws_where_it_is_asked_to():
    g = graph(neuron())
    assert "Graphviz" not in g.to_svg()
    assert g.to_svg() == g.to_svg(renderer="own") != g.to_svg(renderer="dot")


def test_an_unknown_renderer_is_refused():
    with pytest.raises(ArgumentError, match="'own', which is the default, or 'dot'"):
        graph(neuron()).to_svg(renderer="png")


def test_a_notebook_shows_the_picture():
    bundle = graph(neuron())._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle["text/plain"].startswith("<Graph")


def marks_of(svg):
    """The outline of each mark and the boxes of its words, as the own renderer draws them."""
    for group in ET.fromstring(svg).findall(f"{SVG}g[@text-anchor]"):
        (outline, *_) = [shape for shape in group if shape.tag in (f"{SVG}rect", f"{SVG}path")]
        yield corners_of(outline), [word(text, "middle") for text in group.findall(f"{SVG}text")]


def corners_of(shape):
    if shape.tag == f"{SVG}rect":
        x, y, width, height = (float(shape.get(name)) for name in ("x", "y", "width", "height"))
        return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return pairs(shape.get("d").split("z")[0]) if "V" not in shape.get("d") else cylinder(shape.get("d"))


def cylinder(path):
    """The box below the lid, in which the words of a cylinder stand."""
    x, top, bottom, cap, right = (
        float(re.search(pattern, path)[1])
        for pattern in (r"M([\d.]+)", r"M[\d.]+,([\d.]+)", r"V([\d.]+)", r"A[\d.]+,([\d.]+)", r"A\S+ 0 0 0 ([\d.]+)")
    )
    return [(x, top + cap), (right, top + cap), (right, bottom), (x, bottom)]


def every_kind():
    state, w = tg.Tensor(np.ones(3), name="state"), parameter(3, "w")

    def f(x):
        state.assign(np.tanh(x * w) + state * 2.0)
        return (state * w).sum()

    return tg.trace(f, np.ones(3)).backward()


@pytest.mark.parametrize(
    "make",
    [
        *(lambda make=make: with_sweep(make) for make in PICTURES.values()),
        *(lambda made=made: made for made in gallery.GRAPHS.values()),
        every_kind,
    ],
    ids=[*PICTURES, *(f"{name} of the gallery" for name in gallery.GRAPHS), "every kind"],
)
@pytest.mark.parametrize(
    "options",
    [{}, {"show": ("shape", "value", "gradient", "flops", "bytes", "place"), "heat": "bytes"}, {"depth": 0}],
    ids=["plain", "all that is told", "closed"],
)
def test_every_word_is_inside_the_outline_of_its_mark(make, options):
    for corners, words in marks_of(svg_text(make(), "own", **options)):
        assert words
        for left, top, right, bottom in words:
            assert all(is_inside(spot, corners) for spot in itertools.product((left, right), (top, bottom)))


@pytest.mark.parametrize("renderer", ["own", pytest.param("dot", marks=needs_dot)])
def test_colours_and_signs_are_explained_in_the_picture(renderer):
    def f(w):
        return (tg.named(np.tanh(w), "h") ** 2).sum()

    w = np.ones(2)
    report = tg.check_gradients(f, w, analytic=lambda w: (0 * w,), deltas={"h": 2 * np.tanh(w)})
    g = tg.trace(f, tg.Tensor(w, requires_grad=True, name="w"))
    root = ET.fromstring(svg_text(g, renderer, report=report, heat="error"))
    texts = {(element.text or "").replace("\u00a0", " ") for element in root.iter(f"{SVG}text")}
    assert "relative error of the gradient" in texts
    assert "✓ the gradient by hand agrees, ✗ it does not" in texts
    assert any(text.startswith("✓ error") for text in texts)
    assert any(text.startswith("✗ error") for text in texts)
    width, height = (float(root.get(name).removesuffix("pt")) for name in ("width", "height"))
    assert width > 0 < height


def test_the_own_legend_is_inside_the_page():
    root = ET.fromstring(svg_text(graph(neuron()), "own", heat="flops"))
    _, _, width, height = map(float, root.get("viewBox").split())
    for text in root.findall(f"{SVG}text"):
        left, _, right, bottom = word(text)
        assert 0 <= left < right <= width
        assert bottom <= height


@pytest.mark.parametrize("renderer", ["own", pytest.param("dot", marks=needs_dot)])
def test_the_sweep_is_dashed_in_another_tone(renderer):
    picture = svg_text(with_sweep(neuron), renderer)
    assert "#8a7400" in picture
    assert "stroke-dasharray" in picture
    assert "#8a7400" not in svg_text(graph(neuron()), renderer)


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


FAILURES = {
    "dies": subprocess.CompletedProcess("dot", -6, b"", b"Warning: something\nsegmentation fault"),
    "gives something else": subprocess.CompletedProcess("dot", 0, b"hello", b""),
}


@needs_dot
@pytest.mark.parametrize("how", FAILURES)
def test_where_graphviz_fails_the_error_tells_why_and_what_to_do(monkeypatch, tmp_path, how):
    monkeypatch.setattr("subprocess.run", lambda *_, **__: FAILURES[how])
    g = graph(neuron())
    with pytest.raises(GraphError, match=r'Graphviz failed .*(segmentation fault|no word why).* renderer="own"'):
        g.to_svg(renderer="dot")
    with pytest.raises(GraphError, match=r"Graphviz failed .*save as \.svg"):
        g.save(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


@needs_dot
def test_graphviz_is_not_waited_for_without_end(monkeypatch):
    def hang(*_, timeout, **__):
        raise subprocess.TimeoutExpired("dot", timeout)

    monkeypatch.setattr("subprocess.run", hang)
    with pytest.raises(GraphError, match=r"not drawn this graph within 60 s.*fold=True"):
        graph(neuron()).to_svg(renderer="dot")


def test_a_way_that_only_the_sweep_takes_is_drawn_as_one():
    drawn = drawing(gallery.GRAPHS["softmax_cross_entropy"])
    picture = laid_out(drawn)
    kinds = {}
    for line, kind in zip(picture.lines, _line_kinds(drawn, picture), strict=True):
        if line.target is None:
            way = "up" if line.points[-1][1] < line.points[0][1] else "down"
            kinds.setdefault((drawn.marks[line.source].title, way), []).append(kind)
    assert kinds["exp", "up"] == ["read"]
    assert kinds["exp", "down"] == kinds["sum", "down"] == ["forward"]
