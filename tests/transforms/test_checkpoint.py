"""checkpoint: the same values and gradients, in less memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite import nn
from tinygrad_lite.errors import AnomalyError, GraphError

RNG = np.random.default_rng(3)
X, K = RNG.normal(size=(3, 4)), RNG.normal(size=(4, 4))


def plainly(f: Any) -> Any:
    return f


def block(x: Any, k: Any) -> Any:
    for _ in range(3):
        x = np.tanh(x @ k)
    return x


def deep(wrapped: Callable[[Any], Any]) -> Callable[..., Any]:
    def f(x: Any, k: Any) -> Any:
        for _ in range(3):
            x = wrapped(block)(x, k)
        return np.sum(x**2)

    return f


def test_value_and_gradients_are_those_without_bit_for_bit() -> None:
    value, gradients = tg.value_and_grad(deep(plainly), argnums=(0, 1))(X, K)
    again, checkpointed = tg.value_and_grad(deep(tg.checkpoint), argnums=(0, 1))(X, K)
    assert again == value
    assert np.array_equal(checkpointed[0], gradients[0])
    assert np.allclose(checkpointed[1], gradients[1], rtol=1e-14)  # added up in another order


def test_second_derivatives_and_forward_products_go_through() -> None:
    second, checkpointed = (tg.hessian(lambda k, w=w: deep(w)(X, k))(K) for w in (plainly, tg.checkpoint))
    assert np.allclose(checkpointed, second, rtol=1e-12, atol=1e-12)
    v = RNG.normal(size=K.shape)
    along, checkpointed = (tg.jvp(lambda k, w=w: deep(w)(X, k), (K,), (v,))[1] for w in (plainly, tg.checkpoint))
    assert checkpointed == pytest.approx(along)


def test_a_checkpoint_inside_of_a_checkpoint_is_right() -> None:
    inner = tg.checkpoint(lambda x: np.sin(x) ** 2)
    outer = tg.checkpoint(lambda x: np.exp(inner(x)) * inner(2 * x))
    bare = lambda x: np.exp(np.sin(x) ** 2) * np.sin(2 * x) ** 2
    assert np.allclose(tg.grad(lambda x: np.sum(outer(x)))(X), tg.grad(lambda x: np.sum(bare(x)))(X), rtol=1e-13)


def test_parameters_used_from_outside_receive_their_gradients() -> None:
    net = nn.MLP([4, 5, 2], activation="softplus", dtype=np.float64, rng=0)

    def run(wrapped: Callable[[Any], Any]) -> dict[str, np.ndarray]:
        net.zero_grad()
        hidden = wrapped(lambda x: tg.softplus(net.layers[0](x)))(X)
        tg.softmax_cross_entropy(wrapped(net.layers[1])(hidden), np.array([0, 1, 1])).backward()
        return {name: parameter.grad for name, parameter in net.named_parameters()}

    plain, checkpointed = run(plainly), run(tg.checkpoint)
    assert all(np.array_equal(plain[name], checkpointed[name]) for name in plain)


def test_a_computed_tensor_used_from_outside_passes_its_gradient_on() -> None:
    def f(x: Any, wrapped: Callable[[Any], Any]) -> Any:
        shared = np.exp(x)
        return np.sum(wrapped(lambda y: y * shared)(np.sin(x)) * shared)

    assert np.allclose(tg.grad(lambda x: f(x, tg.checkpoint))(X), tg.grad(lambda x: f(x, plainly))(X), rtol=1e-14)


def test_nested_arguments_and_results_of_both_dtypes_go_through() -> None:
    def f(tree: dict[str, Any], scale: float) -> dict[str, Any]:
        return {"a": np.sin(tree["x"]) * scale, "b": [np.sum(tree["y"] ** 2), "text"], "c": np.arange(3)}

    tree = {"x": X.astype(np.float32), "y": K}
    assert f(tree, 2.0)["b"][1] == tg.checkpoint(f)(tree, 2.0)["b"][1]

    def total(tree: dict[str, Any], wrapped: Callable[[Any], Any]) -> Any:
        result = wrapped(f)(tree, scale=2.0)
        assert result["a"].dtype == np.float32
        return np.sum(result["a"]) + np.sum(result["c"]) * result["b"][0]

    plain, checkpointed = (tg.grad(lambda t, w=w: total(t, w))(tree) for w in (plainly, tg.checkpoint))
    assert checkpointed["x"].dtype == np.float32
    assert all(np.allclose(plain[key], checkpointed[key], rtol=1e-6) for key in tree)


def test_a_second_backward_adds_the_same_once_more() -> None:
    x = tg.Tensor(X, requires_grad=True)
    loss = np.sum(tg.checkpoint(np.sin)(x))
    loss.backward()
    loss.backward()
    assert np.allclose(x.grad, 2 * np.cos(X))


def test_without_recording_and_without_gradients_it_is_the_function_itself() -> None:
    x = tg.Tensor(X, requires_grad=True)
    with tg.no_grad():
        assert not tg.checkpoint(np.sin)(x).requires_grad
    assert np.array_equal(tg.checkpoint(np.sin)(X), np.sin(X))
    assert not tg.checkpoint(np.sin)(tg.Tensor(X)).requires_grad


def test_writing_to_an_array_that_was_given_does_not_matter() -> None:
    mask = np.ones(X.shape)
    x = tg.Tensor(X, requires_grad=True)
    loss = np.sum(tg.checkpoint(lambda x, mask: x * mask)(x, mask))
    mask[...] = 0
    loss.backward()
    assert np.array_equal(x.grad, np.ones(X.shape))


def test_randomness_is_told_and_not_differentiated() -> None:
    rng = np.random.default_rng(0)
    x = tg.Tensor(X, requires_grad=True)
    loss = np.sum(tg.checkpoint(lambda x: x * rng.normal())(x))
    with pytest.raises(GraphError, match="must not draw random numbers"):
        loss.backward()
    assert x.grad is None


def test_an_assignment_between_forward_and_backward_is_told() -> None:
    w = tg.Tensor(K, requires_grad=True)
    x = tg.Tensor(X, requires_grad=True)
    loss = np.sum(tg.checkpoint(lambda x: x @ w)(x))
    w.assign(K + 0.1)
    with pytest.raises(GraphError, match="must not change"):
        loss.backward()


def test_nodes_computed_again_stand_in_the_scope_of_the_first_time() -> None:
    seen = []

    class Layer(nn.Module):
        def forward(self, x: Any) -> Any:
            from tinygrad_lite.mode import MODE

            seen.append(MODE.get().scope)
            return np.sin(x)

    class Net(nn.Module):
        def __init__(self) -> None:
            self.part = Layer()

        def forward(self, x: Any) -> Any:
            return tg.checkpoint(self.part.forward)(x) if not seen else self.part(x)

    net = Net()

    class Outer(nn.Module):
        def __init__(self) -> None:
            self.net = net

        def forward(self, x: Any) -> Any:
            return self.net(x)

    np.sum(Outer()(tg.Tensor(X, requires_grad=True))).backward()
    assert seen == ["net", "net"]


def peak_of(f: Callable[[], Any]) -> int:
    gc.collect()
    tracemalloc.start()
    f()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_the_memory_of_a_long_chain_drops_to_its_segments() -> None:
    """64 steps in segments of 8: 8 arguments and 8 steps are alive at a time instead of 64."""
    x = np.ones(20_000)

    def run(wrapped: Callable[[Any], Any]) -> None:
        def segment(x: Any) -> Any:
            for _ in range(8):
                x = np.sin(x)
            return x

        def f(x: Any) -> Any:
            for _ in range(8):
                x = wrapped(segment)(x)
            return np.sum(x)

        tg.grad(f)(x)

    plain, checkpointed = peak_of(lambda: run(plainly)), peak_of(lambda: run(tg.checkpoint))
    assert plain > 64 * x.nbytes
    assert checkpointed < plain / 2.5


def test_a_checkpointed_graph_dies_with_its_root() -> None:
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(20):
            tg.grad(deep(tg.checkpoint))(X, K)
        assert len(gc.get_objects()) - before < 20
    finally:
        gc.enable()


# ----- What a review found -----


def test_infinities_in_the_branch_that_was_not_chosen_stay_out_of_a_checkpoint() -> None:
    steep = lambda x: np.exp(x) * x
    x = np.array([1000.0, 1.0])
    for wrapped in (plainly, tg.checkpoint):
        gradient = tg.grad(lambda x, w=wrapped: np.sum(np.where(x < 10, w(steep)(x), 0.0)))(x)
        assert np.allclose(gradient, [0, 2 * np.e])
    two = tg.checkpoint(lambda x: (x * 2, steep(x)))
    assert np.array_equal(tg.grad(lambda x: np.sum(two(x)[0]))(x), [2, 2])
    unused = tg.checkpoint(lambda x, y: x * 2)
    assert np.array_equal(tg.grad(lambda x: np.sum(unused(x, x * np.inf)))(x), [2, 2])


def test_a_checkpoint_below_a_rule_that_gives_an_array_is_differentiated_twice() -> None:
    cube = tg.checkpoint(lambda x: x**3)
    assert tg.grad(tg.grad(lambda x: np.sign(cube(x)) * x + cube(x)))(2.0) == 12


def test_a_checkpoint_swept_for_some_of_its_operands_dies_with_its_root() -> None:
    outside = tg.Tensor(np.ones(20_000), requires_grad=True)
    f = tg.checkpoint(lambda x: np.sin(x) * outside)
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(10):
            tg.grad(lambda x: np.sum(f(x) ** 2))(np.ones(20_000))
        assert tracemalloc.get_traced_memory()[0] < 5 * outside.data.nbytes
    finally:
        tracemalloc.stop()
        gc.enable()


def test_arrays_given_by_keyword_are_copied_and_a_function_without_operands_is_itself() -> None:
    mask, x = np.ones(X.shape), tg.Tensor(X, requires_grad=True)
    loss = np.sum(tg.checkpoint(lambda x, mask: x * mask)(x, mask=mask))
    mask[...] = 0
    loss.backward()
    assert np.array_equal(x.grad, np.ones(X.shape))
    assert tg.checkpoint(lambda: tg.Tensor(2.0, requires_grad=True) * 3)().item() == 6


def test_an_anomaly_inside_of_a_checkpoint_is_named() -> None:
    x = tg.Tensor([0.0, 1.0], requires_grad=True)
    with tg.detect_anomaly():
        y = tg.checkpoint(lambda x: np.sqrt(x) * 2)(x)
        with pytest.raises(AnomalyError, match=r"the derivative of sqrt[^$]*test_checkpoint.py"):
            np.sum(y).backward()
