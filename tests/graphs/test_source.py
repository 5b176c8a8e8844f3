"""`graph.to_numpy()`: the source that is written runs without the library and has the bits of eager execution."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.fuzzing.generator import random_program
from tests.fuzzing.gradients import environment, leaves_of, loss
from tests.graphs.gallery import gallery
from tests.graphs.isolated import Job, run_alone
from tests.graphs.pictured import HOSTILE_NAMES, PICTURES, hostile
from tests.graphs.replaying import same_bits
from tests.operations.cases import CASES
from tinygrad_lite import nn, optim
from tinygrad_lite.check.conformance.variants import Call, refusal_of, variants_of
from tinygrad_lite.errors import DefinitionError, GraphError, UnsupportedError
from tinygrad_lite.primitives import PRIMITIVES
from tinygrad_lite.tape import Leaf, tape
from tinygrad_lite.tensor import Tensor

GOLDEN = Path(__file__).parent / "golden"
RNG = np.random.default_rng(0)


def written(graph: Any) -> Job:
    return Job(graph.to_numpy(), graph.arguments())


def ran(job: Job) -> Any:
    """Return what the function of written source returns, run here."""
    module: dict[str, Any] = {}
    exec(compile(job.source, "<written>", "exec"), module)
    function = next(module[name] for name in ("step", "forward_and_gradient", "forward") if name in module)
    return function(**job.arguments)


def result_of(job: Job) -> Any:
    """Return the result without its gradients."""
    returned = ran(job)
    return returned[0] if isinstance(returned, tuple) else returned


def parameter(shape: Any, name: str | None = None, dtype: Any = np.float64) -> Tensor:
    return Tensor(RNG.normal(size=shape).astype(dtype), requires_grad=True, name=name)


# ----- Without the library, bit for bit -----


def programs(seeds: range) -> Iterator[tuple[Job, dict[str, np.ndarray], str]]:
    """Yield the written source of random programs with what eager execution gives."""
    for seed in seeds:
        program = random_program(seed)
        names, leaves = environment(program, is_double=False), leaves_of(program, is_double=False)

        def total(*values: Any, program: Any = program, names: Any = names, leaves: Any = leaves) -> Any:
            return loss(program, dict(names), dict(zip(leaves, values, strict=True)))

        tensors = [Tensor(x, requires_grad=True, name=name) for name, x in leaves.items()]
        with np.errstate(all="ignore"):
            result = total(*tensors)
            graph = tg.trace(total, *tensors)
        result.backward()
        expected = {"0": result.data}
        expected |= {f"1 {tensor.name}": tensor.grad for tensor in tensors if tensor.grad is not None}
        yield written(graph), expected, f"seed {seed}\n{program}"


@pytest.mark.parametrize("first", [0, 100])
def test_random_programs_run_without_the_library_with_the_bits_of_eager_execution(first: int, tmp_path: Path) -> None:
    jobs, expected, said = zip(*programs(range(first, first + 100)), strict=True)
    for found, wanted, what in zip(run_alone(jobs, tmp_path), expected, said, strict=True):
        assert found.keys() == wanted.keys(), what
        assert [name for name in wanted if not same_bits(found[name], wanted[name])] == [], what


def training(rule: Any, dtype: Any = np.float32) -> tuple[Callable[..., Any], tuple[Any, ...], Any, Any]:
    net = nn.MLP([8, 16, 4], activation="softplus", rng=0, dtype=dtype)
    objective = nn.CrossEntropy() + 0.1 * nn.L2()
    optimizer = rule.bind(net, objective)

    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        value = objective(net, x, t)
        value.backward()
        optimizer.step()
        return value

    x, t = RNG.normal(size=(10, 8)).astype(dtype), RNG.integers(0, 4, 10)
    return step, (x, t), net, optimizer


@pytest.mark.parametrize("rule", [optim.SGD(0.1), optim.Adam(0.01), optim.Momentum(0.1)], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_training_step_is_written_with_its_updates(rule: Any, dtype: Any, tmp_path: Path) -> None:
    step, batch, net, optimizer = training(rule, dtype)
    step(*batch)
    job = written(tg.trace(step, *batch))
    value = step(*batch)
    (found,) = run_alone([job], tmp_path)
    assert same_bits(found["0"], value.data)
    for name, tensor in net.named_parameters():
        assert same_bits(found[f"1 {name.replace('.', '_')}"], tensor.grad)
        assert same_bits(found[f"2 {name.replace('.', '_')}"], tensor.data)
    assert same_bits(found["2 step_count"], optimizer.step_count.data)


@pytest.mark.parametrize("name", PICTURES)
def test_networks_with_scopes_run_without_the_library(name: str, tmp_path: Path) -> None:
    def total() -> Tensor:
        return np.sum(np.cos(PICTURES[name]() + 1))

    result = total()
    result.backward()
    (found,) = run_alone([written(tg.trace(total))], tmp_path)
    leaves = [node for node in tape(result._node) if isinstance(node, Leaf)]
    assert len(found) == 1 + len(leaves)
    assert same_bits(found.pop("0"), result.data)
    assert [same_bits(a, leaf.grad) for a, leaf in zip(found.values(), leaves, strict=True)] == [True] * len(leaves)


def test_the_gallery_runs_without_the_library(tmp_path: Path) -> None:
    script = gallery()
    graphs = script.graphs()
    found = dict(zip(graphs, run_alone(list(map(written, graphs.values())), tmp_path), strict=True))
    for name in graphs:
        function = getattr(script, name)
        result = function(*function.__defaults__ or ())
        if name != "adam_step":
            result.backward()
        leaves = [node for node in tape(result._node) if isinstance(node, Leaf)]
        expected = {"0": result.data} | {f"1 {(leaf.name or '').replace('.', '_')}": leaf.grad for leaf in leaves}
        if name == "adam_step":
            expected |= {"2 w": script.W.data, "2 v_w": script.ADAM.state_dict()["v.w"]}
        assert [key for key in expected if not same_bits(found[name][key], expected[key])] == [], name
        assert name == "adam_step" or found[name].keys() == expected.keys()


# ----- Every operation -----


def calls_of(name: str) -> Iterator[Call]:
    """Yield every call of a primitive in the table of cases, in float64, and as given in float32 too."""
    for case in CASES:
        if case.primitive == name:
            yield case.call().as_dtype(np.float32)
            yield from (call for call in variants_of(case.call()) if not refusal_of(call))


def tensors_of(call: Call) -> list[Tensor]:
    return [Tensor(x, requires_grad=i in call.wanted) for i, x in enumerate(call.operands)]


@pytest.mark.parametrize("name", sorted(PRIMITIVES))
def test_every_operation_is_written_with_its_bits_and_those_of_its_gradient(name: str) -> None:
    for call in calls_of(name):
        given = tensors_of(call)
        result = call(*given)
        what = f"{call.variant} {[x.shape for x in call.operands]} {call.static}"
        weights = RNG.uniform(0.5, 2.0, result.shape)

        def weighted(*xs: Any, call: Call = call, weights: Any = weights) -> Any:
            y = call(*xs)
            return np.sum(y * weights.astype(y.dtype))

        assert same_bits(result_of(written(tg.trace(call, *given))), result.data), what
        if not call.wanted:
            continue
        total = weighted(*given)
        job = written(tg.trace(weighted, *given))
        total.backward()
        value, gradients = ran(job)
        assert same_bits(value, total.data), what
        expected = [x.grad for x in given if x.requires_grad]
        assert [same_bits(a, b) for a, b in zip(gradients.values(), expected, strict=True)] == [True] * len(expected)


def test_a_layer_large_enough_for_computing_in_place_keeps_its_bits() -> None:
    """From 256 KB on NumPy computes in the place of temporaries, which keeps their memory order, and sums follow it."""
    x, b, c = parameter((200, 300), "x"), parameter(200, "b"), RNG.normal(size=(300, 200))
    t = RNG.integers(0, 60, 200)

    def total(x: Any, b: Any) -> Any:
        y = np.tanh(x.T + b)
        return np.sum(y * c) + np.mean(np.exp(-(x.T + c) / 100), axis=0).sum() + tg.softmax_cross_entropy(x[:, :60], t)

    result = total(x, b)
    result.backward()
    value, gradients = ran(written(tg.trace(total, x, b)))
    assert same_bits(value, result.data)
    assert same_bits(gradients["x"], x.grad)
    assert same_bits(gradients["b"], b.grad)


# ----- What is written -----


def mlp() -> Any:
    net = nn.MLP([8, 16, 4], activation="softplus", rng=0, dtype=np.float32)
    objective = nn.CrossEntropy() + 0.1 * nn.L2()
    x, t = np.ones((10, 8), np.float32), np.arange(10) % 4
    return tg.trace(lambda x, t: objective(net, x, t), x, t)


def test_a_small_network_is_written_as_it_was() -> None:
    """`GOLDEN=write python -m pytest tests/graphs/test_source.py` writes it anew."""
    golden = GOLDEN / "mlp_in_numpy.txt"
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(mlp().to_numpy(), encoding="utf-8")
    assert mlp().to_numpy() == golden.read_text(encoding="utf-8")


def test_lines_are_short() -> None:
    step, batch, *_ = training(optim.Adam(0.01))
    xs = [parameter(3, f"a_name_of_some_length_{i}") for i in range(40)]
    many = tg.trace(lambda *xs: np.sum(np.stack(xs) ** 2) + tg.sum_squares(*xs), *xs)
    for graph in (many, tg.trace(step, *batch)):
        assert max(map(len, graph.to_numpy().splitlines())) <= 100
    _, gradients = ran(written(many))
    np.testing.assert_allclose(list(gradients.values()), [4 * x.data for x in xs])


def test_no_path_of_this_machine_is_written() -> None:
    assert str(Path(__file__).parent) not in mlp().to_numpy()
    assert Path(__file__).name not in mlp().to_numpy()


def test_a_value_bears_the_name_that_the_user_gave_it() -> None:
    x = parameter(3, "x")
    source = tg.trace(lambda x: tg.named(x * x, "squares").sum(), x).to_numpy()
    assert "    squares = x * x\n" in source
    assert "    d_squares = " in source


def test_without_parameters_only_the_forward_pass_is_written() -> None:
    source = tg.trace(lambda x: np.tanh(x).sum(), np.ones(3)).to_numpy()
    assert "def forward(\n" in source
    assert "Backward" not in source


def test_several_results_are_returned_together() -> None:
    x = RNG.normal(size=3)
    sine, cosine = ran(written(tg.trace(lambda x: (np.sin(x), np.cos(x)), x)))
    assert same_bits(sine, np.sin(x))
    assert same_bits(cosine, np.cos(x))


def test_a_result_that_is_no_scalar_gets_the_gradient_that_was_asked_for() -> None:
    x, g = parameter((2, 3), "x"), RNG.normal(size=(2, 3))
    graph = tg.trace(lambda x: np.exp(x), x)
    assert "gradients" not in graph.to_numpy()
    _, gradients = ran(written(graph.backward(g)))
    assert same_bits(gradients["x"], g * np.exp(x.data))


def test_a_gradient_that_the_function_itself_takes_is_its_result() -> None:
    x = RNG.normal(size=4)
    f = tg.grad(lambda x: np.sum(np.tanh(x) * x))
    assert same_bits(ran(written(tg.trace(f, x))), f(x))


def test_gradients_are_arrays_of_their_own() -> None:
    a, b = parameter(3, "a"), parameter(3, "b")
    _, gradients = ran(written(tg.trace(lambda a, b: (a + b).sum(), a, b)))
    gradients["a"] *= 2
    assert gradients["b"].tolist() == [1, 1, 1]


def test_what_leads_to_no_result_is_not_written() -> None:
    def f(x: Any) -> Any:
        np.exp(x)
        return np.sin(x)

    assert "exp" not in tg.trace(f, np.ones(3)).to_numpy()


def test_a_state_without_axes_does_not_widen_the_dtype() -> None:
    x, rate = RNG.normal(size=3).astype(np.float32), Tensor(0.1)
    job = written(tg.trace(lambda x: rate * x, x))
    assert "float(state_1) * x" in job.source
    assert same_bits(ran(job), (rate * Tensor(x)).data)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -0.0, 1e-45, 0.1, -2.5, 1e300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_constants_are_written_exactly(value: float, dtype: Any) -> None:
    with np.errstate(all="ignore"):
        constants = np.array([value, 1.5]).astype(dtype)
        x = Tensor(np.ones(2, dtype))
        job = written(tg.trace(lambda x: (x * constants, np.where(x > 0, x, value), x * dtype(value)), x))
        expected = (x.data * constants, np.ones(2, dtype), x.data * constants[0])
        assert "constant" not in job.source
        assert all(same_bits(a, b) for a, b in zip(ran(job), expected, strict=True))


def test_large_constants_and_indices_are_arguments() -> None:
    constant, index = RNG.normal(size=(5, 30)), RNG.integers(0, 30, 90)
    job = written(tg.trace(lambda x: (x * constant)[:, index], RNG.normal(size=(5, 30))))
    assert list(job.arguments) == ["x", "constant_1", "index_1"]
    assert same_bits(ran(job), (job.arguments["x"] * constant)[:, index])


# ----- What may be refused -----


def test_a_primitive_of_ones_own_is_written_by_its_lowering() -> None:
    @tg.primitive(
        lambda g, _y, x: g * np.cos(x) * np.exp(np.sin(x)), lowering=lambda x: np.exp(tg.named(np.sin(x), "s"))
    )
    def wave(x: Any) -> Any:
        return np.exp(np.sin(x))

    x = parameter(5, "x")
    job = written(tg.trace(lambda x: wave(x).sum(), x))
    assert "    s = np.sin(x)\n    wave_1 = np.exp(s)\n" in job.source
    result = wave(x).sum()
    result.backward()
    assert same_bits(ran(job)[1]["x"], x.grad)


def test_a_primitive_of_ones_own_without_a_lowering_is_refused_with_the_remedy() -> None:
    @tg.primitive(lambda g, _y, _x: g * 2)
    def twice(x: Any) -> Any:
        return x * 2

    with pytest.raises(UnsupportedError, match=r"twice .* lowering=f"):
        tg.trace(twice, np.ones(3)).to_numpy()


def test_a_lowering_that_gives_something_else_is_an_error() -> None:
    @tg.primitive(lambda g, _y, _x: g * 2, lowering=lambda x: np.sum(x))
    def twice(x: Any) -> Any:
        return x * 2

    with pytest.raises(DefinitionError, match=r"twice: its lowering gives float64\[\], its forward float64\[3\]"):
        tg.trace(twice, np.ones(3)).to_numpy()


def test_values_that_a_tape_did_not_keep_are_asked_for() -> None:
    x = parameter(3, "x")
    graph = tg.graph((x + 1).sum())
    assert "def forward_and_gradient(\n    x,  # parameter, 3 float64\n):" in graph.to_numpy()
    with pytest.raises(GraphError, match=r"the values of x were not kept.*tg\.trace"):
        graph.arguments()


# ----- Names -----

NASTY = (
    *HOSTILE_NAMES, '"""', "'''", "\\", "#", "a\rb", "a\x0cb", "a\u2028b", "\u202eright to left", "\u05d0\u05d1",
    "lambda", "class", "np", "sum", "float", "None", "gradients", "forward_and_gradient", "zero_kept_zero", "__debug__",
    "__import__", "1", "0x", "\ufb01", "λ", "\U0001d499", "💥", "x" * 500, "d_x", "x", "layers.0.weight",
    "layers 0 weight", "layers_0_weight", "linear_1", "",
)  # fmt: skip


