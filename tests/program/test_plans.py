"""What a program tells of itself: its plan, its source, its graph."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.program.comparing import assert_near
from tinygrad_lite import nn, optim
from tinygrad_lite.errors import CompilationError

RNG = np.random.default_rng(6)


def descent() -> tuple[tg.Program, tg.Tensor]:
    """Return a step of least squares derived by hand, compiled, and its weight."""
    w, lr = tg.Tensor(np.ones((2, 3)), name="w"), tg.Tensor(np.array(0.1), name="lr")

    def step(x: Any, t: Any) -> Any:
        delta = x @ w.T - t
        w.assign(w - lr * (delta.T @ x))
        return np.sum(delta * delta)

    program = tg.compile(step, exact=True)
    program(tg.Tensor(np.ones((4, 3)), name="x"), tg.Tensor(np.ones((4, 2)), name="t"))
    return program, w


PLAN = """\
9 steps; 160 B at most
  2 buffers, 112 B, for 5 values
  cells changed in place, 48 B: w 2×3 float64
  read at each call: x 4×3 float64, t 4×2 float64, lr scalar float64
  constants captured: none
  rewritten: none
     0  transpose  transpose  3×2 float64     view
     1  matmul     matmul     4×2 float64     buffer 0
     2  subtract   subtract   4×2 float64     buffer 0, in place
     3  transpose  transpose  2×4 float64     view
     4  matmul     matmul     2×3 float64     buffer 1
     5  multiply   multiply   2×3 float64     buffer 1, in place
     6  subtract   subtract   2×3 float64     in w
     7  multiply   multiply   4×2 float64     buffer 0, in place
     8  sum        sum        scalar float64  variable"""

SOURCE = """\
def run(x, t, lr, w, v3, v4, v5, v6, v7, c_1, v9, v10, v11):
    # matmul
    matmul(x, v3, v4)
    # subtract
    subtract(v4, t, v5)
    # matmul
    matmul(v6, x, v7)
    v8 = lr[()]
    # multiply
    c_1[()] = v8
    multiply(c_1, v7, v9)
    # subtract
    subtract(w, v9, v10)
    # multiply
    multiply(v5, v5, v11)
    # sum
    v12 = add_reduce(v11, None)
    return (v12,)
"""


def test_the_plan_and_the_source_of_a_step_read_so():
    program, _ = descent()
    assert str(program.plan()) == PLAN
    assert program.source() == SOURCE


def test_nothing_is_told_of_a_program_that_was_not_called():
    program = tg.compile(np.tanh)
    for told in (program.plan, program.source, lambda: program.graph):
        with pytest.raises(CompilationError, match=r"tanh.*not called yet"):
            told()


# ----- Memory -----


def live_bytes(net: nn.Module, state: list[np.ndarray], activations: list[tuple[int, ...]], itemsize: int) -> int:
    """Return parameters, gradients, state, and the activations that a sweep needs, counted by hand."""
    parameters = sum(p.data.nbytes for p in net.parameters())
    return 2 * parameters + sum(s.nbytes for s in state) + sum(itemsize * int(np.prod(shape)) for shape in activations)


NETS: dict[str, tuple[list[int], str, int]] = {
    "wide": ([784, 100, 10], "softplus", 100),
    "deep": ([64, 256, 256, 256, 10], "tanh", 64),
    "narrow": ([16, 8, 4], "relu", 16),
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("rule", [optim.SGD, optim.Adam])
def test_the_peak_is_that_of_parameters_gradients_state_and_live_activations(name, rule):
    sizes, activation, rows = NETS[name]
    net, objective = nn.MLP(sizes, activation=activation, rng=0), nn.CrossEntropy() + 0.01 * nn.L2()
    optimizer = rule(lr=0.001).bind(net, objective)

    def step(x: Any, t: Any) -> Any:
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    program = tg.compile(step)
    program(RNG.normal(size=(rows, sizes[0])).astype(np.float32), RNG.integers(0, sizes[-1], rows))
    moments = 2 if rule is optim.Adam else 0
    state = [p.data for p in net.parameters()] * moments
    # of each layer its output, before and after the activation, and one more of the widest for its cotangent
    activations = [(rows, width) for width in sizes[1:] for _ in range(2)] + [(rows, max(sizes[1:]))]
    assert program.plan().peak_bytes <= 1.2 * live_bytes(net, state, activations, 4)


def test_the_peak_counts_buffers_and_cells_that_are_changed():
    program, w = descent()
    plan = program.plan()
    assert plan.peak_bytes == sum(plan.buffers) + w.data.nbytes
    assert plan.cell_bytes == w.data.nbytes


# ----- Source -----


def test_the_source_is_a_function_of_python():
    program, _ = descent()
    (function,) = ast.parse(program.source()).body
    assert isinstance(function, ast.FunctionDef)
    assert [argument.arg for argument in function.args.args][:4] == ["x", "t", "lr", "w"]
    assert not function.args.defaults


def test_the_source_says_which_operation_each_line_is_of():
    net = nn.MLP([3, 2], rng=0)
    program = tg.compile(lambda x: tg.grad(lambda net: np.sum(net(x) ** 2))(net))
    program(tg.Tensor(np.ones((4, 3))).astype(np.float32))
    said = [line.strip() for line in program.source().splitlines() if line.strip().startswith("#")]
    assert said[0] == "# layers.0: linear"
    assert "# layers.0: linear ←" in said
    assert all("0x" not in line for line in program.source().splitlines())


ODD = [
    "a b", "x\ny = 1", "'''", '"""', "#", "\\", "import os", "def", "run", "np", "_", " ", "λ", "v1", "c_1", "results",
    "x" * 10_000, "\u202e", "\x00", "w.0.weight", "%s{x}", "dot", "__class__", "1", "None", "sgemm", "matmul_",
    "x_T", "v3_flat",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD, ids=range(len(ODD)))
