"""When a training has seen its best, told from the history alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinygrad_lite import nn
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.train import EarlyStopping, History
from tinygrad_lite.train.stopping import is_best

MINIMISED = nn.CrossEntropy()
MAXIMISED = nn.LogLikelihood() - 0.1 * nn.L2()
nan, inf = math.nan, math.inf


def history(column: str, values: list[float]) -> History:
    return History([{"epoch": i + 1, column: value} for i, value in enumerate(values)])


def stops_after(values: list[float], stopping: EarlyStopping, column: str = "loss", objective=MINIMISED) -> int | None:
    """Return after which epoch a training with such a history ends, None if it does not."""
    for epochs in range(1, len(values) + 1):
        if stopping.is_due(history(column, values[:epochs]), objective):
            return epochs
    return None


@pytest.mark.parametrize(
    ("values", "patience", "expected"),
    [
        ([5, 4, 3, 2, 1], 1, None),
        ([5, 5], 1, 2),
        ([5, 6], 1, 2),
        ([5, 6, 7], 2, 3),
        ([5, 6, 4, 5, 6], 2, 5),
        ([5, 6, 4, 5, 3, 4, 2], 2, None),
        ([5, 6, 7, 4], 3, None),
        ([5, 6, 7, 8], 3, 4),
        ([1], 1, None),
        ([3, 2, 2, 2, 2], 3, 5),
    ],
)
def test_it_is_due_once_nothing_better_has_come_for_so_many_epochs(values, patience, expected):
    assert stops_after(values, EarlyStopping(patience)) == expected
    assert stops_after([-value for value in values], EarlyStopping(patience), objective=MAXIMISED) == expected
    stopping = EarlyStopping(patience, monitor="accuracy")
    assert stops_after([-value for value in values], stopping, "accuracy") == expected


@pytest.mark.parametrize("seed", range(20))
def test_it_agrees_with_a_rule_written_otherwise(seed):
    """The best epoch is the last that beats the best of those that counted as better before it."""
    rng = np.random.default_rng(seed)
    values, patience, change = rng.normal(size=40).round(1).tolist(), int(rng.integers(1, 6)), rng.random() / 4
    expected, best, at = None, values[0], 0
    for i, value in enumerate(values):
        if best - value > change:
            best, at = value, i
        if i - at >= patience:
            expected = i + 1
            break
    assert stops_after(values, EarlyStopping(patience, least_change=change)) == expected


def test_an_improvement_must_exceed_the_least_change():
    stopping = EarlyStopping(patience=2, least_change=0.5)
    assert stops_after([4, 3.5, 3.0], stopping) is None  # 3.0 is better than 4 by more
    assert stops_after([4, 3.75, 3.5], stopping) == 3
    assert stops_after([4, 3.5, 3.5], stopping) == 3
    assert stops_after([9, 9, 9, 9], EarlyStopping(patience=2, least_change=inf)) == 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [([nan, nan], 2), ([nan, 1.0, nan, nan], 4), ([1.0, nan, 0.5], None), ([nan, 1.0], None), ([inf, inf], 2)],
)
def test_what_is_no_number_is_never_better(values, expected):
    assert stops_after(values, EarlyStopping(patience=2)) == expected


def test_once_due_it_would_be_due_for_a_resumed_training_too():
    rows = history("loss", [3, 2, 2.5, 2.5])
    stopping = EarlyStopping(patience=2)
    assert stopping.is_due(rows, MINIMISED)
    assert stopping.is_due(History(list(rows.rows)), MINIMISED)


# ----- What is watched -----


def test_what_is_held_out_is_watched_where_there_is_something():
    rows = History(
        [{"loss": loss, "validation_loss": held_out} for loss, held_out in ((3, 1), (2, 2), (1, 3), (0.5, 4))]
    )
    assert EarlyStopping(patience=3).is_due(rows, MINIMISED)
    assert not EarlyStopping(patience=3, monitor="loss").is_due(rows, MINIMISED)
    assert not is_best(None, rows, MINIMISED)
    assert is_best("loss", rows, MINIMISED)
    assert is_best("validation_loss", rows, MAXIMISED)


@pytest.mark.parametrize(
    ("column", "objective", "larger_is_better"),
    [
        ("loss", MINIMISED, False),
        ("loss", MAXIMISED, True),
        ("validation_loss", MAXIMISED, True),
        ("log_likelihood", MAXIMISED, True),
        ("validation_log_likelihood", MAXIMISED, True),
        ("l2", MAXIMISED, False),
        ("l2", MINIMISED + 0.1 * nn.L2(), False),
        ("log_likelihood", -1.0 * nn.LogLikelihood() + 0.1 * nn.L2(), True),
        ("loss", -1.0 * nn.LogLikelihood() + 0.1 * nn.L2(), False),
        ("accuracy", MINIMISED, True),
        ("validation_accuracy", MAXIMISED, True),
        ("gradient_norm.layers.0.weight", MAXIMISED, False),
        ("learning_rate", MINIMISED, False),
    ],
)
def test_whether_more_is_better_follows_from_what_the_column_is(column, objective, larger_is_better):
    grown, shrunk = history(column, [1.0, 2.0]), history(column, [2.0, 1.0])
    if column == "validation_loss":
        grown, shrunk = (History([row | {"loss": 0.0} for row in rows.rows]) for rows in (grown, shrunk))
    assert is_best(column, grown, objective) is larger_is_better
    assert is_best(column, shrunk, objective) is not larger_is_better
    assert EarlyStopping(1, column).is_due(grown, objective) is not larger_is_better
    assert EarlyStopping(1, column).is_due(shrunk, objective) is larger_is_better


@pytest.mark.parametrize(
    ("values", "best"),
    [([1.0], True), ([1.0, 1.0], False), ([2.0, 1.0], True), ([nan, 1.0], True), ([1.0, nan], False), ([nan], True)],
)
def test_the_best_is_the_first_of_equal_ones_and_never_what_is_no_number(values, best):
    assert is_best(None, history("loss", values), MINIMISED) is best


@pytest.mark.parametrize("watch", [lambda *given: EarlyStopping(1, given[0]).is_due(*given[1:]), is_best])
def test_a_column_that_is_not_there_is_told_with_those_that_are(watch):
    with pytest.raises(ArgumentError, match="no column 'los'; it has epoch, loss"):
        watch("los", history("loss", [1.0]), MINIMISED)


# ----- Wrong arguments -----


@pytest.mark.parametrize("patience", [0, -1, 1.0, "3", None, True, np.True_, [1]])
def test_a_patience_that_is_no_positive_integer_is_refused(patience):
    with pytest.raises(ArgumentError, match="patience"):
        EarlyStopping(patience)


@pytest.mark.parametrize("least_change", [-1e-9, nan, "0", None, [0.1]])
def test_a_least_change_that_is_no_number_from_zero_is_refused(least_change):
    with pytest.raises(ArgumentError, match="least_change"):
        EarlyStopping(least_change=least_change)


@pytest.mark.parametrize("monitor", [5, ["loss"], b"loss", True])
def test_a_monitor_that_is_no_name_is_refused(monitor):
    with pytest.raises(ArgumentError, match="monitor"):
        EarlyStopping(monitor=monitor)


def test_integers_of_numpy_are_integers_and_it_cannot_be_changed_afterwards():
    stopping = EarlyStopping(np.int64(3), least_change=np.float32(0.5))
    assert stopping == EarlyStopping(3, least_change=0.5)
    assert repr(stopping) == repr(EarlyStopping(3, least_change=0.5))
    with pytest.raises(AttributeError):
        stopping.patience = 4
