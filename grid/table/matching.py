"""Which row of a table belongs to which picture, when the keys were written by hand or on another machine."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from ...csv_cells import plain_name
from ...imaging import PICTURE_SUFFIXES
from ...plurals import counted
from ...visible_text import visible
from ..pictures.metadata.columns import COLUMNS
from ..pictures.survey import Picture
from .records import LABEL_COLUMN, first_few
from .table import Table

_DRIVE = re.compile(r"^[a-zA-Z]:")
#: The parts of a path, outermost first.
Parts = tuple[str, ...]


@dataclass(frozen=True)
class TableMatch:
    """The row of each of some pictures, and the rows that were not used."""

    #: One per picture; None where the table has nothing.
    rows: tuple[dict[str, str] | None, ...]
    #: One per picture: the index of its row in the table.
    order: tuple[int | None, ...]
    #: Keys of the rows that match no picture; "row 5" where rows go by position.
    unmatched: tuple[str, ...]
    #: Keys that occur more than once; their last row counts.
    repeated: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return all(row is None for row in self.rows)


def match_pictures(table: Table | None, pictures: Sequence[Picture]) -> tuple[TableMatch | None, list[str]]:
    """The row of each picture, and warnings about rows that fit none; None without a table."""
    if table is None:
        return None, []
    table = _with_known_columns(table)
    match, warnings = match_table(table, [str(one.path or one.name) for one in pictures]), list[str]()
    goes_by_position = not table.keyed
    if match.is_empty and not any(one.path for one in pictures):
        # pictures from memory have no file names that a row could name
        match = match_by_position(table, len(pictures))
        goes_by_position = True
        if table.keyed:
            warnings.append("no row names one of the pictures; the rows were given to them in order")
    if goes_by_position and 0 < len(table.rows) < len(pictures):
        given, count = counted(len(table.rows), "row", "was/were"), counted(len(pictures), "picture")
        warnings.append(f"{given} given for {count}; the other pictures have no values")
    warnings += table.notes
    if match.unmatched:
        verb = "row matches" if len(match.unmatched) == 1 else "rows match"
        warnings.append(f"{len(match.unmatched)} {verb} no picture: {first_few(match.unmatched)}")
    if match.repeated:
        warnings.append(f"rows repeat a picture, the last one counts: {first_few(match.repeated)}")
    if match.is_empty:
        warnings.append("no row of the table matches a picture; compare its key column with the file names")
    return match, warnings


def _with_known_columns(table: Table) -> Table:
    """The table with columns of generation data under the names that pictures have them by: Seed becomes seed."""
    known = {plain_name(column): column for column in COLUMNS if column not in table.columns}
    names = {column: known[plain_name(column)] for column in table.columns if plain_name(column) in known}
    if not names:
        return table

    def renamed(cells: Mapping[str, str]) -> dict[str, str]:
        return {names.get(column, column): text for column, text in cells.items()}

    columns = tuple(names.get(column, column) for column in table.columns)
    return replace(table, columns=columns, rows=tuple(map(renamed, table.rows)), shared=renamed(table.shared))


def match_table(table: Table, paths: Sequence[str]) -> TableMatch:
    """The row of each picture. A picture's path may be absolute or relative, with either slash.

    A key matches by path, base name or stem, then the same in any case; a longer path wins over a bare name, and a
    bare name serves every folder. Tables without keys go by position.
    """
    if not table.keyed:
        named = _named_by_stems(table, paths)
        return match_table(named, paths) if named else match_by_position(table, len(paths))
    keys = [path_parts(key) for key in table.keys]
    last_row = {key: row for row, key in enumerate(keys)}
    matches = match_keys(list(last_row), [path_parts(path) for path in paths])
    rows = list(last_row.values())
    order = tuple(None if key is None else rows[key] for key in matches)
    used = set(order)
    counts = Counter(keys) if len(last_row) < len(keys) else Counter[Parts]()
    return TableMatch(
        rows=_rows_of(table, order),
        order=order,
        unmatched=tuple(table.keys[row] for row in rows if row not in used),
        repeated=tuple(table.keys[row] for row in rows if counts[keys[row]] > 1),
    )


def _named_by_stems(table: Table, paths: Sequence[str]) -> Table | None:
    """The table in which what looks like values for all pictures, {"a": "a cat"}, are labels by the picture's stem.

    They are where most of the names are those of pictures; None where they are not.
    """
    names = list(table.shared)
    if not names or any(row != table.shared for row in table.rows):
        return None
    found = match_keys([path_parts(name) for name in names], [path_parts(path) for path in paths])
    if 2 * len({key for key in found if key is not None}) <= len(names):
        return None
    rows = tuple({LABEL_COLUMN: text} for text in table.shared.values())
    return replace(table, columns=(LABEL_COLUMN,), keys=tuple(names), rows=rows, keyed=True, shared={})


def match_by_position(table: Table, count: int) -> TableMatch:
    """The n-th row for the n-th of ``count`` pictures, whatever the keys are."""
    order = tuple(index if index < len(table.rows) else None for index in range(count))
    surplus = tuple(f"row {number}" for number in range(count + 1, len(table.rows) + 1))
    return TableMatch(_rows_of(table, order), order, surplus, ())


def _rows_of(table: Table, order: Sequence[int | None]) -> tuple[dict[str, str] | None, ...]:
    without_row = dict(table.shared) or None
    return tuple(without_row if row is None else table.rows[row] for row in order)


def path_parts(path: str) -> Parts:
    """The parts of a path of any system: without drive, leading slash and "."; composed Unicode."""
    path = path.strip()
    if not path.isascii():
        path = unicodedata.normalize("NFC", path)
    if "\\" in path or path[1:2] == ":":
        path = _DRIVE.sub("", path).replace("\\", "/")
    parts = path.split("/")
    # to look for what few paths have is quicker than to look at each part
    return tuple([part for part in parts if part and part != "."] if "" in parts or "." in parts else parts)


def match_keys(keys: Sequence[Parts], pictures: Sequence[Parts]) -> list[int | None]:
    """For each picture the index of its key, or None; keys must differ from each other.

    Tried in turn: the names as they are, keys without extension, both again without invisible marks and then in any
    case, and last keys with another extension than the picture's. Within each: a key that the picture's path ends with,
    the longest first (a bare name so serves the pictures of every folder), then a key whose folders differ, if nothing
    else could be meant.
    """
    # of 300,000 rows few may be about these pictures: the passes over all of them would take seconds
    lasts = {last for picture in pictures for last in _last_parts(picture)}
    possible = [index for index, key in enumerate(keys) if not lasts.isdisjoint(_last_parts_of_key(key))]
    found = _search([keys[index] for index in possible], pictures)
    return [None if match is None else possible[match] for match in found]


def _last_parts(path: Parts) -> set[str]:
    """The texts that stand for the last part of a path when it is compared with another."""
    ways = (path, _without_suffix(path), _folded(path), _folded(_without_suffix(path)), _folded(_stem(path)))
    return {way[-1] for way in ways if way}


def _last_parts_of_key(key: Parts) -> tuple[str, ...]:
    """The normalised form of a key, whose extension counts unless it is a picture's."""
    if not key or not key[-1].isascii():
        return tuple(way[-1] for way in (key, _folded(key), _folded(_stem(key))) if way)
    last = key[-1]
    folded = last.lower()
    name, dot, ending = folded.rpartition(".")
    return last, folded, name if name and dot + ending in PICTURE_SUFFIXES else folded


