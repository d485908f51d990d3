"""CSV text of any delimiter -> records of named cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from ...csv_cells import DELIMITERS, Line, split_lines, told_delimiter
from ...errors import InputError
from ...visible_text import cell, visible
from .records import HEADLESS, Records, find_key_column, first_few, name_columns, name_headless

#: Lines by which the delimiter is judged.
_SAMPLE = 50
#: What is read at most; the rows of as many take 300 MB.
_MAX_LINES, _MAX_CELLS = 500_000, 3_000_000


def read_csv(text: str) -> Records:
    """The records of CSV text; its first line that is not blank is the header, unless it names a picture.

    Cells lose the blanks and invisible marks around them.
    Blank lines between records are kept as empty records, since rows may go by position; those at the end are not.
    """
    declared, start = told_delimiter(text)
    lines = _lines(split_lines(text, declared or find_delimiter(text), start=start))
    while lines and lines[-1].blank:
        lines.pop()
    head = next((index for index, line in enumerate(lines) if not line.blank), len(lines))
    if head == len(lines):
        return Records((), ())
    if columns := name_headless(lines[head].cells):
        body, notes = lines[head:], HEADLESS
    else:
        body = lines[head + 1 :]
        columns, notes = name_columns([visible(name).strip() for name in _used_header(lines[head].cells, body)])
    rows = (_row(columns, line.cells) for line in body)
    return Records(columns, tuple(rows), notes=notes + _length_notes(len(columns), body))


def _lines(lines: Iterable[Line]) -> list[Line]:
    """The lines in memory; raises InputError for so many that their rows would not fit there."""
    held: list[Line] = []
    cells = 0
    for line in lines:
        held.append(line)
        cells += len(line.cells)
        if len(held) > _MAX_LINES or cells > _MAX_CELLS:
            raise InputError(
                f"the table has more than {_MAX_LINES:,} lines or {_MAX_CELLS:,} cells, the most that are read; "
                "leave some out"
            )
    return held


def _row(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """The cells that are not empty, by column."""
    # cells of ASCII have lost all that there is to lose
    texts = cells if all(map(str.isascii, cells)) else map(cell, cells)
    row = dict(zip(columns, texts, strict=False))
    return row if all(row.values()) else {column: text for column, text in row.items() if text}


def find_delimiter(text: str) -> str:
    """The delimiter that makes most sense of the first lines.

    Best is one that isolates a column name such as "filename"; then one under which the records are as wide as the
    header; then the one that gives most columns. A decimal comma or a comma in a prompt makes widths differ.
    """
    return max(DELIMITERS, key=lambda delimiter: _plausibility(text, delimiter))


def _plausibility(text: str, delimiter: str) -> tuple[bool, bool, float, int]:
    lines = [line.cells for line in islice(split_lines(text, delimiter), _SAMPLE) if not line.blank]
    if not lines:
        return False, False, 0.0, 0
    header, *body = lines
    equally_wide = sum(len(cells) == len(header) for cells in body) / len(body) if body else 1.0
    return find_key_column(header) is not None, len(header) > 1, equally_wide, len(header)


def _used_header(header: tuple[str, ...], body: Iterable[Line]) -> tuple[str, ...]:
    """The header without the nameless columns at its end in which no record has anything."""
    named = max(index for index, name in enumerate(header, 1) if name)
    if named == len(header):
        return header
    filled = max((index for line in body for index, cell in enumerate(line.cells, 1) if cell), default=0)
    return header[: max(named, min(filled, len(header)))]


def _length_notes(width: int, body: Iterable[Line]) -> tuple[str, ...]:
    """Notes on records that are shorter or longer than the header."""
    uneven = [line for line in body if len(line.cells) != width]
    short = [line.number for line in uneven if not line.blank and len(line.cells) < width]
    long = [line.number for line in uneven if any(line.cells[width:])]
    notes = []
    if short:
        notes.append(f"fewer cells than the header in {first_few(short, 'line')}; the missing ones are empty")
    if long:
        notes.append(
            f"more cells than the header in {first_few(long, 'line')}; the surplus is left out "
            "(a cell that contains the delimiter must stand in double quotes)"
        )
    return tuple(notes)
