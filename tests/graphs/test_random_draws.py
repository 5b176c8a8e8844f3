"""Random numbers: eager they are NumPy's, in a traced call they are drawn anew whenever it is run again."""

from __future__ import annotations

import copy
import itertools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.graphs.replaying import replayed, same_bits
from tinygrad_lite import nn, optim, primitives
from tinygrad_lite.errors import ArgumentError, DetachError, DtypeError, GraphError, ShapeError
from tinygrad_lite.graphs import Graph

X = np.random.default_rng(5).normal(size=(4, 3))
KINDS = (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64)


def generator(seed: int = 0, kind: Any = np.random.PCG64) -> np.random.Generator:
    return np.random.Generator(kind(seed))


def same_state(a: np.random.Generator, b: np.random.Generator) -> bool:
    return repr(a.bit_generator.state) == repr(b.bit_generator.state)


def parameter(shape: Any, name: str = "w") -> tg.Tensor:
    return tg.Tensor(np.random.default_rng(6).normal(size=shape), requires_grad=True, name=name)


def written(graph: Graph) -> Callable[..., Any]:
    """Return the function of the written source."""
    module: dict[str, Any] = {}
    exec(compile(graph.to_numpy(), "<written>", "exec"), module)
    return next(module[name] for name in ("step", "forward_and_gradient", "forward") if name in module)


# ----- Eager: the numbers that NumPy draws -----


@pytest.mark.parametrize("shape", [(3, 4), (5,), (), (0, 3), 5, [2, 2], np.int64(3)], ids=repr)
def test_the_standard_distributions_have_the_bits_of_numpy_and_move_the_generator_as_far(shape: Any) -> None:
    ours, theirs = generator(), generator()
    assert same_bits(tg.uniform(shape, rng=ours).numpy(), np.asarray(theirs.uniform(size=shape)))
    assert same_bits(tg.normal(shape, rng=ours).numpy(), np.asarray(theirs.normal(size=shape)))
    for draw, name in ((tg.uniform, "random"), (tg.normal, "standard_normal")):
        expected = np.asarray(getattr(theirs, name)(shape, np.float32))
        assert same_bits(draw(shape, rng=ours, dtype=np.float32).numpy(), expected)
    assert same_state(ours, theirs)


def test_bounds_mean_and_deviation_are_those_of_numpy() -> None:
    ours, theirs = generator(), generator()
    uniform = tg.uniform(1000, rng=ours, low=-2.0, high=-0.5)
    normal = tg.normal(1000, rng=ours, mean=3, std=np.float32(0.25))
    np.testing.assert_allclose(uniform.data, theirs.uniform(-2.0, -0.5, 1000), rtol=1e-15)
    np.testing.assert_allclose(normal.data, theirs.normal(3, 0.25, 1000), rtol=1e-15)


@pytest.mark.parametrize("shape", [(2, 3), ()])
@pytest.mark.parametrize("dtype", [np.float32, "float64"])
def test_what_is_drawn_is_a_constant_tensor_of_the_dtype_asked_for(dtype: Any, shape: Any) -> None:
    drawn = [
        tg.uniform(shape, rng=generator(), dtype=dtype),
        tg.uniform(shape, rng=generator(), low=1, high=1e300 if dtype == "float64" else 1e30, dtype=dtype),
        tg.normal(shape, rng=generator(), mean=0.1, std=0.3, dtype=dtype),
    ]
    for x in drawn:
        assert type(x) is tg.Tensor
        assert not x.requires_grad
        assert (x.dtype, x.shape) == (np.dtype(dtype), shape)


def test_a_gradient_flows_past_what_is_drawn() -> None:
    w, twin = parameter((4, 3)), generator()
    rng = generator()
    (w * tg.normal((4, 3), rng=rng) + tg.uniform((4, 3), rng=rng)).sum().backward()
    assert same_bits(w.grad, twin.standard_normal((4, 3)))


