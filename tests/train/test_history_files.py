"""Histories written to files, and the best of their rows."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest

from tests.train.runs import clusters, train_classifier
from tinygrad_lite.errors import ArgumentError
from tinygrad_lite.train import History

nan, inf = math.nan, math.inf
UNUSUAL = [0.1, 1 / 3, 1e-323, 1.7976931348623157e308, -0.0, 123456789.123456789, 5e-324, 2.0**60]


@pytest.fixture
def history() -> History:
    return History([{"epoch": i + 1, "loss": value} for i, value in enumerate(UNUSUAL)])


def of(values: list[float]) -> History:
    return History([{"epoch": i + 1, "loss": value} for i, value in enumerate(values)])


# ----- Files -----


def test_a_table_keeps_all_digits_and_the_order_of_columns(tmp_path, history):
    path = history.save(tmp_path / "history.csv")
    assert path == tmp_path / "history.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "loss"]
    assert [int(row["epoch"]) for row in rows] == list(range(1, 9))
    assert [float(row["loss"]).hex() for row in rows] == [value.hex() for value in UNUSUAL]
    assert path.read_bytes().count(b"\n") == 9
    assert b"\r" not in path.read_bytes()


def test_json_keeps_all_digits_and_the_order_of_columns(tmp_path, history):
    rows = json.loads(history.save(tmp_path / "history.json").read_text())
    assert [list(row) for row in rows] == [["epoch", "loss"]] * 8
    assert [row["epoch"] for row in rows] == list(range(1, 9))
    assert [row["loss"].hex() for row in rows] == [value.hex() for value in UNUSUAL]


def test_what_is_not_finite_is_told_in_a_table_and_null_in_json(tmp_path):
    rows = of([nan, inf, -inf, 1.0])
    with rows.save(tmp_path / "history.csv").open(newline="") as file:
        found = [float(row["loss"]) for row in csv.DictReader(file)]
    np.testing.assert_array_equal(found, [nan, inf, -inf, 1.0])

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    text = rows.save(tmp_path / "history.json").read_text()
    assert [row["loss"] for row in json.loads(text, parse_constant=refuse)] == [None, None, None, 1.0]


def test_a_training_is_written_with_every_figure(tmp_path):
    history = train_classifier(validation=clusters(20, seed=1), gradient_norms=True)
    rows = json.loads(history.save(tmp_path / "history.json").read_text())
    assert rows == history.rows
    with history.save(tmp_path / "history.csv").open(newline="") as file:
        assert [{name: float(cell) for name, cell in row.items()} for row in csv.DictReader(file)] == history.rows


def test_a_history_without_epochs_can_be_written(tmp_path):
    assert json.loads(History().save(tmp_path / "history.json").read_text()) == []
    with History().save(tmp_path / "history.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == []


def test_a_path_can_be_a_string_and_the_file_is_replaced(tmp_path, history):
    for suffix in (".csv", ".json"):
        path = tmp_path / f"history{suffix}"
        path.write_text("older")
        assert history.save(str(path)) == path
        assert "older" not in path.read_text()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["history.csv", "history.json"]


@pytest.mark.parametrize("name", ["history", "history.txt", "history.CSV", "history.csv.gz", ".csv", "csv"])
def test_another_suffix_is_refused_and_nothing_is_written(tmp_path, history, name):
    with pytest.raises(ArgumentError, match=r"\.csv or \.json"):
        history.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(tmp_path, history):
    with pytest.raises(FileNotFoundError, match="no folder"):
        history.save(tmp_path / "missing" / "history.csv")


def test_equal_histories_give_equal_bytes(tmp_path, history):
    for suffix in (".csv", ".json"):
        one, other = (history.save(tmp_path / f"{name}{suffix}") for name in ("one", "other"))
        assert one.read_bytes() == other.read_bytes()


# ----- The best row -----


@pytest.mark.parametrize(
    ("values", "smallest", "largest"),
    [
        ([3.0, 1.0, 2.0], 1, 0),
        ([1.0], 0, 0),
        ([2.0, 1.0, 1.0, 2.0], 1, 0),
        ([nan, 2.0, 1.0], 2, 1),
        ([2.0, nan, 1.0, nan], 2, 0),
        ([inf, 5.0, -inf], 2, 0),
        ([nan, 1e308, -1e308], 2, 1),
        ([0.0, -0.0], 0, 0),
    ],
)
def test_the_best_row_is_the_first_with_the_smallest_or_the_largest_figure(values, smallest, largest):
    assert of(values).best_row("loss") == smallest
    assert of(values).best_row("loss", largest=True) == largest


@pytest.mark.parametrize("values", [[nan, inf], [nan, nan, inf]])
def test_infinity_is_better_than_what_is_no_number(values):
    assert of(values).best_row("loss") == len(values) - 1
    assert of([-value for value in values]).best_row("loss", largest=True) == len(values) - 1


@pytest.mark.parametrize("seed", range(10))
def test_the_best_row_is_that_of_numpy(seed):
    values = np.random.default_rng(seed).integers(-5, 5, size=50).astype(float)
    values[::7] = nan
    assert of(values.tolist()).best_row("loss") == np.nanargmin(values)
    assert of(values.tolist()).best_row("loss", largest=True) == np.nanargmax(values)


def test_a_column_that_is_not_there_is_told_with_those_that_are(history):
    with pytest.raises(ArgumentError, match="no column 'accuracy'; it has epoch, loss"):
        history.best_row("accuracy")
    with pytest.raises(ArgumentError, match="no epoch yet"):
        History().best_row("loss")
