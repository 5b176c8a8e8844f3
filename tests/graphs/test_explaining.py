from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.graphs.computing import computed
from tests.graphs.pictured import HOSTILE_NAMES, PICTURES, parameter, scope, two_layer_loss
from tests.operations.case import Case
from tests.operations.cases import DIFFERENTIABLE
from tinygrad_lite.errors import GraphError
from tinygrad_lite.graphs.explaining.deriving import explanation, latex_document
from tinygrad_lite.graphs.explaining.explained import Equation, Explanation
from tinygrad_lite.tensor import Tensor


def lines_of(tensor: Tensor) -> list[str]:
    """The lines of an explanation, spaces aside."""
    return [" ".join(line.split()) for line in str(explanation(tg.graph(tensor))).splitlines()]


def equations_of(explained: Explanation) -> Iterator[Equation]:
    yield from (value.equation for value in explained.values)
    yield explained.beginning
    for step in explained.steps:
        yield step.through.equation
        yield from step.equations
    yield from explained.gradients


def leaf(*shape: int, name: str | None = None, seed: int = 0) -> Tensor:
    """A parameter of random values, all positive."""
    return Tensor(np.random.default_rng([seed, *shape]).uniform(0.5, 1.5, size=shape), requires_grad=True, name=name)


@functools.cache
def parse(latex: str) -> None:
    """Raise ValueError unless matplotlib can set `latex`."""
    signs_in_words = re.sub(r"\\ensuremath\{\\[a-z]+\}", "", latex)  # which matplotlib before 3.11 does not know
    pytest.importorskip("matplotlib.mathtext").MathTextParser("path").parse(f"${signs_in_words}$")


# ----- What a student reads -----


def test_the_explanation_of_a_network_derives_its_gradient_step_by_step() -> None:
    lines = lines_of(two_layer_loss())
    start = lines.index("The chain rule, from L back")
    assert lines[start + 1] == "∂L/∂L = 1"
    expected = [
        "∂L/∂h₉ = ∂L/∂L scalar",
        "∂L/∂h₁₀ = 0.01 · ∂L/∂L scalar",
        "∂L/∂h₇ = ∂L/∂h₉ · (softmax[axis 1](h₇) − one_hot(c₈)) / 100 100×10",
        "∂L/∂h₆ = ∂L/∂h₇ layers.1.weight 100×100",
        "∂L/∂layers.1.weight|h₇ = (∂L/∂h₇)ᵀ h₆ 10×100",
        "∂L/∂h₅ = ∂L/∂h₆ ⊙ (1 − e^(−h₆)) 100×100",
        "∂L/∂layers.0.weight|h₅ = (∂L/∂h₅)ᵀ c₄ 100×784",
        "∂L/∂layers.0.weight = ∂L/∂layers.0.weight|h₁₀ + ∂L/∂layers.0.weight|h₅ 100×784",
        "∂L/∂layers.0.bias = Σ[axis 0](∂L/∂h₅) 100",
    ]
    assert [line for line in lines[start:] if line in expected] == expected
    gradients = lines[lines.index("The gradients") + 1 :][:4]
    assert gradients == [
        "∂L/∂layers.0.weight 100×784", "∂L/∂layers.1.weight 10×100", "∂L/∂layers.0.bias 100", "∂L/∂layers.1.bias 10",
    ]  # fmt: skip


def test_every_value_stands_with_its_id_its_formula_its_shape_and_its_scope() -> None:
    lines = lines_of(two_layer_loss())
    assert lines[:2] == ["The computation", "%0 layers.0.weight 100×784 layers.0"]
    assert "%5 h₅ = c₄ layers.0.weightᵀ + layers.0.bias 100×100 layers.0" in lines
    assert "%11 L = h₉ + 0.01 · h₁₀ scalar" in lines


Network = tuple[Tensor, dict[str, Any]]
"""A loss, and what its explanation begins with: parameters and constants, by what it calls them."""


