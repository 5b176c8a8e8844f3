"""`fit` compiles its steps: what that may change, when it does not, and that it says why."""

from __future__ import annotations

import ctypes
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.train.interrupted import Interruption, Noisy, NoisyByNumPy, everything_of, interruption
from tests.train.runs import classifier, clusters, line, same_bits
from tinygrad_lite import Tensor, nn, optim
from tinygrad_lite.data import load, mini_batches
from tinygrad_lite.errors import AnomalyError, CompilationWarning, DivergenceError
from tinygrad_lite.train import Checkpoints, History, Training
from tinygrad_lite.train.stepping import Step

ROWS, BATCH_SIZE, BATCHES = 60, 7, 9


def trained(net: nn.Module, rule: optim.Rule | None = None, **options: Any) -> tuple[History, list[Training]]:
    """Train `net`; return the history, and the training as callbacks saw it last."""
    seen: list[Training] = []
    settings = {"train": clusters(ROWS), "epochs": 3, "batch_size": BATCH_SIZE, "progress": False} | options
    settings["callbacks"] = [*settings.get("callbacks", ()), seen.append]
    objective = settings.pop("objective", nn.CrossEntropy() + 0.01 * nn.L2())
    return tg.fit(net, objective, rule or optim.SGD(lr=0.1), **settings), seen[-1:]


def assert_close(one: nn.Module, other: nn.Module, tolerance: float) -> None:
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert np.linalg.norm(a - b) <= tolerance * np.linalg.norm(b), name


def figures(history: History) -> np.ndarray:
    return np.array([list(row.values()) for row in history.rows])


def rows_of_batch(batch: int, epoch: int, rows: int) -> np.ndarray:
    numbers = np.arange(rows)
    return [part for part, _ in mini_batches(numbers, numbers, BATCH_SIZE, seed=0, epoch=epoch)][batch]


# ----- Compiled and as written -----


@pytest.mark.parametrize("rule", [optim.SGD(lr=0.1), optim.Adam()], ids=["SGD", "Adam"])
def test_an_epoch_of_mnist_ends_where_it_ends_as_written(rule):
    rows = load("mnist-subset").train
    nets = [nn.MLP([784, 100, 10], activation="softplus", rng=0) for _ in range(2)]
    compiled, written = (
        tg.fit(net, nn.CrossEntropy(), rule, train=rows, epochs=1, progress=False, compiled=is_compiled)
        for net, is_compiled in zip(nets, (True, False), strict=True)
    )
    np.testing.assert_allclose(compiled["loss"], written["loss"], atol=1e-5)
    np.testing.assert_allclose(compiled["accuracy"], written["accuracy"], atol=2e-3)
    assert_close(*nets, 1e-4)


class Averaging(nn.Module):
    """A layer between two others that subtracts a running mean, which is a buffer."""

    def __init__(self, dtype: type = np.float64):
        self.first, self.last = nn.Linear(2, 6, rng=0, dtype=dtype), nn.Linear(6, 3, rng=1, dtype=dtype)
        self.mean = Tensor(np.zeros(6, dtype))

    def forward(self, x):
        hidden = np.tanh(self.first(x))
        self.mean.assign(0.9 * self.mean + 0.1 * hidden.detach().mean(axis=0))
        return self.last(hidden - self.mean)


TRAININGS: dict[str, dict[str, Any]] = {
    **{type(rule).__name__: {"rule": rule} for rule in (optim.Momentum(), optim.HeavyBall(), optim.Nesterov())},
    "RMSprop": {"rule": optim.RMSprop(lr=0.003)},
    "AdamW": {"rule": optim.AdamW(weight_decay=0.1)},
    "a schedule": {"schedule": optim.WarmUp(1.5, then=optim.Cosine(1.5, final=0.1))},
    "a common norm": {"clip_norm": 0.3},
    "a limit of entries": {"clip_value": 0.05},
    "both, and the norms": {"clip_value": 0.05, "clip_norm": 0.1, "gradient_norms": True},
    "the norms": {"gradient_norms": True},
    "a buffer": {"net": Averaging},
    "random numbers": {"net": lambda: Noisy(dtype=np.float64)},
    "one-hot targets": {"train": (clusters()[0], np.eye(3)[clusters()[1]])},
    "a regression": {"net": lambda: nn.Linear(1, 1, rng=0, dtype=np.float64), "objective": nn.MSE(), "train": line()},
    "an objective that is maximised": {
        "objective": nn.LogLikelihood() - 0.01 * nn.L2(),
        "rule": optim.SGD(lr=0.01, maximize=True),
    },
    "batches that divide the rows": {"batch_size": 10},
    "one batch an epoch": {"batch_size": ROWS},
    "batches of one row": {"batch_size": 1},
    "rows in the order of columns": {"train": (np.asfortranarray(clusters()[0]), clusters()[1])},
    "rows held out": {"validation": clusters(20, seed=1)},
}