@pytest.mark.parametrize(
    "rng",
    [0, None, np.random, np.random.RandomState(0), np.random.PCG64(0)],
    ids=["number", "none", "module", "legacy", "bits"],
)
@pytest.mark.parametrize("draw", [tg.uniform, tg.normal])
def test_only_a_generator_is_drawn_from(draw: Any, rng: Any) -> None:
    with pytest.raises(ArgumentError, match=r"rng must be a generator, such as numpy\.random\.default_rng"):
        draw(3, rng=rng)


def test_what_cannot_be_drawn_is_refused_and_the_generator_left_alone() -> None:
    rng = generator()
    for low, high in ((1.0, 0.0), (0.0, np.inf), (np.nan, 1.0)):
        with pytest.raises(ArgumentError, match="low ≤ high"):
            tg.uniform(3, rng=rng, low=low, high=high)
    for std in (-1.0, np.nan):
        with pytest.raises(ArgumentError, match="deviation of at least 0"):
            tg.normal(3, rng=rng, std=std)
    for mean in (np.zeros(3), tg.Tensor(1.0), "0"):
        with pytest.raises(ArgumentError, match=r"mean must be a number.* multiply and shift"):
            tg.normal(3, rng=rng, mean=mean)
    for shape in (-1, (2, -1), 2.5, (2.0,), "3", None):
        with pytest.raises(ShapeError, match="a tuple of lengths"):
            tg.uniform(shape, rng=rng)
    for dtype in (int, np.float16, ">f8", bool):
        with pytest.raises(DtypeError, match="drawn as float32 or float64"):
            tg.normal(3, rng=rng, dtype=dtype)
    assert same_state(rng, generator())


# ----- Traced: a step, and the generator as it was -----


def test_a_draw_is_an_operation_without_operands() -> None:
    rng = generator()

    def f(x: Any) -> Any:
        return x + tg.normal(3, rng=rng, std=0.5, dtype=np.float32) * tg.uniform((4, 1), rng=rng)

    graph = tg.trace(f, X)
    assert str(graph).splitlines() == [
        "%0 = input x  4×3 float64",
        "%1 = standard_normal(shape=(3,), dtype=float32)  3 float32",
        "%2 = constant 0.5",
        "%3 = multiply(%2, %1)  3 float32",
        "%4 = standard_uniform(shape=(4, 1), dtype=float64)  4×1 float64",
        "%5 = multiply(%3, %4)  4×3 float64",
        "%6 = add(%0, %5)  4×3 float64",
    ]
    assert [node.operation.draws for node in graph.nodes if node.operation] == [True, False, True, False, False]
    assert Path(graph.nodes[1].place.split(":")[0]).name == Path(__file__).name
    assert same_bits(graph.nodes[graph.outputs[0]].values, f(X).data)


def test_a_draw_belongs_to_the_module_that_makes_it() -> None:
    net = nn.Sequential(nn.Linear(3, 2, rng=0, dtype=np.float64), Noise(generator()))
    graph = tg.trace(net, X)
    assert [(node.primitive, node.scope) for node in graph.nodes if node.primitive == "standard_normal"] == [
        ("standard_normal", "layers.1")
    ]