def with_parameters(loss: Tensor, *parameters: Tensor, **constants: np.ndarray) -> Network:
    return loss, {**{leaf.name or "": leaf.numpy() for leaf in parameters}, **constants}


def mlp() -> Network:
    x, labels = np.random.default_rng(1).normal(size=(6, 5)), np.array([0, 3, 9, 9, 1, 0])
    w1, b1, w2, b2 = leaf(7, 5, name="W1"), leaf(7, name="b1"), leaf(10, 7, name="W2"), leaf(10, name="b2")
    loss = tg.softmax_cross_entropy(tg.linear(tg.softplus(tg.linear(x, w1, b1)), w2, b2), labels)
    loss = tg.weighted_sum([loss, tg.sum_squares(w1, w2)], weights=[1.0, 0.05])
    return with_parameters(loss, w1, b1, w2, b2, c4=x, c8=labels)


def broadcast() -> Network:
    a, b, c = leaf(4, 3, name="a"), leaf(4, 1, name="b"), leaf(3, name="c")
    return with_parameters((np.sqrt(a / b) * c - c**2 + b).sum(), a, b, c)


def recurrent() -> Network:
    w, x = leaf(4, 4, name="W"), leaf(2, 4, name="x")
    h = x
    for _ in range(3):
        h = np.tanh(h @ w) + h
    return with_parameters(np.mean(h * h), w, x)


def normalised() -> Network:
    x, w = leaf(5, 3, name="x"), leaf(3, 2, name="w")
    y = tg.relu((x - x.mean(axis=0)) / x.std(axis=0) @ w)
    return with_parameters(np.max(tg.softmax(y) * y.T.reshape(5, 2)), x, w)


def attention() -> Network:
    q, k = leaf(3, 4, name="q"), leaf(3, 4, name="k")
    weights = tg.log_softmax(q @ k.T / 2.0, axis=0)
    return with_parameters(np.exp(weights).sum(axis=1, keepdims=True).var() + tg.sigmoid(-weights).sum(), q, k)


def stacked() -> Network:
    x, w, v, b = leaf(2, 3, 4, name="x"), leaf(4, 5, name="w"), leaf(6, 5, name="v"), leaf(6, name="b")
    k = leaf(1, 6, 3, name="k")
    y = tg.linear(np.tanh(x @ w), v, b) @ k
    return with_parameters((y.swapaxes(0, 1) * y.transpose(1, 0, 2)).sum(), x, w, v, b, k)


@pytest.mark.parametrize("network", [mlp, broadcast, recurrent, normalised, attention, stacked])
def test_who_computes_the_lines_from_top_to_bottom_has_the_gradient(network: Callable[[], Network]) -> None:
    loss, given = network()
    graph = tg.graph(loss)
    values = computed(explanation(graph), given)
    assert np.allclose(values["L"], loss.numpy(), rtol=1e-12)
    swept = graph.backward()
    cotangents = dict(swept.cotangents)
    for node in graph:
        if node.kind == "parameter":
            gradient = swept.nodes[cotangents[node.id]].values
            assert np.allclose(values[f"d_{node.name}__"], gradient, rtol=1e-10)


def test_a_value_that_is_used_twice_gets_the_sum_of_what_each_use_brings() -> None:
    x = parameter(3, "x")
    lines = lines_of((np.tanh(x) + x).sum())
    assert "∂L/∂x|h₂ = ∂L/∂h₂ 3" in lines
    assert "∂L/∂x = ∂L/∂x|h₂ + ∂L/∂x|h₁ 3" in lines
    assert "the sum of 2 contributions, one for each use" in lines


def test_a_value_that_is_used_once_needs_no_sum() -> None:
    lines = lines_of(np.exp(np.tanh(parameter(3, "x"))).sum())
    assert [line for line in lines if line.startswith("∂L/∂h₁")] == ["∂L/∂h₁ = ∂L/∂h₂ ⊙ h₂ 3"]
    assert not any("contributions" in line for line in lines)


