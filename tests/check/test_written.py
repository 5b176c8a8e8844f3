"""The report as JSON and as HTML: the same facts as the table, harmless whatever the names are."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from tinygrad_lite.check.report import Cause, GradientReport, Row, told
from tinygrad_lite.check.written import SIGNS, as_html_page

HOSTILE = """</script></code></title><img src=x onerror=alert(1)>"&'<style>*{display:none}</style>"""
PAIR = (
    Cause("sign", None, 1e-16, "w1", "write −(y − t)"),
    Cause("batch-mean", 32.0, 2e-16, "w1", "divide by m = 32"),
)


def row(name: str = "w1", status: Any = "agrees", **others: Any) -> Row:
    figures: dict[str, Any] = {
        "entries": 12_345,
        "entries_checked": 50,
        "max_abs_error": 1.5e-9,
        "max_rel_error": 2.5e-9,
        "numeric_abs_error": 3.5e-10,
        "worst_index": (1, 2),
        "values": (0.25, -0.25, -0.2500001),
        "budget": 7.5e-12,
    }
    return Row(name, status, **figures | others)


def report(*rows: Row, deltas: tuple[Row, ...] = (), notes: tuple[str, ...] = ()) -> GradientReport:
    return GradientReport(rows, "by hand within what rounding explains", deltas, notes)


OF_EVERY_KIND = report(
    row("w1", "differs", diagnosis=PAIR),
    row("b1", "agrees"),
    row("w2", "kink", note="at a kink the slopes on either side are 0 and 1"),
    row("b2", "vacuous", note="the gradient is smaller than what differences resolve"),
    row("w3", "undetectable", note="the penalty contributes less than rounding does"),
    deltas=(row("delta2"), row("delta1", "differs", diagnosis=(Cause("unknown", None, 0.3, "delta1", "look here"),))),
    notes=("numeric differences were taken plainly through fold",),
)


# ----- JSON -----


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def parsed(made: GradientReport) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(made.to_json(), parse_constant=refuse)
    return document


def test_the_json_holds_the_whole_report_in_a_fixed_order() -> None:
    document = parsed(OF_EVERY_KIND)
    assert list(document) == ["agrees", "tolerance", "notes", "departs_at", "rows", "deltas"]
    assert document["agrees"] is False
    assert document["departs_at"] == "delta1"
    assert document["notes"] == list(OF_EVERY_KIND.notes)
    assert document["tolerance"] == OF_EVERY_KIND.tolerance
    assert [entry["name"] for entry in document["rows"]] == ["w1", "b1", "w2", "b2", "w3"]
    assert [entry["status"] for entry in document["deltas"]] == ["agrees", "differs"]


@pytest.mark.parametrize("place", range(5))
def test_a_row_of_json_holds_every_field_and_whether_it_agrees(place: int) -> None:
    given = OF_EVERY_KIND.rows[place]
    written = parsed(OF_EVERY_KIND)["rows"][place]
    assert list(written) == [*(field.name for field in dataclasses.fields(Row)), "agrees"]
    for name in set(written) - {"diagnosis", "worst_index", "values"}:
        assert written[name] == getattr(given, name)
    assert written["worst_index"] == list(given.worst_index)
    assert written["values"] == list(given.values)


def test_a_cause_in_json_holds_its_fields_and_its_text() -> None:
    assert parsed(OF_EVERY_KIND)["rows"][0]["diagnosis"] == [
        {**dataclasses.asdict(cause), "text": str(cause)} for cause in PAIR
    ]


def test_what_is_not_a_finite_number_is_null_in_json() -> None:
    odd = row(
        max_abs_error=None,
        max_rel_error=math.inf,
        numeric_abs_error=math.nan,
        values=(None, -math.inf, 1.0),
        diagnosis=(Cause("unknown", math.nan, math.inf, "w1", "look here"),),
    )
    written = parsed(report(odd))["rows"][0]
    assert (written["max_abs_error"], written["max_rel_error"], written["numeric_abs_error"]) == (None, None, None)
    assert written["values"] == [None, None, 1.0]
    assert (written["diagnosis"][0]["factor"], written["diagnosis"][0]["residual"]) == (None, None)


def test_numbers_of_numpy_are_plain_numbers_in_json() -> None:
    written = parsed(report(row(worst_index=(np.int64(3),), numeric_abs_error=np.float32(0.5), entries=np.int32(7))))
    found = written["rows"][0]
    assert [found["worst_index"], found["numeric_abs_error"], found["entries"]] == [[3], 0.5, 7]
    assert isinstance(found["entries"], int)
    assert isinstance(found["worst_index"][0], int)


def test_hostile_names_come_back_from_json_as_they_were() -> None:
    for name in (HOSTILE, "\u2028\ud800\x00", "σ(W·x)"):
        assert parsed(report(row(name)))["rows"][0]["name"] == name


# ----- HTML -----


