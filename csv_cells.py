"""Cells of CSV files: read as people write them, and written so that no spreadsheet runs a text as a formula.

The csv module is not used: it refuses cells above a limit that is global to the process, lets one quote that is never
closed swallow the rest of the file, and cannot write NUL with Python 3.10.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from .visible_text import visible

DELIMITERS = (",", ";", "\t", "|")
Cell = str | int | float | bool | None

#: What spreadsheets take for the beginning of a formula, also full-width and behind blanks.
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")
#: Where a spreadsheet with another separator than the comma begins a new cell within a text.
_INNER = re.compile(r"([;|\t\r\n]+)")
#: Quotes do not protect there: those of the text stand in the midst of that spreadsheet's cell.
_INNER_FORMULA = re.compile(r"[\s'\"]*[=+\-@＝＋－＠]")
_EXCEL_HINT = re.compile(r"sep=([,;\t|])(?:\r\n|\r|\n)", re.IGNORECASE)
#: A line without quotes, and its end; one at the end of the text has none and may be empty.
_PLAIN_LINE = re.compile(r'([^"\r\n]*)(?:\r\n|\r|\n|\Z)')
#: Several of them that have an end.
_PLAIN_LINES = re.compile(r'[^"]*(?:\r\n|\r(?!\n|\Z)|\n)')
#: Characters in which lines without quotes are looked for at a time.
_STEP = 1 << 16
_TO_QUOTE = re.compile(r'[,"\r\n]')
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def safe_cell(text: str) -> str:
    """The text with an apostrophe wherever a spreadsheet, of any separator, would begin a formula.

    Plain numbers stay numbers. ``plain_cell`` gives back exactly the text. Source: OWASP, CSV Injection.
    """
    first, *parts = _INNER.split(text)
    inner = "".join(f"'{part}" if _is_inner_formula(part) else part for part in parts)
    return f"'{first}{inner}" if _is_formula(text) else first + inner


def plain_cell(text: str) -> str:
    """The text that ``safe_cell`` was given."""
    first, *parts = _INNER.split(text)
    text = first + "".join(part[1:] if part[:1] == "'" and _is_inner_formula(part) else part for part in parts)
    return text[1:] if text.startswith("'") and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    # whatever apostrophes it has already, so that one more or less does not change the answer
    bare = text.lstrip("'")
    return bool(_FORMULA.match(bare)) and not _NUMBER.fullmatch(bare)


def _is_inner_formula(part: str) -> bool:
    return bool(_INNER_FORMULA.match(part)) and not _NUMBER.fullmatch(part.lstrip("'").strip())


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A whole CSV file; see ``csv_lines``."""
    return "".join(csv_lines(columns, rows))


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """The records of a CSV file, header first, each with its end of line (RFC 4180).

    Texts are made safe, booleans are true and false, None is an empty cell, and numbers keep all their digits.
    """
    for cells in chain([columns], rows):
        # a line of nothing would be no record
        yield (",".join(map(_written, cells)) or '""') + "\r\n"


def _written(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if not isinstance(cell, str):
        return str(cell)
    safe = safe_cell(cell)
    return '"' + safe.replace('"', '""') + '"' if _TO_QUOTE.search(safe) else safe


class Line(NamedTuple):
    """One record and the number of the text line on which it begins, from 1."""

    number: int
    cells: tuple[str, ...]

    @property
    def blank(self) -> bool:
        """Whether all its cells are empty."""
        return not any(self.cells)


def told_delimiter(text: str) -> tuple[str, int]:
    """The delimiter that Excel's first line ``sep=;`` names, or "", and where the records begin."""
    hint = _EXCEL_HINT.match(text)
    return (hint[1], hint.end()) if hint else ("", 0)


def split_lines(text: str, delimiter: str, *, start: int = 0) -> Iterator[Line]:
    """The records from ``start`` on; cells lose the blanks around them.

    A quote that is never closed is an ordinary character, and so are those of a cell that goes on behind them.
    """
    cell_pattern = _cell_pattern(delimiter)
    cells: list[str] = []
    number = first = 1 + _breaks(text[:start])
    at = start
    while at < len(text) or cells:
        if not cells and (lines := _PLAIN_LINES.match(text, at, at + _STEP)):
            # most lines have no quotes: cutting up many at once takes a fifth of the time
            for line in _in_lines(lines[0]):
                yield Line(number, tuple(map(str.strip, line.split(delimiter))))
                number += 1
            at, first = lines.end(), number
            continue
        if not cells and (plain := _PLAIN_LINE.match(text, at)):
            # the last one, or one that is longer
            yield Line(number, tuple(map(str.strip, plain[1].split(delimiter))))
            at, number = plain.end(), number + 1
            first = number
            continue
        found = cell_pattern.match(text, at)
        assert found, "the pattern matches at every place, if only an empty cell"
        cells.append(_cell(found))
        number += _breaks(found[0])
        at = found.end()
        if found["end"] != delimiter:
            yield Line(first, tuple(cells))
            cells, first = [], number


def _in_lines(text: str) -> list[str]:
    """The lines of a text that ends with a line end; not ``splitlines``, which knows more ends than files have."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text[:-1].split("\n")


def _cell_pattern(delimiter: str) -> re.Pattern[str]:
    separator = re.escape(delimiter)
    end = rf"{separator}|\r\n|\r|\n|\Z"
    # a quote in the midst of a cell closes none, lest one that is never closed swallow the rows up to it
    quoted = rf'[ ]*"(?P<quoted>[^"]*(?:""[^"]*)*)"[ ]*(?={end})'
    return re.compile(rf"(?:{quoted}|(?P<plain>[^{separator}\r\n]*))(?P<end>{end})")


def _cell(found: re.Match[str]) -> str:
    quoted = found["quoted"]
    return (found["plain"] if quoted is None else quoted.replace('""', '"')).strip()


def _breaks(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def plain_name(name: str) -> str:
    """The name of a column without case, blanks, underscores, hyphens and invisible marks: what is compared."""
    return "".join(visible(name).casefold().replace("_", "").replace("-", "").split())