def test_the_axes_of_a_reduction_are_told_from_the_front() -> None:
    lines = lines_of(parameter((2, 3, 4), "x").mean(axis=(0, -1)) @ parameter(3, "w"))
    assert "%1 h₁ = Σ[axes 0, 2](x) / 8 3" in lines
    assert "∂L/∂x = repeat[axes 0, 2](∂L/∂h₁) / 8 2×3×4" in lines


def test_a_product_with_itself_brings_two_contributions_that_are_told_apart() -> None:
    x = parameter(3, "x")
    lines = lines_of((x * x).sum())
    assert "∂L/∂x|h₁,1 = ∂L/∂h₁ ⊙ x 3" in lines
    assert "∂L/∂x = ∂L/∂x|h₁,1 + ∂L/∂x|h₁,2 3" in lines


def test_of_many_contributions_the_first_and_the_last_are_named() -> None:
    x = parameter((), "x")
    total = x
    for _ in range(10):
        total = total + x
    assert "∂L/∂x = ∂L/∂x|L + ∂L/∂x|h₉ + … + ∂L/∂x|h₁,2 scalar" in lines_of(total)


def test_a_sum_over_what_was_broadcast_is_written_and_its_reason_told() -> None:
    lines = lines_of(np.exp(parameter((100, 10), "x") + parameter(10, "b")).sum())
    assert "∂L/∂b = Σ[axis 0](∂L/∂h₂) 10" in lines
    assert "summed over the 100 rows, because b has shape 10 and was broadcast to 100×10" in lines


def test_a_stretched_axis_and_an_added_one_are_summed_over() -> None:
    lines = lines_of((parameter((2, 3, 4), "x") * parameter((3, 1), "w")).sum())
    assert "∂L/∂w = Σ[axes 0, 2](∂L/∂h₂ ⊙ x) 3×1" in lines


def test_a_matrix_that_multiplies_a_stack_is_summed_over_the_stack() -> None:
    lines = lines_of((parameter((5, 2, 3), "x") @ parameter((3, 4), "w")).sum())
    assert "∂L/∂w = Σ[axis 0](xᵀ ∂L/∂h₂) 3×4" in lines
    assert "summed over what it was repeated over, because w has shape 3×4 and was broadcast to 5×3×4" in lines


def test_a_scalar_is_summed_over_everything() -> None:
    lines = lines_of((parameter((2, 3), "x") * parameter((), "w")).sum())
    assert "∂L/∂w = Σ(∂L/∂h₂ ⊙ x) scalar" in lines
    assert "summed over what it was repeated over, because w is a scalar and was broadcast to 2×3" in lines


def test_what_is_chosen_at_a_kink_is_told() -> None:
    lines = lines_of(tg.relu(parameter(3, "x")).max())
    assert lines[lines.index("∂L/∂x = ∂L/∂h₁ ⊙ [h₁ > 0] 3") + 1] == "at 0 the slope is taken as 0"
    assert "values that tie share equally" in lines


def test_a_constant_exponent_is_worked_out() -> None:
    assert "∂L/∂x = ∂L/∂h₂ · 3 · x² 3" in lines_of((parameter(3, "x") ** 3).sum())


def test_only_signs_that_occur_are_explained() -> None:
    lines = lines_of(parameter(3, "x").sum())
    assert lines[lines.index("where") + 1 :] == [
        "Σ[axis 1](…) sums over axis 1, and Σ(…) over everything",
        "repeat[axis 1](…) repeats along axis 1, back to the shape before a reduction took that axis away",
    ]
    assert "where" not in lines_of(parameter((), "x") + 1)


# ----- Names -----


def test_the_result_bears_its_own_name_if_it_has_one() -> None:
    loss = tg.named(parameter(3, "x").sum(), "loss")
    assert "∂loss/∂loss = 1" in lines_of(loss)


def test_a_parameter_called_like_the_result_keeps_its_name() -> None:
    assert "∂h₁/∂L = repeat(∂h₁/∂h₁) 3" in lines_of(parameter(3, "L").sum())


def test_two_values_of_one_name_are_told_apart() -> None:
    lines = lines_of(parameter(3, "x") @ parameter(3, "x"))
    assert "%2 L = x₀ x₁ scalar" in lines


