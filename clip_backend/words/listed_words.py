"""Vocabularies as lists of lines and as tables.

A list has one label per line. ``# …`` is a comment, ``[facet]`` begins a facet, and ``animal > bird > owl`` says what a
label is a kind of. A table has a header with the column ``label`` and perhaps ``facet`` and ``parent``, which may be
``animal > bird``; a table of one column without header is a list of labels. A parent is a label where it is listed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from ...errors import InputError
from .entries import LABEL, Entry, build_vocabulary
from .vocabulary import Vocabulary

#: Stands between what is wider and what is narrower.
ABOVE = ">"
_DELIMITERS = (",", ";", "\t")
_COLUMNS = {
    "label": LABEL,
    "labels": LABEL,
    "facet": "facet",
    "facets": "facet",
    "parent": "parent",
    "parents": "parent",
}


def read_list(text: str, name: str) -> Vocabulary:
    """The vocabulary in lines of text; raises InputError for a ``>`` beside which nothing stands."""
    return build_vocabulary(name, _listed(text))


def read_table(text: str, name: str) -> Vocabulary:
    """The vocabulary in CSV; raises InputError for a header without ``label``, a row without one, and loose quotes."""
    return build_vocabulary(name, _tabled(text))


def _listed(text: str) -> Iterator[Entry]:
    facet = LABEL
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            facet = line[1:-1].strip() or LABEL
        elif line and not line.startswith("#"):
            *above, label = _way(line, number)
            yield Entry(label=label, facet=facet, above=tuple(above))


def _tabled(text: str) -> Iterator[Entry]:
    rows = _rows(text)
    columns = [_COLUMNS.get(cell.strip().casefold(), "") for cell in rows[0][1]] if rows else []
    if LABEL in columns:
        rows = rows[1:]
    elif all(len(cells) == 1 for _, cells in rows):
        columns = [LABEL]
    else:
        raise InputError("the first line names no column label; it must be a header such as label,facet,parent")
    for number, cells in rows:
        yield _row_entry(dict(zip(columns, (cell.strip() for cell in cells), strict=False)), number)


def _row_entry(row: Mapping[str, str], number: int) -> Entry:
    if not row.get(LABEL):
        raise InputError(f"line {number} has no label; fill it in or take the line out")
    above = _way(row["parent"], number) if row.get("parent") else ()
    return Entry(label=row[LABEL], facet=row.get("facet") or LABEL, above=tuple(above))


def _rows(text: str) -> list[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of its last line."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        return [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} is no sound CSV ({error}); check its quotes") from error


def _delimiter(text: str) -> str:
    header = text.lstrip().partition("\n")[0]
    return max(_DELIMITERS, key=header.count)


def _way(text: str, number: int) -> Sequence[str]:
    names = [name.strip() for name in text.split(ABOVE)]
    if not all(names):
        raise InputError(f"line {number} is {text[:40]!r}; on both sides of {ABOVE} there must be a name")
    return names
