"""What a graph keeps alive, and how it dies: by reference count, without recursion, at any depth."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import tracemalloc
import weakref

import numpy as np
import pytest

import tinygrad_lite as tg


def watched(tensor: tg.Tensor) -> weakref.ref[np.ndarray]:
    """Return a weak reference to the array that a Tensor holds."""
    return weakref.ref(tensor.data.base)


@pytest.mark.usefixtures("no_collector")
def test_a_graph_dies_with_its_root() -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    hidden = np.tanh(x)
    root = np.sum(hidden * hidden)
    tensors = [weakref.ref(hidden), weakref.ref(root)]
    values = watched(hidden)
    root.backward()
    del hidden
    assert values() is not None
    del root
    assert values() is None
    assert [reference() for reference in tensors] == [None, None]


@pytest.mark.usefixtures("no_collector")
def test_a_graph_dies_with_its_root_after_second_derivatives_and_after_exceptions() -> None:
    x = np.array([1.0, 2.0])
    seen = []

    def f(t: tg.Tensor) -> tg.Tensor:
        hidden = np.exp(t)
        seen.append(watched(hidden))
        return np.sum(hidden**2)

    tg.grad(lambda t: np.sum(tg.grad(f)(t) ** 2))(x)

    def failing(t: tg.Tensor) -> tg.Tensor:
        f(t)
        raise KeyError

    with pytest.raises(KeyError):
        tg.grad(failing)(x)
    assert [reference() for reference in seen] == [None, None]


@pytest.mark.usefixtures("no_collector")
def test_what_no_rule_reads_is_not_kept_alive() -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    operand_of_exp, operand_of_sin, operand_of_sum = x * 1, x * 2, x * 3
    references = [watched(t) for t in (operand_of_exp, operand_of_sin, operand_of_sum)]
    results = np.exp(operand_of_exp), np.sin(operand_of_sin), np.sum(operand_of_sum)
    del operand_of_exp, operand_of_sin, operand_of_sum
    assert [reference() is None for reference in references] == [True, False, True]
    assert len(results) == 3


@pytest.mark.usefixtures("no_collector")
def test_an_operand_read_only_by_the_rule_of_a_constant_is_not_kept_alive() -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    hidden = x * 1
    reference = watched(hidden)
    product = hidden * np.array([3.0, 4.0])
    del hidden
    assert reference() is None
    product.backward([1.0, 1.0])
    assert np.array_equal(x.grad, [3, 4])


@pytest.mark.usefixtures("no_collector")
def test_a_gradient_that_is_kept_does_not_keep_its_graph() -> None:
    x = tg.Tensor([1.0], requires_grad=True)
    hidden = np.sin(x)
    reference = watched(hidden)
    (hidden * hidden).backward()
    del hidden
    assert reference() is None
    assert x.grad is not None


@pytest.mark.usefixtures("no_collector")
def test_training_holds_its_memory_flat() -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(32, 20)), rng.integers(0, 5, 32)
    w1 = tg.Tensor(rng.normal(size=(30, 20)), requires_grad=True)
    w2 = tg.Tensor(rng.normal(size=(5, 30)), requires_grad=True)

    def step() -> None:
        loss = tg.softmax_cross_entropy(tg.softplus(x @ w1.T) @ w2.T, labels) + 0.01 * tg.sum_squares(w1, w2)
        loss.backward()
        for w in (w1, w2):
            w.assign(w.data - 0.1 * w.grad)
            w.grad = None

    tracemalloc.start()
    try:
        for _ in range(5):
            step()
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            step()
        assert gc.collect() == 0  # no cycles; it also empties the interpreter's own lists of free tuples
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 32_000  # a leak of the smallest weight in each step would be 120,000


@pytest.mark.usefixtures("no_collector")
def test_a_chain_of_a_million_operations_is_built_swept_and_freed() -> None:
    limit = sys.getrecursionlimit()
    x = tg.Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(1_000_000):
        y = y + 1.0
    assert y.item() == 1_000_001
    y.backward()
    assert x.grad == 1
    reference = weakref.ref(y)
    del y
    assert reference() is None
    assert sys.getrecursionlimit() == limit


def test_a_deep_chain_is_differentiated_twice_without_recursion() -> None:
    def f(x: tg.Tensor) -> tg.Tensor:
        y = x
        for _ in range(5_000):
            y = y * 1.0
        return y * y

    assert tg.grad(tg.grad(f))(3.0) == 2


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda t: pickle.loads(pickle.dumps(t))])
def test_a_leaf_is_copied_with_its_name_and_its_gradient(copied: object) -> None:
    x = tg.Tensor([1.0, 2.0], requires_grad=True, dtype=np.float32, name="w")
    np.sum(x * x).backward()
    twin = copied(x)
    assert twin is not x
    assert (twin.name, twin.requires_grad, twin.dtype) == ("w", True, np.float32)
    assert np.array_equal(twin.data, x.data)
    assert np.array_equal(twin.grad, x.grad)
    np.sum(twin).backward()
    assert np.array_equal(x.grad, [2, 4])


def test_a_constant_is_copied_with_its_values() -> None:
    for t in (tg.Tensor([1, 2]), tg.Tensor([True]), tg.Tensor(2.0), tg.Tensor(np.zeros((0, 3)))):
        twin = pickle.loads(pickle.dumps(t))
        assert (twin.dtype, twin.shape, twin.requires_grad) == (t.dtype, t.shape, False)
        assert np.array_equal(twin.data, t.data)


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, pickle.dumps])
def test_a_computed_tensor_refuses_to_be_copied_with_its_graph(copied: object) -> None:
    y = tg.Tensor([1.0], requires_grad=True) * 2
    with pytest.raises(RuntimeError, match=r"multiply.*detach"):
        copied(y)
    assert copied(y.detach()) is not None


def test_two_leaves_copied_together_stay_one_if_they_were_one() -> None:
    x = tg.Tensor([1.0], requires_grad=True)
    twins = copy.deepcopy([x, x])
    assert twins[0] is twins[1]
