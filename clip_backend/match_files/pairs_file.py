"""Reads pairs of pictures and texts from a CSV file with the columns image_path, text and optionally label."""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...csv_cells import DELIMITERS, plain_cell, plain_name, split_lines, told_delimiter
from ...errors import InputError, PictureError
from ...input_files import read_file

#: What the columns may be called, best first; case, blanks, underscores and hyphens do not count.
IMAGE_COLUMNS = (
    "image path", "image", "path", "file", "file path", "filename", "image file", "picture", "img", "image name",
)  # fmt: skip
TEXT_COLUMNS = ("text", "caption", "description", "prompt", "sentence", "title", "comment")
LABEL_COLUMNS = ("label", "match", "is match", "target")
#: Why a row without a picture or a text cannot be used.
NO_PICTURE = "it names no picture; give the path of one"
NO_TEXT = "its text is empty; write what the picture should show"
#: What stands for a byte that could not be decoded.
_NO_UTF8 = re.compile("[\ud800-\udfff]")
#: Words that people write for a match and for a mismatch.
_MATCH = frozenset({"1", "1.0", "true", "t", "yes", "y", "match", "matched", "positive"})
_MISMATCH = frozenset({"0", "0.0", "false", "f", "no", "n", "mismatch", "no match", "negative"})


@dataclass(frozen=True)
class CsvRow:
    """One row of any CSV file."""

    #: Counted from 1 among the rows that are not blank, without the header.
    number: int
    #: The line of the file on which it begins, from 1.
    line: int
    #: Cells, one for each column.
    cells: tuple[str, ...]
    #: Why its cells may not be what was meant; empty if they are.
    problem: str = ""
    is_utf8: bool = True


@dataclass(frozen=True)
class PairRow:
    """One row of the file."""

    #: Counted from 1 among the rows that are not blank, without the header.
    number: int
    #: Cells as written in the file, one for each column.
    cells: tuple[str, ...]
    image: str
    text: str
    #: Whether picture and text are said to match; None if nothing is said.
    label: bool | None
    #: Why it cannot be used; empty if it can.
    problem: str = ""


@dataclass(frozen=True)
class PairsTable:
    """The rows in their order, with the columns' names as written."""

    columns: tuple[str, ...]
    rows: tuple[PairRow, ...]


def read_pairs(path: Path) -> PairsTable:
    """The pairs in a CSV file, separated by commas, semicolons, tabs or bars; broken rows have a ``problem``.

    Raises InputError as ``read_csv``, and if it has no rows or no columns of pictures and texts.
    """
    columns, rows = read_csv(path, "the pairs file", (IMAGE_COLUMNS, TEXT_COLUMNS))
    places = _columns(columns, path)
    check_rows(rows, path)
    return PairsTable(columns, tuple(_row(row, places) for row in rows))


def read_csv(path: Path, what: str, wanted: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], tuple[CsvRow, ...]]:
    """The names of the columns and the rows of a CSV file.

    It is in UTF-8, or in UTF-16 with its mark; bytes that are not cost their rows alone. what: names the file in
    messages. wanted: the names that each wanted column may have; the delimiter is the one that finds most of them.
    Raises InputError, naming the file, if it cannot be read or is empty.
    """
    text = read_table_text(path, what)
    if not text.strip():
        raise InputError(f"{path} is empty; it needs a header such as image_path,text,label and a row for each pair")
    declared, start = told_delimiter(text)
    records = split_lines(text, declared or _delimiter(text, wanted), start=start)
    lines = (line for line in records if not line.blank)
    header = next(lines, None)
    columns = tuple(_NO_UTF8.sub("\N{REPLACEMENT CHARACTER}", cell) for cell in header.cells) if header else ()
    rows = tuple(_csv_row(number, line.number, line.cells, len(columns)) for number, line in enumerate(lines, 1))
    return columns, rows


def check_rows(rows: Sequence[CsvRow], path: Path) -> None:
    """Raises InputError without rows."""
    if not rows:
        raise InputError(f"{path} has a header but no rows; give each pair of picture and text a row")