@pytest.mark.parametrize("name", NASTY, ids=ascii)
def test_a_nasty_name_is_harmless(name: str) -> None:
    x = parameter(3, name)
    value, gradients = ran(written(tg.trace(lambda x: tg.named(np.square(x), name or "square").sum(), x)))
    (gradient,) = gradients.values()
    assert same_bits(value, np.square(x.data).sum())
    assert same_bits(gradient, 2 * x.data)


def test_nasty_names_together_are_told_apart() -> None:
    leaves = [parameter(2, name) for name in (*NASTY, *NASTY)]
    job = written(tg.trace(lambda *xs: sum((i * np.square(x)).sum() for i, x in enumerate(xs, 1)), *leaves))
    _, gradients = ran(job)
    assert len(gradients) == len(leaves)
    for i, (leaf, gradient) in enumerate(zip(leaves, gradients.values(), strict=True), 1):
        np.testing.assert_allclose(gradient, 2 * i * leaf.data)


def test_a_nasty_scope_is_harmless() -> None:
    assert "# two↵lines\n" in tg.graph(hostile().sum()).to_numpy()


def test_a_line_of_source_never_reads_from_right_to_left() -> None:
    source = tg.trace(lambda x: x.sum(), parameter(2, "\u05d0\u202eabc")).to_numpy()
    names = [line.split(",")[0] for line in source.splitlines() if "# parameter" in line]
    assert names == ["    abc"]
    assert "\u202e" not in source
