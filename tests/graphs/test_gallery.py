"""The gallery: what it draws is what is committed and was looked at; `GOLDEN=write` writes its DOT anew."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.graphs.gallery import FOLDER as GALLERY
from tests.graphs.gallery import GRAPHS, SCRIPT

GOLDEN = Path(__file__).parent / "golden" / "gallery"
NAMES = ("neuron", "softmax_cross_entropy", "document_000", "residual_block", "adam_step")


def test_the_gallery_has_the_five_graphs_that_its_page_shows() -> None:
    assert tuple(GRAPHS) == NAMES
    page = (GALLERY / "README.md").read_text(encoding="utf-8")
    assert all(f"drawn/{name}.svg" in page for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_dot_text_of_the_gallery_is_what_was_looked_at(name: str) -> None:
    text = GRAPHS[name].to_dot(show=SCRIPT.SHOWN.get(name, ("shape",)))
    if os.environ.get("GOLDEN") == "write":
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / f"{name}.dot").write_text(text, encoding="utf-8")
    assert text == (GOLDEN / f"{name}.dot").read_text(encoding="utf-8")


def test_the_committed_pictures_are_what_the_command_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gallery.py", "--out", str(tmp_path)])
    SCRIPT.main()
    drawn = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_bytes() for path in (GALLERY / "drawn").iterdir()}
    assert drawn.keys() == committed.keys()
    assert [name for name in drawn if drawn[name] != committed[name]] == []
