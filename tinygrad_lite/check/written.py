"""The report of a gradient check as JSON for programs, and as HTML for people: one page, no script, no network."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from html import escape
from numbers import Integral, Real
from typing import Any, Final, NamedTuple

from tinygrad_lite.check.report import Cause, GradientReport, Row, Status, told

SIGNS: Final[dict[Status, str]] = {"agrees": "✓", "differs": "✗", "kink": "✓", "vacuous": "∅", "undetectable": "?"}
"""A sign beside the word of each status, for readers who do not see colours."""


def as_json(report: GradientReport) -> str:
    """Return `report` as an object in strict JSON, with null for what is not a finite number."""
    written = {
        "agrees": bool(report),
        "tolerance": report.tolerance,
        "notes": report.notes,
        "departs_at": report.departs_at,
        "rows": report.rows,
        "deltas": report.deltas,
    }
    return json.dumps(_plain(written), indent=2, allow_nan=False)


def _plain(value: Any) -> Any:  # Any: whatever the fields of a report hold
    match value:
        case None | bool() | str():
            return value
        case Integral():
            return int(value)
        case Real():
            return float(value) if math.isfinite(value) else None
        case Row():
            return _plain(_fields(value) | {"agrees": value.agrees})
        case Cause():
            return _plain(_fields(value) | {"text": str(value)})
        case dict():
            return {name: _plain(entry) for name, entry in value.items()}
        case _:
            return [_plain(entry) for entry in value]


def _fields(value: Row | Cause) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


class Section(NamedTuple):
    """What a page holds of one report: plain values, which can go from process to process."""

    title: str
    agrees: bool
    html: str


def as_html(report: GradientReport) -> str:
    """Return `report` as a page of HTML, which may also stand inside another page, as in a notebook.

    It has no `<html>` and no `<body>`, which HTML lets one leave out and which would not be right inside of a page.
    """
    return f'<!DOCTYPE html>\n<meta charset="utf-8">\n<title>Gradient check</title>\n{STYLE}\n{section_of(report)}\n'


def as_html_page(reports: Sequence[tuple[str, GradientReport]]) -> str:
    """Return a page of HTML with an index and all `reports` under their titles, those that disagree first."""
    return page_of([Section(title, bool(report), section_of(report)) for title, report in reports])


def page_of(sections: Iterable[Section]) -> str:
    """Return a page of HTML with an index and all `sections`, those that disagree first."""
    sections = sorted(sections, key=lambda section: section.agrees)
    wrong = sum(not section.agrees for section in sections)
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Gradient checks</title>',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'{STYLE}\n</head>\n<body>\n<main class="tinygrad-lite-check">',
        f"<h1>Gradient checks</h1>\n<p>{_counted(wrong, len(sections))}</p>",
        *(["<nav>\n<ol>", *_index(sections), "</ol>\n</nav>"] if sections else []),
        "</main>",
    ]
    for number, section in enumerate(sections, 1):
        heading = f'<h2 id="check-{number}" class="tinygrad-lite-check">{escape(section.title)}</h2>'
        parts += [heading, section.html]
    return "\n".join([*parts, "</body>\n</html>\n"])


def _counted(wrong: int, checks: int) -> str:
    if not checks:
        return "No gradients were checked."
    noun = "check" if checks == 1 else "checks"
    return f"{checks} {noun}: " + (f"{wrong} with gradients that do not agree." if wrong else "all gradients agree.")


def _index(sections: Sequence[Section]) -> Iterator[str]:
    for number, section in enumerate(sections, 1):
        status: Status = "agrees" if section.agrees else "differs"
        yield f'<li><a href="#check-{number}">{escape(section.title)}</a> {_status(status)}</li>'


def section_of(report: GradientReport) -> str:
    """Return what there is to see of `report` as a piece of HTML, without the styles."""
    status: Status = "agrees" if report else "differs"
    verdict = "all gradients agree" if report else "not all gradients agree"
    parts = [
        '<section class="tinygrad-lite-check" lang="en">\n<table>',
        f'<caption class="{status}"><span aria-hidden="true">{SIGNS[status]}</span> {verdict}</caption>',
        HEAD,
        *_body("", report.rows),
        *_body("gradients of values inside, from the loss backwards", report.deltas),
        "</table>",
    ]
    if report.departs_at is not None:
        departs = f"walking back from the loss, the derivation departs at <code>{escape(report.departs_at)}</code>"
        parts.append(f'<p class="differs">{departs}</p>')
    parts += [f"<p>{escape(line)}</p>" for line in (*report.notes, report.tolerance) if line]
    return "\n".join([*parts, "</section>"])


def _body(title: str, rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    yield "<tbody>"
    if title:
        yield f'<tr><th scope="rowgroup" colspan="8">{title}</th></tr>'
    for row in rows:
        hand = (row.max_abs_error, row.max_rel_error, None if row.max_abs_error is None else row.budget)
        figures = "".join(f"<td>{_figure(value)}</td>" for value in (*hand, row.numeric_abs_error))
        yield (
            f'<tr><th scope="row"><code>{escape(row.name)}</code></th><td>{row.entries:,}</td>{figures}'
            f"<td>{row.entries_checked:,}</td><td>{_status(row.status)}</td></tr>"
        )
        lines = [escape(line) for line in told(replace(row, diagnosis=()))]
        lines += [_cause(cause) for cause in row.diagnosis]
        if lines:
            yield f'<tr><td colspan="8"><ul>{"".join(f"<li>{line}</li>" for line in lines)}</ul></td></tr>'
    yield "</tbody>"


def _cause(cause: Cause) -> str:
    return f"<strong>{escape(cause.slug)}</strong>{escape(str(cause).removeprefix(cause.slug))}"


def _status(status: Status) -> str:
    return f'<span class="{status}"><span aria-hidden="true">{SIGNS[status]}</span> {status}</span>'


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2e}"


HEAD: Final = """<thead>
<tr><th scope="col" rowspan="2">parameter</th><th scope="col" rowspan="2">entries</th>
<th scope="colgroup" colspan="3">by hand − automatic</th><th scope="colgroup" colspan="2">automatic − numeric</th>
<th scope="col" rowspan="2">status</th></tr>
<tr><th scope="col">largest</th><th scope="col">relative</th><th scope="col">allowed</th>
<th scope="col">largest</th><th scope="col">one by one</th></tr>
</thead>"""

# Everything is under one class, so that nothing else changes where the report stands inside another page; the text and
# what is behind it are set together, so that it can be read on whatever ground that page has.
STYLE: Final = """<style>
.tinygrad-lite-check { --ground: #fff; --ink: #1b1f24; --line: #c9ced6; --right: #17692f; --wrong: #b3261e;
  --unsure: #7a5200; background: var(--ground); color: var(--ink); margin: 0; padding: .6rem 1rem;
  font: 15px/1.45 system-ui, sans-serif; overflow-x: auto; }
