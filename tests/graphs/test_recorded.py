import subprocess
import sys

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.graphs.pictured import parameter, scope, two_layer_loss
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.graphs import Edge, graph
from tinygrad_lite.tensor import Tensor


def test_the_room_is_listed_by_its_functions_name():
    assert tg.graphs.graph is graph


def test_a_product_with_itself_has_two_edges():
    x = parameter(3, "x")
    assert graph(x * x).edges == (Edge(0, 1, 0), Edge(0, 1, 1))


def test_edges_keep_the_order_of_the_operands():
    x, y = parameter(3, "x"), parameter(3, "y")
    difference = graph(y - x)
    assert [difference.nodes[i].name for i in difference.nodes[-1].inputs] == ["y", "x"]


def test_a_shared_subexpression_is_one_node():
    shared = np.exp(parameter(3, "x"))
    assert [node.primitive for node in graph(shared * 2 + shared)].count("exp") == 1


def test_ids_are_positions_and_nodes_stand_after_their_inputs():
    for i, node in enumerate(graph(two_layer_loss())):
        assert node.id == i
        assert all(source < i for source in node.inputs)


def test_a_scalar_constant_shows_its_value_and_stands_right_before_its_use():
    g = graph(np.exp(parameter(3, "x")) * 2.5)
    assert [node.kind for node in g] == ["parameter", "operation", "constant", "operation"]
    assert g.nodes[2].value == 2.5
    assert g.nodes[2].dtype is None


def test_an_array_constant_shows_its_shape_and_dtype():
    node = graph(parameter((2, 3)) * np.ones((2, 3), np.float32)).nodes[1]
    assert (node.kind, node.shape, node.dtype, node.value) == ("constant", (2, 3), np.float32, None)


def test_a_constant_that_no_rule_reads_is_still_there():
    node = graph(parameter((2, 3)) + np.ones(3, np.float32)).nodes[1]
    assert (node.kind, node.shape) == ("constant", (3,))


def test_one_array_used_twice_is_one_node():
    mask = Tensor(np.ones(3, np.float32))
    g = graph(parameter(3, "x") * mask * mask)
    assert [node.kind for node in g].count("constant") == 1


def test_two_equal_arrays_are_two_nodes():
    g = graph(parameter(3, "x") * Tensor(np.ones(3, np.float32)) * Tensor(np.ones(3, np.float32)))
    assert [node.kind for node in g].count("constant") == 2


def test_an_operand_without_a_derivative_is_a_constant():
    x = parameter(3, "x")
    chosen = np.where(x > 0, x, 0)
    assert [node.kind for node in graph(chosen)] == ["parameter", "constant", "constant", "operation"]


def test_a_tensor_without_history_is_a_single_constant():
    (node,) = graph(Tensor([1.0, 2.0], name="data"))
    assert (node.kind, node.name, node.shape) == ("constant", "data", (2,))


def test_a_leaf_is_a_single_parameter():
    assert str(graph(parameter(3, "w"))) == "%0 = parameter w  3 float32"


def test_anything_but_a_tensor_is_refused():
    with pytest.raises(ArgumentError, match="ndarray"):
        graph(np.ones(3))


def test_operations_carry_their_scope():
    with scope("layers.0"):
        h = np.tanh(parameter(3))
    assert [node.scope for node in graph(np.exp(h))] == ["layers.0", "layers.0", ""]


def test_a_parameter_stays_where_its_name_says_though_others_use_it():
    nodes = {node.name: node for node in graph(two_layer_loss()) if node.name}
    assert nodes["layers.0.weight"].scope == "layers.0"


def test_a_parameter_named_at_the_top_stays_outside():
    x = parameter(3, "x")
    with scope("layers.0"):
        h = np.tanh(x)
    assert graph(h).nodes[0].scope == ""


def test_what_two_scopes_share_stands_in_the_scope_around_them():
    w = parameter(3)
    with scope("net.a"):
        h = np.tanh(w)
    with scope("net.b"):
        h = h * w
    assert graph(h).nodes[0].scope == "net"


def test_the_listing_has_a_line_per_node_with_static_arguments_and_scope():
    x = parameter((2, 3), "x")
    with scope("top"):
        y = x.sum(axis=1, keepdims=True)
    assert str(graph(y)).splitlines() == [
        "%0 = parameter x  2×3 float32",
        "%1 = sum(%0, axis=1, keepdims=True)  2×1 float32  top",
    ]


def test_static_arguments_are_told_briefly_and_without_addresses():
    x = parameter((4, 4), "x")
    text = str(graph(x[1:3, np.array([0, 2])].reshape(2, 2).astype(np.float64)))
    assert "index=(1:3, int64[2])" in text
    assert "shape=(2, 2)" in text
    assert "dtype=float64" in text


def test_the_static_arguments_themselves_are_kept_and_cannot_be_changed():
    node = graph(parameter((2, 3)).sum(axis=1)).nodes[-1]
    assert node.static == {"axis": 1, "keepdims": False}
    with pytest.raises(TypeError):
        node.static["axis"] = 0


def test_the_same_program_gives_equal_graphs():
    assert graph(two_layer_loss()) == graph(two_layer_loss())
    assert graph(parameter(3).sum(axis=0)) != graph(parameter(3).sum())


def test_a_graph_tells_its_size_and_its_short_name():
    g = graph(two_layer_loss())
    assert len(g) == 12
    assert repr(g) == "<Graph: 2 constants, 6 operations, 4 parameters>"


def test_every_process_writes_the_same_text():
    program = (
        "from tests.graphs.pictured import PICTURES; from tinygrad_lite.graphs import graph\n"
        "for make in PICTURES.values():\n"
        "    g = graph(make()); print(ascii(str(g) + g.to_dot() + g.to_svg(renderer='own')))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-X", "utf8", "-c", program],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def test_a_chain_of_100_000_operations_is_listed_and_written():
    h = parameter(1, "x")
    for _ in range(100_000):
        h = np.tanh(h)
    g = graph(h)
    assert str(g).count("\n") == 100_000
    assert g.to_dot(fold=False).count("->") == 100_000
