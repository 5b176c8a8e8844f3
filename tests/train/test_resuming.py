"""A training that is broken off and goes on ends, bit for bit, where one ends that was left alone."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.train.interrupted import Interruption, Noisy, NoisyByNumPy, everything_of, interruption
from tests.train.killing import content
from tests.train.runs import classifier, clusters, line, same_bits, train_classifier
from tinygrad_lite import Tensor, fit, nn, optim
from tinygrad_lite.errors import ArgumentError, DataError, StateError
from tinygrad_lite.train import Checkpoints, EarlyStopping, History, load_weights

ROWS, BATCH_SIZE, EPOCHS = 45, 7, 5
BATCHES = EPOCHS * 7  # the last of the seven has three rows


@dataclass(frozen=True)
class InverseRoot(optim.Schedule):
    """A schedule of the user's own."""

    def __call__(self, epoch: float) -> float:
        return (1 + epoch) ** -0.5


def one_hot(rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    x, labels = clusters(rows)
    return x, np.eye(3)[labels]


def settings(**other: Any) -> dict[str, Any]:
    """Return the arguments of `fit`, with a net that is made anew each time."""
    return {
        "net": lambda: classifier(),
        "objective": nn.CrossEntropy() + 0.01 * nn.L2(),
        "rule": optim.Adam(lr=0.01),
        "train": clusters(ROWS),
        "validation": clusters(20, seed=1),
        "epochs": EPOCHS,
        "batch_size": BATCH_SIZE,
        "progress": False,
    } | other


CASES = {
    **{
        type(rule).__name__: settings(rule=rule)
        for rule in (
            optim.SGD(lr=0.1),
            optim.Momentum(lr=0.1),
            optim.HeavyBall(lr=0.02),
            optim.Nesterov(lr=0.02),
            optim.RMSprop(lr=0.003),
            optim.Adam(lr=0.01),
            optim.AdamW(lr=0.01, weight_decay=0.1),
        )
    },
    "a cosine after a warm-up": settings(schedule=optim.WarmUp(1.5, then=optim.Cosine(3.5, final=0.1))),
    "steps of the rate": settings(schedule=optim.StepDecay(every=0.7, factor=0.5)),
    "a schedule of one's own": settings(schedule=optim.WarmUp(1, then=InverseRoot())),
    "clipping": settings(clip_norm=0.3, clip_value=0.1, gradient_norms=True),
    "early stopping": settings(early_stopping=EarlyStopping(patience=2, least_change=0.05)),
    "one-hot targets": settings(train=one_hot(), validation=one_hot(20)),
    "float64": settings(net=lambda: classifier(dtype=np.float64), gradient_norms=True),
    "nothing held out": settings(validation=None),
    "a last batch of one row": settings(batch_size=11),
    "batches of one row": settings(batch_size=1, epochs=2),
    "one batch an epoch": settings(batch_size=1000),
    "batches that divide the rows": settings(batch_size=9),
    "another seed": settings(seed=12345678901234567890),
    "a regression": settings(net=lambda: nn.Linear(1, 1, rng=0), objective=nn.MSE(), train=line(), validation=None),
    "an objective that is maximised": settings(
        objective=nn.LogLikelihood() - 0.01 * nn.L2(), rule=optim.Adam(lr=0.01, maximize=True)
    ),
    "a net that draws random numbers": settings(net=Noisy),
    "a net that draws random numbers, not compiled": settings(net=Noisy, compiled=False),
    "a net that NumPy draws random numbers for": settings(net=NoisyByNumPy, compiled=False, clip_norm=0.3),
    "not compiled": settings(compiled=False, schedule=optim.Cosine(5), clip_value=0.1, gradient_norms=True),
    "a net of float64 that draws random numbers": settings(
        net=lambda: Noisy(dtype=np.float64, kind=np.random.Philox), schedule=optim.Cosine(5), gradient_norms=True
    ),
}


def trained(folder: Path, case: dict[str, Any], *, every_batches: int | None, resume: bool = False, **other: Any):
    """Return all that is left of a training in memory: the net's state and generators, and the history."""
    options = case | other
    net = options.pop("net")()
    objective, rule = options.pop("objective"), options.pop("rule")
    keeping = Checkpoints(folder, every_batches)
    seen = []
    options.setdefault("callbacks", []).append(lambda training: seen.append(training))
    history = fit(net, objective, rule, checkpoints=keeping, resume=resume, **options)
    options["callbacks"].pop()
    return (
        {name: array.tobytes() for name, array in net.state_dict().items()},
        repr(history.rows),
        [everything_of(training) for training in seen[-1:]],
    )


@pytest.mark.parametrize("every_batches", [None, 1, 3, 7])
@pytest.mark.parametrize("case", CASES)
def test_a_training_broken_off_at_a_random_batch_goes_on_bit_for_bit(tmp_path, case, every_batches):
    whole = trained(tmp_path / "whole", CASES[case], every_batches=every_batches)
    rng = random.Random(f"{case} {every_batches}")
    folder = tmp_path / "broken"
    for _ in range(3):
        with interruption(after=rng.randrange(BATCHES)):
            try:
                trained(folder, CASES[case], every_batches=every_batches, resume=True)
            except Interruption:
                continue
            break
    found = trained(folder, CASES[case], every_batches=every_batches, resume=True)
    assert found[:2] == whole[:2]
    assert not found[2] or found[2] == whole[2], "what a callback sees after the last epoch"
    assert content(folder) == content(tmp_path / "whole")


@pytest.mark.parametrize("epochs", range(1, EPOCHS))
def test_a_training_of_some_epochs_goes_on_with_more(tmp_path, epochs):
    case = CASES["a net that draws random numbers"]
    whole = trained(tmp_path / "whole", case, every_batches=None)
    part = trained(tmp_path / "part", case, every_batches=None, epochs=epochs)
    assert part[1] != whole[1]
    assert trained(tmp_path / "part", case, every_batches=None, resume=True)[:2] == whole[:2]
    assert content(tmp_path / "part") == content(tmp_path / "whole")


def test_a_training_that_is_broken_off_at_each_of_its_batches_comes_to_its_end(tmp_path):
    case = CASES["a net that draws random numbers"]
    whole = trained(tmp_path / "whole", case, every_batches=1)
    for done in range(BATCHES - 1):
        in_epoch = done % 7  # batches of an epoch that were done are passed over
        with interruption(after=in_epoch + 1), pytest.raises(Interruption):
            trained(tmp_path / "broken", case, every_batches=1, resume=True)
    assert trained(tmp_path / "broken", case, every_batches=1, resume=True)[:2] == whole[:2]
    assert content(tmp_path / "broken") == content(tmp_path / "whole")


def test_a_callback_that_raises_breaks_off_before_its_epoch_is_kept_and_the_epoch_is_done_again(tmp_path):
    def raising(training):
        if training.epoch == 3:
            raise Interruption

    case = CASES["Adam"]
    whole = trained(tmp_path / "whole", case, every_batches=None)
    with pytest.raises(Interruption):
        trained(tmp_path / "broken", case, every_batches=None, callbacks=[raising])
    assert trained(tmp_path / "broken", case, every_batches=None, resume=True) == whole
    assert content(tmp_path / "broken") == content(tmp_path / "whole")


def test_a_training_that_a_callback_has_stopped_stays_stopped(tmp_path):
    first = train_classifier(epochs=9, checkpoints=tmp_path, callbacks=[lambda training: training.stop()])
    kept = content(tmp_path)
    assert len(first) == 1
    assert train_classifier(epochs=9, checkpoints=tmp_path, resume=True) == first
    assert content(tmp_path) == kept


def test_early_stopping_stops_a_resumed_training_where_it_stops_a_whole_one(tmp_path):
    options = {"early_stopping": EarlyStopping(patience=2, least_change=0.05), "epochs": 60}
    whole = train_classifier(**options)
    assert 4 < len(whole) < 60
    with interruption(after=9 * (len(whole) - 1) + 3), pytest.raises(Interruption):
        train_classifier(**options, checkpoints=tmp_path)
    assert train_classifier(**options, checkpoints=tmp_path, resume=True) == whole


def test_a_buffer_that_the_net_changes_itself_goes_on_too(tmp_path):
    whole, net = Noisy(), Noisy()
    train_classifier(whole)
    with interruption(after=13), pytest.raises(Interruption):
        train_classifier(Noisy(), checkpoints=Checkpoints(tmp_path, every_batches=2))
    train_classifier(net, checkpoints=Checkpoints(tmp_path, every_batches=2), resume=True)
    assert net.calls.item() == whole.calls.item() == 27


def test_checkpoints_change_nothing_about_the_training(tmp_path):
    with_checkpoints, without = Noisy(), Noisy()
    kept = train_classifier(with_checkpoints, checkpoints=Checkpoints(tmp_path, every_batches=2))
    assert train_classifier(without) == kept
    assert same_bits(with_checkpoints, without)


class WithASpareParameter(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(2, 3, rng=0)
        self.spare = Tensor(np.ones(2, np.float32), requires_grad=True)

    def forward(self, x):
        return self.layer(x)


FIGURES = {
    "a parameter that the loss does not use": {"net": WithASpareParameter(), "gradient_norms": True},
    "classes held out, and none trained on": {
        "train": (clusters()[0], 0.7 * np.eye(3)[clusters()[1]] + 0.1),
        "validation": (clusters()[0], np.eye(3)[clusters()[1]]),
    },
    "classes trained on, and none held out": {
        "train": (clusters()[0], np.eye(3)[clusters()[1]]),
        "validation": (clusters()[0], 0.7 * np.eye(3)[clusters()[1]] + 0.1),
    },
}


@pytest.mark.parametrize("kind", FIGURES)
def test_a_history_with_unusual_figures_goes_on(tmp_path, kind):
    whole = train_classifier(**FIGURES[kind], epochs=1, checkpoints=Checkpoints(tmp_path, every_batches=2))
    with interruption(after=4), pytest.raises(Interruption):
        train_classifier(**FIGURES[kind], checkpoints=Checkpoints(tmp_path, every_batches=2), epochs=2, resume=True)
    gone_on = train_classifier(
        **FIGURES[kind], checkpoints=Checkpoints(tmp_path, every_batches=2), epochs=2, resume=True
    )
    assert list(gone_on.last) == list(whole.last)
    assert gone_on.rows[0] == whole.rows[0]


# ----- What is refused -----

x, t = clusters()
moved = x.copy()
moved[3, 1] += 0.25
relabelled = t.copy()
relabelled[5] = (t[5] + 1) % 3

OTHERS = {
    "seed": {"seed": 1},
    "batch_size": {"batch_size": 8},
    "clip_norm": {"clip_norm": 1.0},
    "clip_value": {"clip_value": 1.0},
    "gradient_norms": {"gradient_norms": True},
    "compiled": {"compiled": False},
    "schedule": {"schedule": optim.Cosine(3)},
    "early_stopping": {"early_stopping": EarlyStopping()},
    "training rows": {"train": clusters(59)},
    "training rows, one number": {"train": (moved, t)},
    "training rows, one label": {"train": (x, relabelled)},
    "validation rows": {"validation": clusters()},
    "net": {"net": nn.MLP([2, 7, 3], activation="tanh", rng=0)},
    "net, its activation": {"net": nn.MLP([2, 6, 3], activation="relu", rng=0)},
    "training rows, in float64": {"net": classifier(dtype=np.float64)},
    "objective": {"objective": nn.CrossEntropy()},
    "objective, its weight": {"objective": nn.CrossEntropy() + 0.02 * nn.L2()},
    "rule": {"rule": optim.Momentum(lr=0.1)},
    "rule, its rate": {"rule": optim.SGD(lr=0.2)},
}


def resumed(folder: Path, **other: Any) -> History:
    options = {
        "net": classifier(),
        "objective": nn.CrossEntropy() + 0.01 * nn.L2(),
        "rule": optim.SGD(lr=0.1),
        "train": clusters(),
        "epochs": 4,
        "batch_size": 7,
        "progress": False,
    } | other
    return fit(options.pop("net"), options.pop("objective"), options.pop("rule"), checkpoints=folder, **options)


@pytest.mark.parametrize("other", OTHERS)
def test_another_training_is_refused_with_what_differs_and_nothing_is_changed(tmp_path, other):
    resumed(tmp_path)
    kept = content(tmp_path)
    options = {"net": classifier(seed=9)} | OTHERS[other]
    before = [parameter.numpy() for parameter in options["net"].parameters()]
    with pytest.raises(StateError, match=rf"another training:\n  {other.split(',')[0]}: there (.|\n)*, here "):
        resumed(tmp_path, resume=True, **options)
    for parameter, array in zip(options["net"].parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.numpy(), array)
    assert content(tmp_path) == kept


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ({"seed": 3}, {"seed": np.int64(3)}),
        ({"batch_size": 7}, {"batch_size": np.uint8(7)}),
        ({"clip_norm": 5}, {"clip_norm": np.float32(5)}),
        ({"clip_value": 1}, {"clip_value": 1.0}),
        ({"rule": optim.SGD(lr=1)}, {"rule": optim.SGD(lr=1.0)}),
        ({"early_stopping": EarlyStopping(3, least_change=0)}, {"early_stopping": EarlyStopping(np.int8(3))}),
        ({"train": clusters()}, {"train": (clusters()[0].astype(np.float64), clusters()[1])}),
        ({"train": clusters()}, {"train": (np.asfortranarray(clusters()[0]), clusters()[1])}),
        ({}, {"net": classifier(seed=5)}),
    ],
)
def test_the_same_settings_in_other_types_and_other_first_weights_are_no_other_training(tmp_path, one, same):
    """The weights to start from do not count: those of the checkpoint take their place."""
    whole = resumed(tmp_path / "whole", **one)
    resumed(tmp_path / "part", **one | {"epochs": 2})
    assert resumed(tmp_path / "part", resume=True, **one | same) == whole


