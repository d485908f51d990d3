"""COCO: pictures in one list, what is said of them in others, joined by number.

{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1, "caption": "a cat"}], "categories": […]}
Source: https://cocodataset.org/#format-data
"""

from __future__ import annotations

from collections.abc import Mapping

from ...csv_cells import plain_name
from .json_cells import Json, cell_text, filled_cells, is_scalar, merged
from .records import Records, find_key_column, first_few

_PICTURE_ID = "imageid"
_CATEGORY_ID = "categoryid"
#: Numbers of records, and shapes in pixels: nothing that a sheet could show.
_LEFT_OUT = {"id", _PICTURE_ID, _CATEGORY_ID, "iscrowd", "area", "numkeypoints", "license"}
_Rows = list[dict[str, Json]]


def join_annotations(value: Mapping[str, Json]) -> Records | None:
    """One record for each picture with all that is said of it; None where the object is not of this shape.

    Several captions or categories of a picture are parted by semicolons. Notes tell what fits no picture.
    """
    lists = {name: rows for name, rows in ((name, _rows(cell)) for name, cell in value.items()) if rows}
    pictures = next((name for name, rows in lists.items() if _names_pictures(rows)), None)
    about = [name for name, rows in lists.items() if name != pictures and any(_of(row, _PICTURE_ID) for row in rows)]
    if pictures is None or not about:
        return None
    category = {_of(row, "id"): cell_text(row.get("name")) for row in lists.get("categories", [])}
    said: dict[str, _Rows] = {}
    for name in about:
        for row in lists[name]:
            said.setdefault(_of(row, _PICTURE_ID), []).append(_shown(row, category))
    numbers = [_of(row, "id") for row in lists[pictures]]
    rows = tuple(
        filled_cells(merged(said.get(number, [])) | _shown(row, {}))
        for number, row in zip(numbers, lists[pictures], strict=True)
    )
    lost = [number or "none" for number in said if number not in set(numbers)]
    notes = (f"annotations of pictures that are not in {pictures!r}: {first_few(lost, 'image_id')}",) if lost else ()
    return Records(tuple(dict.fromkeys(column for row in rows for column in row)), rows, notes=notes)


def _rows(value: Json) -> _Rows:
    """The objects of a list of nothing but objects."""
    rows = [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
    return rows if isinstance(value, list) and len(rows) == len(value) else []


def _names_pictures(rows: _Rows) -> bool:
    return (
        all(_of(row, "id") for row in rows)
        and find_key_column(tuple(rows[0])) is not None
        and not any(_of(row, _PICTURE_ID) for row in rows)
    )


def _of(row: Mapping[str, Json], name: str) -> str:
    """The single value under a name in any spelling; empty if there is none."""
    return next((cell_text(cell) for key, cell in row.items() if plain_name(key) == name and is_scalar(cell)), "")


def _shown(row: Mapping[str, Json], category: Mapping[str, str]) -> dict[str, Json]:
    """What can be shown of a record: single values, with the name of its category."""
    shown = {name: cell for name, cell in row.items() if is_scalar(cell) and plain_name(name) not in _LEFT_OUT}
    named = category.get(_of(row, _CATEGORY_ID))
    return {**shown, "category": named} if named else shown