@media (prefers-color-scheme: dark) {
  .tinygrad-lite-check { --ground: #15181c; --ink: #e4e7eb; --line: #424a54; --right: #71d68c; --wrong: #ff9a91;
    --unsure: #efc163; } }
body:has(> .tinygrad-lite-check) { margin: 0; background: #fff; }
@media (prefers-color-scheme: dark) { body:has(> .tinygrad-lite-check) { background: #15181c; } }
h2.tinygrad-lite-check { font-size: 1.05rem; font-weight: 600; padding-top: 1.4rem; overflow-wrap: anywhere; }
.tinygrad-lite-check h1 { font-size: 1.5rem; margin: .4rem 0; }
.tinygrad-lite-check a { color: inherit; }
.tinygrad-lite-check table { border-collapse: collapse; color: inherit; background: none; font-size: inherit; }
.tinygrad-lite-check caption { text-align: left; font-weight: 600; padding: .2rem 0 .5rem; }
.tinygrad-lite-check th, .tinygrad-lite-check td { padding: .2rem .7rem; text-align: right; vertical-align: top;
  color: inherit; background: none; border: 0; border-bottom: 1px solid var(--line); white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.tinygrad-lite-check th { font-weight: 600; }
.tinygrad-lite-check [scope=row], .tinygrad-lite-check [scope=rowgroup], .tinygrad-lite-check [colspan="8"],
.tinygrad-lite-check td:last-child { text-align: left; }
.tinygrad-lite-check [scope=colgroup] { text-align: center; }
.tinygrad-lite-check ul { margin: .1rem 0 .4rem; padding-left: 1.2rem; }
.tinygrad-lite-check ul li { white-space: normal; max-width: 70ch; overflow-wrap: anywhere; }
.tinygrad-lite-check p { margin: .4rem 0; max-width: 90ch; }
.tinygrad-lite-check .agrees, .tinygrad-lite-check .kink { color: var(--right); }
.tinygrad-lite-check .differs { color: var(--wrong); }
.tinygrad-lite-check .vacuous, .tinygrad-lite-check .undetectable { color: var(--unsure); }
</style>"""
