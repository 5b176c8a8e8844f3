"""`tg.trace`: a call captured whole, and the world left as it was."""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.fuzzing.generator import random_program
from tests.graphs.replaying import replayed, same_bits
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import ArgumentError, DetachError, GraphError
from tinygrad_lite.graphs import Graph, Update
from tinygrad_lite.nested import leaves_of

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(5, 4)).astype(np.float32), np.array([0, 1, 2, 1, 0])


def network(activation: str = "softplus") -> nn.MLP:
    return nn.MLP([4, 3, 3], activation=activation, rng=0)


OBJECTIVE = nn.CrossEntropy() + 0.01 * nn.L2()

# ----- What is in it -----


def test_a_traced_function_names_its_inputs_parameters_and_results() -> None:
    w = tg.Tensor(np.ones((3, 2)), requires_grad=True, name="w")
    b = tg.Tensor([1.0, 2.0], name="b")

    def affine(x: Any, scale: float) -> Any:
        return scale * (x @ w) + b

    graph = tg.trace(affine, np.ones((5, 3)), np.array(2.0))
    assert str(graph).splitlines() == [
        "%0 = input x  5×3 float64",
        "%1 = input scale  scalar float64",
        "%2 = parameter w  3×2 float64",
        "%3 = matmul(%0, %2)  5×2 float64",
        "%4 = multiply(%1, %3)  5×2 float64",
        "%5 = state b  2 float64",
        "%6 = add(%4, %5)  5×2 float64",
    ]
    assert graph.outputs == (6,)
    assert graph.updates == ()


def test_nested_arguments_and_results_are_inputs_and_outputs_by_their_paths() -> None:
    def f(batch: dict[str, Any], *others: Any) -> Any:
        return {"sum": batch["x"] + others[1], "rest": (others[0], None, 3.0)}

    graph = tg.trace(f, {"x": np.ones(2), "note": "text"}, np.zeros(3), np.ones(2))
    named = [(node.kind, node.name) for node in graph.nodes]
    assert named == [
        ("input", "batch['x']"), ("input", "others0"), ("input", "others1"), ("operation", None), ("constant", None)
    ]  # fmt: skip
    assert graph.outputs == (3, 1, 4)


def test_nodes_know_the_line_that_computed_them() -> None:
    def f(x: Any) -> Any:
        return np.tanh(x)

    line = f.__code__.co_firstlineno + 1
    node = tg.trace(f, np.ones(2)).nodes[-1]
    assert node.place == f"{pathlib.Path(__file__)}:{line} in f"


def test_a_module_names_the_scopes_and_what_it_reads() -> None:
    net = network()
    graph = tg.trace(lambda x, t: OBJECTIVE(net, x, t), X, LABELS)
    assert [node.name for node in graph.nodes if node.kind == "parameter"] == [
        "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"
    ]  # fmt: skip
    assert [(node.primitive, node.scope) for node in graph.nodes if node.primitive == "linear"] == [
        ("linear", "layers.0"), ("linear", "layers.1")
    ]  # fmt: skip


def test_the_same_call_gives_the_same_graph() -> None:
    def traced() -> Graph:
        net = network()
        return tg.trace(lambda x, t: OBJECTIVE(net, x, t), X, LABELS).backward()

    assert traced() == traced()
    assert str(traced()) == str(traced())


def test_a_value_that_is_named_keeps_its_name() -> None:
    graph = tg.trace(lambda x: tg.named(x * x, "square"), np.ones(2))
    assert graph.nodes[-1].name == "square"


def test_a_checkpoint_is_looked_into() -> None:
    graph = tg.trace(tg.checkpoint(lambda x: np.tanh(np.sin(x))), np.ones(2))
    assert [node.primitive for node in graph.nodes] == [None, "sin", "tanh"]


def test_a_function_that_gives_nothing_to_look_at_is_refused() -> None:
    with pytest.raises(ArgumentError, match="returned None and assigned nothing"):
        tg.trace(lambda x: None, np.ones(2))