def test_without_resume_an_earlier_training_is_not_overwritten(tmp_path):
    resumed(tmp_path)
    kept, net = content(tmp_path), classifier(4)
    with pytest.raises(ArgumentError, match=r"holds the checkpoint of an earlier training.*resume=True"):
        resumed(tmp_path, net=net)
    assert same_bits(net, classifier(4))
    assert content(tmp_path) == kept


def test_to_resume_without_checkpoints_is_refused():
    net = classifier()
    with pytest.raises(ArgumentError, match="checkpoints="):
        train_classifier(net, resume=True)
    assert same_bits(net, classifier())


def test_to_resume_where_nothing_is_kept_starts(tmp_path):
    assert resumed(tmp_path / "new" / "folder", resume=True) == resumed(tmp_path / "other")


def test_a_finished_training_returns_at_once_and_writes_nothing(tmp_path):
    history = resumed(tmp_path)
    inodes, kept = {path: path.stat().st_ino for path in tmp_path.iterdir()}, content(tmp_path)
    net = classifier(seed=3)
    with interruption(after=0):
        assert resumed(tmp_path, net=net, resume=True) == history
    assert {path: path.stat().st_ino for path in tmp_path.iterdir()} == inodes
    assert content(tmp_path) == kept
    expected = classifier()
    load_weights(expected, tmp_path / "last.safetensors")
    assert same_bits(net, expected)


def test_fewer_epochs_than_are_done_leave_the_training_as_it_is(tmp_path):
    history = resumed(tmp_path)
    assert resumed(tmp_path, resume=True, epochs=2) == history


def test_a_damaged_last_checkpoint_is_told_and_the_best_can_take_its_place(tmp_path):
    whole = resumed(tmp_path / "whole", epochs=6)
    folder = tmp_path / "damaged"
    resumed(folder)
    last, best = folder / "last.safetensors", folder / "best.safetensors"
    last.write_bytes(last.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"last\.safetensors"):
        resumed(folder, resume=True)
    os.replace(best, last)
    assert resumed(folder, resume=True, epochs=6) == whole
