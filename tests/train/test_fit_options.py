"""The options of `fit`: schedules, clipping, norms of gradients, callbacks, early stopping; and wrong ones refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from tests.train.runs import classifier, clusters, same_bits, train_classifier
from tinygrad_lite import fit, nn, optim
from tinygrad_lite.data import mini_batches
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.train import Checkpoints, EarlyStopping

ROWS, BATCH_SIZE = 60, 7
BATCHES = 9


@dataclass(frozen=True)
class Recording(optim.SGD):
    """Gradient descent that notes what it is given: the rate, and the gradients one after the other."""

    rates: list = field(default_factory=list, compare=False, repr=False)
    gradients: list = field(default_factory=list, compare=False, repr=False)

    def _number(self, name):
        return getattr(self, name) if name in ("rates", "gradients") else super()._number(name)

    def update(self, w, g, *, lr, t):
        self.rates.append(float(lr))
        self.gradients.append(np.array(g, np.float64))
        return super().update(w, g, lr=lr, t=t)


def recorded(**options) -> tuple[Recording, object]:
    rule = Recording(lr=0.1)
    given = {"train": clusters(), "epochs": 3, "batch_size": BATCH_SIZE, "progress": False, "compiled": False} | options
    return rule, fit(given.pop("net", None) or classifier(), nn.CrossEntropy(), rule, **given)


def gradients_by_hand(net, x, t) -> list[np.ndarray]:
    nn.CrossEntropy()(net, x, t).backward()
    found = [np.array(parameter.grad, np.float64) for parameter in net.parameters()]
    net.zero_grad()
    return found


def first_batch(seed: int = 0):
    return next(mini_batches(*clusters(), BATCH_SIZE, seed=seed, epoch=0))


# ----- Schedules -----


def cosine(epoch: float) -> float:
    return 0.2 + 0.8 * (1 + math.cos(math.pi * min(epoch / 2, 1))) / 2


SCHEDULES = {
    "constant": (optim.Constant(), lambda epoch: 1.0),
    "cosine": (optim.Cosine(2, final=0.2), cosine),
    "step": (optim.StepDecay(every=2, factor=0.5), lambda epoch: 1.0 if epoch < 2 else 0.5),
    "exponential": (optim.Exponential(factor=0.3), lambda epoch: 0.3**epoch),
    "warm-up": (optim.WarmUp(1.5, start=0.1), lambda epoch: min(1, 0.1 + 0.9 * epoch / 1.5)),
    "warm-up, then cosine": (
        optim.WarmUp(1, then=optim.Cosine(2, final=0.2)),
        lambda epoch: epoch if epoch < 1 else cosine(epoch - 1),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_each_step_is_taken_at_the_rate_that_the_formula_says_and_the_last_of_an_epoch_is_in_the_history(name):
    schedule, formula = SCHEDULES[name]
    rule, history = recorded(schedule=schedule)
    expected = [0.1 * formula(epoch + batch / BATCHES) for epoch in range(3) for batch in range(BATCHES)]
    np.testing.assert_allclose(rule.rates[::4], expected, rtol=1e-12)  # the net has four parameters
    assert history["learning_rate"] == rule.rates[4 * BATCHES - 1 :: 4 * BATCHES]


def test_without_a_schedule_the_rate_is_that_of_the_rule_and_no_column_tells_of_it():
    rule, history = recorded()
    assert {*rule.rates} == {0.1}
    assert "learning_rate" not in history


def test_a_schedule_that_is_constant_changes_nothing_about_the_training():
    one, other = classifier(), classifier()
    train_classifier(one)
    train_classifier(other, schedule=optim.Constant())
    assert same_bits(one, other)


def test_a_schedule_keeps_the_parameters_in_their_precision():
    net = classifier()
    train_classifier(net, schedule=optim.Cosine(3))
    assert {parameter.dtype for parameter in net.parameters()} == {np.dtype(np.float32)}


# ----- Clipping -----


def test_the_first_step_under_a_common_norm_is_that_by_hand():
    x, t = first_batch()
    gradients = gradients_by_hand(classifier(), x, t)
    norm = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients))
    limit = norm / 3
    rule, _ = recorded(clip_norm=limit, epochs=1)
    for found, gradient in zip(rule.gradients, gradients, strict=False):
        np.testing.assert_allclose(found, gradient * limit / norm, rtol=1e-5)


def test_the_first_step_under_a_limit_of_entries_is_that_by_hand():
    gradients = gradients_by_hand(classifier(), *first_batch())
    limit = float(np.median(np.abs(np.concatenate([gradient.ravel() for gradient in gradients]))))
    rule, _ = recorded(clip_value=limit, epochs=1)
    for found, gradient in zip(rule.gradients, gradients, strict=False):
        np.testing.assert_allclose(found, np.clip(gradient, -limit, limit), rtol=1e-5)


def test_entries_are_clipped_before_the_common_norm():
    gradients = [np.clip(gradient, -0.05, 0.05) for gradient in gradients_by_hand(classifier(), *first_batch())]
    norm = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients))
    rule, _ = recorded(clip_value=0.05, clip_norm=0.1, epochs=1)
    assert norm > 0.1, "else the test shows nothing"
    for found, gradient in zip(rule.gradients, gradients, strict=False):
        np.testing.assert_allclose(found, gradient * 0.1 / norm, rtol=1e-5)


@pytest.mark.parametrize("option", ["clip_norm", "clip_value"])
def test_no_step_exceeds_the_limit_and_a_limit_out_of_reach_changes_nothing(option):
    rule, _ = recorded(**{option: 0.02})
    steps = [rule.gradients[i : i + 4] for i in range(0, len(rule.gradients), 4)]
    sizes = [
        math.sqrt(sum(float((g**2).sum()) for g in step)) if option == "clip_norm" else max(abs(g).max() for g in step)
        for step in steps
    ]
    assert max(sizes) <= 0.02 * (1 + 1e-6)
    free, clipped = classifier(), classifier()
    train_classifier(free, compiled=False)
    train_classifier(clipped, **{option: 1e6}, compiled=False)
    assert same_bits(free, clipped)


# ----- Norms of gradients -----


def test_the_norms_of_gradients_are_those_by_hand_the_mean_over_the_rows():
    """With a rate too small to move anything, every batch has its gradient at the first parameters."""
    net = classifier(dtype=np.float64)
    rows = clusters()
    history = fit(
        net, nn.CrossEntropy(), optim.SGD(lr=1e-300), train=rows, epochs=1, batch_size=7, gradient_norms=True,
        progress=False,
    )  # fmt: skip
    expected = np.zeros(4)
    for x, t in mini_batches(rows[0].astype(np.float64), rows[1], 7, seed=0, epoch=0):
        norms = [math.sqrt(float((gradient**2).sum())) for gradient in gradients_by_hand(net, x, t)]
        expected += np.array(norms) * len(x) / ROWS
    found = [history.last[f"gradient_norm.{name}"] for name, _ in net.named_parameters()]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_norms_are_of_the_gradients_before_they_are_clipped():
    first = train_classifier(gradient_norms=True, epochs=1, batch_size=ROWS)
    clipped = train_classifier(gradient_norms=True, epochs=1, batch_size=ROWS, clip_norm=1e-3, clip_value=1e-4)
    assert first.last == clipped.last


def test_to_measure_the_norms_changes_nothing_about_the_training():
    one, other = classifier(), classifier()
    train_classifier(one, compiled=False)
    history = train_classifier(other, gradient_norms=True, compiled=False)
    assert same_bits(one, other)
    names = [f"gradient_norm.{name}" for name, _ in other.named_parameters()]
    assert list(history.last) == ["epoch", "loss", "cross_entropy", "l2", "accuracy", *names]


# ----- Callbacks -----


def test_callbacks_are_called_in_their_order_after_each_epoch_with_what_it_has_brought():
    seen = []

    def first(training):
        seen.append(("first", training.epoch, training.batch, len(training.history), training.history.last["loss"]))

    def second(training):
        seen.append(("second", training.net is net, training.plan.epochs, training.optimizer.step_count.item()))

    net = classifier()
    history = train_classifier(net, callbacks=[first, second])
    assert seen[::2] == [("first", i + 1, 0, i + 1, history["loss"][i]) for i in range(3)]
    assert seen[1::2] == [("second", True, 3, BATCHES * (i + 1)) for i in range(3)]


def test_a_callback_can_stop_the_training_after_the_epoch():
    calls = []

    def stopping(training):
        if training.epoch == 2:
            training.stop()

    net, reference = classifier(), classifier()
    history = train_classifier(net, epochs=9, callbacks=[stopping, lambda training: calls.append(training.epoch)])
    assert history == train_classifier(reference, epochs=2)
    assert same_bits(net, reference)
    assert calls == [1, 2], "those after it are called for the last epoch too"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_the_error_of_a_callback_comes_through_and_leaves_the_net_as_the_epoch_left_it(error):
    def raising(training):
        if training.epoch == 2:
            raise error("of the callback")

    net, reference = classifier(), classifier()
    with pytest.raises(error, match="of the callback"):
        train_classifier(net, callbacks=[raising])
    train_classifier(reference, epochs=2)
    assert same_bits(net, reference)
    assert [parameter.grad for parameter in net.parameters()] == [None] * 4


def test_what_a_callback_returns_does_not_count():
    assert train_classifier(callbacks=[lambda _: True, lambda _: False, lambda _: 0]) == train_classifier()


def test_a_callback_may_change_the_rate_of_the_steps_to_come():
    def halve(training):
        training.optimizer.lr = training.optimizer.lr.item() / 2

    rule, _ = recorded(callbacks=[halve])
    assert rule.rates[:: 4 * BATCHES] == [0.1, 0.05, 0.025]


# ----- Early stopping -----


def test_a_training_ends_when_its_figure_has_not_improved_for_so_many_epochs():
    held_out = clusters(20, seed=1)
    whole = train_classifier(epochs=30, validation=held_out)
    stopping = EarlyStopping(patience=3, monitor="validation_accuracy")
    found = train_classifier(epochs=30, validation=held_out, early_stopping=stopping)
    best = whole["validation_accuracy"].index(max(whole["validation_accuracy"]))
    assert len(found) == best + 1 + 3 < 30
    assert found.rows == whole.rows[: len(found)]


def test_the_net_keeps_the_parameters_of_the_last_epoch():
    net, reference = classifier(), classifier()
    found = train_classifier(net, epochs=30, early_stopping=EarlyStopping(patience=2, least_change=0.1))
    assert len(found) < 30
    train_classifier(reference, epochs=len(found))
    assert same_bits(net, reference)


def test_an_objective_that_is_maximised_goes_on_while_it_grows():
    options = {"train": clusters(), "epochs": 12, "batch_size": 10, "progress": False}
    objective, rule = nn.LogLikelihood(), optim.SGD(lr=0.01, maximize=True)
    history = fit(classifier(), objective, rule, early_stopping=EarlyStopping(patience=1), **options)
    assert history["loss"] == sorted(history["loss"])
    assert len(history) == 12


# ----- Wrong options -----

WRONG = {
    "clip_norm": [0, -1.0, math.nan, "1", [1.0], np.ones(2), 1j],
    "clip_value": [0, -1.0, math.nan, "1", [1.0], np.ones(2), 1j],
    "schedule": [0.5, "cosine", optim.Cosine, lambda epoch: 1.0],
    "early_stopping": [3, True, EarlyStopping, "loss"],
    "callbacks": [None, 5, print, [1], ["print"], "print"],
    "checkpoints": [5, 1.5, ["folder"], True],
    "seed": [True, "0", None, 0.0],
    "compiled": [1, 0, None, "yes", compile],
}


@pytest.mark.parametrize(("option", "value"), [(option, value) for option in WRONG for value in WRONG[option]])
def test_a_wrong_option_is_refused_by_its_name_before_anything_is_trained(option, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = classifier()
    with pytest.raises(ArgumentError, match=option):
        train_classifier(net, **{option: value})
    assert same_bits(net, classifier())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "column", ["validation_loss", "los", "learning_rate", "gradient_norm.layers.0.weight", "epochs", ""]
)
def test_a_column_that_will_not_be_measured_is_refused_before_anything_is_trained(column, tmp_path):
    for options in (
        {"early_stopping": EarlyStopping(monitor=column)},
        {"checkpoints": Checkpoints(tmp_path / "new", best=column)},
    ):
        net = classifier()
        with pytest.raises(ArgumentError, match=f"no column '{column}'; it has epoch, loss"):
            train_classifier(net, **options)
        assert same_bits(net, classifier())


@pytest.mark.parametrize(
    ("column", "options"),
    [
        ("l2", {}),
        ("validation_accuracy", {"validation": clusters(20, seed=1)}),
        ("learning_rate", {"schedule": optim.Cosine(3)}),
        ("gradient_norm.layers.0.weight", {"gradient_norms": True}),
    ],
)
def test_every_column_that_is_measured_can_be_watched(column, options, tmp_path):
    stopping = EarlyStopping(patience=9, monitor=column)
    history = train_classifier(
        early_stopping=stopping, checkpoints=Checkpoints(tmp_path, best=column), epochs=2, **options
    )
    assert column in history
