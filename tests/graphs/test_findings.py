"""A gradient report over the picture of the function that it is about."""

import numpy as np
import pytest

import tinygrad_lite as tg
from tinygrad_lite.errors import GraphError
from tinygrad_lite.graphs.pictures.drawing import drawing
from tinygrad_lite.tensor import Tensor

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(50, 4)), RNG.integers(0, 3, 50)
W1, W2 = RNG.normal(size=(5, 4)), RNG.normal(size=(3, 5))


def two_layers(w1, w2):
    h = np.tanh(tg.named(X @ w1.T, "delta1"))
    return tg.softmax_cross_entropy(tg.named(h @ w2.T, "delta2"), T)


def wrong_in_the_first_layer():
    h = np.tanh(X @ W1.T)
    delta2 = (tg.softmax(h @ W2.T) - np.eye(3)[T]) / len(X)
    delta1 = delta2 @ W2  # tanh' is left out
    deltas = {"delta1": delta1, "delta2": delta2}
    return tg.check_gradients(two_layers, W1, W2, analytic=lambda w1, w2: (delta1.T @ X, delta2.T @ h), deltas=deltas)


def traced(first="w1", second="w2"):
    tensors = Tensor(W1, requires_grad=True, name=first), Tensor(W2, requires_grad=True, name=second)
    return tg.trace(two_layers, *tensors)


def marks(drawn):
    return {mark.title: mark for mark in drawn.marks}


def test_the_values_that_are_right_and_wrong_show_it_and_by_how_much():
    report = wrong_in_the_first_layer()
    found = marks(drawing(traced(), {"report": report}))
    assert {title: mark.verdict for title, mark in found.items() if mark.verdict is not None} == {
        "w1": False,
        "w2": True,
        "delta1": False,
        "delta2": True,
    }
    rows = {row.name: row for row in (*report.rows, *report.deltas)}
    assert f"✗ error {rows['w1'].max_abs_error:.3g} ({rows['w1'].max_rel_error:.2g} relative)" in found["w1"].details
    assert f"✓ error {rows['w2'].max_abs_error:.2g}" in found["w2"].details
    assert found["w1"].style.line != found["w2"].style.line


def test_where_the_derivation_departs_it_is_said_why():
    details = marks(drawing(traced(), {"report": wrong_in_the_first_layer()}))["delta1"].details
    assert details[-2].startswith("✗ departs here, error ")
    assert details[-1] == "activation-derivative-missing"


def test_heat_by_error_leaves_what_the_report_does_not_name_pale():
    found = marks(drawing(traced(), {"report": wrong_in_the_first_layer(), "heat": "error"}))
    fills = {title: mark.style.fill for title, mark in found.items()}
    assert fills["delta1"] == "#e0754a"
    assert fills["w2"] == "#fdf8e4"
    assert fills["tanh"] not in (fills["w2"], fills["delta1"])


def test_a_report_about_other_names_is_refused():
    other = tg.check_gradients(lambda a: (a * a).sum(), np.ones(2))
    with pytest.raises(GraphError, match=r"about a, .*'delta1', 'delta2', 'w1', 'w2'.*tg\.named"):
        drawing(traced(), {"report": other})


def test_what_is_not_in_the_graph_is_told():
    drawn = drawing(traced(second="v"), {"report": wrong_in_the_first_layer()})
    assert "not in this graph: w2" in drawn.legend.notes


def test_a_numeric_check_alone_shows_too():
    report = tg.check_gradients(two_layers, W1, W2)
    assert marks(drawing(traced(), {"report": report}))["w1"].verdict is True


def test_of_what_is_drawn_as_one_the_worst_is_told():
    net, x = tg.nn.MLP([4, 8, 3], rng=0), X.astype(np.float32)

    def loss(net):
        return tg.softmax_cross_entropy(net(x), T)

    gradients = {name: gradient.numpy() for name, gradient in tg.grad(loss)(net).items()}
    gradients["layers.1.bias"] *= 2
    report = tg.check_gradients(loss, net, analytic=lambda net: gradients, rtol=1e-4, atol=1e-4)
    found = marks(drawing(tg.trace(loss, net), {"report": report, "depth": 1}))
    assert (found["layers.0"].verdict, found["layers.1"].verdict) == (True, False)
    assert any("(× 2)" in line for line in found["layers.1"].details)
