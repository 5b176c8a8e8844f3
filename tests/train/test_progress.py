"""Progress goes to stderr: a bar on a terminal, a line an epoch elsewhere, nothing when not wanted."""

from __future__ import annotations

import io
import os
import re
import sys
import types
from contextlib import redirect_stderr

import pytest

from tests.train.runs import clusters, line, train_classifier
from tinygrad_lite import fit, nn, optim
from tinygrad_lite.errors import DivergenceError, MissingDependencyError
from tinygrad_lite.train.progress import Progress


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch):
    """Take away what the screen of the tests themselves would ask for."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class Clock:
    """Seconds that pass when they are told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def shown_on_a_terminal(**options) -> str:
    with redirect_stderr(Terminal()) as screen:
        train_classifier(**options)
    return screen.getvalue()


def frames(shown: str) -> list[str]:
    return [frame for frame in re.split(r"[\r\n]", shown) if frame.strip()]


def follow(epochs: int = 3, batches: int = 4, accuracy: float | None = 0.5) -> None:
    """Follow a training of so many epochs, in batches of ten rows."""
    with Progress(epochs, 10 * batches, shown=True) as progress:
        for _ in range(epochs):
            for _ in range(batches):
                progress.batch_done(10, 0.25, accuracy)
            progress.epoch_done({"loss": 0.25})


# ----- Lines -----


