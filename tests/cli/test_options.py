"""What the command says to options it knows, and to those it does not."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.cli.runs import run
from tinygrad_lite import cli
from tinygrad_lite.errors import DivergenceError
from tinygrad_lite.train import demo as demo_room


def test_the_version_is_printed_and_nothing_else():
    assert run("--version") == (0, f"tinygrad_lite {tg.__version__}\n", "")
    assert re.fullmatch(r"\d+\.\d+\.\d+", tg.__version__)


def test_the_version_is_that_of_the_installed_distribution():
    try:
        assert version("tinygrad-lite") == tg.__version__
    except PackageNotFoundError:
        pytest.skip("the package runs from its source tree here, without being installed")


def test_the_help_lists_the_commands():
    finished = run("--help")
    assert finished.status == 0
    assert "demo" in finished.out
    assert "--version" in finished.out
    assert finished.err == ""


def test_the_help_of_the_demo_tells_its_options_and_their_defaults():
    finished = run("demo", "--help")
    assert finished.status == 0
    for option in "--epochs", "--seed", "--out":
        assert option in finished.out
    assert finished.out.count("default") == 3


def test_without_a_command_the_help_is_shown_and_the_status_is_that_of_a_mistake():
    finished = run()
    assert finished.status == 2
    assert "demo" in finished.out + finished.err
    assert "Traceback" not in finished.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demon"], "demon"),
        (["--verbose"], "--verbose"),
        (["demo", "--epoch-count", "3"], "--epoch-count"),
        (["demo", "--epochs"], "--epochs"),
        (["demo", "--epochs", "many"], "many"),
        (["demo", "--epochs", "2.5"], "2.5"),
        (["demo", "--epochs", "0"], "at least 1"),
        (["demo", "--epochs", "-1"], "at least 1"),
        (["demo", "--seed", "-1"], "at least 0"),
        (["demo", "--seed", "x"], "x"),
    ],
    ids=" ".join,
)
def test_a_wrong_option_is_told_on_stderr_with_status_2(arguments, message, tmp_path):
    finished = run(*arguments, *(["--out", tmp_path / "out"] if arguments[0] == "demo" else []))
    assert finished.status == 2
    assert message in finished.err
    assert "Traceback" not in finished.err
    assert finished.out == ""


@pytest.mark.parametrize("below", ["", "folder"])
def test_an_out_that_is_a_file_is_told_before_anything_is_trained(tmp_path, below):
    file = tmp_path / "file"
    file.write_text("mine")
    finished = run("demo", "--out", file / below)
    assert finished.status == 2
    assert str(file) in finished.err
    assert "choose another folder" in finished.err
    assert "Traceback" not in finished.err
    assert "epoch" not in finished.err
    assert finished.out == ""
    assert file.read_text() == "mine"


# ----- In this process, with the demo's work replaced -----


RIGHT = tg.check_gradients(lambda w: np.sum(w * w), np.ones(2))
WRONG = tg.check_gradients(lambda w: np.sum(w * w), np.ones(2), analytic=lambda w: w)


def result(report=RIGHT, reloaded_alike=True):
    return demo_room.DemoResult(0.9315, report, reloaded_alike, ())


def main_with(monkeypatch, run_demo) -> int:
    monkeypatch.setattr(demo_room, "run_demo", run_demo)
    return cli.main(["demo"])


def test_the_accuracy_is_printed_in_percent_with_two_digits(monkeypatch, capsys):
    assert main_with(monkeypatch, lambda *_: result()) == 0
    assert "\ntest accuracy: 93.15 %\n" in capsys.readouterr().out


def test_wrong_gradients_give_status_1_and_are_shown(monkeypatch, capsys):
    assert main_with(monkeypatch, lambda *_: result(WRONG)) == 1
    assert str(WRONG) in capsys.readouterr().out


def test_a_model_that_predicts_otherwise_after_reloading_gives_status_1(monkeypatch, capsys):
    assert main_with(monkeypatch, lambda *_: result(reloaded_alike=False)) == 1
    assert "predicts the same" not in capsys.readouterr().out


def raising(problem):
    def run_demo(*_):
        raise problem

    return run_demo


def test_an_error_of_the_library_is_one_line_on_stderr_with_status_2(monkeypatch, capsys):
    assert main_with(monkeypatch, raising(DivergenceError("the objective became nan"))) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "tinygrad_lite demo: the objective became nan\n")


def test_an_interruption_gives_the_status_of_a_signal(monkeypatch, capsys):
    assert main_with(monkeypatch, raising(KeyboardInterrupt)) == 130
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "interrupted\n")


def test_a_bug_is_not_hidden(monkeypatch):
    with pytest.raises(ZeroDivisionError):
        main_with(monkeypatch, raising(ZeroDivisionError()))


def test_a_package_that_is_missing_is_told_with_the_extra_to_install(tmp_path, monkeypatch, capsys):
    for name in [name for name in sys.modules if name.split(".")[0] == "safetensors"] or ["safetensors"]:
        monkeypatch.setitem(sys.modules, name, None)
    assert cli.main(["demo", "--epochs", "1", "--out", str(tmp_path)]) == 2
    assert "pip install 'tinygrad-lite[train]'" in capsys.readouterr().err