# ----- Numbers stay inputs: run again on other values, the graph does what the function does -----


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_a_random_graph_run_again_on_other_leaves_agrees_bit_for_bit(first: int) -> None:
    for seed in range(first, first + 50):
        program = random_program(seed)
        constants = program.environment(lambda constant: constant.as_written(), f32=np.float32, f64=np.float64)
        leaves = {name: x.astype(program.dtypes[name]) for name, x in program.leaves.items()}

        def f(*values: Any, program: Any = program, constants: Any = constants) -> Any:
            return program.run(dict(constants), dict(zip(program.leaves, values, strict=True)))

        with np.errstate(all="ignore"):
            tensors = [tg.Tensor(x, requires_grad=True) for x in leaves.values()]
            graph = tg.trace(f, *tensors)
            moved = [tg.Tensor(x * x.dtype.type(0.75), requires_grad=True) for x in leaves.values()]
            expected = f(*moved)
        values = replayed(graph, {i: x.numpy() for i, x in enumerate(moved)})
        for output, y in zip(graph.outputs, expected, strict=True):
            assert same_bits(values[output], y.detach().numpy()), f"seed {seed}:\n{program}\n{graph}"


def test_labels_and_factors_are_inputs_of_the_gradient_too() -> None:
    w = tg.Tensor(RNG.normal(size=(3, 4)), requires_grad=True, name="w")
    scale = tg.Tensor(0.5, name="scale")

    def loss(x: Any, labels: Any) -> Any:
        return scale * tg.softmax_cross_entropy(x @ w.T, labels) * 2.0

    x = X.astype(np.float64)
    graph = tg.trace(loss, x, LABELS).backward()
    others = RNG.permutation(LABELS), np.array(0.25)
    position = {node.name: node.id for node in graph.nodes if node.name}
    values = replayed(graph, {position["labels"]: others[0], position["scale"]: others[1]})
    scale.assign(others[1])
    loss(x, others[0]).backward()
    assert same_bits(values[dict(graph.cotangents)[position["w"]]], w.grad)


# ----- Training steps: cells, effects, and everything as it was before -----

RULES = [
    optim.SGD(lr=0.1), optim.SGD(lr=0.1, maximize=True), optim.Momentum(lr=0.1), optim.HeavyBall(lr=0.1),
    optim.Nesterov(lr=0.1), optim.RMSprop(lr=0.01), optim.Adam(lr=0.01), optim.AdamW(lr=0.01, weight_decay=0.1),
]  # fmt: skip


def everything(net: nn.Module, optimizer: optim.Optimizer) -> dict[str, np.ndarray]:
    return {**net.state_dict(), **{f"optimizer.{k}": v for k, v in optimizer.state_dict().items()}}


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_a_traced_training_step_does_not_train_and_says_what_a_step_does(rule: optim.Rule) -> None:
    net = network()
    optimizer = rule.bind(net)

    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = OBJECTIVE(net, x, t)
        loss.backward()
        optimizer.step()
        return loss

    for count in range(12):
        if count == 6:
            optimizer.lr = 0.007
        before = everything(net, optimizer)
        graph = tg.trace(step, X, LABELS)
        after = everything(net, optimizer)
        assert before.keys() == after.keys()
        assert all(same_bits(before[name], after[name]) for name in before)
        assert count or all(parameter.grad is None for parameter in net.parameters())
        loss = step(X, LABELS)
        assert same_bits(graph.nodes[graph.outputs[0]].values, loss.detach().numpy())
        held = everything(net, optimizer)
        assigned = {
            graph.nodes[u.target].name: graph.nodes[u.source].values for u in graph.updates if u.what == "value"
        }
        for name, value in assigned.items():
            stored = held[name] if name in held else held[f"optimizer.{name}"]
            assert same_bits(value, stored), f"{name} after {count + 1} steps"
        assert set(assigned) >= set(dict(net.named_parameters()))
        gradients = {
            graph.nodes[u.target].name: graph.nodes[u.source].values for u in graph.updates if u.what != "value"
        }
        for name, parameter in net.named_parameters():
            assert same_bits(gradients[name], parameter.grad)


def test_what_is_read_after_an_assignment_is_the_new_value() -> None:
    a, b = tg.Tensor([1.0, 2.0], name="a"), tg.Tensor([5.0, 6.0], name="b")

    def swap() -> Any:
        old = a.detach()
        a.assign(b)
        b.assign(old)
        return a - b

    graph = tg.trace(swap)
    assert graph.nodes[graph.outputs[0]].values.tolist() == [4.0, 4.0]
    positions = {node.name: node.id for node in graph.nodes if node.name}
    assert set(graph.updates) == {
        Update(positions["a"], positions["b"], "value"), Update(positions["b"], positions["a"], "value")
    }  # fmt: skip
    assert (a.numpy().tolist(), b.numpy().tolist()) == ([1.0, 2.0], [5.0, 6.0])


