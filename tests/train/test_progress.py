"""Progress goes to stderr: a bar on a terminal, a line an epoch elsewhere, nothing when not wanted."""

from __future__ import annotations

import io
import re
import sys
from contextlib import redirect_stderr

import pytest

from tests.train.runs import clusters, train_classifier
from tinygrad_lite.errors import DivergenceError, MissingDependencyError


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown_on_a_terminal(**options) -> str:
    with redirect_stderr(Terminal()) as screen:
        train_classifier(**options)
    return screen.getvalue()


def test_in_a_pipe_each_epoch_is_a_line_on_stderr(capsys):
    history = train_classifier(progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        f"epoch {i + 1}/3: loss {row['loss']:.4f}, accuracy {row['accuracy']:.4f}" for i, row in enumerate(history.rows)
    ]


def test_in_a_pipe_the_rows_held_out_are_shown_beside_the_others(capsys):
    row = train_classifier(progress=True, epochs=1, validation=clusters(seed=1)).last
    line = capsys.readouterr().err.strip()
    assert line.endswith(
        f"validation loss {row['validation_loss']:.4f}, validation accuracy {row['validation_accuracy']:.4f}"
    )


def test_nothing_is_shown_when_progress_is_declined(capsys):
    train_classifier(progress=False)
    assert shown_on_a_terminal(progress=False) == ""
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_on_a_terminal_a_bar_counts_every_batch_and_ends_full(capsys):
    shown = shown_on_a_terminal(progress=True)
    last = [frame for frame in re.split(r"[\r\n]", shown) if frame.strip()][-1]
    assert "27/27" in last, "three epochs of nine batches"
    assert "100%" in last
    assert shown.count("\n") == 1, "one bar, and no line an epoch that would tear it apart"
    assert shown.endswith("\n")
    assert capsys.readouterr().out == ""


def test_on_a_terminal_the_bar_shows_epoch_and_loss():
    shown = shown_on_a_terminal(progress=True)
    assert "epoch 3/3" in shown
    assert re.search(r"loss \d+\.\d{4}", shown)


def test_the_bar_is_closed_when_training_diverges():
    x, labels = clusters()
    x[:] = float("nan")
    with redirect_stderr(Terminal()) as screen, pytest.raises(DivergenceError):
        train_classifier(progress=True, train=(x, labels))
    assert screen.getvalue().endswith("\n")


def test_showing_progress_changes_no_figure():
    with redirect_stderr(Terminal()):
        watched = train_classifier(progress=True)
    assert watched == train_classifier(progress=False)


def test_without_tqdm_a_terminal_is_told_which_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'tinygrad-lite\[train\]'"):
        shown_on_a_terminal(progress=True)


def test_without_tqdm_a_pipe_and_a_silent_training_work(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    train_classifier(progress=True)
    train_classifier(progress=False)
    assert len(capsys.readouterr().err.splitlines()) == 3
