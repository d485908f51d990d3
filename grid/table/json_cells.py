"""JSON values as the text of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...visible_text import cell, visible

# numbers arrive as text, so that no digit of a seed is lost
Json = str | bool | None | list["Json"] | dict[str, "Json"]


def is_scalar(value: Json) -> bool:
    """Whether the value is neither a list nor an object."""
    return not isinstance(value, (list, dict))


def filled_cells(row: Mapping[str, Json]) -> dict[str, str]:
    """The cells that are not empty, as text, without the blanks and invisible marks around names and values."""
    cells = {column: cell(cell_text(value)) for column, value in row.items()}
    return {visible(column).strip(): text for column, text in cells.items() if text}


def merged(objects: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    """One row of several about the same picture: the different values of a column, parted by semicolons."""
    values: dict[str, dict[str, None]] = {}
    for item in objects:
        for column, value in item.items():
            if text := cell_text(value).strip():
                values.setdefault(column, {})[text] = None
    return {column: "; ".join(texts) for column, texts in values.items()}


def cell_text(value: Json) -> str:
    """The value as a person would write it into a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(cell_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {cell_text(item)}" for name, item in value.items())
    return value
