"""Writing a sheet as one HTML page without other files or network; its styles and script are in sheet.html.

The script filters and sorts by the module of the browser viewer, whose text becomes a part of the page.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TextIO

from ...errors import InputError
from ...json_text import JsonError, parse_json
from ..arrange.heat_map import STEPS, heat_color
from ..arrange.tables import PageTable
from ..colors import RGB, css_color, readable_on
from ..layout.plan import ScaleTexts

#: Filter and order of the cells; a module without imports.
_QUERY = Path(__file__).parents[2] / "web" / "lib" / "viewer" / "query.mjs"
#: Ground and text of a sheet without colours of its own where the reader prefers dark pages, as in the viewer.
_DARK = "@media screen and (prefers-color-scheme: dark) { :root { --page: #202020; --ink: #ddd; } }"
_COLOR = re.compile(r"[#\w][\w#(),.%\s/-]*")


@dataclass(frozen=True)
class HtmlCell:
    """A cell of a table with its picture, or with the reason why it has none."""

    page: int
    row: int
    column: int
    #: The picture's file; empty without a picture.
    picture: bytes = b""
    media_type: str = ""
    #: Size of the embedded picture in pixels.
    width: int = 0
    height: int = 0
    #: Why there is no picture.
    problem: str = ""
    label: str = ""
    #: Where the label came from.
    source: str = "none"
    name: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    #: The text of the badge, and its colour in a heat map.
    badge: str = ""
    tint: RGB | None = None
    winner: bool = False


@dataclass(frozen=True)
class HtmlSheet:
    """Everything that the page shows besides its cells."""

    title: str
    header: str
    legend: str
    footer: str
    tables: Sequence[PageTable]
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
    #: Texts such as a workflow, by name; each becomes <script type="application/json" id="embedded-NAME">.
    embedded: Mapping[str, str]
    #: The colours of all badges and means.
    tints: Collection[RGB] = ()
    #: What stands at the scale of a heat map.
    scale: ScaleTexts | None = None
    #: Dark where the reader prefers dark pages; else the colours are kept.
    follows_scheme: bool = False


def write_html(file: TextIO, sheet: HtmlSheet, cells: Iterable[HtmlCell]) -> None:
    """Write the page; the file must encode to UTF-8.

    cells: in the order of page, row and column; any may be missing. They are written as they come, so that few
    pictures are in memory at a time. Raises InputError for a cell out of this order or outside of its table.
    """
    template = (Path(__file__).parent / "sheet.html").read_text("utf-8").replace("{{query}}", _query())
    before, after = template.split("{{pages}}")
    texts = _texts(sheet, template)
    file.write(_fill(before, texts))
    remaining = _CellReader(cells)
    for page, table in enumerate(sheet.tables):
        for part in _table(table, page, sheet.badge, remaining):
            file.write(part)
    if remaining.next:
        raise InputError(
            f"{_place(remaining.next)} is out of order or outside of its page; give cells by page, row, column"
        )
    file.write(_fill(after, texts))


def _query() -> str:
    """The text of the viewer's module as a part of a script."""
    return re.sub("^export ", "", _QUERY.read_text("utf-8"), flags=re.MULTILINE)


class _CellReader:
    """The cells one by one, with the next one known."""

    def __init__(self, cells: Iterable[HtmlCell]) -> None:
        self._cells = iter(cells)
        self.next = next(self._cells, None)

    def take(self, page: int, row: int, column: int) -> HtmlCell | None:
        """The next cell if it has this place, else None."""
        cell = self.next
        if cell is None or (cell.page, cell.row, cell.column) != (page, row, column):
            return None
        self.next = next(self._cells, None)
        return cell


def _place(cell: HtmlCell) -> str:
    return f"the cell of {cell.name or 'no picture'} (page {cell.page}, row {cell.row}, column {cell.column})"


def _texts(sheet: HtmlSheet, template: str) -> dict[str, str]:
    """The texts for the {{placeholders}} of the template, as HTML."""
    variables = (
        f":root {{ --page: {_color(sheet.background)}; --ink: {_color(sheet.text_color)}; "
        f"--cell-width: {sheet.cell_width:d}px; --cell-height: {sheet.cell_height:d}px; }}"
        + (_DARK if sheet.follows_scheme else "")
        + "".join(map(_tint_rule, sorted(sheet.tints)))
        + (_scale_rule() if sheet.scale else "")
    )
    return {
        "policy": _policy(template.replace("{{variables}}", variables)),
        "variables": variables,
        "title": _text(sheet.title),
        "header": _text(sheet.header),
        "legend": _text(sheet.legend),
        "scale": _scale(sheet.scale) if sheet.scale else "",
        "footer": _text(sheet.footer),
        "label_position": _text(sheet.label_position),
        "badge": _text(sheet.badge),
        "embedded": "\n".join(_embedded(name, text) for name, text in sheet.embedded.items() if text),
    }


def _fill(template: str, texts: Mapping[str, str]) -> str:
    # in one pass, so that a text which looks like a placeholder stays as it is
    return re.sub(r"\{\{(\w+)\}\}", lambda placeholder: texts[placeholder[1]], template)


