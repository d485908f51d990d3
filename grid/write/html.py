"""Cells become one HTML page that needs no network and no other file; its looks and script are in sheet.html."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TextIO

from ...errors import InputError
from ..arrange.tables import MeanBadge
from ..colors import RGB, css_color, readable_on

#: A cell, its picture's file (empty = no picture) and that file's media type.
CellPicture = tuple["HtmlCell", bytes, str]
_COLOUR = re.compile(r"[#\w][\w#(),.%\s/-]*")


@dataclass(frozen=True)
class HtmlCell:
    """What is known of one place of a table."""

    page: int
    row: int
    column: int
    label: str
    name: str
    #: Where the label came from.
    source: str
    values: Mapping[str, str]
    scores: Mapping[str, float]
    #: Of the embedded picture, in pixels.
    width: int
    height: int
    #: The text in the corner, and its colour where it has one of its own.
    badge: str = ""
    tint: RGB | None = None
    winner: bool = False
    #: Why there is no picture.
    problem: str = ""


@dataclass(frozen=True)
class HtmlPage:
    """One table; its headers are empty or one per row or column, and so are the means that stand with them."""

    rows: int
    columns: int
    row_headers: tuple[str, ...]
    column_headers: tuple[str, ...]
    title: str
    row_means: tuple[MeanBadge | None, ...] = ()
    column_means: tuple[MeanBadge | None, ...] = ()


@dataclass(frozen=True)
class HtmlSheet:
    """What the page shows besides its cells."""

    title: str
    header: str
    legend: str
    footer: str
    pages: tuple[HtmlPage, ...]
    #: CSS colours.
    background: str
    text_color: str
    #: Pixels at a zoom of 100 %.
    cell_width: int
    cell_height: int
    #: over, below, above or none.
    label_position: str
    #: The score or value that the badges show, or empty.
    badge: str
    #: Texts such as a workflow, kept by name in <script type="application/json" id="embedded-NAME">.
    embedded: Mapping[str, str]
    #: Every colour on which a badge or mean stands.
    tints: Collection[RGB] = ()


def write_html(file: TextIO, sheet: HtmlSheet, cells: Iterable[CellPicture]) -> None:
    """Write the page; the file must encode to UTF-8.

    cells: by page, row and column, holes left out or with their problem. They are written as they come: one is held
    at a time. Raises InputError for a cell that is out of this order or outside of its page.
    """
    template = (Path(__file__).parent / "sheet.html").read_text("utf-8")
    before, after = template.split("{{pages}}")
    texts = _texts(sheet, template)
    file.write(_fill(before, texts))
    rest = _Ahead(cells)
    for number, page in enumerate(sheet.pages):
        for part in _page(page, number, sheet.badge, rest):
            file.write(part)
    if rest.cell:
        raise InputError(f"{_place(rest.cell)} is out of order or outside of its page; give cells by page, row, column")
    file.write(_fill(after, texts))


class _Ahead:
    """Cells with a look at the next one."""

    def __init__(self, cells: Iterable[CellPicture]) -> None:
        self._cells = iter(cells)
        self._next = next(self._cells, None)

    @property
    def cell(self) -> HtmlCell | None:
        return self._next[0] if self._next else None

    def take(self, page: int, row: int, column: int) -> CellPicture | None:
        """The next cell if it stands here."""
        found = self._next
        if not found or (found[0].page, found[0].row, found[0].column) != (page, row, column):
            return None
        self._next = next(self._cells, None)
        return found


def _place(cell: HtmlCell) -> str:
    return f"the cell of {cell.name or 'no picture'} (page {cell.page}, row {cell.row}, column {cell.column})"


def _texts(sheet: HtmlSheet, template: str) -> dict[str, str]:
    """What stands in the template's places, ready for HTML."""
    variables = (
        f":root {{ --page: {_colour(sheet.background)}; --ink: {_colour(sheet.text_color)}; "
        f"--cell-width: {sheet.cell_width:d}px; --cell-height: {sheet.cell_height:d}px; }}"
        + "".join(map(_tint_rule, sorted(sheet.tints)))
    )
    return {
        "policy": _policy(template.replace("{{variables}}", variables)),
        "variables": variables,
        "title": _text(sheet.title),
        "header": _text(sheet.header),
        "legend": _text(sheet.legend),
        "footer": _text(sheet.footer),
        "label_position": _text(sheet.label_position),
        "badge": _text(sheet.badge),
        "embedded": "\n".join(_embedded(name, text) for name, text in sheet.embedded.items() if text),
    }


def _fill(template: str, texts: Mapping[str, str]) -> str:
    # in one go, so that a text which looks like a place is not filled in turn
    return re.sub(r"\{\{(\w+)\}\}", lambda place: texts[place[1]], template)