def test_in_a_pipe_each_epoch_is_a_line_on_stderr(capsys):
    history = train_classifier(progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert len(lines) == 3
    for i, (found, row) in enumerate(zip(lines, history.rows, strict=True)):
        figures, speed = found.rsplit(", ", 1)
        assert figures == f"epoch {i + 1}/3: loss {row['loss']:.4f}, accuracy {row['accuracy']:.4f}"
        assert re.fullmatch(r"[\d.]+[kM]? rows/s", speed)


def test_in_a_pipe_the_rows_held_out_are_shown_beside_the_others(capsys):
    row = train_classifier(progress=True, epochs=1, validation=clusters(seed=1)).last
    shown = capsys.readouterr().err
    assert f", validation loss {row['validation_loss']:.4f}" in shown
    assert f", validation accuracy {row['validation_accuracy']:.4f}" in shown


def test_a_regression_has_no_accuracy_to_show(capsys):
    fit(nn.MLP([1, 1], rng=0), nn.MSE(), optim.SGD(lr=0.1), train=line(), epochs=1)
    shown = capsys.readouterr().err
    assert "loss" in shown
    assert "accuracy" not in shown


@pytest.mark.parametrize(
    ("rows", "seconds", "shown"),
    [(1, 4, "0.25"), (60, 1, "60"), (999, 1, "999"), (9996, 10, "1k"), (41_230, 1, "41.2k"), (3, 1e-6, "3M"),
     (5000, 1e-6, "5G")],
)  # fmt: skip
def test_a_line_tells_the_rows_a_second_in_three_digits(rows, seconds, shown, capsys):
    clock = Clock()
    with Progress(1, rows, shown=True, clock=clock) as progress:
        clock.now += seconds
        progress.batch_done(rows, 0.5, None)
        progress.epoch_done({"loss": 0.5})
    assert capsys.readouterr().err == f"epoch 1/1: loss 0.5000, {shown} rows/s\n"


def test_the_speed_is_that_of_training_without_the_time_of_validation(capsys):
    clock = Clock()
    with Progress(2, 100, shown=True, clock=clock) as progress:
        for seconds in (1.0, 2.0):
            for _ in range(2):
                clock.now += seconds
                progress.batch_done(50, 0.5, None)
            clock.now += 1e6
            progress.epoch_done({"loss": 0.5})
    assert [text.rsplit(", ", 1)[1] for text in capsys.readouterr().err.splitlines()] == ["50 rows/s", "25 rows/s"]


@pytest.mark.parametrize(
    ("loss", "shown"),
    [(0.0, "0.0000"), (0.00123456, "0.0012"), (-12.5, "-12.5000"), (0.000123456, "1.235e-04"), (1.5e7, "1.500e+07")],
)
def test_a_figure_too_small_or_too_large_for_four_decimals_has_an_exponent(loss, shown, capsys):
    with Progress(1, 10, shown=True, clock=Clock()) as progress:
        progress.epoch_done({"loss": loss})
    assert capsys.readouterr().err == f"epoch 1/1: loss {shown}\n"


def test_a_resumed_run_goes_on_counting_epochs_and_is_as_fast_as_it_is_now(capsys):
    clock = Clock()
    with Progress(3, 100, shown=True, done_epochs=1, done_rows=80, clock=clock) as progress:
        clock.now += 1
        progress.batch_done(20, 0.5, None)
        progress.epoch_done({"loss": 0.5})
        clock.now += 1
        progress.batch_done(100, 0.5, None)
        progress.epoch_done({"loss": 0.5})
    assert capsys.readouterr().err.splitlines() == [
        "epoch 2/3: loss 0.5000, 20 rows/s",
        "epoch 3/3: loss 0.5000, 100 rows/s",
    ]


# ----- Nothing -----


def test_nothing_is_shown_when_progress_is_declined(capsys):
    train_classifier(progress=False)
    assert shown_on_a_terminal(progress=False) == ""
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_a_program_without_a_stderr_trains_in_silence(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    train_classifier(progress=True)
    assert capsys.readouterr().out == ""


def test_showing_progress_changes_no_figure():
    with redirect_stderr(Terminal()):
        watched = train_classifier(progress=True)
    assert watched == train_classifier(progress=False)


# ----- The bar -----


def test_on_a_terminal_a_bar_counts_every_row_and_ends_full(capsys):
    shown = shown_on_a_terminal(progress=True)
    last = frames(shown)[-1]
    assert "180/180" in last, "three epochs of sixty rows"
    assert "100%" in last
    assert shown.count("\n") == 1, "one bar, and no line an epoch that would tear it apart"
    assert shown.endswith("\n")
    assert capsys.readouterr().out == ""


def test_on_a_terminal_the_bar_shows_epoch_loss_accuracy_and_speed():
    loss = train_classifier().last["loss"]
    shown = shown_on_a_terminal(progress=True)
    assert frames(shown)[0].startswith("epoch 1/3: ")
    last = frames(shown)[-1]
    assert last.startswith("epoch 3/3: ")
    assert f", loss {loss:.4f}, accuracy " in last
    assert re.search(r", [\d.]+[kM]? rows/s, ", last)


def test_what_has_no_accuracy_has_a_bar_without():
    with redirect_stderr(Terminal()) as screen:
        follow(accuracy=None)
    assert "loss 0.2500]" in frames(screen.getvalue())[-1]


def test_the_bar_of_a_resumed_run_begins_where_the_run_was_left():
    with redirect_stderr(Terminal()) as screen, Progress(3, 100, shown=True, done_epochs=1, done_rows=40) as progress:
        progress.batch_done(60, 0.5, None)
        progress.epoch_done({"loss": 0.5})
    shown = frames(screen.getvalue())
    assert shown[0].startswith("epoch 2/3: ")
    assert "140/300" in shown[0]
    assert shown[-1].startswith("epoch 3/3: ")
    assert "200/300" in shown[-1]


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_the_figures_fit_into_the_columns_that_there_are(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")  # colours take characters, but no columns
    with redirect_stderr(Terminal()) as screen:
        follow(epochs=20, batches=5000)
    shown = frames(screen.getvalue())
    assert max(map(len, shown)) == columns - 1
    assert "loss 0.2500, accuracy 0.5000" in shown[-1]
    assert "rows/s" in shown[-1]
    assert ("1.00M/1.00M" in shown[-1]) == (columns >= 100)


@pytest.mark.parametrize("size", [(0, 0), (0, 24), (100, 0)])
def test_a_terminal_that_does_not_know_its_size_is_taken_for_one_of_eighty_columns(size, monkeypatch):
    monkeypatch.setattr(Terminal, "fileno", lambda self: 2)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size(size))
    monkeypatch.setenv("NO_COLOR", "1")
    shown = frames(shown_on_a_terminal(progress=True))
    assert {len(frame) for frame in shown} == {79}
    assert "100%" in shown[-1]


@pytest.mark.parametrize("columns", ["", "0", "1", "wide", "-5"])
def test_columns_that_are_no_number_are_not_heeded(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert "180/180" in frames(shown_on_a_terminal(progress=True))[-1]


def test_figures_are_formatted_when_they_are_drawn_and_not_at_every_batch():
    class Counted(float):
        formatted = 0

        def __format__(self, specification):
            type(self).formatted += 1
            return super().__format__(specification)

    loss = Counted(0.5)
    with redirect_stderr(Terminal()), Progress(1, 100_000, shown=True) as progress:
        for _ in range(100_000):
            progress.batch_done(1, loss, None)
    assert 1 <= Counted.formatted < 5000


def test_the_bar_is_closed_when_training_diverges():
    x, labels = clusters()
    x[:] = float("nan")
    with redirect_stderr(Terminal()) as screen, pytest.raises(DivergenceError):
        train_classifier(progress=True, train=(x, labels))
    assert screen.getvalue().endswith("\n")


# ----- What the environment asks for -----


def test_the_bar_has_a_colour_on_a_terminal():
    assert "\x1b[32m" in shown_on_a_terminal(progress=True)


def test_no_color_takes_the_colour_away_whatever_else_is_asked_for(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = shown_on_a_terminal(progress=True)
    assert "\x1b" not in shown
    assert "180/180" in shown


def test_an_empty_no_color_asks_for_nothing(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "")
    assert "\x1b[32m" in shown_on_a_terminal(progress=True)


def test_a_terminal_that_cannot_go_back_in_a_line_is_given_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = shown_on_a_terminal(progress=True)
    assert len(shown.splitlines()) == 3
    assert "\r" not in shown
    assert "\x1b" not in shown


def test_lines_in_a_pipe_have_no_codes_for_a_terminal_even_where_colour_is_forced(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    train_classifier(progress=True)
    lines = capsys.readouterr().err.split("\n")
    assert len(lines) == 4
    assert all(text.isprintable() for text in lines)


# ----- Notebooks -----


class ZMQInteractiveShell:
    """What the shell of a kernel of Jupyter is called."""


class Shell(ZMQInteractiveShell):
    """What the shell of Colab is called."""


class TerminalInteractiveShell:
    """What the shell of IPython on a terminal is called."""


def run_under(shell: type | None, monkeypatch) -> None:
    ipython = types.SimpleNamespace(get_ipython=lambda: None if shell is None else shell())
    monkeypatch.setitem(sys.modules, "IPython", ipython)


@pytest.mark.parametrize("shell", [ZMQInteractiveShell, Shell])
def test_in_a_notebook_without_widgets_each_epoch_is_a_line(shell, monkeypatch):
    run_under(shell, monkeypatch)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    shown = shown_on_a_terminal(progress=True)
    assert len(shown.splitlines()) == 3
    assert "\r" not in shown


@pytest.mark.parametrize("shell", [TerminalInteractiveShell, None])
def test_ipython_on_a_terminal_has_the_bar_of_a_terminal(shell, monkeypatch):
    run_under(shell, monkeypatch)
    assert "180/180" in shown_on_a_terminal(progress=True)


def test_in_a_notebook_with_widgets_the_bar_is_one_of_them(monkeypatch):
    from tqdm import tqdm

    drawn = []

    class Widget(tqdm):
        def display(self, *arguments, **options):
            drawn.append(self.format_meter(**self.format_dict))

    run_under(ZMQInteractiveShell, monkeypatch)
    monkeypatch.setitem(sys.modules, "ipywidgets", types.ModuleType("ipywidgets"))
    sys.modules["ipywidgets"].__spec__ = types.SimpleNamespace(name="ipywidgets")
    monkeypatch.setitem(sys.modules, "tqdm.notebook", types.SimpleNamespace(tqdm=Widget))
    with redirect_stderr(io.StringIO()) as pipe:
        train_classifier(progress=True)
    assert "180/180" in drawn[-1]
    assert not pipe.getvalue().strip()


# ----- Without tqdm -----


def test_without_tqdm_a_terminal_is_told_which_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'tinygrad-lite\[train\]'"):
        shown_on_a_terminal(progress=True)


def test_without_tqdm_a_pipe_and_a_silent_training_work(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    train_classifier(progress=True)
    train_classifier(progress=False)
    assert len(capsys.readouterr().err.splitlines()) == 3
