"""JSON text in one of four shapes -> records of named cells; numbers keep the digits that were written.

[{"filename": "a.png", "seed": 1}, …]            a list of objects, one per row
{"filename": "a.png", "seed": 1} ⏎ {…}           the same as JSON lines
{"seed": [1, 2], "model": "sdxl"}                columns; a value without list holds for every picture
{"a.png": {"seed": 1}, …}                        rows by file name
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import zip_longest
from pathlib import PurePosixPath

from ...errors import InputError
from ...imaging import PICTURE_SUFFIXES
from .records import Records, find_key_column, first_few

# numbers arrive as text, so that no digit of a seed is lost
Json = str | bool | None | list["Json"] | dict[str, "Json"]
_SHAPES = "give a list of objects, an object of columns, or an object of file names"
_BLANKS = re.compile(r"\s*")


def read_json(text: str, *, name: str) -> Records:
    """The records of JSON text; ``name`` is for messages. Raises InputError when it is not JSON or of another shape."""
    value, repeated = _decode(text, name)
    records = _records(value, name)
    if not repeated:
        return records
    note = f"written twice in one object, the last one counts: {first_few(repeated, 'name')}"
    return replace(records, notes=(*records.notes, note))


def _decode(text: str, name: str) -> tuple[Json, list[str]]:
    """The JSON value, or the list of values where several follow each other, and names used twice in an object."""
    repeated: list[str] = []

    def build(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        built = dict(pairs)
        if len(built) < len(pairs):
            repeated.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return built

    decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=build)
    values: list[Json] = []
    at = _after_blanks(text, 0)
    try:
        while at < len(text) or not values:
            value, end = decoder.raw_decode(text, at)
            values.append(value)
            at = _after_blanks(text, end)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{name} is not valid JSON: {error.msg.lower()} at {where}") from None
    except RecursionError:
        raise InputError(f"{name} is nested too deeply; {_SHAPES}") from None
    return (values if len(values) > 1 else values[0]), repeated


def _after_blanks(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _records(value: Json, name: str) -> Records:
    if isinstance(value, list):
        return _from_objects(value, name)
    if not isinstance(value, dict):
        raise InputError(f"{name} holds a single value; {_SHAPES}")
    files = {file: row or {} for file, row in value.items() if row is None or isinstance(row, dict)}
    if any(files.values()) and len(files) == len(value):
        return replace(_from_rows(files.values()), keys=tuple(files))
    return _from_rows([value]) if _is_one_row(value) else _from_columns(value)


def _is_one_row(value: Mapping[str, Json]) -> bool:
    """Whether the object describes one picture: it names it, and has no list of values."""
    key = find_key_column(tuple(value))
    file = value[key] if key is not None else None
    is_named = isinstance(file, str) and PurePosixPath(file).suffix.lower() in PICTURE_SUFFIXES
    return is_named and not any(isinstance(cell, list) for cell in value.values())


def _from_objects(items: list[Json], name: str) -> Records:
    rows: list[dict[str, Json]] = []
    for number, item in enumerate(items, 1):
        if not (item is None or isinstance(item, dict)):
            raise InputError(f"item {number} of {name} is {_cell(item)[:40]!r}, which is no object; {_SHAPES}")
        rows.append(item or {})
    return _from_rows(rows)


def _from_rows(objects: Iterable[Mapping[str, Json]]) -> Records:
    rows = tuple(_filled_cells(row) for row in objects)
    return Records(tuple(dict.fromkeys(column for row in rows for column in row)), rows)


def _from_columns(value: Mapping[str, Json]) -> Records:
    lists = {column: cells for column, cells in value.items() if isinstance(cells, list)}
    shared = _filled_cells({column: cell for column, cell in value.items() if column not in lists})
    columns = tuple(column for column in value if column in lists or column in shared)
    rows = []
    for cells in zip_longest(*lists.values()):
        row = shared | _filled_cells(dict(zip(lists, cells, strict=True)))
        rows.append({column: row[column] for column in columns if column in row})
    notes: tuple[str, ...] = ()
    if len({len(cells) for cells in lists.values()}) > 1:
        counts = ", ".join(f"{column} {len(cells)}" for column, cells in lists.items())
        notes = (f"columns of different length ({counts}); the missing cells are empty",)
    return Records(columns, tuple(rows), shared, notes=notes)


def _filled_cells(row: Mapping[str, Json]) -> dict[str, str]:
    """The cells that are not empty, as text, without the blanks around names and values."""
    cells = {column: _cell(value).strip() for column, value in row.items()}
    return {column.strip(): cell for column, cell in cells.items() if cell}


def _cell(value: Json) -> str:
    """The value as a person would write it into a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_cell(item)}" for name, item in value.items())
    return value