class Noise(nn.Module):
    """Adds noise, from a generator of its own."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def forward(self, x: Any) -> Any:
        return x + tg.normal(x.shape, rng=self.rng, std=0.1)


def test_two_draws_are_two_values() -> None:
    rng = generator()
    graph = tg.trace(lambda: tg.normal(3, rng=rng) - tg.normal(3, rng=rng))
    first, second = (node.values for node in graph.nodes if node.primitive == "standard_normal")
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("kind", KINDS)
def test_tracing_leaves_generators_as_they_were(kind: Any) -> None:
    rngs = [generator(seed, kind) for seed in range(3)]
    rngs.append(np.random.Generator(rngs[0].bit_generator))
    for rng in rngs:
        rng.standard_normal(7, np.float32)
    before = [copy.deepcopy(rng) for rng in rngs]
    draws = list(itertools.product((np.float32, np.float64), (tg.uniform, tg.normal), rngs))
    graph = tg.trace(lambda: [draw(700, rng=rng, dtype=dtype) for dtype, draw, rng in draws])
    assert all(map(same_state, rngs, before))
    assert same_bits(graph.nodes[graph.outputs[1]].values, rngs[1].random(700, np.float32))


def test_an_error_in_a_traced_call_leaves_the_generator_as_it_was() -> None:
    rng = generator()

    def f() -> None:
        tg.normal(3, rng=rng)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tg.trace(f)
    assert same_state(rng, generator())


def test_what_numpy_draws_itself_stays_a_constant() -> None:
    rng = generator()
    graph = tg.trace(lambda x: x + rng.normal(size=3), X)
    assert [node.kind for node in graph.nodes] == ["input", "constant", "operation"]


@pytest.mark.parametrize("use", [lambda u: 1.0 if u < 0.5 else 2.0, float, lambda u: u.item(), lambda u: u.numpy()])
def test_a_number_that_is_drawn_decides_nothing_in_a_traced_call(use: Any) -> None:
    rng = generator()
    with pytest.raises(DetachError):
        tg.trace(lambda x: x * use(tg.uniform((), rng=rng)), X)
    assert same_state(rng, generator())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_graph_run_again_draws_what_eager_execution_draws(dtype: Any) -> None:
    rng, other = generator(), generator(1)

    def f(x: Any) -> Any:
        kept = tg.uniform(x.shape, rng=rng, dtype=dtype) < 0.8
        noise = tg.normal(x.shape, rng=other, mean=0.1, std=0.3, dtype=dtype)
        return np.where(kept, x / 0.8, 0) + noise * tg.normal((), rng=rng)

    x = X.astype(dtype)
    graph = tg.trace(f, x)
    again = [replayed(graph, {})[graph.outputs[0]] for _ in range(3)]
    rng.bit_generator.state = generator().bit_generator.state
    other.bit_generator.state = generator(1).bit_generator.state
    assert [same_bits(y, f(x).data) for y in again] == [True] * 3
    assert not same_bits(again[0], again[1])


def test_a_draw_that_becomes_a_parameter_is_drawn_anew_too() -> None:
    rng = generator()

    def gradient(x: Any) -> Any:
        w = tg.normal(3, rng=rng)
        w.requires_grad = True
        np.sum(np.tanh(x @ w)).backward()
        return w.grad

    graph = tg.trace(gradient, X)
    again = [replayed(graph, {})[graph.outputs[0]] for _ in range(2)]
    rng.bit_generator.state = generator().bit_generator.state
    assert [same_bits(y, gradient(X)) for y in again] == [True] * 2


def test_a_derivative_of_a_function_that_draws_is_traced() -> None:
    rng = generator()

    def loss(w: Any) -> Any:
        return np.sum(np.tanh(w * tg.normal((4, 3), rng=rng)) * tg.uniform(3, rng=rng))

    graph = tg.trace(tg.grad(loss), X)
    again = [replayed(graph, {})[graph.outputs[0]] for _ in range(2)]
    rng.bit_generator.state = generator().bit_generator.state
    assert [same_bits(y, tg.grad(loss)(X)) for y in again] == [True] * 2


def test_a_checkpoint_that_draws_is_told_so() -> None:
    w, rng = parameter((4, 3)), generator()
    result = tg.checkpoint(lambda w: np.sum(w * tg.normal((4, 3), rng=rng)))(w)
    with pytest.raises(GraphError, match="random"):
        result.backward()


# ----- Written in NumPy -----


def noisy(rng: np.random.Generator, w: tg.Tensor) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        kept = tg.uniform(x.shape, rng=rng, dtype=np.float32) < 0.5
        noise = tg.named(tg.normal(x.shape, rng=rng, std=0.1), "noise")
        return np.sum(np.tanh(np.where(kept, x, 0) * w + noise))

    return f


def test_written_source_draws_from_the_generator_that_it_is_given() -> None:
    rng, w = generator(), parameter(3)
    graph = tg.trace(noisy(rng, w), X)
    run, arguments = written(graph), graph.arguments()
    assert list(arguments) == ["x", "w", "rng"]
    assert "    rng,  # random generator\n" in graph.to_numpy()
    assert "standard_uniform_1 = rng.random((4, 3), np.float32)\n" in graph.to_numpy()
    assert "noise = 0.1 * standard_normal_1\n" in graph.to_numpy()
    for _ in range(3):
        result = noisy(rng, w)(X)
        result.backward()
        value, gradients = run(**arguments)
        assert same_bits(value, result.data)
        assert same_bits(gradients["w"], w.grad)
        w.grad = None
    assert same_state(arguments["rng"], rng)


def test_the_arguments_are_copies_of_generators_in_the_state_before_the_draw() -> None:
    rng = generator(3, np.random.MT19937)
    rng.random(5)
    before = copy.deepcopy(rng)
    graph = tg.trace(lambda: tg.normal(700, rng=rng))
    rng.random(11)
    after = copy.deepcopy(rng)
    graph.arguments()["rng"].random(1000)
    for found in (graph, pickle.loads(pickle.dumps(graph)), graph):
        assert same_state(found.arguments()["rng"], before)
        assert same_bits(written(found)(**found.arguments()), graph.nodes[0].values)
    assert same_state(rng, after)


def test_draws_that_nothing_reads_are_written_and_all_keep_their_order() -> None:
    rng = generator()

    def f(x: Any) -> Any:
        first = tg.normal(3, rng=rng)
        tg.uniform((2, 2), rng=rng, dtype=np.float32)
        second, third = tg.normal(3, rng=rng), tg.normal(3, rng=rng)
        return np.sum(np.exp(second) * x), third / first

    graph = tg.trace(f, X)
    drawn = [line.split("rng.")[1] for line in graph.to_numpy().splitlines() if "rng." in line]
    assert drawn == ["standard_normal(3)", "random((2, 2), np.float32)", "standard_normal(3)", "standard_normal(3)"]
    arguments = graph.arguments()
    for found, y in zip(written(graph)(**arguments), f(X), strict=True):
        assert same_bits(found, y.data)
    assert same_state(arguments["rng"], rng)


def test_each_generator_is_one_argument_whatever_it_is_wrapped_in() -> None:
    rng, other = generator(), generator(1)
    wrapped = np.random.Generator(rng.bit_generator)
    named_alike = tg.Tensor([1.0, 2.0], name="rng")

    def f() -> Any:
        drawn = [tg.normal(2, rng=one) for one in (rng, other, wrapped, other, rng)]
        return [x * named_alike for x in drawn]

    graph = tg.trace(f)
    assert list(graph.arguments()) == ["rng", "rng_2", "rng_3"]
    assert [same_bits(a, b.data) for a, b in zip(written(graph)(**graph.arguments()), f(), strict=True)] == [True] * 5


@pytest.mark.parametrize("shape", [(), (0, 2), (3,), (2, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_written_draws_count_as_numbers_where_they_do_in_eager_execution(dtype: Any, shape: Any) -> None:
    rng = generator()

    def f(x: Any) -> Any:
        drawn = tg.normal(shape, rng=rng, mean=1.0, std=0.3, dtype=dtype)
        return drawn, x * drawn.sum(), x * tg.uniform((), rng=rng, low=-1.0)

    x = X.astype(np.float32)
    graph = tg.trace(f, x)
    for found, y in zip(written(graph)(**graph.arguments()), f(x), strict=True):
        assert same_bits(found, y.data)


def test_a_training_step_with_noise_is_written_with_its_updates() -> None:
    net = nn.Sequential(nn.Linear(3, 5, rng=0), nn.Tanh(), Noise(generator()), nn.Linear(5, 2, rng=1))
    optimizer, labels = optim.Adam(0.01).bind(net), np.array([0, 1, 1, 0])
    objective = nn.CrossEntropy() + 0.1 * nn.L2()

    def step(x: Any, t: Any) -> Any:
        optimizer.zero_grad()
        loss = objective(net, x, t)
        loss.backward()
        optimizer.step()
        return loss

    x = X.astype(np.float32)
    step(x, labels)
    graph = tg.trace(step, x, labels)
    result, _, updates = written(graph)(**graph.arguments())
    assert same_bits(result, step(x, labels).data)
    for name, tensor in net.named_parameters():
        assert same_bits(updates[name.replace(".", "_")], tensor.data)


def test_draws_of_an_update_keep_their_order() -> None:
    rng, w = generator(), parameter(3)

    def noisy_step(x: Any) -> None:
        np.sum(np.tanh(x @ w)).backward()
        first, second = tg.normal(3, rng=rng), tg.normal(3, rng=rng)
        w.assign(w - 0.1 * (w.grad + second * np.exp(first)))

    graph = tg.trace(noisy_step, X)
    _, updates = written(graph)(**graph.arguments())
    noisy_step(X)
    assert same_bits(updates["w"], w.data)


# ----- Looked at -----


def test_no_address_of_a_generator_reaches_a_text_or_a_picture(tmp_path: Path) -> None:
    graph = tg.trace(noisy(generator(), parameter(3)), X)
    for found in (graph, graph.backward()):
        texts = [str(found), repr(found), repr(found.nodes), found.to_text(), found.to_svg(), found.to_numpy()]
        texts += [str(found.explain()), found.explain().latex(), str(found.cost()), found.cost().to_markdown()]
        texts += [found.to_dot(show=("shape", "value", "flops", "bytes", "place"), fold=True)]
        texts += [found.save(tmp_path / "graph.html").read_text(encoding="utf-8")]
        assert [text for text in texts if "Generator(" in text or "PCG64" in text] == []


def test_the_same_call_gives_the_same_graph() -> None:
    def traced() -> Graph:
        return tg.trace(noisy(generator(), parameter(3)), X)

    assert traced() == traced()
    assert pickle.loads(pickle.dumps(traced())) == traced()


def test_a_draw_is_explained_by_its_distribution() -> None:
    text = str(tg.trace(noisy(generator(), parameter(3)), X).explain())
    assert "h₁ = uniform(0, 1)" in text
    assert "= normal(0, 1)" in text
    assert r"\operatorname{normal}" in tg.trace(noisy(generator(), parameter(3)), X).explain().latex()


def test_a_draw_costs_one_operation_for_each_number_and_the_memory_that_it_fills() -> None:
    rng = generator()
    rows = tg.trace(lambda: (tg.normal((4, 3), rng=rng), tg.uniform(5, rng=rng, dtype=np.float32))).cost().rows
    assert [(row.flops, row.bytes, row.kept) for row in rows] == [(12, 96, 0), (5, 20, 0)]


def test_the_gradient_of_a_graph_goes_past_its_draws() -> None:
    rng, w = generator(), parameter(3)
    graph = tg.trace(noisy(rng, w), X).backward()
    noisy(rng, w)(X).backward()
    (gradient,) = graph.gradients.values()
    assert same_bits(graph.nodes[gradient].values, w.grad)
    assert {node.primitive for node in graph.nodes if node.drawn_from is not None} == {
        "standard_normal", "standard_uniform"
    }  # fmt: skip


def test_the_entries_that_draw_are_those_that_take_a_generator() -> None:
    drawing = {entry.name for entry in primitives.PRIMITIVES.values() if entry.draws}
    assert drawing == {name for name, entry in primitives.PRIMITIVES.items() if "rng" in str(entry.__signature__)}
    assert drawing == {"standard_normal", "standard_uniform"}