def test_no_name_of_the_users_does_any_harm(name):
    def make() -> Any:
        w = tg.Tensor(np.ones((2, 3)), requires_grad=True, name=name)
        other = tg.Tensor(np.full((2, 3), 2.0), name=name)

        def step(x: Any) -> Any:
            loss = np.sum(tg.named(np.sin(x @ w.T), name) ** 2) + np.sum(other)
            loss.backward()
            gradient, w.grad = w.grad, None
            with tg.no_grad():
                w.assign(w - 0.1 * gradient)
                other.assign(other * 2.0)
            return loss.detach()

        return step, w

    (compiled, w), (eager, twin) = make(), make()
    program = tg.compile(compiled)
    for x in (np.ones((4, 3)), -np.ones((4, 3))):
        assert_near(program(tg.Tensor(x, name=name)), eager(tg.Tensor(x, name=name)))
        assert_near(w.data, twin.data)
    ast.parse(program.source())
    told = str(program.plan())
    assert len(told.splitlines()) == 6 + len(program.plan().steps)
    assert all(line.isprintable() for line in told.splitlines())


def test_objects_with_odd_names_are_read_by_any_number_of_programs():
    programs = []
    for name in ("x", "x", "x_1", "x 1"):
        w = tg.Tensor(np.ones(2), name=name)
        programs.append(tg.compile(lambda x, w=w: x * w))
    for program in programs:
        assert np.array_equal(program(tg.Tensor([1.0, 2.0], name="x")).numpy(), [1, 2])


# ----- Graph -----


def test_the_graph_is_that_of_tracing():
    w = tg.Tensor(np.ones((2, 3)), requires_grad=True, name="w")

    def loss(x):
        return np.sum(np.tanh(x @ w.T) ** 2)

    program, x = tg.compile(loss), tg.Tensor(np.ones((4, 3)), name="x")
    program(x)
    assert str(program.graph) == str(tg.trace(loss, x))


def test_plan_and_source_are_of_the_call_that_was_captured_last():
    program = tg.compile(lambda x: np.sin(x))
    program(tg.Tensor(np.ones(3)))
    program(tg.Tensor(np.ones((2, 2))))
    assert program.plan().steps[0].result == "2×2 float64"
    assert repr(program).endswith("2 captured>")
