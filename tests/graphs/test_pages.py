"""Graphs as pages of HTML."""

from html.parser import HTMLParser

import numpy as np
import pytest

import tinygrad_lite as tg
from tests.graphs.pictured import (
    HOSTILE,
    hostile,
    neuron,
    parameter,
    residual_blocks,
    scope,
    two_layer_loss,
    with_sweep,
)
from tinygrad_lite.graphs import graph
from tinygrad_lite.graphs.formats.pages import html_text
from tinygrad_lite.graphs.formats.svg import svg_text

VOID = {"meta", "br"}


class Reader(HTMLParser):
    """The elements of a page, their attributes and words; everything that is opened is closed."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.words, self.open = set(), set(), [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_a_page_holds_the_picture_a_legend_the_cost_the_chain_rule_and_the_tree():
    page = html_text(with_sweep(two_layer_loss))
    words = " ".join(Reader(page).words)
    assert svg_text(with_sweep(two_layer_loss)).strip() in page
    for told in ("parameter", "operation", "backward: dashed", "FLOPs", "kept", "The chain rule", "∂/∂weight", "└─"):
        assert told in words


def test_a_page_needs_nothing_from_elsewhere():
    page = html_text(with_sweep(two_layer_loss))
    reader = Reader(page)
    assert not reader.tags & {"script", "link", "img", "iframe", "a", "object", "embed", "base", "form"}
    assert not {name for name in reader.attributes if name.startswith("on") or name in ("href", "src", "xlink:href")}
    assert page.replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/1999/xlink", "").count("http") == 0
    assert "url(" not in page
    assert "@import" not in page


def test_a_page_is_light_or_dark_as_its_reader():
    page = html_text(graph(neuron()))
    assert "prefers-color-scheme: dark" in page
    assert "prefers-color-scheme: light" in page


@pytest.mark.parametrize("without_dot", [False, True])
def test_a_name_can_make_no_element_and_no_attribute(without_dot, monkeypatch):
    if without_dot:
        monkeypatch.setenv("PATH", "")
    plain = tg.tanh(parameter(2, "plain"))
    harmless, harmful = Reader(html_text(graph(plain))), Reader(html_text(graph(hostile())))
    allowed = {"svg", "g", "title", "polygon", "path", "rect", "text", "details", "summary", "pre"}
    assert harmful.tags <= harmless.tags | allowed
    assert not {name for name in harmful.attributes if name.startswith("on") or name in ("src", "href")}
    assert any(HOSTILE in word for word in harmful.words)


def test_only_the_looks_that_occur_are_explained():
    page = html_text(graph(np.tanh(parameter(2, "w"))))
    legend = page[page.index('<ul class="legend">') : page.index("</ul>")]
    assert "parameter" in legend
    for absent in ("input", "state", "constant", "backward", "several"):
        assert absent not in legend


def test_long_parts_are_folded_up():
    short, long = html_text(graph(neuron())), html_text(graph(residual_blocks(20)), fold=False)
    assert "<details open>" in short
    assert "<details open>" not in long
    assert long.count("<details>") == 3


def test_what_has_no_gradient_has_no_chain_rule():
    assert "chain rule" not in html_text(tg.trace(lambda x: np.tanh(x), np.ones(3)))


def test_characters_that_are_not_seen_are_made_visible():
    w = parameter(2, "nul\0 bell\a surrogate\ud800 reversed\u202e")
    with scope("line\nbreak"):
        h = np.tanh(w)
    page = html_text(graph(h.sum()).backward())
    page.encode()
    assert {character for character in page if not character.isprintable()} == {"\n"}
    assert "line↵break" in page
