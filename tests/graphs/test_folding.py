"""What is drawn once instead of many times, and as one instead of as many."""

import random
import time
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_lite as tg
from tests.graphs.pictured import PICTURES, many_heads, parameter, recurrent, residual_blocks, scope, two_layer_loss
from tinygrad_lite.graphs import Graph, GraphNode, graph
from tinygrad_lite.graphs.formats.svg import svg_text
from tinygrad_lite.graphs.pictures.drawing import drawing
from tinygrad_lite.graphs.pictures.repeats import repeats


def told(drawn):
    return [mark.title for mark in drawn.marks]


def edges(drawn):
    return [(drawn.marks[edge.source].title, drawn.marks[edge.target].title) for edge in drawn.edges]


def assert_whole(g, drawn):
    """Every node is in one mark or passed its operand on, marks follow their operands, and no edge is made up."""
    nodes = [v for mark in drawn.marks for v in mark.nodes]
    assert len(nodes) == len(set(nodes))
    assert set(range(len(g))) - set(nodes) <= {n.id for n in g if n.primitive in ("contiguous", "zero_kept_zero")}
    home = {v: i for i, mark in enumerate(drawn.marks) for v in mark.nodes}
    for target, mark in enumerate(drawn.marks):
        assert all(source < target for source in mark.inputs)
        taken = {home.get(source) for v in mark.nodes for source in g.nodes[v].inputs}
        assert None in taken or set(mark.inputs) <= taken
    assert all(mark.scope in {"", *drawn.scopes} for mark in drawn.marks)


# ----- Runs and blocks -----


@pytest.mark.parametrize(
    ("sequence", "found"),
    [
        ([], []),
        ([1, 1], [(0, 1, 1), (1, 1, 1)]),
        ([1, 1, 1], [(0, 1, 3)]),
        ([5, 1, 2, 1, 2, 1, 2, 1], [(0, 1, 1), (1, 2, 3), (7, 1, 1)]),
        ([1, 1, 1, 2] * 4, [(0, 4, 4)]),
        ([1, 2, 3, 4, 5], [(i, 1, 1) for i in range(5)]),
    ],
)
def test_repeats_are_the_longest_that_begin_in_each_place(sequence, found):
    assert [tuple(repeat) for repeat in repeats(sequence)] == found


@given(st.lists(st.integers(0, 3), max_size=60))
def test_repeats_make_up_the_sequence(sequence):
    rebuilt = [
        step
        for repeat in repeats(sequence)
        for step in sequence[repeat.start : repeat.start + repeat.period] * repeat.times
    ]
    assert rebuilt == sequence


def test_a_run_of_one_operation_is_one_mark_that_says_how_many_it_stands_for():
    h = parameter(3, "x")
    for _ in range(40):
        h = np.tanh(h)
    drawn = drawing(graph(np.exp(h)), {"fold": True})
    assert told(drawn) == ["x", "tanh ×40", "exp"]
    assert drawn.marks[1].details[0] == "40 in a row"
    assert len(drawn.marks[1].nodes) == 40
    assert edges(drawn) == [("x", "tanh ×40"), ("tanh ×40", "exp")]


def test_operations_that_take_turns_are_drawn_once_in_a_box():
    h, w = parameter(3, "x"), parameter(3, "w")
    for _ in range(10):
        h = np.tanh(h * w)
    drawn = drawing(graph(h.sum()), {"fold": True})
    assert told(drawn) == ["x", "w", "multiply", "tanh", "sum"]
    assert edges(drawn) == [("x", "multiply"), ("w", "multiply"), ("multiply", "tanh"), ("tanh", "sum")]
    assert drawn.marks[2].scope == drawn.marks[3].scope != ""
    assert drawn.scopes[drawn.marks[2].scope].title == "×10 in a row"


def test_blocks_of_equal_structure_are_drawn_once_with_what_is_in_them():
    g = graph(residual_blocks(20))
    drawn = drawing(g, {"fold": True})
    assert_whole(g, drawn)
    assert drawn.scopes["blocks.0…19"].title == "0…19 ×20 in a row"
    inside = [mark for mark in drawn.marks if mark.scope.startswith("blocks.0…19")]
    assert all(len(mark.nodes) == 20 for mark in inside)
    assert [mark.title for mark in inside].count("matmul") == 2
    assert ("x", "add") in edges(drawn)
    assert ("x", "matmul") in edges(drawn)
    assert ("add", "multiply") in edges(drawn)


