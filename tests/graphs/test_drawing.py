"""The picture before it has a format: which marks, which words, which edges."""

import dataclasses
import re
from collections import Counter

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.graphs.pictured import PICTURES, parameter, scope, two_layer_loss, with_sweep
from tinygrad_lite.errors import ArgumentError, GraphError
from tinygrad_lite.graphs import Graph, GraphNode, graph
from tinygrad_lite.graphs.pictures.drawing import drawing
from tinygrad_lite.graphs.recorded import Update
from tinygrad_lite.tensor import Tensor


def mark_named(drawn, title):
    (found,) = [mark for mark in drawn.marks if mark.title == title]
    return found


def titles(drawn, positions):
    return [drawn.marks[i].title for i in positions]


# ----- Marks and edges -----


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_an_unfolded_graph_has_a_mark_per_node_and_an_edge_per_operand(make):
    g = graph(make())
    drawn = drawing(g, {"fold": False})
    assert [mark.nodes for mark in drawn.marks] == [(node.id,) for node in g]
    assert [(edge.source, edge.target) for edge in drawn.edges] == [(edge.source, edge.target) for edge in g.edges]


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_marks_with_a_sweep_follow_their_operands_and_the_value_they_are_beside(make):
    drawn = drawing(with_sweep(make))
    for i, mark in enumerate(drawn.marks):
        assert all(source < i for source in mark.inputs)
        assert mark.beside is None or (mark.beside < i and not drawn.marks[mark.beside].rises)


def test_a_product_with_itself_has_two_edges():
    x = parameter(3, "x")
    assert drawing(graph(x * x)).marks[1].inputs == (0, 0)


def test_an_option_that_does_not_exist_is_refused_by_name():
    with pytest.raises(ArgumentError, match=r"no option 'colour'; there are show, heat, report, depth, fold"):
        drawing(graph(two_layer_loss()), {"colour": "red"})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"show": "shape"}, r"write show=\('shape',\)"),
        ({"show": 3}, "tuple of names, got int"),
        ({"show": ("shape", "colour")}, "'place'; got 'colour'"),
        ({"heat": "place"}, "'error' or None; got 'place'"),
        ({"heat": "error"}, "give it as report="),
        ({"depth": -1}, "0 or more, or is None; got -1"),
        ({"depth": True}, "got True"),
        ({"fold": 1}, "True, False, or None .* got 1"),
        ({"report": "wrong"}, r"tg.check_gradients\(...\) returns; got str"),
    ],
)
def test_a_wrong_option_is_refused_with_what_there_is(options, told):
    with pytest.raises(ArgumentError, match=told):
        drawing(graph(two_layer_loss()), options)


# ----- The backward part -----


def test_a_total_cotangent_stands_beside_its_value_in_its_scope_and_is_named_after_it():
    drawn = drawing(with_sweep(two_layer_loss))
    gradients = [mark for mark in drawn.marks if mark.title == "∂/∂weight"]
    assert [mark.scope for mark in gradients] == ["layers.1", "layers.0"]
    for mark in gradients:
        value = drawn.marks[mark.beside]
        assert (value.kind, value.title, value.scope) == ("parameter", "weight", mark.scope)
    assert drawn.marks[mark_named(drawn, "∂/∂softplus").beside].title == "softplus"


def test_a_total_cotangent_tells_by_which_operation_it_was_computed():
    drawn = drawing(with_sweep(two_layer_loss))
    assert mark_named(drawn, "∂/∂softplus").details[0] == "by matmul"
    assert "by sum, axis=(0,)" in [mark.details[0] for mark in drawn.marks if mark.title == "∂/∂bias"]


def test_a_name_is_told_whole_outside_of_its_scope():
    w = parameter(3, "layer.w")
    with scope("layer"):
        h = np.tanh(w)
    drawn = drawing(graph((h * w).sum()).backward())
    assert mark_named(drawn, "∂/∂w").scope == "layer"
    g = Graph(
        (
            GraphNode(0, "parameter", (), np.dtype("f4"), scope="layer", name="layer.w"),
            GraphNode(1, "operation", (), np.dtype("f4"), primitive="tanh", inputs=(0,)),
        ),
        (1,),
        (Update(0, 1, "value"), Update(0, 1, "gradient")),
    )
    assert drawing(g).marks[1].details == ("scalar float32", "→ layer.w", "→ layer.w.grad")


def test_a_cotangent_that_several_values_share_names_the_one_with_a_name_and_tells_the_others():
    x, b = parameter(3), parameter(3, "b")
    drawn = drawing(graph((np.tanh(x) + b).sum()).backward())
    mark = mark_named(drawn, "∂/∂b")
    assert "= ∂/∂add = ∂/∂tanh" in mark.details
    assert drawn.marks[mark.beside].title == "add"


