"""Records of named cells, as CSV and JSON are read into, and the names of their columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import chain, count

from ...csv_cells import plain_name
from ...errors import InputError

#: What the column that says which picture a row belongs to may be called, best first.
KEY_COLUMNS = ("filename", "file", "file path", "image", "image path", "path", "name")
_SHOWN = 5


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
    near = get_close_matches(plain_name(name), spelled, 1)
    hint = f"; did you mean {spelled[near[0]]!r}?" if near else ""
    raise InputError(f"{role} {name!r} is not among the columns ({', '.join(columns) or 'none'}){hint}")


def find_key_column(columns: Sequence[str]) -> str | None:
    """The column that names the pictures, or None; see KEY_COLUMNS."""
    spelled = {plain_name(column): column for column in reversed(columns)}
    return next((spelled[plain_name(key)] for key in KEY_COLUMNS if plain_name(key) in spelled), None)


def name_columns(header: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every column under a name of its own, and a note for each name that was missing or repeated."""
    names: list[str] = []
    notes: list[str] = []
    taken: set[str] = set()
    for number, written in enumerate(header, 1):
        first = written or f"column {number}"
        versions = chain([first], (f"{first} ({repeat})" for repeat in count(2)))
        name = next(version for version in versions if plain_name(version) not in taken)
        if not written:
            notes.append(f"column {number} has no name; it is called {name!r}")
        elif name != written:
            notes.append(f"column {number} repeats the name {written!r}; it is called {name!r}")
        taken.add(plain_name(name))
        names.append(name)
    return tuple(names), tuple(notes)


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