def _csv_row(number: int, line: int, written: tuple[str, ...], width: int) -> CsvRow:
    is_utf8 = not any(_NO_UTF8.search(cell) for cell in written)
    full = (*written, *[""] * width)[:width]
    cells = tuple(_NO_UTF8.sub("\N{REPLACEMENT CHARACTER}", plain_cell(cell)) for cell in full)
    problem = ""
    if any(written[width:]):
        problem = (
            f"it has {len(written)} cells, the header {width}; a text that contains the separator must stand in double "
            "quotes"
        )
    elif not is_utf8:
        problem = "it has bytes that are not UTF-8, so what it says is unknown; save the file as CSV in UTF-8"
    return CsvRow(number, line, cells, problem, is_utf8)


def find_picture(name: str, folders: Sequence[Path]) -> Path:
    """The file of this name in the first folder that has it, also with the slashes of Windows; else PictureError."""
    spellings = dict.fromkeys((name, name.replace("\\", "/")))
    for path in (folder / spelling for folder in folders for spelling in spellings):
        if os.path.isfile(path):
            return path
    where = "" if Path(name).is_absolute() else f" in {' or '.join(dict.fromkeys(map(str, folders)))}"
    raise PictureError(name, f"there is no file {name}{where}; check the path")


def read_label(text: str) -> bool | None:
    """Whether the text says match or mismatch, in any case; None if it says neither."""
    word = " ".join(text.casefold().replace("_", " ").split())
    if word in _MATCH:
        return True
    return False if word in _MISMATCH else None


def read_table_text(path: Path, what: str) -> str:
    """The text of a file; a byte that cannot be decoded becomes a lone surrogate, which costs its row.

    what: names the file in messages. Raises InputError for a file that cannot be read or is no text.
    """
    raw = read_file(path, what)
    if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        text = raw.decode("utf-16", "replace").replace("\N{REPLACEMENT CHARACTER}", "\udcff")
    else:
        text = raw.decode("utf-8-sig", "surrogateescape")
    if "\0" in text:
        raise InputError(f"{path} contains NUL bytes, so it is not plain text; save it as CSV in UTF-8")
    return text


def _delimiter(text: str, wanted: Sequence[Sequence[str]]) -> str:
    """The one under which the header names most of the wanted columns; else the one that gives most columns."""

    def sense(delimiter: str) -> tuple[int, int]:
        header = next((line.cells for line in split_lines(text, delimiter) if not line.blank), ())
        return sum(find_column(names, header) is not None for names in wanted), len(header)

    return max(DELIMITERS, key=sense)


def _columns(columns: Sequence[str], path: Path) -> tuple[int, int, int | None]:
    """The indices of the columns of pictures, texts and labels."""
    image, text = (find_column(names, columns) for names in (IMAGE_COLUMNS, TEXT_COLUMNS))
    if image is None or text is None:
        what, names = ("pictures", IMAGE_COLUMNS) if image is None else ("texts", TEXT_COLUMNS)
        raise InputError(
            f"{path} has no column of {what}, only {', '.join(filter(None, columns))}; its first line must be a header "
            f"in which one column is called {', '.join(names[:-1])} or {names[-1]}"
        )
    return image, text, find_column(LABEL_COLUMNS, columns)


def find_column(names: Sequence[str], columns: Sequence[str]) -> int | None:
    """The index of the column with the best of these names; None if there is none."""
    plain = [plain_name(column) for column in columns]
    return next((plain.index(plain_name(name)) for name in names if plain_name(name) in plain), None)


def _row(row: CsvRow, places: tuple[int, int, int | None]) -> PairRow:
    """places: as of ``_columns``."""
    image, text, label_cell = ("" if place is None else row.cells[place] for place in places)
    label = read_label(label_cell)
    problem = row.problem
    if not problem and not image:
        problem = NO_PICTURE
    elif not problem and not text:
        problem = NO_TEXT
    elif not problem and label_cell and label is None:
        problem = f"the label {label_cell!r} is neither 1 nor 0; write 1 for a match, 0 for none, or nothing"
    return PairRow(row.number, row.cells, image, text, label, problem)
