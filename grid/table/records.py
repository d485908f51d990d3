"""What every kind of table text is read into before its rows are matched with pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import count

from ...csv_cells import plain_name
from ...errors import InputError

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


def some(noun: str, items: Sequence[object]) -> str:
    """The first few items of a list that may be long: "line 3", "lines 1, 2, 3, 4, 5 and 12 more"."""
    plural = "" if len(items) == 1 else "s"
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f"{noun}{plural} {', '.join(str(item) for item in items[:_SHOWN])}{more}"


#: What the column that says which picture a row belongs to may be called, best first.
KEY_COLUMNS = ("filename", "file", "file path", "image", "image path", "path", "name")


def find_column(name: str, columns: Sequence[str], *, role: str = "column") -> str:
    """The column meant by `name`, as it is written in `columns`; `role` says in the message what it was wanted for.

    Raises InputError, listing the columns, when there is none.
    """
    if name in columns:
        return name
    meant = {plain_name(column): column for column in reversed(columns)}
    if plain_name(name) in meant:
        return meant[plain_name(name)]
    near = get_close_matches(plain_name(name), meant, 1)
    hint = f"; did you mean {meant[near[0]]!r}?" if near else ""
    listed = ", ".join(columns) if columns else "none"
    raise InputError(f"{role} {name!r} is not among the columns ({listed}){hint}")


def find_key_column(columns: Sequence[str]) -> str | None:
    """The column that names the pictures, or None; see KEY_COLUMNS."""
    meant = {plain_name(column): column for column in reversed(columns)}
    return next((meant[plain_name(key)] for key in KEY_COLUMNS if plain_name(key) in meant), None)


def name_columns(header: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every column under a name of its own, and a note for each name that was missing or repeated."""
    names: list[str] = []
    notes: list[str] = []
    taken: set[str] = set()
    for number, written in enumerate(header, 1):
        first = written or f"column {number}"
        name = next(name for name in _versions(first) if plain_name(name) not in taken)
        if not written:
            notes.append(f"column {number} has no name; it is called {name!r}")
        elif name != written:
            notes.append(f"column {number} repeats the name {written!r}; it is called {name!r}")
        taken.add(plain_name(name))
        names.append(name)
    return tuple(names), tuple(notes)


def _versions(name: str) -> Iterator[str]:
    """The name, then the name with (2), (3) and so on."""
    yield name
    for number in count(2):
        yield f"{name} ({number})"
