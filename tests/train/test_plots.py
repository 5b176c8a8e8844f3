import sys
import xml.etree.ElementTree as ET
import zlib

import pytest

from tests.train.runs import clusters, train_classifier
from tinygrad_lite.errors import ArgumentError, MissingDependencyError
from tinygrad_lite.train import History, save_curves

SVG = "{http://www.w3.org/2000/svg}"
WITHOUT_ACCURACY = History([{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.4}])


def png_chunks(content: bytes) -> list[bytes]:
    """Return the types of the chunks of a PNG, each checked against its checksum."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    kinds, at = [], 8
    while at < len(content):
        size = int.from_bytes(content[at : at + 4])
        body = content[at + 4 : at + 8 + size]
        assert zlib.crc32(body) == int.from_bytes(content[at + 8 + size : at + 12 + size])
        kinds.append(body[:4])
        at += 12 + size
    return kinds


def test_a_png_is_whole(tmp_path):
    path = save_curves(train_classifier(validation=clusters(seed=1)), tmp_path / "curves.png")
    kinds = png_chunks(path.read_bytes())
    assert (kinds[0], kinds[-1]) == (b"IHDR", b"IEND")
    assert b"IDAT" in kinds


def test_an_svg_is_well_formed(tmp_path):
    path = save_curves(train_classifier(), tmp_path / "curves.svg")
    assert ET.parse(path).getroot().tag == f"{SVG}svg"


def test_a_pdf_begins_as_one(tmp_path):
    assert save_curves(WITHOUT_ACCURACY, tmp_path / "curves.pdf").read_bytes().startswith(b"%PDF-")


def test_the_path_can_be_a_string_and_comes_back(tmp_path):
    path = tmp_path / "curves.png"
    assert save_curves(WITHOUT_ACCURACY, str(path)) == path


def panels(path) -> int:
    return sum(group.get("id", "").startswith("axes_") for group in ET.parse(path).iter(f"{SVG}g"))


def labels(path) -> int:
    return sum(group.get("id", "").startswith("legend_") for group in ET.parse(path).iter(f"{SVG}g"))


def test_accuracy_has_a_panel_beside_loss_where_there_is_one(tmp_path):
    assert panels(save_curves(train_classifier(), tmp_path / "both.svg")) == 2
    assert panels(save_curves(WITHOUT_ACCURACY, tmp_path / "loss.svg")) == 1
    assert labels(tmp_path / "both.svg") == 2


def test_the_rows_held_out_have_a_curve_of_their_own(tmp_path):
    without = save_curves(train_classifier(), tmp_path / "without.svg").read_text()
    with_them = save_curves(train_classifier(validation=clusters(seed=1)), tmp_path / "with.svg").read_text()
    assert "held out" not in without
    assert with_them.count("<!-- held out -->") == 2
    assert with_them.count("<!-- training -->") == 2


def test_one_epoch_can_be_drawn(tmp_path):
    assert png_chunks(save_curves(train_classifier(epochs=1), tmp_path / "one.png").read_bytes())


def test_the_old_picture_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "curves.png"
    path.write_text("old")
    save_curves(WITHOUT_ACCURACY, path)
    assert png_chunks(path.read_bytes())
    assert list(tmp_path.iterdir()) == [path]


def test_a_suffix_that_is_no_picture_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="xyz"):
        save_curves(WITHOUT_ACCURACY, tmp_path / "curves.xyz")
    assert list(tmp_path.iterdir()) == []


def test_a_history_without_epochs_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="no epochs"):
        save_curves(History(), tmp_path / "curves.png")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_extra_to_install_is_named(tmp_path, monkeypatch):
    for name in "matplotlib", "matplotlib.figure":
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'tinygrad-lite\[train\]'"):
        save_curves(WITHOUT_ACCURACY, tmp_path / "curves.png")
    assert list(tmp_path.iterdir()) == []