def test_the_sweep_rises_and_its_edges_are_told_from_those_that_read_the_forward_part():
    drawn = drawing(with_sweep(two_layer_loss))
    kinds = Counter(edge.kind for edge in drawn.edges)
    assert kinds["forward"] == len(graph(two_layer_loss()).edges)
    assert kinds["backward"] > 0 < kinds["read"]
    for edge in drawn.edges:
        assert drawn.marks[edge.target].rises == (edge.kind != "forward")
        assert drawn.marks[edge.source].rises == (edge.kind == "backward")


def test_gradients_of_parameters_are_results_with_a_double_rim():
    drawn = drawing(with_sweep(two_layer_loss))
    assert Counter(mark.title for mark in drawn.marks if mark.is_output) == {
        "weighted_sum": 1,
        "∂/∂weight": 2,
        "∂/∂bias": 2,
    }


def _passing_on(passed):
    """x → tanh, back through it by a multiplication whose result goes through `contiguous`."""
    f8, value = np.dtype("f8"), np.array([1.0, -2.0])
    return Graph(
        (
            GraphNode(0, "parameter", (2,), f8, name="x", array=value),
            GraphNode(1, "operation", (2,), f8, primitive="tanh", inputs=(0,), array=value),
            GraphNode(2, "constant", (2,), f8, array=np.ones(2)),
            GraphNode(3, "operation", (2,), f8, primitive="multiply", inputs=(2, 1), back_through=1, array=value),
            GraphNode(4, "operation", (2,), f8, primitive="contiguous", inputs=(3,), back_through=1, array=passed),
            GraphNode(5, "operation", (2,), f8, primitive="exp", inputs=(4,), back_through=1, array=value),
        ),
        (1,),
        cotangents=((1, 2), (0, 4)),
    )


def test_what_passed_its_operand_on_unchanged_is_left_out():
    drawn = drawing(_passing_on(np.array([1.0, -2.0])))
    assert [mark.nodes for mark in drawn.marks] == [(0,), (1,), (2,), (3,), (5,)]
    assert drawn.marks[3].title == "∂/∂x"
    assert drawn.marks[4].inputs == (3,)


@pytest.mark.parametrize("passed", [np.array([1.0, 0.0]), np.array([1.0, -2.0], "f4"), None])
def test_what_changed_something_or_kept_no_values_is_drawn(passed):
    drawn = drawing(_passing_on(passed))
    assert [mark.title for mark in drawn.marks][3:] == ["multiply", "∂/∂x", "exp"]


def test_a_sum_or_a_copy_that_only_hands_on_gradients_belongs_to_the_sweep():
    g = _passing_on(np.array([1.0, 0.0]))
    handed_on = dataclasses.replace(g.nodes[4], back_through=None)
    g = dataclasses.replace(g, nodes=(*g.nodes[:4], handed_on, *g.nodes[5:]))
    assert [mark.rises for mark in drawing(g).marks] == [False, False, True, True, True, True]


# ----- What marks tell -----


def test_small_values_are_told_in_full_and_large_ones_by_mean_and_spread():
    x = Tensor(np.array([1.0, 0.25]), requires_grad=True, name="x")
    g = tg.trace(lambda x: (x * np.arange(6.0).reshape(3, 2)).sum(), x)
    told = [mark.details for mark in drawing(g, {"show": ("value",)}).marks]
    assert ("[1 0.25]",) in told
    assert ("= 8.25",) in [line[-1:] for line in told]
    product = np.array([1.0, 0.25]) * np.arange(6.0).reshape(3, 2)
    assert (f"{product.mean():.3g} ± {product.std():.3g}",) in told


def test_values_that_are_not_finite_are_counted():
    x = Tensor(np.array([1.0, np.nan, np.inf, -np.inf, 3.0]), name="x")
    (mark,) = drawing(tg.trace(lambda x: x, x), {"show": ("value",)}).marks[:1]
    assert mark.details == ("2 ± 1, 1 nan, 2 inf",)


def test_the_gradient_shown_is_the_norm_of_the_cotangent():
    w = Tensor(np.array([3.0, 4.0, 12.0, 1.0, 1.0]), requires_grad=True, name="w")
    drawn = drawing(tg.trace(lambda: (w * w).sum() / 2).backward(), {"show": ("gradient",)})
    assert mark_named(drawn, "w").details == ("‖∂‖ = 13.1",)


