import pytest

from tinygrad_lite.train import History


def test_a_column_is_read_by_its_name():
    history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    assert history["loss"] == [0.5, 0.25]
    assert history.last == {"epoch": 2, "loss": 0.25}
    assert len(history) == 2


def test_a_column_that_was_not_measured_is_told_by_name():
    history = History([{"epoch": 1, "loss": 0.5}])
    assert "loss" in history
    assert "accuracy" not in history
    with pytest.raises(KeyError, match="accuracy"):
        history["accuracy"]


def test_an_empty_history_has_no_columns():
    assert len(History()) == 0
    assert "loss" not in History()


def test_two_histories_do_not_share_their_rows():
    one = History()
    one.rows.append({"epoch": 1})
    assert History().rows == []
