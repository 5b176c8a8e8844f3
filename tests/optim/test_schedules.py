"""Schedules are their equations: against closed forms, against PyTorch, and for whatever settings they are given."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tinygrad_lite import optim
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.optim import Constant, Cosine, Exponential, Schedule, StepDecay, WarmUp

POINTS = {
    "constant": (Constant(), {0: 1, 2.5: 1, 1000: 1}),
    "step decay": (StepDecay(every=5, factor=0.1), {0: 1, 4.99: 1, 5: 0.1, 9.9: 0.1, 10: 0.01, 15: 0.001}),
    "step decay by parts of epochs": (StepDecay(every=0.5, factor=0.5), {0: 1, 0.49: 1, 0.5: 0.5, 1: 0.25, 2: 0.0625}),
    "exponential": (Exponential(factor=0.5), {0: 1, 0.5: math.sqrt(0.5), 1: 0.5, 3: 0.125}),
    "cosine": (
        Cosine(epochs=6),
        {0: 1, 1: (2 + math.sqrt(3)) / 4, 2: 0.75, 3: 0.5, 4: 0.25, 6: 0, 6.5: 0, 100: 0},
    ),
    "cosine with an end": (Cosine(epochs=6, final=0.2), {0: 1, 2: 0.8, 3: 0.6, 4: 0.4, 6: 0.2, 7: 0.2}),
    "warm-up": (WarmUp(epochs=5), {0: 0, 1: 0.2, 2.5: 0.5, 5: 1, 50: 1}),
    "warm-up with a start": (WarmUp(epochs=4, start=0.5), {0: 0.5, 1: 0.625, 3: 0.875, 4: 1}),
    "warm-up, then steps": (
        WarmUp(epochs=2, then=StepDecay(every=3, factor=0.5)),
        {0: 0, 1: 0.5, 2: 1, 4.9: 1, 5: 0.5, 8: 0.25},
    ),
    "warm-up, then a cosine": (WarmUp(epochs=5, then=Cosine(epochs=15)), {0: 0, 5: 1, 10: 0.75, 12.5: 0.5, 20: 0}),
}
SCHEDULES = {name: schedule for name, (schedule, _) in POINTS.items()}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)


@pytest.mark.parametrize("name", POINTS)
def test_a_schedule_takes_the_values_of_its_equation(name):
    schedule, points = POINTS[name]
    np.testing.assert_allclose([schedule(epoch) for epoch in points], list(points.values()), rtol=1e-12, atol=1e-15)


def test_every_schedule_is_compared_with_its_equation():
    public = {value for value in map(vars(optim).get, optim.__all__) if isinstance(value, type)}
    assert {type(schedule) for schedule in SCHEDULES.values()} == {
        kind for kind in public if issubclass(kind, Schedule) and kind is not Schedule
    }


@every_schedule
def test_every_schedule_states_its_equation(schedule):
    assert "s(e) = " in type(schedule).__doc__


# ----- PyTorch -----


@pytest.fixture(scope="module")
def torch() -> Any:
    """Give PyTorch, or skip."""
    return pytest.importorskip("torch", reason="torch is not installed")


def sequence_of_warm_up_and_cosine(torch: Any, optimizer: Any) -> Any:
    schedulers = torch.optim.lr_scheduler
    parts = [
        schedulers.LinearLR(optimizer, start_factor=0.1, total_iters=5),
        schedulers.CosineAnnealingLR(optimizer, T_max=15),
    ]
    return schedulers.SequentialLR(optimizer, parts, milestones=[5])


THEIRS = {
    "StepLR": (StepDecay(7, 0.3), lambda torch, o: torch.optim.lr_scheduler.StepLR(o, step_size=7, gamma=0.3)),
    "ExponentialLR": (Exponential(0.8), lambda torch, o: torch.optim.lr_scheduler.ExponentialLR(o, gamma=0.8)),
    "CosineAnnealingLR": (
        Cosine(20, final=0.25),
        lambda torch, o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=20, eta_min=0.25 * 0.4),
    ),
    "LinearLR": (
        WarmUp(8, start=0.2),
        lambda torch, o: torch.optim.lr_scheduler.LinearLR(o, start_factor=0.2, total_iters=8),
    ),
    "SequentialLR": (WarmUp(5, then=Cosine(15), start=0.1), sequence_of_warm_up_and_cosine),
}


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.filterwarnings("ignore:The epoch parameter in `scheduler.step:UserWarning")  # torch, of itself
def test_at_whole_epochs_the_rates_are_those_of_torch(name, torch):
    schedule, declare = THEIRS[name]
    optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.4)
    scheduler = declare(torch, optimizer)
    theirs = []
    for _ in range(21):
        theirs.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose([0.4 * schedule(epoch) for epoch in range(21)], theirs, rtol=1e-9, atol=1e-12)


# ----- For any settings -----

epochs = st.floats(0, 1e4)
periods = st.floats(0.01, 1e3)
factors = st.floats(0.01, 1)
parts_of_one = st.floats(0, 1)
decays = st.one_of(
    st.just(Constant()),
    st.builds(StepDecay, periods, factors),
    st.builds(Exponential, factors),
    st.builds(Cosine, periods, parts_of_one),
)


@given(decays)
def test_a_decay_begins_at_one(schedule):
    assert schedule(0) == 1


@given(decays, epochs, epochs)
def test_a_decay_never_rises_and_stays_between_zero_and_one(schedule, one, other):
    early, late = sorted((one, other))
    assert 0 <= schedule(late) <= schedule(early) <= 1


@given(periods, parts_of_one, epochs)
def test_a_cosine_ends_where_it_is_told_to_and_stays_there(period, final, more):
    schedule = Cosine(period, final)
    assert schedule(period) == schedule(period + more) == pytest.approx(final, abs=1e-15)


@given(st.one_of(st.builds(Exponential, factors), st.builds(Cosine, periods, parts_of_one)), epochs, st.floats(0, 0.1))
def test_what_has_no_steps_changes_little_in_a_little_time(schedule, epoch, little):
    steepest = -math.log(schedule.factor) if isinstance(schedule, Exponential) else math.pi / 2 / schedule.epochs
    assert schedule(epoch) - schedule(epoch + little) <= steepest * little + 1e-12


@given(periods, parts_of_one, decays, parts_of_one, parts_of_one)
def test_a_warm_up_never_falls_and_ends_where_the_next_begins(period, start, then, one, other):
    schedule = WarmUp(period, then, start)
    early, late = sorted((period * one, period * other))
    assert schedule(0) == (start if start < 1 else 1)
    assert schedule(early) <= schedule(late) + 1e-15 or late >= period
    assert schedule(period) == then(0)
    assert schedule(math.nextafter(period, 0)) == pytest.approx(then(0), abs=1e-12)


@given(periods, parts_of_one, decays, epochs)
def test_after_a_warm_up_the_next_schedule_counts_from_its_end(period, start, then, epoch):
    assume(not isinstance(then, StepDecay))  # which may be on either side of a step, by rounding
    assert WarmUp(period, then, start)(period + epoch) == pytest.approx(then(epoch), abs=1e-9)


def test_a_warm_up_rises_to_a_schedule_that_does_not_begin_at_one():
    class Halved(Schedule):
        def __call__(self, epoch):
            return 0.5

    schedule = WarmUp(4, then=Halved())
    assert [schedule(epoch) for epoch in (0, 2, 4, 5)] == [0, 0.25, 0.5, 0.5]


# ----- Rounding -----


@given(st.integers(1, 500), st.integers(1, 2000), st.integers(0, 300), st.data())
def test_a_step_is_taken_at_the_batch_it_is_due_although_fractions_are_rounded(batches, period, epoch, data):
    batch = data.draw(st.integers(0, batches - 1))
    schedule = StepDecay(every=period / batches, factor=0.999)
    steps = (epoch * batches + batch) // period  # in integers, which are not rounded
    assert schedule(epoch + batch / batches) == 0.999**steps


@pytest.mark.parametrize("epoch", [4.999999999, 5 - 1e-12, math.nextafter(5, 0), 5, 5.000000001])
def test_an_epoch_that_falls_short_of_five_by_rounding_counts_as_five(epoch):
    assert StepDecay(every=5, factor=0.5)(epoch) == 0.5
    assert WarmUp(0.3, then=StepDecay(every=5, factor=0.5))(0.3 + epoch) == 0.5


# ----- Declared -----


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, -math.inf, "soon", None, 10**400])
@pytest.mark.parametrize(
    ("declare", "name"),
    [
        (lambda value: StepDecay(every=value, factor=0.5), "StepDecay: every"),
        (lambda value: Cosine(epochs=value), "Cosine: epochs"),
        (lambda value: WarmUp(epochs=value), "WarmUp: epochs"),
    ],
    ids=["StepDecay", "Cosine", "WarmUp"],
)
def test_a_period_that_is_not_positive_and_finite_is_refused(declare, name, value):
    with pytest.raises(ArgumentError, match=f"{name} must be positive and finite, got"):
        declare(value)


@pytest.mark.parametrize("value", [0, -0.5, 1.01, 10, math.nan, math.inf, "half", None])
@pytest.mark.parametrize("declare", [lambda value: StepDecay(5, value), Exponential], ids=["StepDecay", "Exponential"])
def test_a_factor_that_does_not_decay_is_refused(declare, value):
    with pytest.raises(ArgumentError, match=r": factor must lie in \(0, 1\], got"):
        declare(value)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf, "half", None])
@pytest.mark.parametrize(
    ("declare", "name"),
    [(lambda value: Cosine(5, final=value), "final"), (lambda value: WarmUp(5, start=value), "start")],
    ids=["Cosine", "WarmUp"],
)
def test_an_end_or_a_start_outside_zero_to_one_is_refused(declare, name, value):
    with pytest.raises(ArgumentError, match=rf": {name} must lie in \[0, 1\], got"):
        declare(value)


@pytest.mark.parametrize("wrong", [0.5, None, "cosine", Cosine, math.cos])
def test_what_follows_a_warm_up_must_be_a_schedule(wrong):
    with pytest.raises(ArgumentError, match="WarmUp: then must be a schedule"):
        WarmUp(5, then=wrong)


@every_schedule
def test_a_schedule_is_a_value(schedule):
    again = pickle.loads(pickle.dumps(schedule))
    assert again == schedule
    assert hash(again) == hash(schedule)
    assert [other == schedule for other in SCHEDULES.values()].count(True) == 1
    with pytest.raises(AttributeError):
        schedule.epochs = 1


def test_scalars_of_numpy_become_python_numbers_which_promote_nothing():
    schedule = WarmUp(np.float64(2), then=Cosine(np.int64(4), final=np.float32(0.5)), start=np.float64(0.25))
    assert schedule == WarmUp(2, then=Cosine(4, final=0.5), start=0.25)
    for epoch in (0, 1, 3, 10):
        rate = np.float32(0.1) * schedule(epoch)
        assert rate.dtype == np.float32


def test_a_schedule_without_an_equation_cannot_be_made():
    class Forgotten(Schedule):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Forgotten()