@pytest.mark.parametrize("kind", TRAININGS)
def test_a_training_ends_where_it_ends_as_written_but_for_the_last_digits(kind):
    options = dict(TRAININGS[kind])
    make = options.pop("net", lambda: classifier(dtype=np.float64))
    nets = [make(), make()]
    compiled, written = (
        trained(net, compiled=is_compiled, **options)[0] for net, is_compiled in zip(nets, (True, False), strict=True)
    )
    assert list(compiled.last) == list(written.last)
    np.testing.assert_allclose(figures(compiled), figures(written), rtol=1e-6 if "gradient_norms" in options else 1e-9)
    assert_close(*nets, 1e-9)


def test_the_same_seed_gives_the_same_bits_when_compiled_and_as_written():
    for is_compiled in (True, False):
        one, other = Noisy(), Noisy()
        (first, (seen,)), (again, (seen_again,)) = (trained(net, compiled=is_compiled) for net in (one, other))
        assert first == again
        assert everything_of(seen) == everything_of(seen_again)


def steps_as_written(**options: Any) -> int:
    """Return how often the network is called as it is written in a training."""
    with mock.patch.object(Step, "evaluate", autospec=True, side_effect=Step.evaluate) as evaluate:
        trained(classifier(), **options)
    return evaluate.call_count


def test_each_batch_size_is_captured_and_checked_and_from_then_on_the_program_runs_alone():
    assert steps_as_written(epochs=20) == 2 * (1 + 3)
    assert steps_as_written(epochs=20, compiled=False) == 20 * BATCHES


class Scaled(nn.Module):
    """A classifier with a number of Python's and a layer that callbacks change."""

    def __init__(self):
        self.layer, self.factor = nn.Linear(2, 3, rng=0, dtype=np.float64), 1.0

    def forward(self, x):
        return self.factor * self.layer(x)


def test_what_callbacks_change_counts_from_the_next_step():
    def change(training):
        training.net.factor /= 2
        training.optimizer.lr = training.optimizer.lr.item() / 3
        training.net.layer.bias.assign(np.full(3, 0.5))

    nets = Scaled(), Scaled()
    histories = [
        trained(net, compiled=is_compiled, callbacks=[change])[0]
        for net, is_compiled in zip(nets, (True, False), strict=True)
    ]
    np.testing.assert_allclose(*map(figures, histories), rtol=1e-9)
    assert_close(*nets, 1e-9)


class Remembering(nn.Module):
    """A classifier that keeps the batch it saw last in a buffer."""

    def __init__(self):
        self.layer, self.seen = nn.Linear(2, 3, rng=0), Tensor(np.zeros((10, 2), np.float32))

    def forward(self, x):
        self.seen.assign(x)
        return self.layer(x)


def test_rows_that_a_network_has_kept_are_those_it_was_shown_also_after_the_next_batch():
    kept = []
    trained(Remembering(), batch_size=10, epochs=4, callbacks=[lambda training: kept.append(training.net.seen.data)])
    for epoch, found in enumerate(kept):
        *_, (x, _) = mini_batches(*clusters(ROWS), 10, seed=0, epoch=epoch)
        np.testing.assert_array_equal(found, x)