class Page(HTMLParser):
    """Read a page: its elements, its text, and whether every element is closed where it should be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text.append(data)

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


TAGS = {"meta", "title", "style", "section", "table", "caption", "thead", "tbody", "tr", "th", "td",
        "span", "code", "ul", "li", "strong", "p"}  # fmt: skip
TAGS_OF_A_PAGE = TAGS | {"html", "head", "body", "main", "h1", "h2", "nav", "ol", "a"}


def test_the_html_tells_all_that_the_table_tells() -> None:
    words = Page(OF_EVERY_KIND.to_html()).words
    for each in (*OF_EVERY_KIND.rows, *OF_EVERY_KIND.deltas):
        for line in told(each):
            assert line.removeprefix(f"{each.name}: ") in words
        assert f"{SIGNS[each.status]} {each.status}" in words
    for line in (*OF_EVERY_KIND.notes, OF_EVERY_KIND.tolerance, "departs at delta1", "✗ not all gradients agree"):
        assert line in words
    assert "✓ all gradients agree" in Page(report(row()).to_html()).words


def test_a_row_of_the_html_shows_the_figures_of_the_table_and_the_budget() -> None:
    assert "w1 12,345 1.50e-09 2.50e-09 7.50e-12 3.50e-10 50 ✓ agrees" in words_by_cell(report(row()))
    alone = row(max_abs_error=None, max_rel_error=None, values=(None, 1.0, 1.0))
    assert "w1 12,345 – – – 3.50e-10 50 ✓ agrees" in words_by_cell(report(alone))
    assert "inf" in words_by_cell(report(row(status="differs", max_abs_error=math.inf)))


def words_by_cell(made: GradientReport) -> str:
    return Page(made.to_html().replace("<td>", " <td>")).words


def test_causes_stand_under_their_own_row() -> None:
    both = report(row("w1", "differs", diagnosis=PAIR[:1]), row("w2", "differs", diagnosis=PAIR[1:]))
    words = Page(both.to_html()).words
    places = [words.index(text) for text in ("w1 differs most", str(PAIR[0]), "w2 differs most", str(PAIR[1]))]
    assert places == sorted(places)


def hostile() -> GradientReport:
    cause = Cause(HOSTILE, 2.0, 0.0, HOSTILE, HOSTILE)
    wrong = row(HOSTILE, "differs", note=HOSTILE, diagnosis=(cause,))
    return GradientReport((wrong,), HOSTILE, (wrong,), (HOSTILE,))


@pytest.mark.parametrize("page", [False, True])
def test_hostile_text_stays_text(page: bool) -> None:
    read = Page(as_html_page([(HOSTILE, hostile())]) if page else hostile().to_html())
    assert read.tags <= (TAGS_OF_A_PAGE if page else TAGS)
    in_a_row = 7  # its name, the line of its worst entry, the name and the note, three parts of the cause
    around = 3  # where it departs, a note, the tolerance
    assert "".join(read.text).count(HOSTILE) == 2 * in_a_row + around + (2 if page else 0)
    assert not [name for _, attributes in read.elements for name in attributes if name.startswith("on")]
    values = [value for _, attributes in read.elements for value in attributes.values()]
    assert not [value for value in values if value and ("<" in value or "alert" in value)]


@pytest.mark.parametrize("html", [OF_EVERY_KIND.to_html(), as_html_page([("a", OF_EVERY_KIND)])])
def test_the_html_needs_nothing_from_anywhere(html: str) -> None:
    assert not re.search(r"https?:|//|url\(|@import|<script|<link|<img|javascript", html)
    attributes = {name for _, found in Page(html).elements for name in found}
    assert not attributes & {"src", "style"}


def test_the_html_of_a_report_can_stand_inside_of_another_page() -> None:
    html = OF_EVERY_KIND._repr_html_()
    assert not Page(html).tags & {"html", "head", "body"}
    assert not [attributes for _, attributes in Page(html).elements if "id" in attributes]
    assert [selector for selector in selectors(html) if ".tinygrad-lite-check" not in selector] == []


def style(html: str) -> str:
    found = re.search(r"<style>(.*)</style>", html, re.DOTALL)
    assert found
    return found[1]


def selectors(html: str) -> list[str]:
    """Return every selector of the styles, those inside of a media query too."""
    blocks = re.findall(r"(?:^|[{}])\s*([^{}@]+?)\s*\{", style(html))
    return [selector.strip() for block in blocks for selector in block.split(",")]


def test_the_reading_of_selectors_sees_every_one() -> None:
    found = selectors(
        "<style>\n.a, .b { color: red; }\n@media (x) { c d { e: f; }\n g { h: i } }\nj { k: l }\n</style>"
    )
    assert found == [".a", ".b", "c d", "g", "j"]


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_can_be_read_on_its_ground(theme: str) -> None:
    light, dark = style(OF_EVERY_KIND.to_html()).split("@media (prefers-color-scheme: dark)", 1)
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+);", light if theme == "light" else dark))
    assert set(colours) == {"ground", "ink", "line", "right", "wrong", "unsure"}
    ground = luminance(colours["ground"])
    assert (ground > 0.5) == (theme == "light")
    for name in ("ink", "right", "wrong", "unsure"):
        lighter, darker = sorted((ground, luminance(colours[name])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, name


# ----- Several reports on one page -----


def test_a_page_begins_with_an_index_and_tells_first_of_what_disagrees() -> None:
    wrong = report(row("w9", "differs", diagnosis=PAIR))
    page = Page(as_html_page([("first", report(row())), ("second", wrong), ("third", report(row()))]))
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    targets = [f"#{attributes['id']}" for tag, attributes in page.elements if tag == "h2"]
    assert links == targets
    assert len(set(links)) == 3
    assert "3 checks: 1 with gradients that do not agree. second ✗ differs first ✓ agrees third ✓ agrees" in page.words


def test_a_page_of_no_reports_says_so() -> None:
    assert "No gradients were checked." in Page(as_html_page([])).words


def test_a_page_counts_what_is_on_it() -> None:
    assert "1 check: all gradients agree." in Page(as_html_page([("only", report(row()))])).words