def _policy(template: str) -> str:
    """A content security policy that allows the template's own styles and script, pictures in the page, no more."""
    allowed = {tag: re.findall(f"<{tag}>(.*?)</{tag}>", template, re.DOTALL) for tag in ("style", "script")}
    sources = {tag: " ".join(f"'sha256-{_digest(text)}'" for text in texts) for tag, texts in allowed.items()}
    return (
        f"default-src 'none'; img-src data:; style-src {sources['style']}; script-src {sources['script']}; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _colour(name: str) -> str:
    """The colour, checked to be nothing else; a page cannot be transparent."""
    if not _COLOUR.fullmatch(name):
        raise InputError(f"{name!r} is not a colour that a page can have; give a name, #rrggbb or rgb(r, g, b)")
    return "white" if name == "transparent" else name


def _tint_rule(tint: RGB) -> str:
    # a rule and a class, since the policy of the page allows no style on an element
    ink = css_color(readable_on((*tint, 255)))
    return f" span.plate.{_tint_class(tint)} {{ background: {css_color(tint)}; color: {ink}; }}"


def _tint_class(tint: RGB) -> str:
    return "tint-" + css_color(tint).removeprefix("#")


def _text(text: str) -> str:
    """Text for an element or an attribute in double quotes."""
    return escape(_encodable(text))


def _encodable(text: str) -> str:
    # file names may hold halves of surrogate pairs, which UTF-8 has not
    return text.encode("utf-8", "replace").decode()


def _embedded(name: str, text: str) -> str:
    """A data block: the text itself if it is JSON, else the text as a JSON string."""
    try:
        json.loads(text)
    except ValueError:
        text = json.dumps(text, ensure_ascii=False)
    # outside of strings JSON has none of these
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return f'<script type="application/json" id="embedded-{_text(name)}">{_encodable(text)}</script>'


def _page(page: HtmlPage, number: int, badge: str, cells: _Ahead) -> Iterator[str]:
    """The parts of one table, cell by cell."""
    yield f'<section>\n<h2 class="wide" dir="auto">{_text(page.title)}</h2>\n<table class="grid">\n'
    has_side = any(page.row_headers) or any(page.row_means)
    if any(page.column_headers) or any(page.column_means):
        corner = "<td></td>" if has_side else ""
        headers = "".join(_header(page, "col", column) for column in range(page.columns))
        yield f"<thead><tr>{corner}{headers}</tr></thead>\n"
    yield "<tbody>\n"
    for row in range(page.rows):
        yield "<tr>"
        if has_side:
            yield _header(page, "row", row)
        for column in range(page.columns):
            found = cells.take(number, row, column)
            yield f"<td>{_cell(*found, badge) if found else ''}</td>\n"
        yield "</tr>\n"
    yield "</tbody>\n</table>\n</section>\n"


def _header(page: HtmlPage, scope: str, place: int) -> str:
    """The header of a row or column and, under it, its mean."""
    headers, means = (page.row_headers, page.row_means) if scope == "row" else (page.column_headers, page.column_means)
    text = headers[place] if place < len(headers) else ""
    mean = means[place] if place < len(means) else None
    plate = f'<span class="mean plate {_tint_class(mean.tint)}">{_text(mean.text)}</span>' if mean else ""
    return f'<th scope="{scope}" dir="auto"><span>{_text(text)}</span>{plate}</th>'


def _cell(cell: HtmlCell, picture: bytes, media_type: str, badge: str) -> str:
    if picture:
        source = f"data:{media_type};base64,{base64.b64encode(picture).decode()}"
        shown = (
            f'<img src="{_text(source)}" alt="{_text(cell.name or cell.label)}" width="{cell.width:d}" '
            f'height="{cell.height:d}" loading="lazy" decoding="async">'
        )
    else:
        shown = f'<p class="problem" dir="auto">{_text(cell.problem)}</p>'
    kind = "cell winner" if cell.winner else "cell"
    return (
        f"<figure class=\"{kind}\" data-cell='{_facts(cell)}'>{shown}"
        f'<figcaption dir="auto">{_text(cell.label)}</figcaption>{_badge(cell, badge)}</figure>'
    )


def _badge(cell: HtmlCell, name: str) -> str:
    if not cell.badge:
        return ""
    kind = f"badge plate {_tint_class(cell.tint)}" if cell.tint else "badge"
    return f'<span class="{kind}" title="{_text(name)}">{_text(cell.badge)}</span>'


def _facts(cell: HtmlCell) -> str:
    """What the page's script reads, as JSON for an attribute in single quotes; the rest it finds in the elements."""
    facts = {
        "name": cell.name,
        "source": cell.source,
        "problem": cell.problem,
        "values": dict(cell.values),
        "scores": {name: score for name, score in cell.scores.items() if math.isfinite(score)},
    }
    text = _encodable(json.dumps(facts, ensure_ascii=False, separators=(",", ":")))
    return escape(text, quote=False).replace("'", "&#39;")