def test_the_parameters_of_before_are_left_to_whoever_holds_them():
    net = classifier()
    held, values = [p.data for p in net.parameters()], [p.numpy() for p in net.parameters()]
    at_the_end_of_epochs = []
    trained(
        net,
        callbacks=[lambda training: at_the_end_of_epochs.append([(p.data, p.numpy()) for p in net.parameters()])],
    )
    for array, value in zip(held, values, strict=True):
        np.testing.assert_array_equal(array, value)
    for pairs in at_the_end_of_epochs:
        for array, value in pairs:
            np.testing.assert_array_equal(array, value)


# ----- What cannot be compiled -----


class Branching(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(2, 3, rng=0)

    def forward(self, x):
        y = self.layer(x)
        return y if y.mean() > 0 else 2 * y


class Counting(nn.Module):
    def __init__(self):
        self.layer, self.calls = nn.Linear(2, 3, rng=0), 0

    def forward(self, x):
        self.calls += 1
        return self.layer(x) / (1 + 0.01 * self.calls)


class BranchingOnFewRows(nn.Module):
    """A network of which only the last batch of an epoch cannot be compiled."""

    def __init__(self):
        self.layer = nn.Linear(2, 3, rng=0)

    def forward(self, x):
        y = self.layer(x)
        return y * (0.5 + y.mean().item()) if len(x) < BATCH_SIZE else y


@dataclass(frozen=True)
class Stopping(optim.SGD):
    """A rule that looks at a number."""

    def update(self, w, g, *, lr, t):
        return super().update(w, g, lr=lr, t=t) if float(np.abs(g).max()) > 1e-3 else (w,)


CANNOT: dict[str, tuple[Callable[[], nn.Module], optim.Rule | None, str]] = {
    "a branch on values": (Branching, None, r"bool\(\)"),
    "random numbers of NumPy's": (NoisyByNumPy, None, "item|random numbers"),
    "a counter of Python's": (Counting, None, r"changes .*calls"),
    "a rule that looks at a number": (classifier, Stopping(lr=0.1), r"float\(\)"),
    "the last batch alone": (BranchingOnFewRows, None, r"item\(\)"),
}


@pytest.mark.parametrize("kind", CANNOT)
def test_what_cannot_be_compiled_runs_as_it_is_written_and_the_reason_is_told_once(kind):
    make, rule, reason = CANNOT[kind]
    net, written = make(), make()
    with pytest.warns(
        CompilationWarning, match=rf"as it is written, not compiled: .*({reason}).*compiled=False"
    ) as told:
        found, (seen,) = trained(net, rule)
    assert [warning.filename for warning in told] == [__file__], "told once, at the call of fit"
    expected, (seen_written,) = trained(written, rule, compiled=False)
    if kind == "the last batch alone":
        np.testing.assert_allclose(figures(found), figures(expected), rtol=1e-4)
        return
    assert found == expected
    assert everything_of(seen) == everything_of(seen_written)
    assert getattr(net, "calls", None) is None or int(np.asarray(net.calls)) == int(np.asarray(written.calls))


class Iterating(nn.Module):
    """A network with a number from where no compiler sees it, a new one at each call."""

    def __init__(self, first: int):
        self.layer, self.number = nn.Linear(2, 3, rng=0), ctypes.c_int(first)

    def forward(self, x):
        number = self.number.value
        self.number.value += 1
        return self.layer(x) / number


def test_a_program_that_does_otherwise_is_found_out_and_its_step_undone():
    net, written = Iterating(1), Iterating(3)  # the first two numbers are used up to capture the step, and to check it
    with pytest.warns(CompilationWarning, match="not give what eager execution gives"):
        found, (seen,) = trained(net, optim.Adam(), batch_size=10)
    expected, (seen_written,) = trained(written, optim.Adam(), batch_size=10, compiled=False)
    assert found == expected
    assert everything_of(seen) == everything_of(seen_written)


def test_what_asks_not_to_be_compiled_runs_as_it_is_written_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(Counting(), compiled=False)


@pytest.mark.filterwarnings("ignore::tinygrad_lite.errors.CompilationWarning")
@pytest.mark.parametrize("make", [BranchingOnFewRows, NoisyByNumPy])
@pytest.mark.parametrize("done", [1, 4, BATCHES - 1, BATCHES, BATCHES + 3, 2 * BATCHES + 1])
def test_a_training_that_is_not_compiled_or_not_wholly_goes_on_bit_for_bit(tmp_path, make, done):
    whole, net = make(), make()
    expected, _ = trained(whole)
    keeping = Checkpoints(tmp_path, every_batches=1)
    with interruption(after=done), pytest.raises(Interruption):
        trained(make(), checkpoints=keeping)
    assert trained(net, checkpoints=keeping, resume=True)[0] == expected
    assert same_bits(net, whole)


def test_an_error_of_the_network_is_raised_as_it_is_without_a_warning():
    x, labels = clusters()
    for wrong in ({"train": (np.zeros((5, 3)), np.zeros(5, int))}, {"train": (x, labels + 7)}):
        raised = []
        for is_compiled in (True, False):
            net = classifier()
            with pytest.raises(Exception) as caught:  # noqa: PT011 - it is compared with that of the other run
                trained(net, compiled=is_compiled, **wrong)
            raised.append((type(caught.value), str(caught.value)))
            assert same_bits(net, classifier())
        assert raised[0] == raised[1]


def test_an_error_that_comes_late_is_the_same_and_leaves_what_the_steps_before_have_made():
    x, labels = clusters(ROWS)
    labels[rows_of_batch(6, 0, ROWS)[2]] = 9
    raised, nets = [], [classifier(dtype=np.float64), classifier(dtype=np.float64)]
    for net, is_compiled in zip(nets, (True, False), strict=True):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - as above
            trained(net, train=(x, labels), compiled=is_compiled)
        raised.append((type(caught.value), str(caught.value)))
    assert raised[0] == raised[1]
    assert_close(*nets, 1e-9)


def test_under_a_search_for_anomalies_everything_runs_as_it_is_written():
    found = classifier()
    with tg.detect_anomaly():
        history, _ = trained(found)
    written = classifier()
    assert trained(written, compiled=False)[0] == history
    assert same_bits(found, written)
    net = nn.Linear(1, 1, rng=0)
    with tg.detect_anomaly(), pytest.raises(AnomalyError):
        trained(net, optim.SGD(lr=1e15), objective=nn.MSE(), train=line(), epochs=20, batch_size=40)
    assert all(np.isfinite(value).all() for value in net.state_dict().values())


# ----- Divergence -----


@pytest.mark.parametrize("is_compiled", [True, False], ids=["compiled", "as written"])
@pytest.mark.parametrize("make", [classifier, Noisy, Averaging])
@pytest.mark.parametrize(
    ("rows", "batch", "options"),
    [
        *((ROWS, batch, {}) for batch in (0, 1, 2, 4, BATCHES - 1)),
        (ROWS, 5, {"schedule": optim.Cosine(9), "clip_norm": 0.5, "gradient_norms": True}),
        (1001, 105, {"rule": optim.SGD(lr=0.01)}),
        (1001, 101, {}),
        (1001, 100, {}),
    ],
)
def test_a_training_that_diverges_has_what_it_had_when_the_objective_was_last_finite(
    make, rows, batch, options, is_compiled
):
    """In the second epoch a row of a batch is nan; the step before that batch is undone."""
    net = make()
    options = {"rule": optim.Adam(lr=0.01), "compiled": is_compiled} | options

    def spoil(training):
        training.rows[0][rows_of_batch(batch, 1, rows)[0]] = np.nan

    with pytest.raises(DivergenceError, match=rf"nan in epoch 2, batch {batch + 1}\b"):
        trained(net, train=clusters(rows), callbacks=[spoil], epochs=9, **options)
    before = (1, batch - 1) if batch else (0, -(-rows // BATCH_SIZE) - 1)
    expected = parameters_before(make, *before, rows, options)
    for (name, parameter), array in zip(net.named_parameters(), expected, strict=True):
        assert parameter.numpy().tobytes() == array.tobytes(), name


def parameters_before(
    make: Callable[[], nn.Module], epoch: int, batch: int, rows: int, options: dict[str, Any]
) -> list[np.ndarray]:
    """Return the parameters of a training before the step on a batch of an epoch."""
    net = make()
    with interruption(after=epoch * -(-rows // BATCH_SIZE) + batch), pytest.raises(Interruption):
        trained(net, train=clusters(rows), epochs=9, **options)
    return [parameter.numpy() for parameter in net.parameters()]