def test_a_block_that_differs_stands_apart():
    h = parameter((2, 8), "x")
    for i, width in enumerate([8, 8, 8, 4, 4, 4, 4]):
        with scope(f"layers.{i}"):
            h = np.tanh(h @ parameter((h.shape[1], width), f"layers.{i}.weight"))
    drawn = drawing(graph(h), {"fold": True})
    titles = [box.title for path, box in drawn.scopes.items() if path.count(".") == 1]
    assert titles == ["0…2 ×3 in a row", "3", "4…6 ×3 in a row"]


def test_blocks_that_do_not_use_each_other_are_side_by_side():
    drawn = drawing(graph(many_heads()), {"fold": True})
    assert drawn.scopes["heads.0…7"].title == "0…7 ×8 side by side"
    assert edges(drawn).count(("multiply", "concatenate")) == 1


def test_a_scope_that_takes_turns_with_what_is_outside_is_drawn_once():
    drawn = drawing(graph(recurrent()), {"fold": True})
    assert told(drawn).count("matmul") == 1
    assert [box.title for box in drawn.scopes.values()].count("×5 in a row") == 1


def test_the_sweep_is_folded_as_what_it_is_about():
    g = graph(residual_blocks(20)).backward()
    drawn = drawing(g, {"fold": True})
    assert_whole(g, drawn)
    gradients = [mark for mark in drawn.marks if mark.title == "∂/∂weight"]
    assert [len(mark.nodes) for mark in gradients] == [20, 20]
    assert {drawn.marks[mark.beside].title for mark in gradients} == {"weight"}


def test_a_folded_mark_tells_all_its_values_and_costs_together():
    h = parameter(10, "x")
    for _ in range(5):
        h = np.tanh(h)
    g = graph(h)
    one = drawing(g, {"show": ("flops",)}).marks[1].details[0]
    five = drawing(g, {"show": ("flops",), "fold": True}).marks[1].details[-1]
    assert int(five.split()[0]) == 5 * int(one.split()[0])


def test_small_graphs_are_folded_only_if_asked_and_large_ones_unless_asked_not_to_be():
    h = parameter(3, "x")
    for _ in range(500):
        h = np.tanh(h)
    large = graph(h)
    assert len(large) == 501
    assert len(drawing(large).marks) == 2
    assert len(drawing(large, {"fold": False}).marks) == 501
    assert len(drawing(graph(residual_blocks(20))).marks) == len(graph(residual_blocks(20)))


# ----- Depth -----


def test_scopes_deeper_than_asked_are_one_mark_each():
    g = graph(two_layer_loss())
    drawn = drawing(g, {"depth": 1})
    assert_whole(g, drawn)
    groups = [mark for mark in drawn.marks if mark.kind == "group"]
    assert [(mark.title, mark.scope) for mark in groups] == [("layers.0", "layers"), ("layers.1", "layers")]
    assert groups[0].details == ("2 operations", "2 parameters", "1 linear, 1 softplus")
    assert ("layers.0", "layers.1") in edges(drawn)
    assert ("layers.0", "sum_squares") in edges(drawn)


def test_depth_zero_leaves_the_outermost_scopes_as_marks():
    drawn = drawing(graph(two_layer_loss()), {"depth": 0})
    assert [mark.title for mark in drawn.marks if mark.kind == "group"] == ["layers"]
    assert drawn.scopes == {}


def test_a_depth_that_nothing_exceeds_changes_nothing():
    g = graph(two_layer_loss())
    assert len(drawing(g, {"depth": 2}).marks) == len(g)


def test_the_sweep_of_a_closed_scope_is_a_mark_beside_it():
    g = graph(two_layer_loss()).backward()
    drawn = drawing(g, {"depth": 1})
    assert_whole(g, drawn)
    backward = [mark for mark in drawn.marks if mark.title == "layers.0 backward"]
    assert [(mark.rises, drawn.marks[mark.beside].title) for mark in backward] == [(True, "layers.0")]
    assert backward[0].details[-1] == "gives ∂/∂weight, ∂/∂bias"


def test_a_scope_that_is_entered_again_stays_apart_where_one_mark_would_use_itself():
    g = graph(recurrent())
    drawn = drawing(g, {"depth": 0})
    assert_whole(g, drawn)
    assert told(drawn).count("cell") == 5


def test_a_scope_that_is_entered_again_is_one_mark_where_nothing_forbids_it():
    w, parts = parameter(3, "encoder.w"), []
    for i in range(2):
        x = parameter(3, f"x{i}") + 1.0
        with scope("encoder"):
            parts.append(np.tanh(x * w))
    drawn = drawing(graph(parts[0] - parts[1]), {"depth": 0})
    assert told(drawn).count("encoder") == 1