@pytest.mark.parametrize("options", [{"show": ("gradient",)}, {"heat": "gradient"}])
def test_gradients_of_a_graph_without_a_sweep_are_refused_with_the_remedy(options):
    with pytest.raises(GraphError, match=r"graph\.backward\(\)"):
        drawing(graph(two_layer_loss()), options)


def test_costs_are_told_as_they_are_counted():
    x, w = np.zeros((100, 784)), parameter((784, 10), "w")
    drawn = drawing(graph(x @ w), {"show": ("flops", "bytes")})
    moved = 100 * 784 * 8 + 784 * 10 * 4 + 100 * 10 * 8
    assert mark_named(drawn, "matmul").details == ("1.57 MFLOP", f"{moved / 1000:.3g} kB")


def test_the_place_is_the_line_of_the_user():
    drawn = drawing(tg.trace(lambda x: np.tanh(x), np.ones(3)), {"show": ("place",)})
    assert re.search(r"test_drawing\.py:\d+", mark_named(drawn, "tanh").tooltip)
    assert drawn.marks[-1].details != ()


def test_values_that_no_tape_kept_are_not_left_out_without_a_word():
    g = graph(parameter(3, "w") + parameter(3, "b"))
    notes = drawing(g, {"show": ("value",)}).legend.notes
    assert notes == ("values that the tape did not keep are not told; tg.trace keeps all",)
    with pytest.raises(GraphError, match=r"no values .* tg\.trace"):
        drawing(g, {"heat": "value"})


def test_mean_and_spread_are_explained_where_they_are_told():
    large, small = (tg.trace(np.tanh, np.arange(float(n))) for n in (9, 2))
    notes = [drawing(g, {"show": ("value",)}).legend.notes for g in (large, small)]
    assert notes == [("a ± b: mean and standard deviation of the values",), ()]


# ----- Heat -----


def test_heat_colours_by_magnitude_and_says_what_the_ends_mean():
    x = parameter((100, 784), "x")
    drawn = drawing(graph(tg.linear(x, parameter((50, 784)), parameter(50)).sum()), {"heat": "flops"})
    linear, total = mark_named(drawn, "linear"), mark_named(drawn, "sum")
    assert drawn.legend.heat.meaning == "floating-point operations, logarithmic"
    assert drawn.legend.heat.high == "7.84 MFLOP"
    assert drawn.legend.heat.low == "5 kFLOP"
    assert (linear.style.fill, total.style.fill) == ("#e0754a", "#fdf8e4")
    assert mark_named(drawn, "x").style.fill not in (linear.style.fill, total.style.fill)


def test_what_is_not_finite_has_a_colour_of_its_own_that_the_legend_tells():
    f8 = np.dtype("f8")
    g = Graph(
        (
            GraphNode(0, "parameter", (), f8, name="x", array=np.array(1.0)),
            GraphNode(1, "operation", (), f8, primitive="tanh", inputs=(0,), array=np.array(1.0)),
            GraphNode(2, "constant", (), f8, value=1.0, array=np.array(1.0)),
            GraphNode(3, "operation", (), f8, primitive="log", inputs=(2,), back_through=1, array=np.array(np.inf)),
        ),
        (1,),
        cotangents=((1, 2), (0, 3)),
    )
    for heat in ("gradient", "value"):
        drawn = drawing(g if heat == "gradient" else tg.trace(lambda x: np.log(x - 1), np.ones(2)), {"heat": heat})
        assert "#f3a6f0" in {mark.style.fill for mark in drawn.marks}
        assert drawn.legend.heat.meaning.endswith("; pink where nan or infinite")


def test_heat_by_value_is_by_root_mean_square_and_linear_within_a_power_of_ten():
    small, large = (Tensor(np.full(4, size), requires_grad=True, name=f"w{size}") for size in (-1.0, 3.0))
    drawn = drawing(tg.trace(lambda: (small * large).sum()), {"heat": "value"})
    assert drawn.legend.heat == ("magnitude of the values (root mean square), logarithmic", "1", "12")
    drawn = drawing(tg.trace(lambda: small * large), {"heat": "value"})
    assert drawn.legend.heat == ("magnitude of the values (root mean square)", "1", "3")
    assert mark_named(drawn, "w-1.0").style.fill == "#fdf8e4"
    assert mark_named(drawn, "w3.0").style.fill == "#e0754a"


def test_what_has_almost_nothing_is_as_pale_as_a_millionth_and_the_legend_says_so():
    small, large = (Tensor(np.full(4, size), requires_grad=True, name=f"w{size}") for size in (1e-9, 1.0))
    drawn = drawing(tg.trace(lambda: small + large), {"heat": "value"})
    assert drawn.legend.heat[1:] == ("≤ 1e-06", "1")
