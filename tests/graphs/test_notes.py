"""Texts of one's own beneath the nodes of a picture, and those that a program has for them."""

import re
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import ArgumentError, GraphError
from tinygrad_lite.graphs.pictures.drawing import drawing

X = np.random.default_rng(0).normal(size=(4, 3))


def product():
    """Return the graph of sin(x · w)."""
    return tg.trace(lambda x: np.sin(x * tg.Tensor(2.0, name="w")), tg.Tensor(X, name="x"))


def repeated():
    """Return the graph of six layers that are alike."""
    return tg.trace(nn.Sequential(*(nn.Linear(3, 3, rng=i) for i in range(6))), X.astype(np.float32))


def ids(graph, primitive):
    return [node.id for node in graph if node.primitive == primitive]


# ----- What is written where -----


def test_a_note_stands_beneath_the_node_of_its_id_and_nowhere_else():
    graph = product()
    (sine,) = ids(graph, "sin")
    for mark in drawing(graph, {"notes": {sine: "in the cache"}}).marks:
        assert ("in the cache" in mark.details) == (mark.nodes == (sine,))
        assert ("in the cache" in mark.tooltip) == (mark.nodes == (sine,))


def test_a_note_stands_after_what_is_shown():
    graph = product()
    (sine,) = ids(graph, "sin")
    (mark,) = [m for m in drawing(graph, {"notes": {sine: "noted"}, "show": ("flops",)}).marks if m.nodes == (sine,)]
    assert mark.details == ("12 FLOP", "noted")


@pytest.mark.parametrize("notes", [None, {}, {0: ""}])
def test_without_notes_the_picture_is_as_ever(notes):
    assert product().to_svg(notes=notes) == product().to_svg()


@pytest.mark.parametrize("suffix", [".svg", ".dot", ".txt", ".html", ".png", ".pdf"])
def test_every_format_of_pictures_has_them(suffix, tmp_path):
    if suffix in (".png", ".pdf") and not shutil.which("dot"):
        pytest.skip("Graphviz is not installed")
    graph = product()
    path = graph.save(tmp_path / f"graph{suffix}", notes={ids(graph, "sin")[0]: "a note"})
    if suffix in (".png", ".pdf"):
        assert path.read_bytes() != graph.save(tmp_path / f"other{suffix}").read_bytes()
    else:
        assert "a note" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("suffix", [".tex", ".py"])
def test_what_is_no_picture_has_none(suffix, tmp_path):
    with pytest.raises(ArgumentError, match="notes="):
        product().save(tmp_path / f"graph{suffix}", notes={0: "a note"})


# ----- What is drawn as one -----


def test_steps_that_are_drawn_as_one_tell_their_first_and_last_note():
    graph = repeated()
    notes = {v: f"buffer {i}" for i, v in enumerate(ids(graph, "linear"))}
    marks = drawing(graph, {"notes": notes, "fold": True}).marks
    assert [line for mark in marks for line in mark.details if "buffer" in line] == ["buffer 0 … buffer 5"]
    same = drawing(graph, {"notes": dict.fromkeys(notes, "buffer 0"), "fold": True}).marks
    assert [line for mark in same for line in mark.details if "buffer" in line] == ["buffer 0"]


def test_scopes_that_are_drawn_as_one_have_no_notes():
    graph = repeated()
    marks = drawing(graph, {"notes": {node.id: "noted" for node in graph}, "depth": 0}).marks
    assert all("noted" not in mark.details for mark in marks if mark.kind == "group")


# ----- Odd ones -----

ODD = "<b>&amp;</b> \"'\\N %s {x} ]]> -->\n\t\x00\u202e end"


def test_odd_notes_are_text_in_every_format(tmp_path):
    graph = product()
    notes = {ids(graph, "sin")[0]: ODD}
    for text in (graph.to_svg(notes=notes), graph.to_dot(notes=notes), graph.to_text(notes=notes)):
        assert not set(text) & {"\x00", "\u202e", "\t"} - set(graph.to_dot())
        assert len(text.splitlines()) >= len(graph)
    told = [element.text or "" for element in ElementTree.fromstring(graph.to_svg(notes=notes)).iter()]
    assert any("<b>&amp;</b>" in text for text in told)
    assert "<b>&amp;</b>" in graph.to_text(notes=notes)
    assert r"\N" not in re.sub(r"\\\\N", "", graph.to_dot(notes=notes))
    assert "<b>&amp;</b>" not in graph.save(tmp_path / "graph.html", notes=notes).read_text(encoding="utf-8")


def test_a_long_note_is_shortened_and_told_whole_to_who_points_at_it():
    graph = product()
    note = "first " + "x" * 100 + " last"
    (mark,) = [m for m in drawing(graph, {"notes": {len(graph) - 1: note}}).marks if m.nodes == (len(graph) - 1,)]
    assert len(mark.details[-1]) == 40
    assert mark.details[-1].startswith("first x")
    assert note in mark.tooltip


@pytest.mark.parametrize("notes", [["a"], {0: 1}, {"x": "a"}, {True: "a"}, "a"])
def test_what_is_no_note_is_refused(notes):
    with pytest.raises(ArgumentError, match="notes= takes a dict of texts by the ids of nodes"):
        drawing(product(), {"notes": notes})


@pytest.mark.parametrize("v", [-1, 99])
def test_a_note_to_a_node_that_is_not_there_is_refused(v):
    with pytest.raises(GraphError, match=rf"node %{v}, and the graph has {len(product())} nodes"):
        drawing(product(), {"notes": {v: "a"}})


# ----- Those of programs -----


def noted(program):
    """Return what is noted of each operation and leaf of a program."""
    graph, notes = program.graph, program.notes()
    return {node.name or node.primitive: notes[node.id] for node in graph if node.id in notes}


def test_a_program_tells_where_its_values_lie():
    w = tg.Tensor(X, name="w")

    def function(x):
        np.sin(x)
        y = np.exp(np.negative(-x.T))
        w.assign(np.tanh(w) * 0.5 + tg.Tensor([1.0, 2.0, 3.0]))
        return np.sum(np.abs(y) * 1)

    program = tg.compile(function)
    program(tg.Tensor(X, name="x"))
    assert noted(program) == {
        "x": "read at each call",
        "sin": "not needed",
        "transpose": "view",
        "negative": "folded",
        "exp": "buffer 0",
        "w": "changed in place",
        "tanh": "in w",
        "multiply": "folded",
        "add": "in w",
        "absolute": "buffer 0, in place",
        "sum": "variable",
        None: "constant",
    }


def test_the_notes_of_a_training_step_are_drawn(tmp_path):
    net, objective = nn.MLP([12, 10, 3], rng=0), nn.CrossEntropy() + 0.01 * nn.L2()
    optimizer = optim.SGD(lr=0.1).bind(net, objective)

    @tg.compile
    def step(x, t):
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    step(np.ones((5, 12), np.float32), np.array([0, 1, 2, 0, 1]))
    drawn = step.graph.save(tmp_path / "step.svg", notes=step.notes()).read_text(encoding="utf-8")
    for note in ("in layers.0.weight", "changed in place", "folded", "view", "buffer 0, in place"):
        assert f">{note}<" in drawn
    others = {"folded", "not needed", "changed in place", "read at each call", "constant"}
    assert set(step.notes().values()) - others <= {planned.place for planned in step.plan().steps}