@pytest.mark.parametrize("options", [{"depth": 0}, {"depth": 1}, {"fold": True}])
def test_a_training_step_is_closed_and_folded_too(options):
    net = tg.nn.MLP([2, 8, 8, 8, 8, 8, 1], rng=0)
    optimizer = tg.optim.Adam(lr=0.1).bind(net)

    def step(x):
        tg.sum_squares(net(x)).backward()
        optimizer.step()

    g = tg.trace(step, np.ones((4, 2), np.float32))
    drawn = drawing(g, options)
    assert_whole(g, drawn)
    assert len(drawn.marks) < len(g) - 20


# ----- Any graph -----


@st.composite
def programs(draw):
    scopes = st.sampled_from(["", "a", "a.0", "a.1", "b", "b.0.deep", "c"])
    values = [parameter(2, "x"), parameter(2, "a.w"), parameter(2, "b.0.deep.w")]
    for _ in range(draw(st.integers(1, 30))):
        near = st.integers(max(0, len(values) - 5), len(values) - 1)
        first, second = values[draw(near)], values[draw(near)]
        with scope(draw(scopes)):
            operation = draw(st.sampled_from([lambda x, y: x * y, lambda x, y: np.tanh(x), lambda x, y: x + 2.0 * y]))
            values.append(operation(first, second))
    return graph(tg.concatenate(values[-draw(st.integers(1, 3)) :]).sum())


@settings(max_examples=80, deadline=None)
@given(programs(), st.booleans(), st.sampled_from([None, 0, 1, 2]), st.booleans())
def test_any_graph_keeps_its_nodes_and_its_order(g, backward, depth, fold):
    g = g.backward() if backward else g
    assert_whole(g, drawing(g, {"depth": depth, "fold": fold}))


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("depth", [None, 0, 1])
def test_folding_twice_gives_the_same_picture(make, depth):
    options = {"fold": True, "depth": depth}
    assert drawing(graph(make()), options) == drawing(graph(make()), options)


def _without_repetition(count, scopes, place):
    choose = random.Random(0)
    names = ["tanh", "exp", "sin", "log", "add", "multiply", "maximum"]
    nodes = [GraphNode(0, "parameter", (3,), np.dtype("f4"), name="x")]
    for i in range(1, count):
        name = choose.choice(names)
        operands = tuple(choose.randint(max(0, i - 30), i - 1) for _ in range(1 if len(name) < 5 else 2))
        nodes.append(
            GraphNode(
                i, "operation", (choose.randint(1, 9),), np.dtype("f4"),
                scope=scopes(choose, i), primitive=name, inputs=operands, place=place(i),
            )
        )  # fmt: skip
    return Graph(tuple(nodes), (count - 1,))


@pytest.mark.parametrize(
    ("scopes", "place"),
    [
        (lambda choose, i: "", lambda i: ""),
        (lambda choose, i: "", lambda i: f"net.py:{i // 100} in f"),
        (lambda choose, i: f"stage{i // 2000}.block{i // 200}.layer{i // 20}", lambda i: ""),
        (lambda choose, i: f"a{choose.randint(0, 3)}.b{choose.randint(0, 9)}", lambda i: ""),
    ],
    ids=["without scopes", "with lines", "with scopes", "with scopes in disorder"],
)
def test_10_000_nodes_without_any_repetition_become_a_picture_in_time(scopes, place):
    g = _without_repetition(10_000, scopes, place)
    start = time.perf_counter()
    picture = svg_text(g, "own")
    assert time.perf_counter() - start < 10
    assert len(picture) < 2_000_000
    ET.fromstring(picture)
    drawn = drawing(g)
    assert_whole(g, drawn)
    assert 20 < len(drawn.marks) <= 500


def test_what_one_line_computed_is_named_and_counted():
    g = _without_repetition(10_000, lambda choose, i: "", lambda i: f"net.py:{i // 100} in f")
    group = drawing(g, {"show": ("place",)}).marks[5]
    assert (group.details[0], group.details[-1]) == ("100 operations", "net.py:4 in f")


def test_scopes_nested_very_deep_are_drawn():
    h = parameter(3, "x")
    with scope(".".join("s" * 300)):
        h = np.tanh(h)
    for options in ({}, {"fold": True}, {"depth": 3}):
        g = graph(h)
        assert_whole(g, drawing(g, options))


def test_drawing_1_000_nodes_takes_milliseconds():
    h = parameter(3, "x")
    for _ in range(999):
        h = np.tanh(h)
    g = graph(h)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        drawing(g, {"fold": False})
        times.append(time.perf_counter() - start)
    assert min(times) < 0.2
