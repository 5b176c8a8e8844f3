"""What a hostile review of tracing found wrong: values that share an array, leaves made on the way, older histories."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.graphs.replaying import replayed, same_bits
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import DetachError, GraphError, ShapeError
from tinygrad_lite.graphs import Graph

X = np.array([1.0, -2.0, 0.5])


def leaf(name: str = "w") -> tg.Tensor:
    return tg.Tensor([0.5, 1.5, -1.0], requires_grad=True, name=name)


def gradients_by_name(graph: Graph) -> dict[str | None, list[float]]:
    return {graph.nodes[i].name: graph.nodes[g].values.tolist() for i, g in graph.gradients.items()}


def updates_by_name(graph: Graph, what: str = "value") -> dict[str | None, list[float]]:
    return {graph.nodes[u.target].name: graph.nodes[u.source].values.tolist() for u in graph.updates if u.what == what}


# ----- Assigning -----


def test_a_parameter_that_takes_the_value_of_state_is_given_back() -> None:
    w, average = leaf(), tg.Tensor([7.0, 8.0, 9.0], name="average")

    def f(x: Any) -> Any:
        w.assign(average)
        return (w * x).sum()

    graph = tg.trace(f, X)
    assert w.numpy().tolist() == [0.5, 1.5, -1.0]
    assert updates_by_name(graph) == {"w": [7.0, 8.0, 9.0]}
    assert sorted(str(node.name) for node in graph.nodes if node.kind in ("state", "parameter")) == ["average", "w"]


def test_a_state_that_is_loaded_on_the_way_is_given_back() -> None:
    net = nn.Linear(3, 2, rng=0)
    before = net.state_dict()
    graph = tg.trace(lambda x: (net.load_state_dict({k: v + 1 for k, v in before.items()}), net(x))[1], X[None])
    assert all(same_bits(before[name], value) for name, value in net.state_dict().items())
    assert {graph.nodes[u.target].name for u in graph.updates} == {"weight", "bias"}
    assert all(node.kind != "state" for node in graph.nodes)


@pytest.mark.parametrize("detached", [False, True])
def test_gradients_after_an_assignment_arrive_at_the_parameter_as_in_eager_execution(detached: bool) -> None:
    w, v = leaf(), leaf("v")

    def f(x: Any) -> Any:
        w.assign((w.detach() if detached else w) * 0.5)
        return (w * x).sum() + (v * x).sum()

    graph = tg.trace(f, X).backward()
    assert gradients_by_name(graph) == {"w": X.tolist(), "v": X.tolist()}


def test_what_was_used_before_and_after_an_assignment_adds_up() -> None:
    w = leaf()

    def f(x: Any) -> Any:
        before = (w * x).sum()
        w.assign(w.detach() * 10)
        return before + (w * w).sum()

    graph = tg.trace(f, X).backward()
    f(X).backward()
    assert w.grad is not None
    assert gradients_by_name(graph) == {"w": w.grad.tolist()}


def test_two_tensors_that_share_their_values_are_updated_apart() -> None:
    w = leaf()
    average = w.detach()
    average.name = "average"

    def step(x: Any) -> None:
        (w * x).sum().backward()
        w.assign(w.detach() - 0.1 * w.grad)
        average.assign(average * 0.5 + 0.5 * w.detach())

    graph = tg.trace(step, X)
    assert w.grad is None
    step(X)
    assert updates_by_name(graph) == {"w": w.numpy().tolist(), "average": average.numpy().tolist()}
    assert average.numpy().tolist() != w.numpy().tolist()


def test_a_value_of_ones_own_that_is_assigned_to_is_no_update() -> None:
    w = leaf()

    def f(x: Any) -> Any:
        t = w.detach()
        t.assign(t * x)
        return t + w

    graph = tg.trace(f, X)
    assert graph.updates == ()
    assert graph.nodes[graph.outputs[0]].values.tolist() == (w.numpy() * X + w.numpy()).tolist()


def test_a_tape_over_an_assignment_is_not_read_as_if_there_were_none() -> None:
    w = leaf()
    first = (w * w).sum()
    w.assign(w.detach() * 10)
    with pytest.raises(GraphError, match=r"w was assigned to between .* tg\.trace"):
        tg.graph(first + (w * w).sum())


# ----- Leaves that are made on the way -----


def test_a_leaf_made_of_a_parameter_is_another() -> None:
    w = leaf()

    def f(x: Any) -> Any:
        v = tg.Tensor(w.detach(), requires_grad=True)
        return (v * x).sum() + (2 * w).sum()

    assert gradients_by_name(tg.trace(f, X).backward()) == {"w": [2.0, 2.0, 2.0]}


def test_the_gradient_of_an_inner_function_is_not_taken_for_that_of_the_result() -> None:
    w = leaf()

    def f(x: Any) -> Any:
        return (tg.grad(lambda v: (v**3).sum())(w.detach()) * x).sum() + (w * x).sum()

    graph = tg.trace(f, X)
    assert graph.gradients == {}
    names: dict[str, Any] = {}
    exec(graph.to_numpy(), names)
    _, gradients = names["forward_and_gradient"](**graph.arguments())
    assert gradients["w"].tolist() == X.tolist()


def test_a_copy_of_state_follows_the_state() -> None:
    buffer = tg.Tensor([1.0, 2.0, 3.0], name="buffer")

    def f(x: Any) -> Any:
        y = tg.Tensor(buffer) * x
        buffer.assign(buffer * 2)
        return y

    graph = tg.trace(f, X)
    assert [(node.kind, node.name) for node in graph.nodes if node.name] == [("input", "x"), ("state", "buffer")]
    assert updates_by_name(graph) == {"buffer": [2.0, 4.0, 6.0]}
    compile(graph.to_numpy(), "source", "exec")


def test_a_tensor_may_begin_to_require_a_gradient() -> None:
    def f(x: Any) -> Any:
        w = tg.Tensor(np.ones(3), name="w")
        w.requires_grad = True
        return (x * w).sum()

    assert gradients_by_name(tg.trace(f, X).backward()) == {"w": X.tolist()}
    state = tg.Tensor(np.ones(3), name="state")

    def g(x: Any) -> Any:
        state.requires_grad = True
        return (x * state).sum()

    assert gradients_by_name(tg.trace(g, X).backward()) == {"state": X.tolist()}
    assert not state.requires_grad


# ----- Gradients -----


def test_a_gradient_that_is_set_is_an_update_also_where_the_parameter_is_not_read() -> None:
    w = leaf()

    def f(x: Any) -> None:
        w.grad = x * 2

    assert updates_by_name(tg.trace(f, X), "gradient") == {"w": [2.0, -4.0, 1.0]}
    assert w.grad is None
    with pytest.raises(ShapeError, match="does not fit"):
        tg.trace(lambda x: setattr(w, "grad", x[:2]), X)


def test_gradients_through_a_history_of_before_are_refused() -> None:
    u, v = leaf("u"), leaf("v")
    h = np.tanh(u * 2)
    for f in (lambda: (h * v).sum().backward(), (h * v).sum().backward):
        with pytest.raises(GraphError, match=r"before|compute it inside"):
            tg.trace(f)
    assert tg.trace(lambda: (h.detach() * v).sum()).nodes[0].kind == "constant"
    assert u.grad is None
    assert v.grad is None


def test_what_another_thread_recorded_is_refused() -> None:
    w, found = leaf(), []

    def f(x: Any) -> Any:
        thread = threading.Thread(target=lambda: found.append((w * 2).sum()))
        thread.start()
        thread.join()
        return found[0] * x

    with pytest.raises(GraphError, match="another thread"):
        tg.trace(f, X)


def test_clipping_is_part_of_a_traced_step() -> None:
    for clip in (lambda ps: optim.clip_by_norm(ps, 0.5), lambda ps: optim.clip_by_value(ps, 0.5)):
        w = leaf()
        optimizer = optim.SGD(lr=0.1).bind([w])

        def step(x: Any, w: tg.Tensor = w, clip: Any = clip, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = (w * w * x).sum()
            loss.backward()
            clip([w])
            optimizer.step()
            return loss

        graph = tg.trace(step, X)
        step(X)
        np.testing.assert_allclose(updates_by_name(graph)["w"], w.numpy(), rtol=1e-14)


@pytest.mark.parametrize("before", [False, True])
def test_the_gradient_of_a_parameter_without_axes_is_added_up_and_stays_computed(before: bool) -> None:
    w = tg.Tensor(1.5, requires_grad=True, name="w")

    def f(x: Any) -> None:
        (w * x).sum().backward()
        (w * w * x).sum().backward()

    if before:
        (w * 3.0).backward()
    graph = tg.trace(f, X)
    values = replayed(graph, {0: 5 * X})
    kept = w.grad
    f(5 * X)
    (update,) = graph.updates
    assert same_bits(values[update.source], np.asarray(w.grad))
    assert (kept is None) is not before


def test_an_optimizer_may_be_made_inside() -> None:
    w = leaf()

    def f(x: Any) -> None:
        optimizer = optim.Adam(lr=0.1).bind([w])
        (w * x).sum().backward()
        optimizer.step()

    assert list(updates_by_name(tg.trace(f, X))) == ["w"]


# ----- Numbers, copies, memory -----


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_number_among_the_arguments_stays_a_number(dtype: type) -> None:
    def f(x: Any, scale: float) -> Any:
        return np.mean(x) * scale

    graph = tg.trace(f, X.astype(dtype), 2.0)
    assert graph.nodes[graph.outputs[0]].dtype == f(X.astype(dtype), 2.0).dtype == dtype


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x))
}  # fmt: skip


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_that_would_bake_the_values_in_is_refused(name: str) -> None:
    with pytest.raises(DetachError, match="copying or pickling"):
        tg.trace(lambda x: COPIES[name](x) * 2, X)


@pytest.mark.parametrize("name", COPIES)
def test_a_graph_can_be_copied_and_pickled(name: str) -> None:
    w = leaf()
    graph = tg.trace(lambda x: (np.tanh(w * x)).sum(), X).backward()
    again = COPIES[name](graph)
    assert again == graph
    assert again.to_numpy() == graph.to_numpy()


def test_equal_computations_with_nan_are_equal() -> None:
    def traced() -> Graph:
        return tg.trace(lambda x: x * float("nan") + np.float64("nan"), X)

    assert traced() == traced()


def test_nobody_changes_a_network_by_what_a_graph_tells() -> None:
    w = leaf()
    graph = tg.trace(lambda x: (w * x).sum(), X)
    graph.arguments()["w"][:] = 0
    assert w.numpy().tolist() == [0.5, 1.5, -1.0]
    assert not any(node.values.flags.writeable for node in graph.nodes if node.values is not None)


def test_a_number_of_numpys_that_is_returned_is_a_constant() -> None:
    graph = tg.trace(lambda x: np.float64(3), X)
    assert graph.nodes[graph.outputs[0]].value == 3.0
    assert list(graph.arguments()) == ["x"]


def test_a_zero_that_changes_its_sign_has_changed() -> None:
    table = np.array([0.0])

    def f(x: Any) -> Any:
        first = x / table
        table[0] = -0.0
        return first, x / table

    with np.errstate(all="ignore"):
        graph = tg.trace(f, np.ones(1))
    assert [graph.nodes[i].values[0] for i in graph.outputs] == [np.inf, -np.inf]
    assert len([node for node in graph.nodes if node.kind == "constant"]) == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_that_transforms_give_out_take_part_as_those_of_numpy_do(dtype: type) -> None:
    w = tg.Tensor(np.array(1.5, dtype), requires_grad=True, name="w")
    table = np.array([1.0, 2.0], np.float32)

    def f(x: Any) -> Any:
        slope = tg.grad(lambda v: (v * v * x).sum())(np.float64(0.3))
        value, _ = tg.value_and_grad(lambda v: np.tanh(v * x).sum())(np.float64(0.7))
        (w * w * 2).backward()
        return slope * table, value * w, slope * value, w.grad * slope, w.grad * table

    graph = tg.trace(f, X)
    for output, expected in zip(graph.outputs, f(X), strict=True):
        value = expected.detach().numpy() if isinstance(expected, tg.Tensor) else np.asarray(expected)
        assert same_bits(graph.nodes[output].values, value)
