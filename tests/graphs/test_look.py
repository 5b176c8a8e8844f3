"""Colours and shapes, measured as eyes see them."""

import itertools

import numpy as np
import pytest

from tinygrad_lite.graphs.pictures import look

FILLS = {kind: style.fill for kind, style in look.STYLES.items() if kind != "group"} | {"backward": look.BACKWARD_FILL}
LINES = [style.line for style in look.STYLES.values()] + [look.BACKWARD_LINE, look.RIGHT, look.WRONG, look.GREY]
# How cones that miss one pigment see linear sRGB: Machado, Oliveira and Fernandes (2009), full severity.
BLINDNESS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def luminance(colour):
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def lightness_and_hue(rgb):
    """CIE L*a*b* of linear sRGB, in which 1 is about what an eye can tell apart."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.clip(np.array(to_xyz) @ rgb, 1e-4, None) / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_every_kind_has_a_shape_of_its_own():
    assert len({style.shape for style in look.STYLES.values()}) == len(look.STYLES)


@pytest.mark.parametrize("fill", [*FILLS.values(), *look.RAMP, look.UNHEATED])
def test_words_are_legible_on_every_fill(fill):
    assert contrast(look.INK, fill) >= 4.5
    assert contrast(look.detail_ink(fill), fill) >= 4.5


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("page", ["#ffffff", "#16181c", "#000000"])
def test_lines_are_seen_on_light_and_on_dark_pages(line, page):
    assert contrast(line, page) >= 3


@pytest.mark.parametrize("blindness", [None, *BLINDNESS])
def test_fills_keep_apart_for_every_eye(blindness):
    seen = np.eye(3) if blindness is None else np.array(BLINDNESS[blindness])
    colours = {kind: lightness_and_hue(np.clip(seen @ linear(fill), 0, 1)) for kind, fill in FILLS.items()}
    for (a, first), (b, second) in itertools.combinations(colours.items(), 2):
        assert np.linalg.norm(first - second) > 5, f"{a} and {b}"


def test_more_is_darker_so_that_heat_is_read_in_grey():
    greys = [luminance(look.heat_fill(amount)) for amount in np.linspace(0, 1, 21)]
    assert all(a > b for a, b in itertools.pairwise(greys))
    steps = np.diff([116 * np.cbrt(grey) - 16 for grey in greys])
    assert steps.min() / steps.max() < 2, "even steps for the eye"


def test_brightness_is_as_it_is_defined():
    for colour in FILLS.values():
        assert look.luminance(colour) == pytest.approx(luminance(colour))
