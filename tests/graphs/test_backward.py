"""`graph.backward()`: the gradient's own computation, as further nodes of the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.fuzzing.generator import random_program
from tests.graphs.replaying import same_bits
from tinygrad_lite import nn
from tinygrad_lite.errors import GraphError, ShapeError
from tinygrad_lite.graphs import Graph

RNG = np.random.default_rng(1)


def gradients_in(graph: Graph) -> dict[int, np.ndarray]:
    """Return what arrives at each parameter, by its id."""
    found = dict(graph.cotangents)
    return {i: graph.nodes[g].values for i, g in found.items() if graph.nodes[i].kind == "parameter"}


@pytest.mark.parametrize("from_tape", [False, True], ids=["traced", "from the tape"])
@pytest.mark.parametrize("first", range(0, 300, 50))
def test_the_gradients_of_a_random_graph_are_those_of_eager_execution_bit_for_bit(first: int, from_tape: bool) -> None:
    for seed in range(first, first + 50):
        program = random_program(seed)
        constants = program.environment(lambda constant: constant.as_written(), f32=np.float32, f64=np.float64)
        leaves = [tg.Tensor(x, dtype=program.dtypes[name], requires_grad=True) for name, x in program.leaves.items()]

        def loss(*values: Any, program: Any = program, constants: Any = constants) -> Any:
            outputs = program.run(dict(constants), dict(zip(program.leaves, values, strict=True)))
            weights = program.outputs.values()
            return sum(np.sum(y * g.astype(y.dtype)) for y, g in zip(outputs, weights, strict=True))

        with np.errstate(all="ignore"):
            total = loss(*leaves)
            graph = tg.graph(total) if from_tape else tg.trace(loss, *leaves)
            total.backward()
        wide = graph.backward()
        assert wide.nodes[: len(graph)] == graph.nodes
        found = gradients_in(wide)
        if from_tape:  # which begins with those leaves that the result depends on
            expected = [leaf.grad for leaf in leaves if leaf.grad is not None]
            assert sorted(map(bytes, found.values())) == sorted(map(bytes, expected)), f"seed {seed}"
        else:
            for i, leaf in enumerate(leaves):
                assert same_bits(found[i], leaf.grad) if leaf.grad is not None else i not in found, f"seed {seed}"


def test_each_value_on_the_way_has_its_cotangent_and_each_step_the_operation_that_it_goes_back_through() -> None:
    net = nn.MLP([4, 3, 2], activation="softplus", rng=0, dtype=np.float64)
    x, t = RNG.normal(size=(6, 4)), RNG.integers(0, 2, 6)
    graph = tg.graph((nn.CrossEntropy() + 0.1 * nn.L2())(net, x, t)).backward()
    forward = [node for node in graph if node.back_through is None and node.kind == "operation"]
    found = dict(graph.cotangents)
    assert {node.id for node in forward} <= found.keys()
    assert all(graph.nodes[found[i]].shape == graph.nodes[i].shape for i in found)
    assert all(graph.nodes[found[i]].dtype == graph.nodes[i].dtype for i in found)
    for node in graph.nodes:
        if node.back_through is not None:
            assert node.scope == graph.nodes[node.back_through].scope
            assert graph.nodes[node.back_through] in forward


def test_a_cotangent_starts_the_sweep_from_a_result_that_is_no_scalar() -> None:
    w = tg.Tensor(RNG.normal(size=3), requires_grad=True)
    u = RNG.normal(size=3)
    found = gradients_in(tg.graph(np.sin(w)).backward(u))
    assert same_bits(found[0], u * np.cos(w.numpy()))


def test_what_was_detached_or_computed_under_no_grad_gets_no_gradient() -> None:
    w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")

    def f() -> Any:
        with tg.no_grad():
            square = w * w
        return (square + w.detach() * w + tg.stop_gradient(w)).sum()

    assert gradients_in(tg.trace(f).backward())[0].tolist() == [1.0, 2.0]


def test_the_tie_of_a_maximum_goes_where_it_goes_in_eager_execution() -> None:
    w, c = tg.Tensor([1.0, 2.0], requires_grad=True), np.array([1.0, 1.0])
    assert gradients_in(tg.trace(lambda c: np.sum(np.maximum(w, c)), c).backward())[1].tolist() == [0.0, 1.0]


def test_a_rule_that_gives_plain_zeros_gives_a_constant() -> None:
    w = tg.Tensor([1.0, -2.0], requires_grad=True)
    assert gradients_in(tg.trace(lambda: np.sign(w).sum()).backward())[0].tolist() == [0.0, 0.0]


def test_a_gradient_that_is_repeated_is_written_out_whole() -> None:
    b = tg.Tensor([1.0, 2.0], requires_grad=True)
    graph = tg.trace(lambda x: (x + b).sum(), np.ones(2)).backward()
    gradient = graph.nodes[dict(graph.cotangents)[1]]
    assert gradient.primitive == "contiguous"
    assert gradient.values.flags.c_contiguous


def test_a_raw_operand_keeps_its_memory_order_for_the_rules() -> None:
    rng = np.random.default_rng(0)
    w, c = tg.Tensor(rng.normal(size=(3, 5)), requires_grad=True), rng.normal(size=(4, 5))
    graph = tg.trace(lambda: np.sum(np.sin(w @ c.T))).backward()
    np.sum(np.sin(w @ c.T)).backward()
    assert same_bits(gradients_in(graph)[0], w.grad)


def test_a_pole_behind_a_selection_keeps_a_cotangent_of_zero_at_zero() -> None:
    w = tg.Tensor([0.0, 4.0], requires_grad=True)
    graph = tg.graph(np.where(w > 0, np.sqrt(w), 0.0).sum()).backward()
    assert gradients_in(graph)[0].tolist() == [0.0, 0.25]


def test_a_gradient_of_a_gradient_can_be_added_as_well() -> None:
    w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    graph = tg.trace(lambda: np.sum(tg.grad(lambda w: np.sum(w**3))(w) ** 2)).backward()
    assert gradients_in(graph)[0].tolist() == [36.0, 288.0]  # ∂/∂w 9w⁴


def test_a_sweep_without_a_start_or_an_end_is_refused() -> None:
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GraphError, match="needs a cotangent of that shape"):
        tg.graph(w * 2).backward()
    with pytest.raises(ShapeError, match=r"cotangent of shape \(3,\)"):
        tg.graph(w * 2).backward(np.ones(3))
    with pytest.raises(GraphError, match="no gradient flows"):
        tg.trace(np.sum, np.ones(3)).backward()
    with pytest.raises(GraphError, match="has 2"):
        tg.trace(lambda: (w * 2, w * 3)).backward()


def test_backward_leaves_the_graph_and_the_gradients_of_the_parameters_alone() -> None:
    w = tg.Tensor([1.0, 2.0], requires_grad=True)
    graph = tg.graph((w * w).sum())
    before = str(graph)
    graph.backward()
    assert str(graph) == before
    assert w.grad is None