def _search(keys: Sequence[Parts], pictures: Sequence[Parts]) -> list[int | None]:
    search = _Search(pictures)
    for change_text in (_as_written, _visible, _folded):
        keys_now = [change_text(key) for key in keys]
        for change_name in (_as_written, _without_suffix):
            pictures_now = [change_text(change_name(picture)) for picture in pictures]
            search.by_ending(keys_now, pictures_now)
            search.by_common_ending(keys_now, pictures_now)
    # a.jpg for a.png: only where nothing else could be meant
    search.by_common_ending([_folded(_stem(key)) for key in keys], [_folded(_stem(path)) for path in pictures])
    return search.matches


def _as_written(path: Parts) -> Parts:
    return path


def _visible(path: Parts) -> Parts:
    """Without invisible marks, which pasted paths carry; also those around a drive and around the whole path."""
    return path if all(map(str.isascii, path)) else path_parts(visible("/".join(path)))


def _folded(path: Parts) -> Parts:
    return tuple(part.casefold() for part in _visible(path))


def _without_suffix(path: Parts) -> Parts:
    """The path of a picture without its extension, whatever that is."""
    return (*path[:-1], PurePosixPath(path[-1]).stem) if path else path


def _stem(path: Parts) -> Parts:
    """The path without its extension, if that is one of a picture: "v1.5" is a whole name."""
    name, dot, ending = path[-1].rpartition(".") if path else ("", "", "")
    return (*path[:-1], name) if name and dot + ending.lower() in PICTURE_SUFFIXES else path


class _Search:
    """The matches so far; every pass looks only at pictures that have none."""

    def __init__(self, pictures: Sequence[Parts]) -> None:
        self.matches: list[int | None] = [None] * len(pictures)
        self._used: set[int] = set()

    def by_ending(self, keys: Sequence[Parts], pictures: Sequence[Parts]) -> None:
        """Match the longest key that is the end of the picture's path; of equal keys the last."""
        index_of = {key: index for index, key in enumerate(keys)}
        for picture in self._unmatched():
            path = pictures[picture]
            endings = (path[start:] for start in range(len(path)))
            match = next((index_of[ending] for ending in endings if ending in index_of), None)
            if match is not None:
                self._accept(picture, match)

    def by_common_ending(self, keys: Sequence[Parts], pictures: Sequence[Parts]) -> None:
        """Match unused keys with pictures whose paths end alike, most parts first, where each has only the other."""
        deepest = max((len(pictures[picture]) for picture in self._unmatched()), default=0)
        for depth in range(deepest, 0, -1):
            keys_by_ending: dict[Parts, list[int]] = defaultdict(list)
            for index, key in enumerate(keys):
                if len(key) >= depth and index not in self._used:
                    keys_by_ending[key[-depth:]].append(index)
            pictures_by_ending = Counter(pictures[picture][-depth:] for picture in self._unmatched())
            for picture in self._unmatched():
                ending = pictures[picture][-depth:]
                if pictures_by_ending[ending] == 1 and len(keys_by_ending.get(ending, ())) == 1:
                    self._accept(picture, keys_by_ending[ending][0])

    def _unmatched(self) -> list[int]:
        return [picture for picture, key in enumerate(self.matches) if key is None]

    def _accept(self, picture: int, key: int) -> None:
        self.matches[picture] = key
        self._used.add(key)
