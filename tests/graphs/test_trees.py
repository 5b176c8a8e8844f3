"""Graphs as trees of text."""

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.graphs.pictured import PICTURES, hostile, parameter, recurrent, residual_blocks, scope, two_layer_loss
from tinygrad_lite import optim
from tinygrad_lite.graphs import graph
from tinygrad_lite.graphs.formats.trees import tree_text


def test_scopes_are_branches_and_operands_are_called_by_their_ids():
    assert tree_text(graph(two_layer_loss())).splitlines() == [
        "layers",
        "├─ 0",
        "│  ├─ %0 weight                   parameter  100×784 float32",
        "│  ├─ %2 bias                     parameter  100 float32",
        "│  ├─ %4 constant                 constant  100×784 float32",
        "│  ├─ %5 linear(%4, %0, %2)       100×100 float32",
        "│  └─ %6 softplus(%5)             100×100 float32",
        "└─ 1",
        "   ├─ %1 weight                   parameter  10×100 float32",
        "   ├─ %3 bias                     parameter  10 float32",
        "   └─ %7 linear(%6, %1, %3)       100×10 float32",
        "%8 constant                       constant  100 int64",
        "%9 softmax_cross_entropy(%7, %8)  reduction='mean'  scalar float32",
        "%10 sum_squares(%0, %1)           factor=1.0  scalar float32",
        "%11 weighted_sum(%9, %10)         weights=(1.0, 0.01)  scalar float32  ⇒ result",
    ]


def test_the_sweep_follows_the_computation_and_names_cotangents():
    text = tree_text(graph(two_layer_loss()).backward())
    assert [line for line in text.splitlines() if line[0].isalpha()] == ["forward", "backward"]
    forward, backward = text.split("\nbackward\n")
    assert "∂" not in forward
    assert backward.count("∂/∂weight(") == 2


def test_what_is_done_with_the_gradients_comes_last_and_tells_what_it_changes():
    net = tg.nn.MLP([2, 3], rng=0)
    optimizer = optim.SGD(lr=0.1).bind(net)

    def step(x):
        tg.sum_squares(net(x)).backward()
        optimizer.step()

    text = tree_text(tg.trace(step, np.ones((4, 2), np.float32)))
    assert [line for line in text.splitlines() if line[0].isalpha()] == ["forward", "backward", "afterwards"]
    assert "→ weight.grad" in text.split("afterwards")[0]
    assert "→ layers.0.weight" in text.split("afterwards")[1]


@pytest.mark.parametrize("make", PICTURES.values(), ids=PICTURES)
def test_every_value_is_told_once_and_before_it_is_used(make):
    g = graph(make())
    known = set()
    for line in tree_text(g).splitlines():
        first, *operands = [word.strip("(),") for word in line.split() if word.startswith(("%", "(%"))] or [""]
        ids = {
            int(part) for word in operands for part in word.replace("(", " ").replace("%", "").split() if part.isdigit()
        }
        assert ids <= known
        if first:
            known.add(int(first[1:]))
    assert known == set(range(len(g)))


def test_repetitions_and_depth_are_as_in_pictures():
    assert "0…19 ×20 in a row" in tree_text(graph(residual_blocks(20)), fold=True)
    closed = tree_text(graph(residual_blocks(2)), depth=1)
    assert "├─ %" in closed
    assert "layers" not in closed


def test_a_value_of_another_scope_is_called_by_its_whole_name():
    assert "%0 cell.weight " in tree_text(graph(recurrent()), fold=True)


def test_300_nodes_stay_readable():
    lines = tree_text(graph(residual_blocks(27)), fold=False).splitlines()
    assert len(lines) > 250
    assert max(map(len, lines)) <= 120


def test_a_name_is_data():
    text = tree_text(graph(hostile()))
    assert "two↵lines" in text
    assert text.isprintable() or {c for c in text if not c.isprintable()} == {"\n"}


def test_many_operands_are_told_by_the_first_and_the_last():
    text = tree_text(graph(tg.concatenate([parameter(1) for _ in range(20)])))
    assert "concatenate(%0, %1, %2, %3, %4, %5, %6, …, %19)" in text


def test_scopes_nested_very_deep_are_written():
    with scope(".".join("s" * 500)):
        h = np.tanh(parameter(3, "x"))
    assert tree_text(graph(h)).count("s\n") == 500
