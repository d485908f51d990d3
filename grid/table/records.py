"""Records of named cells, as CSV and JSON are read into, and the names of their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import count
from pathlib import PurePosixPath

from ...csv_cells import plain_name
from ...errors import InputError
from ...imaging import PICTURE_SUFFIXES
from ...visible_text import visible

#: What the column that says which picture a row belongs to may be called, best first.
KEY_COLUMNS = ("filename", "file", "file path", "image", "image path", "path", "name")
#: The column of a text that stands alone beside a file name.
LABEL_COLUMN = "label"
#: What is noted of such a table.
HEADLESS: tuple[str, ...] = ("the first line names a picture, so it is taken for a row and not for the header",)
_SHOWN = 5
_LONGEST_NAME = 10_000
_MOST_COLUMNS = 16_384


@dataclass(frozen=True)
class Records:
    """Named cells as text, row by row; empty cells are absent."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]
    #: Values that hold for every picture, also for those without a row.
    shared: Mapping[str, str] = field(default_factory=dict)
    #: The picture that each row belongs to, where the text says so outside the columns.
    keys: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()


class ColumnValues:
    """Values by column, looked up without regard to case, spaces, hyphens and underscores."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {plain_name(name): value for name, value in values.items()}

    def get(self, column: str) -> str | None:
        return self._values.get(plain_name(column))


def find_column(name: str, columns: Sequence[str], *, role: str = "column") -> str:
    """The column meant by ``name``, as it is spelled in ``columns``.

    Raises InputError, listing the columns, when there is none; ``role`` says in the message what the column is for.
    """
    if name in columns:
        return name
    spelled = {plain_name(column): column for column in reversed(columns)}
    if plain_name(name) in spelled:
        return spelled[plain_name(name)]
    near = get_close_matches(plain_name(name)[:200], spelled, 1)
    hint = f"; did you mean {spelled[near[0]]!r}?" if near else ""
    known = ", ".join(columns) or "there are none: no generation data, and no table"
    raise InputError(f"{role} {name!r} is not among the columns ({known}){hint}")


def find_key_column(columns: Sequence[str], rows: Sequence[Mapping[str, str]] = ()) -> str | None:
    """The column that names the pictures, or None: one of KEY_COLUMNS, else the first whose cells are names of files.

    Cells are such names where all that are filled end like a picture and differ.
    """
    spelled = {plain_name(column): column for column in reversed(columns) if len(column) <= _LONGEST_NAME}
    named = next((spelled[plain_name(key)] for key in KEY_COLUMNS if plain_name(key) in spelled), None)
    if named is not None:
        return named
    holds_names = (column for column in columns if _holds_names([row[column] for row in rows if column in row]))
    return next(holds_names, spelled.get("imageid"))


def _holds_names(cells: Sequence[str]) -> bool:
    return bool(cells) and all(map(names_picture, cells)) and len(set(cells)) == len(cells)


def names_picture(text: str) -> bool:
    """Whether the text ends like the file name of a picture."""
    return PurePosixPath(visible(text).strip().replace("\\", "/")).suffix.lower() in PICTURE_SUFFIXES


def name_columns(header: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every column under a name of its own, and notes on names that were missing or repeated.

    Raises InputError for more than 16,384 columns, the most of a spreadsheet, and for a name that fits no sheet.
    """
    if len(header) > _MOST_COLUMNS:
        raise InputError(
            f"the header has {len(header)} columns, more than the {_MOST_COLUMNS} that are read; leave some out"
        )
    long = next((number for number, written in enumerate(header, 1) if len(written) > _LONGEST_NAME), 0)
    if long:
        raise InputError(
            f"column {long} of the header has a name of {len(header[long - 1])} characters, more than the "
            f"{_LONGEST_NAME} that are read; shorten it"
        )
    names: list[str] = []
    nameless: list[str] = []
    repeated: list[str] = []
    taken: set[str] = set()
    repeats: dict[str, count[int]] = {}
    for number, written in enumerate(header, 1):
        first = written or f"column {number}"
        name = first
        while plain_name(name) in taken:
            name = f"{first} ({next(repeats.setdefault(plain_name(first), count(2)))})"
        if not written:
            nameless.append(f"column {number} (now {name!r})")
        elif name != written:
            repeated.append(f"column {number} {written[:40]!r} (now {name[-40:]!r})")
        taken.add(plain_name(name))
        names.append(name)
    notes = [f"columns without a name: {first_few(nameless)}"] if nameless else []
    notes += [f"columns that repeat a name: {first_few(repeated)}"] if repeated else []
    return tuple(names), tuple(notes)


def name_headless(first: Sequence[str]) -> tuple[str, ...]:
    """Names for the columns of a table whose first line is no header but names a picture; else none."""
    keys = [index for index, text in enumerate(first) if names_picture(text)]
    if len(keys) != 1 or find_key_column(first) is not None:
        return ()
    other = LABEL_COLUMN if len([text for text in first if text]) == 2 else ""
    return tuple(KEY_COLUMNS[0] if index in keys else other or f"column {index + 1}" for index in range(len(first)))


def varying_columns(rows: Sequence[Mapping[str, str] | None]) -> tuple[str, ...]:
    """Columns whose value is not the same in all rows, in order of first appearance; None is no row."""
    present = [row for row in rows if row is not None]
    columns = dict.fromkeys(column for row in present for column in row)
    return tuple(column for column in columns if len({row.get(column) for row in present}) > 1)


def first_few(items: Sequence[object], noun: str = "") -> str:
    """The first items of a list that may be long, after their noun: "line 3", "lines 1, 2, 3, 4, 5 and 12 more"."""
    name = f"{noun} " if len(items) == 1 else f"{noun}s "
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f"{name if noun else ''}{', '.join(map(str, items[:_SHOWN]))}{more}"
