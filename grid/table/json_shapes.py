"""The shapes in which programs write tables as JSON, each as records of named cells.

[{"filename": "a.png", "seed": 1}, …]            a list of objects, one per row; also with a row of names and lists
{"filename": "a.png", "seed": 1} ⏎ {…}           the same as JSON lines
{"seed": [1, 2], "model": "sdxl"}                columns; a value without list holds for every picture
{"a.png": {"seed": 1}, "b.png": "a dog"}         rows, or labels, by file name
{"info": …, "data": [{…}, …]}                    rows of any of these shapes under a key
{"images": […], "annotations": […]}              COCO
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

from ...errors import InputError
from .coco import join_annotations
from .json_cells import Json, cell_text, filled_cells, is_scalar, merged
from .records import (
    HEADLESS,
    LABEL_COLUMN,
    Records,
    find_key_column,
    first_few,
    name_columns,
    name_headless,
    names_picture,
)

SHAPES = "give a list of objects, an object of columns, or an object of file names"
#: Objects around the rows, one in another, that are looked through.
_DEPTH = 4


def to_records(value: Json, name: str) -> Records:
    """The records of a JSON value; ``name`` is for messages. Raises InputError for a value of another shape."""
    if isinstance(value, list):
        return _from_list(value, name)
    if not isinstance(value, dict):
        raise InputError(f"{name} holds a single value; {SHAPES}")
    if joined := join_annotations(value):
        return joined
    if rows := _columns_of_objects(value):
        return rows
    if any(map(names_picture, value)):
        return _from_names(value)
    if _is_objects(value):
        inner = _inner_rows(value, name, _DEPTH)
        return inner if inner and _has_names(inner) else _from_names(value)
    if find_key_column(tuple(value)) is None or not any(isinstance(cell, list) for cell in value.values()):
        inner = _inner_rows(value, name, _DEPTH)
        if inner is not None:
            return inner
    return _from_rows([value]) if _is_one_row(value) else _from_columns(value)


def _is_objects(value: Mapping[str, Json]) -> bool:
    """Whether all values are objects (or null), and one says something."""
    return any(value.values()) and all(row is None or isinstance(row, dict) for row in value.values())


def _from_names(value: Mapping[str, Json]) -> Records:
    """Rows by file name: objects, texts, or lists of either."""
    return replace(_from_rows(_row(row) for row in value.values()), keys=tuple(value))


def _row(value: Json) -> Mapping[str, Json]:
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return merged([item for item in value if isinstance(item, dict)])
    return {LABEL_COLUMN: value}


def _columns_of_objects(value: Mapping[str, Json]) -> Records | None:
    """The records of {"filename": {"0": "a.png"}, "seed": {"0": 1}}, as pandas writes tables; None for other shapes."""
    key = find_key_column(tuple(value))
    if key is None or not _is_objects(value) or not isinstance(value[key], dict):
        return None
    columns = {column: cells for column, cells in value.items() if isinstance(cells, dict)}
    places = dict.fromkeys(place for cells in columns.values() for place in cells)
    return _from_rows({column: cells.get(place) for column, cells in columns.items()} for place in places)


def _inner_rows(value: Mapping[str, Json], name: str, depth: int) -> Records | None:
    """The rows that stand under one of the keys: the first that name pictures, or else the first; None without any."""
    found: dict[str, Records] = {}
    for key, inner in value.items():
        records = _rows_under(inner, f"{key!r} of {name}", depth)
        if records is not None:
            found[key] = records
    if not found:
        return None
    if header := _names_in(value, found):
        return header
    chosen = next((key for key, records in found.items() if _has_names(records)), next(iter(found)))
    others = [repr(key) for key in value if key != chosen]
    note = f"the rows are those under {chosen!r}; left out: {first_few(others)}"
    return replace(found[chosen], notes=(*found[chosen].notes, note)) if others else found[chosen]


def _rows_under(value: Json, name: str, depth: int) -> Records | None:
    if isinstance(value, list):
        return _from_list(value, name) if any(isinstance(item, dict) for item in value) else _from_lists(value)
    if not isinstance(value, dict) or not value:
        return None
    if any(map(names_picture, value)):
        return _from_names(value)
    return join_annotations(value) or (_inner_rows(value, name, depth - 1) if depth else None)


def _names_in(value: Mapping[str, Json], found: Mapping[str, Records]) -> Records | None:
    """The records of {"columns": ["filename", …], "data": [["a.png", …], …]}; None for other shapes."""
    names, rows = value.get("columns"), value.get("data")
    if "columns" in found or not (isinstance(names, list) and isinstance(rows, list)):
        return None
    return _from_lists([names, *rows])


def _from_lists(items: Sequence[Json]) -> Records | None:
    """The records of a list of lists of single values whose first one holds the names; None for another shape."""
    lists = [item for item in items if isinstance(item, list) and all(map(is_scalar, item))]
    if not lists or len(lists) < len(items):
        return None
    texts = [[cell_text(cell).strip() for cell in item] for item in lists]
    if headless := name_headless(texts[0]):
        names, body, notes = headless, texts, HEADLESS
    elif find_key_column(texts[0]) is not None:
        (names, notes), body = name_columns(texts[0]), texts[1:]
    else:
        return None
    return replace(_from_rows(dict(zip(names, cells, strict=False)) for cells in body), notes=notes)


def _has_names(records: Records) -> bool:
    """Whether one of the rows names a file that ends like a picture."""
    key = find_key_column(records.columns, records.rows)
    names = records.keys if records.keys is not None else [row.get(key, "") for row in records.rows if key]
    return any(map(names_picture, names))


def _from_list(items: Sequence[Json], name: str) -> Records:
    if lists := _from_lists(items):
        return lists
    rows: list[Mapping[str, Json]] = []
    for number, item in enumerate(items, 1):
        if not (item is None or isinstance(item, dict)):
            raise InputError(f"item {number} of {name} is {cell_text(item)[:40]!r}, which is no object; {SHAPES}")
        rows.append(item or {})
    filled = [row for row in rows if row]
    if filled and all(all(map(names_picture, row)) for row in filled):
        # one label, or a few, to an object
        named = [(key, _row(cell)) for row in filled for key, cell in row.items()]
        return replace(_from_rows(row for _, row in named), keys=tuple(key for key, _ in named))
    return _from_rows(rows)


def _is_one_row(value: Mapping[str, Json]) -> bool:
    """Whether the object describes one picture: it names it, and has no list of values."""
    key = find_key_column(tuple(value))
    file = value[key] if key is not None else None
    is_named = isinstance(file, str) and names_picture(file)
    return is_named and not any(isinstance(cell, list) for cell in value.values())


def _from_rows(objects: Iterable[Mapping[str, Json]]) -> Records:
    rows = tuple(filled_cells(row) for row in objects)
    return Records(tuple(dict.fromkeys(column for row in rows for column in row)), rows)


def _from_columns(value: Mapping[str, Json]) -> Records:
    lists = {column: cells for column, cells in value.items() if isinstance(cells, list)}
    shared = filled_cells({column: cell for column, cell in value.items() if column not in lists})
    columns = tuple(column.strip() for column in value if column in lists or column.strip() in shared)
    rows = []
    for cells in zip_longest(*lists.values()):
        row = shared | filled_cells(dict(zip(lists, cells, strict=True)))
        rows.append({column: row[column] for column in columns if column in row})
    notes: tuple[str, ...] = ()
    if len({len(cells) for cells in lists.values()}) > 1:
        counts = ", ".join(f"{column} {len(cells)}" for column, cells in lists.items())
        notes = (f"columns of different length ({counts}); the missing cells are empty",)
    return Records(columns, tuple(rows), shared, notes=notes)