def test_assigning_plain_numbers_and_other_dtypes_is_an_update_too() -> None:
    a = tg.Tensor(np.zeros(2, np.float32), name="a")

    def f(x: Any) -> Any:
        a.assign([1.0, 2.0])
        first = a * 1
        a.assign(x)
        return first, a * 2

    graph = tg.trace(f, np.array([3.0, 4.0]))
    assert [graph.nodes[i].values.tolist() for i in graph.outputs] == [[1.0, 2.0], [6.0, 8.0]]
    assert [graph.nodes[u.source].primitive for u in graph.updates] == ["astype"]


def test_a_gradient_that_was_there_before_is_state_that_is_added_to() -> None:
    w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    (w * w).sum().backward()
    before = w.grad
    graph = tg.trace(lambda: (3 * w).sum().backward())
    assert [node.kind for node in graph.nodes if node.name == "w.grad"] == ["state"]
    assert graph.nodes[graph.updates[0].source].values.tolist() == [5.0, 7.0]
    assert w.grad is before


def test_a_computed_value_that_becomes_a_parameter_stays_computed() -> None:
    def gradient(x: Any) -> Any:
        y = np.exp(x)
        y.requires_grad = True
        np.sum(y * y * x.shape[0]).backward()
        return y.grad

    graph = tg.trace(gradient, np.zeros(2))
    assert [node.kind for node in graph.nodes].count("parameter") == 0
    x = np.array([1.0, -1.0])
    np.testing.assert_allclose(replayed(graph, {0: x})[graph.outputs[0]], 4 * np.exp(x), rtol=1e-15)


def test_an_error_on_the_way_leaves_everything_as_it_was() -> None:
    a, w = tg.Tensor([1.0], name="a"), tg.Tensor([2.0], requires_grad=True)

    def f() -> None:
        a.assign([7.0])
        (w * w).sum().backward()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tg.trace(f)
    assert a.item() == 1.0
    assert w.grad is None
    assert (a * 2).item() == 2.0  # and nothing is captured any more


def test_raw_arrays_are_constants_as_they_were_when_they_were_used() -> None:
    table = np.array([1.0, 2.0])

    def f(x: Any) -> Any:
        first = x * table
        table[0] = 10.0
        return first + x * table

    graph = tg.trace(f, np.ones(2))
    constants = [node.values.tolist() for node in graph.nodes if node.kind == "constant"]
    assert constants == [[1.0, 2.0], [10.0, 2.0]]
    assert graph.nodes[graph.outputs[0]].values.tolist() == [11.0, 4.0]
    table[:] = 0
    assert graph.nodes[1].values.tolist() == [1.0, 2.0]


# ----- What would bake a number in is refused -----

CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "float()": float,
    "int()": int,
    "bool()": lambda x: x if x > 0 else -x,
    ".item()": lambda x: x.item(),
    ".data": lambda x: x.data,
    ".numpy()": lambda x: x.numpy(),
    "converting to an array": np.asarray,
    "`in`": lambda x: 1.0 in x.reshape(1),
    "taking it for an index": lambda x: [1, 2][x],
}


@pytest.mark.parametrize("name", CONVERSIONS)
@pytest.mark.parametrize("where", ["input", "cell", "computed", "parameter"])
def test_a_number_that_would_be_baked_in_raises_with_the_remedy(name: str, where: str) -> None:
    cell, parameter = tg.Tensor(1, name="lr"), tg.Tensor(1.0, requires_grad=True)

    def f(x: Any) -> Any:
        return CONVERSIONS[name]({"input": x, "cell": cell, "computed": x * 1, "parameter": parameter}[where])

    with pytest.raises((DetachError, ValueError)) as caught:
        tg.trace(f, np.array(1))
    problem = caught.value if isinstance(caught.value, DetachError) else caught.value.__cause__
    assert isinstance(problem, DetachError)
    assert "traced" in str(problem) or "cut this Tensor" in str(problem)


