from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.graphs.pictured import HOSTILE_NAMES, PICTURES, parameter, scope, two_layer_loss
from tests.operations.case import Case
from tests.operations.cases import CASES
from tinygrad_lite.graphs.costing.counting import Cost, cost_of
from tinygrad_lite.graphs.costing.pricing import count
from tinygrad_lite.primitives import PRIMITIVES
from tinygrad_lite.tape import Leaf, Node, tape
from tinygrad_lite.tensor import Tensor

SINGLE, LABEL = 4, 8
"""The bytes of a float32 and of an int64."""


def mlp(rows: int, inputs: int, hidden: int, classes: int, *, is_input_differentiated: bool = False) -> Tensor:
    """The loss of a network with one hidden layer, as the documents have it, with biases."""
    x = Tensor(np.zeros((rows, inputs), np.float32), requires_grad=is_input_differentiated, name="x")
    with scope("layers.0"):
        w, b = parameter((hidden, inputs), "layers.0.weight"), parameter(hidden, "layers.0.bias")
        h = tg.softplus(tg.linear(x, w, b))
    with scope("layers.1"):
        w, b = parameter((classes, hidden), "layers.1.weight"), parameter(classes, "layers.1.bias")
        logits = tg.linear(h, w, b)
    return tg.softmax_cross_entropy(logits, np.zeros(rows, np.int64))


SIZES = [(100, 784, 100, 10), (100, 784, 300, 10), (100, 3072, 200, 10), (16, 8, 16, 4), (1, 3, 2, 2)]


# ----- Counts by hand -----


@pytest.mark.parametrize(("n", "d", "m", "k"), SIZES)
def test_the_forward_pass_of_a_network_costs_what_is_counted_by_hand(n: int, d: int, m: int, k: int) -> None:
    layers = n * m * (2 * d + 1) + n * m + n * k * (2 * m + 1)
    loss = 4 * n * k + 3 * n  # peak, difference, exponential, sum; of each row the logarithm, the difference, the mean
    total = cost_of(tg.graph(mlp(n, d, m, k))).total
    assert total.flops == layers + loss
    assert total.parameters == d * m + m + m * k + k
    assert total.unknown == 0


@pytest.mark.parametrize(("n", "d", "m", "k"), SIZES)
def test_the_backward_pass_of_a_network_costs_what_is_counted_by_hand(n: int, d: int, m: int, k: int) -> None:
    forward = cost_of(tg.graph(mlp(n, d, m, k)))
    both = cost_of(tg.graph(mlp(n, d, m, k)).backward())
    to_logits = 5 * n * k + n * k + 1 + n * k  # the softmax, minus the labels, times the scalar 1/n that is made once
    second = 2 * n * k * m + 2 * n * k * m + n * k  # to the hidden layer, to the weight, to the bias
    activation = 3 * n * m + n * m  # −expm1(−y), times the cotangent
    first = 2 * n * m * d + n * m  # the data get no gradient
    assert both.backward.flops == to_logits + second + activation + first
    assert both.forward == forward.total


def test_the_network_of_the_documents_has_79510_parameters() -> None:
    assert cost_of(tg.graph(mlp(100, 784, 100, 10))).total.parameters == 79_510


@pytest.mark.parametrize(("n", "d", "m", "k"), SIZES[:3])
def test_a_backward_pass_costs_twice_the_forward_pass_where_the_input_gets_a_gradient_too(
    n: int, d: int, m: int, k: int
) -> None:
    cost = cost_of(tg.graph(mlp(n, d, m, k, is_input_differentiated=True)).backward())
    assert 1.98 < cost.backward.flops / cost.forward.flops < 2.02


@pytest.mark.parametrize(("n", "d", "m", "k"), SIZES)
def test_the_data_the_hidden_values_the_logits_and_the_labels_wait_for_the_sweep(
    n: int, d: int, m: int, k: int
) -> None:
    """Not what comes before the activation, whose rule reads its output, and no parameters."""
    expected = SINGLE * (n * d + n * m + n * k) + LABEL * n
    assert cost_of(tg.graph(mlp(n, d, m, k))).total.kept == expected