def test_a_name_that_could_be_a_formula_is_set_apart() -> None:
    assert "%2 L = ‹a + b› ‹two↵lines› scalar" in lines_of(parameter(3, "a + b") @ parameter(3, "two\nlines"))


# ----- What is explained -----


def test_a_result_without_a_parameter_is_refused_with_a_remedy() -> None:
    x = Tensor(np.ones(3), name="x")
    with pytest.raises(GraphError, match="requires_grad=True"):
        explanation(tg.graph(np.exp(x)))
    with pytest.raises(GraphError, match="nothing to explain"):
        explanation(tg.trace(lambda x: np.exp(x) > 1, np.ones(3)))


def test_of_a_graph_with_its_sweep_the_same_is_explained() -> None:
    graph = tg.graph(two_layer_loss())
    assert str(explanation(graph.backward())) == str(explanation(graph))


def test_of_a_captured_training_step_the_loss_is_explained() -> None:
    w = parameter((3, 2), "w")

    def step(x: Tensor) -> None:
        loss = tg.sum_squares(np.tanh(x @ w))
        loss.backward()
        assert w.grad is not None
        w.assign(w.detach() - 0.1 * w.grad)

    lines = [
        " ".join(line.split()) for line in str(explanation(tg.trace(step, np.ones((4, 3), np.float32)))).splitlines()
    ]
    assert "∂L/∂w = xᵀ ∂L/∂h₂ 3×2" in lines
    assert not any("0.1" in line for line in lines)


def test_of_several_results_the_first_that_depends_on_a_parameter_is_explained() -> None:
    w = parameter(3, "w")
    explained = explanation(tg.trace(lambda x: (x > 0, np.sum(w * x)), np.ones(3, np.float32)))
    assert [equation.text for equation in explained.gradients] == ["∂L/∂w"]


def test_a_parameter_that_is_the_result_is_its_own_derivative() -> None:
    assert lines_of(parameter((), "w"))[-1] == "∂w/∂w scalar"


def test_a_result_with_axes_begins_with_a_cotangent_that_is_given() -> None:
    assert "∂L/∂L = the cotangent that is given" in lines_of(np.exp(parameter(3, "x")))


def test_what_was_detached_is_no_way_back() -> None:
    x, w = parameter(3, "x"), parameter(3, "w")
    lines = lines_of((np.exp(x).detach() * w).sum())
    assert not any("∂L/∂x" in line for line in lines)


# ----- Primitives of one's own -----


@tg.primitive(lambda g, y, _x: g * (1 - y) ** 2)
def softsign(x: Any) -> Any:
    return x / (1 + x)


@tg.primitive(lambda g, y, _x: g * (1 - y) ** 2, formula="x / (1 + x)", cotangents=["ȳ ⊙ (1 − y)²"])
def explained_softsign(x: Any) -> Any:
    return x / (1 + x)


def test_a_rule_without_a_formula_is_shown_as_it_is_written() -> None:
    lines = lines_of(softsign(parameter(3, "x")).sum())
    assert "%1 h₁ = softsign(x) 3" in lines
    assert lines[lines.index("∂L/∂x = by its rule 3") + 1] == "@tg.primitive(lambda g, y, _x: g * (1 - y) ** 2)"


def test_a_formula_of_ones_own_is_shown() -> None:
    lines = lines_of(explained_softsign(parameter(3, "x")).sum())
    assert "%1 h₁ = x / (1 + x) 3" in lines
    assert "∂L/∂x = ∂L/∂h₁ ⊙ (1 − h₁)² 3" in lines


def test_a_rule_whose_source_is_not_at_hand_is_said_to_have_none() -> None:
    twice = tg.primitive(eval("lambda g, _y, _x: 2 * g"), name="twice")(lambda x: 2 * x)
    assert "its rule has no formula, and its source is not at hand" in lines_of(twice(parameter(3, "x")).sum())


# ----- LaTeX -----

