"""The tables and the picture of a sweep: what stands in them for runs that ended well, and for those that did not."""

from __future__ import annotations

import csv
import io
import math
import re
import statistics
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_lite.experiments import SweepResults


def done(accuracy: float, loss: float = 1.0) -> dict:
    test = {"loss": loss, "accuracy": accuracy, "faults": round(100 * (1 - accuracy)), "confusion": [[1]]}
    return {"epochs": 2, "last": {"epoch": 2, "loss": loss / 2, "accuracy": 0.9}, "test": test}


FAILED = {"error": "DivergenceError", "message": "the objective became inf", "is_final": True}
RUNS = [
    ({"optimizer.lr": 0.1, "train.seed": 0}, done(0.5, 1.25)),
    ({"optimizer.lr": 0.1, "train.seed": 1}, done(0.75, 1.5)),
    ({"optimizer.lr": 0.1, "train.seed": 2}, done(0.625, 4.0)),
    ({"optimizer.lr": 9.0, "train.seed": 0}, FAILED),
    ({"optimizer.lr": 9.0, "train.seed": 1}, done(0.125, 3.0)),
]


def lines_of(results: SweepResults) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(results.as_csv(), newline="")))


def cells_of(line: str) -> list[str]:
    r"""Return the cells of a line of a table as GitHub reads them: a | that no \ stands before ends a cell."""
    cells = re.findall(r"((?:\\.|[^\\|])*)\|", line.removeprefix("|"))
    return [re.sub(r"\\([\\|])", r"\1", cell).strip() for cell in cells]


def table_of(results: SweepResults) -> list[dict[str, str]]:
    heads, _, *lines = results.as_markdown().splitlines()
    return [dict(zip(cells_of(heads), cells_of(line), strict=True)) for line in lines]


# ----- CSV -----


def test_the_csv_has_a_line_a_run_with_its_settings_its_seed_how_it_ended_and_what_was_measured():
    text = SweepResults.of(RUNS).as_csv()
    assert text.splitlines()[0] == "optimizer.lr,seed,status,epochs,loss,accuracy,test_loss,test_accuracy,test_faults"
    assert text.splitlines()[1] == "0.1,0,done,2,0.625,0.9,1.25,0.5,50"
    assert text.splitlines()[4] == "9.0,0,DivergenceError: the objective became inf,,,,,,"
    assert len(text.splitlines()) == 6


def test_numbers_keep_all_their_digits():
    (line,) = lines_of(SweepResults.of([({"objective.l2": 0.1 + 0.2}, done(1 / 3, math.pi))]))
    assert float(line["objective.l2"]) == 0.1 + 0.2
    assert (float(line["test_accuracy"]), float(line["test_loss"])) == (1 / 3, math.pi)


def test_what_no_run_measured_has_no_column():
    kept = {"epochs": 1, "last": {"epoch": 1, "loss": 2.0}, "test": {"loss": 3.0}}
    results = SweepResults.of([({"net.hidden": (30, 20)}, kept)])
    assert lines_of(results) == [
        {"net.hidden": "30 20", "seed": "", "status": "done", "epochs": "1", "loss": "2.0", "test_loss": "3.0"}
    ]
    assert results.measure == "test_loss"


def test_a_setting_that_only_some_runs_have_is_empty_for_the_others():
    results = SweepResults.of([({"optimizer.name": "sgd"}, done(0.5)), ({"optimizer.lr": 0.5}, done(0.25))])
    assert [(line["optimizer.name"], line["optimizer.lr"]) for line in lines_of(results)] == [("sgd", ""), ("", "0.5")]


def test_a_message_of_several_lines_with_commas_and_quotes_is_one_cell():
    message = 'not found, searched:\n  "here"\n  there'
    results = SweepResults.of([({"train.seed": 3}, FAILED | {"message": message})])
    assert lines_of(results) == [{"seed": "3", "status": f"DivergenceError: {message}"}]
    assert len(results.failed) == 1


# ----- Markdown -----


def test_the_table_has_a_line_a_combination_with_the_mean_and_the_extremes_over_its_seeds():
    first, _ = table_of(SweepResults.of(RUNS))
    assert first == {
        "optimizer.lr": "0.1",
        "runs": "3",
        "failed": "",
        "test_accuracy": "0.625 (0.5 … 0.75)",
        "test_faults": "37.67 (25 … 50)",
        "test_loss": "2.25 (1.25 … 4)",
        "loss": "1.125 (0.625 … 2)",
    }