@pytest.mark.parametrize(("n", "d", "m", "k"), SIZES)
def test_the_bytes_moved_are_operands_and_results(n: int, d: int, m: int, k: int) -> None:
    first = n * d + d * m + m + n * m
    second = n * m + m * k + k + n * k
    assert cost_of(tg.graph(mlp(n, d, m, k))).total.bytes == (
        SINGLE * (first + 2 * n * m + second + n * k + 1) + LABEL * n
    )


@pytest.mark.parametrize(
    ("a", "b", "flops"),
    [((3, 4), (4, 5), 2 * 3 * 4 * 5), ((4,), (4, 5), 2 * 4 * 5), ((3, 4), (4,), 2 * 3 * 4), ((4,), (4,), 2 * 4),
     ((2, 3, 4), (4, 5), 2 * 2 * 3 * 4 * 5), ((7, 1, 3, 4), (2, 4, 5), 7 * 2 * 2 * 3 * 4 * 5)],
)  # fmt: skip
def test_a_matrix_product_costs_two_operations_for_each_product(a: Any, b: Any, flops: int) -> None:
    assert cost_of(tg.graph(parameter(a) @ parameter(b))).total.flops == flops


OPERATIONS: dict[str, tuple[Callable[[Tensor], Any], int, int]] = {
    "elementwise": (np.tanh, 12, 2 * 12 * SINGLE),
    "with a number": (lambda x: x * 2.0, 12, 2 * 12 * SINGLE),
    "with itself": (lambda x: x * x, 12, 2 * 12 * SINGLE),
    "sum": (lambda x: x.sum(axis=0), 12, (12 + 4) * SINGLE),
    "mean": (lambda x: x.mean(axis=0), 12 + 4, (12 + 4) * SINGLE),
    "transpose": (lambda x: x.T, 0, 0),
    "reshape": (lambda x: x.reshape(2, 6), 0, 0),
    "broadcast": (lambda x: np.broadcast_to(x, (5, 3, 4)), 0, 0),
    "index": (lambda x: x[0], 0, 2 * 4 * SINGLE),
    "concatenate": (lambda x: tg.concatenate([x, x[:1]]), 0, (2 * 4 + 12 + 4 + 16) * SINGLE),
    "cast": (lambda x: x.astype(np.float64), 0, 12 * (SINGLE + 8)),
    "softmax": (tg.softmax, 5 * 12, 2 * 12 * SINGLE),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_costs_what_the_conventions_say(name: str) -> None:
    function, flops, moved = OPERATIONS[name]
    total = cost_of(tg.graph(function(parameter((3, 4))))).total
    assert (total.flops, total.bytes) == (flops, moved)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_operation_of_the_tables_has_a_count(case: Case) -> None:
    entry = PRIMITIVES[case.primitive]
    assert entry.flops is not None
    operands = [np.asarray(x) for x in case.arguments(*case.operands())]
    y = np.asarray(entry(*operands, **case.static))
    flops = entry.flops(y, *operands, **case.static)
    assert isinstance(flops, int)
    assert flops >= 0
    assert entry.moved is None or entry.moved(y, *operands, **case.static) >= 0


# ----- What waits for the sweep -----


def kept_by_the_engine(result: Tensor) -> int:
    """The bytes of the arrays that a tape refers to, those of its leaves aside."""
    assert result._node is not None
    nodes = tape(result._node)
    arrays = {id(x): x for node in nodes if isinstance(node, Node) for x in (*node.operands, node.output)}
    leaves = [node for node in nodes if isinstance(node, Leaf)]
    sources = [
        (x, source)
        for node in nodes
        if isinstance(node, Node)
        for x, source in zip(node.operands, node.inputs, strict=True)
    ]
    of_leaves = {id(x) for x, source in sources if source in leaves}
    return sum(x.nbytes for i, x in arrays.items() if isinstance(x, np.ndarray) and i not in of_leaves)


@pytest.mark.parametrize("picture", [p for name, p in PICTURES.items() if name != "residual_blocks"])
def test_what_is_kept_is_what_the_engine_keeps(picture: Callable[[], Tensor]) -> None:
    result = picture()
    assert cost_of(tg.graph(result)).total.kept == kept_by_the_engine(result)


def test_a_value_that_several_rules_read_is_kept_once() -> None:
    h = np.exp(parameter((3, 4)))
    assert cost_of(tg.graph((h * h + np.sin(h)).sum())).total.kept == 12 * SINGLE


def test_a_view_and_what_it_looks_at_are_kept_once() -> None:
    h = np.exp(parameter((3, 4)))
    assert cost_of(tg.graph(np.sin(h.T).sum() + np.sin(h).sum())).total.kept == 12 * SINGLE


def test_a_view_of_a_parameter_is_no_activation() -> None:
    x, w = parameter((2, 4), "x"), parameter((3, 4), "w")
    assert cost_of(tg.graph((x @ w.T).sum())).total.kept == 0
    assert cost_of(tg.trace(lambda: (x @ w.T).sum())).total.kept == 0
    assert cost_of(tg.graph((x @ (w.T * 2)).sum())).total.kept == 12 * SINGLE


def test_what_needs_no_gradient_is_not_kept() -> None:
    with tg.no_grad():
        h = np.exp(parameter((3, 4)))
    assert cost_of(tg.trace(lambda x: np.exp(np.exp(x)), h.numpy())).total.kept == 0


# ----- Totals -----


def test_forward_and_backward_together_are_the_whole() -> None:
    cost = cost_of(tg.graph(two_layer_loss()).backward())
    for field in cost.total._fields:
        assert getattr(cost.forward, field) + getattr(cost.backward, field) == getattr(cost.total, field)
    assert cost.backward.flops > 0


def test_a_scope_holds_all_that_lies_in_it_and_nothing_twice() -> None:
    cost = cost_of(tg.graph(two_layer_loss()))
    assert list(cost.scopes) == ["", "layers", "layers.0", "layers.1"]
    assert cost.scopes[""] == cost.total
    assert cost.scopes["layers"].flops == cost.scopes["layers.0"].flops + cost.scopes["layers.1"].flops
    assert cost.scopes["layers.0"].parameters == 100 * 784 + 100


def test_a_parameter_that_is_used_twice_counts_once() -> None:
    w = parameter((4, 4))
    assert cost_of(tg.graph((w @ w + w).sum())).total.parameters == 16


def test_there_is_a_row_for_each_node() -> None:
    graph = tg.graph(two_layer_loss()).backward()
    assert [row.id for row in cost_of(graph).rows] == [node.id for node in graph]


def test_a_captured_training_step_is_counted_whole() -> None:
    w = parameter((3, 2), "w")

    def step(x: Tensor) -> None:
        tg.sum_squares(x @ w).backward()
        assert w.grad is not None
        w.assign(w.detach() - w.grad)

    cost = cost_of(tg.trace(step, np.ones((4, 3), np.float32)))
    assert cost.forward.flops == 2 * 4 * 3 * 2 + (2 * 8 + 1)  # the product and its squares
    assert cost.backward.flops >= 2 * 4 * 3 * 2
    assert cost.update.flops == 6
    assert cost.total.flops == cost.forward.flops + cost.backward.flops + cost.update.flops


def test_what_nobody_uses_is_no_update() -> None:
    w = parameter((3, 2), "w")

    def step(x: Tensor) -> None:
        np.exp(x)
        tg.sum_squares(x @ w).backward()

    cost = cost_of(tg.trace(step, np.ones((4, 3), np.float32)))
    assert (cost.forward.flops, cost.update.flops) == (12 + 2 * 4 * 3 * 2 + (2 * 8 + 1), 0)


def test_the_step_of_an_optimizer_is_an_update_its_own_arithmetic_included() -> None:
    net = tg.nn.MLP([4, 5, 3])
    adam = tg.optim.Adam(lr=0.1).bind(net)

    def step(x: Tensor, labels: Tensor) -> Tensor:
        loss = tg.softmax_cross_entropy(net(x), labels)
        loss.backward()
        adam.step()
        return loss

    x, labels = np.ones((2, 4), np.float32), np.array([0, 1])
    cost = cost_of(tg.trace(step, x, labels))
    alone = cost_of(tg.trace(lambda x, t: tg.softmax_cross_entropy(net(x), t), x, labels))
    assert cost.forward == alone.total
    assert cost.backward.parameters == cost.update.parameters == 0
    assert "FLOPs update" in str(cost)


# ----- Counts that nobody gave -----


def with_a_primitive(**said: Any) -> Cost:
    triple = tg.primitive(lambda g, _y, _x: 3 * g, name="triple", **said)(lambda x: 3 * x)
    return cost_of(tg.graph(triple(parameter((3, 4), "x")).sum()))


def test_a_primitive_without_a_count_is_unknown_and_never_free() -> None:
    cost = with_a_primitive()
    assert cost.rows[1].flops is None
    assert (cost.total.flops, cost.total.unknown) == (12, 1)
    assert "12 + ? FLOPs" in str(cost)
    assert re.search(r"%1 triple +\?", str(cost))


def test_a_primitive_with_a_count_costs_what_it_says() -> None:
    assert with_a_primitive(flops=5).total.flops == 5 * 12 + 12
    assert with_a_primitive(flops=lambda _y, x: x.size + 1).total.flops == 13 + 12


def test_an_elementwise_primitive_costs_one_operation_for_each_value() -> None:
    assert with_a_primitive(elementwise=True).rows[1].flops == 12


# ----- How it is shown -----


def test_the_table_tells_scopes_and_the_costliest_operations() -> None:
    lines = str(cost_of(tg.graph(mlp(100, 784, 100, 10)).backward())).splitlines()
    assert lines[0].startswith("32 M FLOPs (15.9 M forward, 16.1 M backward)")
    assert lines[2].split() == ["scope", "FLOPs", "forward", "FLOPs", "backward", "moved", "parameters", "kept"]
    assert lines[3].split()[:1] == ["everything"]
    assert any(line.split()[:1] == ["layers.0"] and "78,500" in line for line in lines)
    assert "linear in layers.0" in lines[lines.index("") + 8]
    widths = {len(line) for line in lines[2:7]}
    assert len(widths) == 1


def test_without_a_sweep_there_is_one_column_of_flops() -> None:
    assert str(cost_of(tg.graph(mlp(2, 3, 2, 2)))).splitlines()[2].split()[:3] == ["scope", "FLOPs", "moved"]


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (999, "999"), (999.6, "1 k"), (1000, "1 k"), (1_234_567, "1.23 M"), (1e9, "1 G"), (5e15, "5000 T")],
)  # fmt: skip
def test_numbers_have_three_digits_and_a_prefix(number: float, shown: str) -> None:
    assert count(number) == shown


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_mean_nothing_to_html_and_markdown(name: str) -> None:
    with scope(name.replace(".", "")):
        cost = cost_of(tg.graph(np.exp(parameter(2, name))))
    tags = set(re.findall(r"<[^>]*>", cost._repr_html_()))
    assert tags <= {
        f"<{slash}{tag}>" for slash in ("", "/") for tag in ("p", "table", "thead", "tbody", "tr", "th", "td")
    }
    for line in cost.to_markdown().splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line))
        assert cells in (0, 5, 6)
    assert "<" not in cost.to_markdown()


def test_a_cost_says_in_short_what_it_is() -> None:
    assert repr(cost_of(tg.graph(mlp(2, 3, 2, 2)))).startswith("<Cost: 74 FLOPs, ")
