"""Tables of places without pixels: pictures in reading order, and tables cut into smaller ones."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from .axes import Sheet, Slot


def flow_sheets(count: int, rows: int, columns: int) -> tuple[Sheet, ...]:
    """Tables without axes: pictures in reading order, on as many pages as they need. 0 rows or columns = automatic."""
    if count < 1:
        raise InputError("there are no pictures to lay out")
    rows, columns = flow_shape(count, rows, columns)
    per_page = rows * columns
    return tuple(
        flow_sheet(range(start, min(start + per_page, count)), rows, columns) for start in range(0, count, per_page)
    )


def flow_shape(count: int, rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of a page: about square and never taller than wide when both are 0."""
    if rows and columns:
        return rows, columns
    if columns:
        return -(-count // columns), columns
    if not rows:
        rows = max(1, int(count**0.5))
    return rows, -(-count // rows)


def flow_sheet(indices: Sequence[int | None], rows: int, columns: int) -> Sheet:
    """One table of these pictures in reading order; rows that stay empty are left out."""
    slots = tuple(Slot(index, *divmod(place, columns)) for place, index in enumerate(indices))
    used_rows = slots[-1].row + 1
    return Sheet(None, min(rows, used_rows), columns, slots, ("",) * used_rows, ("",) * columns)


def halves(sheet: Sheet, *, wide: bool) -> list[Sheet]:
    """The sheet cut between its columns (wide) or its rows; a half without any slot is left out."""
    if wide:
        cut = -(-sheet.columns // 2)
        parts = [cut_sheet(sheet, 0, sheet.rows, 0, cut), cut_sheet(sheet, 0, sheet.rows, cut, sheet.columns)]
    else:
        cut = -(-sheet.rows // 2)
        parts = [cut_sheet(sheet, 0, cut, 0, sheet.columns), cut_sheet(sheet, cut, sheet.rows, 0, sheet.columns)]
    return [part for part in parts if part.slots]


def cut_sheet(sheet: Sheet, top: int, bottom: int, left: int, right: int) -> Sheet:
    """The rows ``top`` to ``bottom`` and columns ``left`` to ``right`` (ends not included) as a sheet of their own."""
    slots = tuple(
        Slot(slot.index, slot.row - top, slot.column - left)
        for slot in sheet.slots
        if top <= slot.row < bottom and left <= slot.column < right
    )
    rows, columns = sheet.row_headers[top:bottom], sheet.column_headers[left:right]
    means = sheet.row_means[top:bottom], sheet.column_means[left:right]
    return Sheet(sheet.page_value, bottom - top, right - left, slots, rows, columns, *means)


def limit_sheet(sheet: Sheet, rows: int, columns: int) -> list[Sheet]:
    """The sheet cut into pages of at most this many rows and columns; 0 = no limit."""
    rows, columns = rows or sheet.rows, columns or sheet.columns
    parts = [
        cut_sheet(sheet, top, min(top + rows, sheet.rows), left, min(left + columns, sheet.columns))
        for top in range(0, sheet.rows, rows)
        for left in range(0, sheet.columns, columns)
    ]
    return [part for part in parts if part.slots]