def test_failed_runs_are_counted_and_left_out_of_the_means():
    _, second = table_of(SweepResults.of(RUNS))
    assert (second["runs"], second["failed"]) == ("2", "1")
    assert (second["test_accuracy"], second["test_loss"]) == ("0.125", "3")


def test_the_seed_is_no_setting_of_its_own_even_where_it_is_the_only_one():
    (line,) = table_of(SweepResults.of([({"train.seed": seed}, done(seed / 4)) for seed in range(3)]))
    assert line["runs"] == "3"
    assert line["test_accuracy"] == "0.25 (0 … 0.5)"


def test_a_setting_that_a_combination_does_not_have_is_an_empty_cell():
    first, second = table_of(SweepResults.of([({"optimizer.name": "sgd"}, done(0.5)), ({"data.path": "a"}, done(1.0))]))
    assert (first["data.path"], second["optimizer.name"]) == ("", "")


TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=8)


@given(
    st.lists(TEXTS | st.sampled_from(["a|b", "a\\|b", "\\", "|", "||", "\\\\|"]), min_size=1, max_size=6, unique=True)
)
def test_any_text_comes_back_out_of_both_tables(values):
    results = SweepResults.of([({"data.path": value, "optimizer.lr": 0.1}, done(0.5)) for value in values])
    assert [line["data.path"] for line in lines_of(results)] == values
    assert [line["data.path"] for line in table_of(results)] == values


def test_a_bar_in_a_value_does_not_end_its_cell():
    results = SweepResults.of([({"data.path": "a|b"}, done(0.5))])
    assert "| a\\|b | 1 |" in results.as_markdown()
    assert table_of(results)[0]["data.path"] == "a|b"


FIGURES = st.floats(0, 1).map(lambda value: round(value, 3))


@given(st.dictionaries(st.tuples(st.sampled_from([0.1, 0.2, 0.3]), st.integers(0, 4)), FIGURES | st.none(), min_size=1))
def test_every_run_is_counted_once_and_its_figure_lies_within_its_line(figures):
    runs = [
        ({"optimizer.lr": lr, "train.seed": seed}, FAILED if figure is None else done(figure))
        for (lr, seed), figure in figures.items()
    ]
    results = SweepResults.of(runs)
    table = {line["optimizer.lr"]: line for line in table_of(results)}
    assert len(results.failed) == sum(figure is None for figure in figures.values())
    for lr in {lr for lr, _ in figures}:
        own = [figure for (other, _), figure in figures.items() if other == lr]
        found = [figure for figure in own if figure is not None]
        line = table[str(lr)]
        assert (int(line["runs"]), int(line["failed"] or 0)) == (len(own), len(own) - len(found))
        if found:
            told = [float(number) for number in re.findall(r"[\d.e-]+", line["test_accuracy"])]
            expected = [statistics.fmean(found)] + ([min(found), max(found)] if min(found) < max(found) else [])
            assert told == pytest.approx(expected, rel=1e-3)


# ----- What is saved -----


def test_two_tables_and_a_picture_in_two_formats_are_saved(tmp_path):
    results = SweepResults.of(RUNS)
    results.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "results.csv",
        "results.md",
        "results.png",
        "results.svg",
    ]
    assert (tmp_path / "results.csv").read_bytes().decode() == results.as_csv()
    assert (tmp_path / "results.md").read_bytes().decode() == results.as_markdown()
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")
    assert ET.parse(tmp_path / "results.svg").getroot().tag.endswith("svg")


def test_where_every_run_failed_there_are_tables_and_no_picture(tmp_path):
    results = SweepResults.of([(settings, FAILED) for settings, _ in RUNS])
    results.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.csv", "results.md"]
    assert [line["failed"] for line in table_of(results)] == ["3", "2"]
    assert set(lines_of(results)[0]) == {"optimizer.lr", "seed", "status"}


def test_more_combinations_than_a_picture_has_room_for_still_give_the_tables(tmp_path):
    results = SweepResults.of([({"optimizer.lr": i / 1000}, done(0.5)) for i in range(1, 402)])
    results.save(tmp_path)
    assert len((tmp_path / "results.md").read_text().splitlines()) == 403
    assert not (tmp_path / "results.png").exists()


def test_figures_that_are_not_numbers_still_give_the_tables(tmp_path):
    kept = {"epochs": 1, "last": {"epoch": 1, "loss": 1.0}, "test": {"loss": None}}
    SweepResults.of([({"optimizer.lr": 0.1}, kept)]).save(tmp_path)
    assert (tmp_path / "results.md").exists()