def test_an_index_that_would_be_baked_in_raises_with_the_remedy() -> None:
    with pytest.raises(DetachError, match="one_hot"):
        tg.trace(lambda x, t: x[np.arange(5), t], X, LABELS)
    assert tg.trace(lambda x: x[np.arange(5), LABELS], X).nodes[-1].shape == (5,)


def test_a_value_that_is_set_or_added_stays_computed() -> None:
    scale = tg.Tensor(2.0, name="scale")
    graph = tg.trace(lambda x: (tg.set_at(x, 0, scale), tg.add_at(x, 0, scale)), X)
    values = replayed(graph, {node.id: np.array(5.0) for node in graph.nodes if node.name == "scale"})
    first, second = (values[i] for i in graph.outputs)
    assert first.dtype == second.dtype == np.float32
    assert (first[0] == 5).all()
    np.testing.assert_allclose(second[0], X[0] + 5)


def test_a_trace_inside_of_a_trace_is_refused() -> None:
    with pytest.raises(GraphError, match="traced already"):
        tg.trace(lambda x: tg.trace(np.tanh, x), np.ones(2))


def test_another_thread_is_not_captured() -> None:
    found: list[float] = []

    def f(x: Any) -> Any:
        other = threading.Thread(target=lambda: found.append((tg.Tensor(2.0) * 3).item()))
        other.start()
        other.join()
        return x * 2

    graph = tg.trace(f, np.ones(2))
    assert found == [6.0]
    assert len(graph) == 3


# ----- Derivatives inside -----

x64, v64 = RNG.normal(size=3), RNG.normal(size=3)
TRANSFORMS: dict[str, Callable[[Any, Any], Any]] = {
    "grad": lambda x, v: tg.grad(lambda x: np.sum(np.tanh(x) * v))(x),
    "grad of grad": lambda x, v: tg.grad(lambda x: np.sum(tg.grad(lambda x: np.sum(x**3))(x) * v))(x),
    "value and grad": lambda x, v: tg.value_and_grad(lambda x: np.sum(x * x * v))(x),
    "vjp": lambda x, v: tg.vjp(np.sin, x)[1](v),
    "jvp": lambda x, v: tg.jvp(lambda x: np.sin(x) * x, (x,), (v,)),
    "hvp": lambda x, v: tg.hvp(lambda x: np.sum(np.exp(x) * x), (x,), (v,)),
    "jacobian": lambda x, v: tg.jacobian(lambda x: x * np.sum(x * v))(x),
    "hessian": lambda x, v: tg.hessian(lambda x: np.sum(x**3 * v))(x),
    "per-example gradients": lambda x, v: tg.per_example_grad(lambda w, x: np.sum(np.tanh(w * x)), 0)(x, v[:, None]),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_derivative_inside_of_a_traced_function_is_traced_too(name: str) -> None:
    graph = tg.trace(TRANSFORMS[name], x64, v64)
    others = x64[::-1].copy(), v64 * 2
    values = replayed(graph, dict(enumerate(others)))
    flat = leaves_of(TRANSFORMS[name](*others))
    assert len(flat) == len(graph.outputs)
    for output, y in zip(graph.outputs, flat, strict=True):
        np.testing.assert_allclose(values[output], np.asarray(y), rtol=1e-13, atol=1e-15)


def test_arguments_by_name_are_inputs_too() -> None:
    def f(x: Any, *, scale: Any, power: int = 1) -> Any:
        return (x * scale) ** power

    graph = tg.trace(f, np.ones(2), scale=np.full(2, 3.0), power=2)
    assert [(node.kind, node.name) for node in graph.nodes[:2]] == [("input", "x"), ("input", "scale")]
    assert graph.nodes[graph.outputs[0]].values.tolist() == [9.0, 9.0]


def test_a_tensor_in_the_place_of_a_function_is_told_the_way_and_the_other_way_round() -> None:
    loss = (tg.Tensor([1.0], requires_grad=True) * 2).sum()
    with pytest.raises(ArgumentError, match=r"got Tensor; tg\.graph\(tensor\)"):
        tg.trace(loss)
    with pytest.raises(ArgumentError, match=r"got function; trace a function with tg\.trace"):
        tg.graph(lambda x: x)