def _policy(template: str) -> str:
    """A content security policy that allows only the template's own styles and script, and pictures in the page."""
    allowed = {tag: re.findall(f"<{tag}>(.*?)</{tag}>", template, re.DOTALL) for tag in ("style", "script")}
    sources = {tag: " ".join(f"'sha256-{_digest(text)}'" for text in texts) for tag, texts in allowed.items()}
    return (
        f"default-src 'none'; img-src data:; style-src {sources['style']}; script-src {sources['script']}; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _color(name: str) -> str:
    """The colour, checked so that it cannot hold other CSS; a page cannot be transparent."""
    if not _COLOR.fullmatch(name):
        raise InputError(f"{name!r} is not a colour that a page can have; give a name, #rrggbb or rgb(r, g, b)")
    return "white" if name == "transparent" else name


def _tint_rule(tint: RGB) -> str:
    # a rule and a class, since the policy of the page allows no style on an element
    ink = css_color(readable_on((*tint, 255)))
    return f" span.plate.{_tint_class(tint)} {{ background: {css_color(tint)}; color: {ink}; }}"


def _tint_class(tint: RGB) -> str:
    return "tint-" + css_color(tint).removeprefix("#")


def _scale_rule() -> str:
    colors = ", ".join(css_color(heat_color(step)) for step in range(0, STEPS, STEPS // 20))
    return f" .scale i {{ background: linear-gradient(90deg, {colors}, {css_color(heat_color(STEPS - 1))}); }}"


def _scale(scale: ScaleTexts) -> str:
    name, low, high = map(_text, (scale.name, scale.low, scale.high))
    return f'<p class="note scale"><span dir="auto">{name}</span> <span>{low}</span><i></i><span>{high}</span></p>'


def _text(text: str) -> str:
    """Text for an element or an attribute in double quotes."""
    return escape(_encodable(text))


def _encodable(text: str) -> str:
    # file names may hold unpaired surrogates, which UTF-8 cannot encode
    return text.encode("utf-8", "replace").decode()


def _embedded(name: str, text: str) -> str:
    """A data block: the text itself if it is JSON, else the text as a JSON string."""
    try:
        parse_json(text)
    except JsonError:
        text = json.dumps(text, ensure_ascii=False)
    # these occur in JSON only inside strings
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return f'<script type="application/json" id="embedded-{_text(name)}">{_encodable(text)}</script>'


def _table(table: PageTable, page: int, badge: str, cells: _CellReader) -> Iterator[str]:
    """The HTML of one table, cell by cell."""
    names = f'data-row-axis="{_text(table.row_axis)}" data-column-axis="{_text(table.column_axis)}"'
    has_side = any(table.row_headers) or any(table.row_means)
    has_head = any(table.column_headers) or any(table.column_means)
    # without headers its cells may stand in as many columns as the window has space for
    kind = "grid" if has_side or has_head else "grid plain"
    yield f'<section>\n<h2 class="wide" dir="auto">{_text(table.page_value or "")}</h2>\n'
    yield f'<table class="{kind}" data-columns="{table.columns}" {names}>\n'
    if has_head:
        corner = f"<td>{_axis(table.row_axis)}</td>" if has_side else ""
        headers = "".join(_header(table, "col", column) for column in range(table.columns))
        yield f"<thead>{_column_axis(table, has_side)}<tr>{corner}{headers}</tr></thead>\n"
    yield "<tbody>\n"
    for row in range(table.rows):
        yield "<tr>"
        if has_side:
            yield _header(table, "row", row, "" if row or has_head else table.row_axis)
        for column in range(table.columns):
            cell = cells.take(page, row, column)
            yield f"<td>{_cell(cell, badge) if cell else ''}</td>\n"
        yield "</tr>\n"
    yield "</tbody>\n</table>\n</section>\n"


def _column_axis(table: PageTable, has_side: bool) -> str:
    """A row with the name of the column axis over all columns, if it has one."""
    if not table.column_axis:
        return ""
    corner = "<td></td>" if has_side else ""
    return f'<tr>{corner}<th scope="colgroup" colspan="{table.columns}">{_axis(table.column_axis)}</th></tr>'


def _header(table: PageTable, scope: str, index: int, axis: str = "") -> str:
    """The header of a row or column and, under it, its mean; above it the axis, if it is given."""
    is_row = scope == "row"
    text = (table.row_headers if is_row else table.column_headers)[index]
    means = table.row_means if is_row else table.column_means
    mean = means[index] if means else None
    plate = f'<span class="mean plate {_tint_class(mean.tint)}">{_text(mean.text)}</span>' if mean else ""
    return f'<th scope="{scope}" dir="auto">{_axis(axis)}<span>{_text(text)}</span>{plate}</th>'


def _axis(name: str) -> str:
    return f'<small class="axis" dir="auto">{_text(name)}</small>' if name else ""


def _cell(cell: HtmlCell, badge: str) -> str:
    if cell.picture:
        source = f"data:{cell.media_type};base64,{base64.b64encode(cell.picture).decode()}"
        shown = (
            f'<img src="{_text(source)}" alt="{_text(cell.name or cell.label)}" width="{cell.width:d}" '
            f'height="{cell.height:d}" loading="lazy" decoding="async">'
        )
    else:
        shown = f'<p class="problem" dir="auto">{_text(cell.problem)}</p>'
    kind = "cell winner" if cell.winner else "cell"
    return (
        f"<figure class=\"{kind}\" data-cell='{_data(cell)}'>{shown}"
        f'<figcaption dir="auto">{_text(cell.label)}</figcaption>{_badge(cell, badge)}</figure>'
    )


def _badge(cell: HtmlCell, name: str) -> str:
    if not cell.badge:
        return ""
    kind = f"badge plate {_tint_class(cell.tint)}" if cell.tint else "badge"
    return f'<span class="{kind}" title="{_text(name)}">{_text(cell.badge)}</span>'


def _data(cell: HtmlCell) -> str:
    """What the script reads of a cell besides its elements, as JSON for an attribute in single quotes."""
    data = {
        "file": cell.name,
        "source": cell.source,
        "problem": cell.problem,
        "values": dict(cell.values),
        "scores": {name: score for name, score in cell.scores.items() if math.isfinite(score)},
    }
    text = _encodable(json.dumps(data, ensure_ascii=False, separators=(",", ":")))
    return escape(text, quote=False).replace("'", "&#39;")
