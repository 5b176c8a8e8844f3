"""Pictures of every kind: written without a screen, with the same bytes for the same figures, or not at all."""

from __future__ import annotations

import hashlib
import os
import pathlib
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

from tinygrad_lite.errors import ArgumentError, MissingDependencyError
from tinygrad_lite.train import (
    History,
    Metrics,
    save_confusion,
    save_curves,
    save_first_layer,
    save_gradient_norms,
    save_misclassified,
    save_sweep,
    save_terms,
)

ROOT = pathlib.Path(__file__).parents[2]
ROW = {"loss": 0.9, "mse": 0.8, "l2": 0.1, "accuracy": 0.5, "validation_loss": 1.0, "gradient_norm.weight": 0.3}
HISTORY = History([{"epoch": epoch} | {name: value / epoch for name, value in ROW.items()} for epoch in (1, 2, 3)])
SWEEP = [{"lr": lr, "seed": seed, "loss": lr + seed} for lr in (0.1, 0.2) for seed in (1, 2)]
WRONG = np.eye(3)[[1, 2, 0]]

SAVES = {
    "curves": lambda path: save_curves(HISTORY, path),
    "terms": lambda path: save_terms(HISTORY, path),
    "gradient_norms": lambda path: save_gradient_norms(HISTORY, path),
    "confusion": lambda path: save_confusion(Metrics(np.array([[5, 1], [2, 7]]), 0.3), path, ["cat", "dog"]),
    "first_layer": lambda path: save_first_layer(np.linspace(-1, 1, 24).reshape(2, 12), (3, 2, 2), path),
    "misclassified": lambda path: save_misclassified(np.eye(3, 4), np.arange(3), WRONG, (2, 2), path),
    "sweep": lambda path: save_sweep(SWEEP, "loss", path),
}
SUFFIXES = (".png", ".svg", ".pdf")


def draw_everything(folder: pathlib.Path, suffixes: tuple[str, ...] = SUFFIXES) -> dict[str, str]:
    """Write every picture in these formats into `folder` and return a digest of each."""
    files = [save(folder / f"{name}{suffix}") for name, save in SAVES.items() for suffix in suffixes]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def drawn_elsewhere(folder: pathlib.Path, **environment: str) -> dict[str, str]:
    """Return what `draw_everything` does in a process of its own, in which matplotlib has no screen to open."""
    code = (
        "import pathlib, sys\n"
        "from tests.train.test_plots_bytes import draw_everything\n"
        "for item in draw_everything(pathlib.Path(sys.argv[1])).items(): print(*item)\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    folder.mkdir()
    shell = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(folder)],
        env=shell | {"PYTHONPATH": str(ROOT)} | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(line.split() for line in finished.stdout.splitlines())


def test_two_processes_at_two_times_give_the_same_bytes_in_every_format(tmp_path):
    # matplotlib takes the time it writes from SOURCE_DATE_EPOCH, where that is set
    first = drawn_elsewhere(tmp_path / "first", PYTHONHASHSEED="1", SOURCE_DATE_EPOCH="0")
    second = drawn_elsewhere(tmp_path / "second", PYTHONHASHSEED="2", SOURCE_DATE_EPOCH="1000000000")
    assert len(first) == len(set(first.values())) == len(SAVES) * len(SUFFIXES)
    assert first == second


def test_the_users_settings_of_matplotlib_change_nothing_and_are_left_alone(tmp_path):
    plain = draw_everything(tmp_path, (".svg",))
    dark = {"axes.facecolor": "black", "lines.linewidth": 9.0, "font.size": 30.0, "savefig.dpi": 10.0}
    with mpl.rc_context(dark | {"svg.hashsalt": "another"}):
        before = dict(mpl.rcParams)
        assert draw_everything(tmp_path, (".svg",)) == plain
        assert dict(mpl.rcParams) == before


def test_the_users_font_is_kept(tmp_path):
    plain = SAVES["curves"](tmp_path / "plain.png").read_bytes()
    with mpl.rc_context({"font.family": "monospace"}):
        assert SAVES["curves"](tmp_path / "own.png").read_bytes() != plain


@pytest.mark.parametrize("name", SAVES)
def test_the_path_comes_back_and_the_suffix_chooses_the_format(name, tmp_path):
    starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF-", ".PNG": b"\x89PNG"}
    for suffix, start in starts.items():
        path = tmp_path / f"picture{suffix}"
        assert SAVES[name](str(path)) == path
        assert path.read_bytes().startswith(start)


@pytest.mark.parametrize("name", SAVES)
def test_another_suffix_is_refused_and_leaves_nothing(name, tmp_path):
    with pytest.raises(ArgumentError, match=r"\.png, \.svg or \.pdf, not as 'picture\.jpeg'"):
        SAVES[name](tmp_path / "picture.jpeg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", SAVES)
def test_without_matplotlib_every_picture_names_the_extra_to_install(name, tmp_path, monkeypatch):
    for module in [module for module in sys.modules if module.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'tinygrad-lite\[train\]'"):
        SAVES[name](tmp_path / "picture.png")
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_cannot_be_drawn_leaves_the_old_one(tmp_path):
    path = tmp_path / "curves.png"
    path.write_text("old")
    with pytest.raises(ArgumentError):
        save_curves(History(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
