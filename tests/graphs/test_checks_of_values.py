"""What only looks at values is recorded in a traced call, and whoever reads the graph reads past it."""

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.graphs.pictured import parameter
from tinygrad_lite import nn
from tinygrad_lite.graphs import graph
from tinygrad_lite.graphs.pictures.drawing import drawing

RNG = np.random.default_rng(0)
Z, T, LABELS = RNG.normal(size=(4, 3)), RNG.uniform(size=(4, 3)), np.array([0, 2, 1, 1])


def objective(z, t):
    return nn.BinaryCrossEntropy()(nn.Identity(), z, t)


def classes(labels):
    return tg.one_hot(labels, 3) * 2.0


def traced(carries_to_the_target=False):
    return tg.trace(objective, tg.Tensor(Z, requires_grad=True), tg.Tensor(T, requires_grad=carries_to_the_target))


CHECKED = {"shares": lambda: tg.trace(objective, Z, T), "class_labels": lambda: tg.trace(classes, LABELS)}


@pytest.mark.parametrize("name", CHECKED)
def test_a_check_is_recorded_and_not_drawn(name):
    g = CHECKED[name]()
    (check,) = [node for node in g if node.primitive == name]
    drawn = drawing(g)
    assert {v for mark in drawn.marks for v in mark.nodes} == {node.id for node in g} - {check.id}
    users = [node.id for node in g if check.id in node.inputs]
    home = {v: i for i, mark in enumerate(drawn.marks) for v in mark.nodes}
    assert all(home[check.inputs[0]] in drawn.marks[home[user]].inputs for user in users)


def test_a_check_that_is_the_result_is_drawn_as_what_it_checked():
    drawn = drawing(tg.trace(lambda x: tg.primitives.shares(x), T))
    assert [(mark.title, mark.is_output) for mark in drawn.marks] == [("x", True)]


def test_an_operation_of_ones_own_with_the_name_of_a_check_is_drawn():
    @tg.primitive(lambda g, _y, x: 2 * g, elementwise=True)
    def shares(x):
        return 2 * x

    assert [mark.title for mark in drawing(graph(shares(parameter(3, "x")))).marks] == ["x", "shares"]


def test_the_gradient_by_a_checked_target_is_drawn_as_that():
    g = traced(carries_to_the_target=True).backward()
    titles = [mark.title for mark in drawing(g).marks]
    assert {"∂/∂t", "∂/∂z"} <= {*titles}
    assert not any("shares" in title for title in titles)


def lines_of(g):
    """Return the lines of an explanation without their indents and shapes."""
    return [line.strip().split("   ")[0] for line in str(g.explain()).splitlines()]


def test_an_explanation_names_the_target_and_not_its_check():
    lines = lines_of(traced())
    assert [line.partition(" = ")[2] for line in lines if line.endswith("t ⊙ z")] == ["t ⊙ z"] * 2
    assert not [line for line in lines if line.endswith("= t")]


def test_an_explanation_goes_through_a_check_that_a_gradient_passes():
    lines = lines_of(traced(carries_to_the_target=True))
    (check,) = [line for line in lines if line.startswith("through") and line.endswith("= t")]
    value = check.removeprefix("through ").removesuffix(" = t")
    assert f"∂L/∂t = ∂L/∂{value}" in lines


def test_a_check_costs_nothing_and_what_waits_for_the_sweep_is_the_target():
    g = traced()
    rows = {node.primitive or node.name: row for node, row in zip(g, g.cost().rows, strict=True)}
    assert rows["shares"][1:] == (0, 0, 0, 0)
    assert rows["t"].kept == T.nbytes


def test_written_source_does_not_check():
    assert "shares" not in str(traced().to_numpy())
    assert "class_labels" not in str(tg.trace(classes, LABELS).to_numpy())