HARMLESS = {
    "begin", "end", "documentclass", "usepackage", "allowdisplaybreaks", "section", "subsection", "paragraph", "hfill",
    "noindent", "par", "texttt", "text", "dfrac", "partial", "left", "right", "odot", "cdot", "sum", "top", "times",
    "operatorname", "ensuremath", "lambda", "textbackslash", "textasciitilde", "textasciicircum", "textless",
    "textgreater", "textquotedbl", "textasciigrave", "textquotesingle", "mathrm", "dots",
}  # fmt: skip
TEX_NAMES = [
    *HOSTILE_NAMES, r"\input{/etc/passwd}", r"\end{document}", r"^^5cinput{x}", "$", "_", "{", "}", "x^2", "50% off",
    "~", "#1", "&", "語", "λ", "naïve", "a|b", "`'", "\N{RIGHT-TO-LEFT OVERRIDE}abc", "x" * 99,
]  # fmt: skip


def with_names(names: list[str]) -> Tensor:
    total = parameter(2, "plain")
    for name in names:
        with scope(name.replace(".", "")):
            total = total + parameter(2, name)
    return total.sum()


@pytest.mark.parametrize("name", TEX_NAMES)
def test_no_name_means_anything_to_latex(name: str) -> None:
    document = latex_document(tg.graph(with_names([name])))
    assert set(re.findall(r"\\([A-Za-z]+)", document)) <= HARMLESS
    assert document.count("{") - document.count(r"\{") == document.count("}") - document.count(r"\}")
    assert document.count("$") - document.count(r"\$") == latex_document(tg.graph(with_names(["a b"]))).count("$")
    assert "%" not in re.sub(r"\\%", "", document)
    assert "^^" not in document
    assert document.count(r"\end{document}") == 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no LaTeX here")
@pytest.mark.parametrize("picture", [*PICTURES.values(), lambda: with_names(TEX_NAMES)])
def test_the_document_is_compiled_by_latex(picture: Callable[[], Tensor], tmp_path: Path) -> None:
    (tmp_path / "gradient.tex").write_text(latex_document(tg.graph(picture())), encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", "gradient.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-1000:]


@pytest.mark.parametrize("case", DIFFERENTIABLE, ids=lambda case: case.name)
def test_every_operation_is_explained_in_text_without_latex_and_in_latex_that_parses(case: Case) -> None:
    wanted = case.wanted()
    operands = [Tensor(x, requires_grad=i in wanted) for i, x in enumerate(case.operands())]
    explained = explanation(tg.graph(case(*operands)))
    assert not set(str(explained)) & set("\\{}$")
    for equation in equations_of(explained):
        for part in (equation.left, *([equation.right] if equation.right is not None else [])):
            parse(part.latex)


def test_latex_takes_long_computations_in_several_displays() -> None:
    total = parameter((), "x")
    for _ in range(100):
        total = np.tanh(total)
    latex = explanation(tg.graph(total)).latex()
    assert max(display.count("&=") for display in latex.split(r"\end{align*}")) <= 40


# ----- Notebooks, and large graphs -----


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_notebook_shows_names_and_runs_none(name: str) -> None:
    bundle = explanation(tg.graph(with_names([name])))._repr_mimebundle_()
    assert re.findall(r"<[^>]*>", bundle["text/html"]) == ["<pre>", "</pre>"]
    assert bundle["text/plain"].isprintable() or "\n" in bundle["text/plain"]


def test_an_explanation_says_in_short_what_it_is() -> None:
    assert repr(explanation(tg.graph(two_layer_loss()))) == "<Explanation: 4 gradients of L in 6 steps>"


def test_thousands_of_operations_that_share_one_weight_are_explained_in_text_that_grows_with_them() -> None:
    lengths = []
    for count in (500, 1000):
        w, h = parameter((2, 2), "w"), np.ones((2, 2), np.float32)
        for _ in range(count):
            h = np.tanh(h @ w)
        lengths.append(len(str(explanation(tg.graph(np.sum(h))))))
    assert lengths[1] < 2.1 * lengths[0]
